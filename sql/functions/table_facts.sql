-- What else rests on a table or on a column of it, and whether Postgres changes no type under that. What functions and
-- clients say in texts is not known to anybody.
CREATE FUNCTION kepler_internal.dependents(relation oid) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
WITH depending AS (
    SELECT d.refobjsubid AS number, d.classid, d.objid, d.objsubid, d.deptype
    FROM pg_depend AS d
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
), found (number, kind, name, keeps_type) AS (
    SELECT d.number, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule' END,
        c.oid::regclass::text, true
    FROM depending AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_class AS c ON c.oid = r.ev_class
    UNION ALL
    SELECT d.number, 'policy', quote_ident(p.polname), true
    FROM depending AS d
    JOIN pg_policy AS p ON p.oid = d.objid AND d.classid = 'pg_policy'::regclass
    WHERE d.number > 0
    UNION ALL
    SELECT d.number, 'trigger', quote_ident(g.tgname), true
    FROM depending AS d
    JOIN pg_trigger AS g ON g.oid = d.objid AND d.classid = 'pg_trigger'::regclass
    WHERE d.number > 0 AND NOT g.tgisinternal
    UNION ALL
    SELECT d.number, 'function', p.oid::regprocedure::text, true
    FROM depending AS d
    JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
    UNION ALL
    -- By the version of Postgres the column depends, or its expression.
    SELECT d.number, 'generated column', quote_ident(a.attname), true
    FROM depending AS d
    LEFT JOIN pg_attrdef AS e ON e.oid = d.objid AND d.classid = 'pg_attrdef'::regclass
    JOIN pg_attribute AS a ON a.attrelid = relation AND a.attgenerated <> ''
        AND a.attnum = CASE WHEN d.classid = 'pg_class'::regclass AND d.objid = relation THEN d.objsubid ELSE e.adnum END
    WHERE d.number > 0 AND d.number <> a.attnum
    UNION ALL
    SELECT d.number, 'publication', quote_ident(b.pubname), true
    FROM depending AS d
    JOIN pg_publication_rel AS p ON p.oid = d.objid AND d.classid = 'pg_publication_rel'::regclass
    JOIN pg_publication AS b ON b.oid = p.prpubid
    WHERE d.number > 0
    UNION ALL
    -- Constraints go with their columns, but for the condition of an exclusion.
    SELECT d.number, CASE WHEN bool_or(d.deptype <> 'n') THEN 'constraint' ELSE 'exclusion' END, c.conname, false
    FROM depending AS d
    JOIN pg_constraint AS c ON c.oid = d.objid AND d.classid = 'pg_constraint'::regclass
    WHERE c.conrelid = relation AND d.number > 0 AND c.contype IN ('c', 'f', 'u', 'x')
    GROUP BY d.number, c.oid, c.conname
    UNION ALL
    SELECT d.number, 'index', c.relname, false
    FROM depending AS d
    JOIN pg_class AS c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind = 'i'
    WHERE d.number > 0
    UNION ALL
    SELECT d.number, 'statistics object', quote_ident(s.stxname), false
    FROM depending AS d
    JOIN pg_statistic_ext AS s ON s.oid = d.objid AND d.classid = 'pg_statistic_ext'::regclass
    WHERE d.number > 0
    UNION ALL
    SELECT 0, 'column', format('%s.%I', a.attrelid::regclass, a.attname), true
    FROM pg_class AS t
    JOIN pg_type AS y ON y.oid = t.reltype
    JOIN pg_depend AS d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray)
        AND d.classid = 'pg_class'::regclass AND d.objsubid > 0
    JOIN pg_attribute AS a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
    WHERE t.oid = relation
    UNION ALL
    SELECT a.attnum, 'parent', i.inhparent::regclass::text, true
    FROM pg_inherits AS i
    JOIN pg_attribute AS a ON a.attrelid = i.inhrelid AND a.attinhcount > 0 AND NOT a.attisdropped
    WHERE i.inhrelid = relation
    UNION ALL
    SELECT 0, 'child', i.inhrelid::regclass::text, false
    FROM pg_inherits AS i WHERE i.inhparent = relation
    UNION ALL
    SELECT 0, 'reference', c.conrelid::regclass::text, false
    FROM depending AS d
    JOIN pg_constraint AS c ON c.oid = d.objid AND d.classid = 'pg_constraint'::regclass
    WHERE c.contype = 'f' AND c.confrelid = relation AND c.conrelid <> relation
)
SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object(
    'column', a.attname, 'kind', f.kind, 'name', f.name, 'keeps_type', f.keeps_type)), '[]')
FROM found AS f
LEFT JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = f.number AND f.number > 0
WHERE f.name IS NOT NULL
$$;

