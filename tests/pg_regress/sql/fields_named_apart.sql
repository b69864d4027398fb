-- A field may be called otherwise in documents than in the database: entries speak of "name", SQL of "column".
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Item', '{
  "key": {"name": "itemKey", "column": "item_key", "type": "bigint"},
  "fields": [
    {"name": "itemId",      "column": "item_id",  "type": "integer", "required": true, "unique": true, "description": "Its number"},
    {"name": "Item Name/~", "column": "label",    "type": "text", "max_length": 20, "case_insensitive": true},
    {"name": "validFrom",   "column": "valid_from", "type": "date"},
    {"name": "validTo",     "column": "valid_to",   "type": "date"},
    {"name": "a\\b\"c",     "column": "odd",      "type": "enum", "values": ["x", "y"], "default": "x"},
    {"name": "parentItem",  "column": "parent",   "type": "reference", "to": "Item"},
    {"name": "plain",       "type": "integer", "min": 0}],
  "unique": [["Item Name/~", "validFrom"]],
  "indexes": [{"fields": ["validTo", {"name": "itemKey", "direction": "desc"}, "created_at"]}],
  "checks": [{"field": "validFrom", "op": "<", "other_field": "validTo"}, {"field": "itemId", "op": "<>", "value": 13}]}') AS item \gset
SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute AS a WHERE a.attrelid = :'item'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = :'item'::regclass AND contype <> 'n' ORDER BY conname COLLATE "C";
SELECT indexdef FROM pg_indexes WHERE tablename = 'item_1_entries' ORDER BY indexname COLLATE "C";
SELECT jsonb_pretty(structure) FROM kepler.structures;

-- Entries are told by names; what is wrong with one is told by its name, as a pointer has it.
SELECT ordinal, entry_id, outcome FROM kepler.insert_entries('Item', '[
  {"itemId": 1, "Item Name/~": "One", "validFrom": "2024-01-01", "validTo": "2025-01-01", "a\\b\"c": "y", "plain": 4}]');
SELECT ordinal, entry_id, outcome FROM kepler.insert_entries('Item', '[
  {"itemId": 2, "\u0049tem Name/~": "Two", "parentItem": 1},
  {"itemKey": 50, "itemId": 3, "parentItem": 50}]');
SELECT item_key, item_id, label, valid_from::text, odd, parent, plain FROM :item;
SELECT ordinal, outcome, error_code, error, violations FROM kepler.insert_entries('Item', '[
  {"item_id": 4},
  {"itemId": 4, "item_id": 4},
  {"itemId": 4, "Item Name/~": "123456789012345678901"},
  {"itemId": 4, "validFrom": "2025-01-01", "validTo": "2024-01-01"},
  {"itemId": 13, "parentItem": 99},
  {"itemId": 1, "colour": "red"},
  {"itemId": 1},
  {"itemId": 5, "Item Name/~": "ONE", "validFrom": "2024-01-01"},
  {"item_key": 7, "itemId": 6},
  {"itemId": null, "itemId": 7}]', 'skip');
-- A key in which a backslash is written is not the name that is written so.
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"itemId": 8, "a\\b\"c": "x"}, {"itemId": 9, "a\u005cb\"c": "y"}, {"itemId": 10, "a\b\"c": "x"}]', 'skip');

-- Fields that find entries are named too.
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Item', '{itemId}', '[{"itemId": 1, "plain": 4}, {"itemId": 2, "plain": 5}, {"itemId": 70, "plain": 6}]');
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Item', '{validFrom,Item Name/~}', '[{"Item Name/~": "oNE", "validFrom": "2024-01-01", "plain": 7}]');
SELECT ordinal, entry_id, outcome, error FROM kepler.update_entries('Item', '[{"itemKey": 1, "plain": 8}, {"itemKey": 2, "plain": -1}, {"itemKey": 3}]', 'skip');
SAVEPOINT before;
SELECT FROM kepler.upsert_entries('Item', '{item_id}', '[{"itemId": 1}]');
ROLLBACK TO before;
SELECT FROM kepler.upsert_entries('Item', '{plain}', '[{"plain": 1}]');
ROLLBACK TO before;
SELECT item_key, item_id, label, plain FROM :item ORDER BY item_key;

