-- The history on a cluster, where each node keeps what was done there.

-- Fails while a node is not active: what it keeps would be left out.
CREATE FUNCTION kepler_internal.require_active_nodes() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    EXECUTE 'SELECT min(n.nodename || '':'' || n.nodeport) FROM pg_catalog.pg_dist_node AS n
             WHERE n.noderole = ''primary'' AND NOT n.isactive' INTO name;
    IF name IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('node %s of the cluster is not active, and may have a part of the history', name),
            HINT = 'SELECT citus_activate_node(…); on the coordinator.';
    END IF;
END
$$;

-- What nodes have of the history of a row, but for the one where the row's workspace lies, which is asked last; and which nodes they
-- are. since: all changes since then, and so many before it; NULL: so many at all.
CREATE FUNCTION kepler_internal.history_elsewhere(
    relation regclass, id text, since timestamptz, max_rows bigint, workspace_id text, OUT told text[], OUT asked integer[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    node record;
BEGIN
    PERFORM kepler_internal.require_active_nodes();
    told := '{}';
    asked := '{}';
    FOR node IN EXECUTE
        'SELECT n.groupid, n.nodename AS name, n.nodeport AS port, k.part, n.groupid = l.groupid AS is_here
         FROM pg_catalog.pg_dist_node AS n
         CROSS JOIN (SELECT min(g.groupid) AS groupid FROM pg_catalog.pg_dist_local_group AS g) AS l
         LEFT JOIN (
             SELECT p.groupid, min(k.key) AS part FROM kepler_internal.part_keys() AS k (key)
             JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k.key)
             GROUP BY p.groupid) AS k ON k.groupid = n.groupid
         WHERE n.noderole = ''primary'' AND n.groupid <> (
             SELECT p.groupid FROM pg_catalog.pg_dist_placement AS p
             WHERE p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', $1))
         ORDER BY n.groupid' USING workspace_id
    LOOP
        told := told || CASE WHEN node.part IS NOT NULL OR node.is_here
            THEN kepler_internal.history_of_part(relation, id, since, max_rows, workspace_id, node.part)
            ELSE kepler_internal.run_on_idle_node(node.name, node.port, format(
                'SELECT kepler_internal.history_of_part(to_regclass(%L), %L, %L, %L, kepler_internal.look_into_node(%L), NULL)',
                relation, id, since, max_rows, workspace_id)) END;
        asked := asked || node.groupid::integer;
    END LOOP;
END
$$;

-- Seals what other nodes keep, on the coordinator. own: the anchor of this node. Gives the anchor of all: each with the number of its
-- node before it.
CREATE FUNCTION kepler_internal.seal_history_of_nodes(own text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    node record;
    anchor text;
    anchors text[] := ARRAY['0=' || own];
    is_cluster boolean := false;
BEGIN
    FOR node IN SELECT n.* FROM kepler_internal.other_nodes() AS n ORDER BY n.part IS NOT NULL, n.number LOOP
        IF NOT is_cluster THEN PERFORM kepler_internal.require_active_nodes(); END IF;
        is_cluster := true;
        anchor := kepler_internal.run_on_node(node.name, node.port, node.part,
            'SELECT CASE WHEN to_regclass(''kepler.history_seals'') IS NOT NULL THEN kepler.seal_history() END');
        anchors := anchors || format('%s=%s', node.number, nullif(anchor, ''));
    END LOOP;
    IF NOT is_cluster THEN RETURN own; END IF;
    RETURN (SELECT nullif(string_agg(a, ',' ORDER BY split_part(a, '=', 1)::integer), '') FROM unnest(anchors) AS a WHERE a NOT LIKE '%=');
END
$$;

-- Verifies what each node keeps, on the coordinator; elsewhere what the node keeps. The first break is told. An anchor of one chain is
-- that of this node's.
CREATE FUNCTION kepler_internal.verify_history_of_nodes(
    anchor text, after text,
    OUT outcome text, OUT problem text, OUT seals bigint, OUT sealed_rows bigint, OUT redacted_rows bigint, OUT broken_at timestamptz
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    form constant text := '^[0-9]+=[1-9][0-9]{0,17}:[0-9a-f]{64}(,[0-9]+=[1-9][0-9]{0,17}:[0-9a-f]{64})*$';
    anchors jsonb := (SELECT jsonb_object_agg(split_part(a, '=', 1), split_part(a, '=', 2))
        FROM string_to_table(CASE WHEN anchor ~ form THEN anchor END, ',') AS a);
    afters jsonb := (SELECT jsonb_object_agg(split_part(a, '=', 1), split_part(a, '=', 2))
        FROM string_to_table(CASE WHEN after ~ form THEN after END, ',') AS a);
    own text := '0';
    others text[] := '{}';
    node record;
    told record;
BEGIN
    IF kepler_internal.is_distributed() THEN
        EXECUTE 'SELECT min(l.groupid)::text FROM pg_catalog.pg_dist_local_group AS l' INTO own;
    END IF;
    SELECT v.outcome, v.problem, v.seals, v.sealed_rows, v.redacted_rows, v.broken_at
    INTO outcome, problem, seals, sealed_rows, redacted_rows, broken_at
    FROM kepler_internal.check_history(CASE WHEN anchors IS NULL THEN anchor ELSE anchors ->> own END,
        CASE WHEN afters IS NULL THEN after ELSE afters ->> own END) AS v;
    FOR node IN SELECT n.* FROM kepler_internal.other_nodes() AS n ORDER BY n.number LOOP
        IF others = '{}' THEN PERFORM kepler_internal.require_active_nodes(); END IF;
        others := others || node.number::text;
        SELECT v.* INTO told
        FROM json_to_record(coalesce(nullif(kepler_internal.run_on_node(node.name, node.port, node.part, format(
            'SELECT CASE WHEN to_regclass(''kepler.history_seals'') IS NOT NULL
                 THEN (SELECT to_json(v)::text FROM kepler.verify_history(%L, %L) AS v) END',
            anchors ->> node.number::text, afters ->> node.number::text)), ''), '{"outcome": "intact"}')::json)
            AS v (outcome text, problem text, seals bigint, sealed_rows bigint, redacted_rows bigint, broken_at timestamptz);
        seals := seals + coalesce(told.seals, 0);
        sealed_rows := sealed_rows + coalesce(told.sealed_rows, 0);
        redacted_rows := redacted_rows + coalesce(told.redacted_rows, 0);
        IF outcome = 'intact' AND told.outcome <> 'intact' THEN
            outcome := told.outcome;
            problem := format('on node %s:%s: %s', node.name, node.port, told.problem);
            broken_at := told.broken_at;
        END IF;
    END LOOP;
    -- A node that has gone has taken its history along.
    IF outcome = 'intact' AND own = '0' THEN
        SELECT 'broken', format('node %s of the anchor is not in the cluster', min(k::integer)) INTO outcome, problem
        FROM (SELECT jsonb_object_keys(coalesce(anchors, '{}') || coalesce(afters, '{}')) AS k) AS a
        WHERE k <> '0' AND k <> ALL (others) HAVING count(*) > 0;
        IF NOT FOUND THEN
            outcome := 'intact';
            problem := NULL;
        END IF;
    END IF;
END
$$;

-- Has the history of tables that have come back to one server begin now: what nodes have noted stays with them, and nobody knows here
-- what a row was before.
CREATE FUNCTION kepler_internal.begin_history_anew(relations regclass[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    UPDATE kepler.tracked_tables AS t SET tracked_at = clock_timestamp()
    WHERE t.level = 'history' AND t.untracked_at IS NULL AND to_regclass(t.name) = ANY (relations);
END
$$;
