-- What a tenant can make Postgres tell about rows of another: by functions and operators of its own that see what is compared, by
-- statistics, plans, keys, references, errors, words and workers. Whatever it tries, the other's values never come out.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE tells_a;
CREATE ROLE tells_b;
GRANT CREATE ON SCHEMA public TO tells_a;
INSERT INTO kepler.workspaces (id, name) VALUES ('tells_a', 'A'), ('tells_b', 'B');
\set as_a 'RESET ROLE; SET LOCAL ROLE tells_a'
\set as_b 'RESET ROLE; SET LOCAL ROLE tells_b'
SELECT kepler.grant_access('tells_a', 'admin', 'tells_a');
SELECT kepler.grant_access('tells_b', 'admin', 'tells_b');
SELECT count(*) FROM kepler.create_embedding_space('told', 2, 'm');

-- Two tenants with the same tables, and a blueprint that they share.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "told", "tenancy": {"field": "tenant"}, "tables": [{"name": "orders", "key": {"name": "id", "type": "bigint"},
    "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "code", "type": "text"}], "unique": [["tenant", "code"]]}]}');
:as_a;
CREATE FUNCTION public.fill(mark text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kepler.users (id, email) SELECT mark || ' user ' || i, mark || i || '@example.com' FROM generate_series(1, 200) AS i;
    INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) VALUES (mark || ' connection', mark, mark, mark, mark || ' user 1');
    PERFORM kepler.upsert_records(mark || ' type', (SELECT jsonb_agg(jsonb_build_object('external_id', mark || ' ' || i, 'data', jsonb_build_object('text', mark || ' data ' || i))) FROM generate_series(1, 200) AS i));
    INSERT INTO kepler.memories (id, user_id, content) SELECT mark || ' memory ' || i, mark || ' user 1', mark || ' remembers ' || mark || i FROM generate_series(1, 200) AS i;
    PERFORM kepler.set_memory_embeddings('told', (SELECT jsonb_agg(jsonb_build_object('memory_id', mark || ' memory ' || i, 'embedding', jsonb_build_array(i, 1))) FROM generate_series(1, 50) AS i));
    PERFORM kepler.create_entry_table(mark || ' thing', '{"fields": [{"name": "label", "type": "text", "unique": true}]}'::jsonb);
    PERFORM kepler.insert_entries(mark || ' thing', (SELECT jsonb_agg(jsonb_build_object('label', mark || ' entry ' || i)) FROM generate_series(1, 200) AS i));
    INSERT INTO told.orders (tenant, code) SELECT kepler.current_workspace_id(), mark || ' order ' || i FROM generate_series(1, 200) AS i;
END $$;
SELECT fill('of a');
:as_b;
SELECT fill('of b');
RESET ROLE;
-- All that Postgres collects.
ANALYZE kepler.users, kepler.connections, kepler.records, kepler.entities, kepler.memories, kepler.feed, kepler.inbox, told.orders, kepler_data.told_embeddings;
DO $$
DECLARE one text;
BEGIN
    FOR one IN SELECT t.table_name FROM kepler.entry_tables AS t WHERE t.workspace_id LIKE 'tells\__' LOOP
        EXECUTE format('ANALYZE kepler_data.%I', one);
    END LOOP;
END $$;
CREATE STATISTICS public.extended (mcv, dependencies) ON workspace_id, email, name FROM kepler.users;
ANALYZE kepler.users;
CREATE TEMP TABLE secured AS SELECT c.oid::regclass AS relation FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND n.nspname IN ('kepler', 'kepler_data', 'told') AND has_table_privilege('tells_a', c.oid, 'SELECT');
GRANT SELECT ON secured TO PUBLIC;
SELECT count(*) > 30 AS many FROM secured;

-- A function of its own that is cheaper than anything, and so would be called first: it sees the own rows alone. So does one in a
-- join, an aggregate, an order and a cast.
:as_a;
CREATE TEMP TABLE seen (value text);
CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    INSERT INTO pg_temp.seen VALUES ($1);
    RETURN true;
END $$;
DO $$
DECLARE one regclass;
BEGIN
    FOR one IN SELECT relation FROM secured LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE pg_temp.peek(t::text)', one);
        EXECUTE format('SELECT count(*) FROM %s AS t JOIN %1$s AS u ON pg_temp.peek(t::text || u::text) LIMIT 1', one);
        EXECUTE format('SELECT count(*) FILTER (WHERE pg_temp.peek(t::text)) FROM %s AS t', one);
        IF one::text IN ('kepler.users', 'kepler.records', 'kepler.memories', 'told.orders') THEN
            EXECUTE format('UPDATE %s AS t SET %2$I = %2$I WHERE pg_temp.peek(t::text)', one, (
                SELECT attname FROM pg_attribute WHERE attrelid = one AND attname IN ('workspace_id', 'tenant') LIMIT 1));
        END IF;
    END LOOP;
END $$;
SELECT count(*) FILTER (WHERE value LIKE '%of a%') > 1000 AS own, count(*) FILTER (WHERE value LIKE '%of b%' OR value LIKE '%tells_b%') AS others FROM seen;

-- An operator of its own whose selectivity Postgres estimates by calling it with what statistics hold: common values and the
-- bounds of histograms. Those of its own entry tables it may see: no row there is another's.
TRUNCATE seen;
CREATE FUNCTION public.look(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 AS $$
BEGIN
    PERFORM set_config('tells.looked', concat(current_setting('tells.looked', true), $1, $2, chr(10)), true);
    RETURN true;
END $$;
CREATE OPERATOR public.<<<< (FUNCTION = public.look, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR public.==== (FUNCTION = public.look, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel);
DO $$
DECLARE one record; plan text;
BEGIN
    FOR one IN SELECT s.relation, a.attname FROM secured AS s JOIN pg_attribute AS a ON a.attrelid = s.relation
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype ORDER BY s.relation::text, a.attnum
    LOOP
        EXECUTE format('EXPLAIN SELECT FROM %s AS t WHERE t.%I OPERATOR(public.<<<<) ''z''', one.relation, one.attname) INTO plan;
        EXECUTE format('EXPLAIN SELECT FROM %s AS t WHERE t.%I OPERATOR(public.====) ''z''', one.relation, one.attname) INTO plan;
        EXECUTE format('EXPLAIN SELECT FROM %s AS t JOIN %1$s AS u ON t.%2$I OPERATOR(public.====) u.%2$I', one.relation, one.attname) INTO plan;
    END LOOP;
END $$;
SELECT current_setting('tells.looked', true) LIKE '%of b%' OR current_setting('tells.looked', true) LIKE '%tells_b%' AS others;
-- The views of statistics show nothing of tables with row security, and the catalogs behind them nothing to anybody.
SELECT count(*) AS shown FROM pg_stats AS s JOIN secured AS r ON r.relation = format('%I.%I', s.schemaname, s.tablename)::regclass;
SELECT count(*) AS shown FROM pg_stats_ext AS s JOIN secured AS r ON r.relation = format('%I.%I', s.schemaname, s.tablename)::regclass;
SELECT count(*) AS shown FROM pg_stats_ext_exprs AS s JOIN secured AS r ON r.relation = format('%I.%I', s.schemaname, s.tablename)::regclass;
SELECT s.schemaname, s.tablename, s.attname FROM pg_stats AS s WHERE s.schemaname IN ('kepler', 'kepler_internal', 'kepler_data', 'told') AND (s::text LIKE '%of b%' OR s::text LIKE '%tells_b%');
SAVEPOINT s;
SELECT FROM pg_statistic;
ROLLBACK TO s;
SELECT FROM pg_statistic_ext_data;
ROLLBACK TO s;

-- Statements that Postgres runs for a function: words of texts, tables as XML, tables by name.
SELECT count(*) FILTER (WHERE word LIKE 'a%') > 0 AS own, count(*) FILTER (WHERE word LIKE 'b%') AS others FROM ts_stat('SELECT text_search FROM kepler.memories');
SELECT count(*) AS others FROM kepler.memories WHERE ctid = ANY (ARRAY(SELECT format('(%s,%s)', b, i)::tid FROM generate_series(0, 30) AS b, generate_series(1, 60) AS i)) AND workspace_id <> 'tells_a';
-- Workers see what their leader sees.
SET LOCAL debug_parallel_query = on;
SELECT count(*) FILTER (WHERE workspace_id = 'tells_a') AS own, count(*) FILTER (WHERE workspace_id <> 'tells_a') AS others FROM kepler.records;
RESET debug_parallel_query;

-- Keys: what the other has is no reason to refuse, and the error is the same for what nobody has.
INSERT INTO kepler.users (id, email) VALUES ('of b user 1', 'of b1@example.com');
INSERT INTO told.orders (tenant, code) VALUES ('tells_a', 'of b order 1');
CREATE FUNCTION pg_temp.said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text; rows bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN rows || ' rows';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' ', state, message, detail, hint);
END $$;
CREATE TEMP TABLE tried AS SELECT * FROM (VALUES
    ('insert', $$INSERT INTO kepler.users (workspace_id, id, email) VALUES ('tells_b', 'of b user 2', 'x')$$),
    ('insert, or nothing', $$INSERT INTO kepler.users (workspace_id, id, email) VALUES ('tells_b', 'of b user 2', 'x') ON CONFLICT DO NOTHING$$),
    ('insert, or update', $$INSERT INTO kepler.users (workspace_id, id, email) VALUES ('tells_b', 'of b user 2', 'x') ON CONFLICT (workspace_id, id) DO UPDATE SET name = users.name || 'x'$$),
    ('merge', $$MERGE INTO kepler.users AS u USING (VALUES ('tells_b', 'of b user 2')) AS v (w, i) ON u.workspace_id = v.w AND u.id = v.i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING$$),
    ('merge in', $$MERGE INTO kepler.users AS u USING (VALUES ('tells_b', 'of b user 2')) AS v (w, i) ON u.workspace_id = v.w AND u.id = v.i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (workspace_id, id, email) VALUES (v.w, v.i, 'x')$$),
    ('update', $$UPDATE kepler.users SET name = 'x' WHERE id = 'of b user 2' RETURNING *$$),
    ('delete', $$DELETE FROM kepler.users WHERE workspace_id = 'tells_b' AND id = 'of b user 2' RETURNING *$$),
    ('lock', $$SELECT FROM kepler.users WHERE workspace_id = 'tells_b' AND id = 'of b user 2' FOR UPDATE NOWAIT$$),
    ('move', $$UPDATE kepler.users SET workspace_id = 'tells_b', id = 'of b user 2' WHERE id = 'of a user 9'$$),
    ('refer', $$INSERT INTO kepler.connections (name, reference_id, provider, user_id) VALUES ('n', 'r', 'p', 'of b user 2')$$),
    ('refer from there', $$INSERT INTO kepler.connections (workspace_id, name, reference_id, provider, user_id) VALUES ('tells_b', 'n', 'r', 'p', 'of b user 2')$$),
    ('a row of the blueprint', $$INSERT INTO told.orders (tenant, code) VALUES ('tells_b', 'of b order 2')$$),
    ('a row of the blueprint, or nothing', $$INSERT INTO told.orders (tenant, code) VALUES ('tells_b', 'of b order 2') ON CONFLICT DO NOTHING$$)) AS t (name, statement);
SELECT t.name, replace(pg_temp.said(t.statement), 'of b', 'of ?') = replace(pg_temp.said(replace(t.statement, 'of b', 'of x')), 'of x', 'of ?') AS same,
    replace(pg_temp.said(t.statement), 'of b', 'of ?') AS said FROM tried AS t;
-- An error of the own row shows the own row at most.
SELECT pg_temp.said($$INSERT INTO kepler.users (id, email) VALUES ('of a user 1', 'x')$$);
SELECT pg_temp.said($$INSERT INTO kepler.users (id, email) VALUES ('of a user 500', 'OF A1@example.com')$$);

-- A query that is slow for the other's rows, or fails at them: it is not evaluated there.
SELECT count(*) AS own FROM kepler.users AS u WHERE 1 / (CASE WHEN u.email LIKE 'of b%' AND u.workspace_id <> 'tells_a' THEN 0 ELSE 1 END) = 1;
-- Views and functions of its own show the looker's rows, and what runs with its rights shows nothing where it has none.
CREATE VIEW public.as_owner AS SELECT workspace_id, email FROM kepler.users;
CREATE VIEW public.as_caller WITH (security_invoker = true) AS SELECT workspace_id, email FROM kepler.users;
CREATE FUNCTION public.as_definer() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT workspace_id FROM kepler.users';
GRANT SELECT ON public.as_owner, public.as_caller TO tells_b;
SELECT DISTINCT 'owner' AS rights, workspace_id FROM public.as_owner UNION ALL SELECT DISTINCT 'caller', workspace_id FROM public.as_caller UNION ALL SELECT DISTINCT 'definer', f FROM public.as_definer() AS f;
:as_b;
SELECT DISTINCT workspace_id AS as_caller FROM public.as_caller;
SAVEPOINT s;
SELECT count(*) FROM public.as_owner;
ROLLBACK TO s;
SELECT public.as_definer();
ROLLBACK TO s;
:as_a;

-- Nobody takes the protection away: what only the owner of a table may do.
SELECT t.statement, left(pg_temp.said(t.statement), 5) AS refused FROM (VALUES
    ('TRUNCATE kepler.users CASCADE'), ('ALTER TABLE kepler.users DISABLE ROW LEVEL SECURITY'), ('DROP POLICY workspace ON kepler.users'),
    ('CREATE POLICY mine ON kepler.users USING (true)'), ('ALTER POLICY workspace ON kepler.users USING (true)'),
    ('CREATE TRIGGER t BEFORE INSERT ON kepler.users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
    ('CREATE RULE r AS ON SELECT TO kepler.users DO INSTEAD SELECT 1'), ('ALTER TABLE kepler.users OWNER TO tells_a'),
    ('CREATE TABLE public.child () INHERITS (kepler.users)'), ('CREATE TABLE public.other (w text, i text, FOREIGN KEY (w, i) REFERENCES kepler.users (workspace_id, id))'),
    ('CREATE INDEX ON kepler.users (email)'), ('CREATE STATISTICS public.s ON email, id FROM kepler.users'),
    ('CREATE OR REPLACE FUNCTION kepler.current_workspace_id() RETURNS text LANGUAGE sql AS $$SELECT ''tells_b''$$'),
    ('ALTER ROLE tells_a BYPASSRLS'), ('CREATE PUBLICATION p FOR TABLE kepler.users')) AS t (statement);
-- Row security switched off is an error, and not more rows.
SET LOCAL row_security = off;
SAVEPOINT s;
SELECT count(*) FROM kepler.users;
ROLLBACK TO s;
RESET row_security;
-- Numbers that sequences give out are shared, and tell how much all workspaces have added between two of the own: the levels may
-- read one of them, which gives entry tables their numbers.
SELECT s.schemaname, s.sequencename FROM pg_sequences AS s WHERE s.schemaname IN ('kepler', 'kepler_internal') AND s.last_value IS NOT NULL ORDER BY 2;
ROLLBACK;
