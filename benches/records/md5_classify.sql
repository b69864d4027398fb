-- The way of Nango's record store: one writer a model at a time, md5 of the JSON text, a first step
-- that sorts the batch into new, changed and unchanged, a write of what differs, an outcome a row.
-- Nango hashes in the client and keeps the data in a second table; here the server hashes, as it
-- does all work, and there is one table.
SELECT pg_advisory_xact_lock(hashtextextended('default/bench/item', 0));

WITH incoming AS MATERIALIZED (
    SELECT x.external_id, x.data, md5(x.data::text) AS data_hash
    FROM json_to_recordset($1::json) AS x (external_id text, data json)
),
classified AS MATERIALIZED (
    SELECT i.external_id, i.data, i.data_hash, t.id AS existing_id,
        CASE
            WHEN t.id IS NULL THEN 'inserted'
            WHEN t.deleted_at IS NOT NULL THEN 'restored'
            WHEN t.data_hash IS DISTINCT FROM i.data_hash THEN 'changed'
            ELSE 'unchanged'
        END AS outcome
    FROM incoming AS i
    LEFT JOIN bench.md5_classify AS t
        ON t.workspace_id = 'default' AND t.entity_id = 'bench' AND t.external_id = i.external_id
),
written AS (
    INSERT INTO bench.md5_classify AS t
        (workspace_id, entity_id, external_id, entity_type, source, data, data_hash,
         created_at, updated_at)
    SELECT 'default', 'bench', c.external_id, 'item', 'bench', c.data::jsonb, c.data_hash, $2, $2
    FROM classified AS c
    WHERE c.outcome <> 'unchanged'
    ON CONFLICT (workspace_id, entity_id, external_id)
    DO UPDATE SET data = excluded.data, data_hash = excluded.data_hash, deleted_at = NULL,
        updated_at = excluded.updated_at
    RETURNING t.id, t.external_id
)
SELECT count(*)
FROM (
    SELECT w.id, c.external_id, c.outcome
    FROM written AS w JOIN classified AS c ON c.external_id = w.external_id
    UNION ALL
    SELECT c.existing_id, c.external_id, c.outcome
    FROM classified AS c WHERE c.outcome = 'unchanged'
) AS outcomes
