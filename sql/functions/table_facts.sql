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
    -- Others are not those of structures.
    'triggers', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                'name', g.tgname,
                'internal', g.tgisinternal,
                'enabled', g.tgenabled,
                'function_schema', gn.nspname,
                'plain', g.tgqual IS NULL AND cardinality(g.tgattr::int2[]) = 0 AND g.tgtype = 23
                    AND p.proname = 'check_secret_references',
                'arguments', encode(g.tgargs, 'hex'),
                'definition', NULL
            ) ORDER BY g.tgname)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        JOIN pg_namespace AS gn ON gn.oid = p.pronamespace
        WHERE g.tgrelid = t.oid AND g.tgname = 'zz_kepler_secret_references'
    ), '[]')
)
FROM pg_class AS t
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE t.oid = relation
$$;