-- The JSON Schema of an entry is that of documents, and makes the same table.
SELECT jsonb_pretty(kepler.entry_json_schema('Item')::jsonb);
SELECT kepler.create_entry_table('Copy', replace(kepler.entry_json_schema('Item')::text, '"Item"', '"Copy"')) AS copy \gset
SELECT (SELECT structure - 'name' FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Copy')
     = (SELECT replace(structure::text, '"Item"', '"Copy"')::jsonb - 'name' FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Item') AS equal;

-- Everything that cannot be is told at once.
SAVEPOINT before;
SELECT kepler.create_entry_table('Wrong', '{
  "key": {"column": "plain"},
  "columns": "camel_case",
  "fields": [
    {"name": "itemId", "type": "integer"},
    {"name": "Item-ID", "column": "Item", "type": "integer"},
    {"name": "", "column": "empty", "type": "integer"},
    {"name": "a\u0007", "column": "bell", "type": "integer"},
    {"name": "plain", "type": "integer"},
    {"name": "other", "column": "plain", "type": "integer"},
    {"name": "third", "column": "twice", "type": "integer"},
    {"name": "fourth", "column": "twice", "type": "integer"},
    {"name": "fifth", "column": "updated_at", "type": "timestamp"},
    {"name": "created_at", "column": "made", "type": "timestamp"},
    {"name": "sixth", "column": "entry_id", "type": "integer"},
    {"name": "entry_id", "column": "seventh", "type": "integer"},
    {"name": "eighth", "column": null, "type": "integer"},
    {"name": "ninth", "column": 9, "type": "integer"},
    {"name": "tenth", "column": "select", "type": "integer"},
    {"name": "fields", "column": "fields", "type": "integer", "renamed_from": ""}],
  "unique": [["twice", "third"]], "checks": [{"field": "empty", "op": "<", "value": 1}]}');
ROLLBACK TO before;

-- Columns can be made of the names; what makes none, or one that another field has, is told.
SELECT kepler.create_entry_table('Zod', '{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
  "properties": {"firstName": {"type": "string"}, "HTTPStatus": {"type": "integer"}, "e-mail": {"type": "string"}, "plain": {"type": "string"},
                 "Adresse 2": {"type": "string", "x-kepler": {"column": "second_address"}}},
  "required": ["firstName"], "x-kepler": {"columns": "snake_case"}}') AS zod \gset
SELECT attname FROM pg_attribute WHERE attrelid = :'zod'::regclass AND attnum > 0 ORDER BY attnum;
SELECT outcome FROM kepler.insert_entries('Zod', '[{"firstName": "Ada", "HTTPStatus": 200, "e-mail": "a@b", "Adresse 2": "x"}]');
SAVEPOINT before;
SELECT kepler.create_entry_table('Wrong', '{"columns": "snake_case", "fields": [
  {"name": "userId", "type": "integer"}, {"name": "user_id", "type": "integer"}, {"name": "User ID", "type": "integer"},
  {"name": "2nd", "type": "integer"}, {"name": "Größe", "type": "integer"}, {"name": "Select", "type": "integer"}, {"name": "createdAt", "type": "timestamp"}]}');
ROLLBACK TO before;
SELECT kepler.create_entry_table('Wrong', '{"type": "object", "properties": {"userId": {"type": "integer"}}}');
ROLLBACK TO before;

-- A field is the one that renamed_from names, else that of its name, else that of its column. The name alone changes: nothing is done to the table.
\set f '{"name": "itemId", "column": "item_id", "type": "integer", "required": true, "unique": true}'
SELECT kepler.create_entry_table('Way', '{"fields": [{"name": "item_id", "type": "integer"}, {"name": "note", "type": "text"}]}') AS way \gset
SELECT outcome FROM kepler.insert_entries('Way', '[{"item_id": 1, "note": "n"}]');
SELECT operation, object FROM kepler.plan_entry_table('Way', '{"fields": [{"name": "itemId", "column": "item_id", "type": "integer"}, {"name": "note", "type": "text"}]}');
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemId", "column": "item_id", "type": "integer"}, {"name": "note", "type": "text"}]}');
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemId", "column": "item_id", "type": "integer"}, {"name": "note", "type": "text"}]}');
SELECT outcome, error FROM kepler.insert_entries('Way', '[{"itemId": 2}, {"item_id": 3}]', 'skip');
-- The column alone.
SELECT operation, object, statement FROM kepler.plan_entry_table('Way', '{"fields": [{"name": "itemId", "column": "number", "type": "integer"}, {"name": "note", "type": "text"}]}');
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemId", "column": "number", "type": "integer"}, {"name": "note", "type": "text"}]}');
SELECT outcome FROM kepler.insert_entries('Way', '[{"itemId": 4, "note": "after"}]');
-- Both, by renamed_from; the old name is free for a field then, and the rename may be told again.
\set both '{"fields": [{"name": "itemNumber", "column": "item_number", "renamed_from": "itemId", "type": "integer"}, {"name": "note", "type": "text"}]}'
SELECT operation, object FROM kepler.plan_entry_table('Way', :'both');
SELECT kepler.alter_entry_table('Way', :'both'), kepler.alter_entry_table('Way', :'both');
\set both '{"fields": [{"name": "itemNumber", "column": "item_number", "renamed_from": "itemId", "type": "integer"}, {"name": "itemId", "column": "number", "type": "text"}, {"name": "note", "type": "text"}]}'
SELECT kepler.alter_entry_table('Way', :'both'), kepler.alter_entry_table('Way', :'both');
SELECT item_number, number, note FROM :way ORDER BY entry_id;
-- Columns that would change places, and a name that nothing had.
SAVEPOINT before;
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemNumber", "column": "number", "type": "integer"}, {"name": "itemId", "column": "item_number", "type": "text"}, {"name": "note", "type": "text"}]}');
ROLLBACK TO before;
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemNumber", "column": "item_number", "type": "integer"}, {"name": "itemId", "column": "number", "type": "text"}, {"name": "remark", "renamed_from": "Note", "type": "text"}]}');
ROLLBACK TO before;
-- Two fields from one.
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "a1", "column": "item_number", "type": "integer"}, {"name": "a2", "renamed_from": "itemNumber", "type": "integer"}, {"name": "itemId", "column": "number", "type": "text"}, {"name": "note", "type": "text"}]}');
ROLLBACK TO before;

