-- Every kind of object that a blueprint makes or that somebody may put beside it: what drift tells of each change, and what it tells
-- after the stored document was applied again: of a change nothing, of an addition the same.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE drift_other;
\set document '{"blueprint": "shop", "tenancy": {"field": "tenant"}, "enums": {"status": {"values": ["a", "b"], "description": "Where it stands"}}, "tables": [{"name": "Parent", "table": "parents", "description": "The parents", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "code", "type": "text", "max_length": 10, "required": true, "unique": true, "default": "x", "description": "The code"}, {"name": "email", "type": "text", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer", "min": 0, "default": 7}, {"name": "state", "type": "enum", "enum": "status", "default": "a"}, {"name": "made", "type": "text", "fill": "cuid"}, {"name": "moved", "type": "timestamp", "touch": true}, {"name": "serial", "type": "integer", "generated": "serial"}], "indexes": [{"fields": ["n"], "name": "parents_n"}, {"fields": ["code"], "name": "parents_some", "where_sql": "n > 5"}]}, {"name": "Child", "table": "children", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "type": "reference", "to": "Parent", "on_delete": "cascade"}]}]}'
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
INSERT INTO shop.parents (tenant, code, email) VALUES ('default', 'one', 'Á@x'), ('default', 'two', 'b@x');
INSERT INTO shop.children (parent) SELECT id FROM shop.parents;
CREATE FUNCTION shop.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION pg_temp.told() RETURNS text[] LANGUAGE sql AS
$$ SELECT coalesce(array_agg(format('%s %s %s', d.kind, d.object_type, d.object) ORDER BY d.ordinality), '{}')
   FROM kepler.blueprint_drift('shop') WITH ORDINALITY AS d WHERE d.kind <> 'coverage' $$;
-- Whatever is done is taken back.
CREATE FUNCTION pg_temp.try(change text, OUT told text[], OUT planned text[], OUT left_over text[]) LANGUAGE plpgsql AS $$
DECLARE
    why text;
BEGIN
    BEGIN
        EXECUTE change;
        told := pg_temp.told();
        planned := ARRAY(SELECT format('%s %s', r.operation, r.class) FROM kepler.repair_blueprint('shop') AS r);
        IF planned = '{}' THEN
            left_over := told;
            RAISE EXCEPTION USING ERRCODE = 'UR001';
        END IF;
        BEGIN
            PERFORM kepler.apply_blueprint(v.document, '{rewrite,convert,drop}') FROM kepler.blueprint_versions AS v WHERE v.blueprint_name = 'shop';
            left_over := pg_temp.told();
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
            left_over := ARRAY[SQLSTATE, SQLERRM, why];
        END;
        RAISE EXCEPTION USING ERRCODE = 'UR001';
    EXCEPTION WHEN SQLSTATE 'UR001' THEN
        NULL;
    WHEN OTHERS THEN
        told := ARRAY['BAD', SQLERRM];
    END;
