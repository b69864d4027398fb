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

-- Deletes memories, or ends them where ends_at is given. All at once if nobody objects; else what is refused is
-- found by halves, and the others change. Answers for the existing ones.
CREATE FUNCTION kepler_internal.try_memories(
    memory_ids text[], ends_at timestamptz, user_id text, workspace_id text
) RETURNS TABLE (memory_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    given_user ALIAS FOR $3;
    given_workspace ALIAS FOR $4;
    ids text[];
    outcomes text[];
    problem_code text;
    problem text;
    half integer;
BEGIN
    BEGIN
        IF ends_at IS NULL THEN
            WITH locked AS MATERIALIZED (
                -- With those that they have superseded, which the trigger forget_deleted writes.
                SELECT m.id, m.id = ANY (memory_ids) AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user) AS named
                FROM kepler.memories AS m
                WHERE m.workspace_id = given_workspace AND m.id = ANY (ARRAY(
                    SELECT x.id FROM kepler.memories AS x
                    WHERE x.workspace_id = given_workspace AND x.id = ANY (memory_ids)
                        AND (given_user = '*' OR x.user_id IS NOT DISTINCT FROM given_user)
                    UNION ALL
                    SELECT x.id FROM kepler.memories AS x
                    WHERE x.workspace_id = given_workspace AND x.superseded_by = ANY (memory_ids)))
                ORDER BY m.id COLLATE "C" FOR UPDATE
            ), deleted AS (
                DELETE FROM kepler.memories AS m USING locked AS l
                WHERE m.workspace_id = given_workspace AND m.id = l.id AND l.named
                RETURNING m.id
            )
            SELECT array_agg(l.id), array_agg(CASE WHEN d.id IS NULL THEN 'rejected' ELSE 'deleted' END)
            INTO ids, outcomes
            FROM locked AS l LEFT JOIN deleted AS d ON d.id = l.id
            WHERE l.named;
        ELSE
            WITH locked AS MATERIALIZED (
                SELECT m.id, m.expires_at IS NOT DISTINCT FROM ends_at AND m.ttl IS NULL AS ended FROM kepler.memories AS m
                WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
                    AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user)
                ORDER BY m.id COLLATE "C" FOR NO KEY UPDATE
            ), changed AS (
                -- Reading must not extend what has an end.
                UPDATE kepler.memories AS m SET expires_at = ends_at, ttl = NULL
                FROM locked AS l
                WHERE m.workspace_id = given_workspace AND m.id = l.id AND NOT l.ended
                RETURNING m.id
            )
            SELECT array_agg(l.id), array_agg(CASE
                WHEN l.ended THEN 'unchanged' WHEN c.id IS NULL THEN 'rejected' ELSE 'updated' END)
            INTO ids, outcomes
            FROM locked AS l LEFT JOIN changed AS c ON c.id = l.id;
        END IF;
        RETURN QUERY
        SELECT u.id, u.said, CASE u.said WHEN 'rejected' THEN 'not_written' END,
            CASE u.said WHEN 'rejected' THEN 'a trigger prevented the write' END
        FROM unnest(ids, outcomes) AS u (id, said);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        -- Whoever may change no memory at all is told so.
        IF kepler_internal.is_about_session(SQLSTATE) OR NOT (CASE WHEN ends_at IS NULL
            THEN has_table_privilege('kepler.memories', 'DELETE')
            ELSE has_column_privilege('kepler.memories', 'expires_at', 'UPDATE')
                AND has_column_privilege('kepler.memories', 'ttl', 'UPDATE') END)
        THEN
            RAISE;
        END IF;
        problem_code := SQLSTATE;
        problem := SQLERRM;
    END;
    -- Halves of the order in which rows are locked.
    SELECT array_agg(m.id ORDER BY m.id COLLATE "C") INTO ids FROM kepler.memories AS m
    WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
        AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user);
    half := cardinality(ids) / 2;
    IF half > 0 THEN
        RETURN QUERY SELECT t.* FROM kepler_internal.try_memories(ids[:half], ends_at, given_user, given_workspace) AS t;
        RETURN QUERY SELECT t.* FROM kepler_internal.try_memories(ids[half + 1:], ends_at, given_user, given_workspace) AS t;
    ELSIF half = 0 THEN
        RETURN QUERY SELECT ids[1], 'rejected', problem_code, problem;
    END IF;
END
$$;

