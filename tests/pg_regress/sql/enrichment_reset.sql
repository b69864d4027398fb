-- Enrichment belongs to the content it was made from. When the content changes, APPLIED and FAILED go
-- back to UNAPPLIED; PENDING stays until its worker settles. What workers found is kept apart from data.
BEGIN;
SELECT kepler.upsert_records_summary('enriched', (
    SELECT jsonb_agg(jsonb_build_object('external_id', s, 'data', '{"v": 1}'::jsonb))::text
    FROM unnest(enum_range(NULL::kepler.record_enrichment_status)) AS s))->'inserted' AS inserted;
CREATE FUNCTION pg_temp.begin_again() RETURNS void LANGUAGE sql AS $$
    UPDATE kepler.records SET data = '{"v": 1}', enrichment = '{"found": 1}', deleted_at = NULL, enrichment_status = 'UNAPPLIED'
    WHERE entity_type = 'enriched';
    UPDATE kepler.records SET enrichment_status = 'PENDING' WHERE entity_type = 'enriched' AND external_id <> 'UNAPPLIED';
    UPDATE kepler.records SET enrichment_status = external_id::kepler.record_enrichment_status WHERE entity_type = 'enriched'
$$;
CREATE TEMP VIEW statuses AS
SELECT external_id AS before, enrichment_status AS after, enrichment, data FROM kepler.records
WHERE entity_type = 'enriched' ORDER BY external_id::kepler.record_enrichment_status;
CREATE FUNCTION pg_temp.upsert(rest text, merge text DEFAULT 'replace') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT u.outcome FROM kepler.upsert_records('enriched', (
        SELECT '[' || string_agg(format('{"external_id": "%s", %s}', s, rest), ',') || ']'
        FROM unnest(enum_range(NULL::kepler.record_enrichment_status)) AS s), merge => merge) AS u
$$;

-- Content changes.
SELECT pg_temp.begin_again();
SELECT pg_temp.upsert('"data": {"v": 2}');
TABLE statuses;
-- By merging, too.
SELECT pg_temp.begin_again();
SELECT pg_temp.upsert('"data": {"w": 2}', 'deep');
TABLE statuses;

-- Nothing changes, or only the time does, or the spelling.
SELECT pg_temp.begin_again();
SELECT pg_temp.upsert('"data": {"v": 1}');
SELECT pg_temp.upsert('"data": {"v": 1.0}, "source_updated_at": "2024-01-01"');
SELECT pg_temp.upsert('"data": {"v": 1}', 'deep');
TABLE statuses;

-- An older version does nothing.
SELECT pg_temp.upsert('"data": {"v": 9}, "source_updated_at": "2023-01-01"');
SELECT before, after FROM statuses WHERE before <> after::text;

-- Deleted and back with the same content: what was found still holds. With other content it does not. A worker loses
-- what is deleted: PENDING becomes UNAPPLIED.
SELECT pg_temp.upsert('"deleted": true');
SELECT pg_temp.upsert('"data": {"v": 1}');
SELECT before, after FROM statuses;
SELECT pg_temp.upsert('"deleted": true');
SELECT pg_temp.upsert('"data": {"v": 3}');
TABLE statuses;

-- Both together, for whoever reads them: enrichment lies over data, and neither changes the other.
SELECT kepler.record_document(r) AS document, r.data, r.content_hash = kepler.jsonb_hash(r.data) AS hash_of_data_alone
FROM kepler.records AS r WHERE entity_type = 'enriched' AND external_id = 'APPLIED';
UPDATE kepler.records SET enrichment = NULL WHERE entity_type = 'enriched' AND external_id = 'APPLIED';
SELECT kepler.record_document(r) AS document FROM kepler.records AS r WHERE entity_type = 'enriched' AND external_id = 'APPLIED';
UPDATE kepler.records SET enrichment = '{"v": "found"}' WHERE entity_type = 'enriched' AND external_id = 'APPLIED';
SELECT kepler.record_document(r) AS document FROM kepler.records AS r WHERE entity_type = 'enriched' AND external_id = 'APPLIED';
SELECT pg_temp.upsert('"data": {"v": 3}');
ROLLBACK;
