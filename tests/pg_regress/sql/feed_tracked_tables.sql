-- Any table can be tracked: how its rows are named, whose they are, and what happens to the table meanwhile.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
CREATE FUNCTION pg_temp.told() RETURNS TABLE (operation text, relation text, row_id text, entity_type text, workspace_id text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT f.operation::text, t.name, f.row_id, f.entity_type, f.workspace_id
    FROM kepler.feed AS f JOIN kepler.tracked_tables AS t ON t.id = f.table_id
    WHERE f.xid = pg_current_xact_id() AND f.sequence > coalesce(nullif(current_setting('feed.seen', true), ''), '0')::bigint
    ORDER BY f.sequence;
    PERFORM set_config('feed.seen', max(f.sequence)::text, true) FROM kepler.feed AS f WHERE f.xid = pg_current_xact_id();
END
$$;
CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE call;
    RETURN 'works';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, nullif(hint, ''));
END
$$;
CREATE SCHEMA feed_shop;

-- A key of one column is its text; the workspace is apart.
CREATE TABLE feed_shop.orders (workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(), number bigint NOT NULL, note text, PRIMARY KEY (workspace_id, number));
SELECT kepler.track('feed_shop.orders'), kepler.track('feed_shop.orders', 'feed') AS again;
INSERT INTO feed_shop.orders (number) VALUES (1), (20);
INSERT INTO feed_shop.orders VALUES ('other', 1);
-- What is too long for a workspace is none, and fails nobody's write: the change is for the owner alone.
INSERT INTO feed_shop.orders SELECT string_agg(md5(n::text), ''), 2 FROM generate_series(1, 60) AS n;
SELECT * FROM pg_temp.told();
-- Several columns are a JSON array; a table without a workspace has none, and one with a type of its own has it.
CREATE TABLE feed_shop.lines (code text, at timestamptz, part uuid, price float8, entity_type text, PRIMARY KEY (code, at, part));
SELECT kepler.track('feed_shop.lines');
SET LOCAL datestyle = 'German, DMY';
SET LOCAL timezone = 'America/New_York';
INSERT INTO feed_shop.lines VALUES ('a"b', '2024-02-01 12:00Z', '00000000-0000-0000-0000-00000000000a', 1.5, 'line');
RESET timezone; RESET datestyle;
UPDATE feed_shop.lines SET price = 1.5;
UPDATE feed_shop.lines SET price = 2.5;
SELECT * FROM pg_temp.told();
-- Keys of other types, spelt in one way whatever the session's settings are.
CREATE DOMAIN feed_shop.sku AS text;
CREATE TABLE feed_shop.odd (a feed_shop.sku, b bytea, c interval, d numeric, e integer, PRIMARY KEY (a, b, c, d, e));
SELECT kepler.track('feed_shop.odd');
SET LOCAL bytea_output = 'escape'; SET LOCAL intervalstyle = 'sql_standard';
INSERT INTO feed_shop.odd VALUES ('x', '\x0001', '1 day 02:00', 1.50, -7);
RESET bytea_output; RESET intervalstyle;
SELECT row_id FROM pg_temp.told();

-- Renamed, moved, altered: it stays tracked, and its changes have its name of now.
ALTER TABLE feed_shop.orders RENAME TO purchases;
ALTER TABLE feed_shop.purchases RENAME COLUMN number TO id;
ALTER TABLE feed_shop.purchases ADD COLUMN extra integer DEFAULT 5, DROP COLUMN note;
ALTER TABLE feed_shop.purchases ALTER COLUMN id TYPE text;
UPDATE feed_shop.purchases SET extra = 6 WHERE workspace_id = 'other';
SELECT operation, relation AS was, row_id, workspace_id FROM pg_temp.told();
ALTER TABLE feed_shop.purchases DROP CONSTRAINT orders_pkey;
SELECT pg_temp.refused('UPDATE feed_shop.purchases SET extra = 7');
ALTER TABLE feed_shop.purchases ADD PRIMARY KEY (id, workspace_id);
UPDATE feed_shop.purchases SET extra = 8 WHERE workspace_id = 'other';
SELECT operation, row_id FROM pg_temp.told();
SELECT kepler.untrack('feed_shop.purchases'), kepler.untrack('feed_shop.purchases') AS again;
UPDATE feed_shop.purchases SET extra = 9;
SELECT count(*) AS untracked FROM pg_temp.told();
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'feed_shop.purchases'::regclass;
-- Tracked again it goes on with its number.
SELECT kepler.track('feed_shop.purchases');
SELECT name, untracked_at IS NULL AS tracked FROM kepler.tracked_tables WHERE name LIKE 'feed_shop%' ORDER BY id;

-- A partitioned table is tracked as a whole. A row that moves to another partition is updated, or has another key.
CREATE TABLE feed_shop.events (day integer, id integer, note text, PRIMARY KEY (day, id)) PARTITION BY LIST (day);
CREATE TABLE feed_shop.events_1 PARTITION OF feed_shop.events FOR VALUES IN (1);
CREATE TABLE feed_shop.events_2 (note text, id integer NOT NULL, day integer NOT NULL);
ALTER TABLE feed_shop.events ATTACH PARTITION feed_shop.events_2 FOR VALUES IN (2);
SELECT kepler.track('feed_shop.events');
CREATE TABLE feed_shop.events_3 PARTITION OF feed_shop.events FOR VALUES IN (3);
INSERT INTO feed_shop.events VALUES (1, 1, 'a'), (2, 2, 'b');
UPDATE feed_shop.events SET day = 3 WHERE id = 2;
UPDATE feed_shop.events SET note = 'c' WHERE id = 1;
SELECT operation, row_id FROM pg_temp.told();
-- A trigger keeps the moved row out: then it is gone.
CREATE FUNCTION feed_shop.keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep_out BEFORE INSERT ON feed_shop.events_2 FOR EACH ROW EXECUTE FUNCTION feed_shop.keep_out();
UPDATE feed_shop.events SET day = 2 WHERE id = 1;
SELECT operation, row_id FROM pg_temp.told();
TRUNCATE feed_shop.events;
SELECT operation, row_id, workspace_id FROM pg_temp.told();
-- As a replica, by the triggers of the partitions.
SET LOCAL session_replication_role = replica;
INSERT INTO feed_shop.events VALUES (1, 7), (3, 8);
SET LOCAL session_replication_role = origin;
SELECT operation, row_id FROM pg_temp.told();

