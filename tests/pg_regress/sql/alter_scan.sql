-- Changes that read every row: requiring, tightening, uniqueness, references, indexes. The plan names the lock and the
-- number of rows; constraints come NOT VALID first, and are then validated under a weaker lock.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Supplier', '{"fields": []}');
SELECT kepler.create_entry_table('Part', '{"fields": [
    {"name": "code", "type": "text"}, {"name": "amount", "type": "integer", "max": 100},
    {"name": "kind", "type": "enum", "values": ["a", "b"]}, {"name": "supplier", "type": "bigint"}]}');
INSERT INTO kepler_data.supplier_1_entries DEFAULT VALUES;
INSERT INTO kepler_data.part_2_entries (code, amount, kind, supplier) SELECT 'p' || i, i, 'a', 1 FROM generate_series(1, 50) AS i;
ANALYZE kepler_data.part_2_entries;

\set document '{"fields": [{"name": "code", "type": "text", "required": true, "unique": true, "case_insensitive": true, "min_length": 2}, {"name": "amount", "type": "integer", "min": 1, "max": 50, "unique": true}, {"name": "kind", "type": "enum", "values": ["a"]}, {"name": "supplier", "type": "bigint"}], "indexes": [{"fields": ["created_at"]}], "checks": [{"field": "amount", "op": "<=", "other_field": "entry_id"}]}'
SELECT step, operation, object, class, lock, estimated_rows, hazards FROM kepler.plan_entry_table('Part', :'document');
SELECT statement, undo FROM kepler.plan_entry_table('Part', :'document');
SELECT kepler.alter_entry_table('Part', :'document');
\set VERBOSITY terse
INSERT INTO kepler_data.part_2_entries (code) VALUES (NULL);
INSERT INTO kepler_data.part_2_entries (code) VALUES ('P1');
INSERT INTO kepler_data.part_2_entries (code, amount) VALUES ('x', 51);
\set VERBOSITY default
-- Nothing is left NOT VALID.
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'kepler_data.part_2_entries'::regclass AND NOT convalidated;

-- Entries that stand in the way stop it, with their number and some of their keys; nothing was changed. A tightened
-- length looks at all values too.
SELECT kepler.create_entry_table('Loose', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "integer"}]}');
INSERT INTO kepler_data.loose_3_entries (a, b) SELECT CASE WHEN i % 2 = 0 THEN 'even' || i END, i % 3 FROM generate_series(1, 20) AS i;
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text", "required": true}, {"name": "b", "type": "integer"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "integer", "min": 1}]}');
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "integer", "unique": true}]}');
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text", "max_length": 5}, {"name": "b", "type": "integer"}]}', allow => '{convert}');
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "integer"}, {"name": "c", "type": "integer", "required": true}]}');
SELECT version FROM kepler.entry_tables WHERE record_name = 'Loose';
SELECT kepler.alter_entry_table('Loose', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "integer", "min": 0, "max": 2}]}');
ROLLBACK;
