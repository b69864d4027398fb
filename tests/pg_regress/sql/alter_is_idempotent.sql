-- The same document again does nothing: no step, no version. What is stored is compared with what the catalog says, not
-- with text, which Postgres rewrites: plans of peers never came to rest.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Target', '{"key": {"name": "id", "type": "uuid"}, "fields": []}');
-- All types, and rules that Postgres prints in another way than they were written.
\set document '{"label": "All", "description": "Every type", "key": {"name": "all_id", "type": "cuid"}, "fields": [{"name": "a_text", "type": "text", "default": "it''s", "min_length": 1, "unique": true, "case_insensitive": true}, {"name": "b_short", "type": "text", "max_length": 10, "required": true, "default": "x"}, {"name": "c_integer", "type": "integer", "min": -5, "max": 5, "default": -1}, {"name": "d_bigint", "type": "bigint", "max": 9223372036854775807, "default": 5000000000}, {"name": "e_decimal", "type": "decimal", "precision": 20, "scale": 5, "min": -0.5, "default": 1.50}, {"name": "f_numeric", "type": "decimal", "max": 1e20, "default": 1e3}, {"name": "g_float", "type": "float", "min": -1.5e-10, "max": 1e300, "default": 0.1}, {"name": "h_boolean", "type": "boolean", "default": false}, {"name": "i_date", "type": "date", "min": "2000-01-01", "default": "now"}, {"name": "j_time", "type": "time", "max": "23:59:59.5", "default": "12:00"}, {"name": "k_timestamp", "type": "timestamp", "min": "2000-01-01T00:00:00+02:00", "default": "now"}, {"name": "l_uuid", "type": "uuid", "default": "uuid"}, {"name": "m_json", "type": "json", "default": {"b": 1.0, "a": [null, "x"]}, "index": true}, {"name": "n_bytes", "type": "bytes"}, {"name": "o_enum", "type": "enum", "values": ["in stock", "it''s gone", "\\\\"], "default": "in stock"}, {"name": "p_reference", "type": "reference", "to": "Target", "on_delete": "cascade"}, {"name": "q_self", "type": "reference", "to": "All", "on_delete": "set_null", "index": false}, {"name": "r_vector", "type": "vector", "dimensions": 3, "index": {"method": "hnsw", "metric": "l2"}}, {"name": "s_texts", "type": "text", "list": true, "default": ["a", "b,c", "\\"{}\\""], "index": true}, {"name": "t_numbers", "type": "integer", "list": true, "default": [1, 2]}, {"name": "u_enums", "type": "enum", "list": true, "values": ["a", "b"]}, {"name": "v_cuid", "type": "text", "default": "cuid"}, {"name": "w_short_uuid", "type": "text", "max_length": 40, "default": "uuid"}], "unique": [["c_integer", "b_short"], ["a_text", "i_date"]], "indexes": [{"fields": ["created_at", {"name": "c_integer", "direction": "desc"}]}], "checks": [{"field": "c_integer", "op": "<", "other_field": "d_bigint"}, {"field": "o_enum", "op": "<>", "value": "in stock"}, {"field": "h_boolean", "op": "=", "value": true}, {"field": "b_short", "op": "<>", "other_field": "a_text"}, {"field": "created_at", "op": "<=", "other_field": "updated_at"}]}'
SELECT kepler.create_entry_table('All', :'document') AS entries \gset
SELECT * FROM kepler.plan_entry_table('All', :'document');
SELECT kepler.alter_entry_table('All', :'document');
-- Neither do the stored version, the JSON Schema made of it, and the structure read from the catalog.
SELECT kepler.alter_entry_table('All', structure) AS stored FROM kepler.structures WHERE structure ->> 'name' = 'All';
SELECT kepler.alter_entry_table('All', kepler.entry_json_schema('All')) AS json_schema;
SELECT count(*) AS steps FROM kepler.plan_entry_table('All', kepler.structure_of(:'entries'));
SELECT key FROM (SELECT (jsonb_each(structure)).* FROM kepler.structures WHERE structure ->> 'name' = 'All'
    EXCEPT SELECT * FROM jsonb_each(kepler.structure_of(:'entries'))) AS only_in_the_document;
-- Nor does the session's taste: settings that change how Postgres prints values.
SET LOCAL datestyle = 'German, DMY'; SET LOCAL intervalstyle = 'sql_standard'; SET LOCAL timezone = 'Asia/Kathmandu';
SET LOCAL extra_float_digits = -5; SET LOCAL bytea_output = 'escape'; SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = on; SET LOCAL standard_conforming_strings = off; SET LOCAL escape_string_warning = off;
SELECT * FROM kepler.plan_entry_table('All', (SELECT structure FROM kepler.structures WHERE structure ->> 'name' = 'All'));
RESET datestyle; RESET intervalstyle; RESET timezone; RESET extra_float_digits; RESET bytea_output; RESET search_path;
RESET quote_all_identifiers; RESET standard_conforming_strings; RESET escape_string_warning;

-- The same meaning in other words is the same structure.
SELECT kepler.create_entry_table('Words', '{"fields": [{"name": "a", "type": "integer", "min": 1, "unique": true, "index": true}, {"name": "b", "type": "decimal", "default": 1.0}]}');
SELECT kepler.alter_entry_table('Words', '{"name": "Words", "key": {}, "fields": [{"type": "integer", "name": "a", "required": false}, {"type": "decimal", "name": "b", "default": 1e0}],
    "unique": [["a"]], "checks": [{"value": 1, "field": "a", "op": ">="}], "indexes": [{"fields": ["a"], "method": "btree"}]}');

-- Labels live in the document alone: another label is a version, without a step.
SELECT * FROM kepler.plan_entry_table('Words', '{"label": "Wörter", "fields": [{"name": "a", "label": "A", "type": "integer", "min": 1, "unique": true, "index": true}, {"name": "b", "type": "decimal", "default": 1}]}');
SELECT kepler.alter_entry_table('Words', '{"label": "Wörter", "fields": [{"name": "a", "label": "A", "type": "integer", "min": 1, "unique": true, "index": true}, {"name": "b", "type": "decimal", "default": 1}]}');
SELECT s.version, s.structure ->> 'label' AS label, jsonb_path_query_array(s.plan, '$[*].operation') AS operations FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Words' ORDER BY 1;
-- The order of fields and values is the document's too: no step, and a version.
SELECT kepler.alter_entry_table('Words', '{"label": "Wörter", "fields": [{"name": "b", "type": "decimal", "default": 1}, {"name": "a", "label": "A", "type": "integer", "min": 1, "unique": true, "index": true}]}');
-- An option that nothing needs is checked all the same.
SELECT kepler.alter_entry_table('Words', structure, options => '{"version": 2}') FROM kepler.structures WHERE version = 3;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Words', structure, options => '{"version": 3}') FROM kepler.structures WHERE version = 3;
ROLLBACK;
