-- References: to another table, to the same table, and to an entry of the same batch.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_entry_table('Supplier', '{"fields": [{"name": "name", "type": "text"}]}') AS supplier \gset
SELECT kepler.create_entry_table('Part', '{"key": {"name": "part_id", "type": "cuid"}, "fields": [
    {"name": "supplier", "type": "reference", "to": "Supplier"},
    {"name": "parent", "type": "reference", "to": "Part"},
    {"name": "n", "type": "integer", "unique": true}]}') AS part \gset
SELECT entry_id FROM kepler.insert_entries('Supplier', '[{"name": "one"}, {"name": "two"}]');

-- What leads nowhere is named, every one of them.
SAVEPOINT before;
SELECT FROM kepler.insert_entries('Part', '[{"supplier": 1}, {"supplier": 7}, {"supplier": "2"}, {"supplier": 7, "parent": "none"}]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;

-- Entries of one batch may refer to each other, forwards and backwards.
SELECT entry_id, outcome FROM kepler.insert_entries('Part', '[
    {"part_id": "wheel", "parent": "cart"}, {"part_id": "cart", "supplier": 2}, {"part_id": "spoke", "parent": "wheel"}]');

-- What refers to a rejected entry is rejected with it.
SELECT entry_id, outcome, error FROM kepler.insert_entries('Part', '[
    {"part_id": "a", "parent": "b"}, {"part_id": "b", "parent": "c"}, {"part_id": "c", "supplier": 9}, {"part_id": "d", "parent": "d"}]', 'skip');

-- Changes are checked too.
SELECT ordinal, outcome, error FROM kepler.update_entries('Part', '[
    {"part_id": "wheel", "supplier": 9}, {"part_id": "spoke", "supplier": 1}, {"part_id": "cart", "parent": "nobody"}]', 'skip');
SELECT ordinal, entry_id, outcome, error FROM kepler.upsert_entries('Part', '{part_id}', '[
    {"part_id": "hub", "parent": "axle"}, {"part_id": "axle", "parent": "cart"}, {"part_id": "rim", "supplier": 8}]', 'skip');

-- What something refers to is not deleted; the other ids are.
SELECT entry_id, outcome, error_code IN ('23001', '23503') AS is_referred_to FROM kepler.delete_entries('Supplier', ARRAY['1', '2']);
SELECT entry_id, outcome, error_code IN ('23001', '23503') AS is_referred_to FROM kepler.delete_entries('Part', ARRAY['spoke', 'cart', 'wheel']);
SELECT entry_id, outcome, error_code IN ('23001', '23503') AS is_referred_to FROM kepler.delete_entries('Supplier', ARRAY['1']);
SELECT part_id, supplier, parent FROM :part ORDER BY part_id COLLATE "C";
ROLLBACK;
