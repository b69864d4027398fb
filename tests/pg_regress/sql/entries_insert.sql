-- A batch of entries is inserted into an entry table: defaults are filled in, values keep every digit,
-- and each element gets an answer.
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
SELECT kepler.create_entry_table('Inventory Record', '{"fields": [
    {"name": "item_id", "type": "integer", "required": true, "unique": true},
    {"name": "item_name", "type": "text", "max_length": 255},
    {"name": "quantity", "type": "integer", "min": 0, "default": 0},
    {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "status", "type": "enum", "values": ["in_stock", "sold_out"], "default": "in_stock"}]}') AS inventory \gset

-- One row for each element, in the order of the array. Keys may come in any order.
SELECT * FROM kepler.insert_entries('Inventory Record', '[
    {"item_id": 1, "item_name": "Hammer", "quantity": 3, "price": 12.50},
    {"price": "0.10", "item_id": "2", "status": "sold_out", "item_name": null},
    {"item_id": 3.0}
]');
SELECT entry_id, item_id, item_name, quantity, price, status, created_at = updated_at AS untouched
FROM :inventory ORDER BY entry_id;

-- Times may be given, for imports; they are UTC unless they say otherwise.
SELECT outcome FROM kepler.insert_entries('Inventory Record', '[
    {"item_id": 4, "created_at": "2024-08-14 10:10:00", "updated_at": "2024-08-14T12:10:00+02:00"}]');
SELECT item_id, created_at, updated_at FROM :inventory WHERE item_id = 4;

-- Keys too: what is inserted afterwards does not collide with them.
SELECT entry_id, outcome FROM kepler.insert_entries('Inventory Record', '[
    {"entry_id": 500, "item_id": 5}, {"item_id": 6}, {"entry_id": 90000, "item_id": 7}, {"item_id": 8}]');
INSERT INTO :inventory (item_id) VALUES (9) RETURNING entry_id;

-- json and jsonb, and nothing at all.
SELECT outcome FROM kepler.insert_entries('Inventory Record', json '[{"item_id": 10}]');
SELECT outcome FROM kepler.insert_entries('Inventory Record', jsonb '[{"item_id": 11}]');
SELECT * FROM kepler.insert_entries('Inventory Record', '[]');

-- Keys that are made elsewhere: UUIDs and CUIDs.
SELECT kepler.create_entry_table('Session', '{"key": {"name": "session_id", "type": "uuid"},
    "fields": [{"name": "n", "type": "integer"}]}') AS session \gset
SELECT kepler.create_entry_table('Note', '{"key": {"name": "note_id", "type": "cuid"},
    "fields": [{"name": "n", "type": "integer"}]}') AS note \gset
CREATE TEMP TABLE made AS
SELECT entry_id FROM kepler.insert_entries('Session', '[{"n": 1}, {"n": 2, "session_id": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}]')
UNION ALL SELECT entry_id FROM kepler.insert_entries('Note', '[{"n": 1}, {"n": 2, "note_id": "mine"}]');
SELECT s.n, substr(s.session_id::text, 15, 1) AS uuid_version FROM :session AS s JOIN made ON entry_id = s.session_id::text ORDER BY n;
SELECT t.n, length(t.note_id) FROM :note AS t JOIN made ON entry_id = t.note_id ORDER BY n;
ROLLBACK;

-- More than one piece, from several calls in one transaction.
BEGIN;
SELECT kepler.create_entry_table('Many', '{"fields": [{"name": "n", "type": "integer", "unique": true}, {"name": "t", "type": "text"}]}') AS many \gset
SELECT outcome, count(*), min(entry_id::integer), max(entry_id::integer)
FROM kepler.insert_entries('Many', (SELECT jsonb_agg(jsonb_build_object('n', n, 't', repeat('x', n % 50))) FROM generate_series(1, 5000) AS n)) GROUP BY 1;
SELECT outcome, count(*) FROM kepler.insert_entries('Many', (SELECT jsonb_agg(jsonb_build_object('n', n)) FROM generate_series(4001, 9000) AS n), 'skip') GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT n), sum(length(t)) FROM :many;
ROLLBACK;
