-- An entry table gets another name: its table, and what is named after it, follow, and so do those who refer to it.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Supplier', '{"description": "Who sells", "fields": [
    {"name": "code", "type": "text", "unique": true, "case_insensitive": true}, {"name": "country", "type": "text", "required": true},
    {"name": "parent", "type": "reference", "to": "Supplier"}, {"name": "tags", "type": "text", "list": true}],
    "unique": [["country", "code"]], "indexes": [{"fields": ["country"]}, {"fields": ["tags"], "method": "gin"}], "checks": [{"field": "country", "op": "<>", "value": ""}]}');
SELECT kepler.create_entry_table('Item', '{"fields": [{"name": "name", "type": "text"}, {"name": "supplier", "type": "reference", "to": "Supplier", "on_delete": "cascade"}]}');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "name", "type": "text"}, {"name": "supplier", "type": "reference", "to": "Supplier", "on_delete": "cascade"}, {"name": "second", "type": "reference", "to": "Supplier"}]}');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "name", "type": "text"}, {"name": "supplier", "type": "reference", "to": "Supplier", "on_delete": "cascade"}]}');
SELECT outcome FROM kepler.insert_entries('Supplier', '[{"code": "a", "country": "CH"}]');
SELECT outcome FROM kepler.insert_entries('Item', '[{"name": "nut", "supplier": 1}]');

-- What people have put beside it: an index of another name, one that is named after it, a view, a policy, a function.
CREATE INDEX by_country ON kepler_data.supplier_1_entries (country DESC);
CREATE INDEX supplier_1_entries_mine ON kepler_data.supplier_1_entries (created_at);
CREATE VIEW suppliers AS SELECT code, country FROM kepler_data.supplier_1_entries;
CREATE FUNCTION first_supplier() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT code FROM kepler_data.supplier_1_entries ORDER BY entry_id LIMIT 1; END;

-- Who sends the table to another server sends it by the new name: a warning says so. The table is returned.
SET LOCAL client_min_messages = error;
CREATE PUBLICATION sent FOR TABLE kepler_data.supplier_1_entries;
SET LOCAL client_min_messages = warning;
SELECT kepler.rename_entry_table('Supplier', 'Vendor (all)');
SELECT record_name, table_name, version FROM kepler.entry_tables ORDER BY number;
SELECT conname FROM pg_constraint WHERE conrelid = 'kepler_data.vendor_all_1_entries'::regclass AND contype <> 'n' ORDER BY conname COLLATE "C";
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'kepler_data.vendor_all_1_entries'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT pg_get_serial_sequence('kepler_data.vendor_all_1_entries', 'entry_id');
-- Postgres 18 names what is required.
SELECT count(*) FROM pg_constraint WHERE conname LIKE 'supplier_1%';
SELECT count(*) FROM pg_class WHERE relname LIKE 'supplier%' AND relname <> 'suppliers';

-- Every version of every structure refers to it by the new name.
SELECT t.record_name, s.version, s.structure ->> 'name' AS name, jsonb_path_query_array(s.structure, '$.fields[*].to') AS refer_to
FROM kepler.entry_tables AS t JOIN kepler.structures AS s ON s.entry_table_id = t.id ORDER BY t.number, s.version;

-- This session knows it by the new name alone; what rested on it still does.
SELECT outcome, entry_id FROM kepler.insert_entries('Vendor (all)', '[{"code": "b", "country": "DE", "parent": 1}]');
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"name": "bolt", "supplier": 2}, {"name": "none", "supplier": 99}]', 'skip');
SELECT outcome, error FROM kepler.insert_entries('Vendor (all)', '[{"code": "A", "country": "FR"}]', 'skip');
SELECT * FROM suppliers ORDER BY code;
SELECT first_supplier();
SAVEPOINT s;
SELECT outcome FROM kepler.insert_entries('Supplier', '[{"code": "c"}]');
ROLLBACK TO s;