-- A hidden field is known by its name, and comes back under it.
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemId", "column": "number", "type": "text"}, {"name": "note", "type": "text"}]}');
SELECT field_name, column_name FROM kepler.hidden_fields;
SELECT kepler.restore_field('Way', 'itemNumber');
SELECT attname FROM pg_attribute WHERE attrelid = :'way'::regclass AND attnum > 0 ORDER BY attnum;
SELECT kepler.alter_entry_table('Way', '{"fields": [{"name": "itemId", "column": "number", "type": "text"}, {"name": "note", "type": "text"}]}');
SELECT kepler.purge_field('Way', 'itemNumber');
SELECT count(*) FROM kepler.hidden_fields;

-- The key's column has another name too.
SELECT kepler.alter_entry_table('Way', '{"key": {"name": "id", "column": "way_id", "type": "bigint"}, "fields": [{"name": "itemId", "column": "number", "type": "text"}, {"name": "note", "type": "text"}]}');
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Way', '{id}', '[{"id": 1, "note": "first"}]');
SELECT way_id, note FROM :way ORDER BY way_id;
-- A table that refers to it follows.
SELECT kepler.create_entry_table('Step', '{"fields": [{"name": "wayKey", "column": "way_key", "type": "reference", "to": "Way"}]}') AS step \gset
SELECT outcome, error FROM kepler.insert_entries('Step', '[{"wayKey": 1}, {"wayKey": 100}]', 'skip');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = :'step'::regclass AND contype = 'f';
ROLLBACK;
