-- What is stored may be sent again: a source, a form and an upsert send all columns, also the one with an old secret that nobody
-- has taken out yet. What is new is refused all the same, whoever sets the column: the statement, or a trigger of its own.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
\set old '{"password": "hunter2", "n": 1}'
SET LOCAL kepler.on_secret = 'allow';
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'crm', 'crm', :'old');
INSERT INTO kepler.users (id, email, metadata) VALUES ('u', 'u@example.com', :'old');
RESET kepler.on_secret;

-- An upsert in SQL: the row with the key has the same value, by whichever unique key it is found.
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'new name', 'crm', :'old')
ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, metadata = excluded.metadata RETURNING name, metadata;
INSERT INTO kepler.users (id, email, name, metadata) VALUES ('u', 'u@example.com', 'U', :'old')
ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, metadata = excluded.metadata RETURNING name, metadata;
-- Another secret, a secret in another row, and one that is only the same in part are new.
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'x', 'crm', '{"password": "hunter3", "n": 1}')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('d', 'x', 'other', :'old')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'x', 'crm', '{"password": "hunter2", "n": 2}')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
-- MERGE asks first, and so does an update.
MERGE INTO kepler.connections AS t USING (VALUES ('c', :'old'::jsonb)) AS s (id, metadata) ON t.workspace_id = 'default' AND t.id = s.id
WHEN MATCHED THEN UPDATE SET metadata = s.metadata, name = 'merged';
UPDATE kepler.connections SET metadata = metadata || '{}', name = 'updated' WHERE id = 'c' RETURNING name;
-- Who may not read the row gets no answer about it.
CREATE ROLE regress_kepler_blind;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO regress_kepler_blind;
GRANT INSERT ON kepler.users TO regress_kepler_blind;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler TO regress_kepler_blind;
SET LOCAL ROLE regress_kepler_blind;
INSERT INTO kepler.users (id, email, metadata) VALUES ('u', 'u@example.com', :'old') ON CONFLICT DO NOTHING;
RESET ROLE;

-- A role under row security has the same promise in its workspace; of a row elsewhere it learns nothing, whether it guesses the
-- secret or not.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'Other');
SET LOCAL kepler.on_secret = 'allow';
INSERT INTO kepler.connections (workspace_id, id, name, reference_id, metadata) VALUES ('other', 'c', 'crm', 'crm', :'old');
RESET kepler.on_secret;
CREATE ROLE regress_kepler_admin;
SELECT kepler.grant_access('regress_kepler_admin', 'admin');
SET LOCAL ROLE regress_kepler_admin;
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'by a role', 'crm', :'old')
ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, metadata = excluded.metadata RETURNING name;
INSERT INTO kepler.connections (id, name, reference_id, metadata) VALUES ('c', 'by a role', 'crm', '{"password": "hunter3", "n": 1}')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
INSERT INTO kepler.connections (workspace_id, id, name, reference_id, metadata) VALUES ('other', 'c', 'x', 'crm', :'old')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
INSERT INTO kepler.connections (workspace_id, id, name, reference_id, metadata) VALUES ('other', 'c', 'x', 'crm', '{"password": "hunter3", "n": 1}')
ON CONFLICT (workspace_id, id) DO UPDATE SET metadata = excluded.metadata;
SELECT outcome FROM kepler.remember('likes tea');
SELECT kepler.remember('postgres://app:hunter2@db/app');
SELECT relation.key, relation.path FROM kepler.find_secrets('kepler.connections') AS relation;
RESET ROLE;

