-- Changes that cannot be done well are refused, all at once, with what to do instead. What would only be found out at an
-- insert is found in the plan: tables frozen at 1,600 columns, rows over the size of a page, values too long for an index.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Document', '{"fields": [
    {"name": "embedding", "type": "vector", "dimensions": 3}, {"name": "data", "type": "json"}, {"name": "file", "type": "bytes"},
    {"name": "tags", "type": "text", "list": true}, {"name": "flag", "type": "boolean"}]}');

-- Vectors of other dimensions, another type of key, and types that do not become one another.
SELECT kepler.alter_entry_table('Document', '{"key": {"type": "uuid"}, "fields": [
    {"name": "embedding", "type": "vector", "dimensions": 4}, {"name": "data", "type": "text"}, {"name": "file", "type": "text"},
    {"name": "tags", "type": "text"}, {"name": "flag", "type": "date"}, {"name": "title", "type": "text", "renamed_from": "headline"}]}',
    allow => '{rewrite,convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- The plan shows them beside what could be done.
SELECT step, operation, object, class, statement, hazards FROM kepler.plan_entry_table('Document', '{"fields": [
    {"name": "embedding", "type": "vector", "dimensions": 4}, {"name": "data", "type": "json"}, {"name": "file", "type": "bytes"},
    {"name": "tags", "type": "text", "list": true}, {"name": "flag", "type": "boolean"}, {"name": "extra", "type": "text"}]}');

-- Rows over the size of a page: required fields that never fit are refused, fields that may not fit are a hazard.
CREATE FUNCTION pg_temp.wide(fields integer, required boolean) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('fields', jsonb_agg(jsonb_build_object('name', 'u' || i, 'type', 'uuid', 'required', required)))
    FROM generate_series(1, fields) AS i
$$;
SELECT kepler.create_entry_table('Wide', pg_temp.wide(600, true));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT operation, class, hazards FROM kepler.plan_entry_table('Wide', pg_temp.wide(600, false)) WHERE hazards <> '{}';
SELECT kepler.create_entry_table('Wide', pg_temp.wide(500, false)) AS wide \gset
SELECT count(*), class, hazards FROM kepler.plan_entry_table('Wide', pg_temp.wide(600, false)) GROUP BY class, hazards;
SELECT DISTINCT operation, class, hazards FROM kepler.plan_entry_table('Wide', pg_temp.wide(600, true)) WHERE hazards <> '{}' AND class = 'refused';
-- What the plan says of 500 such fields is true: they fit.
INSERT INTO :wide SELECT e.* FROM (
    SELECT jsonb_object_agg('u' || i, gen_random_uuid()) || '{"entry_id": 1, "created_at": "2024-08-14", "updated_at": "2024-08-14"}' AS entry
    FROM generate_series(1, 500) AS i) AS s, jsonb_populate_record(NULL:::wide, entry) AS e;

-- Values that may be too long for an index: said before.
SELECT operation, object, hazards FROM kepler.plan_entry_table('Long', '{"fields": [{"name": "a", "type": "text", "unique": true},
    {"name": "b", "type": "text", "max_length": 600, "unique": true}, {"name": "c", "type": "text", "index": true},
    {"name": "d", "type": "text", "max_length": 700, "index": true}]}') WHERE hazards <> '{}';

-- A table has 1,600 column numbers in its life. Adding, hiding and purging fields uses them up: from 1,200 on the plan
-- warns, beyond 1,500 it refuses, and the table never freezes.
SELECT kepler.create_entry_table('Old', '{"fields": [{"name": "a", "type": "text"}]}') AS old_table \gset
DO $$
DECLARE
    fields constant jsonb := (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 390) AS i);
BEGIN
    FOR round IN 1 .. 3 LOOP
        PERFORM kepler.alter_entry_table('Old', jsonb_build_object('fields', '[{"name": "a", "type": "text"}]' || fields));
        PERFORM kepler.alter_entry_table('Old', '{"fields": [{"name": "a", "type": "text"}]}');
        PERFORM kepler.purge_field('Old', h.field_name) FROM kepler.hidden_fields AS h;
    END LOOP;
END
$$;
SELECT relnatts AS column_numbers, (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
FROM pg_class AS c WHERE oid = :'old_table'::regclass;
SELECT operation, class, hazards FROM kepler.plan_entry_table('Old', jsonb_build_object('fields', '[{"name": "a", "type": "text"}]' ||
    (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 26) AS i))) LIMIT 1;
SELECT kepler.alter_entry_table('Old', jsonb_build_object('fields', '[{"name": "a", "type": "text"}]' ||
    (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 326) AS i)));
SELECT kepler.alter_entry_table('Old', jsonb_build_object('fields', '[{"name": "a", "type": "text"}]' ||
    (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 327) AS i)));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Old', jsonb_build_object('fields', '[{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]' ||
    (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 326) AS i)));
SELECT relnatts AS column_numbers FROM pg_class WHERE oid = :'old_table'::regclass;
-- A rename uses no number, and goes on working.
SELECT kepler.alter_entry_table('Old', jsonb_build_object('fields', '[{"name": "b", "type": "text", "renamed_from": "a"}]' ||
    (SELECT jsonb_agg(jsonb_build_object('name', 'f' || i, 'type', 'boolean')) FROM generate_series(1, 326) AS i)));
INSERT INTO :old_table (b) VALUES ('still works') RETURNING b;
ROLLBACK;
