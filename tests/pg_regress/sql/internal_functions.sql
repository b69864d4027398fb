-- A level may execute exactly those functions of kepler_internal that its public functions and its triggers reach: worked out
-- here from the catalog, and held against what grant_access gives.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE internal_reader; CREATE ROLE internal_writer; CREATE ROLE internal_worker; CREATE ROLE internal_admin;
CREATE ROLE internal_by_hand; CREATE ROLE internal_monitor;
SELECT kepler.grant_access(('internal_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
SELECT FROM kepler.create_embedding_space('internal', 2, 'm');

-- What functions in C reach. Where they look for a right on a table first, with that right; what they do as the owner of the
-- tables is in no list. tests/reliability/internal_calls.sh holds this list against the sources.
CREATE TEMPORARY TABLE c_calls (caller text, callee text, relation text, privilege text);
INSERT INTO c_calls VALUES
    ('abandon_executions', 'abandon_executions', 'executions', 'UPDATE'),
    ('activate_embedding_space', 'activate_embedding_space', 'workspaces', 'UPDATE'),
    ('activate_embedding_space', 'lock_memories', 'workspaces', 'UPDATE'),
    ('add_message', 'require_conversation', NULL, NULL),
    ('add_messages', 'require_conversation', NULL, NULL),
    ('blueprint_drift', 'blueprint_facts', NULL, NULL),
    ('create_embedding_space', 'list_embedding_space', 'embedding_spaces', 'INSERT'),
    ('drop_embedding_space', 'require_retired_space', 'embedding_spaces', 'DELETE'),
    ('expire_memories', 'expire_memories', 'memories', 'DELETE'),
    ('plan_entry_table', 'table_facts', NULL, NULL),
    ('prisma_schema', 'prisma_facts', NULL, NULL),
    ('prisma_schema', 'prisma_expressions', NULL, NULL),
    ('retire_embedding_space', 'retire_embedding_space', 'embedding_spaces', 'UPDATE'),
    ('search_memories', 'word_score', NULL, NULL),
    -- On a cluster every call for a workspace begins so.
    ('search_memories', 'enter_part', NULL, NULL),
    ('search_vectors', 'look_into_part', NULL, NULL),
    ('search_vectors', 'part_keys', NULL, NULL),
    -- The view sync_progress asks the parts.
    ('begin_sync', 'view_rows_in_parts', NULL, NULL),
    ('search_vectors', 'search_vectors_of_part', NULL, NULL),
    ('run_retention', 'apply_retention_of_part', NULL, NULL),
    ('retention_report', 'look_at_retention_of_part', NULL, NULL),
    ('search_messages', 'word_score', NULL, NULL),
    ('search_messages', 'require_conversation', NULL, NULL),
    ('search_vectors', 'word_score', NULL, NULL),
    -- And a check of the inbox asks whose a row is.
    ('merge_inbox_batch', 'may_take_in', NULL, NULL),
    ('track', 'make_feed_triggers', 'tracked_tables', 'UPDATE'),
    -- CREATE TRIGGER asks for the right on the function, of whoever tracks a table of their own.
    ('track', 'tell_feed', 'tracked_tables', 'UPDATE'),
    ('track', 'make_history_triggers', 'tracked_tables', 'UPDATE'),
    ('track', 'tell_history', 'tracked_tables', 'UPDATE'),
    ('untrack', 'drop_feed_triggers', 'tracked_tables', 'UPDATE'),
    -- On a cluster the node of the workspace is asked.
    ('changes_since', 'changes_of_part', NULL, NULL),
    ('feed_cursor', 'feed_cursor_of_part', NULL, NULL),
    ('feed_lag', 'consumer_lag_of_part', NULL, NULL),
    ('row_as_of', 'row_image', NULL, NULL),
    ('row_history', 'row_image', NULL, NULL),
    -- On a cluster other nodes are asked before.
    ('row_as_of', 'history_elsewhere', NULL, NULL),
    ('row_as_of', 'row_as_of_with', NULL, NULL),
    ('row_history', 'history_elsewhere', NULL, NULL),
    ('row_history', 'row_history_with', NULL, NULL),
    ('structure_of', 'table_facts', NULL, NULL),
    ('update_document', 'json_update_changes', NULL, NULL),
    ('upsert_document', 'json_update_changes', NULL, NULL),
    -- Whoever may not write to the lists is told so before.
    ('alter_entry_table', 'foreign_table', 'entry_tables', 'INSERT');

-- And the planner puts this one in the place of the call.
INSERT INTO c_calls VALUES ('search_memories', 'ship', NULL, NULL);

-- What a text in SQL calls.
CREATE FUNCTION pg_temp.called(source text) RETURNS TABLE (name text) LANGUAGE sql AS $$
    SELECT DISTINCT m[1] FROM regexp_matches(source, 'kepler_internal\.([a-z_]+)\s*\(', 'g') AS m
$$;
CREATE FUNCTION pg_temp.is_trigger(function oid) RETURNS boolean LANGUAGE sql AS $$
    SELECT p.prorettype = 'trigger'::regtype FROM pg_proc AS p WHERE p.oid = function
$$;

CREATE TEMPORARY TABLE reached AS
WITH RECURSIVE roles (role) AS (
    VALUES ('internal_reader'), ('internal_writer'), ('internal_worker'), ('internal_admin')
), begun (role, name) AS (
    -- Public functions: all are for every level, save those that only members of pg_monitor, or the owner, get beyond their first line of.
    SELECT r.role, c.name FROM roles AS r
    CROSS JOIN pg_proc AS p CROSS JOIN LATERAL pg_temp.called(p.prosrc) AS c
    WHERE p.pronamespace = 'kepler'::regnamespace AND p.prolang <> (SELECT l.oid FROM pg_language AS l WHERE l.lanname = 'c')
        AND (p.proname NOT IN ('doctor', 'metrics') OR c.name = 'require_monitor')
        AND (p.proname NOT IN ('distribute', 'plan_distribution', 'undistribute') OR c.name IN ('require_tables', 'require_cluster_owner'))
    UNION
    SELECT r.role, c.callee FROM roles AS r CROSS JOIN c_calls AS c
    WHERE c.relation IS NULL OR CASE c.privilege WHEN 'DELETE' THEN has_table_privilege(r.role, 'kepler.' || c.relation, 'DELETE')
        ELSE has_any_column_privilege(r.role, 'kepler.' || c.relation, c.privilege) END
    UNION
    -- Triggers that fire for what the level may change: their conditions, and their bodies.
    SELECT r.role, c.name FROM roles AS r
    CROSS JOIN pg_trigger AS t
    JOIN pg_proc AS p ON p.oid = t.tgfoid
    CROSS JOIN LATERAL pg_temp.called(p.prosrc || ' ' || regexp_replace(pg_get_triggerdef(t.oid), 'EXECUTE FUNCTION.*', '')) AS c
    WHERE NOT t.tgisinternal AND (
        ((t.tgtype & 4) <> 0 AND has_any_column_privilege(r.role, t.tgrelid, 'INSERT'))
        OR ((t.tgtype & 8) <> 0 AND has_table_privilege(r.role, t.tgrelid, 'DELETE'))
        OR ((t.tgtype & 16) <> 0 AND has_any_column_privilege(r.role, t.tgrelid, 'UPDATE')))
    UNION
    -- Defaults, checks, generated columns, indexes and policies.
    SELECT r.role, c.name FROM roles AS r
    CROSS JOIN (
        SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
        UNION ALL SELECT pg_get_constraintdef(k.oid) FROM pg_constraint AS k
        UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        UNION ALL SELECT concat(pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid)) FROM pg_policy AS y
        UNION ALL SELECT pg_get_viewdef(v.oid) FROM pg_class AS v WHERE v.relkind = 'v' AND v.relnamespace = 'kepler'::regnamespace
    ) AS s (source) CROSS JOIN LATERAL pg_temp.called(s.source) AS c
), reached (role, name) AS (
    SELECT b.role, b.name FROM begun AS b
    UNION
    SELECT r.role, c.name FROM reached AS r
    JOIN pg_proc AS p ON p.pronamespace = 'kepler_internal'::regnamespace AND p.proname = r.name
        AND p.prolang <> (SELECT l.oid FROM pg_language AS l WHERE l.lanname = 'c')
    CROSS JOIN LATERAL pg_temp.called(p.prosrc) AS c
)
SELECT r.role, r.name FROM reached AS r;

SELECT r.role, string_agg(p.proname, ', ' ORDER BY p.proname) AS too_little
FROM reached AS r JOIN pg_proc AS p ON p.pronamespace = 'kepler_internal'::regnamespace AND p.proname = r.name
WHERE NOT has_function_privilege(r.role, p.oid, 'EXECUTE') GROUP BY r.role ORDER BY r.role;
SELECT r.role, string_agg(p.proname, ', ' ORDER BY p.proname) AS too_much
FROM unnest('{internal_reader,internal_writer,internal_worker,internal_admin}'::text[]) AS r (role)
JOIN pg_proc AS p ON p.pronamespace = 'kepler_internal'::regnamespace AND has_function_privilege(r.role, p.oid, 'EXECUTE')
WHERE NOT EXISTS (SELECT FROM reached AS x WHERE x.role = r.role AND x.name = p.proname) GROUP BY r.role ORDER BY r.role;
SELECT DISTINCT r.name AS no_such_function FROM reached AS r
WHERE NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = 'kepler_internal'::regnamespace AND p.proname = r.name);
-- What only the owner reaches, and what is more than a reader's.
SELECT string_agg(p.proname, ', ' ORDER BY p.proname) AS of_no_level FROM pg_proc AS p
WHERE p.pronamespace = 'kepler_internal'::regnamespace AND NOT pg_temp.is_trigger(p.oid)
    AND NOT has_function_privilege('internal_admin', p.oid, 'EXECUTE');
