-- A plan that a session keeps holds for whoever runs it: after SET ROLE the rows are those of the new role's workspace, in prepared
-- statements with subqueries, WITH, views and functions that are inlined, in PL/pgSQL, and in what Kepler's functions keep.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE kept_a;
CREATE ROLE kept_b;
INSERT INTO kepler.workspaces (id, name) VALUES ('kept_a', 'A'), ('kept_b', 'B');
SELECT kepler.grant_access('kept_a', 'admin', 'kept_a');
SELECT kepler.grant_access('kept_b', 'admin', 'kept_b');
\set as_a 'RESET ROLE; SET LOCAL ROLE kept_a'
\set as_b 'RESET ROLE; SET LOCAL ROLE kept_b'
SELECT count(*) FROM kepler.create_embedding_space('kept', 2, 'm');
CREATE FUNCTION public.fill(mark text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kepler.users (id, email) VALUES ('u', mark || '@example.com');
    INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) VALUES ('c', mark, mark, mark, 'u');
    PERFORM kepler.set_enrichment_policy('lead');
    PERFORM kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('of', mark))) FROM generate_series(1, 20) AS i));
    PERFORM kepler.remember(mark || ' likes tea', '[1, 0]', user_id => 'u');
    INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
    PERFORM kepler.add_message('talk', 'user', mark || ' says tea', embedding => '[1, 0]');
    PERFORM kepler.create_entry_table('thing', '{"fields": [{"name": "label", "type": "text"}]}'::jsonb);
    PERFORM kepler.insert_entries('thing', jsonb_build_array(jsonb_build_object('label', mark)));
    INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('w', 'u', mark, '{"app": "Mail"}');
END $$;
:as_a;
SELECT fill('a');
:as_b;
SELECT fill('b');
RESET ROLE;
CREATE VIEW public.as_owner AS SELECT email FROM kepler.users;
ALTER VIEW public.as_owner OWNER TO kept_a;
CREATE VIEW public.as_caller WITH (security_invoker = true) AS SELECT email FROM kepler.users;
CREATE FUNCTION public.inlined(text) RETURNS SETOF text LANGUAGE sql STABLE AS $$ SELECT email FROM kepler.users WHERE email LIKE $1 $$;
CREATE FUNCTION public.in_plpgsql() RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    SELECT string_agg(u.email, ' ') INTO found FROM kepler.users AS u;
    RETURN found;
END $$;
GRANT SELECT ON public.as_owner, public.as_caller TO PUBLIC;

SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE plain AS SELECT email FROM kepler.users;
PREPARE by_parameter (text) AS SELECT email FROM kepler.users WHERE email LIKE $1;
PREPARE in_subquery AS SELECT v.email FROM (VALUES ('a@example.com'), ('b@example.com')) AS v (email) WHERE EXISTS (SELECT FROM kepler.users AS u WHERE u.email = v.email);
PREPARE scalar AS SELECT (SELECT string_agg(email, ' ') FROM kepler.users) AS email;
PREPARE in_with AS WITH u AS MATERIALIZED (SELECT email FROM kepler.users) SELECT email FROM u;
PREPARE in_inlined_with AS WITH u AS (SELECT email FROM kepler.users) SELECT email FROM u;
PREPARE through_caller AS SELECT email FROM public.as_caller;
PREPARE through_owner AS SELECT email FROM public.as_owner;
PREPARE through_function AS SELECT email FROM public.inlined('%') AS f (email);
PREPARE through_plpgsql AS SELECT public.in_plpgsql() AS email;
PREPARE changing AS UPDATE kepler.users SET name = 'changed' RETURNING email;
PREPARE in_deep AS SELECT (WITH u AS (SELECT email FROM public.as_caller WHERE EXISTS (SELECT FROM kepler.connections AS c WHERE c.user_id = 'u')) SELECT string_agg(email, ' ') FROM u) AS email;
CREATE FUNCTION public.all_kept() RETURNS TABLE (name text, email text) LANGUAGE plpgsql AS $$
BEGIN
    FOR name IN SELECT p.name FROM pg_prepared_statements AS p WHERE p.statement LIKE 'PREPARE%' AND p.name NOT IN ('by_parameter', 'through_owner') ORDER BY 1 LOOP
        FOR email IN EXECUTE format('EXECUTE %I', name) LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
-- Each role in turn, and the first again; each plan is kept since the first.
:as_a;
SELECT string_agg(name, ' ') AS names, email FROM public.all_kept() GROUP BY email;
EXECUTE by_parameter ('%');
EXECUTE through_owner;
:as_b;
SELECT string_agg(name, ' ') AS names, email FROM public.all_kept() GROUP BY email;
EXECUTE by_parameter ('%');
-- What runs with the rights of the other role shows nothing, where that has none.
SAVEPOINT s;
EXECUTE through_owner;
ROLLBACK TO s;
:as_a;
SELECT string_agg(name, ' ') AS names, email FROM public.all_kept() GROUP BY email;
EXECUTE by_parameter ('%');

-- What Kepler's functions keep: the same calls as each, some times over.
RESET ROLE;
RESET plan_cache_mode;
CREATE FUNCTION public.all_calls() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE answers jsonb := '[]'; answer jsonb; call text;
BEGIN
    FOREACH call IN ARRAY ARRAY[
        $c$SELECT jsonb_agg(r.data->>'of') FROM kepler.claim_records('lead', 'w', 1) AS c JOIN kepler.records AS r ON r.id = c.record_id$c$,
        $c$SELECT jsonb_agg(m.content) FROM kepler.search_memories('[1, 0]') AS m$c$,
        $c$SELECT jsonb_agg(m.content) FROM kepler.search_memories(query_text => 'tea') AS m$c$,
        $c$SELECT jsonb_agg(m.content) FROM kepler.search_messages('[1, 0]') AS m$c$,
        $c$SELECT jsonb_agg(m.content) FROM kepler.conversation_window('talk') AS m$c$,
        $c$SELECT jsonb_agg(u.outcome) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {"of": "a"}}]') AS u$c$,
        $c$SELECT jsonb_agg(u.outcome) FROM kepler.upsert_record('lead', '2', '{"of": "b"}') AS u$c$,
        $c$SELECT jsonb_agg(kepler.is_connected('u', 'a'))$c$,
        $c$SELECT jsonb_agg(r.name) FROM kepler.execution_report() AS r$c$,
        $c$SELECT jsonb_agg(p.outcome) FROM kepler.start_execution('w', 'key') AS p$c$,
        $c$SELECT jsonb_build_array(count(*)) FROM kepler.changes_since() AS p$c$]
    LOOP
        EXECUTE call INTO answer;
        answers := answers || jsonb_build_array(answer);
    END LOOP;
    RETURN answers;
END $$;
CREATE TEMP TABLE answers (role text, round integer, answer jsonb);
GRANT ALL ON answers TO PUBLIC;
:as_a;
INSERT INTO answers SELECT 'a', i, public.all_calls() FROM generate_series(1, 7) AS i;
:as_b;
INSERT INTO answers SELECT 'b', i, public.all_calls() FROM generate_series(1, 7) AS i;
:as_a;
INSERT INTO answers SELECT 'a again', i, public.all_calls() FROM generate_series(8, 9) AS i;
SELECT role, round, answer FROM answers WHERE round IN (1, 7, 8) ORDER BY role, round;
ROLLBACK;
