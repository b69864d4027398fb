-- Deletes workspaces. All of it but the procedure runs as the owner of Kepler's tables.

-- Marks a workspace, which functions refuse to work in then.
CREATE FUNCTION kepler_internal.mark_workspace_deleted(workspace_id text, with_rows boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    deleting_at timestamptz;
    held text;
    is_known boolean;
    -- Citus has all nodes write the same, and takes nothing that each of them would work out.
    marked_at timestamptz;
BEGIN
    -- Waits for whoever has inserted rows that refer to it.
    SELECT w.deleting_at INTO deleting_at FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
    is_known := FOUND;
    IF is_known AND kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.wait_for_workspace_of_part(workspace_id);
    END IF;
    IF NOT is_known THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id);
    ELSIF deleting_at IS NOT NULL THEN
        RETURN;
    ELSIF workspace_id = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'workspace "default" cannot be deleted',
            DETAIL = 'Sessions that set no workspace work in it.';
    END IF;
    held := CASE WHEN NOT with_rows THEN kepler_internal.held_by_workspace(workspace_id) END;
    IF held IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" holds rows', workspace_id),
            DETAIL = format('They are in %s. Nothing was deleted.', held),
            HINT = format('SELECT * FROM kepler.workspace_report(%L); counts them. CALL kepler.delete_workspace(%1$L, with_rows => true); '
                'deletes them too.', workspace_id);
    END IF;
    marked_at := clock_timestamp();
    UPDATE kepler.workspaces AS w SET deleting_at = marked_at WHERE w.id = workspace_id;
END
$$;

-- Drops an entry table of a workspace that is being deleted, with all that is said of it. Its own kind alone may refer to it: what
-- is somebody else's makes it fail.
CREATE FUNCTION kepler_internal.delete_entry_table(workspace_id text, entry_table_id text, table_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    relation constant regclass := to_regclass(format('kepler_data.%I', table_name));
    reference record;
BEGIN
    IF relation IS NOT NULL THEN
        FOR reference IN
            SELECT f.conrelid::regclass AS relation, f.conname AS name
            FROM pg_constraint AS f
            JOIN pg_class AS c ON c.oid = f.conrelid AND c.relnamespace = to_regnamespace('kepler_data')
            JOIN kepler.entry_tables AS e ON e.workspace_id = workspace_id AND e.table_name = c.relname
            WHERE f.confrelid = relation AND f.contype = 'f' AND f.conrelid <> relation
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.relation, reference.name);
        END LOOP;
        EXECUTE format('DROP TABLE %s', relation);
    END IF;
    DELETE FROM kepler.hidden_fields AS h WHERE h.workspace_id = workspace_id AND h.entry_table_id = entry_table_id;
    DELETE FROM kepler.structures AS s WHERE s.workspace_id = workspace_id AND s.entry_table_id = entry_table_id;
    DELETE FROM kepler.entry_tables AS e WHERE e.workspace_id = workspace_id AND e.id = entry_table_id;
END
$$;

-- Deletes rows of a workspace from a table, those behind a key, in the order of keys. A table without a primary key has no order.
CREATE FUNCTION kepler_internal.delete_rows(
    relation regclass, tenant_column text, workspace_id text, max_rows integer, after text[], OUT met bigint, OUT last text[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    columns text;
    printed text;
    bound text;
BEGIN
    SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.at),
        string_agg(format('pg_catalog.format(''%%s'', t.%I)', a.attname), ', ' ORDER BY k.at),
        string_agg(format('$3[%s]::%s', k.number, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.at)
    INTO columns, printed, bound
    FROM pg_index AS i
    CROSS JOIN LATERAL (
        SELECT n.attnum, n.at, row_number() OVER (ORDER BY n.at) AS number
        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS n (attnum, at)
        JOIN pg_attribute AS c ON c.attrelid = i.indrelid AND c.attnum = n.attnum AND c.attname <> tenant_column
    ) AS k
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = relation AND i.indisprimary;
    EXECUTE format(
        'WITH b AS MATERIALIZED (
             SELECT t.ctid AS place, %s AS key FROM ONLY %s AS t
             WHERE t.%I OPERATOR(pg_catalog.=) $1%s%s LIMIT $2
         ), d AS (
             DELETE FROM ONLY %2$s AS t WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT b.place FROM b)) RETURNING 1
         )
         SELECT n.met, (SELECT b.key FROM b OFFSET greatest(n.met - 1, 0) LIMIT 1)
         FROM (SELECT count(*) FROM b) AS n (met), (SELECT count(*) FROM d) AS e',
        coalesce('ARRAY[' || printed || ']', 'NULL::pg_catalog.text[]'), relation, tenant_column,
        CASE WHEN after IS NOT NULL AND columns IS NOT NULL THEN format(' AND (%s) > (%s)', columns, bound) END,
        ' ORDER BY ' || columns)
    INTO met, last USING workspace_id, max_rows, after;
END
$$;

