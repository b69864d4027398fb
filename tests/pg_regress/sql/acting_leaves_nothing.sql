-- Code of a table's owner that runs while Kepler acts as that role leaves nothing behind in the session: no setting, no
-- search path that Kepler's own statements or the caller's next ones would be read with.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE acting_low;
CREATE SCHEMA acting AUTHORIZATION acting_low;
SELECT kepler.grant_access('acting_low', 'reader');
INSERT INTO kepler.workspaces (id, name) VALUES ('acting_other', 'other');
SET ROLE acting_low;
CREATE TABLE acting.kept (id integer PRIMARY KEY, created_at timestamptz);
CREATE INDEX ON acting.kept (created_at);
INSERT INTO acting.kept VALUES (1, '2001-01-01'), (2, '2001-01-02');
CREATE FUNCTION acting.poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', 'acting, pg_catalog, public', false), set_config('statement_timeout', '1h', false),
        set_config('kepler.on_secret', 'allow', false), set_config('default_transaction_read_only', 'on', false),
        set_config('acting.note', current_user, false);
    BEGIN
        PERFORM kepler.use_workspace('acting_other', false);
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN old;
END
$$;
CREATE TRIGGER poison BEFORE DELETE ON acting.kept FOR EACH ROW EXECUTE FUNCTION acting.poison();
CREATE FUNCTION acting.poisoned() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', 'acting, pg_catalog, public', false);
    RETURN true;
END
$$;
CREATE POLICY poison ON acting.kept USING (acting.poisoned());
ALTER TABLE acting.kept ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- What would run as the caller, if names were looked up there first.
CREATE FUNCTION acting.same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_user OPERATOR(pg_catalog.<>) 'acting_low'::name THEN
        RAISE EXCEPTION USING ERRCODE = 'P0666', MESSAGE = 'ran with rights that were added';
    END IF;
    RETURN $1 OPERATOR(pg_catalog.=) $2;
END
$$;
CREATE OPERATOR acting.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = acting.same);
SELECT outcome FROM kepler.set_retention('acting.kept', '1 year');
RESET ROLE;
CREATE FUNCTION public.acting_left() RETURNS text LANGUAGE sql AS $$
    SELECT pg_catalog.concat_ws(' ', pg_catalog.current_setting('search_path'), pg_catalog.current_setting('statement_timeout'),
        pg_catalog.current_setting('kepler.on_secret'), pg_catalog.current_setting('default_transaction_read_only'),
        pg_catalog.current_setting('acting.note', true), kepler.current_workspace_id())
$$;
SELECT public.acting_left();
SELECT relation FROM kepler.retention_report();
SELECT public.acting_left();
CALL kepler.run_retention();
SELECT public.acting_left(), (SELECT count(*) FROM acting.kept), (SELECT last_error FROM kepler.retention_policies);
INSERT INTO acting.kept VALUES (3, '2001-01-01');
UPDATE kepler.retention_policies SET pass_began_at = NULL, pass_ended_at = NULL;
CALL kepler.maintain();
SELECT public.acting_left(), (SELECT count(*) FROM acting.kept), (SELECT last_error FROM kepler.retention_policies);
SELECT step, object, last_error FROM kepler.maintenance WHERE failures > 0;
-- All of it goes.
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP FUNCTION public.acting_left();
DROP SCHEMA acting CASCADE;
DELETE FROM kepler.workspaces WHERE id = 'acting_other';
SELECT kepler.revoke_access('acting_low');
DROP ROLE acting_low;
