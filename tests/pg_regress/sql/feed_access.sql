-- Who may do what with the feed: a workspace reads its own changes, nobody writes any, and an administrator tracks tables.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('feed there', 'x');
CREATE ROLE feed_reader; CREATE ROLE feed_writer; CREATE ROLE feed_worker; CREATE ROLE feed_admin; CREATE ROLE feed_app;
SELECT kepler.grant_access(('feed_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
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
CREATE FUNCTION public.told() RETURNS TABLE (operation text, row_id text, workspace_id text) LANGUAGE sql AS $$
    SELECT f.operation::text, f.row_id, f.workspace_id FROM kepler.feed AS f WHERE f.xid = pg_current_xact_id_if_assigned() ORDER BY f.sequence
$$;
-- An application with rights on its own table alone, and none on anything of Kepler's.
CREATE SCHEMA feed_app AUTHORIZATION feed_app;
SET LOCAL ROLE feed_app;
CREATE TABLE feed_app.notes (id integer PRIMARY KEY, workspace_id text);
RESET ROLE;
SELECT kepler.track('feed_app.notes');
SET LOCAL ROLE feed_app;
INSERT INTO feed_app.notes VALUES (1, 'default'), (2, 'feed there'), (3, NULL);
TRUNCATE feed_app.notes;
RESET ROLE;
INSERT INTO kepler.records (id, entity_type, workspace_id) VALUES ('here', 't', 'default'), ('there', 't', 'feed there');
SELECT * FROM public.told();

-- A level sees what is its workspace's, of whatever table, in SQL and by the functions; nothing without a workspace.
SET LOCAL ROLE feed_reader;
SELECT DISTINCT f.workspace_id FROM kepler.feed AS f;
SELECT count(*) FROM kepler.feed AS f WHERE f.workspace_id IS DISTINCT FROM 'default';
RESET ROLE;
SELECT level, public.refused('feed_' || level, $$SELECT kepler.changes_since(workspace_id => 'feed there')$$) AS elsewhere,
    public.refused('feed_' || level, $$SELECT kepler.changes_since(workspace_id => NULL)$$) AS without_a_workspace,
    public.refused('feed_' || level, $$SELECT kepler.feed_cursor(NULL)$$) AS its_cursor
FROM unnest('{reader,admin}'::text[]) AS level;
-- Partitions are reached through the whole alone.
SELECT level, public.refused('feed_' || level, 'SELECT count(*) FROM kepler.feed_default') AS partition FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;

-- Nobody writes to the feed, nor to what it rests on.
SELECT t.name, t.call, string_agg(DISTINCT public.refused('feed_' || level, t.call), ', ') AS refused
FROM unnest('{reader,writer,worker,admin}'::text[]) AS level, (VALUES
    ('feed', $$INSERT INTO kepler.feed SELECT * FROM kepler.feed LIMIT 1$$), ('feed', $$UPDATE kepler.feed SET row_id = 'x'$$),
    ('feed', 'DELETE FROM kepler.feed'), ('feed', 'TRUNCATE kepler.feed'), ('sequence', $$SELECT setval('kepler.feed_sequence', 1)$$),
    ('sequence', $$SELECT nextval('kepler.feed_sequence')$$), ('epochs', $$INSERT INTO kepler.feed_epochs SELECT * FROM kepler.feed_epochs$$),
    ('epochs', 'DELETE FROM kepler.feed_epochs'), ('dropped', 'DELETE FROM kepler.feed_dropped'),
    ('dropped', $$INSERT INTO kepler.feed_dropped VALUES ('default', 9, '9', 9)$$), ('maintenance', 'SELECT kepler_internal.drop_old_changes($$1 hour$$)')) AS t (name, call)
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT level, public.refused('feed_' || level, $$SELECT kepler.track('kepler.users')$$) AS track, public.refused('feed_' || level, $$SELECT kepler_internal.maintain_feed_step(true, '1 day')$$) AS maintain
FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;

-- Kepler's own tables are of all workspaces: their owner alone begins and ends it.
SELECT t, public.refused('feed_admin', format('SELECT kepler.track(%L)', t)) AS track, public.refused('feed_admin', format('SELECT kepler.untrack(%L)', t)) AS untrack
FROM unnest('{kepler.records,kepler.users}'::text[]) AS t;
SELECT kepler.untrack('kepler.records'), kepler.track('kepler.records') AS again, kepler.track('kepler.users');
-- Entry tables of the session's workspace are its administrator's, and those of another one are not, tracked or untracked.
SELECT count(*) FROM kepler.create_entry_table('Feed Here', '{"fields": [{"name": "a", "type": "integer"}]}');
SET LOCAL kepler.workspace_id = 'feed there';
SELECT count(*) FROM kepler.create_entry_table('Feed There', '{"fields": [{"name": "a", "type": "integer"}]}');
RESET kepler.workspace_id;
SELECT 'kepler_data.' || table_name AS here FROM kepler.entry_tables WHERE record_name = 'Feed Here' \gset
SELECT 'kepler_data.' || table_name AS there FROM kepler.entry_tables WHERE record_name = 'Feed There' \gset
SELECT public.refused('feed_admin', format('SELECT kepler.track(%L)', :'here')) AS here, public.refused('feed_admin', format('SELECT kepler.track(%L)', :'there')) AS there;
SELECT kepler.track(:'there');
SELECT public.refused('feed_admin', format('SELECT kepler.untrack(%L)', :'here')) AS here, public.refused('feed_admin', format('SELECT kepler.untrack(%L)', :'there')) AS there;
SELECT kepler.untrack(:'there') AS still_tracked;

-- An administrator tracks their own tables, and nobody else's.
GRANT USAGE ON SCHEMA feed_app TO feed_admin;
GRANT ALL ON feed_app.notes TO feed_admin;
SELECT public.refused('feed_admin', $$SELECT kepler.track('feed_app.notes')$$);
CREATE SCHEMA feed_admin AUTHORIZATION feed_admin;
SET LOCAL ROLE feed_admin;
CREATE TABLE feed_admin.mine (id integer PRIMARY KEY);
SELECT kepler.track('feed_admin.mine');
INSERT INTO feed_admin.mine VALUES (7);
RESET ROLE;
SELECT row_id FROM public.told() WHERE row_id = '7';
SELECT t, public.refused('feed_admin', format('SELECT kepler.untrack(%L)', t)) FROM unnest('{feed_app.notes,feed_admin.mine}'::text[]) AS t;
SELECT public.refused('feed_app', $$SELECT kepler.track('feed_app.notes')$$);

-- A key of a type of somebody's own.
CREATE TABLE public.spelt_as (role_name text);
GRANT INSERT ON public.spelt_as TO PUBLIC;
CREATE TYPE feed_app.pair AS (a integer);
CREATE TABLE feed_app.typed (id feed_app.pair PRIMARY KEY);
GRANT ALL ON feed_app.typed TO feed_app;
SELECT kepler.track('feed_app.typed');
GRANT USAGE ON SCHEMA feed_app TO feed_app;
SET LOCAL ROLE feed_app;
INSERT INTO feed_app.typed VALUES (ROW(5));
RESET ROLE;
SELECT row_id FROM public.told() WHERE row_id = '(5)';

-- A trigger, a rule or a policy that somebody puts on the feed does not run when it is written.
CREATE FUNCTION public.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.spelt_as VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER spring BEFORE INSERT ON kepler.feed FOR EACH ROW EXECUTE FUNCTION public.spring();
CREATE TRIGGER spring_all AFTER INSERT ON kepler.feed FOR EACH STATEMENT EXECUTE FUNCTION public.spring();
INSERT INTO kepler.records (id, entity_type) VALUES ('sprung', 't');
SELECT count(*) AS sprung FROM public.spelt_as;
SELECT row_id FROM public.told() WHERE row_id = 'sprung';
ROLLBACK;
