-- What blueprint_pairs.py asks the database: what is in a schema, and whether each step of a plan can be taken back.

CREATE SCHEMA probe;

-- Everything in a schema, in Postgres' own words. A check may have any name where the document gives none.
CREATE FUNCTION probe.shape(schema_name text, named_checks text[] DEFAULT NULL) RETURNS SETOF text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH s AS (SELECT oid FROM pg_namespace WHERE nspname = schema_name),
    t AS (SELECT c.* FROM pg_class AS c, s WHERE c.relnamespace = s.oid AND c.relkind = 'r')
    SELECT line FROM (
        SELECT format('table %s %s %s', t.oid::regclass, t.relrowsecurity, obj_description(t.oid, 'pg_class')) FROM t
        UNION ALL
        SELECT format('column %s.%I %s %s %s default %s %s', t.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            a.attidentity, pg_get_expr(d.adbin, d.adrelid), col_description(t.oid, a.attnum))
        FROM t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
        UNION ALL
        SELECT format('constraint %s %s %s %s', t.oid::regclass,
            CASE WHEN c.contype <> 'c' OR named_checks IS NULL OR c.conname = ANY (named_checks) THEN c.conname ELSE '?' END,
            c.convalidated, pg_get_constraintdef(c.oid))
        FROM t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')
        UNION ALL
        SELECT format('index %s %s', i.indisvalid, pg_get_indexdef(i.indexrelid)) FROM t JOIN pg_index AS i ON i.indrelid = t.oid
        UNION ALL
        SELECT format('trigger %s', pg_get_triggerdef(g.oid)) FROM t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
        UNION ALL
        SELECT format('policy %s %s %s', t.oid::regclass, p.polname, pg_get_expr(p.polqual, p.polrelid))
        FROM t JOIN pg_policy AS p ON p.polrelid = t.oid
        UNION ALL
        SELECT format('sequence %s %s of %s.%I %s', c.oid::regclass, format_type(q.seqtypid, NULL), d.refobjid::regclass, a.attname, d.deptype)
        FROM s JOIN pg_class AS c ON c.relnamespace = s.oid AND c.relkind = 'S' JOIN pg_sequence AS q ON q.seqrelid = c.oid
        LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
        LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        UNION ALL
        SELECT format('enum %s %s %s', y.oid::regtype, (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = y.oid),
            obj_description(y.oid, 'pg_type'))
        FROM s JOIN pg_type AS y ON y.typnamespace = s.oid AND y.typtype = 'e'
    ) AS f (line)
    ORDER BY line COLLATE "C"
$$;

-- Runs a plan statement by statement. What a step did, its undo takes back at once; and where all steps have one, the undos in
-- reverse order lead back to where the plan began. Gives what is wrong, and changes nothing.
CREATE FUNCTION probe.undo(document text, schema_name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    step record;
    before text[];
    first text[];
    after text[];
    undos text[] := '{}';
    whole boolean := true;
    wrong text[] := '{}';
BEGIN
    first := ARRAY(SELECT probe.shape(schema_name));
    BEGIN
        before := first;
        FOR step IN SELECT * FROM kepler.plan_blueprint(document) AS p WHERE p.phase NOT IN ('deferred', 'after') ORDER BY p.step LOOP
            EXECUTE step.statement;
            IF step.undo IS NULL THEN
                IF NOT (step.class = 'drop' OR step.operation = 'validate' OR step.hazards::text LIKE '%undo:%') THEN
                    wrong := wrong || format('%s has no undo: %s', step.operation, step.statement);
                END IF;
                whole := whole AND step.operation = 'validate';
                before := ARRAY(SELECT probe.shape(schema_name));
            ELSE
                undos := step.undo || undos;
                after := ARRAY(SELECT probe.shape(schema_name));
                BEGIN
                    EXECUTE step.undo;
                    IF ARRAY(SELECT probe.shape(schema_name)) IS DISTINCT FROM before THEN
                        wrong := wrong || format(E'%s is not taken back:\n    %s\n    %s\n    less %s\n    more %s', step.operation, step.statement, step.undo,
                            ARRAY(SELECT unnest(before) EXCEPT SELECT probe.shape(schema_name)),
                            ARRAY(SELECT probe.shape(schema_name) EXCEPT SELECT unnest(before)));
                    END IF;
                    RAISE SQLSTATE 'KP001';
                EXCEPTION WHEN SQLSTATE 'KP001' THEN NULL;
                WHEN OTHERS THEN
                    wrong := wrong || format(E'%s is not taken back: %s\n    %s\n    %s', step.operation, SQLERRM, step.statement, step.undo);
                END;
                before := after;
            END IF;
        END LOOP;
        IF whole AND wrong = '{}' THEN
            FOR at IN 1 .. cardinality(undos) LOOP
                BEGIN
                    EXECUTE undos[at];
                EXCEPTION WHEN OTHERS THEN
                    wrong := wrong || format(E'all undos: %s at %s', SQLERRM, undos[at]);
                    EXIT;
                END;
            END LOOP;
            IF wrong = '{}' AND ARRAY(SELECT probe.shape(schema_name)) IS DISTINCT FROM first THEN
                wrong := wrong || format(E'all undos: less %s more %s', ARRAY(SELECT unnest(first) EXCEPT SELECT probe.shape(schema_name)),
                    ARRAY(SELECT probe.shape(schema_name) EXCEPT SELECT unnest(first)));
            END IF;
        END IF;
        RAISE SQLSTATE 'KP001';
    EXCEPTION WHEN SQLSTATE 'KP001' THEN NULL;
    END;
    RETURN QUERY SELECT unnest(wrong);
END
$$;
