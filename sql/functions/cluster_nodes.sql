-- What each node of a cluster has and does for itself: how it comes to it, and how it is told.

-- A command on the node of a workspace's part, in this transaction.
CREATE FUNCTION kepler_internal.run_in_part(part_of text, command text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
    propagates constant text := current_setting('citus.enable_ddl_propagation');
BEGIN
    -- What is done here is this node's alone.
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    EXECUTE command INTO answer;
    PERFORM set_config('citus.enable_ddl_propagation', propagates, true);
    RETURN answer;
END
$$;

-- The other nodes, each with the key of a part that is there; NULL where there is none. number: what Citus calls a group.
CREATE FUNCTION kepler_internal.other_nodes(OUT name text, OUT port integer, OUT part text, OUT number integer) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT n.nodename, n.nodeport, (
             SELECT min(k) FROM kepler_internal.part_keys() AS k JOIN pg_catalog.pg_dist_placement AS p
                 ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k)
             WHERE p.groupid = n.groupid), n.groupid::integer
         FROM pg_catalog.pg_dist_node AS n
         WHERE n.isactive AND n.noderole = ''primary'' AND n.groupid > 0
             AND (SELECT min(l.groupid) FROM pg_catalog.pg_dist_local_group AS l) = 0
         ORDER BY n.groupid';
END
$$;