SELECT p.proname AS not_for_readers, has_function_privilege('internal_writer', p.oid, 'EXECUTE') AS writer,
    has_function_privilege('internal_worker', p.oid, 'EXECUTE') AS worker FROM pg_proc AS p
WHERE p.pronamespace = 'kepler_internal'::regnamespace AND has_function_privilege('internal_admin', p.oid, 'EXECUTE')
    AND NOT has_function_privilege('internal_reader', p.oid, 'EXECUTE') ORDER BY 1;

-- Names are of one function each, trigger functions are nobody's but that of tracked tables, and PUBLIC has nothing.
SELECT p.proname AS twice FROM pg_proc AS p WHERE p.pronamespace = 'kepler_internal'::regnamespace GROUP BY 1 HAVING count(*) > 1;
SELECT p.proname AS trigger_of, r.role FROM pg_proc AS p CROSS JOIN (SELECT DISTINCT role FROM reached) AS r
WHERE p.pronamespace = 'kepler_internal'::regnamespace AND pg_temp.is_trigger(p.oid) AND has_function_privilege(r.role, p.oid, 'EXECUTE') ORDER BY p.proname, r.role;
SELECT p.oid::regprocedure AS for_everybody FROM pg_proc AS p WHERE p.pronamespace = 'kepler_internal'::regnamespace
    AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0);
