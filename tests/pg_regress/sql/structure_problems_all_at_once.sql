-- A document that is not valid is refused with all that is wrong with it at once, each at its place (a JSON
-- Pointer), and nothing is made. Peers answer with one problem at a time, or without saying where.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT count(*) AS tables FROM kepler.entry_tables;

-- What is wrong with single fields.
SELECT kepler.create_entry_table('Orders', '{
    "tittle": "an unknown key",
    "label": 1,
    "key": {"name": "created_at", "type": "serial", "start": 1},
    "fields": [
        "not an object",
        {"type": "text"},
        {"name": "no_type"},
        {"name": "OrderNo", "type": "integer"},
        {"name": "order", "type": "integer"},
        {"name": "ctid", "type": "integer"},
        {"name": "updated_at", "type": "timestamp"},
        {"name": "kind", "type": "varchar"},
        {"name": "long", "type": "text", "max_length": 0, "min_length": "2"},
        {"name": "long", "type": "text", "sql": "DEFAULT now()"},
        {"name": "price", "type": "decimal", "precision": 4, "scale": 5},
        {"name": "tax", "type": "decimal", "scale": 2},
        {"name": "state", "type": "enum"},
        {"name": "level", "type": "enum", "values": ["low", "low", 3]},
        {"name": "customer", "type": "reference", "on_delete": "explode"},
        {"name": "embedding", "type": "vector"},
        {"name": "documents", "type": "json", "list": true},
        {"name": "amount", "type": "integer", "min": 10, "max": 5, "default": 1.5},
        {"name": "count", "type": "integer", "min": 10, "default": 5, "required": "yes"},
        {"name": "due", "type": "date", "default": "tomorrow", "min": "2024-02-30"},
        {"name": "name/with~signs", "type": "text", "odd/key~": 1}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What is wrong with what is said over the fields.
SELECT kepler.create_entry_table('Orders', '{
    "fields": [
        {"name": "code", "type": "text", "max_length": 3, "default": "long"},
        {"name": "amount", "type": "integer", "min": 1},
        {"name": "data", "type": "json", "unique": true},
        {"name": "tags", "type": "text", "list": true},
        {"name": "email", "type": "text", "case_insensitive": true},
        {"name": "parent", "type": "reference", "to": "Orders", "required": true, "on_delete": "set_null"},
        {"name": "embedding", "type": "vector", "dimensions": 3000, "index": true}],
    "unique": [["code", "nothing"], ["data", "code"], ["code", "code"], [], ["amount", "code"], ["code", "amount"], "code"],
    "indexes": [{"fields": ["nothing"]}, {"fields": ["code"], "method": "gin"}, {"fields": ["data"], "method": "btree"},
        {"fields": ["code"], "metric": "l2", "method": "btree"}, {"columns": ["code"]},
        {"fields": ["amount"]}, {"fields": ["amount"]}],
    "checks": [{"field": "amount", "op": ">=", "value": 2}, {"field": "amount", "op": "=<", "value": 2},
        {"field": "code", "op": "<", "value": "b"}, {"field": "amount", "op": "<", "value": "1; DROP TABLE x"},
        {"field": "amount", "op": "<", "other_field": "code"}, {"field": "amount", "op": "<", "other_field": "amount"},
        {"field": "tags", "op": "=", "value": ["a"]}, {"sql": "amount > 0"}, {"field": "amount", "op": "="},
        {"field": "amount", "op": "<", "value": 1, "other_field": "amount"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A default that its own rules would refuse is found once all is known, as is a range that nothing passes.
SELECT kepler.create_entry_table('Orders', '{
    "fields": [
        {"name": "code", "type": "text", "min_length": 30, "default": "cuid"},
        {"name": "short_id", "type": "text", "max_length": 20, "default": "uuid"},
        {"name": "amount", "type": "integer", "max": 5, "default": 7},
        {"name": "level", "type": "decimal", "min": 10}],
    "checks": [{"field": "level", "op": "<=", "value": 9.5}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- References that lead nowhere.
SELECT kepler.create_entry_table('Orders', '{
    "fields": [
        {"name": "customer", "type": "reference", "to": "Customers"},
        {"name": "parent", "type": "reference", "to": "Orders"},
        {"name": "shop", "type": "reference", "to": "Shops"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A document about another table, and names that are none.
SELECT kepler.create_entry_table('Orders', '{"name": "Invoices", "fields": []}');
SELECT kepler.create_entry_table(' ', '{"fields": []}');
SELECT kepler.create_entry_table('Orders ', '{"fields": []}');
SELECT kepler.create_entry_table(E'Or\nders', '{"fields": []}');
SELECT kepler.create_entry_table(repeat('o', 129), '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What is no JSON, or no object.
SELECT kepler.create_entry_table('Orders', '{"fields": [}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Orders', '[]');
SELECT kepler.create_entry_table('Orders', '{}');
SELECT kepler.create_entry_table('Orders', '');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- NULL is no argument, and the workspace must be there.
SELECT kepler.create_entry_table(NULL, '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Orders', NULL::text);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Orders', '{"fields": []}', workspace_id => 'unknown');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Orders', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A plan finds the same problems; nothing was made by any of these.
SELECT * FROM kepler.plan_entry_table('Orders', '{"fields": [{"name": "a", "type": "int"}, {"name": "b"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) AS tables FROM kepler.entry_tables;
ROLLBACK;
