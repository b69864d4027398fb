-- A schema that a blueprint made and leaves is dropped, if it is empty and nobody has a wish for it; one that it found never is.
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE FUNCTION pg_temp.doc(name text, VARIADIC places text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('blueprint', name, 'schema', places[1], 'enums', jsonb_build_object(name || '_state', jsonb_build_array('a')),
        'tables', (SELECT jsonb_agg(jsonb_build_object('name', name || p.at, 'table', name || p.at, 'schema', p.place, 'key', jsonb_build_object('name', 'id', 'type', 'bigint'),
                'fields', jsonb_build_array(jsonb_build_object('name', 'n', 'type', 'integer', 'generated', 'serial')))) FROM unnest(places) WITH ORDINALITY AS p (place, at)))
$$;
CREATE VIEW pg_temp.schemas AS SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bs\_%';
CREATE SCHEMA bs_found;
CREATE ROLE bs_role;
SELECT version, steps FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_a', 'bs_b', 'bs_found'));
INSERT INTO bs_a.s1 DEFAULT VALUES;
-- Its tables move, and the types with them: the schemas go with the last.
SELECT operation, object, statement, undo, phase FROM kepler.plan_blueprint(pg_temp.doc('s', 'bs_c', 'bs_c', 'bs_c'), '{"online": true}');
SELECT version FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_c', 'bs_c', 'bs_c'));
SELECT * FROM pg_temp.schemas ORDER BY 1;
SELECT schemas, made_schemas FROM kepler.blueprints WHERE name = 's';
SELECT * FROM bs_c.s1;
SELECT count(*) AS steps FROM kepler.plan_blueprint(pg_temp.doc('s', 'bs_c', 'bs_c', 'bs_c'));

-- Somebody's view, function, comment, right or default right keeps a schema. When that is gone, the next application drops it.
SELECT version FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_c', 'bs_d', 'bs_e'));
SELECT version FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_f', 'bs_g', 'bs_h'));
SELECT * FROM pg_temp.schemas ORDER BY 1;
CREATE FUNCTION bs_f.somebodys() RETURNS integer LANGUAGE sql AS 'SELECT 1';
COMMENT ON SCHEMA bs_g IS 'mine';
GRANT USAGE ON SCHEMA bs_h TO bs_role;
SELECT version FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_i'), '{drop}');
SELECT * FROM pg_temp.schemas ORDER BY 1;
ALTER DEFAULT PRIVILEGES IN SCHEMA bs_i GRANT SELECT ON TABLES TO bs_role;
SELECT version FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_found'));
REVOKE USAGE ON SCHEMA bs_h FROM bs_role;
SELECT object_type, object, kind FROM kepler.blueprint_drift('s') WHERE kind <> 'coverage';
SELECT version, outcome, steps FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_found'));
SELECT * FROM pg_temp.schemas ORDER BY 1;
-- Dropped with the blueprint are those that it made; the right of a level of access is no wish of anybody's.
COMMENT ON SCHEMA bs_g IS NULL;
SELECT outcome FROM kepler.drop_blueprint('s', '{"with_rows": true}');
SELECT * FROM pg_temp.schemas ORDER BY 1;
DROP FUNCTION bs_f.somebodys;
DROP SCHEMA bs_f, bs_i;
SELECT kepler.grant_access('bs_role', 'reader');
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_j'));
SELECT has_schema_privilege('bs_role', 'bs_j', 'USAGE');
SELECT outcome FROM kepler.drop_blueprint('s');
SELECT * FROM pg_temp.schemas ORDER BY 1;

-- One that another blueprint is in goes with that one.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_k'));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('t', 'bs_k'));
SELECT outcome FROM kepler.drop_blueprint('s');
SELECT * FROM pg_temp.schemas ORDER BY 1;
SELECT outcome FROM kepler.drop_blueprint('t');
SELECT * FROM pg_temp.schemas ORDER BY 1;
-- Left, and made again by somebody, it is not the blueprint's any more.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_l'));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_found'));
CREATE SCHEMA bs_l;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('s', 'bs_l'));
SELECT outcome FROM kepler.drop_blueprint('s');
SELECT * FROM pg_temp.schemas ORDER BY 1;
DROP SCHEMA bs_l, bs_found;
SELECT kepler.revoke_access('bs_role');
DROP ROLE bs_role;
