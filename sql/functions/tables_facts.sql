-- What the catalog says of tables, an object for each, for the comparison of tables with structures and blueprints.
--
-- Each part of a table is looked up by an index, whatever the planner believes of the catalog's size: the cost is that of
-- what these tables have, in a fresh database as in one of many tables. What is dear is told to whoever asks for it with
-- `whole`: what rests on the tables, and all definitions as Postgres prints them. Else those of what no blueprint can say.
--
-- Expressions are printed under fixed settings, so that the text depends on nothing but the table. This needs no privilege
-- on the tables. Printing a condition waits for whoever holds the table ACCESS EXCLUSIVE, and prints it as it is
-- then: an object dropped meanwhile has none.
CREATE FUNCTION kepler_internal.tables_facts(relations oid[], whole boolean) RETURNS TABLE (relation oid, facts json)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET lc_monetary = 'C'
SET standard_conforming_strings = on
SET quote_all_identifiers = off
SET enable_indexscan = on
SET enable_nestloop = on
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_memoize = off
SET enable_material = off
SET jit = off
AS $$
SELECT t.oid, json_build_object(
    'oid', t.oid::bigint,
    'schema', n.nspname,
    'name', t.relname,
    'kind', t.relkind,
    'owner', pg_get_userbyid(t.relowner),
    'description', (
        SELECT d.description FROM pg_description AS d
        WHERE d.objoid = t.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0),
    -- A table that was never analysed has -1 here, and the counters of its traffic know more.
    'estimated_rows', greatest(t.reltuples::bigint, pg_stat_get_live_tuples(t.oid), 0),
    'pages', t.relpages,
    'attribute_count', t.relnatts,
    'persistence', t.relpersistence,
    'access_method', (SELECT m.amname FROM pg_am AS m WHERE m.oid = t.relam),
    'tablespace', CASE WHEN t.reltablespace <> 0 THEN (
        SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = t.reltablespace) END,
    'options', t.reloptions,
    'replica_identity', t.relreplident,
    'of_type', CASE WHEN t.reloftype <> 0 THEN format_type(t.reloftype, NULL) END,
    'row_security', t.relrowsecurity,
    'row_security_forced', t.relforcerowsecurity,
    -- A condition that reads tables is not printed: that would wait for them.
    'policies', (
        SELECT json_agg(json_build_object(
                'name', p.polname,
                'permissive', p.polpermissive,
                'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                    WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                'roles', (
                    SELECT array_agg(CASE WHEN o.role = 0 THEN 'public' ELSE pg_get_userbyid(o.role)::text END)
                    FROM unnest(p.polroles) AS o (role)),
                'using', CASE WHEN p.polqual::text NOT LIKE '%{SUBLINK%' THEN pg_get_expr(p.polqual, t.oid) END,
                'check', CASE WHEN p.polwithcheck::text NOT LIKE '%{SUBLINK%' THEN pg_get_expr(p.polwithcheck, t.oid) END
            ) ORDER BY p.polname)
        FROM pg_policy AS p WHERE p.polrelid = t.oid),
    'parents', (
        SELECT array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)
        FROM pg_inherits AS i WHERE i.inhrelid = t.oid),
    'children', CASE WHEN t.relhassubclass THEN (
        SELECT array_agg(i.inhrelid::regclass::text ORDER BY i.inhrelid::regclass::text)
        FROM pg_inherits AS i WHERE i.inhparent = t.oid) END,
    'sequences', (
        SELECT json_agg(json_build_object(
                'column', d.refobjsubid,
                'identity', d.deptype = 'i',
                'schema', sn.nspname,
                'name', sc.relname,
                'next_value', format('nextval(''%s''::regclass)', replace(sc.oid::regclass::text, '''', '''''')),
                'parameters', CASE
                    WHEN s.seqstart <> 1 OR s.seqincrement <> 1 OR s.seqmin <> 1 OR s.seqcache <> 1 OR s.seqcycle
                        OR s.seqmax <> CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                            ELSE 9223372036854775807 END
                    THEN concat('START ', s.seqstart, ' INCREMENT ', s.seqincrement, ' MINVALUE ', s.seqmin,
                        ' MAXVALUE ', s.seqmax, ' CACHE ', s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END) END
            ) ORDER BY sc.oid)
        FROM pg_depend AS d
        JOIN pg_class AS sc ON sc.oid = d.objid AND sc.relkind = 'S'
        JOIN pg_namespace AS sn ON sn.oid = sc.relnamespace
        JOIN pg_sequence AS s ON s.seqrelid = sc.oid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.refobjsubid > 0
            AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')),
    -- Those of foreign keys only where they do not fire.
    'triggers', CASE WHEN t.relhastriggers THEN (
        SELECT json_agg(json_build_object(
                'name', g.tgname,
                'internal', g.tgisinternal,
                'enabled', g.tgenabled,
                'function_schema', pn.nspname,
                'arguments', encode(g.tgargs, 'hex'),
                'definition', CASE WHEN pn.nspname <> 'kepler_internal' THEN pg_get_triggerdef(g.oid) END
            ) ORDER BY g.tgname)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        JOIN pg_namespace AS pn ON pn.oid = p.pronamespace
        WHERE g.tgrelid = t.oid AND (NOT g.tgisinternal OR g.tgenabled <> 'O')) END,
    'rules', CASE WHEN t.relhasrules THEN (
        SELECT array_agg(r.rulename ORDER BY r.rulename) FROM pg_rewrite AS r WHERE r.ev_class = t.oid) END,
    'statistics', (
        SELECT array_agg(s.stxname ORDER BY s.stxname) FROM pg_statistic_ext AS s WHERE s.stxrelid = t.oid),
    'columns', coalesce((
        SELECT json_agg(json_build_object(
                'number', a.attnum,
                'name', a.attname,
                'type_schema', tn.nspname,
                'type', ty.typname,
                'type_kind', ty.typtype,
                'element_type', el.typname,
                'element_kind', el.typtype,
                'list', el.typarray = ty.oid,
                'modifier', a.atttypmod,
                'printed_type', CASE WHEN a.atttypmod >= 0 THEN format_type(a.atttypid, a.atttypmod) END,
                'not_null', a.attnotnull,
                'default_collation', a.attcollation = ty.typcollation,
                'collation', CASE WHEN a.attcollation <> ty.typcollation THEN a.attcollation::regcollation::text END,
                -- A default is of no column, so that it can be printed without the table.
                'default', CASE WHEN a.attgenerated = ''
                    THEN pg_get_expr(ad.adbin, CASE WHEN whole THEN ad.adrelid ELSE 0 END) END,
                'computed', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(ad.adbin, ad.adrelid) END,
                'identity', nullif(a.attidentity, ''),
                'generated', nullif(a.attgenerated, ''),
                'options', CASE
                    WHEN a.attcompression <> '' OR a.attstorage <> ty.typstorage OR a.attstattarget <> -1
                        OR a.attoptions IS NOT NULL
                    THEN array_remove(ARRAY[
                            CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END,
                            CASE WHEN a.attstorage <> ty.typstorage THEN 'STORAGE ' || CASE a.attstorage
                                WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END END,
                            CASE WHEN a.attstattarget <> -1 THEN concat('STATISTICS ', a.attstattarget) END
                        ], NULL) || a.attoptions END,
                'description', d.description
            ) ORDER BY a.attnum)
        FROM pg_attribute AS a
        JOIN pg_type AS ty ON ty.oid = a.atttypid
        JOIN pg_namespace AS tn ON tn.oid = ty.typnamespace
        LEFT JOIN pg_type AS el ON el.oid = ty.typelem AND ty.typcategory = 'A'
        LEFT JOIN pg_attrdef AS ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
        LEFT JOIN pg_description AS d
            ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'constraints', coalesce((
        SELECT json_agg(json_build_object(
                'name', c.conname,
                'kind', c.contype,
                -- Printing a check is the dear part: its expression below is enough. Of what was dropped meanwhile Postgres
                -- prints nothing, and fails where only what it rests on is gone.
                'definition', CASE
                    WHEN c.contype IN ('c', 'n') THEN NULL
                    WHEN NOT whole AND c.contype <> 'x' AND NOT c.condeferrable AND c.confmatchtype IN (' ', 's')
                        AND c.convalidated AND c.conexclop IS NULL AND NOT EXISTS (
                            SELECT FROM pg_index AS i
                            WHERE i.indexrelid = c.conindid AND i.indrelid = c.conrelid AND c.contype <> 'f'
                                AND (i.indnatts <> i.indnkeyatts OR i.indnullsnotdistinct))
                    THEN NULL
                    WHEN c.contype = 'f' AND pg_table_is_visible(c.confrelid) IS NULL THEN NULL
                    WHEN c.contype <> 'f' AND pg_get_indexdef(c.conindid) IS NULL THEN NULL
                    ELSE pg_get_constraintdef(c.oid) END,
                'columns', coalesce((
                    SELECT array_agg(a.attname ORDER BY k.ordinality)
                    FROM unnest(c.conkey) WITH ORDINALITY AS k (number, ordinality)
                    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
                ), '{}'),
                'expression', pg_get_expr(c.conbin, c.conrelid),
                'validated', c.convalidated,
                -- NOT ENFORCED came with Postgres 18: before, this column does not exist.
                'enforced', c.convalidated
                    OR coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true),
                'deferrable', c.condeferrable,
                'target', CASE WHEN c.contype = 'f' THEN (
                    SELECT json_build_object(
                        'schema', fn.nspname,
                        'table', f.relname,
                        'primary_key', fi.indisprimary,
                        -- Only keys that are about periods are no B-tree.
                        'index_method', fm.amname,
                        'columns', coalesce((
                            SELECT array_agg(a.attname ORDER BY k.ordinality)
                            FROM unnest(c.confkey) WITH ORDINALITY AS k (number, ordinality)
                            JOIN pg_attribute AS a
                                ON a.attrelid = c.confrelid AND a.attnum = k.number), '{}'))
                    FROM pg_class AS f
                    JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
                    JOIN pg_index AS fi ON fi.indexrelid = c.conindid
                    JOIN pg_class AS fc ON fc.oid = fi.indexrelid
                    JOIN pg_am AS fm ON fm.oid = fc.relam
                    WHERE f.oid = c.confrelid) END,
                'on_delete', nullif(c.confdeltype, ' '),
                'on_update', nullif(c.confupdtype, ' '),
                'match', nullif(c.confmatchtype, ' '),
                'set_columns', CASE WHEN c.confdelsetcols IS NOT NULL THEN (
                    SELECT array_agg(a.attname ORDER BY k.ordinality)
                    FROM unnest(c.confdelsetcols) WITH ORDINALITY AS k (number, ordinality)
                    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number) END
            ) ORDER BY c.oid)
        FROM pg_constraint AS c
        WHERE c.conrelid = t.oid AND (c.contype IN ('c', 'f', 'p', 'u', 'x') OR c.contype = 'n' AND NOT c.convalidated)
            -- A reference to a partitioned table is kept once more for each partition.
            AND (c.conparentid = 0 OR NOT EXISTS (
                SELECT FROM pg_constraint AS parent
                WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid))
    ), '[]'),
    'indexes', coalesce((
        SELECT json_agg(json_build_object(
                'name', ic.relname,
                'unique', i.indisunique,
                'primary', i.indisprimary,
                'valid', i.indisvalid,
                'immediate', i.indimmediate,
                'method', am.amname,
                'constraint', c.conname,
                'is_partial', i.indpred IS NOT NULL,
                'predicate', pg_get_expr(i.indpred, i.indrelid),
                'nulls_not_distinct', i.indnullsnotdistinct,
                'included', i.indnatts - i.indnkeyatts,
                'options', ic.reloptions,
                'tablespace', CASE WHEN ic.reltablespace <> 0 THEN (
                    SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = ic.reltablespace) END,
                'definition', CASE WHEN whole OR i.indexprs IS NOT NULL OR i.indnatts <> i.indnkeyatts
                        OR am.amname NOT IN ('btree', 'gin', 'hash', 'gist', 'spgist', 'brin')
                    THEN coalesce(pg_get_indexdef(i.indexrelid), '') END,
                'columns', coalesce((
                    SELECT json_agg(json_build_object(
                            'name', a.attname,
                            'expression', CASE WHEN i.indkey[k.at] = 0
                                THEN pg_get_indexdef(i.indexrelid, k.at + 1, false) END,
                            'descending', i.indoption[k.at] & 1 = 1,
                            'nulls_first', i.indoption[k.at] & 2 = 2,
                            'operator_class', o.opcname,
                            'operator_class_schema', os.nspname,
                            -- Types may be indexed by the class of a type that theirs is stored as.
                            'default_operator_class', o.opcdefault AND (a.attnum IS NULL OR o.opcintype = a.atttypid OR NOT EXISTS (
                                SELECT FROM pg_opclass AS e
                                WHERE e.opcmethod = o.opcmethod AND e.opcdefault AND e.opcintype = a.atttypid)),
                            'operator_class_options', ia.attoptions,
                            'collation', CASE WHEN a.attcollation <> i.indcollation[k.at]
                                THEN i.indcollation[k.at]::regcollation::text END,
                            'default_collation', i.indcollation[k.at] = CASE
                                WHEN a.attnum IS NOT NULL THEN a.attcollation
                                WHEN i.indcollation[k.at] = 0 THEN 0
                                ELSE '"default"'::regcollation END
                        ) ORDER BY k.at)
                    FROM generate_series(0, i.indnkeyatts - 1) AS k (at)
                    JOIN pg_opclass AS o ON o.oid = i.indclass[k.at]
                    JOIN pg_namespace AS os ON os.oid = o.opcnamespace
                    JOIN pg_attribute AS ia ON ia.attrelid = i.indexrelid AND ia.attnum = k.at + 1
                    LEFT JOIN pg_attribute AS a
                        ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.at]
                            AND i.indkey[k.at] <> 0), '[]')
            ) ORDER BY i.indexrelid)
        FROM pg_index AS i
        JOIN pg_class AS ic ON ic.oid = i.indexrelid
        JOIN pg_am AS am ON am.oid = ic.relam
        LEFT JOIN pg_constraint AS c
            ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
        WHERE i.indrelid = t.oid
    ), '[]'),
    'dependents', CASE WHEN whole THEN kepler_internal.dependents(t.oid) END
)
FROM unnest(relations) AS r (oid)
JOIN pg_class AS t ON t.oid = r.oid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
$$;

-- The enum types of schemas, with their values in order.
CREATE FUNCTION kepler_internal.enum_facts(schemas text[]) RETURNS TABLE (schema_name text, type_name text, labels text[], owner text, description text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
SELECT n.nspname::text, t.typname::text,
    coalesce((SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid), '{}'),
    pg_get_userbyid(t.typowner)::text, d.description
FROM unnest(schemas) AS s (name)
JOIN pg_namespace AS n ON n.nspname = s.name
-- What is in a schema depends on it, and no index of types begins with their schema.
JOIN pg_depend AS p ON p.refclassid = 'pg_namespace'::regclass AND p.refobjid = n.oid AND p.classid = 'pg_type'::regclass
JOIN pg_type AS t ON t.oid = p.objid AND t.typtype = 'e'
LEFT JOIN pg_description AS d ON d.objoid = t.oid AND d.classoid = 'pg_type'::regclass AND d.objsubid = 0
ORDER BY n.nspname, t.typname
$$;
