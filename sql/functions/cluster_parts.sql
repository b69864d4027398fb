-- What functions do in the parts of a cluster that on one server they do at once: deleting workspaces, erasing people.

-- Tables that each node has for itself.
CREATE FUNCTION kepler_internal.each_node_has(table_name name) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT table_name IN ('schema_versions', 'access_levels', 'workspace_members', 'feed', 'feed_epochs', 'feed_dropped', 'history',
        'history_transactions', 'history_shapes', 'history_redactions', 'history_seals')
$$;

-- An id for each node that has parts, as a workspace that lies there may have.
CREATE FUNCTION kepler_internal.node_keys() RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT DISTINCT ON (p.groupid) k.key FROM kepler_internal.part_keys() AS k (key)
         JOIN pg_catalog.pg_dist_placement AS p
             ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k.key)
         ORDER BY p.groupid, k.key';
END
$$;

-- Of the tables in a workspace's part: which hold rows of it.
CREATE FUNCTION kepler_internal.held_by_workspace_of_part(workspace_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN kepler_internal.held_in_tables(workspace_id, true); END $$;

-- Waits for whoever has inserted rows in the part that refer to the workspace.
CREATE FUNCTION kepler_internal.wait_for_workspace_of_part(workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
END
$$;

-- Deletes rows of a workspace in its part; then what other nodes have of it, where it may have lain before; then what is here.
-- place, and what it gives: as of delete_workspace_rows.
CREATE FUNCTION kepler_internal.delete_workspace_rows_in_parts(workspace_id text, max_rows integer, place jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    keys text[] := ARRAY(SELECT workspace_id UNION ALL SELECT k FROM kepler_internal.node_keys() AS k);
    at integer := coalesce((place ->> 'at')::integer, 1);
    next_place jsonb;
BEGIN
    LOOP
        next_place := CASE
            WHEN at <= cardinality(keys) THEN
                kepler_internal.delete_workspace_rows_of_part(workspace_id, max_rows, place::text, keys[at])::jsonb
            ELSE kepler_internal.delete_workspace_rows(workspace_id, max_rows, place, false) END;
        IF next_place IS NOT NULL THEN
            RETURN next_place || jsonb_build_object('at', at);
        END IF;
        EXIT WHEN at > cardinality(keys);
        at := at + 1;
        place := '{}';
    END LOOP;
    DELETE FROM kepler.retention_policies AS p WHERE p.workspace_id = workspace_id;
    DELETE FROM kepler.tracked_tables AS t WHERE t.workspace_id = workspace_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.workspaces_that_search_of_part(space text, is_oldest boolean, part_of text) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN kepler_internal.workspaces_that_search(space, is_oldest); END $$;

CREATE FUNCTION kepler_internal.redact_history_of_node(workspace_id text, reason text, max_rows integer, part_of text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN kepler_internal.redact_history(workspace_id, reason, max_rows => max_rows); END $$;

-- Redacts the history of a workspace on all nodes with parts, so many rows of each at most; gives how many rows it were.
CREATE FUNCTION kepler_internal.redact_history_in_parts(workspace_id text, reason text, max_rows integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text;
    redacted bigint := 0;
BEGIN
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        redacted := redacted + kepler_internal.redact_history_of_node(workspace_id, reason, max_rows, key);
    END LOOP;
    RETURN redacted;
END
$$;

CREATE FUNCTION kepler_internal.redact_user_of_node(workspace_id text, user_id text, part_of text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN kepler_internal.redact_user(workspace_id, user_id, 9223372036854775807); END $$;

-- Takes a person out of the history on all nodes of a cluster, where the workspace may have lain before, if the caller may.
CREATE FUNCTION kepler_internal.redact_user_elsewhere(workspace_id text, user_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text;
    redacted bigint := 0;
BEGIN
    IF NOT kepler_internal.is_distributed()
        OR NOT pg_has_role((SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass), 'USAGE')
    THEN
        RETURN 0;
    END IF;
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        redacted := redacted + kepler_internal.redact_user_of_node(workspace_id, user_id, key);
    END LOOP;
    RETURN redacted + kepler_internal.redact_user(workspace_id, user_id, 9223372036854775807);
END
$$;

CREATE FUNCTION kepler_internal.continue_numbers_of_part(workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN PERFORM kepler_internal.continue_numbers(workspace_id, true); END $$;
