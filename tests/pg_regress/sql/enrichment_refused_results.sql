-- One bad result does not lose the others: it is rejected with the reason, its record stays with the lease, and can be
-- failed. A failure can always be told, whatever stands in its text.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', max_attempts => 9);
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'note' FROM generate_series(1, 8) AS i;
ALTER TABLE kepler.records ADD CONSTRAINT score_is_a_share CHECK ((enrichment->>'score')::float <= 1);
SELECT min(lease_id) AS lease FROM kepler.claim_records('note', 'w', 9) \gset
-- The CHECK refuses the second, its own cast the fourth.
SELECT * FROM kepler.settle_records(:lease, '[
    {"record_id": "r1", "result": {"score": 0.1}},
    {"record_id": "r2", "result": {"score": 2}},
    {"record_id": "r3", "result": {"score": 0.3}},
    {"record_id": "r4", "result": {"score": "high"}},
    {"record_id": "r4", "action": "fail", "error": "said twice in one call"},
    {"record_id": "r5", "action": "release"}]');
SELECT id, enrichment_status, enrichment, enrichment_lease_id IS NOT NULL AS leased FROM kepler.records ORDER BY 1;
SELECT open_records FROM kepler.leases WHERE id = :lease;
-- What the log refuses is that element's too.
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.error LIKE 'secret%' THEN RAISE EXCEPTION 'no secrets in the log' USING ERRCODE = 'insufficient_privilege'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tell BEFORE INSERT ON kepler.enrichment_attempts FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT ordinal, record_id, outcome, error_code, error FROM kepler.settle_records(:lease, '[
    {"record_id": "r2", "action": "fail", "error": "secret 123", "retryable": false},
    {"record_id": "r4", "action": "fail", "error": "score is no number", "retryable": false}]');
SELECT ordinal, record_id, outcome FROM kepler.fail_records(:lease, '{r2}', 'score is 2', retryable => false);
SELECT record_id, enrichment_status, error FROM kepler.failed_enrichments ORDER BY 1;

-- The result is laid over what was found before: together they are larger than jsonb can hold.
SAVEPOINT small;
UPDATE kepler.records SET enrichment = jsonb_build_object('a', repeat('a', 150000000)) WHERE id = 'r6';
SELECT record_id, outcome, error_code, error FROM kepler.settle_records(:lease, jsonb_build_array(
    jsonb_build_object('record_id', 'r6', 'result', jsonb_build_object('b', repeat('b', 150000000))),
    jsonb_build_object('record_id', 'r7', 'result', jsonb_build_object('b', 'b')))::text);
ROLLBACK TO small;

-- Characters that cannot be stored are told by their escapes, and what is no text by its JSON.
SELECT ordinal, outcome, error_code, error FROM kepler.settle_records(:lease, '[
    {"record_id": "r6", "action": "fail", "error": "read \u0000 and \ud83d, not \ud83d\ude00 or \u00e4"},
    {"record_id": "r7", "action": "fail", "error": {"code": 7, "raw": "\u0000"}},
    {"record_id": "r8", "result": {"x": "\u0000"}}]');
SELECT record_id, outcome, error FROM kepler.enrichment_attempts WHERE record_id > 'r5' ORDER BY 1;
-- What is longer than 8192 bytes is cut between two characters, and the answer says so.
SELECT record_id, outcome, error_code, error FROM kepler.fail_records(:lease, '{r8}', repeat('ä', 4097));
SELECT octet_length(error) AS bytes, right(error, 3) AS ends FROM kepler.enrichment_attempts WHERE record_id = 'r8';
ROLLBACK;

-- What the lease does not hold, by why it does not.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note');
INSERT INTO kepler.records (id, entity_type) VALUES ('held', 'note'), ('deleted', 'note'), ('archived', 'note'), ('removed', 'note'), ('finished', 'note');
SELECT min(lease_id) AS lease FROM kepler.claim_records('note', 'w', 9) \gset
INSERT INTO kepler.records (id, entity_type) VALUES ('new', 'note'), ('other', 'other');
UPDATE kepler.records SET deleted_at = now() WHERE id = 'deleted';
UPDATE kepler.records SET status = 'ARCHIVED' WHERE id = 'archived';
UPDATE kepler.records SET enrichment_status = 'APPLIED' WHERE id = 'finished';
DELETE FROM kepler.records WHERE id = 'removed';
SELECT record_id, outcome FROM kepler.complete_records(:lease,
    '{deleted,archived,removed,finished,new,other,nowhere,nowhere,held,held}');
-- The lease has ended, and says no more than that.
SELECT record_id, outcome FROM kepler.complete_records(:lease, '{held,deleted,nowhere}');
ROLLBACK;