-- What cannot be tracked.
CREATE TABLE feed_shop.heap (a integer);
CREATE TABLE feed_shop.checked_late (a integer PRIMARY KEY DEFERRABLE);
CREATE UNLOGGED TABLE feed_shop.unlogged (a integer PRIMARY KEY);
CREATE TEMPORARY TABLE temporary (a integer PRIMARY KEY);
CREATE VIEW feed_shop.seen AS SELECT 1 AS a;
SELECT call, regexp_replace(pg_temp.refused('SELECT kepler.' || call), 'pg_temp_[0-9]+', 'pg_temp') AS refused FROM (VALUES
    ($$track('feed_shop.heap')$$), ($$track('feed_shop.checked_late')$$), ($$track('feed_shop.unlogged')$$), ($$track('pg_temp.temporary')$$), ($$track('feed_shop.seen')$$),
    ($$track('feed_shop.events_1')$$), ($$track('kepler.feed')$$), ($$track('kepler.feed_default')$$), ($$track('kepler.consumers')$$),
    ($$track(NULL)$$), ($$track('feed_shop.odd', NULL)$$), ($$track('feed_shop.odd', 'history')$$), ($$track('feed_shop.odd', 'all')$$),
    ($$track(4000000000::oid::regclass)$$), ($$untrack(NULL)$$), ($$untrack('feed_shop.heap')$$)) AS c (call);

-- Kepler's own tables and entry tables.
SELECT kepler.track('kepler.workspaces'), kepler.track('kepler.entry_tables');
SELECT count(*) FROM kepler.create_entry_table('Feed Thing', '{"fields": [{"name": "a", "type": "integer"}]}');
SELECT operation, relation, row_id <> '' AS has_id, workspace_id FROM pg_temp.told();
SELECT 'kepler_data.' || table_name AS things FROM kepler.entry_tables WHERE record_name = 'Feed Thing' \gset
SELECT kepler.track(:'things');
SELECT outcome FROM kepler.insert_entries('Feed Thing', '[{"entry_id": 5, "a": 1}]');
SELECT kepler.alter_entry_table('Feed Thing', '{"fields": [{"name": "a", "type": "bigint"}, {"name": "b", "type": "text"}]}', allow => '{rewrite}') > 1 AS altered;
SELECT outcome FROM kepler.upsert_entries('Feed Thing', '{entry_id}', '[{"entry_id": 5, "a": 1, "b": "x"}]');
SELECT operation, row_id, workspace_id FROM pg_temp.told() WHERE relation LIKE 'kepler_data%';

-- An administrator tracks the entry tables of its workspace, and changes no row of the list: those of Kepler's tables are of all.
CREATE ROLE feed_list_admin;
INSERT INTO kepler.workspaces (id, name) VALUES ('feed_list', 'List');
SELECT kepler.grant_access('feed_list_admin', 'admin', 'feed_list');
SET LOCAL kepler.workspace_id = 'feed_list';
SELECT count(*) FROM kepler.create_entry_table('Listed', '{"fields": [{"name": "a", "type": "integer"}]}');
SELECT 'kepler_data.' || table_name AS things FROM kepler.entry_tables WHERE record_name = 'Listed' \gset
SET LOCAL ROLE feed_list_admin;
SELECT kepler.track(:'things'), kepler.untrack(:'things'), kepler.track(:'things', 'history') AS history;
SELECT count(*) > 1 AS seen FROM kepler.tracked_tables;
SELECT count(*) AS locked FROM (SELECT FROM kepler.tracked_tables FOR UPDATE) AS t;
WITH changed AS (UPDATE kepler.tracked_tables SET untracked_at = now() RETURNING id) SELECT count(*) AS changed FROM changed;
RESET ROLE;
CREATE FUNCTION pg_temp.to_admin(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE feed_list_admin;
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
SELECT c.call, pg_temp.to_admin(c.call) FROM (VALUES ('DELETE FROM kepler.tracked_tables'),
    ('UPDATE kepler.tracked_tables SET level = DEFAULT'), ('UPDATE kepler.tracked_tables SET workspace_id = kepler.current_workspace_id()'),
    ($$INSERT INTO kepler.tracked_tables (name) VALUES ('x')$$), ($$SELECT kepler.track('kepler.records')$$),
    ($$SELECT kepler.untrack('kepler.records')$$)) AS c (call);
RESET ROLE;
-- The owner's own mistake: deletions cannot be told, and track makes the row and the triggers anew.
DELETE FROM kepler.tracked_tables WHERE name = 'kepler.enrichment_attempts';
INSERT INTO kepler.records (id, entity_type, data) VALUES ('r', 't', '{}');
INSERT INTO kepler.enrichment_attempts (record_id, lease_id, attempt, outcome) VALUES ('r', 1, 1, 'failed');
SELECT pg_temp.refused('DELETE FROM kepler.enrichment_attempts');
SELECT kepler.track('kepler.enrichment_attempts', 'deletions');
SELECT pg_temp.refused('DELETE FROM kepler.enrichment_attempts');
ROLLBACK;
