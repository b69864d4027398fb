-- The owner of a table may give it a rule that leaves nothing of a statement: calls answer, and the server stays up.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT count(*) FROM kepler.create_entry_table('Ruled', '{"fields": [{"name": "a", "type": "integer", "unique": true}, {"name": "b", "type": "integer"}]}');
SELECT outcome FROM kepler.insert_entries('Ruled', '[{"a": 1}, {"a": 2}]');
DO $$
DECLARE
    ruled text := (SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'kepler_data'::regnamespace AND c.relname LIKE 'ruled\_%\_entries');
BEGIN
    EXECUTE format('ALTER TABLE kepler_data.%I RENAME TO ruled', ruled);
    CREATE RULE no_insert AS ON INSERT TO kepler_data.ruled DO INSTEAD NOTHING;
    CREATE RULE no_update AS ON UPDATE TO kepler_data.ruled DO INSTEAD NOTHING;
    CREATE RULE no_delete AS ON DELETE TO kepler_data.ruled DO INSTEAD NOTHING;
    EXECUTE format('ALTER TABLE kepler_data.ruled RENAME TO %I', ruled);
END
$$;
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT outcome FROM kepler.insert_entries('Ruled', '[{"a": 3}]', 'skip');
ROLLBACK TO s;
SELECT outcome FROM kepler.update_entries('Ruled', '[{"entry_id": 1, "b": 3}]', 'skip');
ROLLBACK TO s;
SELECT outcome FROM kepler.upsert_entries('Ruled', '{a}', '[{"a": 1, "b": 4}, {"a": 5}]', 'skip');
ROLLBACK TO s;
SELECT outcome FROM kepler.delete_entries('Ruled', '{1}', 'skip');
ROLLBACK TO s;
\set VERBOSITY terse

-- Rows of a seed.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ruled", "tables": [{"name": "p", "fields": [{"name": "n", "type": "text", "unique": true}, {"name": "m", "type": "text"}]}],
  "seed": {"p": {"rows": [{"n": "1", "m": "x"}], "existing": "update"}}}');
CREATE RULE r AS ON UPDATE TO ruled.p DO INSTEAD NOTHING;
UPDATE ruled.p SET m = 'y';
DROP RULE r ON ruled.p;
UPDATE ruled.p SET m = 'y';
CREATE RULE r AS ON UPDATE TO ruled.p DO INSTEAD NOTHING;
CREATE RULE i AS ON INSERT TO ruled.p DO INSTEAD NOTHING;
CREATE FUNCTION pg_temp.again() RETURNS text LANGUAGE sql AS $$
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ruled", "tables": [{"name": "p", "fields": [{"name": "n", "type": "text", "unique": true}, {"name": "m", "type": "text"}]}],
  "seed": {"p": {"rows": [{"n": "1", "m": "x"}], "existing": "update"}}}')
$$;
SAVEPOINT s;
SELECT pg_temp.again();
ROLLBACK TO s;
DELETE FROM ruled.p;
SAVEPOINT s;
SELECT pg_temp.again();
ROLLBACK TO s;
ROLLBACK;
