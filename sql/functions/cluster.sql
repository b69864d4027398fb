-- Kepler on a Citus cluster.

-- The planner puts it in the place of a call for a workspace that lies on some node. The function's oid, the place of its
-- argument workspace_id and its arguments follow; it gives what the function gives.
CREATE FUNCTION kepler_internal.ship(function anyelement, VARIADIC arguments "any") RETURNS anyelement
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'kepler_ship';

-- How the tables lie in a cluster: by workspace, on every node with all rows, or on each node for itself. The rest stays where
-- it is: what is on the coordinator alone.
CREATE FUNCTION kepler_internal.cluster_tables(OUT relation regclass, OUT lies text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass, CASE
        WHEN c.relname IN ('workspaces', 'embedding_spaces', 'tracked_tables', 'retention_policies') THEN 'everywhere'
        -- They note what is done on a node; roles have other numbers on each.
        WHEN kepler_internal.each_node_has(c.relname) THEN 'node'
        -- Tables that are made while the cluster works are made on the coordinator.
        WHEN c.relname IN ('blueprints', 'blueprint_versions', 'blueprint_tables', 'blueprint_enums', 'entry_tables',
            'structures', 'hidden_fields', 'maintenance') THEN 'coordinator'
        ELSE 'by workspace'
    END
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND (c.relnamespace = to_regnamespace('kepler') AND c.relname !~ '_[0-9]+$' AND c.relname NOT IN ('parts', 'two_phase')
            OR c.relnamespace = to_regnamespace('kepler_data') AND c.relname::text IN (
                SELECT t.name FROM kepler.embedding_spaces AS s
                CROSS JOIN LATERAL unnest(ARRAY[s.memory_table_name, s.message_table_name]) AS t (name)))
        AND c.relowner = (SELECT w.relowner FROM pg_class AS w WHERE w.oid = to_regclass('kepler.workspaces'))
$$;

-- What Citus knows of a table: by workspace, everywhere, or nothing.
CREATE FUNCTION kepler_internal.lies_now(relation regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lies text;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN RETURN NULL; END IF;
    EXECUTE 'SELECT CASE p.partmethod WHEN ''h'' THEN ''by workspace'' WHEN ''n'' THEN ''everywhere'' END
             FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = $1' INTO lies USING relation;
    RETURN lies;
END
$$;

-- What keeps the tables from being distributed, the first row first.
CREATE FUNCTION kepler_internal.distribution_problems()
RETURNS TABLE (code text, message text, detail text, hint text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    version text;
    answer text;
    node record;
BEGIN
    SELECT e.extversion INTO version FROM pg_extension AS e WHERE e.extname = 'citus';
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('55000', 'Citus is not installed in this database', NULL::text,
            'Set shared_preload_libraries = ''citus'' on every node, then CREATE EXTENSION citus; and add the nodes.');
        RETURN;
    END IF;
    IF substring(version FROM '^[0-9]+')::integer < 13 THEN
        RETURN QUERY VALUES ('0A000', format('Citus %s is too old for Kepler', version), NULL::text,
            'Citus 13 is the first that may be used; 15 is the one that was tried.');
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass AND c.relowner = current_user::regrole)
    THEN
        RETURN QUERY SELECT '42501', 'only the owner of Kepler''s tables can distribute them', NULL::text,
            format('SET ROLE %s;', (SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass));
    ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = current_user AND r.rolsuper) THEN
        RETURN QUERY VALUES ('42501', 'only a superuser can distribute Kepler''s tables',
            'Settings of the database are changed on every node.', 'Call it as a superuser who owns the tables.');
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN QUERY SELECT '55000', 'Kepler''s tables cannot be distributed in a transaction with an older snapshot', NULL::text,
            'Use the isolation level READ COMMITTED.';
    END IF;
    EXECUTE 'SELECT min(l.groupid)::text FROM pg_catalog.pg_dist_local_group AS l' INTO answer;
    IF answer <> '0' THEN
        RETURN QUERY VALUES ('55000', 'this node is not the coordinator', NULL::text, 'Connect to the coordinator of the cluster.');
        RETURN;
    END IF;
    EXECUTE 'SELECT count(*) FILTER (WHERE n.groupid = 0)::text FROM pg_catalog.pg_dist_node AS n' INTO answer;
    IF answer = '0' THEN
        RETURN QUERY VALUES ('55000', 'the coordinator is not a node of its cluster',
            'Tables of which every node has all rows lie on the coordinator too.', 'SELECT citus_set_coordinator_host(''…'');');
        RETURN;
    END IF;
    EXECUTE 'SELECT count(*) FILTER (WHERE n.isactive AND n.shouldhaveshards)::text FROM pg_catalog.pg_dist_node AS n' INTO answer;
    IF answer = '0' THEN
        RETURN QUERY VALUES ('55000', 'no node of the cluster takes shards', NULL::text, 'SELECT citus_add_node(''…'', 5432);');
        RETURN;
    END IF;
    EXECUTE 'SELECT min(format(''SELECT citus_set_node_property(%L, %s, shouldhaveshards, false);'', n.nodename, n.nodeport))
        FROM pg_catalog.pg_dist_node AS n WHERE n.groupid = 0 AND n.shouldhaveshards' INTO answer;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '55000', 'the coordinator takes shards',
            'What is asked of all parts, as by kepler.status(), would not be whole where some lie beside the tables of the coordinator.',
            format('Have workers take them: %s', answer);
    END IF;
    FOR node IN EXECUTE
        'SELECT n.nodename || '':'' || n.nodeport AS name, r.success, r.result
         FROM run_command_on_all_nodes(''SELECT kepler.version()'') AS r
         JOIN pg_catalog.pg_dist_node AS n USING (nodeid) ORDER BY n.nodeid'
    LOOP
        IF NOT node.success THEN
            RETURN QUERY SELECT '55000', format('Kepler does not work on node %s', node.name), node.result,
                'Install its files there, then CREATE EXTENSION kepler CASCADE; in this database of the node.';
        ELSIF node.result <> kepler.version() THEN
            RETURN QUERY SELECT '55000', format('node %s has another version of Kepler', node.name),
                format('It has %s, and this one has %s.', node.result, kepler.version()),
                'Install the same files on every node, then ALTER EXTENSION kepler UPDATE; there.';
        END IF;
    END LOOP;
    SELECT string_agg(format('%s of %s', k.conname, k.conrelid::regclass), ', ' ORDER BY k.conname) INTO answer
    FROM pg_constraint AS k
    JOIN kepler_internal.cluster_tables() AS t ON t.relation = k.confrelid AND t.lies = 'by workspace'
    WHERE k.contype = 'f' AND k.conrelid NOT IN (SELECT o.relation FROM kepler_internal.cluster_tables() AS o)
        AND k.conparentid = 0 AND kepler_internal.lies_now(k.confrelid) IS NULL;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '0A000', 'tables outside of Kepler refer to what would be distributed',
            format('The foreign keys are: %s.', answer), 'Drop them; a table that is on one node cannot refer to rows on many.';
    END IF;
    SELECT string_agg(k.name, ', ' ORDER BY k.name) INTO answer
    FROM kepler.tracked_tables AS k
    JOIN kepler_internal.cluster_tables() AS t ON t.relation = to_regclass(k.name) AND t.lies IN ('by workspace', 'everywhere')
    WHERE k.level = 'history' AND k.untracked_at IS NULL AND kepler_internal.lies_now(t.relation) IS NULL;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '0A000', 'a history is kept of tables that would be distributed', format('The tables are: %s.', answer),
            'Each node would keep a history of its own, and what is there stays on the coordinator. SELECT kepler.untrack(…, ''history''); first.';
    END IF;
END
$$;

CREATE FUNCTION kepler.plan_distribution()
RETURNS TABLE (what text, relation regclass, action text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    RETURN QUERY SELECT 'check', NULL::regclass, 'refuse', p.message || coalesce(': ' || p.detail, '')
        FROM kepler_internal.distribution_problems() AS p;
    RETURN QUERY
        SELECT 'table', t.relation,
            CASE WHEN t.lies IN ('node', 'coordinator') OR kepler_internal.lies_now(t.relation) = t.lies THEN 'keep'
                WHEN t.lies = 'everywhere' THEN 'replicate' ELSE 'distribute' END,
            CASE t.lies
                WHEN 'everywhere' THEN 'every node has all rows: all workspaces read it'
                WHEN 'by workspace' THEN 'the rows of a workspace lie on one node'
                WHEN 'node' THEN 'each node has one of its own'
                ELSE 'it stays on the coordinator, as the tables that it lists do' END
        FROM kepler_internal.cluster_tables() AS t ORDER BY t.lies, t.relation::text;
    RETURN QUERY
        SELECT 'table', c.oid::regclass, 'keep', 'it stays on the coordinator, with all that refers to it'
        FROM (
            SELECT to_regclass(format('kepler_data.%I', e.table_name)) AS oid FROM kepler.entry_tables AS e
            UNION SELECT to_regclass(format('%I.%I', b.schema_name, b.table_name)) FROM kepler.blueprint_tables AS b) AS c
        WHERE c.oid IS NOT NULL ORDER BY c.oid::text;
    RETURN QUERY
        SELECT 'key', k.conrelid::regclass, 'replace',
            format('Citus has no ON DELETE SET NULL: a trigger in each part does what %s does', k.conname)
        FROM pg_constraint AS k JOIN kepler_internal.cluster_tables() AS t ON t.relation = k.conrelid AND t.lies = 'by workspace'
        WHERE k.contype = 'f' AND k.confdeltype = 'n' ORDER BY k.conname;
END
$$;

CREATE FUNCTION kepler.distribute(shard_count integer DEFAULT NULL)
RETURNS TABLE (relation regclass, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    problem record;
    key record;
    answer text;
    missing regclass[];
    foreign_keys jsonb;
    triggers jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    IF distribute.shard_count NOT BETWEEN 1 AND 64000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "shard_count" must be between 1 and 64000, not %s', distribute.shard_count);
    END IF;
    SELECT * INTO problem FROM kepler_internal.distribution_problems() LIMIT 1;
    IF problem.detail IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = problem.code, MESSAGE = problem.message, DETAIL = problem.detail, HINT = problem.hint;
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = problem.code, MESSAGE = problem.message, HINT = problem.hint;
    END IF;
    IF kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.set_up_new_nodes();
    END IF;
    SELECT array_agg(t.relation) INTO missing FROM kepler_internal.cluster_tables() AS t
    WHERE t.lies IN ('by workspace', 'everywhere') AND kepler_internal.lies_now(t.relation) IS NULL;
    IF missing IS NULL THEN
        PERFORM kepler_internal.guard_inbox(true);
        PERFORM kepler_internal.watch_levels(true);
        PERFORM kepler_internal.set_levels_of_nodes();
        RETURN QUERY SELECT t.relation, 'unchanged' FROM kepler_internal.cluster_tables() AS t
            WHERE t.lies IN ('by workspace', 'everywhere') ORDER BY t.relation::text;
        RETURN;
    END IF;
    -- Each node gets tables of its own, without those that will be shared. Before anything is locked here.
    EXECUTE 'SELECT min(r.result) FROM run_command_on_workers($1) AS r WHERE NOT r.success' INTO answer
    USING format('SELECT kepler_internal.prepare_node(%L)', (SELECT array_agg(m::text) FROM unnest(missing) AS m));
    IF answer IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'a node could not be prepared', DETAIL = answer;
    END IF;
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true),
        set_config('citus.enable_local_reference_table_foreign_keys', 'off', true),
        set_config('citus.shard_replication_factor', '1', true),
        set_config('citus.shard_count', coalesce(distribute.shard_count::text, current_setting('citus.shard_count')), true);
    SELECT jsonb_agg(jsonb_build_object('relation', k.conrelid::regclass::text, 'name', k.conname,
        'definition', pg_get_constraintdef(k.oid), 'empties', k.confdeltype = 'n', 'of', k.confrelid::regclass::text))
    INTO foreign_keys
    FROM pg_constraint AS k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY (missing) OR k.confrelid = ANY (missing));
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.relation, key.name);
    END LOOP;
    -- What is there already is no news for them.
    SELECT jsonb_agg(jsonb_build_object('relation', g.tgrelid::regclass::text, 'name', g.tgname, 'fires', g.tgenabled))
    INTO triggers
    FROM pg_trigger AS g
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgrelid IN (
        SELECT p.relid FROM unnest(missing) AS m CROSS JOIN LATERAL pg_partition_tree(m) AS p UNION SELECT unnest(missing));
    FOR key IN SELECT DISTINCT t.relation FROM jsonb_to_recordset(triggers) AS t (relation text) LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', key.relation);
    END LOOP;
    -- In a database that was restored from a dump of a cluster they are tables of this server.
    IF NOT kepler_internal.is_distributed() THEN DROP TABLE IF EXISTS kepler.parts, kepler.two_phase; END IF;
    IF to_regclass('kepler.parts') IS NULL THEN
        CREATE TABLE kepler.parts (workspace_id text PRIMARY KEY);
        COMMENT ON TABLE kepler.parts IS 'Has no rows: a call goes to the node where the rows of its workspace would lie';
        -- A right to delete would be one to lock the table, and with it everybody.
        CREATE TRIGGER keep_empty BEFORE INSERT ON kepler.parts FOR EACH ROW EXECUTE FUNCTION kepler_internal.load_library();
        GRANT SELECT, INSERT ON kepler.parts TO PUBLIC;
        EXECUTE 'SELECT create_distributed_table(''kepler.parts'', ''workspace_id'', colocate_with => ''none'')';
    END IF;
    IF to_regclass('kepler.two_phase') IS NULL THEN
        CREATE TABLE kepler.two_phase (nothing boolean CHECK (nothing IS NULL AND nothing IS NOT NULL));
        COMMENT ON TABLE kepler.two_phase IS 'Has no rows: a transaction that inserts none of them is committed in two phases';
        GRANT SELECT, INSERT ON kepler.two_phase TO PUBLIC;
        EXECUTE 'SELECT citus_add_local_table_to_metadata(''kepler.two_phase'')';
    END IF;
    -- Before the parts are made, which get checks and rights as they are then.
    PERFORM kepler_internal.guard_inbox(true);
    FOR key IN
        SELECT t.relation, t.lies FROM kepler_internal.cluster_tables() AS t WHERE t.relation = ANY (missing)
        ORDER BY t.lies DESC, t.relation::text
    LOOP
        IF key.lies = 'everywhere' THEN
            EXECUTE 'SELECT create_reference_table($1)' USING key.relation;
        ELSE
            EXECUTE 'SELECT create_distributed_table($1, ''workspace_id'', colocate_with => ''kepler.parts'')' USING key.relation;
        END IF;
        -- Its rows lie in shards now. Those that are still in the table itself nobody would read.
        EXECUTE 'SELECT truncate_local_data_after_distributing_table($1)' USING key.relation;
    END LOOP;
    FOR key IN SELECT DISTINCT t.relation FROM jsonb_to_recordset(triggers) AS t (relation text) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', key.relation);
    END LOOP;
    FOR key IN SELECT * FROM jsonb_to_recordset(triggers) AS t (relation text, name text, fires text) WHERE t.fires <> 'O' LOOP
        EXECUTE format('ALTER TABLE %s %s TRIGGER %I', key.relation,
            CASE key.fires WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, key.name);
    END LOOP;
    FOR key IN
        SELECT * FROM jsonb_to_recordset(foreign_keys)
            AS f (relation text, name text, definition text)
    LOOP
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', key.relation, key.name,
            regexp_replace(key.definition, ' ON DELETE SET NULL \([^)]*\)', ''));
    END LOOP;
    FOR key IN
        SELECT DISTINCT f."of" FROM jsonb_to_recordset(foreign_keys) AS f (empties boolean, "of" text) WHERE f.empties
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER empty_references BEFORE DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION kepler_internal.empty_references()', key."of");
    END LOOP;
    -- For sessions that begin from now on.
    EXECUTE 'SELECT min(r.result) FROM run_command_on_all_nodes($1) AS r WHERE NOT r.success' INTO answer
    USING 'SELECT kepler_internal.set_up_node()';
    IF answer IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'a node could not be set up', DETAIL = answer;
    END IF;
    PERFORM kepler_internal.complete_nodes();
    PERFORM kepler_internal.watch_levels(true);
    PERFORM kepler_internal.set_levels_of_nodes();
    PERFORM kepler_internal.turn_views(NULL);
    RETURN QUERY SELECT t.relation, CASE WHEN t.relation = ANY (missing) THEN 'distributed' ELSE 'unchanged' END
        FROM kepler_internal.cluster_tables() AS t WHERE t.lies IN ('by workspace', 'everywhere') ORDER BY t.relation::text;
