-- What only the name of a key speaks of is refused if it looks like a secret too. Cursors of syncs, documents that describe fields,
-- labels, paths, ids and code are stored; find_secrets tells of some as possible.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
-- Documents.
CREATE TABLE documents (id integer PRIMARY KEY, d jsonb);
INSERT INTO documents SELECT ordinality, d::jsonb FROM unnest(ARRAY[
    '{"next_page": {"token": "CAESBkFCQ0RFRjE2NzY1"}}', '{"token": "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPq", "checkpoint": {"token": "q8Zr2LmN5tYx0KpWb7Cd"}}',
    '{"errors": {"password": ["invalid", "min8chars"]}}', '{"columns": {"password": "varchar", "api_key": "char32"}}', '{"labels": {"password": "Kennwort1"}}',
    '{"password": "Passwort"}', '{"password": "required|min:8"}', '{"env": {"PWD": "/home/app"}}', '{"authorization": "basic_auth"}', '{"authorization": "AUTH-123456"}',
    '{"account_key": "ACC-10023"}', '{"secret": "my-app-secret"}', '{"encryption_key": "6f1c1c2e-8a0b-4c3d-9e4f-5a6b7c8d9e0f"}',
    '{"encryption_key": "projects/p/locations/eu-west1/keyRings/r/cryptoKeys/k"}', '{"private_key": "certs/key.pem"}', '{"id_token": "response_type"}',
    '{"name": "password", "value": "changed"}', '{"type": "object", "properties": {"password": {"type": "string", "minLength": 8}}, "required": ["password"]}']) WITH ORDINALITY AS u (d, ordinality);
SELECT d.d, s.* FROM kepler.find_secrets('documents') AS s JOIN documents AS d ON d.id::text = s.key ->> 'id';
INSERT INTO kepler.connections (id, name, reference_id, sync_config) SELECT 'c' || id, 'c', 'c' || id, d FROM documents;
-- Texts.
CREATE TABLE texts (id integer PRIMARY KEY, t text);
INSERT INTO texts SELECT ordinality, t FROM unnest(ARRAY[
    'https://example.com:8443,bob@example.com', 'http://host:8080|bob@x.com', 'docker://localhost:5000@sha256:ab', 's3://bucket:prefix@v1',
    'UPDATE users SET password=crypt(x) WHERE username=bob', 'if user.password==hash and user=x host=a', 'sk-' || md5('a')]) WITH ORDINALITY AS u (t, ordinality);
SELECT d.t, s.* FROM kepler.find_secrets('texts') AS s JOIN texts AS d ON d.id::text = s.key ->> 'id';
-- What is left out is told if that is asked.
SELECT key ->> 'id' AS id, path, kind, certainty FROM kepler.find_secrets('documents', include_possible => true) ORDER BY (key ->> 'id')::integer, path COLLATE "C", kind COLLATE "C";
-- The same names with values that look like secrets are refused still.
DO $$
DECLARE d jsonb;
BEGIN
    FOREACH d IN ARRAY ARRAY['{"password": "hunter2"}', '{"auth": {"user": "x", "pass": "hunter2"}}', '{"auth": {"token": "q8Zr2LmN5tYx0K"}}', '{"errors": 1, "api_key": "abcd1234efgh"}',
        '{"authorization": "Bearer q8Zr2LmN5tYx0K"}', '{"name": "X-Api-Key", "value": "abcd1234efgh"}', '{"secret": "q8Zr2LmN5t"}',
        '{"DB_PASS": "hunter2"}', '{"password_2": "hunter2"}', '{"password": {"value": "hunter2"}}', '{"url": "https://example.com/?id_token=q8Zr2LmN5tYx0KpW"}']::jsonb[] LOOP
        BEGIN
            INSERT INTO kepler.connections (id, name, reference_id, sync_config) VALUES ('r', 'r', 'r', d);
            RAISE WARNING 'stored: %', d;
        EXCEPTION WHEN check_violation THEN NULL;
        END;
    END LOOP;
END $$;
-- References: a form that a password has too is none, and names of 1Password have spaces.
UPDATE kepler.connections SET secret_ref = 'op://Private/My Login/password' WHERE id = 'c1' RETURNING secret_ref;
DO $$
DECLARE r text;
BEGIN
    PERFORM set_config('kepler.secret_reference_schemes', '*', true);
    FOREACH r IN ARRAY '{pass:hunter2,credential:hunter2,file:hunter2,*:hunter2}'::text[] LOOP
        BEGIN
            UPDATE kepler.connections SET secret_ref = r WHERE id = 'c1';
            RAISE WARNING 'stored: %', r;
        EXCEPTION WHEN check_violation THEN NULL;
        END;
    END LOOP;
END $$;
-- What looks random is told of documents too.
TRUNCATE documents;
INSERT INTO documents VALUES (1, '{"a": ["q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu"]}');
SELECT * FROM kepler.find_secrets('documents', include_possible => true);
ROLLBACK;
