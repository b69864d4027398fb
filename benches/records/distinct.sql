-- The same, but a row that is the same is not written. It is locked, though, and that is logged.
INSERT INTO bench.distinct AS t
    (workspace_id, entity_id, external_id, entity_type, source, data, created_at, updated_at)
SELECT 'default', 'bench', x.external_id, 'item', 'bench', x.data, $2, $2
FROM jsonb_to_recordset($1::jsonb) AS x (external_id text, data jsonb)
ON CONFLICT (workspace_id, entity_id, external_id)
DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at
WHERE t.data IS DISTINCT FROM excluded.data