-- A trigger in front of the guard sets a column that the statement does not name; one whose name is late does so too.
CREATE FUNCTION pg_temp.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.metadata := '{"apiKey": "abcd1234efgh"}'; RETURN NEW; END $$;
CREATE TRIGGER a_spoil BEFORE INSERT OR UPDATE ON kepler.connections FOR EACH ROW EXECUTE FUNCTION pg_temp.spoil();
UPDATE kepler.connections SET name = 'y' WHERE id = 'c';
DROP TRIGGER a_spoil ON kepler.connections;
CREATE TRIGGER update_metadata BEFORE INSERT OR UPDATE ON kepler.connections FOR EACH ROW EXECUTE FUNCTION pg_temp.spoil();
UPDATE kepler.connections SET name = 'y' WHERE id = 'c';
DROP TRIGGER update_metadata ON kepler.connections;
CREATE FUNCTION pg_temp.spoil_reference() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.secret_ref := 'hunter2'; RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON kepler.connections FOR EACH ROW EXECUTE FUNCTION pg_temp.spoil_reference();
UPDATE kepler.connections SET name = 'y' WHERE id = 'c';
DROP TRIGGER spoil ON kepler.connections;
-- Each guard fires for all updates, and behind all triggers of Kepler's.
SELECT g.tgrelid::regclass AS relation, g.tgname AS trigger, cardinality(g.tgattr::int2[]) AS columns, (
    SELECT string_agg(o.tgname, ', ' ORDER BY o.tgname) FROM pg_trigger AS o
    WHERE o.tgrelid = g.tgrelid AND NOT o.tgisinternal AND o.tgtype & 3 = 3 AND o.tgname > g.tgname AND o.tgname NOT LIKE 'zz\_%') AS later
FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
WHERE p.pronamespace = 'kepler_internal'::regnamespace AND p.proname IN ('guard_secrets', 'check_secret_references')
    -- Versions of workflows are never updated.
    AND (cardinality(g.tgattr::int2[]) > 0 OR g.tgname NOT LIKE 'zz\_%' OR g.tgtype <> 23) AND g.tgrelid <> 'kepler.workflow_versions'::regclass;

-- Entries: a field of references that was no reference before it was marked.
SELECT kepler.create_entry_table('Old', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "token", "type": "text"}, {"name": "n", "type": "integer"}]}');
SELECT count(*) FROM kepler.insert_entries('Old', '[{"name": "a", "token": "hunter2", "n": 1}, {"name": "b", "token": "hunter3", "n": 1}, {"name": "c"}]');
SELECT kepler.alter_entry_table('Old', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "token", "type": "text", "sensitive": "reference"}, {"name": "n", "type": "integer"}]}');
SELECT ordinal, outcome, error_code, error FROM kepler.upsert_entries('Old', '{name}', '[{"name": "a", "token": "hunter2", "n": 2}, {"name": "b", "token": "hunter3"}, {"name": "c", "token": "hunter2"}, {"name": "d", "token": "hunter2"}]', on_error => 'skip');
-- Of elements for one entry the last that is sound wins.
SELECT ordinal, outcome, error_code FROM kepler.upsert_entries('Old', '{name}', '[{"name": "c", "n": 3}, {"name": "c", "token": "hunter4", "n": 4}, {"name": "a", "token": "hunter9", "n": 5}, {"name": "a", "token": "hunter2", "n": 6}]', on_error => 'skip');
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('Old', (SELECT json_agg(json_build_object('entry_id', e.entry_id, 'token', CASE e.name WHEN 'b' THEN 'hunter9' ELSE 'hunter2' END, 'n', 7) ORDER BY e.name)::text FROM kepler_data.old_1_entries AS e), on_error => 'skip');
SELECT kepler.upsert_entries('Old', '{name}', '[{"name": "b", "token": "hunter9"}]');
SELECT name, token, n FROM kepler_data.old_1_entries ORDER BY name;
INSERT INTO kepler_data.old_1_entries (name, token, n) VALUES ('a', 'hunter2', 8) ON CONFLICT (name) DO UPDATE SET token = excluded.token, n = excluded.n RETURNING name, n;
INSERT INTO kepler_data.old_1_entries (name, token) VALUES ('e', 'hunter2') ON CONFLICT (name) DO UPDATE SET token = excluded.token;
ROLLBACK;
