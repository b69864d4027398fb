-- The example of seed 003, "KDAP", to the letter: the record "Inventory Record" in a workspace, its
-- structure, and its table inventory_record_1_entries with two entries. Runs in the database of
-- "install", which has no entry table yet: this one is the first, and its number is 1.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kepler CASCADE;
SELECT count(*) > 0 AS installed FROM kepler.install();
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;

-- "Workspaces store data in the form of records."
INSERT INTO kepler.workspaces (id, name) VALUES ('kdap', 'Kuku Data Auto Pilot');
SET LOCAL kepler.workspace_id = 'kdap';

-- "Creating a New Record": metadata, structure and table, in one call.
SELECT kepler.create_entry_table('Inventory Record', '{"fields": [
    {"name": "item_id",   "type": "integer"},
    {"name": "item_name", "type": "text", "max_length": 255},
    {"name": "quantity",  "type": "integer"},
    {"name": "price",     "type": "decimal", "precision": 10, "scale": 2}]}');

-- "1. Insert metadata into the Records table."
SELECT workspace_id, record_name, number, table_name, version, dropped_at,
    created_at IS NOT NULL AS created, updated_at IS NOT NULL AS updated
FROM kepler.entry_tables;

-- "2. Define the record structure in the Record Structures table."
SELECT s.version, jsonb_pretty(s.structure) AS structure
FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id;

-- "3. Create a dynamic table (inventory_record_1_entries) for storing data": entry_id (BIGINT), item_id (INT),
-- item_name (VARCHAR(255)), quantity (INT), price (DECIMAL(10, 2)), created_at and updated_at (TIMESTAMP).
SELECT a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
    a.attidentity AS identity, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'kepler_data.inventory_record_1_entries'::regclass AND a.attnum > 0
ORDER BY a.attnum;
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = 'kepler_data.inventory_record_1_entries'::regclass AND contype <> 'n';

-- "Adding Data to the Record": the two example entries, with their times.
SELECT * FROM kepler.insert_entries('Inventory Record', '[
    {"item_id": 1001, "item_name": "Apple",  "quantity": 50, "price": 0.99, "created_at": "2024-08-14 10:10:00", "updated_at": "2024-08-14 10:10:00"},
    {"item_id": 1002, "item_name": "Banana", "quantity": 75, "price": 0.79, "created_at": "2024-08-14 10:12:00", "updated_at": "2024-08-14 10:12:00"}]');
TABLE kepler_data.inventory_record_1_entries;

-- "Querying Data: Retrieve, update, or delete inventory items from the dynamic table."
SELECT item_name FROM kepler_data.inventory_record_1_entries WHERE quantity > 60;
UPDATE kepler_data.inventory_record_1_entries SET quantity = 49 WHERE item_id = 1001
RETURNING entry_id, quantity, created_at, updated_at > '2024-08-14 10:10:00' AS updated_at_moved;
DELETE FROM kepler_data.inventory_record_1_entries WHERE item_id = 1002 RETURNING entry_id, item_name;

-- "Version (INT, allows for schema versioning)."
SELECT kepler.alter_entry_table('Inventory Record', '{"fields": [
    {"name": "item_id",   "type": "integer"},
    {"name": "item_name", "type": "text", "max_length": 255},
    {"name": "quantity",  "type": "integer"},
    {"name": "price",     "type": "decimal", "precision": 10, "scale": 2},
    {"name": "location",  "type": "text"}]}') AS version;
SELECT version, jsonb_array_length(structure -> 'fields') AS fields FROM kepler.structures ORDER BY version;
ROLLBACK;
