-- A procedure that commits says so where it cannot, before it does anything: in a transaction block, and in a function.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
CALL kepler.maintain_feed();
ROLLBACK;
BEGIN;
CALL kepler.apply_blueprint_online('{}'::json);
ROLLBACK;
CREATE FUNCTION pg_temp.calls() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL kepler.rename_entity('a', 'b'); END $$;
SELECT pg_temp.calls();
-- A block without a transaction is none.
DO $$ BEGIN CALL kepler.maintain_feed(); END $$;
-- Every one of them asks.
SELECT p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND p.prokind = 'p' AND p.prosrc ~ '\mCOMMIT\M' AND p.prosrc !~ format('require_commits\(''kepler.%s''\)', p.proname);
