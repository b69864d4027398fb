-- What users have built on a table: a plan says in words what becomes of it, and what Postgres would refuse is refused before
-- anything is done.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
-- Nine fields, some of them with changes, or gone.
CREATE FUNCTION pg_temp.document(changes jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_build_object('fields', jsonb_agg(f || coalesce(changes -> (f ->> 'name'), '{}') ORDER BY f ->> 'name'))::text
    FROM jsonb_array_elements('[{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}, {"name": "c", "type": "integer"}, {"name": "d", "type": "integer"}, {"name": "e", "type": "integer"},
        {"name": "f", "type": "integer"}, {"name": "g", "type": "integer"}, {"name": "h", "type": "text", "max_length": 9}, {"name": "i", "type": "text"}]') AS f
    WHERE changes -> (f ->> 'name') IS DISTINCT FROM 'null' $$;
SELECT kepler.create_entry_table('Used', pg_temp.document()) AS used \gset
CREATE VIEW shown AS SELECT a, h FROM :used;
CREATE MATERIALIZED VIEW counted AS SELECT count(b) FROM :used;
ALTER TABLE :used ADD COLUMN twice integer GENERATED ALWAYS AS (c * 2) STORED;
CREATE POLICY few ON :used AS RESTRICTIVE USING (d < 10);
CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER watched BEFORE UPDATE OF e ON :used FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
CREATE FUNCTION total() RETURNS bigint BEGIN ATOMIC SELECT sum(f) FROM kepler_data.used_1_entries; END;
ALTER TABLE :used ADD CONSTRAINT small CHECK (g < 100), ALTER COLUMN i SET DEFAULT upper('x');
CREATE INDEX odd ON :used (g) WHERE g % 2 = 1;
CREATE STATISTICS together ON g, f FROM :used;
ALTER TABLE :used ADD CONSTRAINT apart EXCLUDE (entry_id WITH =) WHERE (g > 0);
SET LOCAL client_min_messages = error;
CREATE PUBLICATION sent FOR TABLE :used (entry_id, h);
RESET client_min_messages;

-- Types that cannot change, with what is in the way; a length neither. The others say what is made anew.
SELECT object, class, hazards FROM kepler.plan_entry_table('Used', pg_temp.document('{"a": {"type": "bigint"}, "b": {"type": "bigint"}, "c": {"type": "bigint"}, "d": {"type": "bigint"}, "e": {"type": "bigint"}, "f": {"type": "bigint"}, "g": {"type": "bigint"}, "h": {"max_length": 20}, "i": {"type": "integer"}}'));
SELECT kepler.alter_entry_table('Used', pg_temp.document('{"a": {"type": "bigint"}, "i": {"type": "integer"}}'), allow => '{rewrite,convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Used', pg_temp.document('{"g": {"type": "bigint"}}'), allow => '{rewrite}');
SELECT object, class, hazards FROM kepler.plan_entry_table('Used', pg_temp.document('{"g": {"type": "decimal", "required": true, "unique": true}}'));
-- A field that is hidden or renamed takes what is built on it along.
SELECT operation, object, class, hazards FROM kepler.plan_entry_table('Used', pg_temp.document('{"a": null, "b": null, "c": null, "d": null, "e": null, "f": null, "g": {"type": "bigint", "name": "number", "renamed_from": "g"}, "h": {"name": "words", "renamed_from": "h"}}'));
SELECT kepler.alter_entry_table('Used', pg_temp.document('{"g": {"type": "bigint"}, "a": null, "h": null}'));
-- What is purged takes no views and the like along: neither a field nor a table.
SELECT kepler.purge_field('Used', 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.purge_field('Used', 'h');
CREATE TABLE kept_row (r kepler_data.used_1_entries);
CREATE TABLE kept_reference (r bigint REFERENCES :used);
SELECT kepler.drop_entry_table('Used') IS NOT NULL AS dropped;
SELECT kepler.purge_entry_table('Used');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.restore_entry_table('Used') IS NOT NULL AS restored;
-- A row of this table in another one; then nothing changes its type.
SELECT object, class, hazards FROM kepler.plan_entry_table('Used', pg_temp.document('{"g": {"type": "decimal"}, "a": null, "h": null}')) WHERE operation = 'change_type';

-- Tables that inherit from it are changed with it, and their rows looked at too.
SELECT kepler.create_entry_table('Parent', '{"fields": [{"name": "p", "type": "decimal", "precision": 12, "scale": 4}]}') AS parent \gset
CREATE TABLE heir () INHERITS (:parent);
INSERT INTO heir (entry_id, p) VALUES (77, 1.2345);
SELECT kepler.alter_entry_table('Parent', '{"fields": [{"name": "p", "type": "decimal", "precision": 10, "scale": 2}]}', allow => '{convert}');
SELECT kepler.alter_entry_table('Parent', '{"fields": [{"name": "p", "type": "decimal", "precision": 12, "scale": 4, "required": true, "max": 1}]}');
SELECT p FROM heir;
-- One that inherits itself is changed where it is from.
SELECT kepler.create_entry_table('Heir', '{"fields": [{"name": "p", "type": "integer"}, {"name": "q", "type": "integer"}]}') AS heir \gset
CREATE TABLE ancestor (p integer);
ALTER TABLE :heir INHERIT ancestor;
SELECT operation, object, class, hazards FROM kepler.plan_entry_table('Heir', '{"fields": [{"name": "p", "type": "bigint"}, {"name": "r", "renamed_from": "q", "type": "integer"}]}');
SELECT operation, object, class, hazards FROM kepler.plan_entry_table('Heir', '{"fields": [{"name": "q", "type": "integer"}]}');
SELECT operation, object, class, hazards FROM kepler.plan_entry_table('Heir', '{"fields": [{"name": "q", "type": "integer"}, {"name": "r", "renamed_from": "p", "type": "integer"}]}');
-- Policies that are to hold for the owner too (FORCE) would hide rows from the look: it fails, and is not empty.
SAVEPOINT forced;
CREATE ROLE kepler_forced;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_forced;
GRANT ALL ON SCHEMA kepler_data TO kepler_forced;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_forced;
ALTER TABLE kepler.workspaces OWNER TO kepler_forced;
ALTER TABLE kepler.access_levels OWNER TO kepler_forced;
ALTER TABLE kepler.workspace_members OWNER TO kepler_forced;
ALTER TABLE kepler.entry_tables OWNER TO kepler_forced;
ALTER TABLE kepler.structures OWNER TO kepler_forced;
ALTER TABLE kepler.hidden_fields OWNER TO kepler_forced;
ALTER SEQUENCE kepler.entry_table_numbers OWNER TO kepler_forced;
SELECT kepler.create_entry_table('Forced', '{"fields": [{"name": "p", "type": "decimal", "precision": 12, "scale": 4}]}') AS forced \gset
ALTER TABLE :forced FORCE ROW LEVEL SECURITY;
INSERT INTO :forced (p) VALUES (1.2345);
SET LOCAL kepler.workspace_id = 'another';
SELECT kepler.alter_entry_table('Forced', '{"fields": [{"name": "p", "type": "decimal", "precision": 10, "scale": 2}]}', allow => '{convert}', workspace_id => 'default');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT p FROM :forced;
ROLLBACK TO forced;
ROLLBACK;
