-- A role upserts records of which a policy of the user's hides some. Those are rejected, and it is said that row
-- security is why; the others land.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SELECT outcome FROM kepler.upsert_records('policed', '[
    {"external_id": "hidden", "data": {"v": 1, "secret": true}}, {"external_id": "fixed", "data": {"v": 1, "fixed": true}}, {"external_id": "open", "data": {"v": 1}}]');
CREATE ROLE kepler_regress_policed;
SELECT kepler.grant_access('kepler_regress_policed', 'writer');
CREATE POLICY sees ON kepler.records AS RESTRICTIVE FOR SELECT USING (NOT data ? 'secret');
CREATE POLICY adds ON kepler.records AS RESTRICTIVE FOR INSERT WITH CHECK (NOT data ? 'forbidden');
CREATE POLICY changes ON kepler.records AS RESTRICTIVE FOR UPDATE USING (NOT data ? 'fixed');

SET LOCAL ROLE kepler_regress_policed;
-- One that it cannot see, one that it cannot change, one that it may not add, one that it can change, and a new one.
SELECT external_id, outcome, error_code, error FROM kepler.upsert_records('policed', '[
    {"external_id": "fixed", "data": {"v": 2}}, {"external_id": "hidden", "data": {"v": 2}}, {"external_id": "new", "data": {"v": 2}},
    {"external_id": "no", "data": {"forbidden": 2}}, {"external_id": "open", "data": {"v": 2}}]');
SELECT outcome, error_code FROM kepler.upsert_record('policed', 'hidden', '{"v": 3}');
SELECT external_id, data FROM kepler.records WHERE entity_type = 'policed' ORDER BY 1;
RESET ROLE;
SELECT external_id, data FROM kepler.records WHERE entity_type = 'policed' ORDER BY 1;

-- An entity that is hidden is an error: nothing can land.
CREATE POLICY hides ON kepler.entities AS RESTRICTIVE FOR SELECT USING (false);
SET LOCAL ROLE kepler_regress_policed;
SAVEPOINT hidden;
SELECT * FROM kepler.upsert_record('policed', 'open', '{"v": 3}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO hidden;
ROLLBACK;
