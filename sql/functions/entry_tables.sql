-- What the changing of entry tables needs of SQL: locks that do not queue for long, and a look at the
-- rows that stand in the way. Both run with the rights of whoever calls.

-- Waits for locks in short attempts: behind a waiting lock everybody else would queue. What a failed
-- attempt got is given back before the pause.
CREATE FUNCTION kepler_internal.lock_relations(
    relations regclass[], modes text[], lock_timeout_ms integer, max_attempts integer
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
DECLARE
    lock_timeout_before constant text := current_setting('lock_timeout');
    pause_ms double precision := 100;
    busy regclass;
    holders text;
    prepared text;
BEGIN
    FOR attempt IN 1 .. max_attempts LOOP
        BEGIN
            PERFORM set_config('lock_timeout', lock_timeout_ms::text, true);
            FOR at IN 1 .. cardinality(relations) LOOP
                busy := relations[at];
                IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = busy) THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'serialization_failure',
                        MESSAGE = 'a table was dropped during the wait for its lock';
                END IF;
                EXECUTE format('LOCK TABLE %s IN %s MODE', busy, modes[at]);
            END LOOP;
            PERFORM set_config('lock_timeout', lock_timeout_before, true);
            RETURN;
        -- A table that was renamed while its lock was awaited is not found: it has another name now.
        EXCEPTION WHEN lock_not_available OR undefined_table THEN
            IF attempt = max_attempts THEN
                SELECT string_agg(DISTINCT l.pid::text, ', ' ORDER BY l.pid::text) INTO holders
                FROM pg_locks AS l
                WHERE l.relation = busy AND l.granted AND l.pid <> pg_backend_pid()
                    AND l.database = (SELECT d.oid FROM pg_database AS d
                                      WHERE d.datname = current_database());
                SELECT string_agg(DISTINCT quote_literal(p.gid), ', ' ORDER BY quote_literal(p.gid)) INTO prepared
                FROM pg_locks AS l
                JOIN pg_locks AS x ON x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid' AND x.pid IS NULL
                JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
                WHERE l.relation = busy AND l.pid IS NULL;
                RAISE EXCEPTION USING
                    ERRCODE = 'lock_not_available',
                    MESSAGE = format('could not lock %s within %s attempts of %s ms',
                        busy, max_attempts, lock_timeout_ms),
                    DETAIL = concat_ws(' ', 'Nothing was changed.',
                        CASE WHEN holders IS NOT NULL THEN format('Processes %s hold locks on it.', holders) END,
                        CASE WHEN prepared IS NOT NULL THEN format('Prepared transactions hold locks on it: %s.', prepared) END),
                    HINT = 'Try again when their transactions have ended, or raise lock_timeout_ms and '
                        'lock_attempts in options.';
            END IF;
        END;
        PERFORM pg_sleep(pause_ms * (0.5 + random()) / 1000);
        pause_ms := least(pause_ms * 2, 2000);
    END LOOP;
END
$$;

-- The first of some tables in kepler_data whose own policy does not say that it belongs to a workspace. For those who
-- have the owner's rights anyway, and may have put another in its place: whose policy says that it belongs to another.
-- Printed under fixed settings.
CREATE FUNCTION kepler_internal.foreign_table(workspace_id text, table_names text[], owner oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
SELECT t.name
FROM unnest(table_names) WITH ORDINALITY AS t (name, position)
LEFT JOIN LATERAL (
    SELECT c.relowner = owner AND c.relrowsecurity AS holds, pg_get_expr(p.polqual, p.polrelid) AS says,
        format('(''%s''::text = kepler.current_workspace_id())', replace(workspace_id, '''', '''''')) AS own
    FROM pg_class AS c
    JOIN pg_policy AS p ON p.polrelid = c.oid AND p.polname = 'workspace'
    WHERE c.relname = t.name AND c.relnamespace = to_regnamespace('kepler_data')
) AS p ON true
WHERE CASE WHEN pg_has_role(owner, 'USAGE')
    THEN p.says <> p.own AND p.says ~ '^[(]''.*''::text = kepler[.]current_workspace_id[(][)][)]$'
    ELSE (p.holds AND p.says = p.own) IS NOT TRUE END
ORDER BY t.position LIMIT 1
$$;

-- Counts the rows of a query whose one column is key, and shows the first. With lenient, NULL where the query
-- does not fit the table: a step that failed before has left it as it was. Stable, so that the query sees what the
-- caller's statement sees.
CREATE FUNCTION kepler_internal.rows_in_the_way(query text, lenient boolean, OUT rows bigint, OUT keys text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM (%s) AS found', query) INTO rows;
    IF rows > 0 THEN
        EXECUTE format(
            'SELECT array_agg(s.key::text ORDER BY s.key)
             FROM (SELECT found.key FROM (%s) AS found ORDER BY found.key LIMIT 5) AS s',
            query) INTO keys;
    END IF;
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception THEN
    IF NOT lenient THEN
        RAISE;
    END IF;
    rows := NULL;
END
$$;

CREATE FUNCTION kepler.create_entry_table(
    entry_table text, structure text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.create_entry_table($1, $2, $3)::pg_catalog.regclass $$;

CREATE FUNCTION kepler.create_entry_table(
    entry_table text, structure json, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.create_entry_table($1, $2::pg_catalog.text, $3)::pg_catalog.regclass $$;

CREATE FUNCTION kepler.create_entry_table(
    entry_table text, structure jsonb, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.create_entry_table($1, $2::pg_catalog.text, $3)::pg_catalog.regclass $$;

CREATE FUNCTION kepler.plan_entry_table(
    entry_table text, structure json, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    step integer, operation text, object text, statement text, class text, hazards text[], lock text,
    estimated_rows bigint, undo text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler.plan_entry_table($1, $2::pg_catalog.text, $3) $$;

CREATE FUNCTION kepler.plan_entry_table(
    entry_table text, structure jsonb, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    step integer, operation text, object text, statement text, class text, hazards text[], lock text,
    estimated_rows bigint, undo text
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler.plan_entry_table($1, $2::pg_catalog.text, $3) $$;

CREATE FUNCTION kepler.alter_entry_table(
    entry_table text, structure json, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS integer
LANGUAGE sql VOLATILE
AS $$ SELECT kepler.alter_entry_table($1, $2::pg_catalog.text, $3, $4, $5) $$;

CREATE FUNCTION kepler.alter_entry_table(
    entry_table text, structure jsonb, allow text[] DEFAULT '{}', options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS integer
LANGUAGE sql VOLATILE
AS $$ SELECT kepler.alter_entry_table($1, $2::pg_catalog.text, $3, $4, $5) $$;

CREATE FUNCTION kepler.drop_entry_table(
    entry_table text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.drop_entry_table($1, $2)::pg_catalog.regclass $$;

CREATE FUNCTION kepler.restore_entry_table(
    entry_table text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.restore_entry_table($1, $2)::pg_catalog.regclass $$;

CREATE FUNCTION kepler.rename_entry_table(
    entry_table text, new_name text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS regclass
LANGUAGE sql VOLATILE
AS $$ SELECT kepler_internal.rename_entry_table($1, $2, $3)::pg_catalog.regclass $$;

-- Of type json: jsonb would put the fields into another order.
CREATE FUNCTION kepler.entry_json_schema(
    entry_table text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS json
LANGUAGE sql STABLE
AS $$ SELECT kepler_internal.entry_json_schema($1, $2)::pg_catalog.json $$;
