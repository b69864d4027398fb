-- Who may set and run a policy, and as whom rows are deleted: no trigger gets rights that the owner of its table does not have.
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE retention_owner;
CREATE ROLE retention_other;
CREATE ROLE retention_admin;
CREATE ROLE retention_acme;
CREATE ROLE retention_reader;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme');
SELECT kepler.grant_access('retention_owner', 'writer'), kepler.grant_access('retention_other', 'writer'), kepler.grant_access('retention_admin', 'admin'),
    kepler.grant_access('retention_acme', 'admin', 'acme'), kepler.grant_access('retention_reader', 'reader');
CREATE SCHEMA traps AUTHORIZATION retention_owner;
GRANT USAGE ON SCHEMA traps TO PUBLIC;
-- A table whose owner lies in wait for a superuser: before, after, and at the end of the transaction.
SET ROLE retention_owner;
CREATE TABLE traps.log (id integer PRIMARY KEY, created_at timestamptz);
CREATE TABLE traps.sprung (as_whom text, trap text);
GRANT INSERT ON traps.sprung TO PUBLIC;
CREATE FUNCTION traps.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO traps.sprung VALUES (current_user, TG_NAME); RETURN OLD; END $$;
CREATE TRIGGER before_row BEFORE DELETE ON traps.log FOR EACH ROW EXECUTE FUNCTION traps.spring();
CREATE CONSTRAINT TRIGGER at_the_end AFTER DELETE ON traps.log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION traps.spring();
CREATE TRIGGER after_statement AFTER DELETE ON traps.log FOR EACH STATEMENT EXECUTE FUNCTION traps.spring();
INSERT INTO traps.log VALUES (1, '2020-01-01'), (2, now());
SELECT outcome FROM kepler.set_retention('traps.log', '30 days');
SELECT relation, workspace_id, problem FROM kepler.retention_report();
RESET ROLE;
CALL kepler.run_retention();
SELECT DISTINCT * FROM traps.sprung ORDER BY 2;
SELECT id FROM traps.log;
-- A filter is asked as the table's owner, too.
SET ROLE retention_owner;
CREATE TYPE traps.mood AS (word text);
CREATE FUNCTION traps.as_json(traps.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN INSERT INTO traps.sprung VALUES (current_user, 'cast'); RETURN '"x"'::json; END $$;
CREATE CAST (traps.mood AS json) WITH FUNCTION traps.as_json(traps.mood);
ALTER TABLE traps.log ADD COLUMN mood traps.mood;
INSERT INTO traps.log VALUES (3, '2020-01-01', ROW('x'));
SELECT outcome FROM kepler.set_retention('traps.log', '20 days', filter => '{"mood": "x"}');
RESET ROLE;
TRUNCATE traps.sprung;
CALL kepler.run_retention();
SELECT DISTINCT as_whom FROM traps.sprung;
SELECT id FROM traps.log;

-- Others set nothing for it, see nothing of it, and end nothing.
CREATE FUNCTION public.try(role name, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; answer text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE 'SELECT (' || call || ')::text' INTO answer;
    RESET ROLE;
    RETURN coalesce(answer, 'nothing');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    RETURN state || ' ' || message;
END
$$;
SELECT policy_id AS policy FROM kepler.retention_report() ORDER BY 1 LIMIT 1 \gset
SELECT r AS role, public.try(r, $$SELECT outcome FROM kepler.set_retention('traps.log', '1 day')$$) AS set,
    public.try(r, 'SELECT count(*) FROM kepler.retention_report()') AS seen, public.try(r, 'SELECT count(*) FROM kepler.retention_policies') AS read,
    public.try(r, format('kepler.drop_retention(%s)', :policy)) AS drop,
    regexp_replace(public.try(r, format('kepler_internal.apply_retention(%s, 10)', :policy)), '\d+$', 'N') AS apply
FROM unnest('{retention_other,retention_admin,retention_acme,retention_reader}'::name[]) AS r;

-- Kepler's own tables: administrators of a workspace for its rows, the owner for all.
INSERT INTO kepler.records (workspace_id, id, entity_type, deleted_at)
SELECT w, 'retained ' || w || n, 'retained', now() - n * interval '1 day' FROM unnest('{default,acme}'::text[]) AS w, generate_series(1, 60) AS n;
SELECT r AS role, public.try(r, $$SELECT outcome FROM kepler.set_retention('kepler.records', '50 days')$$) AS own,
    public.try(r, $$SELECT outcome FROM kepler.set_retention('kepler.records', '50 days', workspace_id => 'default')$$) AS named,
    public.try(r, $$SELECT outcome FROM kepler.set_retention('kepler.records', '50 days', workspace_id => NULL)$$) AS all
FROM unnest('{retention_owner,retention_reader,retention_acme,retention_admin}'::name[]) AS r;
SELECT r AS role, public.try(r, 'SELECT array_agg(workspace_id) FROM kepler.retention_report()') AS seen, public.try(r, 'SELECT array_agg(workspace_id) FROM kepler.retention_policies') AS read
FROM unnest('{retention_owner,retention_reader,retention_acme,retention_admin}'::name[]) AS r;
SET ROLE retention_acme;
UPDATE kepler.retention_policies SET keep = '1 second';
DELETE FROM kepler.retention_policies;
CALL kepler.run_retention();
RESET ROLE;
SELECT workspace_id, count(*) FROM kepler.records WHERE entity_type = 'retained' GROUP BY 1 ORDER BY 1;
SET ROLE retention_reader;
CALL kepler.run_retention();
RESET ROLE;
SELECT workspace_id, count(*) FROM kepler.records WHERE entity_type = 'retained' GROUP BY 1 ORDER BY 1;
CALL kepler.run_retention();
SELECT workspace_id, count(*) FROM kepler.records WHERE entity_type = 'retained' GROUP BY 1 ORDER BY 1;
SELECT outcome FROM kepler.set_retention('kepler.records', '40 days', workspace_id => NULL);
CALL kepler.run_retention();
SELECT workspace_id, count(*) FROM kepler.records WHERE entity_type = 'retained' GROUP BY 1 ORDER BY 1;
-- The table goes to somebody else: the policy was not the new owner's choice.
ALTER TABLE traps.log OWNER TO retention_other;
INSERT INTO traps.log VALUES (4, '2020-01-01');
SET client_min_messages = error;
CALL kepler.run_retention();
SELECT count(*) FROM traps.log;
SELECT DISTINCT regexp_replace(problem, '\d+', 'N') FROM kepler.retention_report() WHERE relation = 'traps.log';
-- Somebody with all rights on the list, as no level gives them, cannot have code run as its owner.
GRANT ALL ON kepler.retention_policies TO retention_other;
SET ROLE retention_other;
CREATE TRIGGER trap BEFORE UPDATE ON kepler.retention_policies FOR EACH ROW EXECUTE FUNCTION traps.spring();
RESET ROLE;
SELECT public.try(current_user, $$SELECT outcome FROM kepler.set_retention('kepler.records', '41 days', workspace_id => NULL)$$);
DROP TRIGGER trap ON kepler.retention_policies;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP SCHEMA traps CASCADE;
DROP FUNCTION public.try;
DELETE FROM kepler.records WHERE entity_type = 'retained';
SELECT kepler.revoke_access(r::regrole) FROM unnest('{retention_owner,retention_other,retention_admin,retention_acme,retention_reader}'::text[]) AS r;
REVOKE ALL ON kepler.retention_policies FROM retention_other;
DROP ROLE retention_owner, retention_other, retention_admin, retention_acme, retention_reader;
DELETE FROM kepler.workspaces WHERE id = 'acme';
