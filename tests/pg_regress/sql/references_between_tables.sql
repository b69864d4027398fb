-- References are foreign keys: to the key of another entry table of the workspace or of the same table, of any type of
-- key, with an index that makes deletes at the other end quick.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('By Number', '{"fields": []}');
SELECT kepler.create_entry_table('By UUID', '{"key": {"name": "id", "type": "uuid"}, "fields": []}');
SELECT kepler.create_entry_table('By CUID', '{"key": {"name": "cuid_key", "type": "cuid"}, "fields": []}');
SELECT kepler.create_entry_table('Referring', '{"fields": [
    {"name": "a", "type": "reference", "to": "By Number", "required": true}, {"name": "b", "type": "reference", "to": "By UUID", "on_delete": "cascade"},
    {"name": "c", "type": "reference", "to": "By CUID", "on_delete": "set_null", "index": false}, {"name": "parent", "type": "reference", "to": "Referring"}],
    "unique": [["b", "a"]]}');
SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'kepler_data.referring_4_entries'::regclass AND attnum BETWEEN 2 AND 5 ORDER BY attnum;
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.referring_4_entries'::regclass AND contype = 'f' ORDER BY conkey;
-- b is led by the unique set, c was refused an index.
SELECT indexrelid::regclass AS index FROM pg_index WHERE indrelid = 'kepler_data.referring_4_entries'::regclass ORDER BY indexrelid::regclass::text;
INSERT INTO kepler_data.by_number_1_entries DEFAULT VALUES;
INSERT INTO kepler_data.by_uuid_2_entries (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO kepler_data.by_cuid_3_entries (cuid_key) VALUES ('k');
INSERT INTO kepler_data.referring_4_entries (a, b, c, parent) VALUES (1, '00000000-0000-4000-8000-000000000001', 'k', 1), (1, NULL, 'k', NULL);
INSERT INTO kepler_data.referring_4_entries (a) VALUES (2);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- (How a refusal is called depends on the version of Postgres.)
DO $$
BEGIN
    DELETE FROM kepler_data.by_number_1_entries;
EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
    RAISE NOTICE 'refused';
END
$$;
DELETE FROM kepler_data.by_cuid_3_entries;
DELETE FROM kepler_data.by_uuid_2_entries;
SELECT a, b, c, parent FROM kepler_data.referring_4_entries;

-- Another action, another target, an index refused: changes of the rule alone. A target with another type of key is none.
\set changed '{"fields": [{"name": "a", "type": "reference", "to": "By Number", "on_delete": "cascade", "required": true}, {"name": "b", "type": "reference", "to": "By UUID", "on_delete": "cascade"}, {"name": "c", "type": "reference", "to": "By CUID", "on_delete": "set_null"}, {"name": "parent", "type": "reference", "to": "By Number", "index": false}]}'
SELECT operation, object, class, lock FROM kepler.plan_entry_table('Referring', :'changed');
SELECT kepler.alter_entry_table('Referring', :'changed');
SELECT * FROM kepler.plan_entry_table('Referring', :'changed');
SELECT kepler.alter_entry_table('Referring', replace(:'changed', '"name": "b", "type": "reference", "to": "By UUID"', '"name": "b", "type": "reference", "to": "By Number"'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A plain field becomes a reference and a reference a plain field, without a rewrite.
SELECT kepler.create_entry_table('Later', '{"fields": [{"name": "n", "type": "bigint"}, {"name": "u", "type": "uuid"}]}');
INSERT INTO kepler_data.later_5_entries (n) VALUES (1), (7);
SELECT operation, object, class, lock FROM kepler.plan_entry_table('Later', '{"fields": [{"name": "n", "type": "reference", "to": "By Number"}, {"name": "u", "type": "uuid"}]}');
SELECT kepler.alter_entry_table('Later', '{"fields": [{"name": "n", "type": "reference", "to": "By Number"}, {"name": "u", "type": "uuid"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM kepler_data.later_5_entries WHERE n = 7;
SELECT kepler.alter_entry_table('Later', '{"fields": [{"name": "n", "type": "reference", "to": "By Number"}, {"name": "u", "type": "uuid"}]}');
SELECT kepler.alter_entry_table('Later', '{"fields": [{"name": "n", "type": "bigint"}, {"name": "u", "type": "uuid"}]}');
SELECT count(*) AS references FROM pg_constraint WHERE conrelid = 'kepler_data.later_5_entries'::regclass AND contype = 'f';

-- The type of a key that others refer to does not change, and neither does a key become optional or go.
SELECT kepler.alter_entry_table('By Number', '{"key": {"type": "uuid"}, "fields": []}', allow => '{rewrite,convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Many references to one table.
SELECT kepler.create_entry_table('Many', json_build_object('fields', (SELECT json_agg(json_build_object('name', 'r' || i, 'type', 'reference', 'to', 'By Number')) FROM generate_series(1, 100) AS i)));
SELECT count(*) FROM pg_constraint WHERE conrelid = 'kepler_data.many_6_entries'::regclass AND contype = 'f' AND convalidated;
SELECT kepler.drop_entry_table('By Number');
ROLLBACK;
