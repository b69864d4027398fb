-- What is stored about a person, exported and erased.

-- The rows about a person in kepler.users, as foreign keys say: those that refer to the person, and what belongs to such rows.
-- condition: over the row t; $1 is the workspace, $2 the person. action: what erase_user does, which is what the foreign key says
-- for the deletion of a user: deleted (CASCADE), anonymised (SET NULL; emptied says how), or kept (belongs to a row that is anonymised).
CREATE FUNCTION kepler_internal.user_relations(
    workspace_id text, OUT "position" integer, OUT key text, OUT relation regclass, OUT tenant_column text, OUT condition text,
    OUT emptied text, OUT action text
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
WITH RECURSIVE r AS MATERIALIZED (
    SELECT w.* FROM kepler_internal.workspace_relations($1) AS w WHERE w.left_out IS NULL
), links AS MATERIALIZED (
    SELECT f.conrelid AS child, f.confrelid AS parent, f.confdeltype = 'c' AS is_tied,
        CASE WHEN f.confdeltype = 'n' THEN p.emptied WHEN e.name IS NOT NULL THEN format('%I = NULL', e.column_name) END AS emptied,
        p.own, p.others
    FROM pg_constraint AS f
    -- Where a trigger does that in the place of the key.
    LEFT JOIN kepler_internal.emptied_references() AS e
        ON e.relation = f.conrelid AND e.name = f.conname AND f.confdeltype = 'a' AND kepler_internal.is_distributed()
    CROSS JOIN LATERAL (
        SELECT string_agg(format('@.%I', a.attname), ', ' ORDER BY k.at) AS own,
            string_agg(format('#.%I', b.attname), ', ' ORDER BY k.at) AS others,
            string_agg(format('%I = NULL', a.attname), ', ' ORDER BY k.at)
                FILTER (WHERE k.own = ANY (coalesce(f.confdelsetcols, f.conkey))) AS emptied
        FROM unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (own, other, at)
        JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
        JOIN pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other
    ) AS p
    WHERE f.contype = 'f' AND f.conrelid <> f.confrelid
    UNION ALL
    -- Without foreign keys, for the sake of speed; triggers delete them.
    SELECT r.relation, m.parent, true, NULL, format('@.workspace_id, @.%I', m.own), '#.workspace_id, #.id'
    FROM r
    JOIN (VALUES
        ('kepler.memory_access', 'kepler.memories'::regclass, 'memory_id'), ('embeddings:%:memories', 'kepler.memories', 'memory_id'),
        ('embeddings:%:messages', 'kepler.messages', 'message_id'),
        -- Versions outlive their workflow.
        ('kepler.workflow_versions', 'kepler.workflows', 'workflow_id')
    ) AS m (like_key, parent, own) ON r.key LIKE m.like_key
), rows AS (
    SELECT 'kepler.users'::regclass::oid AS relation, '@.workspace_id = $1 AND @.id = $2' AS condition,
        NULL::text COLLATE "C" AS emptied, 'deleted' AS action, 0 AS depth
    UNION ALL
    SELECT l.child,
        format('(%s) IN (SELECT %s FROM %s AS p%s WHERE %s)', l.own, replace(l.others, '#', 'p' || p.depth),
            p.relation::regclass, p.depth, replace(p.condition, '@', 'p' || p.depth)) COLLATE "default",
        CASE WHEN p.depth = 0 THEN l.emptied END,
        CASE WHEN l.is_tied THEN p.action WHEN p.depth = 0 AND l.emptied IS NOT NULL THEN 'anonymised' ELSE 'kept' END, p.depth + 1
    FROM rows AS p
    JOIN links AS l ON l.parent = p.relation
    -- What was synced through a connection of a person's is the workspace's; how to get at it is the person's.
    WHERE p.depth < 4 AND (p.depth = 0 OR l.is_tied)
        AND (p.relation <> 'kepler.connections'::regclass OR l.child = 'kepler.credentials'::regclass)
)
SELECT row_number() OVER (ORDER BY rows.depth, r.position, rows.condition)::integer, r.key, r.relation, r.tenant_column,
    replace(rows.condition, '@', 't'), rows.emptied,
    CASE WHEN r.key = 'kepler.credentials' THEN 'deleted' WHEN rows.action = 'anonymised' AND rows.depth > 1 THEN 'kept' ELSE rows.action END
FROM rows
JOIN r ON r.relation = rows.relation
$$;

-- Like export_workspace: under one snapshot, and into a tuplestore.
CREATE FUNCTION kepler.export_user(user_id text, workspace_id text DEFAULT kepler.current_workspace_id()) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    line text;
    lines bigint := 1;
    checksum bigint;
    -- Readers of the workspace may not read it.
    without_credentials boolean;
BEGIN
    PERFORM kepler_internal.require_tables();
    without_credentials := NOT has_table_privilege('kepler.credentials', 'SELECT');
    PERFORM kepler_internal.require_workspace(workspace_id);
    PERFORM kepler_internal.require_name('user_id', user_id);
    PERFORM kepler_internal.require_user(user_id, workspace_id);
    line := jsonb_build_object('kepler_archive', 1, 'kepler', kepler.version(), 'postgres', current_setting('server_version'),
        'exported_at', statement_timestamp(), 'user', jsonb_build_object('id', user_id, 'workspace_id', workspace_id),
        'left_out', CASE WHEN without_credentials THEN jsonb_build_array('kepler.credentials') ELSE '[]' END)::text;
    checksum := kepler_internal.line_checksum(line);
    RETURN NEXT line;
    FOR part IN
        SELECT u.key, u.relation, u.tenant_column, min(u.position) AS first,
            string_agg(format('SELECT t.ctid FROM %s AS t WHERE %s', u.relation, u.condition), ' UNION ALL ' ORDER BY u.position) AS rows
        FROM kepler_internal.user_relations(workspace_id) AS u
        WHERE NOT (without_credentials AND u.key = 'kepler.credentials')
        GROUP BY u.key, u.relation, u.tenant_column ORDER BY first
    LOOP
        FOR line IN EXECUTE kepler_internal.archive_query(part.key, part.relation, part.tenant_column,
            format('t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(%s))', part.rows) || CASE
                -- What other people said in the person's conversations is about them.
                WHEN part.key = 'kepler.messages' THEN ' AND (t.user_id IS NULL OR t.user_id OPERATOR(pg_catalog.=) $2)'
                WHEN part.key LIKE 'embeddings:%:messages' THEN ' AND EXISTS (
                    SELECT FROM kepler.messages AS m
                    WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) t.message_id
                        AND (m.user_id IS NULL OR m.user_id OPERATOR(pg_catalog.=) $2))'
                ELSE '' END) USING workspace_id, user_id
        LOOP
            lines := lines + 1;
            checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
            RETURN NEXT line;
        END LOOP;
        PERFORM kepler_internal.require_unrewritten(part.relation);
    END LOOP;
    RETURN NEXT format('{"end":{"lines":%s,"checksum":%s}}', lines, checksum);
