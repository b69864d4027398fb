-- Pain: no way to see which record failed and why. Here each rejection names the element, its id where
-- it has one, a code for programs and a sentence for people.
BEGIN;
CREATE TEMP TABLE failed AS
SELECT * FROM kepler.upsert_records('why', $$[
    17,
    {"external_id": "a", "data": {"x": tru}},
    {"external_id": "a", "data": {}, "extra": 1},
    {"data": {}},
    {"external_id": true, "data": {}},
    {"external_id": {"id": 1}, "data": {}},
    {"external_id": [1], "data": {}},
    {"external_id": 1e400, "data": {}},
    {"external_id": "a"},
    {"external_id": "a", "deleted": false},
    {"external_id": "a", "data": "{}"},
    {"external_id": "a", "data": null},
    {"external_id": "a", "data": [{}]},
    {"external_id": "a", "data": 1},
    {"external_id": "a", "data": {}, "deleted": "true"},
    {"external_id": "a", "data": {}, "deleted": 1},
    {"external_id": "a", "data": {}, "source_updated_at": "last week"},
    {"external_id": "a", "data": {}, "source_updated_at": {"at": 1}},
    {"external_id": "a", "data": {}, "source_updated_at": "9000-01-01T00:00:00Z"},
    {"external_id": "a", "data": {"x": "\u0000"}},
    {"external_id": "a", "data": {"x": "\udc00"}},
    {"external_id": "a", "data": {"x": 1e131072}}
]$$)
UNION ALL
SELECT * FROM kepler.upsert_records('why', format('[{"external_id": "deep", "data": {"x": %s}}, {"external_id": "%s", "data": {}}]',
    repeat('[', 600) || repeat(']', 600), repeat('x', 2001)));
SELECT ordinal, external_id, outcome, error_code, error FROM failed WHERE external_id IS NULL OR length(external_id) < 10;

-- Nothing of it landed, and no answer names a record.
SELECT count(*) AS landed FROM kepler.records WHERE entity_type = 'why';
SELECT count(record_id) AS named FROM failed;

-- Each code there is occurred, but for too_large, which takes more than 256 MB.
SELECT string_agg(DISTINCT error_code, ' ' ORDER BY error_code) AS codes FROM failed;

-- An answer that is no rejection carries neither code nor sentence.
SELECT outcome, error_code, error FROM kepler.upsert_records('why', '[{"external_id": "good", "data": {}}]');

-- The summary counts by code.
SELECT jsonb_pretty(kepler.upsert_records_summary('why', '[1, 2, {}, {"external_id": "b", "data": 3}]')->'rejected_by_code') AS by_code;
ROLLBACK;
