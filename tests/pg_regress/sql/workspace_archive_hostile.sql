-- Archives that somebody has written or changed, sealed again: what they cannot do to a database and to its other workspaces.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT last_value AS numbers, is_called AS given FROM kepler.entry_table_numbers \gset
SELECT setval('kepler.entry_table_numbers', 200000);
SELECT kepler.create_workspace('source');
SET kepler.workspace_id = 'source';
INSERT INTO kepler.users (id, email) VALUES ('ann', 'ann@example.com'), ('bob', 'bob@example.com');
SELECT outcome FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {"n": 1}}]');
SELECT kepler.create_entry_table('Part', '{"fields": [{"name": "price", "type": "decimal"}, {"name": "old", "type": "integer"}]}') IS NOT NULL AS made;
SELECT outcome FROM kepler.insert_entries('Part', '[{"price": 1.50, "old": 3}]');
SELECT kepler.alter_entry_table('Part', '{"fields": [{"name": "price", "type": "decimal"}]}') IS NOT NULL AS altered;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "hostile_shop", "tenancy": {"field": "tenant"}, "tables": [
    {"name": "Row", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}]}]}');
SELECT format('%I.%I', schema_name, table_name) AS shared FROM kepler.blueprint_tables WHERE blueprint_name = 'hostile_shop' \gset
INSERT INTO :shared (id, tenant) VALUES (7, 'source');
-- What is tracked is this database's decision, and does not stand in the way.
SELECT format('kepler_data.%I', table_name) AS part FROM kepler.entry_tables WHERE workspace_id = 'source' \gset
SELECT kepler.track(:'part') IS NOT NULL AS tracked;
-- A secret from before anybody looked.
SET kepler.on_secret = 'allow';
SELECT kepler.remember('the key is AKIAQ3EGRZ5TVH2NX7WK', user_id => 'ann') IS NOT NULL AS remembered;
RESET kepler.on_secret;
RESET kepler.workspace_id;

