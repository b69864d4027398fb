-- A field that a structure does not have any more is hidden, not dropped: its data waits under another name until it is
-- restored, with its rules, or purged. With peers a deleted field was gone for good.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
\set with_code '{"fields": [{"name": "title", "type": "text"}, {"name": "code", "label": "Code", "description": "Of the shelf", "type": "text", "max_length": 10, "min_length": 2, "required": true, "unique": true, "default": "none"}, {"name": "amount", "type": "integer", "min": 0}], "unique": [["title", "code"]], "checks": [{"field": "title", "op": "<>", "other_field": "code"}], "indexes": [{"fields": ["code", "amount"]}]}'
\set without_code '{"fields": [{"name": "title", "type": "text"}, {"name": "amount", "type": "integer", "min": 0}]}'
SELECT kepler.create_entry_table('Shelf', :'with_code');
INSERT INTO kepler_data.shelf_1_entries (title, code, amount) VALUES ('one', 'aa', 1), ('two', 'bb', 2);

-- Hidden: renamed out of the way, nullable, without its rules. Entries come and go without it.
SELECT operation, object, class, statement FROM kepler.plan_entry_table('Shelf', :'without_code');
SELECT kepler.alter_entry_table('Shelf', :'without_code');
INSERT INTO kepler_data.shelf_1_entries (title, amount) VALUES ('three', 3);
SELECT * FROM kepler_data.shelf_1_entries ORDER BY 1 \gdesc
SELECT field_name, column_name, version FROM kepler.hidden_fields;
-- It is not planned again, nor told as a difference.
SELECT * FROM kepler.plan_entry_table('Shelf', :'without_code');

-- Brought back: with its data; the entry made meanwhile has none, and the field was required.
SELECT kepler.restore_field('Shelf', 'code');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version FROM kepler.entry_tables;
UPDATE kepler_data.shelf_1_entries SET _hidden_1_code = 'aa' WHERE entry_id = 3;
SELECT kepler.restore_field('Shelf', 'code');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler_data.shelf_1_entries SET _hidden_1_code = 'cc' WHERE entry_id = 3;
SELECT kepler.restore_field('Shelf', 'code');
SELECT entry_id, title, code, amount FROM kepler_data.shelf_1_entries ORDER BY 1;
-- The rules are back, and so is the document.
INSERT INTO kepler_data.shelf_1_entries (title) VALUES ('four') RETURNING code;
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.shelf_1_entries'::regclass AND contype IN ('c', 'u') ORDER BY contype, conkey;
SELECT pg_get_indexdef(indexrelid) AS index FROM pg_index WHERE indrelid = 'kepler_data.shelf_1_entries'::regclass AND NOT indisunique;
SELECT attnotnull, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'kepler_data.shelf_1_entries'::regclass AND attname = 'code';
SELECT jsonb_pretty(s.structure) AS structure FROM kepler.structures AS s WHERE version = 3;
SELECT * FROM kepler.plan_entry_table('Shelf', :'with_code');
SELECT count(*) AS hidden FROM kepler.hidden_fields;

-- The name is free meanwhile, for a field of another type. Restoring asks for it back.
SELECT kepler.alter_entry_table('Shelf', :'without_code');
SELECT operation, object, hazards FROM kepler.plan_entry_table('Shelf', '{"fields": [{"name": "title", "type": "text"}, {"name": "amount", "type": "integer", "min": 0}, {"name": "code", "type": "integer"}]}');
SELECT kepler.alter_entry_table('Shelf', '{"fields": [{"name": "title", "type": "text"}, {"name": "amount", "type": "integer", "min": 0}, {"name": "code", "type": "integer"}]}');
UPDATE kepler_data.shelf_1_entries SET code = 100 + entry_id;
SELECT kepler.restore_field('Shelf', 'code');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- The same name hidden twice: both are kept, the one hidden last comes first.
SELECT kepler.alter_entry_table('Shelf', :'without_code');
SELECT field_name, column_name, version FROM kepler.hidden_fields ORDER BY id;
SELECT kepler.restore_field('Shelf', 'code');
SELECT entry_id, code FROM kepler_data.shelf_1_entries ORDER BY 1;
SELECT kepler.alter_entry_table('Shelf', '{"fields": [{"name": "title", "type": "text"}, {"name": "amount", "type": "integer", "min": 0}, {"name": "number", "type": "integer", "renamed_from": "code"}]}');
SELECT kepler.restore_field('Shelf', 'code');
SELECT entry_id, number, code FROM kepler_data.shelf_1_entries ORDER BY 1;

-- A rule over two hidden fields comes back with the second of them.
SELECT kepler.create_entry_table('Pair', '{"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}], "unique": [["a", "b"]]}');
SELECT kepler.alter_entry_table('Pair', '{"fields": []}');
SELECT kepler.restore_field('Pair', 'a');
SELECT kepler.restore_field('Pair', 'b');
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.pair_2_entries'::regclass AND contype = 'u';

-- What is in use is hidden first, and not purged. What was purged does not come back.
SELECT kepler.purge_field('Pair', 'b');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Pair', '{"fields": [{"name": "a", "type": "integer"}]}');
SELECT kepler.purge_field('Pair', 'b');
SELECT kepler.restore_field('Pair', 'b');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.purge_field('Pair', 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT attname FROM pg_attribute WHERE attrelid = 'kepler_data.pair_2_entries'::regclass AND attnum > 0 AND NOT attisdropped;
-- A hidden reference keeps nobody from deleting what it refers to; restored, it is validated anew.
SELECT kepler.create_entry_table('Target', '{"fields": []}');
SELECT kepler.create_entry_table('Source', '{"fields": [{"name": "target", "type": "reference", "to": "Target"}]}');
INSERT INTO kepler_data.target_3_entries DEFAULT VALUES;
INSERT INTO kepler_data.source_4_entries (target) VALUES (1);
SELECT kepler.alter_entry_table('Source', '{"fields": []}');
DELETE FROM kepler_data.target_3_entries;
SELECT kepler.restore_field('Source', 'target');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler_data.target_3_entries (entry_id) VALUES (1);
SELECT kepler.restore_field('Source', 'target');
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.source_4_entries'::regclass AND contype = 'f';
-- The table that it refers to is gone.
SELECT kepler.alter_entry_table('Source', '{"fields": []}');
SELECT kepler.drop_entry_table('Target') IS NOT NULL AS dropped;
SELECT kepler.restore_field('Source', 'target');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
