-- Which indexes on vectors to build, and when one has been outgrown.

-- The rows of a table with vectors in a part of a cluster, or here if part_of is NULL, as Postgres estimates them (below 0: it does not
-- know). repeated: the share of them whose vector fifty or more have, as far as Postgres keeps count of it.
CREATE FUNCTION kepler_internal.vectors_of_part(
    relation regclass, column_name text, part_of text, OUT counted real, OUT repeated real
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_relation constant regclass := kepler_internal.relation_here(relation);
BEGIN
    SELECT c.reltuples INTO counted FROM pg_class AS c WHERE c.oid = of_relation;
    SELECT sum(f.frequency) INTO repeated
    FROM pg_class AS c
    JOIN pg_stats AS t ON t.schemaname = c.relnamespace::regnamespace::text AND t.tablename = c.relname
        AND t.attname = column_name
    CROSS JOIN LATERAL unnest(t.most_common_freqs) AS f (frequency)
    WHERE c.oid = of_relation AND f.frequency >= 0.005 AND f.frequency * counted >= 50;
END
$$;

-- PL/pgSQL does not tell an argument from a column of the answer that has its name.
CREATE FUNCTION kepler_internal.index_advice(relation regclass) RETURNS TABLE (
    table_name regclass, column_name text, row_count bigint, advice text, statement text,
    build_memory bigint, reason text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    given_relation ALIAS FOR $1;
    -- Below, a comparison of all rows takes as long as a look into the index, and finds everything.
    indexed_from constant bigint := 50000;
    links constant integer := 16;
    vectors record;
    metric text;
    operator_class text;
    expression text;
    bytes_a_row integer;
    lists bigint;
    -- Each part of a distributed table has an index of its own: the largest one counts.
    is_distributed boolean;
    most bigint;
    is_unknown boolean;
    repeated real;
BEGIN
    PERFORM kepler_internal.require_tables();
    is_distributed := kepler_internal.is_distributed();
    FOR vectors IN
        SELECT c.oid::regclass AS relation, a.attname::text AS name, a.atttypmod AS dimensions,
            n.nspname AS vector_schema,
            s.metric::text AS metric, i.index, i.method, i.valid, i.lists, i.key, i.next
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
        JOIN pg_type AS t ON t.oid = a.atttypid AND t.typname = 'vector'
        JOIN pg_extension AS x ON x.extname = 'vector' AND x.extnamespace = t.typnamespace
        JOIN pg_namespace AS n ON n.oid = t.typnamespace
        LEFT JOIN kepler.embedding_spaces AS s
            ON c.relnamespace = to_regnamespace('kepler_data') AND c.relname IN (s.memory_table_name, s.message_table_name)
        LEFT JOIN LATERAL (
            SELECT k.oid::regclass AS index, m.amname AS method, ix.indisvalid AS valid,
                pg_get_indexdef(k.oid, 1, false) || format(' %I.%I', p.nspname, o.opcname) AS key,
                l.lists,
                -- The one that does the same and has more lists, or needs none.
                lead(k.oid::regclass) OVER (
                    PARTITION BY ix.indisvalid, pg_get_indexdef(k.oid, 1, false), o.opcname
                    ORDER BY m.amname DESC, l.lists, k.oid) AS next
            FROM pg_index AS ix
            JOIN pg_class AS k ON k.oid = ix.indexrelid
            JOIN pg_am AS m ON m.oid = k.relam AND m.amname IN ('hnsw', 'ivfflat')
            JOIN pg_opclass AS o ON o.oid = ix.indclass[0]
            JOIN pg_namespace AS p ON p.oid = o.opcnamespace
            LEFT JOIN LATERAL (
                SELECT coalesce(max(v.option_value::bigint), 100) AS lists
                FROM pg_options_to_table(k.reloptions) AS v WHERE v.option_name = 'lists'
            ) AS l ON m.amname = 'ivfflat'
            WHERE ix.indrelid = c.oid AND ix.indpred IS NULL
                AND EXISTS (
                    SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = k.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                        AND d.refobjsubid = a.attnum)
                -- An index that compares otherwise than the space serves none of its searches.
                AND (s.metric IS NULL OR NOT ix.indisvalid OR o.opcname = 'bit_hamming_ops'
                    OR o.opcname LIKE CASE s.metric
                        WHEN 'cosine' THEN '%_cosine_ops' WHEN 'l2' THEN '%_l2_ops' ELSE '%_ip_ops' END)
            ORDER BY ix.indisvalid, m.amname DESC, l.lists, k.oid LIMIT 1
        ) AS i ON true
        WHERE a.attnum > 0 AND NOT a.attisdropped
            AND (given_relation IS NULL OR c.oid = given_relation
                OR c.oid IN (SELECT p.relid FROM pg_partition_tree(given_relation) AS p))
        ORDER BY c.oid::regclass::text, a.attnum
    LOOP
        table_name := vectors.relation;
        column_name := vectors.name;
        SELECT sum(greatest(v.counted, 0)::bigint), max(greatest(v.counted, 0)::bigint), bool_or(v.counted < 0), max(v.repeated)
        INTO row_count, most, is_unknown, repeated
        FROM unnest(CASE WHEN is_distributed AND kepler_internal.lies_now(table_name) = 'by workspace'
            THEN ARRAY(SELECT k FROM kepler_internal.part_keys() AS k) ELSE ARRAY[NULL::text] END) AS p (part_of)
        CROSS JOIN LATERAL kepler_internal.vectors_of_part(table_name, column_name, p.part_of) AS v;
        statement := NULL;
        build_memory := NULL;
        metric := coalesce(vectors.metric, 'cosine');
        operator_class := CASE metric WHEN 'cosine' THEN 'cosine_ops' WHEN 'l2' THEN 'l2_ops' ELSE 'ip_ops' END;
        -- pgvector's rule, and at least 100, or 200 past 50,000 rows.
        lists := greatest(CASE WHEN most <= 1000000 THEN most / 1000 ELSE sqrt(most)::bigint END,
            CASE WHEN most > indexed_from THEN 200 ELSE 100 END);
        IF is_unknown THEN
            advice := 'analyze';
            statement := format('ANALYZE %s;', table_name);
            reason := 'Postgres does not know yet how many rows there are.';
        ELSIF NOT vectors.valid AND EXISTS (
            SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = vectors.index)
        THEN
            advice := 'none';
            reason := format('%s is being built.', vectors.index);
        ELSIF NOT vectors.valid THEN
            advice := 'drop';
            statement := format('DROP INDEX CONCURRENTLY %s;', vectors.index);
            reason := format('Building %s was interrupted; no search uses it.', vectors.index);
        ELSIF vectors.method = 'ivfflat' AND lists >= 2 * vectors.lists THEN
            reason := format('%s rows have outgrown the %s lists of %s', most, vectors.lists, vectors.index);
            IF vectors.next IS NULL THEN
                advice := 'rebuild';
                -- A new one beside it, and then, by the next advice, without the old one: one that is only
                -- told its new number of lists looks as if it had them.
                statement := format('CREATE INDEX CONCURRENTLY ON %s USING ivfflat (%s) WITH (lists = %s);',
                    table_name, vectors.key, lists);
                build_memory := most * 4 * greatest(vectors.dimensions, 1);
                reason := reason || '.';
            ELSE
                advice := 'drop';
                statement := format('DROP INDEX CONCURRENTLY %s;', vectors.index);
                reason := format('%s, and there is %s.', reason, vectors.next);
            END IF;
        ELSIF vectors.index IS NOT NULL THEN
            advice := 'none';
            reason := format('%s serves it.', vectors.index);
        ELSIF most < indexed_from THEN
            advice := 'none';
            reason := format('Below %s rows%s all are compared as fast, and nothing is missed.', indexed_from,
                CASE WHEN most < row_count THEN ' in each part' END);
        ELSIF vectors.dimensions < 1 THEN
            advice := 'none';
            reason := 'Without dimensions in its type a column cannot be indexed.';
        ELSE
            advice := 'create';
            IF vectors.dimensions <= 2000 THEN
                expression := format('%I %I.vector_%s', column_name, vectors.vector_schema, operator_class);
                bytes_a_row := 4 * vectors.dimensions;
                reason := 'HNSW on the vectors as they are.';
            ELSIF vectors.dimensions <= 4000 THEN
                expression := format('(%1$I::%2$I.halfvec(%3$s)) %2$I.halfvec_%4$s',
                    column_name, vectors.vector_schema, vectors.dimensions, operator_class);
                bytes_a_row := 2 * vectors.dimensions;
                reason := 'Beyond 2,000 dimensions HNSW holds numbers of half the size; searches put the result in exact order.';
            ELSE
                expression := format('(%2$I.binary_quantize(%1$I)::bit(%3$s)) %2$I.bit_hamming_ops',
                    column_name, vectors.vector_schema, vectors.dimensions);
                bytes_a_row := vectors.dimensions / 8;
                reason := 'Beyond 4,000 dimensions HNSW holds one bit of each number; searches put the result in exact order.';
            END IF;
            -- Twice pgvector's default: in clusters that lie close together the default leaves one row in
            -- twenty where no search comes.
            statement := format('CREATE INDEX CONCURRENTLY ON %s USING hnsw (%s) WITH (ef_construction = 128);',
                table_name, expression);
            -- pgvector builds the graph in maintenance_work_mem; where that is less it takes many times as long.
            build_memory := most * (bytes_a_row + 16 * links + 128);
            reason := format('%s Set maintenance_work_mem to %s or more. Where memory is short: ivfflat with lists = %s.',
                reason, pg_size_pretty(build_memory), lists);
        END IF;
        -- No index leads past them: what it gives then is compared with everything.
        IF repeated >= 0.02 AND (vectors.index IS NOT NULL OR advice = 'create') THEN
            reason := format('%s Of 100 rows %s have a vector that many others have: searches that meet these compare all rows '
                '(plan exact_after_index). A text that repeats is better embedded once.', reason, round((100 * repeated)::numeric));
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION kepler.index_advice(relation regclass DEFAULT NULL) RETURNS TABLE (
    relation regclass, column_name text, row_count bigint, advice text, statement text,
    build_memory bigint, reason text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.index_advice($1) $$;
