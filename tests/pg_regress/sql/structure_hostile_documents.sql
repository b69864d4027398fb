-- Documents made to break things: names that are SQL, names that are too long, texts that try to end their
-- literal, sizes and depths without end, references in circles.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
CREATE TABLE victim (id integer);
INSERT INTO victim VALUES (1);

-- A field's name never is SQL: it is refused, not altered, cut or quoted away.
SELECT kepler.create_entry_table('Names', json_build_object('fields', (
    SELECT json_agg(json_build_object('name', name, 'type', 'text'))
    FROM unnest(ARRAY['select', 'user', 'primary', 'xmin', 'tableoid', '_hidden_1_a', '1st', 'a b', 'ünïcode', 'ınt',
        'ａ', 'A', 'x"; DROP TABLE victim; --', 'x''', repeat('n', 49), '', E'a\u200Bb', E'tab\t', 'entry_id', 'created_at'])
        AS n (name))));
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Names that Kepler's own SQL uses are as good as any others.
SELECT kepler.create_entry_table('Own', json_build_object('fields', (
    SELECT json_agg(json_build_object('name', name, 'type', 'integer', 'unique', true, 'min', 0))
    FROM unnest(ARRAY['old', 'new', 'key', 't', 'd', 'o', 'same', 'found', 'rows', 'keys', 'excluded', 'value', 'name', 'kepler_data']) AS n (name))));
INSERT INTO kepler_data.own_1_entries (old, new, key, t, d, o, same, found) SELECT i, i, i, i, i, i, i, i FROM generate_series(1, 2) AS i;
UPDATE kepler_data.own_1_entries SET old = 3 WHERE entry_id = 1 RETURNING old, updated_at > created_at AS updated;
-- Changes that look at the entries find them.
SELECT kepler.alter_entry_table('Own', json_build_object('fields', (
    SELECT json_agg(json_build_object('name', name, 'type', 'integer', 'min', 3))
    FROM unnest(ARRAY['old', 'new', 'key', 't', 'd', 'o', 'same', 'found', 'rows', 'keys', 'excluded', 'value', 'name', 'kepler_data']) AS n (name))));
ALTER TABLE kepler_data.own_1_entries DROP CONSTRAINT own_1_entries_old_key, DROP CONSTRAINT own_1_entries_same_key, DROP CONSTRAINT own_1_entries_key_key, DROP CONSTRAINT own_1_entries_d_key;
UPDATE kepler_data.own_1_entries SET old = 3, same = 1, key = 1, d = 1;
SELECT kepler.alter_entry_table('Own', json_build_object('unique', '[["key", "d"], ["same", "old"]]'::json, 'fields', (
    SELECT json_agg(json_build_object('name', name, 'type', 'integer'))
    FROM unnest(ARRAY['old', 'new', 'key', 't', 'd', 'o', 'same', 'found', 'rows', 'keys', 'excluded', 'value', 'name', 'kepler_data']) AS n (name))));
SELECT kepler.drop_entry_table('Own') IS NOT NULL AS dropped;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;

-- Postgres would cut a name at 63 bytes, and two long names would become one. Here the longest field is 48 bytes,
-- and what is made of it is shortened with a hash: the constraints are all there.
SELECT kepler.create_entry_table('Long Names', json_build_object('fields', (
    SELECT json_agg(json_build_object('name', repeat('n', 46) || '_' || i, 'type', 'integer', 'unique', true, 'min', 0, 'index', true))
    FROM generate_series(1, 3) AS i)));
SELECT conname, octet_length(conname) AS bytes, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = 'kepler_data.long_names_1_entries'::regclass AND contype IN ('u', 'c') ORDER BY contype, conkey;
SELECT i.indexrelid::regclass::text AS index FROM pg_index AS i
WHERE i.indrelid = 'kepler_data.long_names_1_entries'::regclass ORDER BY i.indexrelid;
-- A record name may be as long as 128 bytes, and in any script. The name of its table is stored, not guessed.
SELECT kepler.create_entry_table(repeat('Very Long ', 12) || 'Name', '{"fields": [{"name": "a", "type": "text", "unique": true}]}');
SELECT kepler.create_entry_table('訂單', '{"fields": []}');
SELECT kepler.create_entry_table('2024: "Straße"; DROP TABLE victim', '{"fields": []}');
SELECT kepler.create_entry_table('select', '{"fields": []}');
SELECT record_name, table_name, octet_length(table_name) AS bytes, to_regclass('kepler_data.' || quote_ident(table_name)) IS NOT NULL AS there
FROM kepler.entry_tables ORDER BY number;

