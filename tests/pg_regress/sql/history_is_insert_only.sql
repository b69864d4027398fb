-- Nobody changes the history, the owner neither; nobody writes to it who is not told of; and each reads what is theirs.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('history there', 'x');
CREATE ROLE history_reader; CREATE ROLE history_writer; CREATE ROLE history_worker; CREATE ROLE history_admin; CREATE ROLE history_app;
SELECT kepler.grant_access(('history_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
CREATE FUNCTION public.refused(caller text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', caller);
    EXECUTE call;
    RESET ROLE;
    RETURN 'works';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || message;
END
$$;
-- An application with rights on its own tables alone, and none on anything of Kepler's.
CREATE SCHEMA history_app AUTHORIZATION history_app;
SET LOCAL ROLE history_app;
CREATE TABLE history_app.notes (id integer PRIMARY KEY, workspace_id text, note text);
CREATE TABLE history_app.salaries (id integer PRIMARY KEY, amount integer);
RESET ROLE;
SELECT kepler.track('history_app.notes', 'history'), kepler.track('history_app.salaries', 'history');
SET LOCAL ROLE history_app;
INSERT INTO history_app.notes VALUES (1, 'default', 'here'), (2, 'history there', 'there'), (3, NULL, 'nowhere');
UPDATE history_app.notes SET note = note || '!';
INSERT INTO history_app.salaries VALUES (1, 100);
UPDATE history_app.salaries SET amount = 200;
RESET ROLE;
SELECT h.operation, h.row_id, h.workspace_id, h.old_values FROM kepler.history AS h WHERE h.xid = pg_current_xact_id() ORDER BY h.sequence;
SELECT workspace_id, role_name FROM kepler.history_transactions WHERE xid = pg_current_xact_id() ORDER BY sequence;

-- Nothing of it is changed, by whomever.
SELECT t, public.refused('postgres', format('UPDATE %s SET xid = xid WHERE false', t)) AS update, public.refused('postgres', format('DELETE FROM %s WHERE false', t)) AS delete,
    public.refused('postgres', format('TRUNCATE %s', t)) AS truncate
FROM unnest('{kepler.history,kepler.history_default,kepler.history_transactions,kepler.history_shapes,kepler.history_redactions,kepler.history_seals}'::text[]) AS t;
SELECT count(*) > 2 AS many, bool_and(public.refused('postgres', format('DELETE FROM %s', i.inhrelid::regclass)) LIKE '55000 %') AS all_refused
FROM pg_inherits AS i WHERE i.inhparent = 'kepler.history'::regclass;
SET LOCAL session_replication_role = replica;
SELECT public.refused('postgres', 'DELETE FROM kepler.history');
RESET session_replication_role;
SELECT level, t, public.refused('history_' || level, format('INSERT INTO kepler.%I SELECT * FROM kepler.%I LIMIT 0', t, t)) AS insert, public.refused('history_' || level, format('DELETE FROM kepler.%I', t)) AS delete
FROM unnest('{reader,admin}'::text[]) AS level, unnest('{history,history_transactions,history_seals}'::text[]) AS t;
SELECT level, public.refused('history_' || level, $$SELECT nextval('kepler.history_sequence')$$) AS sequence, public.refused('history_' || level, 'SELECT kepler.seal_history()') AS seal,
    public.refused('history_' || level, 'SELECT kepler.verify_history()') AS verify, public.refused('history_' || level, $$SELECT kepler_internal.redact_history('default', 'x')$$) AS redact
FROM unnest('{reader,admin}'::text[]) AS level;
SELECT public.refused('history_admin', $$SELECT kepler_internal.seal_changes(1)$$) AS seal, public.refused('history_admin', $$SELECT kepler_internal.redact_changes('default', NULL, NULL, NULL, 'x', 1, 1)$$) AS redact;

-- An administrator reads what is of the workspace; other levels read by the functions, and only of tables that they may read.
SELECT level, public.refused('history_' || level, 'SELECT FROM kepler.history') AS history, public.refused('history_' || level, 'SELECT FROM kepler.history_default') AS part,
    public.refused('history_' || level, $$SELECT kepler.row_history('history_app.salaries', '1')$$) AS salaries
FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
SET LOCAL ROLE history_admin;
SELECT DISTINCT workspace_id FROM kepler.history;
SELECT DISTINCT workspace_id FROM kepler.history_transactions;
RESET ROLE;
GRANT USAGE ON SCHEMA history_app TO history_reader;
GRANT SELECT ON history_app.notes TO history_reader;
SET LOCAL ROLE history_reader;
SELECT operation, changes, role_name FROM kepler.row_history('history_app.notes', '1');
SELECT count(*) AS of_another_workspace FROM kepler.row_history('history_app.notes', '2');
RESET ROLE;
SELECT public.refused('history_reader', $$SELECT kepler.row_history('history_app.notes', '2', workspace_id => 'history there')$$) AS elsewhere,
    public.refused('history_reader', $$SELECT kepler.row_history('history_app.notes', '3', workspace_id => NULL)$$) AS nowhere;
SELECT operation, changes FROM kepler.row_history('history_app.notes', '3', workspace_id => NULL) LIMIT 1;
-- Policies of their own, which say nothing of what rows were: refused. The one by workspace: as without.
ALTER TABLE history_app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON history_app.notes USING (note LIKE 'h%');
SELECT public.refused('history_reader', $$SELECT kepler.row_history('history_app.notes', '1')$$);
DROP POLICY own ON history_app.notes;
CREATE POLICY workspace ON history_app.notes USING (workspace_id = kepler.current_workspace_id());
SELECT public.refused('history_reader', $$SELECT kepler.row_history('history_app.notes', '1')$$);
-- Who may track: the owner of the table with level admin.
SELECT public.refused('history_admin', $$SELECT kepler.track('history_app.notes', 'history')$$) AS not_theirs, public.refused('history_admin', $$SELECT kepler.track('kepler.users', 'history')$$) AS keplers,
    public.refused('history_admin', $$SELECT kepler.untrack('kepler.executions', 'deletions')$$) AS default_one;

-- Somebody's trigger, rule or policy on the history does not run when it is written.
CREATE FUNCTION public.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sprung'; END $$;
CREATE TRIGGER spring BEFORE INSERT ON kepler.history FOR EACH ROW EXECUTE FUNCTION public.spring();
UPDATE history_app.salaries SET amount = 300;
SELECT count(*) FROM kepler.row_history('history_app.salaries', '1');
-- An administrator, who may execute the trigger function, cannot make a trigger that tells of the history of another table.
CREATE SCHEMA history_admin AUTHORIZATION history_admin;
SELECT t.id AS number FROM kepler.tracked_tables AS t WHERE t.name = 'history_app.salaries' \gset
SET LOCAL ROLE history_admin;
CREATE TABLE history_admin.forged (id integer PRIMARY KEY, amount integer);
SELECT kepler_internal.make_history_triggers('history_admin.forged', :number);
RESET ROLE;
SELECT public.refused('history_admin', 'INSERT INTO history_admin.forged VALUES (1, 1000000)');
UPDATE history_app.salaries SET amount = 400;
-- A function with the rights of its owner is not who changed it.
CREATE FUNCTION history_app.raise_all() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ UPDATE history_app.salaries SET amount = amount + 1 $$;
GRANT USAGE ON SCHEMA history_app TO history_writer;
SET LOCAL ROLE history_writer;
SELECT history_app.raise_all();
RESET ROLE;
SELECT role_name FROM kepler.row_history('history_app.salaries', '1', 1);
ROLLBACK;
