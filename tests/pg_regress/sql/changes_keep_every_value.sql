-- A change of a structure converts every value exactly, moves it where its name goes, or stops: changes
-- in which a value once was rounded, lost, or stood in the way for nothing.
SET client_min_messages = warning;
BEGIN;

-- The key gets another name in the same change: the values are looked at all the same.
SELECT kepler.create_entry_table('Change', '{"key": {"name": "id"}, "fields": [{"name": "n", "type": "decimal"}]}') \gset change_
INSERT INTO :change_create_entry_table (id, n) VALUES (1, 1.5), (2, 2);
SAVEPOINT before;
SELECT kepler.alter_entry_table('Change', '{"key": {"name": "number"}, "fields": [{"name": "n", "type": "integer"}]}', '{convert}');
ROLLBACK TO before;

-- A number beyond the doubles is told by its key, as is one with more digits than they have.
UPDATE :change_create_entry_table SET n = 1e400 WHERE id = 1;
SELECT kepler.alter_entry_table('Change', '{"key": {"name": "id"}, "fields": [{"name": "n", "type": "float"}]}', '{convert}');
ROLLBACK TO before;
SELECT kepler.create_entry_table('Text', '{"fields": [{"name": "t", "type": "text"}]}') \gset text_
INSERT INTO :text_create_entry_table (t) VALUES ('0.1'), ('12345678901234567890.5'), (NULL), ('1e-400');
SAVEPOINT text;
SELECT kepler.alter_entry_table('Text', '{"fields": [{"name": "t", "type": "float"}]}', '{convert}');
ROLLBACK TO text;

-- What is not there is not lost.
DELETE FROM :text_create_entry_table WHERE length(t) > 3;
SELECT kepler.alter_entry_table('Text', '{"fields": [{"name": "t", "type": "decimal", "precision": 5, "scale": 2}]}', '{convert}');
SELECT entry_id, t FROM :text_create_entry_table ORDER BY entry_id;
ROLLBACK TO before;

-- Texts that differ may be one number.
SELECT kepler.create_entry_table('Unique', '{"fields": [{"name": "t", "type": "text", "unique": true}]}') \gset unique_
INSERT INTO :unique_create_entry_table (t) VALUES ('1'), ('01'), ('2');
\set VERBOSITY terse
SELECT kepler.alter_entry_table('Unique', '{"fields": [{"name": "t", "type": "integer", "unique": true}]}', '{convert}');
\set VERBOSITY default
ROLLBACK TO before;

-- The last date is long after the last timestamp.
SELECT kepler.create_entry_table('Dates', '{"fields": [{"name": "d", "type": "date"}]}') \gset dates_
INSERT INTO :dates_create_entry_table (d) VALUES ('infinity'), ('294276-12-31'), ('294277-01-01');
SELECT kepler.alter_entry_table('Dates', '{"fields": [{"name": "d", "type": "timestamp"}]}', '{rewrite}');
ROLLBACK TO before;

-- A chain of renames into the name of a field that has values is refused; when that is dropped, it goes.
SELECT kepler.create_entry_table('Chain', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}, {"name": "c", "type": "text"}]}') \gset chain_
INSERT INTO :chain_create_entry_table (a, b, c) VALUES ('was a', 'was b', 'was c');
SAVEPOINT chain;
SELECT kepler.alter_entry_table('Chain', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}, {"name": "c", "type": "text", "renamed_from": "b"}]}');
ROLLBACK TO chain;
SELECT kepler.alter_entry_table('Chain', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]}');
SELECT kepler.alter_entry_table('Chain', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}, {"name": "c", "type": "text", "renamed_from": "b"}]}');
SELECT b, c FROM :chain_create_entry_table;
SELECT field_name FROM kepler.hidden_fields;
ROLLBACK TO before;

-- The key takes the name of a field, and a new field that of the key.
SELECT kepler.create_entry_table('Key', '{"fields": [{"name": "id", "type": "bigint"}]}') \gset key_
INSERT INTO :key_create_entry_table (entry_id, id) VALUES (7, 8);
SELECT kepler.alter_entry_table('Key', '{"key": {"name": "id"}, "fields": [{"name": "entry_id", "type": "bigint"}]}');
SELECT id, entry_id FROM :key_create_entry_table;
SELECT kepler.structure_of(:'key_create_entry_table') ->> 'key' AS key;
ROLLBACK TO before;

-- A field comes back without the rules that nothing is left for, and the table can be changed on.
SELECT kepler.create_entry_table('Back', '{"fields": [
    {"name": "t", "type": "text", "case_insensitive": true}, {"name": "u", "type": "integer"}, {"name": "v", "type": "integer"},
    {"name": "r", "type": "reference", "to": "Back"}],
    "unique": [["t", "u"], ["r", "u"]], "checks": [{"field": "u", "op": "<", "other_field": "v"}]}') AS back \gset
SELECT kepler.alter_entry_table('Back', '{"fields": []}');
SELECT kepler.alter_entry_table('Back', '{"fields": [{"name": "v", "type": "date"}]}');
SELECT kepler.restore_field('Back', 't');
SELECT kepler.restore_field('Back', 'r');
SELECT kepler.restore_field('Back', 'u');
SELECT kepler.structure_of(:'back') - 'name' - 'key' AS structure;
SELECT count(*) FROM kepler.plan_entry_table('Back', (SELECT structure FROM kepler.structures ORDER BY version DESC LIMIT 1));
ROLLBACK TO before;

-- An empty description is none, and what users wrote on the key is theirs.
SELECT kepler.create_entry_table('Text', '{"description": "", "fields": [{"name": "t", "type": "text", "description": ""}]}') AS described \gset
COMMENT ON COLUMN :described.entry_id IS 'ours';
SELECT count(*) FROM kepler.plan_entry_table('Text', '{"description": "", "fields": [{"name": "t", "type": "text", "description": ""}]}');
ROLLBACK;
