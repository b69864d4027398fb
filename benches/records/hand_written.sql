-- What an engineer writes by hand: one statement, no hash, every row is written.
INSERT INTO bench.hand_written AS t
    (workspace_id, entity_id, external_id, entity_type, source, data, created_at, updated_at)
SELECT 'default', 'bench', x.external_id, 'item', 'bench', x.data, $2, $2
FROM jsonb_to_recordset($1::jsonb) AS x (external_id text, data jsonb)
ON CONFLICT (workspace_id, entity_id, external_id)
DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at