-- Nothing is left to do, and the next version is made by the new name.
SELECT count(*) FROM kepler.plan_entry_table('Vendor (all)', (SELECT s.structure FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id AND t.version = s.version WHERE t.number = 1));
SELECT count(*) FROM kepler.plan_entry_table('Item', '{"fields": [{"name": "name", "type": "text"}, {"name": "supplier", "type": "reference", "to": "Vendor (all)", "on_delete": "cascade"}]}');
SELECT kepler.restore_field('Item', 'second');
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"name": "washer", "second": 1}, {"name": "none", "second": 99}]', 'skip');
SELECT kepler.drop_entry_table('Item');
SELECT kepler.rename_entry_table('Vendor (all)', 'Seller');
SELECT kepler.restore_entry_table('Item');
SELECT outcome, error FROM kepler.insert_entries('Item', '[{"name": "pin", "supplier": 99}]', 'skip');

-- The old name is free.
SELECT kepler.create_entry_table('Supplier', '{"fields": []}');
SELECT record_name, table_name FROM kepler.entry_tables ORDER BY number;

-- Only the record name changes where the table's name would be the same; the name that it has changes nothing.
SELECT kepler.rename_entry_table('Seller', 'seller!');
SELECT kepler.rename_entry_table('seller!', 'seller!');
SELECT kepler.rename_entry_table('seller!', 'Seller');

-- Names that are cut, there and back.
SELECT kepler.rename_entry_table('Seller', repeat('Very Long ', 8) || 'Name') AS renamed;
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', repeat('Very Long ', 8) || 'Name') AS renamed \gset
SELECT :'renamed' AS renamed;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = :'renamed'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT pg_get_serial_sequence(:'renamed', 'entry_id');
SELECT kepler.rename_entry_table(repeat('Very Long ', 8) || 'Name', 'Supplier') AS renamed;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'kepler_data.supplier_1_entries'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT conname FROM pg_constraint WHERE conrelid = 'kepler_data.supplier_1_entries'::regclass AND contype <> 'n' ORDER BY conname COLLATE "C";
SELECT pg_get_serial_sequence('kepler_data.supplier_1_entries', 'entry_id');
SELECT count(*) FROM pg_constraint WHERE conrelid = 'kepler_data.supplier_1_entries'::regclass AND contype = 'n' AND conname NOT LIKE 'supplier_1_entries_%';

-- A rename that is undone was none.
SELECT kepler.rename_entry_table('Supplier', 'Undone') IS NOT NULL AS renamed;
SELECT outcome FROM kepler.insert_entries('Undone', '[{"code": "u", "country": "CH"}]');
ROLLBACK TO s;
SELECT outcome FROM kepler.insert_entries('Vendor (all)', '[{"code": "u", "country": "CH"}]');
SELECT kepler.insert_entries('Undone', '[]');
ROLLBACK TO s;

-- What cannot be.
SELECT kepler.rename_entry_table('Nothing', 'Something');
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', 'Item');
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', '');
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', ' x');
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', repeat('x', 129));
ROLLBACK TO s;
SELECT kepler.rename_entry_table('Vendor (all)', NULL);
ROLLBACK TO s;
SELECT kepler.rename_entry_table(NULL, 'x');
ROLLBACK TO s;
SELECT kepler.drop_entry_table('Item') IS NOT NULL AS dropped;
SELECT kepler.rename_entry_table('Item', 'x');
ROLLBACK TO s;
-- Somebody took the table's name.
CREATE TABLE kepler_data.taken_1_entries ();
SELECT kepler.rename_entry_table('Vendor (all)', 'Taken');
ROLLBACK TO s;
-- Somebody dropped the table.
DROP TABLE kepler_data.vendor_all_1_entries CASCADE;
SELECT kepler.rename_entry_table('Vendor (all)', 'Gone');
ROLLBACK TO s;

-- Another workspace has its own names.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'Other');
SELECT kepler.create_entry_table('Vendor (all)', '{"fields": [{"name": "x", "type": "reference", "to": "Vendor (all)"}]}', 'other');
SELECT kepler.rename_entry_table('Vendor (all)', 'Mine');
SELECT kepler.rename_entry_table('Vendor (all)', 'Theirs', 'other');
SELECT t.workspace_id, t.record_name, jsonb_path_query_array(s.structure, '$.fields[*].to') AS refer_to
FROM kepler.entry_tables AS t JOIN kepler.structures AS s ON s.entry_table_id = t.id AND s.version = t.version ORDER BY t.number;
ROLLBACK;
