-- Retention: floors, what is deleted along with a row, and the run.

-- Floors that structures and blueprints declare for a table: of the version that was applied last, and of one under way. type is
-- NULL where the column is not there, or says no time. before: what is older may go. What is declared for a part or a whole of the
-- table holds for it; and where a declared table is not there any more, what has most of its columns is taken for it: it was renamed.
CREATE FUNCTION kepler_internal.retention_floors(relation oid)
RETURNS TABLE (column_name text, type oid, floor interval, declared_by text, before timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    WITH named AS (
        SELECT n.nspname::text AS schema_name, c.relname::text AS table_name
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = ANY (ARRAY(
            SELECT $1 UNION SELECT t.relid FROM pg_partition_tree($1) AS t UNION SELECT a.relid FROM pg_partition_ancestors($1) AS a (relid)))
        UNION
        SELECT l.schema_name, l.table_name
        FROM kepler.blueprint_tables AS l
        JOIN kepler.blueprints AS b ON b.name = l.blueprint_name
        JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version IN (b.version, b.pending_version)
        CROSS JOIN LATERAL json_array_elements(v.document -> 'tables') AS x (document)
        WHERE NOT EXISTS (
                SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relname = l.table_name AND n.nspname = l.schema_name)
            AND x.document ->> 'name' = l.name AND x.document -> 'retention' IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN kepler.blueprint_tables AS o ON o.schema_name = n.nspname AND o.table_name = c.relname
                WHERE c.oid = $1 AND (o.name IS NOT NULL OR n.nspname IN ('kepler', 'kepler_data')))
            AND (
                SELECT 2 * count(a.attnum) > count(*)
                FROM (
                    SELECT coalesce(f.field ->> 'column', f.field ->> 'name') FROM json_array_elements(x.document -> 'fields') AS f (field)
                    UNION SELECT x.document -> 'key' ->> 'name'
                    UNION SELECT x.document -> 'retention' ->> 'field'
                ) AS w (column_name)
                LEFT JOIN pg_attribute AS a ON a.attrelid = $1 AND a.attname = w.column_name AND NOT a.attisdropped
                WHERE w.column_name IS NOT NULL)
    ), declared AS (
        SELECT coalesce(f.field ->> 'column', d.retention ->> 'field') AS column_name, (d.retention ->> 'floor')::interval AS floor,
            format('blueprint "%s"', b.name) AS declared_by
        FROM named AS t
        JOIN kepler.blueprint_tables AS l ON l.schema_name = t.schema_name AND l.table_name = t.table_name
        JOIN kepler.blueprints AS b ON b.name = l.blueprint_name
        JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version IN (b.version, b.pending_version)
        CROSS JOIN LATERAL (
            SELECT x.document -> 'fields' AS fields, x.document -> 'retention' AS retention
            FROM json_array_elements(v.document -> 'tables') AS x (document)
            WHERE x.document ->> 'name' = l.name AND x.document -> 'retention' IS NOT NULL
        ) AS d
        LEFT JOIN LATERAL (
            SELECT x.field FROM json_array_elements(d.fields) AS x (field)
            WHERE x.field ->> 'name' = d.retention ->> 'field' LIMIT 1
        ) AS f ON true
        UNION
        SELECT coalesce(f.field ->> 'column', s.structure -> 'retention' ->> 'field'), (s.structure -> 'retention' ->> 'floor')::interval,
            format('the structure of "%s"', e.record_name)
        FROM named AS t
        JOIN kepler.entry_tables AS e ON e.table_name = t.table_name AND t.schema_name = 'kepler_data'
        JOIN kepler.structures AS s ON s.workspace_id = e.workspace_id AND s.entry_table_id = e.id AND s.version = e.version
        LEFT JOIN LATERAL (
            SELECT x.field FROM jsonb_array_elements(s.structure -> 'fields') AS x (field)
            WHERE x.field ->> 'name' = s.structure -> 'retention' ->> 'field' LIMIT 1
        ) AS f ON true
        WHERE s.structure ? 'retention'
    )
    SELECT d.column_name, a.type, d.floor, d.declared_by,
        -- A longer time could not be taken from a date.
        CASE WHEN d.floor > interval '5000 years' THEN '-infinity' ELSE timezone('UTC', timezone('UTC', now()) - d.floor) END
    FROM declared AS d
    LEFT JOIN LATERAL (
        SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS type
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = $1 AND a.attname = d.column_name AND NOT a.attisdropped
    ) AS a ON true
$$;

-- Whether a time to keep is shorter than a floor, on any day: a month has 28 days to 31, and a year 365 or 366.
CREATE FUNCTION kepler_internal.is_undercut(keep interval, floor interval) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN floor > interval '5000 years' THEN true
        -- All days of a leap year and the three around it.
        ELSE (SELECT bool_or(d.day - keep > d.day - floor)
              FROM generate_series('2001-01-01'::timestamp, '2004-12-31', '1 day') AS d (day))
    END
