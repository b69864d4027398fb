-- The rows of tenants.py: the same ids in two workspaces, with other values.
SELECT kepler.create_workspace(w) IS NOT NULL FROM unnest('{acme,globex}'::text[]) AS w;
INSERT INTO kepler.users (workspace_id, id, email) SELECT 'acme', 'u' || i, i || '@example.com' FROM generate_series(1, 4) AS i;
INSERT INTO kepler.users (workspace_id, id, email) SELECT 'globex', 'u' || i, i + 2 || '@example.com' FROM generate_series(1, 3) AS i;
INSERT INTO kepler.entities (workspace_id, id, type) SELECT 'acme', 'e' || i, (ARRAY['lead', 'u1', '1', 'e2'])[i] FROM generate_series(1, 4) AS i;
INSERT INTO kepler.entities (workspace_id, id, type) SELECT 'globex', 'e' || i, (ARRAY['1', 'lead', 'u2', '2', 'e5'])[i] FROM generate_series(2, 5) AS i;
INSERT INTO kepler.records (workspace_id, id, entity_type, entity_id, external_id, data)
SELECT 'acme', i::text, CASE WHEN i < 4 THEN 'lead' ELSE 'u1' END, CASE WHEN i <> 2 THEN 'e' || (i + 1) / 2 END, i::text, jsonb_build_object('n', i % 3, 'of', i - 1) FROM generate_series(1, 6) AS i;
INSERT INTO kepler.records (workspace_id, id, entity_type, entity_id, external_id, data)
SELECT 'globex', i::text, 'lead', 'e' || 2 + i % 3, i::text, jsonb_build_object('n', i, 'of', i / 2) FROM generate_series(1, 5) AS i;
INSERT INTO kepler.conversations (workspace_id, id, user_id) SELECT 'acme', 'u' || i, 'u' || 1 + i % 3 FROM generate_series(1, 3) AS i;
INSERT INTO kepler.conversations (workspace_id, id, user_id) SELECT 'globex', 'c' || i, 'u' || i FROM generate_series(1, 3) AS i;