-- What the catalog says of one table, in one object, for the comparison of tables with structures.
--
-- Expressions are printed under fixed settings, so that the text depends on nothing but the table.
-- This needs no privilege on the table. Printing its expressions waits for whoever holds it ACCESS EXCLUSIVE, and
-- prints the definitions as they are then: an object dropped meanwhile has none.
CREATE FUNCTION kepler_internal.table_facts(relation regclass) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET standard_conforming_strings = on
SET quote_all_identifiers = off
AS $$
SELECT jsonb_build_object(
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
    'columns', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'number', a.attnum,
                'name', a.attname,
                'type_schema', tn.nspname,
                'type', ty.typname,
                'type_kind', ty.typtype,
                'element_type', el.typname,
                'modifier', a.atttypmod,
                'not_null', a.attnotnull,
                'default_collation', a.attcollation = ty.typcollation,
                'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(ad.adbin, ad.adrelid) END,
                'identity', nullif(a.attidentity, ''),
                'generated', nullif(a.attgenerated, ''),
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
        SELECT jsonb_agg(jsonb_build_object(
                'name', c.conname,
                'kind', c.contype,
                -- Printing a check is the dear part: its expression below is enough. Of what was dropped meanwhile Postgres
                -- prints nothing, and fails where only what it rests on is gone.
                'definition', CASE
                    WHEN c.contype = 'c' THEN NULL
                    WHEN c.contype = 'f' AND pg_table_is_visible(c.confrelid) IS NULL THEN NULL
                    WHEN c.contype <> 'f' AND pg_get_indexdef(c.conindid) IS NULL THEN NULL
                    ELSE pg_get_constraintdef(c.oid) END,
                'columns', coalesce((
                    SELECT jsonb_agg(a.attname ORDER BY k.ordinality)
                    FROM unnest(c.conkey) WITH ORDINALITY AS k (number, ordinality)
                    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
                ), '[]'),
                'expression', pg_get_expr(c.conbin, c.conrelid),
                'validated', c.convalidated,
                -- NOT ENFORCED came with Postgres 18: before, this column does not exist.
                'enforced', c.convalidated
                    OR coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true),
                'deferrable', c.condeferrable,
                'target', CASE WHEN c.contype = 'f' THEN (
                    SELECT jsonb_build_object(
                        'schema', fn.nspname,
                        'table', f.relname,
                        'primary_key', fi.indisprimary,
                        'columns', coalesce((
                            SELECT jsonb_agg(a.attname ORDER BY k.ordinality)
                            FROM unnest(c.confkey) WITH ORDINALITY AS k (number, ordinality)
                            JOIN pg_attribute AS a
                                ON a.attrelid = c.confrelid AND a.attnum = k.number), '[]'))
                    FROM pg_class AS f
                    JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
                    JOIN pg_index AS fi ON fi.indexrelid = c.conindid
                    WHERE f.oid = c.confrelid) END,
                'on_delete', nullif(c.confdeltype, ' '),
                'on_update', nullif(c.confupdtype, ' '),
                'match', nullif(c.confmatchtype, ' ')
            ) ORDER BY c.oid)
        FROM pg_constraint AS c
        WHERE c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
            -- A reference to a partitioned table is kept once more for each partition.
            AND NOT EXISTS (
                SELECT FROM pg_constraint AS parent
                WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid)
    ), '[]'),
    'indexes', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'name', ic.relname,
                'unique', i.indisunique,
                'primary', i.indisprimary,
                'valid', i.indisvalid,
                'immediate', i.indimmediate,
                'method', am.amname,
                'constraint', c.conname,
                'predicate', pg_get_expr(i.indpred, i.indrelid),
                'nulls_not_distinct', i.indnullsnotdistinct,
                'included', i.indnatts - i.indnkeyatts,
                'definition', coalesce(pg_get_indexdef(i.indexrelid), ''),
                'columns', coalesce((
                    SELECT jsonb_agg(jsonb_build_object(
                            'name', a.attname,
                            'expression', CASE WHEN i.indkey[k.at] = 0
                                THEN pg_get_indexdef(i.indexrelid, k.at + 1, false) END,
                            'descending', i.indoption[k.at] & 1 = 1,
                            'nulls_first', i.indoption[k.at] & 2 = 2,
                            'operator_class', o.opcname,
                            'operator_class_schema', os.nspname,
                            'default_operator_class', o.opcdefault,
                            'default_collation', i.indcollation[k.at] = CASE
                                WHEN a.attnum IS NOT NULL THEN a.attcollation
                                WHEN i.indcollation[k.at] = 0 THEN 0
                                ELSE '"default"'::regcollation END
                        ) ORDER BY k.at)
                    FROM generate_series(0, i.indnkeyatts - 1) AS k (at)
                    JOIN pg_opclass AS o ON o.oid = i.indclass[k.at]
                    JOIN pg_namespace AS os ON os.oid = o.opcnamespace
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
    'dependents', kepler_internal.dependents(t.oid)
)
FROM pg_class AS t
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE t.oid = relation
$$;