CREATE TABLE good (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO good (line) SELECT kepler.export_workspace('source');
SELECT count(*) AS tracked FROM good WHERE line LIKE '{"table":"kepler.tracked%';
DELETE FROM :shared;
SELECT relation FROM kepler.import_workspace('good', 'copy') WHERE relation::text LIKE 'kepler.%' ORDER BY relation::text COLLATE "C";
SELECT content FROM kepler.memories WHERE workspace_id = 'copy';
SELECT kepler.track(format('kepler_data.%I', table_name)) IS NOT NULL AS tracked FROM kepler.entry_tables WHERE workspace_id = 'copy';
CALL kepler.delete_workspace('copy', with_rows => true);
SELECT count(*) FROM kepler.tracked_tables WHERE workspace_id = 'copy';

-- The archive with one line changed, or one more behind the head, and sealed.
CREATE TABLE bad (number bigint PRIMARY KEY, line text);
CREATE FUNCTION pg_temp.try(like_line text, old text, new text, more text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE bad;
    INSERT INTO bad SELECT g.number * 10, CASE WHEN g.line LIKE like_line THEN replace(g.line, old, new) ELSE g.line END
    FROM good AS g WHERE g.line NOT LIKE '{"end"%';
    IF more IS NULL AND NOT EXISTS (SELECT b.number, b.line FROM bad AS b EXCEPT SELECT g.number * 10, g.line FROM good AS g) THEN
        RAISE EXCEPTION 'nothing was changed';
    END IF;
    INSERT INTO bad SELECT min(b.number) + 1, more FROM bad AS b WHERE more IS NOT NULL HAVING more IS NOT NULL;
    INSERT INTO bad SELECT 100000, format('{"end":{"lines":%s,"checksum":%s}}', count(*),
        sum(kepler_internal.line_checksum(b.line)) % (1::bigint << 48)) FROM bad AS b;
    PERFORM kepler.import_workspace('bad', 'copy');
END
$$;

-- A line that says one blueprint and means another changes neither it nor anything else.
SELECT pg_temp.try('', '', '', '{"blueprint":{"name":"nope","is_own":false,"version":1,"document":"{\"blueprint\":\"hostile_shop\",\"tenancy\":{\"field\":\"tenant\"},\"tables\":[]}"}}');
-- A blueprint that is said to be the workspace's own, and is everybody's; and the other way round.
SELECT pg_temp.try('', '', '', '{"blueprint":{"name":"wide","is_own":true,"version":1,"document":"{\"blueprint\":\"wide\",\"tables\":[]}"}}');
SELECT pg_temp.try('', '', '', '{"blueprint":{"name":"wide","is_own":false,"version":1,"document":"{\"blueprint\":\"wide\",\"tables\":[]}"}}');
SELECT pg_temp.try('', '', '', '{"blueprint":{"name":"hostile_shop","is_own":true,"version":1,"document":"{\"blueprint\":\"hostile_shop\",\"tenancy\":\"workspace\",\"tables\":[]}"}}');
SELECT name, workspace_id, version FROM kepler.blueprints WHERE name IN ('hostile_shop', 'wide', 'nope');

-- Numbers that would leave none for others; and nothing was taken.
SELECT pg_temp.try('{"table":"blueprint:%', '"id" : 7', '"id":9223372036854775000');
SELECT pg_temp.try('{"table":"blueprint:%', '"id" : 7', '"id":"0x7FFFFFFFFFFFFFFF"');
INSERT INTO :shared (tenant) VALUES ('beside') RETURNING id < 100000 AS has_numbers_left;
DELETE FROM :shared;

-- Hidden columns are called so, and have types of fields.
SELECT pg_temp.try('{"entry_table"%', '"type": "integer"', '"type": "kepler.users"');
SELECT pg_temp.try('{"entry_table"%', '"type": "integer"', '"type": "regclass"');
SELECT pg_temp.try('{"entry_table"%', '_hidden_1_old', 'workspace_id');

-- What a line does not say right is told with its number and place.
SELECT pg_temp.try('{"entry_table"%', '"hidden_fields": [', '"hidden_fields": [5, ');
SELECT pg_temp.try('{"entry_table"%', '"structures": [', '"structures": [null, ');
SELECT pg_temp.try('{"entry_table"%', '"record_name": "Part", ', '"record_name": "Part", "owner": "me", ');
SELECT pg_temp.try('{"entry_table"%', '"record_name": "Part"', '"record_name": "P!"');
SELECT pg_temp.try('%kepler_archive%', '"kepler_archive": 1', '"kepler_archive": 1, "more": 1');
SELECT pg_temp.try('', '', '', 'not json');
SELECT pg_temp.try('', '', '', '{"secret_table":{}}');
SELECT pg_temp.try('', '', '', '{"embedding_space":{"name":"n","model":"m","dimensions":2,"metric":"none","status":"READY"}}');

-- Members of a row that are no columns, or are there twice.
SELECT pg_temp.try('{"table":"kepler.users"%"ann"%', '"id"', '"is_admin":true,"id"');
SELECT pg_temp.try('{"table":"kepler.users"%"ann"%', '"id"', '"id":"eve","id"');
SELECT pg_temp.try('{"table":"kepler.users"%"ann"%', '}}', '},"more":{}}');
-- Rows of a table that the head does not count.
SELECT pg_temp.try('%kepler_archive%', '{"rows": 2, "table": "kepler.users"', '{"rows": 1, "table": "kepler.users"');
SELECT count(*) FROM kepler.workspaces WHERE id = 'copy';

-- A workspace on its way out has no archive.
UPDATE kepler.workspaces SET deleting_at = clock_timestamp() WHERE id = 'source';
SELECT kepler.export_workspace('source');
CALL kepler.delete_workspace('source', with_rows => true);
SELECT outcome FROM kepler.drop_blueprint('hostile_shop');
DROP TABLE good, bad;
SELECT setval('kepler.entry_table_numbers', :numbers, :'given') > 0 AS set_back;