$$;

-- The foreign keys that refer to a table, or to a partition of it: found by triggers, which have an index, in contrast to the
-- constraints.
CREATE FUNCTION kepler_internal.references_to(relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT DISTINCT k.oid
    FROM pg_trigger AS g JOIN pg_constraint AS k ON k.oid = g.tgconstraint
    WHERE g.tgrelid = ANY (ARRAY(SELECT relation UNION SELECT t.relid FROM pg_partition_tree(relation) AS t))
        AND k.contype = 'f' AND k.confrelid = g.tgrelid AND k.conparentid = 0
$$;

-- A foreign key as a condition: the row that is referred to, and the row that refers.
CREATE FUNCTION kepler_internal.reference_condition(foreign_key oid, parent text, child text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(format('%s.%I OPERATOR(%I.%s) %s.%I', parent, p.attname, n.nspname, o.oprname, child, c.attname), ' AND ' ORDER BY u.at)
    FROM pg_constraint AS k
    CROSS JOIN LATERAL unnest(k.confkey, k.conkey, k.conpfeqop) WITH ORDINALITY AS u (key_number, number, equals, at)
    JOIN pg_attribute AS p ON p.attrelid = k.confrelid AND p.attnum = u.key_number
    JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = u.number
    JOIN pg_operator AS o ON o.oid = u.equals
    JOIN pg_namespace AS n ON n.oid = o.oprnamespace
    WHERE k.oid = foreign_key
$$;

-- The tables with floors whose rows are deleted along with rows of a table, by ON DELETE CASCADE, once for each way there. joined:
-- a FROM with its WHERE, from the row e of this table to the rows of that one, called t and the depth. is_endless: the way goes in
-- a circle, or too far. seen: the tables on the way. Of a partition its whole is meant.
CREATE FUNCTION kepler_internal.deleted_along(relation oid, max_depth integer)
RETURNS TABLE (relation oid, joined text, is_endless boolean, depth integer, seen oid[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    WITH RECURSIVE reached (relation) AS (
        SELECT $1
        UNION
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)
        FROM reached AS r
        CROSS JOIN LATERAL kepler_internal.references_to(r.relation) AS c (id)
        JOIN pg_constraint AS k ON k.oid = c.id AND k.confdeltype = 'c'
    ), declared (relation) AS MATERIALIZED (
        SELECT r.relation FROM reached AS r
        WHERE EXISTS (SELECT FROM kepler_internal.references_to($1))
            AND EXISTS (SELECT FROM kepler_internal.retention_floors(r.relation))
    ), holding (relation) AS (
        -- The tables from which one with a floor is reached.
        SELECT d.relation FROM declared AS d
        UNION
        SELECT t.relation
        FROM holding AS l
        CROSS JOIN LATERAL (SELECT l.relation UNION SELECT t.relid FROM pg_partition_tree(l.relation) AS t) AS p (relation)
        JOIN pg_constraint AS k ON k.conrelid = p.relation AND k.contype = 'f' AND k.confdeltype = 'c' AND k.conparentid = 0
        CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid)) AS t (relation)
        WHERE t.relation IN (SELECT r.relation FROM reached AS r)
    ), ways (relation, seen, joined, conditions, is_circle, depth) AS (
        SELECT $1, ARRAY[$1], NULL::text, NULL::text, false, 0
        UNION ALL
        SELECT c.relation, w.seen || c.relation,
            concat_ws(', ', w.joined, format('%s AS t%s', c.relation::regclass, w.depth + 1)),
            concat_ws(' AND ', w.conditions, kepler_internal.reference_condition(k.oid,
                CASE WHEN w.depth = 0 THEN 'e' ELSE format('t%s', w.depth) END, format('t%s', w.depth + 1))),
            c.relation = ANY (w.seen), w.depth + 1
        FROM ways AS w
        JOIN pg_constraint AS k ON k.oid IN (SELECT kepler_internal.references_to(w.relation)) AND k.confdeltype = 'c'
        CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)) AS c (relation)
        WHERE NOT w.is_circle AND w.depth < max_depth AND c.relation IN (SELECT l.relation FROM holding AS l)
    )
    SELECT w.relation, w.joined || ' WHERE ' || w.conditions, w.is_circle OR w.depth = max_depth, w.depth, w.seen
    FROM ways AS w
    WHERE w.depth > 0 AND (w.is_circle OR w.depth = max_depth OR w.relation IN (SELECT d.relation FROM declared AS d))
$$;