-- Texts that end their literal, in every place that takes one.
\set evil '''; DROP TABLE victim; -- \\\\'' $$ $1 %s "x" \\n ]] ?'
SELECT kepler.create_entry_table($$it's; DROP TABLE victim; -- \' " $1 %s$$, jsonb_build_object(
    'label', evil, 'description', evil,
    'fields', jsonb_build_array(
        jsonb_build_object('name', 'a', 'type', 'text', 'label', evil, 'description', evil, 'default', evil),
        jsonb_build_object('name', 'b', 'type', 'enum', 'values', jsonb_build_array(evil, 'fine', '', '\', ''''), 'default', evil),
        jsonb_build_object('name', 'c', 'type', 'text', 'list', true, 'default', jsonb_build_array(evil, '{"}', '\', 'NULL', '')),
        jsonb_build_object('name', 'd', 'type', 'json', 'default', jsonb_build_object(evil, evil)),
        jsonb_build_object('name', 'e', 'type', 'enum', 'list', true, 'values', jsonb_build_array(evil, 'fine'), 'default', jsonb_build_array(evil))),
    'checks', jsonb_build_array(jsonb_build_object('field', 'a', 'op', '<>', 'value', evil || '!'))))
    AS evil_table
FROM (SELECT :'evil') AS e (evil) \gset
INSERT INTO :evil_table DEFAULT VALUES;
SELECT a = :'evil' AS a, b = :'evil' AS b, c = ARRAY[:'evil', '{"}', '\', 'NULL', ''] AS c, d = jsonb_build_object(:'evil', :'evil') AS d,
    e = ARRAY[:'evil'] AS e, obj_description(:'evil_table'::regclass) = :'evil' AS table_comment,
    col_description(:'evil_table'::regclass, 2) = :'evil' AS column_comment
FROM :evil_table;
\set VERBOSITY terse
INSERT INTO :evil_table (a) VALUES (:'evil' || '!');
INSERT INTO :evil_table (b) VALUES ('other');
\set VERBOSITY default
-- They come back as they went in, and altering to the same document does nothing.
SELECT s.structure #>> '{fields,0,default}' = :'evil' AS stored, kepler.alter_entry_table(t.record_name, s.structure) AS version,
    kepler.alter_entry_table(t.record_name, kepler.entry_json_schema(t.record_name)) AS through_json_schema
FROM kepler.entry_tables AS t JOIN kepler.structures AS s ON s.entry_table_id = t.id
WHERE t.record_name LIKE 'it''s%';
-- As changes: the same texts through COMMENT, SET DEFAULT and ADD CONSTRAINT.
SELECT kepler.create_entry_table('Changed', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "enum", "values": ["x"]}]}');
SELECT kepler.alter_entry_table('Changed', jsonb_build_object('description', evil, 'fields', jsonb_build_array(
        jsonb_build_object('name', 'a', 'type', 'text', 'description', evil, 'default', evil),
        jsonb_build_object('name', 'b', 'type', 'enum', 'values', jsonb_build_array(evil, 'x')))))
FROM (SELECT :'evil') AS e (evil);
SELECT * FROM victim;

-- Backslashes mean the same whatever the session thinks of them.
SET LOCAL standard_conforming_strings = off;
SET LOCAL escape_string_warning = off;
SELECT kepler.create_entry_table('Backslashes', E'{"fields": [{"name": "a", "type": "enum", "values": ["\\\\\\\\", "x\\\\''y"], "default": "\\\\\\\\"}]}');
SELECT pg_get_expr(adbin, adrelid) AS default FROM pg_attrdef WHERE adrelid = 'kepler_data.backslashes_8_entries'::regclass AND adnum = 2;
SET LOCAL standard_conforming_strings = on;