SELECT n.nspname AS for_everybody FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
WHERE n.nspname LIKE 'kepler%' AND a.grantee = 0;
-- Every function says that it is internal, or a trigger's.
SELECT p.oid::regprocedure AS undescribed FROM pg_proc AS p WHERE p.pronamespace = 'kepler_internal'::regnamespace
    AND coalesce(obj_description(p.oid, 'pg_proc'), '') !~ CASE WHEN pg_temp.is_trigger(p.oid) THEN '^Trigger: ' ELSE '^Internal: ' END
ORDER BY p.proname;

-- pg_monitor has what status(), metrics() and doctor() reach.
SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.proname) AS of_pg_monitor FROM pg_proc AS p
WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE');
GRANT pg_monitor TO internal_monitor;
SET LOCAL ROLE internal_monitor;
SELECT kepler.status() IS NOT NULL AS tells;
SELECT count(*) > 0 AS measures FROM kepler.metrics();
SELECT count(*) AS failed FROM kepler.doctor() AS d WHERE d.check_name = 'check_failed';
RESET ROLE;
-- It can be taken, until the next install().
SELECT kepler.revoke_access('pg_monitor');
SELECT count(*) AS left_to_pg_monitor FROM (
    SELECT a.grantee FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
    UNION ALL SELECT a.grantee FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a WHERE n.nspname LIKE 'kepler%'
    UNION ALL SELECT a.grantee FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    UNION ALL SELECT a.grantee FROM pg_attribute AS c CROSS JOIN LATERAL aclexplode(c.attacl) AS a) AS a WHERE a.grantee = 'pg_monitor'::regrole;
SELECT count(*) > 0 AS ran FROM kepler.install();
SELECT has_function_privilege('pg_monitor', 'kepler.status()', 'EXECUTE') AS again;

