-- A blueprint is a whole application model: its schema, enums, tables, keys, references and indexes are planned, made together,
-- and left alone when the same document comes again.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
\set document '{"blueprint": "shop", "version": 2, "enums": {"order_status": ["draft", "sent", "paid"]}, "tables": [{"name": "Order", "table": "orders", "description": "What was bought", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "customer", "column": "customer_id", "type": "reference", "to": "Customer", "required": true}, {"name": "status", "type": "enum", "enum": "order_status", "default": "draft", "required": true}, {"name": "total", "type": "decimal", "precision": 10, "scale": 2, "min": 0}], "indexes": [{"fields": ["status", {"field": "total", "descending": true}]}]}, {"name": "Customer", "table": "customers", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "email", "type": "text", "required": true, "unique": true}, {"name": "favourite", "type": "reference", "to": "Order", "on_delete": "set_null"}, {"name": "legacy_id", "type": "integer", "generated": "serial"}]}]}'

-- The plan says each step, and does nothing.
SELECT step, operation, object, class, lock, phase, undo IS NOT NULL AS undo FROM kepler.plan_blueprint(:'document');
SELECT statement FROM kepler.plan_blueprint(:'document');
SELECT to_regnamespace('shop') IS NULL AS nothing_done, (SELECT count(*) FROM kepler.blueprints) AS blueprints;

-- References may come in any order, and go in circles.
SELECT * FROM kepler.apply_blueprint(:'document');
SELECT c.relname, c.relkind, pg_get_userbyid(c.relowner) = (SELECT tableowner FROM pg_tables WHERE schemaname = 'kepler' AND tablename = 'workspaces') AS owners
FROM pg_class AS c WHERE c.relnamespace = 'shop'::regnamespace ORDER BY 1;
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'shop'::regnamespace AND contype <> 'n' ORDER BY 1, 2;
INSERT INTO shop.customers (email) VALUES ('a@example.com');
INSERT INTO shop.orders (customer_id, total) SELECT id, 9.5 FROM shop.customers;
SELECT id, status, total FROM shop.orders;

-- The same document again, as text, json or jsonb, changes nothing.
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document'::json);
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document'::jsonb);
SELECT object_type, object, kind FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';

-- What was applied is kept: the document in normal form, and the plan that led to it.
SELECT name, version, pending_version, schemas, made_schemas, deferred, workspace_id FROM kepler.blueprints;
SELECT version, document ->> 'blueprint' AS blueprint, json_array_length(document -> 'tables') AS tables, document_version, jsonb_array_length(plan) AS steps,
    created_by = session_user AS by_me, applied_at IS NOT NULL AS applied FROM kepler.blueprint_versions;
SELECT * FROM (SELECT schema_name, table_name, blueprint_name, name FROM kepler.blueprint_tables) AS t ORDER BY 2;
-- The normal form is a document, and the same.
SELECT (kepler.apply_blueprint(document)).outcome FROM kepler.blueprint_versions;

-- A diagram for a README.
SELECT kepler.blueprint_diagram('shop');

-- A lower version than the applied one is refused.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "version": 1, "tables": []}');
ROLLBACK;

-- Broken and unknown.
SELECT kepler.plan_blueprint('{"blueprint": ');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint('{"blueprint": "Shop", "tables": [{"name": "A", "fields": [{"name": "b", "type": "strange"}], "surprise": 1}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.blueprint_drift('nowhere');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.blueprint_drift(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint('{"blueprint": "a", "tables": []}', '{everything}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint('{"blueprint": "a", "tables": []}', options => '{"adopt": 1, "vector_indexes": "soon", "what": 1}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