END $$;
CREATE TEMP TABLE changes (place serial, change text);
COPY changes (change) FROM stdin;
ALTER TABLE shop.parents RENAME TO renamed
ALTER TABLE shop.parents OWNER TO drift_other
ALTER TABLE shop.parents SET SCHEMA public
DROP TABLE shop.children
CREATE TABLE shop.extra (a text)
CREATE VIEW shop.extra AS SELECT 1 AS a
ALTER TABLE shop.children SET UNLOGGED
ALTER TABLE shop.parents SET (fillfactor = 50)
ALTER TABLE shop.parents REPLICA IDENTITY FULL
ALTER TABLE shop.children SET TABLESPACE pg_default
CREATE TABLE shop.heir () INHERITS (shop.children)
CREATE RULE mine AS ON INSERT TO shop.children DO ALSO NOTHING
CREATE STATISTICS shop.mine ON code, n FROM shop.parents
COMMENT ON TABLE shop.parents IS NULL
COMMENT ON TABLE shop.children IS 'x'
COMMENT ON COLUMN shop.parents.code IS 'x'
COMMENT ON TYPE shop.status IS 'x'
COMMENT ON SCHEMA shop IS 'x'
ALTER TABLE shop.parents DROP COLUMN n
ALTER TABLE shop.parents ADD COLUMN extra text
ALTER TABLE shop.parents RENAME COLUMN n TO m
ALTER TABLE shop.parents ALTER COLUMN n TYPE bigint
DROP INDEX shop.parents_some; ALTER TABLE shop.parents DROP CONSTRAINT parents_n_check; ALTER TABLE shop.parents ALTER COLUMN n TYPE text
ALTER TABLE shop.parents ALTER COLUMN code TYPE text
ALTER TABLE shop.parents ALTER COLUMN state DROP DEFAULT, ALTER COLUMN state TYPE text
ALTER TABLE shop.parents ALTER COLUMN state DROP DEFAULT, ALTER COLUMN state TYPE text; ALTER TABLE shop.parents ALTER COLUMN state SET DEFAULT 'b'
ALTER TABLE shop.parents ALTER COLUMN code SET DEFAULT 'y'
ALTER TABLE shop.parents ALTER COLUMN code DROP DEFAULT
ALTER TABLE shop.parents ALTER COLUMN email SET DEFAULT 'y'
ALTER TABLE shop.parents ALTER COLUMN code DROP NOT NULL
ALTER TABLE shop.parents ALTER COLUMN email SET NOT NULL
ALTER TABLE shop.parents ALTER COLUMN email TYPE text COLLATE "C"
ALTER TABLE shop.parents ALTER COLUMN code TYPE varchar(10) COLLATE "C"
ALTER TABLE shop.parents ALTER COLUMN code TYPE varchar(12) COLLATE "C"
ALTER TABLE shop.parents ALTER COLUMN email SET STORAGE EXTERNAL, ALTER COLUMN email SET COMPRESSION pglz, ALTER COLUMN email SET STATISTICS 7
ALTER TABLE shop.parents DROP COLUMN n; ALTER TABLE shop.parents ADD COLUMN n integer GENERATED ALWAYS AS (1) STORED
ALTER TABLE shop.parents DROP CONSTRAINT parents_pkey CASCADE
ALTER TABLE shop.parents RENAME CONSTRAINT parents_pkey TO mine
ALTER TABLE shop.parents DROP CONSTRAINT parents_code_key
ALTER TABLE shop.parents DROP CONSTRAINT parents_code_key; ALTER TABLE shop.parents ADD CONSTRAINT parents_code_key UNIQUE (code, n)
ALTER TABLE shop.parents DROP CONSTRAINT parents_code_key; ALTER TABLE shop.parents ADD CONSTRAINT parents_code_key UNIQUE (code) DEFERRABLE
ALTER TABLE shop.parents DROP CONSTRAINT parents_code_key; CREATE UNIQUE INDEX parents_code_key ON shop.parents (code)
ALTER TABLE shop.parents ADD CONSTRAINT extra UNIQUE (made)
ALTER TABLE shop.parents ADD CONSTRAINT extra CHECK (n < 100)
ALTER TABLE shop.parents ADD CONSTRAINT extra EXCLUDE USING btree (made WITH =)
ALTER TABLE shop.children DROP CONSTRAINT children_parent_fkey
ALTER TABLE shop.children RENAME CONSTRAINT children_parent_fkey TO mine
ALTER TABLE shop.children DROP CONSTRAINT children_parent_fkey; ALTER TABLE shop.children ADD CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES shop.parents (id)
ALTER TABLE shop.children DROP CONSTRAINT children_parent_fkey; ALTER TABLE shop.children ADD CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES shop.parents (id) ON DELETE CASCADE NOT VALID
ALTER TABLE shop.children ALTER CONSTRAINT children_parent_fkey DEFERRABLE
ALTER TABLE shop.children DISABLE TRIGGER ALL
ALTER TABLE shop.parents DISABLE TRIGGER ALL
DROP INDEX shop.parents_n
ALTER INDEX shop.parents_n RENAME TO mine
DROP INDEX shop.parents_n; CREATE INDEX parents_n ON shop.parents (n DESC)
DROP INDEX shop.parents_n; CREATE INDEX parents_n ON shop.parents (n) INCLUDE (code)
DROP INDEX shop.parents_n; CREATE INDEX parents_n ON shop.children (parent)
DROP INDEX shop.parents_n; CREATE VIEW shop.parents_n AS SELECT 1 AS a
DROP INDEX shop.parents_some; CREATE INDEX parents_some ON shop.parents (code) WHERE n > 6
ALTER INDEX shop.parents_n SET (fillfactor = 50)
DROP INDEX shop.parents_email_key
CREATE INDEX extra ON shop.parents (made)
CREATE INDEX extra ON shop.parents (upper(made))
ALTER SEQUENCE shop.parents_serial_seq OWNED BY NONE
ALTER SEQUENCE shop.parents_serial_seq RENAME TO mine
ALTER SEQUENCE shop.parents_serial_seq AS bigint
ALTER SEQUENCE shop.parents_serial_seq INCREMENT BY 5 CYCLE
ALTER SEQUENCE shop.parents_serial_seq OWNED BY NONE; ALTER SEQUENCE shop.parents_serial_seq AS bigint START WITH 5
ALTER TABLE shop.parents ALTER COLUMN serial DROP DEFAULT
ALTER TABLE shop.parents ALTER COLUMN serial SET DEFAULT 7; ALTER SEQUENCE shop.parents_serial_seq INCREMENT BY 2
DROP SEQUENCE shop.parents_serial_seq CASCADE
ALTER TABLE shop.parents ALTER COLUMN serial DROP DEFAULT; ALTER SEQUENCE shop.parents_serial_seq OWNED BY NONE
CREATE SEQUENCE shop.extra
ALTER TABLE shop.children ALTER COLUMN id DROP IDENTITY
ALTER TABLE shop.children ALTER COLUMN id SET GENERATED ALWAYS
ALTER TABLE shop.children ALTER COLUMN id SET INCREMENT BY 3
ALTER TYPE shop.status ADD VALUE 'c'
ALTER TYPE shop.status RENAME VALUE 'b' TO 'z'
ALTER TYPE shop.status RENAME TO mine
ALTER TYPE shop.status OWNER TO drift_other
ALTER TABLE shop.parents DROP COLUMN state; DROP TYPE shop.status
ALTER TABLE shop.parents DROP COLUMN state; DROP TYPE shop.status; CREATE DOMAIN shop.status AS text
CREATE TYPE shop.extra AS ENUM ('a')
DROP TRIGGER kepler_fill ON shop.parents
ALTER TABLE shop.parents DISABLE TRIGGER kepler_fill
ALTER TABLE shop.parents ENABLE REPLICA TRIGGER kepler_fill
ALTER TRIGGER kepler_fill ON shop.parents RENAME TO mine
CREATE TRIGGER mine BEFORE INSERT ON shop.parents FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('email', 'cuid')
CREATE OR REPLACE TRIGGER kepler_fill BEFORE INSERT ON shop.parents FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('email', 'cuid')
CREATE OR REPLACE TRIGGER kepler_fill BEFORE INSERT ON shop.parents FOR EACH ROW EXECUTE FUNCTION shop.noop()
CREATE TRIGGER kepler_fill BEFORE INSERT ON shop.children FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('id', 'cuid')
CREATE TRIGGER mine BEFORE INSERT ON shop.children FOR EACH ROW EXECUTE FUNCTION shop.noop()
DROP POLICY workspace ON shop.parents
ALTER POLICY workspace ON shop.parents USING (true)
ALTER POLICY workspace ON shop.parents RENAME TO mine
ALTER TABLE shop.parents DISABLE ROW LEVEL SECURITY
ALTER TABLE shop.parents FORCE ROW LEVEL SECURITY
CREATE POLICY mine ON shop.parents USING (false)
CREATE POLICY workspace ON shop.children USING (true)
ALTER TABLE shop.children ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
ALTER SCHEMA shop OWNER TO drift_other
ALTER SCHEMA shop RENAME TO mine
DROP SCHEMA shop CASCADE
\.
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n    '
SELECT c.change, 'told: ' || array_to_string(t.told, '; '), 'repair: ' || array_to_string(t.planned, '; '), 'left: ' || array_to_string(t.left_over, '; ')
FROM changes AS c CROSS JOIN LATERAL pg_temp.try(c.change) AS t ORDER BY c.place;
ROLLBACK;
