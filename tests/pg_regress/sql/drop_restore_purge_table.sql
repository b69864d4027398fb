-- A dropped table is out of use, not gone: its name is free, its entries wait under another, until it is restored with all
-- its rules or purged.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Category', '{"fields": [{"name": "parent", "type": "reference", "to": "Category"}]}');
SELECT kepler.create_entry_table('Item', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "category", "type": "reference", "to": "Category", "on_delete": "cascade"},
    {"name": "gone", "type": "text"}]}');
INSERT INTO kepler_data.category_1_entries (parent) VALUES (NULL), (1);
INSERT INTO kepler_data.item_2_entries (name, category, gone) VALUES ('a', 1, 'x'), ('b', 2, 'y');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "category", "type": "reference", "to": "Category", "on_delete": "cascade"}]}');

-- What others refer to is not dropped; a reference to itself is no obstacle.
SELECT kepler.drop_entry_table('Category');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_entry_table('Item');
SELECT record_name, table_name, version, dropped_at IS NOT NULL AS dropped FROM kepler.entry_tables ORDER BY number;
SELECT name FROM kepler_data._dropped_item_2_entries;
-- To every function it is unknown, and its references sleep: what they led to can be deleted.
SELECT kepler.alter_entry_table('Item', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.entry_json_schema('Item');
SELECT kepler.drop_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM kepler_data.category_1_entries WHERE entry_id = 2;

-- Restoring validates anew.
SELECT kepler.restore_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT table_name, dropped_at IS NOT NULL AS dropped FROM kepler.entry_tables WHERE record_name = 'Item';
INSERT INTO kepler_data.category_1_entries (entry_id) VALUES (2);
SELECT kepler.restore_entry_table('Item');
SELECT name, category FROM kepler_data.item_2_entries ORDER BY 1;
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.item_2_entries'::regclass AND contype <> 'n' ORDER BY contype;
SELECT s.version, jsonb_path_query_array(s.plan, '$[*].operation') AS operations FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE record_name = 'Item' ORDER BY 1;
SELECT kepler.restore_field('Item', 'gone');
SELECT name, gone FROM kepler_data.item_2_entries ORDER BY 1;
SELECT kepler.restore_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.restore_entry_table('Nothing');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- The name is free meanwhile; the one dropped last comes back first.
SELECT kepler.drop_entry_table('Item') IS NOT NULL AS dropped;
SELECT kepler.create_entry_table('Item', '{"fields": [{"name": "other", "type": "text"}]}');
SELECT kepler.restore_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_entry_table('Item');
SELECT kepler.restore_entry_table('Item');
SELECT kepler.drop_entry_table('Item');
-- Where the table it refers to is gone, it says so.
SELECT kepler.purge_entry_table('Item');
SELECT kepler.drop_entry_table('Category');
SELECT kepler.restore_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.restore_entry_table('Category');
SELECT kepler.restore_entry_table('Item');

-- What is in use is dropped first, and not purged.
SELECT kepler.purge_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_entry_table('Item');
CREATE VIEW items AS SELECT name FROM kepler_data._dropped_item_2_entries;
SELECT kepler.purge_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP VIEW items;
SELECT kepler.purge_entry_table('Item');
SELECT kepler.purge_entry_table('Item');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT record_name FROM kepler.entry_tables ORDER BY number;
SELECT count(*) AS versions FROM kepler.structures AS s WHERE NOT EXISTS (SELECT FROM kepler.entry_tables AS t WHERE t.id = s.entry_table_id);
SELECT relname FROM pg_class WHERE relnamespace = 'kepler_data'::regnamespace AND relkind = 'r' ORDER BY 1;
-- A long name is shortened once more, and comes back whole.
SELECT kepler.create_entry_table(repeat('Long Name ', 6) || 'End', '{"fields": []}');
SELECT kepler.drop_entry_table(repeat('Long Name ', 6) || 'End');
SELECT kepler.restore_entry_table(repeat('Long Name ', 6) || 'End');
ROLLBACK;