-- Answers for each id; an id given twice is changed once.
CREATE FUNCTION kepler_internal.change_memories(
    memory_ids text[], ends_at timestamptz, user_id text, workspace_id text
) RETURNS TABLE (ordinal integer, memory_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    given_user ALIAS FOR $3;
    given_workspace ALIAS FOR $4;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_ids('memory_ids', memory_ids);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT u.id, u.ordinality,
            row_number() OVER (PARTITION BY u.id ORDER BY u.ordinality) = 1 AS first
        FROM unnest(memory_ids) WITH ORDINALITY AS u (id, ordinality)
    ), tried AS MATERIALIZED (
        SELECT t.memory_id, t.outcome, t.error_code, t.error
        FROM kepler_internal.try_memories(memory_ids, ends_at, given_user, given_workspace) AS t
    )
    SELECT g.ordinality::integer, g.id,
        CASE WHEN t.outcome IN ('deleted', 'updated') AND NOT g.first THEN 'unchanged'
             ELSE coalesce(t.outcome, 'not_found') END,
        t.error_code, t.error
    FROM given AS g LEFT JOIN tried AS t ON t.memory_id = g.id
    ORDER BY g.ordinality;
END
$$;

-- The memories that are to be forgotten: by their ids, or those that a user's keys in a namespace name. A key without a memory
-- is NULL.
CREATE FUNCTION kepler_internal.named_memories(
    memory_ids text[], keys text[], namespace text, user_id text, workspace_id text
) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    given_user ALIAS FOR $4;
    given_workspace ALIAS FOR $5;
    ids text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    IF keys IS NULL THEN
        RETURN memory_ids;
    END IF;
    IF memory_ids IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'exactly one of "memory_ids" and "keys" must be given';
    END IF;
    PERFORM kepler_internal.require_arguments(ARRAY['namespace'], ARRAY[namespace]);
    IF given_user = '*' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'keys belong to one user, or to none',
            HINT = 'Pass a user_id, or NULL for the memories of no user.';
    END IF;
    IF given_user IS NULL THEN
        SELECT array_agg(m.id ORDER BY k.ordinality) INTO ids
        FROM unnest(keys) WITH ORDINALITY AS k (key, ordinality)
        LEFT JOIN LATERAL (
            SELECT x.id FROM kepler.memories AS x
            WHERE x.workspace_id = given_workspace AND x.user_id IS NULL AND x.namespace = namespace AND x.key = k.key
                AND x.valid_to IS NULL LIMIT 1
        ) AS m ON true;
    ELSE
        SELECT array_agg(m.id ORDER BY k.ordinality) INTO ids
        FROM unnest(keys) WITH ORDINALITY AS k (key, ordinality)
        LEFT JOIN LATERAL (
            SELECT x.id FROM kepler.memories AS x
            WHERE x.workspace_id = given_workspace AND x.user_id = given_user AND x.namespace = namespace AND x.key = k.key
                AND x.valid_to IS NULL LIMIT 1
        ) AS m ON true;
    END IF;
    RETURN coalesce(ids, '{}');
END
$$;

CREATE FUNCTION kepler.forget(
    memory_ids text[] DEFAULT NULL,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id(),
    keys text[] DEFAULT NULL,
    namespace text DEFAULT ''
) RETURNS TABLE (ordinal integer, memory_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$
SELECT * FROM kepler_internal.change_memories(
    kepler_internal.named_memories($1, $4, $5, $2, $3), NULL, $2, $3)
$$;

CREATE FUNCTION kepler.end_memories(
    memory_ids text[],
    at timestamptz,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, memory_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given_user ALIAS FOR $3;
    given_workspace ALIAS FOR $4;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['at'], ARRAY[$2::text]);
    RETURN QUERY SELECT c.* FROM kepler_internal.change_memories($1, $2, given_user, given_workspace) AS c;
END
$$;

CREATE FUNCTION kepler_internal.expire_memories(max_rows integer, workspace_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
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

-- PL/pgSQL does not tell an argument from a column of the answer that has its name.
CREATE FUNCTION kepler_internal.memory_history(memory_id text, user_id text, workspace_id text) RETURNS TABLE (
    version integer, found_id text, content text, valid_from timestamptz, valid_to timestamptz,
    superseded_by text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
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

CREATE FUNCTION kepler.memory_history(
    memory_id text,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    version integer, memory_id text, content text, valid_from timestamptz, valid_to timestamptz,
    superseded_by text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.memory_history($1, $2, $3) $$;
