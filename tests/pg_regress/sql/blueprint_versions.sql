-- Each next version of a blueprint is planned from what is there: tables and columns are renamed, added and changed, and what the
-- document no longer names is dropped, if that is allowed.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT version, outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "enums": {"status": ["draft", "sent"]}, "tables": [
    {"name": "Customer", "table": "customers", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "email", "type": "text", "required": true, "unique": true}, {"name": "age", "type": "integer"}]},
    {"name": "Order", "table": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "customer", "column": "customer_id", "type": "reference", "to": "Customer"}, {"name": "state", "type": "enum", "enum": "status", "default": "draft"}, {"name": "note", "type": "text"}], "indexes": [{"fields": ["state"]}]},
    {"name": "Old", "table": "old", "fields": [{"name": "a", "type": "text"}]}]}');
INSERT INTO shop.customers (email, age) VALUES ('a@example.com', 30), ('b@example.com', NULL);
INSERT INTO shop.orders (customer_id, state, note) VALUES (1, 'sent', 'first'), (2, 'draft', NULL);
INSERT INTO shop.old VALUES ('x'), ('y');

-- A table and a column are renamed, a type is renamed and gets a value, a table leaves, a column leaves, a column is required.
\set next '{"blueprint": "shop", "enums": {"order_status": {"values": ["draft", "sent", "paid"], "renamed_from": "status"}}, "tables": [{"name": "Client", "table": "clients", "renamed_from": "Customer", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mail", "renamed_from": "email", "type": "text", "required": true, "unique": true}, {"name": "age", "type": "bigint"}, {"name": "since", "type": "date", "default": "now"}]}, {"name": "Order", "table": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "client", "renamed_from": "customer", "column": "client_id", "type": "reference", "to": "Client", "required": true}, {"name": "state", "type": "enum", "enum": "order_status", "default": "draft"}], "indexes": [{"fields": ["state"]}]}]}'
SELECT operation, object, class, phase FROM kepler.plan_blueprint(:'next');
-- What destroys or rewrites needs permission, and says how much.
SELECT kepler.apply_blueprint(:'next');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT to_regclass('shop.clients') IS NULL AS nothing_done;
SELECT version, outcome FROM kepler.apply_blueprint(:'next', '{drop,rewrite}');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'next');
SELECT version, outcome FROM kepler.apply_blueprint(:'next');
SELECT id, mail, age, since = (now() AT TIME ZONE 'UTC')::date AS since FROM shop.clients ORDER BY id;
SELECT * FROM shop.orders ORDER BY id;
SELECT indexname FROM pg_indexes WHERE schemaname = 'shop' ORDER BY 1;
SELECT conname FROM pg_constraint WHERE connamespace = 'shop'::regnamespace AND contype <> 'n' ORDER BY 1;
SELECT object_type, object, kind FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT table_name, name FROM kepler.blueprint_tables ORDER BY 1;

-- Rows in the way of several tables are told at once, and nothing is changed.
INSERT INTO shop.clients (mail) VALUES ('c@example.com');
\set blocked '{"blueprint": "shop", "enums": {"order_status": ["draft", "sent", "paid"]}, "tables": [{"name": "Client", "table": "clients", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mail", "type": "text", "required": true, "unique": true}, {"name": "age", "type": "bigint", "required": true}, {"name": "since", "type": "date", "default": "now"}]}, {"name": "Order", "table": "orders", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "client", "column": "client_id", "type": "reference", "to": "Client", "required": true, "unique": true}, {"name": "state", "type": "enum", "enum": "order_status", "default": "draft"}], "indexes": [{"fields": ["state"]}]}]}'
INSERT INTO shop.orders (client_id) VALUES (1);
SELECT kepler.apply_blueprint(:'blocked');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version, pending_version FROM kepler.blueprints;

-- What somebody made on a table keeps its column and itself.
CREATE VIEW shop.client_ages AS SELECT age FROM shop.clients;
CREATE INDEX by_hand ON shop.clients (since);
ALTER TABLE shop.clients ADD COLUMN added text;
SELECT kepler.apply_blueprint('{"blueprint": "shop", "enums": {"order_status": ["draft", "sent", "paid"]}, "tables": [{"name": "Client", "table": "clients", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mail", "type": "text", "required": true, "unique": true}, {"name": "since", "type": "date", "default": "now"}]}]}', '{drop}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP VIEW shop.client_ages;
SELECT version, outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "tables": [{"name": "Client", "table": "clients", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "mail", "type": "text", "required": true, "unique": true}, {"name": "since", "type": "date", "default": "now"}]}]}', '{drop}');
SELECT object_type, object, kind, actual FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage' ORDER BY 2;
SELECT typname FROM pg_type WHERE typnamespace = 'shop'::regnamespace AND typtype = 'e';

-- A version that was read before another one came is told so.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "tables": []}', '{drop}', '{"version": 2}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A rename of what is not there.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "tables": [{"name": "New", "table": "new", "renamed_from": "Never", "fields": [{"name": "a", "type": "text"}]}]}', '{drop}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version, plan IS NOT NULL AS plan, applied_at IS NOT NULL AS applied FROM kepler.blueprint_versions ORDER BY 1;
ROLLBACK;
