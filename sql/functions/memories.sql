-- Forgetting, and what became of memories.

CREATE FUNCTION kepler_internal.require_ids(argument text, ids text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF ids IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be NULL', argument);
    END IF;
END
$$;

CREATE FUNCTION kepler.forget(
    memory_ids text[],
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, memory_id text, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_user ALIAS FOR $2;
    given_workspace ALIAS FOR $3;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_ids('memory_ids', memory_ids);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT u.id, u.ordinality,
            row_number() OVER (PARTITION BY u.id ORDER BY u.ordinality) = 1 AS first
        FROM unnest(memory_ids) WITH ORDINALITY AS u (id, ordinality)
    ), locked AS MATERIALIZED (
        SELECT m.id FROM kepler.memories AS m
        WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
            AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user)
        ORDER BY m.id FOR UPDATE
    ), deleted AS (
        DELETE FROM kepler.memories AS m USING locked AS l
        WHERE m.workspace_id = given_workspace AND m.id = l.id
        RETURNING m.id
    )
    SELECT g.ordinality::integer, g.id,
        CASE WHEN g.first AND d.id IS NOT NULL THEN 'deleted'
             WHEN l.id IS NOT NULL THEN 'unchanged'
             ELSE 'not_found' END
    FROM given AS g
    LEFT JOIN locked AS l ON l.id = g.id
    LEFT JOIN deleted AS d ON d.id = g.id
    ORDER BY g.ordinality;
END
$$;

CREATE FUNCTION kepler.end_memories(
    memory_ids text[],
    at timestamptz,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, memory_id text, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_at ALIAS FOR $2;
    given_user ALIAS FOR $3;
    given_workspace ALIAS FOR $4;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_ids('memory_ids', memory_ids);
    PERFORM kepler_internal.require_arguments(ARRAY['at'], ARRAY[given_at::text]);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT u.id, u.ordinality,
            row_number() OVER (PARTITION BY u.id ORDER BY u.ordinality) = 1 AS first
        FROM unnest(memory_ids) WITH ORDINALITY AS u (id, ordinality)
    ), locked AS MATERIALIZED (
        SELECT m.id, m.expires_at FROM kepler.memories AS m
        WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
            AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user)
        ORDER BY m.id FOR NO KEY UPDATE
    ), ended AS (
        UPDATE kepler.memories AS m SET expires_at = given_at
        FROM locked AS l
        WHERE m.workspace_id = given_workspace AND m.id = l.id AND l.expires_at IS DISTINCT FROM given_at
        RETURNING m.id
    )
    SELECT g.ordinality::integer, g.id,
        CASE WHEN g.first AND e.id IS NOT NULL THEN 'updated'
             WHEN l.id IS NOT NULL THEN 'unchanged'
             ELSE 'not_found' END
    FROM given AS g
    LEFT JOIN locked AS l ON l.id = g.id
    LEFT JOIN ended AS e ON e.id = g.id
    ORDER BY g.ordinality;
END
$$;

CREATE FUNCTION kepler_internal.expire_memories(max_rows integer, workspace_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_max_rows(max_rows, 100000);
    DELETE FROM kepler.memories AS m
    WHERE m.workspace_id = $2 AND m.id = ANY (ARRAY(
        SELECT x.id FROM kepler.memories AS x
        WHERE x.workspace_id = $2 AND x.expires_at <= clock_timestamp()
        ORDER BY x.expires_at LIMIT max_rows FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;

CREATE FUNCTION kepler.memory_history(
    memory_id text,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    version integer, id text, content text, valid_from timestamptz, valid_to timestamptz,
    superseded_by text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_id ALIAS FOR $1;
    given_user ALIAS FOR $2;
    given_workspace ALIAS FOR $3;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('memory_id', given_id);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    RETURN QUERY
    SELECT row_number() OVER (ORDER BY m.valid_from, m.created_at, m.id)::integer,
        m.id, m.content, m.valid_from, m.valid_to, m.superseded_by
    FROM kepler_internal.memory_chain(given_id, given_workspace) AS c (id)
    JOIN kepler.memories AS m ON m.workspace_id = given_workspace AND m.id = c.id
    WHERE given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user
    ORDER BY 1;
END
$$;
