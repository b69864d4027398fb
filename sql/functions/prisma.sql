-- What the catalog says of all tables of some schemas, in one object, for schema.prisma. Partitions belong to their table.
--
-- Tables are those that Prisma's engine looks at: plain ones, partitioned ones and foreign ones. Expressions are told apart
-- by numbers, and printed by prisma_expressions.
CREATE FUNCTION kepler_internal.prisma_facts(schemas text[]) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
WITH tables AS (
    SELECT t.oid, t.relname, t.relkind, t.relrowsecurity, t.relispartition, t.relhassubclass, n.nspname
    FROM pg_class AS t
    JOIN pg_namespace AS n ON n.oid = t.relnamespace
    WHERE n.nspname = ANY (schemas) AND (t.relkind = 'r' AND NOT t.relispartition OR t.relkind IN ('p', 'f'))
)
SELECT json_build_object(
    'schemas', coalesce((SELECT json_agg(n.nspname ORDER BY n.nspname) FROM pg_namespace AS n WHERE n.nspname = ANY (schemas)), '[]'),
    'views', coalesce((
        SELECT json_agg(json_build_object('schema', n.nspname, 'name', v.relname) ORDER BY n.nspname, v.relname)
        FROM pg_class AS v
        JOIN pg_namespace AS n ON n.oid = v.relnamespace
        WHERE n.nspname = ANY (schemas) AND v.relkind IN ('v', 'm')), '[]'),
    'enums', coalesce((
        SELECT json_agg(json_build_object(
                'schema', n.nspname,
                'name', y.typname,
                'description', obj_description(y.oid, 'pg_type'),
                'values', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = y.oid)
            ) ORDER BY n.nspname, y.typname)
        FROM pg_type AS y
        JOIN pg_namespace AS n ON n.oid = y.typnamespace
        WHERE n.nspname = ANY (schemas) AND y.typtype = 'e' AND EXISTS (SELECT FROM pg_enum AS e WHERE e.enumtypid = y.oid)), '[]'),
    'tables', coalesce((
        SELECT json_agg(json_build_object(
                'oid', t.oid::bigint,
                'schema', t.nspname,
                'name', t.relname,
                'kind', t.relkind,
                'row_security', t.relrowsecurity,
                'inherited', t.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = t.oid),
                'inherits', NOT t.relispartition AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = t.oid),
                'description', obj_description(t.oid, 'pg_class'),
                'columns', coalesce(c.columns, '[]'),
                'indexes', coalesce(i.indexes, '[]'),
                'references', coalesce(r.references, '[]'),
                'checks', coalesce(r.checks, '[]'),
                'exclusions', coalesce(r.exclusions, '[]'),
                'fills', coalesce((
                    SELECT json_agg(encode(g.tgargs, 'hex') ORDER BY g.tgname)
                    FROM pg_trigger AS g
                    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.proname = 'fill_columns'
                    JOIN pg_namespace AS pn ON pn.oid = p.pronamespace AND pn.nspname = 'kepler_internal'
                    WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')), '[]')
            ) ORDER BY t.nspname, t.relname)
        FROM tables AS t
        LEFT JOIN LATERAL (
            -- Of a domain Prisma sees the type below it, as information_schema does.
            SELECT json_agg(json_build_object(
                    'number', a.attnum,
                    'name', a.attname,
                    'type_schema', yn.nspname,
                    'type', y.typname,
                    'type_kind', y.typtype,
                    'list', y.typelem <> 0 AND y.typlen = -1,
                    'element_kind', e.typtype,
                    'element_schema', en.nspname,
                    'modifier', m.modifier,
                    'domain', CASE WHEN b.typtype = 'd' THEN b.typname END,
                    'required', a.attnotnull OR b.typtype = 'd' AND b.typnotnull,
                    'default', d.adbin IS NOT NULL,
                    'identity', a.attidentity <> '',
                    'generated', a.attgenerated <> '',
                    'description', col_description(t.oid, a.attnum)
                ) ORDER BY a.attnum) AS columns
            FROM pg_attribute AS a
            JOIN pg_type AS b ON b.oid = a.atttypid
            JOIN pg_type AS y ON y.oid = CASE WHEN b.typtype = 'd' THEN b.typbasetype ELSE b.oid END
            JOIN pg_namespace AS yn ON yn.oid = y.typnamespace
            LEFT JOIN pg_type AS e ON e.oid = y.typelem AND y.typlen = -1
            LEFT JOIN pg_namespace AS en ON en.oid = e.typnamespace
            LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
            CROSS JOIN LATERAL (VALUES (CASE WHEN b.typtype = 'd' THEN b.typtypmod ELSE a.atttypmod END)) AS m (modifier)
            WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS c ON true
        LEFT JOIN LATERAL (
            SELECT json_agg(json_build_object(
                    'oid', x.indexrelid::bigint,
                    'name', ic.relname,
                    'unique', x.indisunique,
                    'primary', x.indisprimary,
                    'valid', x.indisvalid,
                    'method', am.amname,
                    'partial', x.indpred IS NOT NULL,
                    'nulls_not_distinct', x.indnullsnotdistinct,
                    'deferrable', NOT x.indimmediate,
                    'keys', x.indnkeyatts,
                    'columns', (
                        SELECT json_agg(json_build_object(
                                'number', x.indkey[k.at],
                                'descending', coalesce(x.indoption[k.at] & 1 = 1, false),
                                'nulls_first', coalesce(x.indoption[k.at] & 2 = 2, false),
                                'operator_class', o.opcname,
                                'default_operator_class', coalesce(o.opcdefault, true)
                            ) ORDER BY k.at)
                        FROM generate_series(0, x.indnatts - 1) AS k (at)
                        LEFT JOIN pg_opclass AS o ON o.oid = x.indclass[k.at])
                ) ORDER BY ic.relname) AS indexes
            FROM pg_index AS x
            JOIN pg_class AS ic ON ic.oid = x.indexrelid
            JOIN pg_am AS am ON am.oid = ic.relam
            WHERE x.indrelid = t.oid AND NOT x.indisexclusion
        ) AS i ON true
        LEFT JOIN LATERAL (
            SELECT json_agg(json_build_object(
                        'name', f.conname,
                        'columns', f.conkey,
                        'target', f.confrelid::bigint,
                        'target_schema', gn.nspname,
                        'target_name', g.relname,
                        'target_columns', f.confkey,
                        'on_delete', f.confdeltype,
                        'on_update', f.confupdtype,
                        'set_columns', f.confdelsetcols IS NOT NULL,
                        'full', f.confmatchtype = 'f',
                        'validated', f.convalidated,
                        'deferrable', f.condeferrable
                    ) ORDER BY f.conname)
                    -- A reference to a partitioned table is kept once more for each partition.
                    FILTER (WHERE f.contype = 'f' AND NOT (g.relispartition AND g.relkind = 'r')) AS references,
                json_agg(f.conname ORDER BY f.conname) FILTER (WHERE f.contype = 'c') AS checks,
                json_agg(f.conname ORDER BY f.conname) FILTER (WHERE f.contype = 'x') AS exclusions
            FROM pg_constraint AS f
            LEFT JOIN pg_class AS g ON g.oid = f.confrelid
            LEFT JOIN pg_namespace AS gn ON gn.oid = g.relnamespace
            WHERE f.conrelid = t.oid AND f.contype IN ('c', 'f', 'x')
        ) AS r ON true), '[]'))