-- A command on a node without parts, which knows nothing of the transaction, and commits by itself.
CREATE FUNCTION kepler_internal.run_on_idle_node(name text, port integer, command text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer record;
BEGIN
    EXECUTE 'SELECT r.success, r.result FROM master_run_on_worker($1, $2, $3, false) AS r' INTO answer
    USING ARRAY[name], ARRAY[port],
        ARRAY[format('SELECT (%s) FROM (SELECT set_config(''lock_timeout'', ''10s'', true),
            set_config(''citus.enable_ddl_propagation'', ''off'', true) OFFSET 0) AS t', command)];
    IF NOT answer.success THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('node %s:%s of the cluster refused what was done on the coordinator', name, port), DETAIL = answer.result,
            HINT = 'Mend the node, and call the function again.';
    END IF;
    RETURN answer.result;
END
$$;

-- A command on another node: in this transaction where a part lies there.
CREATE FUNCTION kepler_internal.run_on_node(name text, port integer, part text, command text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN part IS NULL THEN kepler_internal.run_on_idle_node(name, port, command)
        ELSE kepler_internal.run_in_part(part, command) END;
END
$$;

-- A command on each other node, on the coordinator.
CREATE FUNCTION kepler_internal.run_on_other_nodes(command text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT kepler_internal.run_on_node(n.name, n.port, n.part, command)
    FROM (SELECT * FROM kepler_internal.other_nodes() ORDER BY part IS NOT NULL OFFSET 0) AS n
$$;

-- Other nodes on which a step of the maintenance finds something to do, that each node does for itself. So is one that does not
-- answer: what it is asked to do then fails, and is told.
CREATE FUNCTION kepler_internal.maintenance_due_on_nodes(step text, OUT workspace_id text, OUT object text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    node record;
BEGIN
    workspace_id := '';
    FOR node IN SELECT * FROM kepler_internal.other_nodes() LOOP
        object := format('%s:%s', node.name, node.port);
        BEGIN
            CONTINUE WHEN kepler_internal.run_on_node(node.name, node.port, node.part,
                format('SELECT count(*) FROM kepler_internal.maintenance_due(%L)', step)) = '0';
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;

-- A part of a step on another node. Nothing where there is no such node any more.
CREATE FUNCTION kepler_internal.maintain_node(step text, node text, max_rows integer, OUT done bigint, OUT is_over boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of record;
BEGIN
    done := 0;
    is_over := true;
    SELECT * INTO of FROM kepler_internal.other_nodes() AS n WHERE format('%s:%s', n.name, n.port) = node;
    IF NOT FOUND THEN RETURN; END IF;
    done := kepler_internal.run_on_node(of.name, of.port, of.part,
        format('SELECT p.done FROM kepler_internal.maintain_part(%L, '''', '''', %L, NULL) AS p', step, max_rows))::bigint;
    IF step NOT LIKE 'make\_%' AND done > 0 THEN
        is_over := kepler_internal.run_on_node(of.name, of.port, of.part,
            format('SELECT count(*) FROM kepler_internal.maintenance_due(%L)', step)) = '0';
    END IF;
END
$$;

-- The levels of access that roles of this node have; in all workspaces where workspace is NULL. A row is of the role that was meant,
-- whatever it is called now; in a copy of the database in another cluster, of the one of its name that has the rights.
CREATE FUNCTION kepler_internal.levels_here(OUT role text, OUT level text, OUT workspace text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT r.rolname::text, l.level, l.workspace
    FROM (
        SELECT 'kepler.access_levels'::regclass, a.role_name, a.level, NULL::text, a.granted_to FROM kepler.access_levels AS a
        UNION ALL
        SELECT 'kepler.workspace_members'::regclass, m.role_name, m.level, m.workspace_id, m.granted_to FROM kepler.workspace_members AS m
    ) AS l (list, role_name, level, workspace, granted_to)
    CROSS JOIN (SELECT p.system_identifier::text FROM pg_control_system() AS p) AS c (own)
    JOIN pg_roles AS r ON CASE WHEN split_part(l.granted_to, '/', 1) = c.own THEN l.granted_to = concat(c.own, '/', r.oid)
        ELSE r.rolname = l.role_name AND EXISTS (
            SELECT FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS x
            WHERE t.oid = l.list AND x.grantee = r.oid AND x.privilege_type = 'SELECT') END
$$;

-- Has roles of this node have these levels and no others: those that the coordinator knows, which may be older than the cluster.
CREATE FUNCTION kepler_internal.set_levels(levels jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    one record;
BEGIN
    -- A node that is being set up has been told (make_node), and gets the shared tables when that commits.
    IF to_regclass('kepler.workspaces') IS NULL THEN RETURN; END IF;
    PERFORM kepler_internal.require_cluster_owner();
    -- Those in all workspaces first: a role that loses them loses all.
    FOR one IN
        SELECT h.role, h.workspace FROM kepler_internal.levels_here() AS h
        WHERE NOT EXISTS (
            SELECT FROM jsonb_to_recordset(levels) AS l (role text, workspace text)
            WHERE l.role = h.role AND l.workspace IS NOT DISTINCT FROM h.workspace)
        ORDER BY h.workspace NULLS FIRST
    LOOP
        PERFORM kepler.revoke_access(quote_ident(one.role)::regrole, one.workspace);
    END LOOP;
    FOR one IN
        SELECT l.* FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text)
        EXCEPT SELECT h.role, h.level, h.workspace FROM kepler_internal.levels_here() AS h
    LOOP
        PERFORM kepler.grant_access(quote_ident(one.role)::regrole, one.level, one.workspace);
    END LOOP;
END
$$;

-- On all other nodes.
CREATE FUNCTION kepler_internal.set_levels_of_nodes() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT kepler_internal.run_on_other_nodes(format('SELECT kepler_internal.set_levels(%L)',
        (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)))
$$;

-- Has the lists of levels of this node say what the coordinator's do. Rights are as they were, as where somebody changes a list by hand.
CREATE FUNCTION kepler_internal.set_lists(levels jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    own constant text := (SELECT concat(p.system_identifier, '/') FROM pg_control_system() AS p);
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    DELETE FROM kepler.access_levels AS a WHERE NOT EXISTS (
        SELECT FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
        WHERE l.workspace IS NULL AND (a.role_name, a.level, a.granted_to) = (l.role, l.level, concat(own, r.oid)));
    INSERT INTO kepler.access_levels (role_name, level, granted_to)
    SELECT l.role, l.level, concat(own, r.oid)
    FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
    WHERE l.workspace IS NULL
    ON CONFLICT DO NOTHING;
    DELETE FROM kepler.workspace_members AS m WHERE NOT EXISTS (
        SELECT FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
        WHERE (m.workspace_id, m.role_name, m.level, m.granted_to) = (l.workspace, l.role, l.level, concat(own, r.oid)));
    INSERT INTO kepler.workspace_members (workspace_id, role_name, level, granted_to)
    SELECT l.workspace, l.role, l.level, concat(own, r.oid)
    FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
    WHERE l.workspace IS NOT NULL
    ON CONFLICT DO NOTHING;
END
$$;

-- On all other nodes.
CREATE FUNCTION kepler_internal.set_lists_of_nodes() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT kepler_internal.run_on_other_nodes(format('SELECT kepler_internal.set_lists(%L)',
        (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)))
$$;

-- Has what is done to the lists of levels by hand reach the other nodes too, or no longer. On the coordinator.
CREATE FUNCTION kepler_internal.watch_levels(is_needed boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    list text;
BEGIN
    FOREACH list IN ARRAY ARRAY['access_levels', 'workspace_members'] LOOP
        IF NOT is_needed THEN
            EXECUTE format('DROP TRIGGER IF EXISTS tell_nodes ON kepler.%I', list);
            EXECUTE format('DROP TRIGGER IF EXISTS tell_nodes_truncated ON kepler.%I', list);
            CONTINUE;
        END IF;
        CONTINUE WHEN 2 = (
            SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = format('kepler.%I', list)::regclass
                AND g.tgfoid = 'kepler_internal.tell_nodes()'::regprocedure AND g.tgenabled = 'A');
        EXECUTE format('CREATE OR REPLACE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON kepler.%I
            FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_nodes()', list);
        EXECUTE format('CREATE OR REPLACE TRIGGER tell_nodes_truncated AFTER TRUNCATE ON kepler.%I
            FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_nodes()', list);
        EXECUTE format('ALTER TABLE kepler.%I ENABLE ALWAYS TRIGGER tell_nodes, ENABLE ALWAYS TRIGGER tell_nodes_truncated', list);
    END LOOP;
END
$$;

-- Sets up workers that came after the tables were distributed: Citus has made the shared tables there, and nothing else.
CREATE FUNCTION kepler_internal.set_up_new_nodes() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    node record;
    command text;
BEGIN
    FOR node IN EXECUTE
        'SELECT n.nodename AS name, n.nodeport AS port FROM run_command_on_workers(
             ''SELECT to_regclass(''''kepler.schema_versions'''') IS NULL'') AS r
         JOIN pg_catalog.pg_dist_node AS n USING (nodename, nodeport) WHERE r.success AND r.result = ''t'' ORDER BY n.nodeid'
    LOOP
        FOREACH command IN ARRAY ARRAY[
            format('SELECT kepler_internal.make_node(%L)', (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)),
            format('SELECT kepler_internal.prepare_node(%L)', (SELECT array_agg(t.relation::text)
                FROM kepler_internal.cluster_tables() AS t WHERE t.lies IN ('by workspace', 'everywhere'))),
            'SELECT kepler_internal.set_up_node()']
        LOOP
            PERFORM kepler_internal.run_on_node(node.name, node.port, NULL, command);
        END LOOP;
        -- The shared tables come again.
        EXECUTE 'SELECT citus_activate_node($1, $2)' USING node.name, node.port;
    END LOOP;
END
$$;

-- On a worker that Citus has given the shared tables: it gets all tables of its own, and roles their levels. The shared ones go, here
-- and nowhere else.
CREATE FUNCTION kepler_internal.make_node(levels jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    name text;
    given record;
BEGIN
    PERFORM kepler_internal.require_node(false);
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR name IN EXECUTE
        'SELECT p.logicalrelid::regclass::text FROM pg_catalog.pg_dist_partition AS p JOIN pg_class AS c ON c.oid = p.logicalrelid
         WHERE c.relnamespace IN (''kepler''::regnamespace, to_regnamespace(''kepler_data'')) ORDER BY c.relkind DESC'
    LOOP
        IF to_regclass(name) IS NOT NULL THEN EXECUTE 'SELECT worker_drop_shell_table($1)' USING name; END IF;
    END LOOP;
    PERFORM kepler_internal.install_on_node();
    INSERT INTO kepler.workspaces (id, name)
    SELECT DISTINCT l.workspace, l.workspace FROM jsonb_to_recordset(levels) AS l (workspace text) WHERE l.workspace IS NOT NULL
    ON CONFLICT DO NOTHING;
    FOR given IN SELECT * FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) LOOP
        PERFORM kepler.grant_access(quote_ident(given.role)::regrole, given.level, given.workspace);
    END LOOP;
END
$$;

-- Installs Kepler on a worker, where Citus may have brought views along that the coordinator made.
CREATE FUNCTION kepler_internal.install_on_node() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    IF to_regclass('kepler.schema_versions') IS NOT NULL THEN RETURN; END IF;
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('DROP VIEW %s CASCADE', name);
    END LOOP;
    PERFORM kepler.install();
END
$$;

-- Fails where there is no cluster, and on the coordinator unless it may be that.
CREATE FUNCTION kepler_internal.require_node(may_be_coordinator boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_coordinator boolean;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL THEN
        EXECUTE 'SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l' INTO is_coordinator;
    END IF;
    IF is_coordinator IS NULL OR is_coordinator AND NOT may_be_coordinator THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'this is no node that kepler.distribute() sets up',
            HINT = 'Call kepler.distribute() on the coordinator of the cluster.';
    END IF;
END
$$;

-- On a worker, before tables come from the coordinator: it has all tables of its own, but for these.
CREATE FUNCTION kepler_internal.prepare_node(shared text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
    has_rows boolean;
    by_workspace regclass[];
BEGIN
    PERFORM kepler_internal.require_node(false);
    -- What is done here is this node's alone.
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    PERFORM kepler_internal.install_on_node();
    -- Before what it is read from goes; after kepler.undistribute() it has gone with the others.
    IF to_regclass('kepler.embedding_spaces') IS NOT NULL THEN
        SELECT array_agg(t.relation) INTO by_workspace FROM kepler_internal.cluster_tables() AS t WHERE t.lies = 'by workspace';
    END IF;
    FOREACH name IN ARRAY shared LOOP
        IF to_regclass(name) IS NOT NULL AND kepler_internal.lies_now(name::regclass) IS NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
            IF has_rows AND coalesce(name::regclass = ANY (by_workspace),
                name NOT IN ('kepler.workspaces', 'kepler.tracked_tables', 'kepler.retention_policies'))
            THEN
                RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                    MESSAGE = format('a worker has rows of its own in %s', name),
                    HINT = 'Export its workspaces (kepler.export_workspace), then SELECT kepler.uninstall(with_rows => true); there.';
            END IF;
            EXECUTE format('DROP TABLE %s CASCADE', name);
        END IF;
    END LOOP;
    -- Who works here was sent here, and sees what policies show.
    GRANT SELECT ON kepler.feed, kepler.feed_default, kepler.feed_dropped, kepler.feed_epochs, kepler.schema_versions TO PUBLIC;
END
$$;

-- The library must be there before the first statement of a session, which may be a call that goes to another node.
CREATE FUNCTION kepler_internal.set_up_node() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    libraries text;
BEGIN
    PERFORM kepler_internal.require_node(true);
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    SELECT coalesce(max(substring(s.setting FROM '^session_preload_libraries=(.*)$')), '') INTO libraries
    FROM pg_db_role_setting AS d CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
    WHERE d.setdatabase = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()) AND d.setrole = 0
        AND s.setting LIKE 'session_preload_libraries=%';
    IF libraries !~ '\mkepler\M' THEN
        EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = %s', current_database(),
            (SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ')
             FROM unnest(array_remove(string_to_array(libraries, ','), '') || 'kepler'::text) AS l (name)));
    END IF;
    EXECUTE format('ALTER DATABASE %I SET citus.enable_unsafe_triggers = on', current_database());
END
$$;
