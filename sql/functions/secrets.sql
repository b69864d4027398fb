-- Looks for secrets in what is stored.

-- One pass over the table, each row by itself: memory is that of the largest value. Keys are printed by the output functions
-- of their types; a cast could be somebody's code. A key that is a secret is not shown. part_of: the part of a
-- cluster to look into; without it what is here.
CREATE FUNCTION kepler_internal.find_secrets_of_part(relation regclass, include_possible boolean, part_of text)
RETURNS TABLE (key jsonb, column_name text, path text, kind text, certainty text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_column
DECLARE
    kind_of_relation "char" := (SELECT c.relkind FROM pg_class AS c WHERE c.oid = $1);
    row_key text;
    looks text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(
        ARRAY['relation', 'include_possible'], ARRAY[$1::oid::text, $2::text]);
    IF kind_of_relation IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_table',
            MESSAGE = format('there is no relation %s', $1::oid),
            HINT = 'Pass the name of a table, in quotes: ''kepler.messages''.';
    END IF;
    IF kind_of_relation NOT IN ('r', 'p', 'm', 'f') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'wrong_object_type',
            MESSAGE = format('%s is not a table', $1),
            HINT = 'Look at the tables behind it: reading a view runs what its owner wrote.';
    END IF;
    -- The primary key, or the place of the row.
    SELECT string_agg(format('%L, kepler_internal.without_secrets(format(''%%s'', t.%I))', a.attname, a.attname), ', ' ORDER BY k.ordinality) INTO row_key
    FROM pg_index AS i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, ordinality)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indrelid = $1 AND i.indisprimary;
    row_key := coalesce(row_key, CASE WHEN kind_of_relation = 'f' THEN '' ELSE '''ctid'', format(''%s'', t.ctid)' END
        -- The place is one in a partition, or in a table that inherits.
        || CASE WHEN kind_of_relation <> 'f' AND (SELECT c.relhassubclass FROM pg_class AS c WHERE c.oid = $1)
            THEN ', ''table'', format(''%s'', t.tableoid::regclass)' ELSE '' END);
    -- Texts and what is stored as they are, documents, and lists of both. Of a domain its type counts.
    WITH RECURSIVE columns AS (
        SELECT a.attnum, a.attname, a.atttypid AS type_id FROM pg_attribute AS a
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
            -- What is computed when it is read is somebody's code.
            AND a.attgenerated <> 'v'
        UNION ALL
        SELECT c.attnum, c.attname, y.typbasetype FROM columns AS c
        JOIN pg_type AS y ON y.oid = c.type_id AND y.typtype = 'd'
    ), known AS (
        SELECT c.attnum, c.attname, CASE
            WHEN c.type_id = 'jsonb'::regtype THEN 'jsonb'
            WHEN c.type_id IN ('text'::regtype, 'json'::regtype) OR EXISTS (
                SELECT FROM pg_cast AS x
                WHERE x.castsource = c.type_id AND x.casttarget = 'text'::regtype AND x.castmethod = 'b')
                OR c.type_id = 'bpchar'::regtype THEN 'text'
            WHEN c.type_id IN ('text[]'::regtype, 'varchar[]'::regtype, 'json[]'::regtype, 'jsonb[]'::regtype) THEN 'list'
        END AS kind FROM columns AS c
    )
    SELECT string_agg(format(CASE k.kind
            WHEN 'jsonb' THEN 'SELECT %1$L, f.path, f.kind, f.certainty FROM kepler_internal.secrets_in_jsonb(t.%2$I::jsonb, $1) AS f'
            WHEN 'text' THEN 'SELECT %1$L, f.path, f.kind, f.certainty FROM kepler_internal.secrets_in(t.%2$I::text, $1) AS f'
            ELSE 'SELECT %1$L, concat(''/'', e.ordinality - 1, f.path), f.kind, f.certainty'
                || ' FROM unnest(t.%2$I::text[]) WITH ORDINALITY AS e (value, ordinality)'
                || ' CROSS JOIN LATERAL kepler_internal.secrets_in(e.value, $1) AS f'
        END, k.attname, k.attname), ' UNION ALL ' ORDER BY k.attnum) INTO looks
    FROM known AS k WHERE k.kind IS NOT NULL;
    IF looks IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT jsonb_build_object(%s), f.* FROM %s AS t CROSS JOIN LATERAL (%s) AS f (column_name, path, kind, certainty)',
        row_key, $1, looks) USING $2;
END
$$;

CREATE FUNCTION kepler.find_secrets(
    relation regclass, include_possible boolean DEFAULT false
) RETURNS TABLE (key jsonb, column_name text, path text, kind text, certainty text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    part text;
BEGIN
    IF NOT kepler_internal.is_distributed() OR kepler_internal.lies_now($1) IS NULL THEN
        RETURN QUERY SELECT f.* FROM kepler_internal.find_secrets_of_part($1, $2, NULL) AS f;
        RETURN;
    END IF;
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        RETURN QUERY SELECT f.* FROM kepler_internal.find_secrets_of_part($1, $2, part) AS f;
        -- Each part has all rows of these.
        EXIT WHEN kepler_internal.lies_now($1) = 'everywhere';
    END LOOP;
END
$$;