-- The references that keep a row e of a table, of those tables that a role can read by an index.
CREATE FUNCTION kepler_internal.kept_by_references(relation oid, role oid) RETURNS TABLE (joined text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT format('%s AS r WHERE %s', k.conrelid::regclass, kepler_internal.reference_condition(k.oid, 'e', 'r'))
    FROM kepler_internal.references_to(relation) AS f (id)
    JOIN pg_constraint AS k ON k.oid = f.id AND k.confdeltype IN ('a', 'r')
    JOIN pg_class AS c ON c.oid = k.conrelid
    WHERE has_table_privilege(role, c.oid, 'SELECT')
        AND NOT (c.relrowsecurity AND (c.relforcerowsecurity OR c.relowner <> role))
        AND EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = ANY (k.conkey))
    ORDER BY k.conrelid::regclass::text, k.oid
$$;

-- A page of policies for a run, those that have waited longest, which it has not begun with; and how many rows a batch of each deletes.
CREATE FUNCTION kepler_internal.open_retention(began_at timestamptz) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET max_parallel_workers_per_gather = 0
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'rows', 1000) ORDER BY c.place), '[]')
    FROM kepler_internal.retention_candidates(NULL, began_at) WITH ORDINALITY AS c (id, place)
$$;

-- The run: which policies are open.
CREATE FUNCTION kepler_internal.begin_retention(budget interval) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began constant timestamptz := clock_timestamp();
BEGIN
    IF budget IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "budget" must not be NULL';
    ELSIF budget <= interval '0' OR budget > interval '30 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "budget" must be longer than nothing, and at most 30 days';
    END IF;
    RETURN jsonb_build_object('began_at', began, 'ends_at', began + budget, 'at', 0, 'open', kepler_internal.open_retention(began));
END
$$;

-- What comes behind a batch: the next policy, or NULL at the end of the run. is_open: whether there is more of this one.
CREATE FUNCTION kepler_internal.next_retention(state jsonb, is_open boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at integer := (state ->> 'at')::integer;
BEGIN
    IF is_open THEN
        at := at + 1;
    ELSE
        state := state #- ARRAY['open', at::text];
    END IF;
    IF clock_timestamp() >= (state ->> 'ends_at')::timestamptz THEN
        RETURN NULL;
    END IF;
    IF jsonb_array_length(state -> 'open') = 0 THEN
        state := jsonb_set(state, '{open}', kepler_internal.open_retention((state ->> 'began_at')::timestamptz));
        IF jsonb_array_length(state -> 'open') = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN jsonb_set(state, '{at}', to_jsonb(CASE WHEN at >= jsonb_array_length(state -> 'open') THEN 0 ELSE at END));
END
$$;

-- One batch, in turn. That a policy is begun with is committed before: what ends the session comes last the next time. A batch takes about a fifth of a second: its rows are as many more or fewer the next time.
CREATE FUNCTION kepler_internal.retention_step(state jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at constant integer := (state ->> 'at')::integer;
    policy constant jsonb := state -> 'open' -> at;
    size constant integer := (policy ->> 'rows')::integer;
    began constant timestamptz := clock_timestamp();
    took interval;
    gone bigint;
BEGIN
    IF policy IS NULL THEN
        RETURN NULL;
    END IF;
    IF NOT policy ? 'begun' THEN
        PERFORM kepler_internal.retention_begun((policy ->> 'id')::bigint);
        RETURN jsonb_set(state, ARRAY['open', at::text, 'begun'], 'true');
    END IF;
    gone := kepler_internal.apply_retention((policy ->> 'id')::bigint, size);
    took := clock_timestamp() - began;
    RETURN kepler_internal.next_retention(jsonb_set(state, ARRAY['open', at::text, 'rows'], to_jsonb(CASE
        WHEN took > interval '400 ms' THEN greatest(size / 2, 100)
        WHEN took < interval '100 ms' AND gone >= size THEN least(size * 2, 20000)
        ELSE size END)), gone > 0);
END
$$;

-- The failure of a batch: it ends the policy for this run, and no other.
CREATE FUNCTION kepler_internal.retention_step_failed(state jsonb, code text, message text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler_internal.retention_failed((state -> 'open' -> (state ->> 'at')::integer ->> 'id')::bigint, code, message);
    RAISE WARNING USING MESSAGE = format('retention policy %s: %s', state -> 'open' -> (state ->> 'at')::integer ->> 'id',
        left(kepler_internal.without_secrets(message), 1000));
    RETURN kepler_internal.next_retention(state, false);
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.run_retention(budget interval DEFAULT interval '1 minute')
LANGUAGE plpgsql
AS $$
DECLARE
    state jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.run_retention');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    state := kepler_internal.begin_retention($1);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            state := kepler_internal.retention_step(state);
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            state := kepler_internal.retention_step_failed(state, sqlstate, sqlerrm);
        END;
        EXIT WHEN state IS NULL;
    END LOOP;
END
$$;
