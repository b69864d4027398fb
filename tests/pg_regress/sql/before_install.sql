-- Before kepler.install() has made the tables, every function that needs them fails with SQLSTATE
-- 55000 and says what to run. Runs in a database of its own, before "install".
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kepler CASCADE;

-- What a caller sees.
SELECT * FROM kepler.upsert_records('contact', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- These need no tables, and work.
CREATE TEMP TABLE needs_no_tables (name text);
INSERT INTO needs_no_tables
VALUES ('blueprint_from_prisma'), ('cuid'), ('current_workspace_id'), ('enrichment_transitions'), ('estimate_tokens'), ('execution_transitions'), ('fold'), ('install'), ('json_matches'), ('jsonb_hash'), ('json_update'), ('prisma_schema'), ('record_document'), ('uninstall'), ('uninstall_report'), ('update_document'), ('upsert_document'), ('version');
SELECT kepler.cuid() ~ '^[a-z][a-z0-9]{23}$' AS cuid, kepler.current_workspace_id(),
    kepler.version() = (SELECT extversion FROM pg_extension WHERE extname = 'kepler') AS version,
    kepler.jsonb_hash('{}') IS NOT NULL AS jsonb_hash, kepler.fold('Ü') AS fold;

-- All others, found in the catalog so that none is forgotten, called with nothing but NULLs: the
-- missing tables come before anything that is wrong with the arguments.
CREATE FUNCTION pg_temp.answer_of(call text, OUT code text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call;
    code := 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE TEMP TABLE answers AS
SELECT p.oid::regprocedure AS function, answer.*
FROM pg_proc AS p,
    LATERAL (
        SELECT string_agg('NULL::' || format_type(type, NULL), ', ' ORDER BY position) AS list
        FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, position)
    ) AS arguments,
    LATERAL pg_temp.answer_of(
        format(CASE p.prokind WHEN 'p' THEN 'CALL kepler.%I(%s)' ELSE 'SELECT * FROM kepler.%I(%s)' END,
            p.proname, arguments.list)) AS answer
WHERE p.pronamespace = 'kepler'::regnamespace
    AND p.proname NOT LIKE '\_%'
    AND p.prorettype <> 'trigger'::regtype
    AND p.proname NOT IN (SELECT name FROM needs_no_tables);
SELECT count(*) > 5 AS several FROM answers;
SELECT * FROM answers
WHERE (code, hint) IS DISTINCT FROM ('55000', 'SELECT kepler.install();');
