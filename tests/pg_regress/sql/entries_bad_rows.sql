-- Entries that break rules: all violations of all elements are named, each with its place, and nothing
-- is written; or the valid entries land and the others are answered.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_entry_table('Inventory Record', '{"fields": [
    {"name": "item_id", "type": "integer", "required": true, "unique": true},
    {"name": "item_name", "type": "text", "max_length": 8, "min_length": 2},
    {"name": "quantity", "type": "integer", "min": 0},
    {"name": "reserved", "type": "integer"},
    {"name": "price", "type": "decimal", "precision": 5, "scale": 2},
    {"name": "status", "type": "enum", "values": ["in_stock", "sold_out"]}],
    "checks": [{"field": "reserved", "op": "<=", "other_field": "quantity"}]}') AS inventory \gset
SELECT outcome FROM kepler.insert_entries('Inventory Record', '[{"item_id": 1}]');
CREATE TEMP TABLE batch AS SELECT '[
    {"item_id": 1},
    {"item_id": 2, "item_name": "a", "quantity": -1, "colour": "red"},
    {"item_name": "ninechars"},
    {"item_id": 3, "reserved": 2, "quantity": 1},
    {"item_id": 4, "price": 1.005, "status": "lost"},
    {"item_id": 5},
    {"item_id": 5},
    {"item_id": null, "price": 1000},
    {"item_id": 6, "item_name": "a\u0000b"},
    {"item_id": 7, "item_id": 8},
    {"item_id": 9, "quantity": 99999999999},
    {"item_id": 10, "quantity": 1.5},
    {"item_id": 11, "a/b~c": 1},
    {"item_id": 12, "price": },
    17,
    {"item_id": "13", "quantity": "4"}]'::text AS entries;

-- reject, the default: one error with everything, and nothing is written.
SAVEPOINT before;
SELECT * FROM kepler.insert_entries('Inventory Record', (SELECT entries FROM batch));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT count(*) FROM :inventory;

-- skip: the valid ones land.
SELECT ordinal, outcome, error_code, error FROM kepler.insert_entries('Inventory Record', (SELECT entries FROM batch), on_error => 'skip');
SELECT item_id, quantity FROM :inventory ORDER BY 1;

-- The same for programs.
SELECT ordinal, v ->> 'path' AS path, v ->> 'code' AS code
FROM kepler.insert_entries('Inventory Record', (SELECT entries FROM batch), 'skip'), jsonb_array_elements(violations) AS v;

-- An error names a hundred violations and counts the rest.
SELECT FROM kepler.insert_entries('Inventory Record', (SELECT '[' || string_agg('{}', ',') || ']' FROM generate_series(1, 3)));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
DO $$
DECLARE
    detail text;
BEGIN
    PERFORM kepler.insert_entries('Inventory Record', (SELECT '[' || string_agg('{}', ',') || ']' FROM generate_series(1, 250)));
EXCEPTION WHEN not_null_violation THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '%: % lines, the last is %', SQLERRM, array_length(string_to_array(detail, E'\n'), 1), split_part(detail, E'\n', 101);
END $$;

-- What the table refuses for reasons of its own: a constraint and a trigger that the user added.
ALTER TABLE :inventory ADD CONSTRAINT not_thirteen CHECK (quantity <> 13);
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.quantity = 14 THEN RETURN NULL; END IF;
    IF NEW.quantity = 15 THEN RAISE EXCEPTION 'fifteen is taken'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_out BEFORE INSERT ON :inventory FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT ordinal, outcome, error_code, regexp_replace(error, 'relation "\w+"', 'relation …') AS error FROM kepler.insert_entries('Inventory Record', (
    SELECT jsonb_agg(jsonb_build_object('item_id', 100 + n, 'quantity', n)) FROM generate_series(10, 17) AS n), 'skip');
SAVEPOINT before;
\set VERBOSITY sqlstate
SELECT * FROM kepler.insert_entries('Inventory Record', '[{"item_id": 200, "quantity": 13}]');
\set VERBOSITY default
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('Inventory Record', '[{"item_id": 200, "quantity": 14}]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;

-- Calls that make no sense.
SELECT * FROM kepler.insert_entries('Inventory Record', '[]', 'ignore');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('Inventory Record', '"{}"');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('Inventory Record', '[{"item_id": 1');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('No Such Record', '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('Inventory Record', '[]', workspace_id => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries(NULL, '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT * FROM kepler.insert_entries('Inventory Record', NULL::text);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
