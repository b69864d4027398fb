-- A rejected element that lay in kepler.rejects does not overwrite what came after it. Where the source gives times, they decide;
-- else a record that was written since keeps what it has.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.set_enrichment_policy('doc') IS NOT NULL AS enriched;
CREATE VIEW docs AS SELECT external_id, data, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'doc' ORDER BY external_id;
-- Repairs all that was rejected, as an administrator would.
CREATE FUNCTION pg_temp.retry() RETURNS TABLE (external_id text, outcome text) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kepler.rejects SET document = replace(document, '\u0000', '!');
    RETURN QUERY SELECT r.external_id, r.outcome FROM kepler.retry_rejects() AS r ORDER BY r.external_id, r.ordinal;
END
$$;

-- With times: the newer version landed meanwhile, or an older one did.
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "a", "data": {"v": "\u0000"}, "source_updated_at": "2024-01-02"}, {"external_id": "b", "data": {"v": "\u0000"}, "source_updated_at": "2024-01-02"}]', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "a", "data": {"v": "newer"}, "source_updated_at": "2024-01-03"}, {"external_id": "b", "data": {"v": "older"}, "source_updated_at": "2024-01-01"}]');
SELECT * FROM pg_temp.retry();
TABLE docs;

-- Without times: a record that was changed, deleted or inserted since keeps what it has; one that nobody has written takes it.
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "c", "data": {"v": 1}}, {"external_id": "d", "data": {"v": 1}}, {"external_id": "e", "data": {"v": 1}}, {"external_id": "h", "deleted": true}]');
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "c", "data": {"v": "\u0000"}}, {"external_id": "d", "data": {"v": "\u0000"}}, {"external_id": "e", "data": {"v": "\u0000"}},
    {"external_id": "f", "data": {"v": "\u0000"}}, {"external_id": "g", "data": {"v": "\u0000"}}, {"external_id": "h", "data": {"v": "\u0000"}}]', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "c", "data": {"v": "newer"}}, {"external_id": "d", "deleted": true}, {"external_id": "f", "data": {"v": "newer"}}]');
-- Work on a record is no version of it.
SELECT count(*) FROM kepler.claim_records('doc', 'worker', 10) AS c CROSS JOIN LATERAL kepler.complete_records(c.lease_id, ARRAY[c.record_id]) AS d;
SELECT * FROM pg_temp.retry();
TABLE docs;
SELECT count(*) FROM kepler.rejects;

-- A record that was there and was removed since does not come back, with times or without.
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "l", "data": {"v": 1}}, {"external_id": "m", "data": {"v": 1}, "source_updated_at": "2024-01-01"}]');
SELECT count(*) FROM kepler.upsert_records('doc', '[{"external_id": "l", "data": {"v": "\u0000"}}, {"external_id": "m", "data": {"v": "\u0000"}, "source_updated_at": "2024-01-02"}, {"external_id": "n", "data": {"v": "\u0000"}}]', options => '{"keep_rejects": true}');
DELETE FROM kepler.records WHERE external_id IN ('l', 'm');
SELECT * FROM pg_temp.retry();
SELECT * FROM docs WHERE external_id IN ('l', 'm', 'n');
SELECT count(*) FROM kepler.rejects;

-- In one batch the later element is the newer one.
SELECT external_id, outcome FROM kepler.upsert_records('doc', '[
    {"external_id": "i", "data": {"v": "\u0000"}}, {"external_id": "i", "data": {"v": "later"}}, {"external_id": "j", "data": {"v": "earlier"}}, {"external_id": "j", "data": {"v": "\u0000"}}]', options => '{"keep_rejects": true}');
SELECT * FROM pg_temp.retry();
SELECT * FROM docs WHERE external_id IN ('i', 'j');

-- Patches of one record that wait together are applied one after another.
SELECT outcome FROM kepler.upsert_records('doc', '[{"external_id": "k", "data": {"a": 1}}]', merge => 'merge_patch');
SELECT outcome FROM kepler.upsert_records('doc', '[{"external_id": "k", "data": {"b": "\u0000"}}]', merge => 'merge_patch', options => '{"keep_rejects": true}');
SELECT outcome FROM kepler.upsert_records('doc', '[{"external_id": "k", "data": {"c": "\u0000", "a": null}}]', merge => 'merge_patch', options => '{"keep_rejects": true}');
SELECT * FROM pg_temp.retry();
SELECT * FROM docs WHERE external_id = 'k';
ROLLBACK;
