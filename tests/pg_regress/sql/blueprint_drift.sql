-- Drift is told by the database itself: for each kind of object what is missing, what is extra and what was changed; and the plan
-- back is empty when it was taken.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set document '{"blueprint": "shop", "tenancy": {"field": "tenant"}, "enums": {"status": {"values": ["a", "b"]}}, "tables": [{"name": "Parent", "table": "parents", "description": "The parents", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "code", "type": "text", "max_length": 10, "required": true, "unique": true, "default": "x", "description": "The code"}, {"name": "n", "type": "integer", "min": 0}, {"name": "state", "type": "enum", "enum": "status"}, {"name": "made", "type": "text", "fill": "cuid"}, {"name": "moved", "type": "timestamp", "touch": true}, {"name": "serial", "type": "integer", "generated": "serial"}], "indexes": [{"fields": ["n"], "name": "parents_n"}]}, {"name": "Child", "table": "children", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "type": "reference", "to": "Parent", "on_delete": "cascade"}]}]}'
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
CREATE VIEW pg_temp.drift AS SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT * FROM pg_temp.drift;
-- What is not compared is said.
SELECT object_type, kind, count(*) > 5 AS several FROM kepler.blueprint_drift('shop') GROUP BY 1, 2;
-- The names of constraints of NOT NULL are Postgres' own.

\set reset 'ROLLBACK TO SAVEPOINT clean; SAVEPOINT clean;'
SAVEPOINT clean;
-- Columns: missing, extra, and changed in type, default and nullability.
ALTER TABLE shop.parents DROP COLUMN n, ADD COLUMN mine text DEFAULT 'm';
ALTER TABLE shop.parents ALTER COLUMN code TYPE text, ALTER COLUMN code DROP DEFAULT, ALTER COLUMN tenant DROP NOT NULL;
ALTER TABLE shop.children ALTER COLUMN id DROP IDENTITY;
ALTER TABLE shop.parents ALTER COLUMN serial DROP DEFAULT;
SELECT * FROM pg_temp.drift;
:reset
-- Constraints and indexes.
ALTER TABLE shop.parents DROP CONSTRAINT parents_code_key, ADD CONSTRAINT mine CHECK (n < 100), ADD CONSTRAINT odd CHECK (n % 2 = 1);
ALTER TABLE shop.parents RENAME CONSTRAINT parents_pkey TO parents_key;
ALTER TABLE shop.children DROP CONSTRAINT children_parent_fkey;
ALTER TABLE shop.children ADD CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES shop.parents (id) NOT VALID;
DROP INDEX shop.parents_n;
CREATE INDEX by_hand ON shop.children (parent DESC);
SELECT * FROM pg_temp.drift;
:reset
DROP INDEX shop.parents_n;
CREATE INDEX parents_n ON shop.parents (n, code);
ALTER TABLE shop.children DROP CONSTRAINT children_pkey;
SELECT * FROM pg_temp.drift;
:reset
-- Enums and their values.
ALTER TYPE shop.status ADD VALUE 'c';
CREATE TYPE shop.mood AS ENUM ('x');
SELECT * FROM pg_temp.drift;
:reset
ALTER TYPE shop.status RENAME VALUE 'b' TO 'z';
SELECT * FROM pg_temp.drift;
:reset
ALTER TABLE shop.parents DROP COLUMN state;
DROP TYPE shop.status;
SELECT * FROM pg_temp.drift;
:reset
-- Triggers, policies and row security.
DROP TRIGGER kepler_fill ON shop.parents;
DROP POLICY workspace ON shop.parents;
CREATE FUNCTION shop.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER mine BEFORE INSERT ON shop.children FOR EACH ROW EXECUTE FUNCTION shop.noop();
CREATE POLICY mine ON shop.children USING (true);
SELECT * FROM pg_temp.drift;
:reset
ALTER TABLE shop.parents DISABLE TRIGGER kepler_fill, DISABLE ROW LEVEL SECURITY;
SELECT * FROM pg_temp.drift;
:reset
DROP POLICY workspace ON shop.parents;
CREATE POLICY workspace ON shop.parents USING (true);
SELECT * FROM pg_temp.drift;
:reset
-- Comments.
COMMENT ON TABLE shop.parents IS 'Others';
COMMENT ON COLUMN shop.parents.code IS NULL;
COMMENT ON COLUMN shop.parents.n IS 'by hand';
SELECT * FROM pg_temp.drift;
:reset
-- Tables: missing, extra, and something else in the place of one.
DROP TABLE shop.children;
CREATE TABLE shop.notes (a text);
SELECT * FROM pg_temp.drift;
:reset
ALTER TABLE shop.children RENAME TO children_before;
CREATE VIEW shop.children AS SELECT * FROM shop.children_before;
SELECT * FROM pg_temp.drift;
:reset
DROP SCHEMA shop CASCADE;
SELECT * FROM pg_temp.drift;
:reset

-- The plan back is what apply_blueprint does with the document that was applied; what users added stays.
ALTER TABLE shop.parents DROP COLUMN n, ADD COLUMN mine text, ALTER COLUMN code TYPE text;
ALTER TABLE shop.children DROP CONSTRAINT children_parent_fkey;
DROP TRIGGER kepler_fill ON shop.parents;
SELECT operation, object, statement FROM kepler.repair_blueprint('shop');
SELECT a.version, a.outcome FROM kepler.blueprints AS b
JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version = b.version
CROSS JOIN LATERAL kepler.apply_blueprint(v.document, '{rewrite,convert}') AS a WHERE b.name = 'shop';
SELECT * FROM pg_temp.drift;
SELECT count(*) AS steps FROM kepler.repair_blueprint('shop');
ROLLBACK;
