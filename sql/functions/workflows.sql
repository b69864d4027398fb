-- Which apps a workflow needs, whether its user has them, and what is wrong with a definition.
-- A "step" of a definition is the trigger, an action, or an action nested under "actions" of either.

-- The first argument that is NULL and may not be.
-- The workspace must be one that the caller may name, too.
CREATE FUNCTION kepler_internal.require_arguments(names text[], given text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    FOR at IN 1 .. cardinality(names) LOOP
        IF given[at] IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = format('argument "%s" must not be NULL', names[at]);
        ELSIF names[at] = 'workspace_id' THEN
            PERFORM kepler_internal.require_workspace(given[at]);
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION kepler_internal.require_user(user_id text, workspace_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    IF NOT EXISTS (SELECT FROM kepler.users AS u WHERE u.workspace_id = $2 AND u.id = $1) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('user "%s" does not exist in workspace "%s"', $1, $2);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.require_workflow(workflow_id text, workspace_id text) RETURNS kepler.workflow_status
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found_status kepler.workflow_status;
BEGIN
    SELECT w.status INTO found_status FROM kepler.workflows AS w WHERE w.workspace_id = $2 AND w.id = $1;
    IF found_status IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('workflow "%s" does not exist in workspace "%s"', $1, $2);
    END IF;
    RETURN found_status;
END
$$;

CREATE FUNCTION kepler.is_connected(
    user_id text, provider text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['user_id', 'provider', 'workspace_id'], ARRAY[$1, $2, $3]);
    PERFORM kepler_internal.require_user($1, $3);
    RETURN EXISTS (
        SELECT FROM kepler.connections AS c
        WHERE c.workspace_id = $3 AND c.user_id = $1 AND kepler.fold(c.provider) = kepler.fold(btrim($2))
            AND c.status = 'ACTIVE');
END
$$;

-- The steps of a definition, with the JSON Pointer of each and how it names an app.
CREATE FUNCTION kepler_internal.workflow_steps(trigger jsonb, actions jsonb)
RETURNS TABLE (path text, depth integer, step jsonb, app_member text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE steps (path, depth, step) AS (
        SELECT '/trigger', 0, $1
        UNION ALL
        SELECT format('/actions/%s', a.at - 1), 1, a.step
        FROM jsonb_array_elements(CASE jsonb_typeof($2) WHEN 'array' THEN $2 END)
            WITH ORDINALITY AS a (step, at)
        UNION ALL
        SELECT format('%s/actions/%s', s.path, a.at - 1), s.depth + 1, a.step
        FROM steps AS s,
            jsonb_array_elements(CASE WHEN jsonb_typeof(s.step) = 'object'
                AND jsonb_typeof(s.step -> 'actions') = 'array' THEN s.step -> 'actions' END)
                WITH ORDINALITY AS a (step, at)
        WHERE s.depth < 64
    )
    SELECT s.path, s.depth, s.step,
        CASE WHEN jsonb_typeof(s.step) <> 'object' THEN NULL
             WHEN s.step ? 'app' THEN 'app'
             WHEN s.step ? 'provider' THEN 'provider' END
    FROM steps AS s
$$;

-- What a definition needs, each app or connection once, and the connection that serves it. A user's
-- own connections only: one that has lost its user serves nobody.
CREATE FUNCTION kepler_internal.required_connections(
    user_id text, trigger jsonb, actions jsonb, required_providers text[], workspace_id text
) RETURNS TABLE (
    provider text, connected boolean, connection_id text, status kepler.connection_status,
    reason text, used_by text[]
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
    WITH named AS (
        SELECT s.path, s.depth, coalesce(btrim(CASE jsonb_typeof(s.step -> s.app_member)
                WHEN 'string' THEN s.step ->> s.app_member END), '') AS app,
            CASE jsonb_typeof(s.step -> 'connection_id')
                WHEN 'string' THEN s.step ->> 'connection_id' END AS wanted_id
        FROM kepler_internal.workflow_steps($2, $3) AS s
        WHERE jsonb_typeof(s.step) = 'object'
        UNION ALL
        SELECT format('/required_providers/%s', r.at - 1), 0, coalesce(btrim(r.app), ''), NULL
        FROM unnest($4) WITH ORDINALITY AS r (app, at)
    ), needed AS (
        -- The trigger first, then the actions by number.
        SELECT (array_agg(n.app ORDER BY NOT n.path ^@ '/trigger', length(n.path), n.path COLLATE "C"))[1] AS app,
            kepler.fold(n.app) AS key, n.wanted_id,
            array_agg(n.path ORDER BY NOT n.path ^@ '/trigger', length(n.path), n.path COLLATE "C") AS used_by
        FROM named AS n
        WHERE n.app <> '' OR n.wanted_id IS NOT NULL
        GROUP BY kepler.fold(n.app), n.wanted_id
    ), served AS (
        SELECT n.*, c.id, c.provider AS has_provider, c.status AS has_status,
            CASE WHEN $1 IS NULL THEN 'no_user'
                 WHEN c.id IS NULL AND n.wanted_id IS NOT NULL THEN 'unknown_connection'
                 WHEN c.id IS NULL THEN 'not_connected'
                 WHEN c.user_id IS DISTINCT FROM $1 THEN 'other_user'
                 WHEN n.app <> '' AND kepler.fold(c.provider) IS DISTINCT FROM n.key THEN 'other_provider'
                 WHEN c.status <> 'ACTIVE' THEN 'inactive' END AS reason
        FROM needed AS n
        LEFT JOIN LATERAL (
            SELECT k.id, k.user_id, k.provider, k.status FROM kepler.connections AS k
            WHERE k.workspace_id = $5 AND k.id = n.wanted_id
            UNION ALL
            (SELECT k.id, k.user_id, k.provider, k.status FROM kepler.connections AS k
             WHERE n.wanted_id IS NULL AND k.workspace_id = $5 AND k.user_id = $1
                AND kepler.fold(k.provider) = n.key
             ORDER BY k.status, k.last_verified_at DESC NULLS LAST, k.created_at, k.id
             LIMIT 1)
        ) AS c ON true
    )
    SELECT coalesce(nullif(s.app, ''), s.has_provider), s.reason IS NULL,
        coalesce(s.wanted_id, s.id), s.has_status, s.reason, s.used_by
    FROM served AS s
    ORDER BY kepler.fold(coalesce(nullif(s.app, ''), s.has_provider)) COLLATE "C" NULLS LAST, s.used_by
$$;

CREATE FUNCTION kepler.required_connections(
    workflow_id text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    provider text, connected boolean, connection_id text, status kepler.connection_status,
    reason text, used_by text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workflow_id', 'workspace_id'], ARRAY[$1, $2]);
    PERFORM kepler_internal.require_workflow($1, $2);
    RETURN QUERY
    SELECT r.*
    FROM kepler.workflows AS w,
        kepler_internal.required_connections(w.user_id, w.trigger, w.actions, w.required_providers, $2) AS r
    WHERE w.workspace_id = $2 AND w.id = $1;
END
$$;

CREATE FUNCTION kepler.validate_workflow(
    user_id text,
    trigger jsonb,
    actions jsonb,
    required_providers text[] DEFAULT '{}',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (path text, code text, message text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['user_id', 'trigger', 'actions', 'workspace_id'],
        ARRAY[$1, $2::text, $3::text, $5]);
    PERFORM kepler_internal.require_user($1, $5);
    RETURN QUERY
    WITH steps AS (
        SELECT s.*, jsonb_typeof(s.step) = 'object' AS is_object
        FROM kepler_internal.workflow_steps($2, $3) AS s
    ), problems (path, code, problem) AS (
        SELECT '/actions', 'not_an_array', 'must be an array of actions'
        WHERE jsonb_typeof($3) <> 'array'
        UNION ALL
        SELECT '/actions', 'no_actions', 'must hold at least one action'
        WHERE $3 = '[]'
        UNION ALL
        SELECT s.path, 'not_an_object', 'must be an object'
        FROM steps AS s WHERE NOT s.is_object
        UNION ALL
        SELECT format('%s/%s', s.path, s.app_member), 'invalid_app', 'must be the name of an app, a string that is not blank'
        FROM steps AS s
        WHERE s.is_object AND s.app_member IS NOT NULL
            AND (jsonb_typeof(s.step -> s.app_member) <> 'string' OR s.step ->> s.app_member ~ '^[[:space:]]*$')
        UNION ALL
        SELECT s.path || '/connection_id', 'invalid_connection_id', 'must be the id of a connection, a text'
        FROM steps AS s
        WHERE s.is_object AND jsonb_typeof(s.step -> 'connection_id') <> 'string'
        UNION ALL
        SELECT s.path || '/actions', CASE WHEN s.depth < 64 THEN 'not_an_array' ELSE 'too_deep' END,
            CASE WHEN s.depth < 64 THEN 'must be an array of actions' ELSE 'must not be nested deeper than 64 levels' END
        FROM steps AS s
        WHERE s.is_object AND s.step ? 'actions'
            AND (jsonb_typeof(s.step -> 'actions') <> 'array' OR s.depth >= 64)
        UNION ALL
        SELECT format('/required_providers/%s', r.at - 1), 'invalid_app', 'must be the name of an app, a string that is not blank'
        FROM unnest($4) WITH ORDINALITY AS r (app, at)
        WHERE r.app IS NULL OR r.app ~ '^[[:space:]]*$'
        UNION ALL
        SELECT u.path, c.reason, CASE c.reason
            WHEN 'not_connected' THEN format('the user has not connected %s', c.provider)
            WHEN 'inactive' THEN format('the connection "%s" to %s is inactive', c.connection_id, c.provider)
            WHEN 'unknown_connection' THEN format('connection "%s" does not exist', c.connection_id)
            WHEN 'other_user' THEN format('connection "%s" belongs to somebody else', c.connection_id)
            WHEN 'other_provider' THEN format('connection "%s" does not lead to %s', c.connection_id, c.provider)
            END
        FROM kepler_internal.required_connections($1, $2, $3, $4, $5) AS c, unnest(c.used_by) AS u (path)
        WHERE NOT c.connected
    )
    SELECT p.path, p.code, p.problem FROM problems AS p
    -- The trigger first, then the actions by number.
    ORDER BY NOT p.path ^@ '/trigger', p.path ^@ '/required_providers',
        (SELECT array_agg(n[1]::integer) FROM regexp_matches(p.path, '[0-9]+', 'g') AS n) NULLS FIRST,
        p.path COLLATE "C", p.code COLLATE "C";
END
$$;