-- What an upgrade brings, or takes, install() gives: a role whose level is older has the functions of its level, and no others.
REVOKE EXECUTE ON FUNCTION kepler_internal.require_name(text, text) FROM internal_writer;
GRANT EXECUTE ON FUNCTION kepler_internal.create_embedding_tables(text) TO internal_writer;
SELECT count(*) > 0 AS ran FROM kepler.install();
SELECT has_function_privilege('internal_writer', 'kepler_internal.require_name(text, text)', 'EXECUTE') AS has_the_new,
    has_function_privilege('internal_writer', 'kepler_internal.create_embedding_tables(text)', 'EXECUTE') AS has_the_old;
-- revoke_access takes all of it.
SELECT kepler.revoke_access('internal_admin');
SELECT count(*) AS left_to_admin FROM (
    SELECT a.grantee FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a
    UNION ALL SELECT a.grantee FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
    UNION ALL SELECT a.grantee FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a) AS a WHERE a.grantee = 'internal_admin'::regrole;

-- A role with rights on tables by hand needs no right on kepler_internal for its own SQL but the one function that conditions of
-- triggers ask: the triggers do the rest.
GRANT USAGE ON SCHEMA kepler TO internal_by_hand;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler TO internal_by_hand;
GRANT EXECUTE ON FUNCTION kepler_internal.is_direct() TO internal_by_hand;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kepler TO internal_by_hand;
GRANT USAGE ON SCHEMA kepler_data TO internal_by_hand;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kepler_data TO internal_by_hand;
SET LOCAL ROLE internal_by_hand;
INSERT INTO kepler.enrichment_policies (entity_type) VALUES ('hand');
INSERT INTO kepler.records (id, entity_type, data) VALUES ('hand', 'hand', '{}');
SELECT count(*) AS queued FROM kepler.enrichment_queue WHERE entity_type = 'hand';
UPDATE kepler.records SET status = 'ARCHIVED' WHERE id = 'hand';
SELECT count(*) AS queued FROM kepler.enrichment_queue WHERE entity_type = 'hand';
UPDATE kepler.records SET status = 'ACTIVE', enrichment = '{}', data = '{"a": 1}' WHERE id = 'hand';
UPDATE kepler.enrichment_policies SET fair = true WHERE entity_type = 'hand';
SELECT q.fair_key IS NOT NULL AS fair FROM kepler.enrichment_queue AS q WHERE q.entity_type = 'hand';
DELETE FROM kepler.enrichment_policies WHERE entity_type = 'hand';
SELECT count(*) AS queued FROM kepler.enrichment_queue WHERE entity_type = 'hand';
INSERT INTO kepler.conversations (id) VALUES ('hand');
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('hand', 'user', 'a'), ('hand', 'user', 'b');
SELECT last_number FROM kepler.conversations WHERE id = 'hand';
UPDATE kepler.messages SET content = 'c' WHERE conversation_id = 'hand';
INSERT INTO kepler.memories (id, content) VALUES ('hand', 'a');
INSERT INTO kepler_data.internal_embeddings (memory_id, embedding) VALUES ('hand', '[1, 0]');
SELECT context_type FROM kepler_data.internal_embeddings;
UPDATE kepler.memories SET content = 'b' WHERE id = 'hand';
SELECT count(*) AS embeddings FROM kepler_data.internal_embeddings;
RESET ROLE;

-- A trigger function is made for its table, also for whoever may execute it. (load_library() does nothing, and
-- fill_columns(), check_secret_references() and guard_secrets() are about the columns that their arguments name, of any table.)
CREATE TABLE public.mine (workspace_id text, entity_type text, conversation_id text, number integer);
DO $$
DECLARE function regprocedure;
BEGIN
    FOR function IN SELECT p.oid FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'c'
        WHERE p.pronamespace = 'kepler_internal'::regnamespace AND p.prorettype = 'trigger'::regtype AND p.proname NOT IN ('check_secret_references', 'complete_embedding', 'fill_columns', 'guard_secrets', 'load_library')
    LOOP
        EXECUTE format('CREATE TRIGGER mine BEFORE INSERT ON public.mine FOR EACH ROW EXECUTE FUNCTION %s', function);
        BEGIN
            INSERT INTO public.mine VALUES ('default', 'a', 'b');
            RAISE EXCEPTION '% took a table of somebody''s', function;
        EXCEPTION WHEN trigger_protocol_violated THEN NULL;
        END;
        DROP TRIGGER mine ON public.mine;
    END LOOP;
END
$$;
ROLLBACK;
