-- Members of what was found can be removed: by the worker that settles, and by an administrator. null is a value.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead');
INSERT INTO kepler.records (id, entity_type, data, enrichment) SELECT 'r' || i, 'lead', '{"own": 1}', '{"a": 1, "b": null, "c": {"d": 2}, "quo\"te,{}\\": 3}' FROM generate_series(1, 5) AS i;
INSERT INTO kepler.records (id, entity_type, data) VALUES ('r6', 'lead', '{}');
SELECT min(lease_id) AS lease FROM kepler.claim_records('lead', 'w', 9) \gset
SELECT record_id, outcome, error_code FROM kepler.settle_records(:lease, $$[
    {"record_id": "r1", "remove": ["a", "quo\"te,{}\\", "none"], "result": {"b": 5, "e": null}},
    {"record_id": "r2", "remove": ["b", "c"]},
    {"record_id": "r3", "remove": ["a"], "result": {"a": null}},
    {"record_id": "r4", "remove": null, "result": {"f": 1}},
    {"record_id": "r6", "remove": ["a"]}]$$);
SELECT id, enrichment_status, enrichment FROM kepler.records ORDER BY id;
-- What cannot be meant.
SELECT ordinal, outcome, error_code, error FROM kepler.settle_records(:lease, $$[
    {"record_id": "r5", "remove": "a"}, {"record_id": "r5", "remove": [1]}, {"record_id": "r5", "remove": [null]}, {"record_id": "r5", "remove": ["\u0000"]},
    {"record_id": "r5", "action": "fail", "remove": ["a"]}, {"record_id": "r5", "action": "release", "remove": []}]$$);
-- Content that changed meanwhile: nothing is removed either.
UPDATE kepler.records SET data = '{"own": 2}' WHERE id = 'r5';
SELECT outcome FROM kepler.settle_records(:lease, '[{"record_id": "r5", "remove": ["a"]}]');
SELECT enrichment ? 'a' AS kept FROM kepler.records WHERE id = 'r5';
-- By an administrator, whatever the status.
SELECT count(*) FROM kepler.delete_records('{r4}');
ALTER TABLE kepler.records ADD CONSTRAINT keeps_c CHECK (id <> 'r3' OR enrichment ? 'c') NOT VALID;
SELECT ordinal, record_id, outcome, error_code FROM kepler.remove_enrichment_members('{r1, r2, r3, r1, r4, r6, none, NULL}', '{b, c, NULL}');
SELECT outcome FROM kepler.remove_enrichment_members('{r5}', NULL);
SELECT outcome FROM kepler.remove_enrichment_members('{r5, r1}', '{}');
SELECT id, enrichment_status, enrichment FROM kepler.records ORDER BY id;
SELECT outcome FROM kepler.remove_enrichment_members(NULL, '{b}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