-- Deletes rows of a workspace from its tables, in an order that leaves nothing behind that refers to what is gone. place: where to go
-- on; gives that, or NULL when a round has met nothing: transactions that were under way may have written behind it. in_part: of
-- tables that lie in a part of a cluster, and with it on its node, or that do not; NULL where there is no cluster.
CREATE FUNCTION kepler_internal.delete_workspace_rows(workspace_id text, max_rows integer, place jsonb, in_part boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    left_rows integer := max_rows;
    met bigint;
    last text[];
    after text[] := CASE WHEN place ? 'after' THEN ARRAY(SELECT jsonb_array_elements_text(place -> 'after')) END;
    is_found boolean := coalesce((place ->> 'is_found')::boolean, false);
    is_reached boolean := place -> 'relation' IS NULL;
BEGIN
    -- What refers to others first.
    FOR part IN
        SELECT r.kind, p.relid AS relation, r.tenant_column
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        CROSS JOIN LATERAL (
            SELECT r.relation AS relid
            WHERE NOT EXISTS (SELECT FROM pg_partitioned_table AS y WHERE y.partrelid = r.relation)
            UNION ALL
            SELECT t.relid FROM pg_partition_tree(r.relation) AS t WHERE t.isleaf
        ) AS p
        -- The rows of the history stay, without what they tell: its seals are over all workspaces.
        WHERE r.key NOT LIKE 'kepler.history%'
            AND CASE WHEN in_part THEN kepler_internal.lies_now(r.relation) IS DISTINCT FROM 'everywhere'
                WHEN NOT in_part THEN kepler_internal.lies_now(r.relation) IS NULL ELSE true END
        ORDER BY r.left_out IS NOT NULL, r.position DESC, p.relid::oid
    LOOP
        is_reached := is_reached OR part.relation::text = place ->> 'relation';
        CONTINUE WHEN NOT is_reached;
        LOOP
            BEGIN
                SELECT d.met, d.last INTO met, last
                FROM kepler_internal.delete_rows(part.relation, part.tenant_column, workspace_id, left_rows, after) AS d;
            EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
                IF part.kind <> 'blueprint table' THEN
                    RAISE;
                END IF;
                PERFORM kepler_internal.delete_circles(workspace_id);
                is_found := true;
                met := 0;
            END;
            is_found := is_found OR met > 0;
            EXIT WHEN met < left_rows;
            RETURN jsonb_build_object('relation', part.relation::text, 'is_found', true)
                || CASE WHEN last IS NULL THEN '{}' ELSE jsonb_build_object('after', to_jsonb(last)) END;
        END LOOP;
        left_rows := left_rows - met;
        after := NULL;
    END LOOP;
    RETURN CASE WHEN is_found OR NOT is_reached THEN '{}'::jsonb END;
END
$$;

-- Deletes a part of a workspace: a blueprint, an entry table, or some rows of its tables. place: where to go on, NULL at first;
-- gives NULL when nothing is left.
CREATE FUNCTION kepler_internal.delete_workspace_part(workspace_id text, max_rows integer, place jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    listed record;
    next_place jsonb;
    redacted bigint;
    is_distributed constant boolean := kepler_internal.is_distributed();
BEGIN
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id AND w.deleting_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT b.name INTO listed FROM kepler.blueprints AS b WHERE b.workspace_id = workspace_id ORDER BY b.name LIMIT 1;
    IF FOUND THEN
        PERFORM kepler.drop_blueprint(listed.name, '{"with_rows": true}');
        RETURN '{}';
    END IF;
    SELECT e.id, e.table_name INTO listed FROM kepler.entry_tables AS e
    WHERE e.workspace_id = workspace_id ORDER BY e.id LIMIT 1;
    IF FOUND THEN
        PERFORM kepler_internal.delete_entry_table(workspace_id, listed.id, listed.table_name);
        RETURN '{}';
    END IF;
    next_place := CASE WHEN is_distributed THEN kepler_internal.delete_workspace_rows_in_parts(workspace_id, max_rows, place)
        ELSE kepler_internal.delete_workspace_rows(workspace_id, max_rows, place, NULL) END;
    IF next_place IS NOT NULL THEN
        RETURN next_place;
    END IF;
    redacted := kepler_internal.redact_history(workspace_id, 'the workspace was deleted', max_rows => max_rows);
    IF redacted = 0 AND is_distributed THEN
        redacted := kepler_internal.redact_history_in_parts(workspace_id, 'the workspace was deleted', max_rows);
    END IF;
    IF redacted > 0 THEN
        RETURN '{}';
    END IF;
    BEGIN
        DELETE FROM kepler.workspaces AS w WHERE w.id = workspace_id;
    EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
        -- Rows that were written behind this round; or what refers to it is nobody that is known here.
        IF place ? 'is_last' THEN
            RAISE;
        END IF;
        RETURN '{"is_last": true}';
    END;
    RETURN NULL;
END
$$;

-- Deletes the rows of a workspace from the tables of all blueprints in one statement: they refer to each other in a circle, or to
-- rows of their own table.
CREATE FUNCTION kepler_internal.delete_circles(workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    statement text;
BEGIN
    SELECT format('WITH %s SELECT', string_agg(format('d%s AS (DELETE FROM %s AS t WHERE t.%I OPERATOR(pg_catalog.=) $1)',
        r.position, r.relation, r.tenant_column), ', '))
    INTO statement
    FROM kepler_internal.workspace_relations(workspace_id) AS r
    WHERE r.kind = 'blueprint table' AND r.tenant_column IS NOT NULL;
    EXECUTE statement USING workspace_id;
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.delete_workspace(workspace_id text, with_rows boolean DEFAULT false, max_rows integer DEFAULT 10000)
LANGUAGE plpgsql
AS $$
DECLARE
    place text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.delete_workspace');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM kepler_internal.begin_workspace_deletion($1, $2, $3);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        place := kepler_internal.delete_workspace_step($1, $3, place);
        EXIT WHEN place IS NULL;
    END LOOP;
END
$$;