-- What jsonb cannot hold, a key given twice, a number too large, and no UTF-8 at all.
SELECT kepler.create_entry_table('Texts', '{"fields": [{"name": "a", "type": "text", "label": "a\u0000b"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Texts', '{"fields": [{"name": "a", "type": "text", "label": "\ud800"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Texts', '{"fields": [], "fields": [{"name": "a", "type": "text"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Texts', '{"fields": [{"name": "a", "type": "text", "type": "integer"}]}'::json);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Texts', '{"fields": [{"name": "a", "type": "decimal", "default": 1e1000000}, {"name": "b", "type": "float", "max": 1e999},
    {"name": "c", "type": "integer", "min": -2147483649}, {"name": "d", "type": "text", "max_length": 10485761}, {"name": "e", "type": "decimal", "precision": 1001}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Without end: 5,000 fields, 100,000 levels, 2,000 values, a megabyte of text.
SELECT kepler.create_entry_table('Large', json_build_object('fields', (SELECT json_agg(json_build_object('name', 'f' || i, 'type', 'text')) FROM generate_series(1, 5000) AS i)));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Deep', '{"fields": ' || repeat('[', 100000) || repeat(']', 100000) || '}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Deep', '{"fields": [{"name": "a", "type": "json", "default": ' || repeat('{"a":', 100000) || '1' || repeat('}', 100000) || '}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Values', json_build_object('fields', json_build_array(json_build_object('name', 'a', 'type', 'enum', 'values', (SELECT json_agg(i::text) FROM generate_series(1, 2000) AS i)))));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Text', json_build_object('description', repeat('x', 1000000), 'fields', '[]'::json)) IS NOT NULL AS created;
-- 2,400 problems: as many as anybody reads are shown.
DO $$
DECLARE
    details text;
BEGIN
    PERFORM kepler.create_entry_table('Problems', json_build_object('fields', (SELECT json_agg(json_build_object('name', 'F', 'type', 'text')) FROM generate_series(1, 1200) AS i)));
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS details = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '%: % lines, the last: %', SQLERRM, regexp_count(details, E'\n') + 1, regexp_substr(details, '[^\n]+$');
END
$$;

-- A table of 1,200 fields is really made, and takes entries.
SELECT kepler.create_entry_table('Wide', json_build_object('fields', (SELECT json_agg(json_build_object('name', 'f' || i, 'type', 'integer')) FROM generate_series(1, 1200) AS i))) AS wide \gset
INSERT INTO :wide (f1, f1200) VALUES (1, 1200);
INSERT INTO :wide
SELECT e.* FROM (
    SELECT jsonb_object_agg('f' || i, i) || '{"entry_id": 2, "created_at": "2024-08-14", "updated_at": "2024-08-14"}' AS entry
    FROM generate_series(1, 1200) AS i) AS s, jsonb_populate_record(NULL:::wide, entry) AS e;
SELECT entry_id, f1, f600, f1200 FROM :wide;
SELECT count(*) AS columns FROM pg_attribute WHERE attrelid = :'wide'::regclass AND attnum > 0;

-- References in circles. A table may refer to itself from the start.
SELECT kepler.create_entry_table('Egg', '{"fields": [{"name": "sibling", "type": "reference", "to": "Egg"}]}') AS egg \gset
SELECT kepler.create_entry_table('Hen', '{"fields": [{"name": "hatched_from", "type": "reference", "to": "Egg"}]}') AS hen \gset
SELECT kepler.alter_entry_table('Egg', '{"fields": [{"name": "sibling", "type": "reference", "to": "Egg"}, {"name": "laid_by", "type": "reference", "to": "Hen"}]}');
INSERT INTO :egg (sibling) VALUES (1), (1);
INSERT INTO :hen (hatched_from) VALUES (1);
UPDATE :egg SET laid_by = 1;
INSERT INTO :egg (laid_by) VALUES (2);
SELECT kepler.drop_entry_table('Hen');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Egg', '{"fields": [{"name": "sibling", "type": "reference", "to": "Egg"}]}');
SELECT kepler.drop_entry_table('Hen') IS NOT NULL AS dropped;
SELECT kepler.drop_entry_table('Egg') IS NOT NULL AS dropped;
SELECT * FROM victim;
ROLLBACK;
