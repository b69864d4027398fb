-- A backlog that is larger than a step is queued by a procedure that commits; no lock is held for it, and no setting is
-- changed at the price of reading records.
\set SHOW_CONTEXT never
CREATE VIEW public.progress AS
SELECT p.backlog_after IS NULL AS done, p.backlog_queued, p.fair_keys_after IS NULL AS keyed, count(q.record_id) AS queued, count(q.fair_key) AS keys
FROM kepler.enrichment_policies AS p LEFT JOIN kepler.enrichment_queue AS q ON q.entity_type = p.entity_type
WHERE p.entity_type = 'many' GROUP BY 1, 2, 3;
INSERT INTO kepler.entities (id, type, source) SELECT 'e' || i, 'many', 's' || i FROM generate_series(1, 3) AS i;
INSERT INTO kepler.records (id, entity_type, entity_id, source, external_id)
SELECT 'r' || lpad(i::text, 5, '0'), 'many', 'e1', 's1', i FROM generate_series(1, 10005) AS i;
INSERT INTO kepler.records (id, entity_type, entity_id, source) VALUES ('r20000', 'many', 'e2', 's2'), ('r20001', 'many', 'e3', 's3');
INSERT INTO kepler.records (id, entity_type) VALUES ('r00000', 'few');

-- What one step reaches is queued at once, and the lock that it takes for that is let go of within the transaction, which is
-- one of the writers from then on.
BEGIN;
SELECT outcome, queued, remaining > 0 AS remains FROM kepler.set_enrichment_policy('many');
SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY mode;
COMMIT;
TABLE progress;
SELECT record_id FROM kepler.claim_records('many', 'w', 2);
CALL kepler.queue_backlog('many', 4000);
TABLE progress;
CALL kepler.queue_backlog('many');

-- Other settings take no lock, and what is so already is not written.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('many', max_attempts => 9, lease => '7 minutes', clear_on_change => true);
SELECT * FROM kepler.set_enrichment_policy('many', max_attempts => 9, fair => false);
SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY mode;
ROLLBACK;

-- Fairness: until each row knows its entity, the oldest come first.
SELECT outcome, queued, remaining > 0 AS remains FROM kepler.set_enrichment_policy('many', fair => true);
SELECT record_id FROM kepler.claim_records('many', 'w', 2);
CALL kepler.queue_backlog('many', 4000);
TABLE progress;
SELECT record_id FROM kepler.claim_records('many', 'w', 3);
-- A row that came without its entity after all does not wait behind all the others.
UPDATE kepler.enrichment_queue SET fair_key = NULL, ready_at = '2000-01-01' WHERE record_id = 'r09999';
\c
SELECT record_id FROM kepler.claim_records('many', 'w', 1);
-- Without fairness the keys stay where they are, and claims take the oldest first.
CREATE TEMPORARY TABLE before AS SELECT q.record_id, q.ctid AS place FROM kepler.enrichment_queue AS q;
SELECT * FROM kepler.set_enrichment_policy('many', fair => false);
SELECT count(*) AS rewritten FROM kepler.enrichment_queue AS q JOIN before AS b USING (record_id) WHERE q.ctid <> b.place;
SELECT record_id FROM kepler.claim_records('many', 'w', 2);
UPDATE kepler.enrichment_policies SET fair = true WHERE entity_type = 'many';
TABLE progress;
UPDATE kepler.enrichment_policies SET fair = false WHERE entity_type = 'many';
TABLE progress;

-- What a policy leaves is removed at once up to a step, and the rest by a procedure. Nobody claims it meanwhile.
INSERT INTO kepler.records (id, entity_type) SELECT 's' || i, 'many' FROM generate_series(1, 9) AS i;
SELECT kepler.drop_enrichment_policy('many');
SELECT count(*) AS left FROM kepler.enrichment_queue WHERE entity_type = 'many';
SELECT record_id FROM kepler.claim_records('many', 'w', 2);
BEGIN;
CALL kepler.drop_backlog('many');
ROLLBACK;
CALL kepler.drop_backlog('many', 0);
CALL kepler.drop_backlog('many', 5);
SELECT count(*) AS left FROM kepler.enrichment_queue WHERE entity_type = 'many';
DELETE FROM kepler.records WHERE id LIKE 's%';

-- By hand.
INSERT INTO kepler.enrichment_policies (entity_type) VALUES ('many');
TABLE progress;
CALL kepler.queue_backlog('many');
TABLE progress;
UPDATE kepler.enrichment_policies SET backlog_after = '' WHERE entity_type = 'many';
CALL kepler.queue_backlog('many');
TABLE progress;

-- What keeps to its snapshot leaves all to the procedure.
SELECT kepler.drop_enrichment_policy('many');
CALL kepler.drop_backlog('many');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT outcome, queued, remaining > 0 AS remains FROM kepler.set_enrichment_policy('many', fair => true);
COMMIT;
SET default_transaction_isolation = 'serializable';
CALL kepler.queue_backlog('many', 9000);
RESET default_transaction_isolation;
TABLE progress;

-- Arguments, and who may.
CALL kepler.drop_backlog('many');
CALL kepler.queue_backlog('unknown');
CALL kepler.queue_backlog(NULL);
CALL kepler.queue_backlog('many', 0);
CALL kepler.queue_backlog('many', 10001);
CALL kepler.queue_backlog('many', NULL);
BEGIN;
CALL kepler.queue_backlog('many');
ROLLBACK;
CREATE ROLE backlog_worker;
SELECT kepler.grant_access('backlog_worker', 'worker');
SET ROLE backlog_worker;
CALL kepler.queue_backlog('many');
CALL kepler.drop_backlog('none');
RESET ROLE;
SELECT kepler.revoke_access('backlog_worker');
DROP ROLE backlog_worker;

DROP VIEW public.progress;
DELETE FROM kepler.enrichment_policies;
DELETE FROM kepler.enrichment_turns;
DELETE FROM kepler.records;
DELETE FROM kepler.entities;
