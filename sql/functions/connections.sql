-- Connections that come and go: what becomes of the records of one that is deleted, and how the connection that takes its
-- place gets them back. Plain SQL on records: the triggers for direct SQL keep queue, leases and failures.

-- Records of a connection's entities, up to a number, in the order in which upserts lock them. What is kept notes where it
-- came from, and whether an adoption is to bring it back to life.
CREATE FUNCTION kepler_internal.detach_records(connection_id text, keep boolean, max_rows integer, workspace_id text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $4;
    changed_at constant timestamptz := clock_timestamp();
    -- Joined, they would be looked for among all records of the workspace.
    entities constant text[] := ARRAY(
        SELECT e.id FROM kepler.entities AS e WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1);
    ids text[];
    detached integer;
BEGIN
    ids := ARRAY(
        SELECT l.id FROM (
            SELECT r.id FROM kepler.records AS r
            WHERE r.workspace_id = wanted_workspace AND r.entity_id = ANY (entities) LIMIT $3) AS l);
    ids := ARRAY(
        SELECT r.id FROM kepler.records AS r
        WHERE r.workspace_id = wanted_workspace AND r.id = ANY (ids) AND r.entity_id = ANY (entities)
        ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C" FOR NO KEY UPDATE OF r);
    IF keep THEN
        INSERT INTO kepler.detached_records AS d
            (workspace_id, record_id, reference_id, connection_name, was_active, detached_at)
        SELECT wanted_workspace, r.id, c.reference_id, c.name, r.status = 'ACTIVE', changed_at
        FROM kepler.connections AS c, unnest(ids) AS n (id)
        CROSS JOIN LATERAL (
            SELECT x.id, x.status FROM kepler.records AS x
            WHERE x.workspace_id = wanted_workspace AND x.id = n.id LIMIT 1) AS r
        WHERE c.workspace_id = wanted_workspace AND c.id = $1
        ON CONFLICT ON CONSTRAINT detached_records_pkey DO UPDATE
        SET reference_id = excluded.reference_id, connection_name = excluded.connection_name,
            was_active = excluded.was_active, detached_at = excluded.detached_at;
    END IF;
    UPDATE kepler.records AS r
    SET entity_id = NULL, updated_at = changed_at,
        status = CASE WHEN keep THEN 'ARCHIVED' ELSE r.status END,
        deleted_at = CASE WHEN keep THEN r.deleted_at ELSE coalesce(r.deleted_at, changed_at) END
    FROM unnest(ids) AS n (id)
    WHERE r.workspace_id = wanted_workspace AND r.id = n.id;
    GET DIAGNOSTICS detached = ROW_COUNT;
    IF detached < cardinality(ids) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'triggered_action_exception',
            MESSAGE = format('only %s of %s records were written', detached, cardinality(ids)),
            HINT = 'A trigger on kepler.records prevents the write (BEFORE, returning NULL).';
    END IF;
    RETURN detached;
END
$$;

CREATE FUNCTION kepler.delete_connection(
    connection_id text,
    records text,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT changed integer
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $4;
    entities text[];
    more integer;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(
        ARRAY['connection_id', 'records', 'max_rows', 'workspace_id'], ARRAY[$1, $2, $3::text, $4]);
    IF $2 NOT IN ('keep', 'delete') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "records" must be one of keep, delete, not "%s"', left($2, 100)),
            HINT = '"keep" archives the records, so that a connection that takes its place can adopt them; "delete" deletes them softly.';
    ELSIF max_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be between 1 and 10000, not %s', max_rows);
    END IF;
    changed := 0;
    -- Nobody adds entities meanwhile, and two calls take turns.
    PERFORM FROM kepler.connections AS c WHERE c.workspace_id = wanted_workspace AND c.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    changed := kepler_internal.detach_records($1, $2 = 'keep', max_rows, wanted_workspace);
    IF changed < max_rows THEN
        -- Waits for upserts that are inserting, and keeps others out: what they have inserted is taken too.
        entities := ARRAY(
            SELECT e.id FROM kepler.entities AS e
            WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1 ORDER BY e.id FOR UPDATE);
        more := kepler_internal.detach_records($1, $2 = 'keep', max_rows, wanted_workspace);
        changed := changed + more;
        IF more < max_rows THEN
            -- As the caller: what a foreign key deletes along is deleted as the owner, and so would run the triggers of others.
            DELETE FROM kepler.rejects AS d WHERE d.workspace_id = wanted_workspace AND d.entity_id = ANY (entities);
            DELETE FROM kepler.sync_runs AS d WHERE d.workspace_id = wanted_workspace AND d.entity_id = ANY (entities);
            DELETE FROM kepler.entities AS e WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1;
            DELETE FROM kepler.credentials AS d WHERE d.workspace_id = wanted_workspace AND d.connection_id = $1;
            DELETE FROM kepler.connections AS c WHERE c.workspace_id = wanted_workspace AND c.id = $1;
            outcome := 'deleted';
            RETURN;
        END IF;
    END IF;
    -- Not to be used any more, and not gone before its last record is cared for.
    UPDATE kepler.connections AS c SET status = 'INACTIVE'
    WHERE c.workspace_id = wanted_workspace AND c.id = $1 AND c.status <> 'INACTIVE';
    outcome := 'started';
END
$$;

CREATE FUNCTION kepler.adopt_records(
    connection_id text,
    reference_id text DEFAULT NULL,
    connection_name text DEFAULT NULL,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, external_id text, record_id text, outcome text, error_code text, error text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    new_connection ALIAS FOR $1;
    wanted_workspace ALIAS FOR $5;
    former record;
    ids text[];
    adopted text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(
        ARRAY['connection_id', 'max_rows', 'workspace_id'], ARRAY[$1, $4::text, $5]);
    IF max_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be between 1 and 10000, not %s', max_rows);
    END IF;
    SELECT coalesce($2, c.reference_id) AS reference_id, coalesce($3, c.name) AS name INTO former
    FROM kepler.connections AS c
    WHERE c.workspace_id = wanted_workspace AND c.id = new_connection FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('connection "%s" does not exist in workspace "%s"', new_connection, wanted_workspace),
            HINT = 'Insert the connection that takes the place of the former one first.';
    END IF;
    ids := ARRAY(
        SELECT d.record_id FROM kepler.detached_records AS d
        WHERE d.workspace_id = wanted_workspace AND d.reference_id = former.reference_id
            AND d.connection_name = former.name
        ORDER BY d.record_id LIMIT max_rows FOR UPDATE);
    -- In the order in which others make entities, and before any record is locked.
    INSERT INTO kepler.entities AS e (workspace_id, connection_id, source, type)
    SELECT DISTINCT wanted_workspace, new_connection, r.source, r.entity_type
    FROM unnest(ids) AS n (id)
    CROSS JOIN LATERAL (
        SELECT x.source, x.entity_type, x.entity_id FROM kepler.records AS x
        WHERE x.workspace_id = wanted_workspace AND x.id = n.id LIMIT 1) AS r
    WHERE r.entity_id IS NULL
    ORDER BY 3, 4
    ON CONFLICT ON CONSTRAINT entities_connection_id_source_type_key DO NOTHING;
    FOR round IN 1 .. 20 LOOP
        BEGIN
            WITH free AS MATERIALIZED (
                SELECT DISTINCT ON (e.id, coalesce(r.external_id, ' ' || r.id COLLATE "C")) r.id, e.id AS entity_id, r.was_active
                FROM (
                    SELECT x.id, x.external_id, x.source, x.entity_type, d.was_active
                    FROM unnest(ids) AS n (id)
                    CROSS JOIN LATERAL (
                        SELECT y.id, y.external_id, y.source, y.entity_type FROM kepler.records AS y
                        WHERE y.workspace_id = wanted_workspace AND y.id = n.id AND y.entity_id IS NULL
                        LIMIT 1) AS x
                    CROSS JOIN LATERAL (
                        SELECT z.was_active FROM kepler.detached_records AS z
                        WHERE z.workspace_id = wanted_workspace AND z.record_id = n.id LIMIT 1) AS d) AS r
                CROSS JOIN LATERAL (
                    SELECT k.id FROM kepler.entities AS k
                    WHERE k.workspace_id = wanted_workspace AND k.connection_id = new_connection
                        AND k.source = r.source AND k.type = r.entity_type LIMIT 1) AS e
                WHERE r.external_id IS NULL OR NOT (
                    SELECT count(*) > 0 FROM (
                        SELECT FROM kepler.records AS t
                        WHERE t.workspace_id = wanted_workspace AND t.entity_id = e.id
                            AND t.external_id = r.external_id LIMIT 1) AS taken)
                -- Of several the one that was made last: ids are in that order, as a rule.
                ORDER BY e.id, coalesce(r.external_id, ' ' || r.id COLLATE "C"), r.id DESC
            ), moved AS (
                UPDATE kepler.records AS r
                SET entity_id = f.entity_id, updated_at = clock_timestamp(),
                    status = CASE WHEN f.was_active THEN 'ACTIVE' ELSE r.status END
                FROM free AS f
                WHERE r.workspace_id = wanted_workspace AND r.id = f.id AND r.entity_id IS NULL
                RETURNING r.id
            )
            SELECT coalesce(array_agg(m.id), '{}') INTO adopted FROM moved AS m;
            EXIT;
        -- An upsert has inserted the same external id meanwhile, and is seen now.
        EXCEPTION WHEN unique_violation THEN
            IF round = 20 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    RETURN QUERY
    WITH answered AS (
        DELETE FROM kepler.detached_records AS d USING unnest(ids) AS n (id)
        WHERE d.workspace_id = wanted_workspace AND d.record_id = n.id
        RETURNING d.record_id
    )
    SELECT (row_number() OVER (ORDER BY a.record_id))::integer, r.external_id, a.record_id,
        CASE WHEN r.id IS NULL THEN 'not_found'
            WHEN a.record_id = ANY (adopted) THEN 'restored'
            WHEN r.entity_id IS NOT NULL THEN 'unchanged'
            ELSE 'superseded' END,
        NULL::text, NULL::text
    FROM answered AS a
    LEFT JOIN LATERAL (
        SELECT x.id, x.external_id, x.entity_id FROM kepler.records AS x
        WHERE x.workspace_id = wanted_workspace AND x.id = a.record_id LIMIT 1) AS r ON true
    ORDER BY 1;
END
$$;