END
$$;

-- Takes out of the history what rows about a person were: those that this transaction has changed since a number, those that named the
-- person, in whatever transaction that ended, and what the person's conversations held. Gives how many rows it were.
CREATE FUNCTION kepler_internal.redact_user(workspace_id text, user_id text, since_sequence bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    redacted bigint := 0;
    conversations text[];
BEGIN
    SELECT array_agg(DISTINCT h.row_id) INTO conversations
    FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
    WHERE h.workspace_id = workspace_id AND t.name = 'kepler.conversations' AND h.operation = 'DELETE' AND h.old_values ->> 'user_id' = user_id;
    FOR part IN
        WITH referring AS MATERIALIZED (
            SELECT format('%I.%I', n.nspname, c.relname) AS name, a.attname::text AS column_name
            FROM pg_constraint AS f
            CROSS JOIN LATERAL unnest(f.conkey, f.confkey) AS k (own, other)
            JOIN pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other AND b.attname = 'id'
            JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
            JOIN pg_class AS c ON c.oid = f.conrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE f.contype = 'f' AND f.confrelid = 'kepler.users'::regclass
        )
        SELECT t.name, array_agg(DISTINCT h.row_id) AS ids
        FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
        WHERE h.workspace_id = workspace_id AND h.row_id IS NOT NULL AND (
            (h.xid = pg_current_xact_id() AND h.sequence > since_sequence)
            OR (t.name = 'kepler.users' AND h.row_id = user_id)
            OR (t.name LIKE 'kepler.%' AND h.old_values ->> 'user_id' = user_id)
            OR (t.name = 'kepler.messages' AND h.operation = 'DELETE' AND h.old_values ->> 'conversation_id' = ANY (conversations))
            OR EXISTS (SELECT FROM referring AS r WHERE r.name = t.name AND h.old_values ->> r.column_name = user_id))
        GROUP BY t.name ORDER BY t.name
    LOOP
        redacted := redacted + kepler_internal.redact_history(
            workspace_id, 'a user was erased', part.name, part.ids, max_rows => 2147483647);
    END LOOP;
    RETURN redacted;
END
$$;

-- Erases a person on the node where this is called. relation: by its name, as oids mean nothing on another node.
CREATE FUNCTION kepler_internal.erase_user_of_part(
    user_id text, workspace_id text, OUT relation text, OUT outcome text, OUT rows bigint
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    -- The history is the owner's to redact.
    redacts constant boolean := pg_has_role(
        (SELECT c.relowner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces')), 'USAGE');
    before bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_workspace(workspace_id);
    PERFORM kepler_internal.require_name('user_id', user_id);
    IF redacts THEN
        before := nextval('kepler.history_sequence') * 65536;
    END IF;
    -- Nobody adds a row about the person from now on.
    PERFORM FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id FOR UPDATE;
    IF NOT FOUND THEN
        relation := 'kepler.users';
        outcome := 'not_found';
        rows := 0;
        RETURN NEXT;
        IF redacts THEN
            -- Somebody without the right to redact may have erased the person.
            rows := kepler_internal.redact_user(workspace_id, user_id, before);
            IF rows > 0 THEN
                relation := 'kepler.history';
                outcome := 'anonymised';
                RETURN NEXT;
            END IF;
        END IF;
        RETURN;
    END IF;
    FOR part IN
        SELECT u.relation, u.action,
            format('t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(%s))', string_agg(
                format('SELECT t.ctid FROM %s AS t WHERE %s', u.relation, u.condition), ' UNION ALL ' ORDER BY u.position)) AS condition,
            min(u.position) AS first
        FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action <> 'kept'
        GROUP BY u.relation, u.action ORDER BY first
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', part.relation, part.condition
            -- What goes is not anonymised as well.
            || CASE WHEN part.action = 'anonymised' THEN coalesce((
                SELECT ' AND ' || string_agg(format('NOT t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM %s AS t WHERE %s))',
                    u.relation, u.condition), ' AND ')
                FROM kepler_internal.user_relations(workspace_id) AS u
                WHERE u.relation = part.relation AND u.action = 'deleted'), '') ELSE '' END)
            INTO rows USING workspace_id, user_id;
        IF rows > 0 THEN
            relation := part.relation;
            outcome := part.action;
            RETURN NEXT;
        END IF;
    END LOOP;
    -- In the conversations of others a message keeps its place, without what the person wrote.
    UPDATE kepler.messages AS m
    SET content = '[erased]', metadata = '{}', external_id = NULL, token_count = NULL, user_id = NULL
    FROM kepler.conversations AS c
    WHERE m.workspace_id = workspace_id AND m.user_id = user_id
        AND c.workspace_id = m.workspace_id AND c.id = m.conversation_id AND c.user_id IS DISTINCT FROM user_id;
    -- Nobody goes on with the person's access to another system.
    UPDATE kepler.connections AS c SET status = 'INACTIVE', secret_ref = NULL, subscription_id = NULL, metadata = '{}'
    WHERE c.workspace_id = workspace_id AND c.user_id = user_id;
    UPDATE kepler.executions AS e SET metadata = '{}'
    WHERE e.workspace_id = workspace_id AND e.user_id = user_id AND e.metadata <> '{}';
    -- An answer keeps its place too.
    UPDATE kepler.execution_questions AS q SET answer = '"[erased]"'
    WHERE q.workspace_id = workspace_id AND q.answered_by = user_id;
    -- All that foreign keys would do, done as the caller: they run as the owner of the tables, and so would triggers on these.
    FOR part IN
        SELECT u.* FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action = 'deleted' AND u.key <> 'kepler.users'
        ORDER BY u.position DESC
    LOOP
        EXECUTE format('DELETE FROM %s AS t WHERE %s', part.relation, part.condition) USING workspace_id, user_id;
    END LOOP;
    FOR part IN
        SELECT u.* FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action = 'anonymised' ORDER BY u.position
    LOOP
        EXECUTE format('UPDATE %s AS t SET %s WHERE %s', part.relation, part.emptied, part.condition) USING workspace_id, user_id;
    END LOOP;
    DELETE FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id;
    IF redacts THEN
        rows := kepler_internal.redact_user(workspace_id, user_id, before);
        IF rows > 0 THEN
            relation := 'kepler.history';
            outcome := 'anonymised';
            RETURN NEXT;
        END IF;
    END IF;
END
$$;

CREATE FUNCTION kepler.erase_user(
    user_id text, workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT relation regclass, OUT outcome text, OUT rows bigint
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    redacted bigint := 0;
BEGIN
    PERFORM kepler_internal.require_tables();
    FOR relation, outcome, rows IN
        SELECT e.relation::regclass, e.outcome, e.rows FROM kepler_internal.erase_user_of_part(user_id, workspace_id) AS e
    LOOP
        IF relation = 'kepler.history'::regclass THEN
            redacted := rows;
        ELSE
            RETURN NEXT;
        END IF;
    END LOOP;
    redacted := redacted + kepler_internal.redact_user_elsewhere(workspace_id, user_id);
    IF redacted > 0 THEN
        relation := 'kepler.history';
        outcome := 'anonymised';
        rows := redacted;
        RETURN NEXT;
    END IF;
END
$$;
