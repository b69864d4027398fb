-- A hidden field comes back without the rule that entries break by now, or under another name.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Item', '{"fields": [
  {"name": "code", "type": "text", "required": true, "unique": true, "min_length": 2, "description": "Its code"},
  {"name": "low", "type": "integer", "required": true, "default": 0}, {"name": "high", "type": "integer"}],
  "unique": [["low", "high"]], "indexes": [{"fields": ["code", "low"]}], "checks": [{"field": "low", "op": "<", "other_field": "high"}]}') AS item \gset
SELECT count(*) FROM kepler.insert_entries('Item', '[{"code": "aa", "high": 1}, {"code": "bb", "low": 2, "high": 3}]');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "high", "type": "integer"}]}');
SELECT count(*) FROM kepler.insert_entries('Item', '[{"high": 7}, {"high": 8}]');

-- Entries have been written since that have no value: the rule cannot come back, and the message says how the field can.
SAVEPOINT before;
SELECT kepler.restore_field('Item', 'code');
ROLLBACK TO before;
SELECT kepler.restore_field('Item', 'code', '{"required": false}');
SELECT f FROM kepler.structures, jsonb_array_elements(structure -> 'fields') AS f WHERE version = 3 AND f ->> 'name' = 'code';
SELECT code, high FROM :item ORDER BY entry_id;
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"code": "aa"}, {"code": "c"}, {"high": 9}]', 'skip');
-- With values it can be required again.
UPDATE :item SET code = 'x' || entry_id WHERE code IS NULL;
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "high", "type": "integer"}, {"name": "code", "type": "text", "required": true, "unique": true, "min_length": 2}]}');

-- The old name has been taken: under another one, with the rules that named it.
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "high", "type": "integer"}, {"name": "code", "type": "text", "unique": true}, {"name": "low", "type": "text"}]}');
UPDATE :item SET low = 'new';
SAVEPOINT before;
SELECT kepler.restore_field('Item', 'low');
ROLLBACK TO before;
SELECT kepler.restore_field('Item', 'low', '{"name": "code"}');
ROLLBACK TO before;
SELECT kepler.restore_field('Item', 'low', '{"name": "Low before"}');
ROLLBACK TO before;
SELECT kepler.restore_field('Item', 'low', '{"name": "oldLow", "column": "code", "required": false}');
ROLLBACK TO before;
SELECT kepler.restore_field('Item', 'low', '{"name": "oldLow", "column": "old_low", "required": false}');
SELECT jsonb_pretty(structure) FROM kepler.structures ORDER BY version DESC LIMIT 1;
SELECT high, low, old_low FROM :item ORDER BY entry_id;
SELECT conname FROM pg_constraint WHERE conrelid = :'item'::regclass AND contype <> 'n' ORDER BY conname COLLATE "C";
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"high": 1}, {"oldLow": 5, "high": 4}, {"oldLow": 4, "high": 5, "low": "z"}]', 'skip');
SELECT count(*) FROM kepler.hidden_fields;

-- Of two hidden under one name each comes back, the later one first; only the column can be another one too.
SELECT kepler.create_entry_table('Two', '{"fields": [{"name": "v", "type": "integer"}, {"name": "keep", "type": "text"}]}') AS two \gset
SELECT count(*) FROM kepler.insert_entries('Two', '[{"v": 1}]');
SELECT kepler.alter_entry_table('Two', '{"fields": [{"name": "keep", "type": "text"}]}');
SELECT kepler.alter_entry_table('Two', '{"fields": [{"name": "v", "type": "text"}, {"name": "keep", "type": "text"}]}');
UPDATE :two SET v = 'two';
SELECT kepler.alter_entry_table('Two', '{"fields": [{"name": "keep", "type": "text"}]}');
SELECT kepler.restore_field('Two', 'v', '{"name": "later"}');
SELECT kepler.restore_field('Two', 'v', '{"column": "earlier"}');
SELECT later, earlier FROM :two;
SELECT structure -> 'fields' FROM kepler.structures WHERE entry_table_id = (SELECT id FROM kepler.entry_tables WHERE record_name = 'Two') ORDER BY version DESC LIMIT 1;
-- The present document, applied again, changes nothing.
SELECT kepler.alter_entry_table('Two', '{"fields": [{"name": "keep", "type": "text"}, {"name": "later", "type": "text"}, {"name": "v", "column": "earlier", "type": "integer"}]}') = max(version) AS same FROM kepler.entry_tables WHERE record_name = 'Two';

-- A reference, and a key of another column name.
SELECT kepler.create_entry_table('Part', '{"fields": [{"name": "ofItem", "column": "of_item", "type": "reference", "to": "Two", "required": true, "on_delete": "cascade"}]}') AS part \gset
SELECT count(*) FROM kepler.insert_entries('Part', '[{"ofItem": 1}]');
SELECT kepler.alter_entry_table('Part', '{"fields": []}');
SELECT kepler.alter_entry_table('Part', '{"fields": [{"name": "of_item", "type": "text"}]}');
SAVEPOINT before;
SELECT kepler.restore_field('Part', 'ofItem');
ROLLBACK TO before;
SELECT kepler.restore_field('Part', 'ofItem', '{"column": "item"}');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = :'part'::regclass AND contype = 'f';

-- Options are checked.
SAVEPOINT before;
SELECT kepler.restore_field('Two', 'v', '{"name": null, "column": 1, "required": "no", "lock_attempts": 0, "colour": "red"}');
ROLLBACK TO before;
SELECT kepler.restore_field('Two', 'v', '[]');
ROLLBACK TO before;
SELECT kepler.restore_field('Two', 'gone', '{"name": "v2"}');
ROLLBACK TO before;
SELECT kepler.alter_entry_table('Two', '{"fields": [{"name": "keep", "type": "text"}, {"name": "later", "type": "text"}]}');
SAVEPOINT before;
SELECT kepler.restore_field('Two', 'v', '{"version": 1}');
ROLLBACK TO before;
SELECT kepler.restore_field('Two', 'v', '{"name": ""}');
ROLLBACK TO before;
SELECT kepler.restore_field('Two', 'v', '{"name": "entry_id"}');
ROLLBACK TO before;
SELECT kepler.restore_field('Two', 'v', '{"name": "updated_at"}');
ROLLBACK;