$$;

-- The expressions that prisma_facts has numbers for, and the names of types that Postgres did not bring.
--
-- Prisma's engine compares the texts with what Postgres prints for it, and that depends on the search path: the caller
-- (src/prisma/write) sets the one that new sessions begin with. All names here are qualified, so that no schema of that
-- path can come between.
CREATE FUNCTION kepler_internal.prisma_expressions(tables oid[]) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
SELECT pg_catalog.json_build_object(
    'defaults', coalesce((
        SELECT pg_catalog.json_object_agg(pg_catalog.concat(d.adrelid, '.', d.adnum), pg_catalog.pg_get_expr(d.adbin, d.adrelid))
        FROM pg_catalog.pg_attrdef AS d WHERE d.adrelid OPERATOR(pg_catalog.=) ANY (tables)), '{}'),
    'predicates', coalesce((
        SELECT pg_catalog.json_object_agg(x.indexrelid::pg_catalog.text, pg_catalog.pg_get_expr(x.indpred, x.indrelid))
        FROM pg_catalog.pg_index AS x WHERE x.indrelid OPERATOR(pg_catalog.=) ANY (tables) AND x.indpred IS NOT NULL), '{}'),
    'types', coalesce((
        SELECT pg_catalog.json_object_agg(
            pg_catalog.concat(a.attrelid, '.', a.attnum),
            CASE WHEN y.typtype OPERATOR(pg_catalog.=) 'd' THEN pg_catalog.format_type(y.typbasetype, y.typtypmod)
                ELSE pg_catalog.format_type(y.oid, a.atttypmod) END)
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) a.atttypid
        WHERE a.attrelid OPERATOR(pg_catalog.=) ANY (tables) AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped), '{}'))
$$;