END
$$;

-- Gives a new table its place in the cluster, where there is one.
CREATE FUNCTION kepler_internal.distribute_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true);
    EXECUTE 'SELECT create_distributed_table($1, ''workspace_id'', colocate_with => ''kepler.parts'')' USING relation;
END
$$;

-- An id for each part, as a workspace that lies there may have.
CREATE FUNCTION kepler_internal.part_keys() RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT DISTINCT ON (k.shard) k.key FROM (
             SELECT md5(g.n::text) AS key, get_shard_id_for_distribution_column(''kepler.parts'', md5(g.n::text)) AS shard
             FROM generate_series(1, 16 * (SELECT count(*) FROM pg_dist_shard AS s WHERE s.logicalrelid = ''kepler.parts''::regclass)) AS g (n)
         ) AS k ORDER BY k.shard, k.key';
END
$$;

-- What a step of the maintenance finds to do in the part of a workspace.
CREATE FUNCTION kepler_internal.maintenance_due_of_part(step text, workspace_id text, OUT due_workspace text, OUT object text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT d.workspace_id, d.object FROM kepler_internal.maintenance_due(maintenance_due_of_part.step) AS d;
END
$$;

-- What a step finds to do in all parts; on other nodes than the coordinator nothing, since that one sees to it.
CREATE FUNCTION kepler_internal.maintenance_due_in_parts(step text, OUT workspace_id text, OUT object text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part text;
    is_coordinator boolean;
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    EXECUTE 'SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l' INTO is_coordinator;
    IF NOT is_coordinator THEN RETURN; END IF;
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        RETURN QUERY SELECT d.due_workspace, d.object
            FROM kepler_internal.maintenance_due_of_part(maintenance_due_in_parts.step, part) AS d;
    END LOOP;
END
$$;

-- A part of a step in the workspace's part of the cluster.
CREATE FUNCTION kepler_internal.maintain_step_of_part(
    step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT p.place, p.done INTO maintain_step_of_part.place, maintain_step_of_part.done
    FROM kepler_internal.maintain_part(step, workspace_id, object, max_rows, maintain_step_of_part.place) AS p;
END
$$;

-- Whether Kepler's tables are distributed, and this session works in no part of them.
CREATE FUNCTION kepler_internal.is_distributed() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(kepler_internal.lies_now(to_regclass('kepler.parts')) IS NOT NULL, false);
END
$$;

-- Foreign keys that empty a column of rows that referred to what is deleted.
CREATE FUNCTION kepler_internal.emptied_references(OUT relation regclass, OUT name text, OUT column_name text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.relation::regclass, r.name, r.column_name FROM (VALUES
        ('kepler.connections', 'connections_user_fkey', 'user_id'),
        ('kepler.execution_questions', 'execution_questions_answered_by_fkey', 'answered_by'),
        ('kepler.execution_questions', 'execution_questions_user_fkey', 'user_id'),
        ('kepler.executions', 'executions_user_fkey', 'user_id'),
        ('kepler.messages', 'messages_user_fkey', 'user_id'),
        ('kepler.records', 'records_entity_fkey', 'entity_id'),
        ('kepler.workflows', 'workflows_user_fkey', 'user_id')) AS r (relation, name, column_name)
$$;

CREATE FUNCTION kepler.undistribute()
RETURNS TABLE (relation regclass, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    shared regclass[];
    foreign_keys jsonb;
    key record;
    numbered record;
    column_names text;
    last bigint;
    own text;
    views jsonb;
    of_replicas text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    SELECT array_agg(t.relation ORDER BY t.relation::text) INTO shared FROM kepler_internal.cluster_tables() AS t
    WHERE kepler_internal.lies_now(t.relation) IS NOT NULL;
    IF shared IS NULL THEN RETURN; END IF;
    views := kepler_internal.former_views();
    -- Rows that come back are no news for the triggers of their tables.
    PERFORM set_config('session_replication_role', 'replica', true),
        set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true),
        set_config('citus.enable_local_reference_table_foreign_keys', 'off', true);
    SELECT jsonb_agg(jsonb_build_object('relation', k.conrelid::regclass::text, 'name', k.conname,
        'definition', pg_get_constraintdef(k.oid) || CASE WHEN e.column_name IS NULL THEN '' ELSE format(' ON DELETE SET NULL (%I)', e.column_name) END))
    INTO foreign_keys
    FROM pg_constraint AS k
    LEFT JOIN kepler_internal.emptied_references() AS e ON e.relation = k.conrelid AND e.name = k.conname
    WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY (shared) OR k.confrelid = ANY (shared));
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.relation, key.name);
    END LOOP;
    DROP TRIGGER IF EXISTS empty_references ON kepler.users;
    DROP TRIGGER IF EXISTS empty_references ON kepler.entities;
    -- The rows come back into the table that they were distributed from, with all that it has. What Citus knew of it goes, as it
    -- does when a table is dropped.
    FOR key IN
        SELECT t.relation, n.nspname, c.relname FROM unnest(shared) AS t (relation)
        JOIN pg_class AS c ON c.oid = t.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LOOP
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO column_names FROM pg_attribute AS a
        WHERE a.attrelid = key.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format('CREATE TEMP TABLE came_back ON COMMIT DROP AS SELECT %s FROM %s', column_names, key.relation);
        -- Its partitions first.
        FOR numbered IN
            SELECT t.relid AS relation, n.nspname, c.relname
            FROM pg_partition_tree(key.relation) AS t JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            UNION SELECT key.relation, key.nspname, key.relname
            ORDER BY 1 DESC
        LOOP
            EXECUTE 'SELECT master_remove_distributed_table_metadata_from_workers($1, $2, $3)'
                USING numbered.relation, numbered.nspname, numbered.relname;
            EXECUTE 'SELECT citus_drop_all_shards($1, $2, $3, drop_shards_metadata_only => false)'
                USING numbered.relation, numbered.nspname, numbered.relname;
            EXECUTE 'SELECT master_remove_partition_metadata($1, $2, $3)' USING numbered.relation, numbered.nspname, numbered.relname;
        END LOOP;
        -- Nor for those that fire for what a subscription applies.
        of_replicas := ARRAY(SELECT g.tgname FROM pg_trigger AS g
            WHERE g.tgrelid = key.relation AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled = 'R');
        FOREACH own IN ARRAY of_replicas LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', key.relation, own);
        END LOOP;
        EXECUTE format('DELETE FROM %s', key.relation);
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM pg_temp.came_back', key.relation, column_names);
        DROP TABLE pg_temp.came_back;
        FOREACH own IN ARRAY of_replicas LOOP
            EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', key.relation, own);
        END LOOP;
        FOR numbered IN
            SELECT a.attname, pg_get_serial_sequence(key.relation::text, a.attname) AS sequence
            FROM pg_attribute AS a WHERE a.attrelid = key.relation AND a.attidentity <> ''
        LOOP
            EXECUTE format('SELECT max(%I) FROM %s', numbered.attname, key.relation) INTO last;
            IF last IS NOT NULL THEN PERFORM setval(numbered.sequence, greatest(last, nextval(numbered.sequence))); END IF;
        END LOOP;
    END LOOP;
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text, definition text) LOOP
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', key.relation, key.name, key.definition);
    END LOOP;
    -- Triggers that would tell Citus of it do not fire here.
    FOREACH own IN ARRAY ARRAY['parts', 'two_phase'] LOOP
        EXECUTE 'SELECT master_remove_distributed_table_metadata_from_workers($1, ''kepler'', $2),
            citus_drop_all_shards($1, ''kepler'', $2, drop_shards_metadata_only => false),
            master_remove_partition_metadata($1, ''kepler'', $2)' USING format('kepler.%I', own)::regclass, own;
        EXECUTE format('DROP TABLE kepler.%I', own);
    END LOOP;
    PERFORM kepler_internal.guard_inbox(false);
    PERFORM kepler_internal.watch_levels(false);
    PERFORM kepler_internal.begin_feed_anew();
    PERFORM kepler_internal.begin_history_anew(shared);
    PERFORM set_config('session_replication_role', 'origin', true);
    PERFORM kepler_internal.turn_views(views);
    RETURN QUERY SELECT s.relation, 'undistributed' FROM unnest(shared) AS s (relation);
END
$$;
