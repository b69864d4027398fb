-- From version 0.1.0 of the extension to 0.2.0. Written by make upgrade-script from what differs: not to be edited.
-- What it replaces are members of the extension: Postgres refuses to replace anything else in a script like this.
\echo Use "ALTER EXTENSION kepler UPDATE TO '0.2.0'" to load this file. \quit

DROP PROCEDURE kepler.maintain_history();
DROP FUNCTION kepler_internal.refuse_numbers(text[],bigint[],text,bigint);
DROP FUNCTION kepler_internal.execution_report(text,timestamp with time zone,timestamp with time zone,text);
DROP FUNCTION kepler_internal.abandon_overdue(text,integer,text);
DROP FUNCTION kepler.start_execution(text,text,interval,jsonb,text);
DROP FUNCTION kepler.set_enrichment_policy(text,integer,interval,interval,interval,boolean,boolean,boolean,text);
DROP FUNCTION kepler.search_vectors(regclass,text,@extschema:vector@.vector,integer,jsonb,text,double precision);
DROP FUNCTION kepler.search_memories(@extschema:vector@.vector,integer,text,text,text[],jsonb,double precision,timestamp with time zone,jsonb,jsonb,double precision,boolean,text,text);
DROP FUNCTION kepler.remember(text,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text);
DROP FUNCTION kepler.remember(jsonb,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text);
DROP FUNCTION kepler.recall_check(text,text,integer,integer,text);
DROP FUNCTION kepler.forget(text[],text,text);
DROP FUNCTION kepler.execution_report(text,timestamp with time zone,timestamp with time zone,text);
DROP FUNCTION kepler.claim_records(text,text,integer,interval,jsonb,text);
DROP FUNCTION kepler.add_message(text,text,text,text,integer,text,jsonb,timestamp with time zone,@extschema:vector@.vector,text);
ALTER TYPE kepler.execution_status ADD VALUE 'WAITING' AFTER 'ABANDONED';
ALTER TYPE kepler.execution_status ADD VALUE 'CANCELLED' AFTER 'WAITING';
COMMENT ON TYPE kepler.execution_status IS 'How a run of a workflow stands: running, waiting for a person, or how it ended';
CREATE OR REPLACE FUNCTION kepler.current_workspace_id()
 RETURNS text
 LANGUAGE c
 STABLE PARALLEL SAFE STRICT
AS 'MODULE_PATHNAME', 'session_workspace_id';
COMMENT ON FUNCTION kepler.abandon_executions(integer,text) IS 'Sets runs beyond their deadline to ABANDONED and returns them, the longest overdue first; those that ran before those that waited for a person.
max_rows: the most runs to abandon. Runs whose row another session has locked are skipped. Runs that the database refuses to write are skipped with a warning.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.acknowledge_changes(text,text,text) IS 'Stores how far a named consumer has come, and adds the consumer if it is new. Returns one row.
consumer: its name. cursor: that of the last change that was dealt with.
acknowledged_cursor: what is stored now. On a cluster, where a cursor stands in two feeds, that is the greater position of each.
Outcomes: inserted (a new consumer), updated, unchanged, stale (the consumer is further on already: nothing is changed).
Errors: 55000 before install(), and if the database was restored to a state before the cursor; 22004 and 22023 for arguments; 23503 for an unknown workspace; 42501 for another workspace.';
CREATE FUNCTION kepler.add_message(conversation_id text, role text, content text, user_id text DEFAULT NULL::text, token_count integer DEFAULT NULL::integer, external_id text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, sent_at timestamp with time zone DEFAULT NULL::timestamp with time zone, embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, workspace_id text DEFAULT kepler.current_workspace_id(), language text DEFAULT NULL::text, OUT message_id bigint, OUT number integer, OUT outcome text)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'add_message_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.add_message(text,text,text,text,integer,text,jsonb,timestamp with time zone,@extschema:vector@.vector,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.add_message(text,text,text,text,integer,text,jsonb,timestamp with time zone,@extschema:vector@.vector,text,text) IS 'Adds a message to a conversation, as its last one. Returns one row. A concurrent call for the same conversation waits for the end of this transaction, and its message comes after this one.
conversation_id: a value of kepler.conversations.id. role: system, user, assistant or tool. content: its text; may be empty. user_id: who wrote it; where it is NULL and the role is user, the user of the conversation.
token_count: as the model''s tokenizer counts; NULL is estimated (estimate_tokens). external_id: the caller''s name for the message; a second message with the same external_id is not added. metadata: a JSON object. sent_at: when it was written; it does not affect the order.
embedding: of the content, by the model of the space that the workspace searches; NULL leaves it to set_message_embeddings, which takes those of a batch too.
number: its place, from 1, without gaps except where messages were deleted.
language: whose words the content has: one of those that the workspace has (set_language); NULL: that of the workspace.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 if there is no embedding space for the embedding; 23503 for an unknown conversation or user; 23505 if another message has the external_id.';
COMMENT ON FUNCTION kepler.add_messages(text,json,text) IS 'Adds messages to a conversation, in their order. Returns one row for each element.
messages: a JSON array of objects {role, content, user_id, token_count, external_id, metadata, sent_at, embedding, language}, of which role and content are required, as text, json or jsonb; see add_message.
message_id, number: of the new message, or of the message that has the external_id.
conversation_id: a value of kepler.conversations.id.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content), rejected (error_code is that of the first problem, or the SQLSTATE if a constraint or trigger refuses it; error names all problems).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation.';
COMMENT ON FUNCTION kepler.add_messages(text,jsonb,text) IS 'Adds messages to a conversation, in their order. Returns one row for each element.
messages: a JSON array of objects {role, content, user_id, token_count, external_id, metadata, sent_at, embedding, language}, of which role and content are required, as text, json or jsonb; see add_message.
message_id, number: of the new message, or of the message that has the external_id.
conversation_id: a value of kepler.conversations.id.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content), rejected (error_code is that of the first problem, or the SQLSTATE if a constraint or trigger refuses it; error names all problems).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation.';
COMMENT ON FUNCTION kepler.add_messages(text,text,text) IS 'Adds messages to a conversation, in their order. Returns one row for each element.
messages: a JSON array of objects {role, content, user_id, token_count, external_id, metadata, sent_at, embedding, language}, of which role and content are required, as text, json or jsonb; see add_message.
message_id, number: of the new message, or of the message that has the external_id.
conversation_id: a value of kepler.conversations.id.
Outcomes: inserted, duplicate (there is one with the same external_id, role and content), rejected (error_code is that of the first problem, or the SQLSTATE if a constraint or trigger refuses it; error names all problems).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown conversation.';
CREATE FUNCTION kepler.answer_execution(execution_id text, number integer, answer jsonb, user_id text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT status kepler.execution_status, OUT answered_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_number ALIAS FOR $2;
    wanted_workspace ALIAS FOR $5;
    answered constant timestamptz := clock_timestamp();
    asked record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'number', 'answer', 'workspace_id'],
        ARRAY[$1, $2::text, CASE WHEN $3 IS NOT NULL THEN '' END, $5]);
    IF $4 IS NOT NULL THEN
        PERFORM kepler_internal.require_user($4, $5);
    END IF;
    SELECT e.status INTO status
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    SELECT q.answer, q.answered_by, q.answered_at, q.closed_at INTO asked FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution AND q.number = wanted_number;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    answered_at := asked.answered_at;
    IF asked.answered_at IS NOT NULL THEN
        outcome := CASE WHEN (asked.answer, asked.answered_by) IS NOT DISTINCT FROM ($3, $4) THEN 'duplicate' ELSE 'stale' END;
    ELSIF asked.closed_at IS NOT NULL OR status <> 'WAITING' THEN
        outcome := 'stale';
    ELSE
        UPDATE kepler.execution_questions AS q
        SET answer = $3, answered_by = $4, answered_at = answered, updated_at = answered
        WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution AND q.number = wanted_number
        RETURNING q.answered_at INTO answered_at;
        IF answered_at IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the answer was not written',
                HINT = 'A trigger on kepler.execution_questions prevents the write, or changes the row.';
        END IF;
        -- What was answered is not lost because no worker comes: it waits for one, however long.
        UPDATE kepler.executions AS e
        SET deadline_at = 'infinity', next_check_at = 'infinity', updated_at = answered
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution AND e.deadline_at <> 'infinity';
        outcome := 'answered';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.answer_execution(text,integer,jsonb,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.answer_execution(text,integer,jsonb,text,text) IS 'Answers the question of a run that waits. The first answer counts. The run then waits, without a deadline, until a worker calls resume_execution. Returns one row.
execution_id: a value of kepler.executions.id. number: of the question, as in kepler.execution_questions.
answer: any JSON. user_id: who answers; NULL if no user does.
answered_at: when the question was answered, by this call or before.
Outcomes: answered, duplicate (the same answer again), stale (it has another answer, or the run no longer waits), not_found.
Errors: 55000 before install(); 22004 for a NULL argument; 23503 for an unknown user.';
CREATE FUNCTION kepler.cancel_execution(execution_id text, reason text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT status kepler.execution_status, OUT ended_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    cancelled constant timestamptz := clock_timestamp();
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $3]);
    SELECT e.status, e.ended_at INTO status, ended_at
    FROM kepler.executions AS e WHERE e.workspace_id = $3 AND e.id = $1
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
    ELSIF status IN ('RUNNING', 'WAITING') THEN
        UPDATE kepler.executions AS e
        SET status = 'CANCELLED', ended_at = greatest(cancelled, e.started_at), error = reason, updated_at = cancelled
        WHERE e.workspace_id = $3 AND e.id = $1
        RETURNING e.status, e.ended_at INTO status, ended_at;
        -- What is not stored is not told as stored.
        IF status IS DISTINCT FROM 'CANCELLED' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the end of the execution was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        outcome := 'cancelled';
    ELSE
        outcome := CASE status WHEN 'CANCELLED' THEN 'duplicate' ELSE 'stale' END;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.cancel_execution(text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.cancel_execution(text,text,text) IS 'Ends a run that is RUNNING or WAITING as CANCELLED, at once and for good. Its worker''s next extend_execution gives NULL, steps and finish_execution answer stale; what the worker reports is kept in late_finish. Returns one row: what became of the call, and the status and the end of the run as they are stored.
execution_id: a value of kepler.executions.id. reason: kept as the error of the run.
Outcomes: cancelled, duplicate (it was cancelled before), stale (it has ended otherwise), not_found.
Errors: 55000 before install(); 22004 for a NULL argument.';
COMMENT ON FUNCTION kepler.changes_since(text,integer,regclass,text,text,text) IS 'Returns the changes behind a position, one row for each, in an order in which nothing can come later in between: what transactions under way have written comes after they end (feed_lag tells which).
cursor: the cursor of the last change that was dealt with, or of feed_cursor(); NULL for the oldest change that is there. consumer: reads from the cursor of a named consumer instead, and does not move it (acknowledge_changes does).
max_rows: at most 100,000. relation, entity_type: only changes of this table, of rows of this type. A call with them looks at 10,000 changes, or max_rows; where the last of these is not asked for, a last row without an operation has the cursor to go on from.
workspace_id: NULL for changes of tables without a column workspace_id, which are for the owner of Kepler''s tables alone.
row_id: the primary key without workspace_id, as text; of several columns a JSON array of texts; NULL for TRUNCATE, which empties the table. Read the row by it: operation tells what was done then, and the row may have changed since. sequence: of two changes of one row the later one has the greater, but for a trigger AFTER … FOR EACH ROW that changes its own row again, which is told first.
An update of a record that only moves its enrichment between UNAPPLIED and PENDING is no change.
Errors: 55000 before install(), if changes behind the cursor have been deleted for their age, and if the database was restored to a state before the cursor; 22004 and 22023 for arguments, also for a cursor of another workspace or database; 42704 for an unknown consumer; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables without the relation.';
CREATE FUNCTION kepler.claim_records(entity_type text, worker text, max_rows integer DEFAULT 1, lease interval DEFAULT NULL::interval, options jsonb DEFAULT NULL::jsonb, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(lease_id bigint, record_id text, attempt integer, data jsonb, source_updated_at timestamp with time zone, lease_until timestamp with time zone, external_id text, source text, entity_id text, enrichment jsonb)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'claim_records_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.claim_records(text,text,integer,interval,jsonb,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.claim_records(text,text,integer,interval,jsonb,text) IS 'Claims up to max_rows (at most 10,000) records of a type for a worker, the oldest first, under one lease, and sets them to PENDING. It first takes back the records of expired leases. It waits for nobody: locked records are left to other claims. It returns no rows if nothing is ready (see next_claim_at).
entity_type: the type of the records.
A record that the database refuses to mark (a CHECK, a trigger, a unique index) waits longer each time, and kepler.failed_enrichments says why; the call warns of it and continues with others.
worker: a name, for people to read. lease: how long the lease lasts without extend_lease; the policy''s if NULL.
options: {"fair": false} takes the oldest first in spite of a fair policy. {"filter": {…}} takes only records whose data meets the filter, as in json_matches, the oldest first. Such a claim looks at no more than 1,000 records that are ready, and the next one of the session with the same filter goes on behind them: no rows need not mean that nothing meets it. Wait a second before the next claim.
external_id, source and entity_id are those of the record. enrichment: what was found before; NULL if nothing was.
If the policy has priorities, the higher ones come first, then those that were ready first. If it has limits, the claim takes no more than they allow. While the type is paused there are no rows.
lease_id is the same in all rows, and greater than that of every earlier claim. attempt begins at 1 for each content.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';
CREATE FUNCTION kepler.count_memories(user_id text DEFAULT '*'::text, namespace text DEFAULT ''::text, context_types text[] DEFAULT NULL::text[], filter jsonb DEFAULT NULL::jsonb, created_from timestamp with time zone DEFAULT NULL::timestamp with time zone, created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, updated_from timestamp with time zone DEFAULT NULL::timestamp with time zone, updated_before timestamp with time zone DEFAULT NULL::timestamp with time zone, max_rows integer DEFAULT NULL::integer, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS bigint
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'count_memories_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.count_memories(text,text,text[],jsonb,timestamp with time zone,timestamp with time zone,timestamp with time zone,timestamp with time zone,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.count_memories(text,text,text[],jsonb,timestamp with time zone,timestamp with time zone,timestamp with time zone,timestamp with time zone,integer,text) IS 'Counts the memories that list_memories would list.
user_id, namespace, context_types, filter, created_from, created_before, updated_from, updated_before: as in list_memories. max_rows: counts no further; NULL counts all.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE OR REPLACE FUNCTION kepler.delete_connection(connection_id text, records text, max_rows integer DEFAULT 10000, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT changed integer)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $4;
    entities text[];
    more integer;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(
        ARRAY['connection_id', 'records', 'max_rows', 'workspace_id'], ARRAY[$1, $2, $3::text, $4]);
    IF $2 NOT IN ('keep', 'delete') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "records" must be one of keep, delete, not "%s"', left($2, 100)),
            HINT = '"keep" archives the records, so that a connection that takes its place can adopt them; "delete" deletes them softly.';
    ELSIF max_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be between 1 and 10000, not %s', max_rows);
    END IF;
    changed := 0;
    -- Nobody adds entities meanwhile, and two calls take turns.
    PERFORM FROM kepler.connections AS c WHERE c.workspace_id = wanted_workspace AND c.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    changed := kepler_internal.detach_records($1, $2 = 'keep', max_rows, wanted_workspace);
    IF changed < max_rows THEN
        -- Waits for upserts that are inserting, and keeps others out: what they have inserted is taken too.
        entities := ARRAY(
            SELECT e.id FROM kepler.entities AS e
            WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1 ORDER BY e.id FOR UPDATE);
        more := kepler_internal.detach_records($1, $2 = 'keep', max_rows, wanted_workspace);
        changed := changed + more;
        IF more < max_rows THEN
            -- As the caller: what a foreign key deletes along is deleted as the owner, and so would run the triggers of others.
            DELETE FROM kepler.rejects AS d WHERE d.workspace_id = wanted_workspace AND d.entity_id = ANY (entities);
            DELETE FROM kepler.sync_runs AS d WHERE d.workspace_id = wanted_workspace AND d.entity_id = ANY (entities);
            DELETE FROM kepler.entities AS e WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1;
            DELETE FROM kepler.credentials AS d WHERE d.workspace_id = wanted_workspace AND d.connection_id = $1;
            DELETE FROM kepler.connections AS c WHERE c.workspace_id = wanted_workspace AND c.id = $1;
            outcome := 'deleted';
            RETURN;
        END IF;
    END IF;
    -- Not to be used any more, and not gone before its last record is cared for.
    UPDATE kepler.connections AS c SET status = 'INACTIVE'
    WHERE c.workspace_id = wanted_workspace AND c.id = $1 AND c.status <> 'INACTIVE';
    outcome := 'started';
END
$function$;
CREATE FUNCTION kepler.distribute(shard_count integer DEFAULT NULL::integer)
 RETURNS TABLE(relation regclass, outcome text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    problem record;
    key record;
    answer text;
    missing regclass[];
    foreign_keys jsonb;
    triggers jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    IF distribute.shard_count NOT BETWEEN 1 AND 64000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "shard_count" must be between 1 and 64000, not %s', distribute.shard_count);
    END IF;
    SELECT * INTO problem FROM kepler_internal.distribution_problems() LIMIT 1;
    IF problem.detail IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = problem.code, MESSAGE = problem.message, DETAIL = problem.detail, HINT = problem.hint;
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = problem.code, MESSAGE = problem.message, HINT = problem.hint;
    END IF;
    IF kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.set_up_new_nodes();
    END IF;
    SELECT array_agg(t.relation) INTO missing FROM kepler_internal.cluster_tables() AS t
    WHERE t.lies IN ('by workspace', 'everywhere') AND kepler_internal.lies_now(t.relation) IS NULL;
    IF missing IS NULL THEN
        PERFORM kepler_internal.guard_inbox(true);
        PERFORM kepler_internal.watch_levels(true);
        PERFORM kepler_internal.set_levels_of_nodes();
        RETURN QUERY SELECT t.relation, 'unchanged' FROM kepler_internal.cluster_tables() AS t
            WHERE t.lies IN ('by workspace', 'everywhere') ORDER BY t.relation::text;
        RETURN;
    END IF;
    -- Each node gets tables of its own, without those that will be shared. Before anything is locked here.
    EXECUTE 'SELECT min(r.result) FROM run_command_on_workers($1) AS r WHERE NOT r.success' INTO answer
    USING format('SELECT kepler_internal.prepare_node(%L)', (SELECT array_agg(m::text) FROM unnest(missing) AS m));
    IF answer IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'a node could not be prepared', DETAIL = answer;
    END IF;
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true),
        set_config('citus.enable_local_reference_table_foreign_keys', 'off', true),
        set_config('citus.shard_replication_factor', '1', true),
        set_config('citus.shard_count', coalesce(distribute.shard_count::text, current_setting('citus.shard_count')), true);
    SELECT jsonb_agg(jsonb_build_object('relation', k.conrelid::regclass::text, 'name', k.conname,
        'definition', pg_get_constraintdef(k.oid), 'empties', k.confdeltype = 'n', 'of', k.confrelid::regclass::text))
    INTO foreign_keys
    FROM pg_constraint AS k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY (missing) OR k.confrelid = ANY (missing));
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.relation, key.name);
    END LOOP;
    -- What is there already is no news for them.
    SELECT jsonb_agg(jsonb_build_object('relation', g.tgrelid::regclass::text, 'name', g.tgname, 'fires', g.tgenabled))
    INTO triggers
    FROM pg_trigger AS g
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgrelid IN (
        SELECT p.relid FROM unnest(missing) AS m CROSS JOIN LATERAL pg_partition_tree(m) AS p UNION SELECT unnest(missing));
    FOR key IN SELECT DISTINCT t.relation FROM jsonb_to_recordset(triggers) AS t (relation text) LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', key.relation);
    END LOOP;
    -- In a database that was restored from a dump of a cluster they are tables of this server.
    IF NOT kepler_internal.is_distributed() THEN DROP TABLE IF EXISTS kepler.parts, kepler.two_phase; END IF;
    IF to_regclass('kepler.parts') IS NULL THEN
        CREATE TABLE kepler.parts (workspace_id text PRIMARY KEY);
        COMMENT ON TABLE kepler.parts IS 'Has no rows: a call goes to the node where the rows of its workspace would lie';
        -- A right to delete would be one to lock the table, and with it everybody.
        CREATE TRIGGER keep_empty BEFORE INSERT ON kepler.parts FOR EACH ROW EXECUTE FUNCTION kepler_internal.load_library();
        GRANT SELECT, INSERT ON kepler.parts TO PUBLIC;
        EXECUTE 'SELECT create_distributed_table(''kepler.parts'', ''workspace_id'', colocate_with => ''none'')';
    END IF;
    IF to_regclass('kepler.two_phase') IS NULL THEN
        CREATE TABLE kepler.two_phase (nothing boolean CHECK (nothing IS NULL AND nothing IS NOT NULL));
        COMMENT ON TABLE kepler.two_phase IS 'Has no rows: a transaction that inserts none of them is committed in two phases';
        GRANT SELECT, INSERT ON kepler.two_phase TO PUBLIC;
        EXECUTE 'SELECT citus_add_local_table_to_metadata(''kepler.two_phase'')';
    END IF;
    -- Before the parts are made, which get checks and rights as they are then.
    PERFORM kepler_internal.guard_inbox(true);
    FOR key IN
        SELECT t.relation, t.lies FROM kepler_internal.cluster_tables() AS t WHERE t.relation = ANY (missing)
        ORDER BY t.lies DESC, t.relation::text
    LOOP
        IF key.lies = 'everywhere' THEN
            EXECUTE 'SELECT create_reference_table($1)' USING key.relation;
        ELSE
            EXECUTE 'SELECT create_distributed_table($1, ''workspace_id'', colocate_with => ''kepler.parts'')' USING key.relation;
        END IF;
        -- Its rows lie in shards now. Those that are still in the table itself nobody would read.
        EXECUTE 'SELECT truncate_local_data_after_distributing_table($1)' USING key.relation;
    END LOOP;
    FOR key IN SELECT DISTINCT t.relation FROM jsonb_to_recordset(triggers) AS t (relation text) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', key.relation);
    END LOOP;
    FOR key IN SELECT * FROM jsonb_to_recordset(triggers) AS t (relation text, name text, fires text) WHERE t.fires <> 'O' LOOP
        EXECUTE format('ALTER TABLE %s %s TRIGGER %I', key.relation,
            CASE key.fires WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, key.name);
    END LOOP;
    FOR key IN
        SELECT * FROM jsonb_to_recordset(foreign_keys)
            AS f (relation text, name text, definition text)
    LOOP
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', key.relation, key.name,
            regexp_replace(key.definition, ' ON DELETE SET NULL \([^)]*\)', ''));
    END LOOP;
    FOR key IN
        SELECT DISTINCT f."of" FROM jsonb_to_recordset(foreign_keys) AS f (empties boolean, "of" text) WHERE f.empties
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER empty_references BEFORE DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION kepler_internal.empty_references()', key."of");
    END LOOP;
    -- For sessions that begin from now on.
    EXECUTE 'SELECT min(r.result) FROM run_command_on_all_nodes($1) AS r WHERE NOT r.success' INTO answer
    USING 'SELECT kepler_internal.set_up_node()';
    IF answer IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'a node could not be set up', DETAIL = answer;
    END IF;
    PERFORM kepler_internal.complete_nodes();
    PERFORM kepler_internal.watch_levels(true);
    PERFORM kepler_internal.set_levels_of_nodes();
    PERFORM kepler_internal.turn_views(NULL);
    RETURN QUERY SELECT t.relation, CASE WHEN t.relation = ANY (missing) THEN 'distributed' ELSE 'unchanged' END
        FROM kepler_internal.cluster_tables() AS t WHERE t.lies IN ('by workspace', 'everywhere') ORDER BY t.relation::text;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.distribute(integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler.distribute(integer) IS 'Distributes Kepler''s tables over the nodes of a Citus cluster, by workspace, in one transaction. Call it on the coordinator; from then on calls for a workspace go to the node where it lies. Called again, it does what is left to do: nothing, or new tables.
shard_count: into how many parts; NULL: what citus.shard_count says. It is that of the first call.
Outcomes: distributed, unchanged.
For a superuser who owns Kepler''s tables: settings of the database are changed on every node.
Errors: 55000 before install(), without Citus, on another node than the coordinator, and where a node lacks Kepler or has another version; 0A000 where Citus is too old, or a table of somebody else refers to Kepler''s; 22023 for arguments; 42501 for other callers.';
CREATE FUNCTION kepler.doctor(options jsonb DEFAULT '{}'::jsonb)
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
DECLARE
    checks constant text[] := ARRAY[
        'SELECT * FROM kepler_internal.doctor_installation()',
        'SELECT * FROM kepler_internal.doctor_tables()',
        'SELECT * FROM kepler_internal.doctor_indexes()',
        'SELECT * FROM kepler_internal.doctor_access()',
        'SELECT * FROM kepler_internal.doctor_vacuum()',
        'SELECT * FROM kepler_internal.doctor_server()',
        'SELECT * FROM kepler_internal.doctor_upkeep($1, $2)'];
    one text;
    unknown text;
    held_for interval;
    silent_for interval;
BEGIN
    PERFORM kepler_internal.require_monitor();
    IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(options) AS k WHERE k NOT IN ('held_for', 'silent_for') ORDER BY k LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = format('options has an unknown member "%s"', unknown),
            HINT = 'Legal: held_for, silent_for.';
    END IF;
    BEGIN
        held_for := coalesce(options ->> 'held_for', '1 hour')::interval;
        silent_for := coalesce(options ->> 'silent_for', '1 day')::interval;
    EXCEPTION WHEN data_exception THEN
        RAISE invalid_parameter_value USING MESSAGE = 'held_for and silent_for are intervals', DETAIL = SQLERRM;
    END;
    FOREACH one IN ARRAY checks LOOP
        BEGIN
            RETURN QUERY EXECUTE one USING held_for, silent_for;
        EXCEPTION WHEN OTHERS THEN
            severity := 'error';
            check_name := 'check_failed';
            object_name := substring(one FROM 'kepler_internal\.([a-z_]+)');
            message := format('The check failed: %s (SQLSTATE %s).', SQLERRM, SQLSTATE);
            statement := NULL;
            hint := 'What it looks at is missing, or is not what install() made: see the other findings.';
            RETURN NEXT;
        END;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.doctor(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler.doctor(jsonb) IS 'What is wrong with this installation, one row a finding; none if all is well. severity is error (data is not safe, or functions fail), warning (it will be, or costs much), or notice. statement mends it, if a statement does; hint says what to think of before or after.
It compares Kepler''s own tables with those that install() makes, column by column, and looks at indexes, triggers, row security and rights; versions of library, extension, schema, pgvector and Postgres; vacuum, statistics and sequences; transactions that hold the horizon, consumers that have stopped, and partitions. It reads the catalog and statistics, and no data. A check that fails is a finding (check_failed).
options: {"held_for": "1 hour"} is how long a transaction may be under way, and {"silent_for": "1 day"} how long a consumer for which changes wait may acknowledge nothing.
It works before install() and on a standby too. For members of pg_monitor and whoever has the rights of the owner of Kepler''s tables; the owner sees more (which roles have which level, what is tracked).
Errors: 22023 for options; 42501 for other roles.';
CREATE FUNCTION kepler.drop_retention(policy_id bigint)
 RETURNS boolean
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'drop_retention_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.drop_retention(bigint) FROM PUBLIC;
COMMENT ON FUNCTION kepler.drop_retention(bigint) IS 'Ends a retention policy: nothing is deleted by it any more. Returns false if there is none with this number that the caller may see.
policy_id: its number, as set_retention and retention_report give it. For whoever may set it.
Errors: 55000 before install(); 22004 for arguments; 42501 for other callers.';
COMMENT ON FUNCTION kepler.end_memories(text[],timestamp with time zone,text,text) IS 'Ends memories: from the time on they are not found, and expire_memories deletes them. Returns a row for each id, in their order.
memory_ids: values of kepler.memories.id. at: sets expires_at; a later time than before is taken too, and a ttl ends. user_id: as for forget.
Outcomes: updated, unchanged (named before, or that was its time already), not_found, rejected (a constraint or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';
CREATE OR REPLACE FUNCTION kepler.erase_user(user_id text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT relation regclass, OUT outcome text, OUT rows bigint)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    redacted bigint := 0;
BEGIN
    PERFORM kepler_internal.require_tables();
    FOR relation, outcome, rows IN
        SELECT e.relation::regclass, e.outcome, e.rows FROM kepler_internal.erase_user_of_part(user_id, workspace_id) AS e
    LOOP
        IF relation = 'kepler.history'::regclass THEN
            redacted := rows;
        ELSE
            RETURN NEXT;
        END IF;
    END LOOP;
    redacted := redacted + kepler_internal.redact_user_elsewhere(workspace_id, user_id);
    IF redacted > 0 THEN
        relation := 'kepler.history';
        outcome := 'anonymised';
        rows := redacted;
        RETURN NEXT;
    END IF;
END
$function$;
COMMENT ON FUNCTION kepler.erase_user(text,text) IS 'Erases a person in kepler.users, in the transaction of the caller. Returns a row for each table and outcome.
user_id: the person.
Deleted are the user, memories and conversations of the user with their embeddings and messages, and credentials of the user''s connections. Anonymised are messages in conversations of others, which keep their place and lose their content; connections, which become INACTIVE without their secret_ref; workflows; executions, which lose their metadata; and questions of executions, which lose what the user answered. Rows of blueprints go or lose the reference as on_delete says.
What free text and documents say about a person is not looked for: records, entries, and what runs were given and gave back. The feed holds no values. Called with the rights of the owner of Kepler''s tables, it redacts the history of these rows and of rows that named the person before, also where the person is not found; called by others it leaves the history as it is. Actors in the history stay.
relation, outcome, rows: what was done to how many rows.
Outcomes: deleted, anonymised, not_found (also where the person was erased before).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 or 23001 if a table refers to the user with on_delete restrict; 42501 for another workspace, and without the right to change one of the tables.';
CREATE FUNCTION kepler.execution_report(workflow_id text DEFAULT NULL::text, started_from timestamp with time zone DEFAULT NULL::timestamp with time zone, started_before timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(workflow_id text, name text, runs bigint, running bigint, overdue bigint, succeeded bigint, failed bigint, abandoned bigint, success_rate numeric, p50_duration interval, p95_duration interval, last_started_at timestamp with time zone, waiting bigint, cancelled bigint)
 LANGUAGE sql
 STABLE
AS $function$ SELECT * FROM kepler_internal.execution_report($1, $2, $3, $4) $function$;
REVOKE EXECUTE ON FUNCTION kepler.execution_report(text,timestamp with time zone,timestamp with time zone,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.execution_report(text,timestamp with time zone,timestamp with time zone,text) IS 'Reports how workflows perform: one row for each workflow, by name, also for workflows without a run. It changes nothing.
workflow_id: one workflow; NULL for all.
started_from, started_before: runs that started at started_from or later, and before started_before.
runs is the sum of running, overdue (running beyond the deadline), waiting, succeeded, failed, abandoned and cancelled. success_rate: the share of successes among runs that succeeded, failed or were abandoned, from 0 to 1, NULL if there is none. p50_duration, p95_duration: of runs that succeeded or failed, the time that they waited for people included.
Errors: 55000 before install(); 22004 for a NULL workspace; 23503 for an unknown workflow.';
CREATE FUNCTION kepler.execution_report_by_user(user_id text DEFAULT NULL::text, workflow_id text DEFAULT NULL::text, started_from timestamp with time zone DEFAULT NULL::timestamp with time zone, started_before timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(user_id text, workflow_id text, name text, runs bigint, running bigint, waiting bigint, succeeded bigint, failed bigint, abandoned bigint, cancelled bigint, success_rate numeric, p50_duration interval, p95_duration interval, last_started_at timestamp with time zone)
 LANGUAGE sql
 STABLE
AS $function$ SELECT * FROM kepler_internal.execution_report_by_user($1, $2, $3, $4, $5) $function$;
REVOKE EXECUTE ON FUNCTION kepler.execution_report_by_user(text,text,timestamp with time zone,timestamp with time zone,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.execution_report_by_user(text,text,timestamp with time zone,timestamp with time zone,text) IS 'Reports how the runs of users went: one row for each user and workflow that have runs, also for deleted workflows; user_id is NULL for runs whose user was deleted. It changes nothing.
user_id, workflow_id: one of them; NULL for all.
started_from, started_before: runs that started at started_from or later, and before started_before.
name: of the workflow, at its latest version. running: those beyond their deadline included. The other columns are as in execution_report.
Errors: 55000 before install(); 22004 for a NULL workspace; 23503 for an unknown user or workflow.';
CREATE FUNCTION kepler.execution_retries(execution_id text, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(attempt integer, execution_id text, status kepler.execution_status, workflow_version integer, started_at timestamp with time zone, ended_at timestamp with time zone, error text)
 LANGUAGE sql
 STABLE
AS $function$ SELECT * FROM kepler_internal.execution_retries($1, $2) $function$;
REVOKE EXECUTE ON FUNCTION kepler.execution_retries(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.execution_retries(text,text) IS 'The runs that tried the same again, from the first that is still there: one row for each, in their order; no row for an unknown execution.
execution_id: any run of the chain. attempt: counts from 1.
Errors: 55000 before install(); 22004 for a NULL argument.';
CREATE OR REPLACE FUNCTION kepler.execution_transitions()
 RETURNS TABLE(from_status kepler.execution_status, to_status kepler.execution_status, cause text)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    VALUES ('RUNNING'::kepler.execution_status, 'SUCCESS'::kepler.execution_status, 'finish_execution'),
        ('RUNNING', 'FAILURE', 'finish_execution'),
        ('RUNNING', 'ABANDONED', 'abandon_executions, start_execution'),
        ('RUNNING', 'WAITING', 'suspend_execution'),
        ('RUNNING', 'CANCELLED', 'cancel_execution'),
        ('WAITING', 'RUNNING', 'resume_execution'),
        ('WAITING', 'ABANDONED', 'abandon_executions'),
        ('WAITING', 'CANCELLED', 'cancel_execution')
$function$;
CREATE OR REPLACE FUNCTION kepler.export_workspace(workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE ROWS 100000
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'postgres'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
 SET quote_all_identifiers TO 'off'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    line text;
    rows bigint;
    tables jsonb := '[]';
    lines bigint := 0;
    checksum bigint := 0;
BEGIN
    PERFORM kepler_internal.require_administrator(workspace_id);
    IF EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = workspace_id AND w.deleting_at IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" is being deleted', workspace_id),
            DETAIL = 'A part of it may be gone.',
            HINT = format('CALL kepler.delete_workspace(%L); goes on where it was interrupted.', workspace_id);
    END IF;
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.left_out IS NULL ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        PERFORM kepler_internal.require_unrewritten(part.relation);
        IF rows > 0 THEN
            tables := tables || jsonb_build_object('table', part.key, 'rows', rows, 'columns', (
                SELECT jsonb_agg(c.name ORDER BY c.name COLLATE "C")
                FROM kepler_internal.archived_columns(part.relation, part.tenant_column) AS c));
        END IF;
    END LOOP;
    FOR line IN
        SELECT jsonb_build_object('kepler_archive', 1, 'kepler', kepler.version(), 'postgres', current_setting('server_version'),
            'exported_at', statement_timestamp(), 'tables', tables, 'workspace', jsonb_build_object(
                'id', w.id, 'name', w.name, 'created_at', w.created_at, 'updated_at', w.updated_at,
                'embedding_space', w.embedding_space, 'language', w.language, 'other_languages', w.other_languages,
                'former_languages', w.former_languages))::text
        FROM kepler.workspaces AS w WHERE w.id = workspace_id
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('embedding_space', jsonb_build_object('name', s.name, 'model', s.model,
                'dimensions', s.dimensions, 'metric', s.metric, 'status', s.status, 'search_width', s.search_width))::text
            FROM kepler.embedding_spaces AS s
            WHERE s.name = (SELECT w.embedding_space FROM kepler.workspaces AS w WHERE w.id = workspace_id)
                OR EXISTS (SELECT FROM jsonb_array_elements(tables) AS t
                           WHERE t ->> 'table' IN (format('embeddings:%s:memories', s.name), format('embeddings:%s:messages', s.name)))
            ORDER BY s.name COLLATE "C") AS s
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('blueprint', jsonb_build_object('name', b.name,
                'is_own', b.workspace_id IS NOT NULL, 'version', b.version, 'document', v.document::text))::text
            FROM kepler.blueprints AS b
            JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version = b.version
            WHERE b.workspace_id = workspace_id OR b.workspace_id IS NULL AND EXISTS (
                SELECT FROM kepler.blueprint_tables AS t
                JOIN jsonb_array_elements(tables) AS r
                    ON r ->> 'table' = format('blueprint:%I.%I', t.schema_name, t.table_name)
                WHERE t.blueprint_name = b.name)
            ORDER BY b.name COLLATE "C") AS b
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('entry_table',
                kepler_internal.archived_entry_table(workspace_id, substr(r.key, length('entries:') + 1), r.relation))::text
            FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.kind = 'entry table'
            ORDER BY r.key COLLATE "C") AS e
    LOOP
        lines := lines + 1;
        checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
        RETURN NEXT line;
    END LOOP;
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r
        JOIN jsonb_array_elements(tables) AS t ON t ->> 'table' = r.key
        ORDER BY r.position
    LOOP
        FOR line IN EXECUTE kepler_internal.archive_query(part.key, part.relation, part.tenant_column,
            CASE WHEN part.tenant_column IS NOT NULL THEN format('t.%I OPERATOR(pg_catalog.=) $1', part.tenant_column) END)
            USING workspace_id
        LOOP
            lines := lines + 1;
            checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
            RETURN NEXT line;
        END LOOP;
    END LOOP;
    RETURN NEXT format('{"end":{"lines":%s,"checksum":%s}}', lines, checksum);
END
$function$;
COMMENT ON FUNCTION kepler.feed_cursor(text) IS 'The position of now in the change feed. To copy a table and then follow its changes: take the cursor first, then copy, then read changes_since(cursor). Changes that were made meanwhile may be in the copy as well; none is missing.
Errors: 55000 before install(); 22023 for arguments; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables.';
CREATE OR REPLACE FUNCTION kepler.feed_lag(workspace_id text DEFAULT kepler.current_workspace_id(), OUT horizon xid8, OUT next_xid xid8, OUT held_by text, OUT pid integer, OUT prepared_transaction text, OUT database_name text, OUT role_name text, OUT state text, OUT began_at timestamp with time zone, OUT consumers jsonb)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    here record;
BEGIN
    consumers := (
        SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.consumer), '[]')
        FROM kepler_internal.consumer_lag(feed_lag.workspace_id) AS l);
    SELECT h.* INTO horizon, next_xid, held_by, pid, prepared_transaction, database_name, role_name, state, began_at
    FROM kepler_internal.feed_horizon_of_part(feed_lag.workspace_id) AS h;
    -- On a cluster there is the coordinator's feed too.
    IF held_by IS NULL AND kepler_internal.is_distributed() THEN
        SELECT h.* INTO here FROM kepler_internal.feed_horizon_of_part(NULL) AS h;
        IF here.held_by IS NOT NULL THEN
            SELECT here.horizon, here.next_xid, here.held_by, here.pid, here.prepared_transaction, here.database_name, here.role_name,
                here.state, here.began_at
            INTO horizon, next_xid, held_by, pid, prepared_transaction, database_name, role_name, state, began_at;
        END IF;
    END IF;
END
$function$;
COMMENT ON FUNCTION kepler.feed_lag(text) IS 'Shows what the end of the feed waits for, and how far its consumers are behind. Returns one row.
horizon: the oldest transaction under way; changes of it and of later ones are not served yet. next_xid: the number that the next transaction gets.
held_by: session or prepared transaction, with pid or prepared_transaction, database_name, role_name, state and began_at; NULL if nothing is held back. It may be in another database. What only reads holds nothing back, and a replication slot neither. On a standby it is not known.
consumers: a JSON array of objects {consumer, waiting, oldest_at, acknowledged_at, problem}; waiting is counted up to 10,000; problem says why a consumer cannot go on.
On a cluster consumers read two feeds, that of the workspace''s node and that of the coordinator: what waits is counted in both, and the end of the first is shown unless nothing holds it back and something holds back the other one.
Errors: 55000 before install(); 22023 for arguments; 42501 for another workspace; on a cluster 0A000 on another node than the coordinator, and beside distributed tables.';
CREATE OR REPLACE FUNCTION kepler.find_secrets(relation regclass, include_possible boolean DEFAULT false)
 RETURNS TABLE(key jsonb, column_name text, path text, kind text, certainty text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
COMMENT ON FUNCTION kepler.finish_execution(text,text,text,jsonb,text,text) IS 'Ends a run, once. Returns one row: what became of the report, and the status and the end of the run as they are stored.
execution_id, token: as start_execution gave them.
status: SUCCESS or FAILURE.
results: any JSON.
error: a message or a log. A text holds no NUL: write it as an escape.
A run beyond its deadline that nobody has abandoned yet can still finish. What comes after the abandonment or the cancellation is kept in late_finish, the first time.
Outcomes: finished, duplicate (the same report again), stale (the run has ended otherwise, was abandoned or cancelled, or waits for a person, or the token is not its own; what is stored stays), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
CREATE FUNCTION kepler.forget(memory_ids text[] DEFAULT NULL::text[], user_id text DEFAULT '*'::text, workspace_id text DEFAULT kepler.current_workspace_id(), keys text[] DEFAULT NULL::text[], namespace text DEFAULT ''::text)
 RETURNS TABLE(ordinal integer, memory_id text, outcome text, error_code text, error text)
 LANGUAGE sql
AS $function$
SELECT * FROM kepler_internal.change_memories(
    kepler_internal.named_memories($1, $4, $5, $2, $3), NULL, $2, $3)
$function$;
REVOKE EXECUTE ON FUNCTION kepler.forget(text[],text,text,text[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.forget(text[],text,text,text[],text) IS 'Deletes memories for good, with their embeddings and accesses; end_memories ends them from a time on. Returns a row for each id, in their order. What a deleted memory had superseded is superseded by its successor.
memory_ids: values of kepler.memories.id. keys, namespace: instead of ids, the keys of the user in the namespace. user_id: whose memories they must be: * is anybody''s in the workspace (not with keys), NULL those of no user; another''s memory is not_found.
Outcomes: deleted, unchanged (named before), not_found, rejected (a constraint or a trigger of yours refuses it).
Errors: 55000 before install(); 22004 and 22023 for arguments.';
CREATE FUNCTION kepler.get_memories(memory_ids text[] DEFAULT NULL::text[], keys text[] DEFAULT NULL::text[], namespace text DEFAULT ''::text, user_id text DEFAULT '*'::text, touch boolean DEFAULT false, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(ordinal integer, memory_id text, user_id text, namespace text, key text, context_type text, content text, format text, metadata jsonb, relevance_score double precision, valid_from timestamp with time zone, expires_at timestamp with time zone, ttl interval, created_at timestamp with time zone, updated_at timestamp with time zone)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'get_memories_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.get_memories(text[],text[],text,text,boolean,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.get_memories(text[],text[],text,text,boolean,text) IS 'Finds memories by their ids, or by the keys of a user in a namespace. Returns a row for each that there is, in the order in which they are asked for; ordinal says which it is. Expired and superseded memories are not there.
memory_ids: values of kepler.memories.id. keys, namespace: instead of ids, the keys of the user in exactly this namespace; empty is the root. user_id: whose memories they must be: * is anybody''s in the workspace (not with keys), NULL those of no user. touch: as in search_memories.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE FUNCTION kepler_internal.json_matches_support(internal)
 RETURNS internal
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT
AS 'MODULE_PATHNAME', 'json_matches_support_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.json_matches_support(internal) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.json_matches_support(internal) IS 'Internal: tells the planner which index serves json_matches, and how many rows it leaves';
CREATE OR REPLACE FUNCTION kepler.json_matches(document jsonb, filter jsonb)
 RETURNS boolean
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE COST 10 SUPPORT kepler_internal.json_matches_support
AS 'MODULE_PATHNAME', 'json_matches_wrapper';
COMMENT ON FUNCTION kepler.json_matches(jsonb,jsonb) IS 'Whether a document matches a filter. Never NULL: a NULL document matches no filter.
filter: {"topic": "x", "year": {"$gte": 2020}, "$or": [...]}, all of which must hold; dots separate the keys of a path. Or, for keys that contain dots or begin with $, [{"op": "$gte", "path": ["site.year"], "value": 2020}].
Operators, as in MongoDB: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex (with $options; the syntax of the Rust crate regex), $elemMatch, $all, $size and $not beside a path; also $between ([least, most], both included, by one value), $like and $ilike (patterns of LIKE; $ilike ignores case) and $contains (as @> of jsonb); $and, $or, $nor and $not around filters. {"$date": "2026-01-31T09:30:00Z"} as an operand is a time: strings that are times are compared with it as such. Values of different types have no order. A missing value counts as null, so $ne and $nin hold. Each element of an array counts as a value too.
A GIN index on the document serves equality ($eq, $in, $all, $contains) with strings, numbers and booleans, also of nested keys, if the filter is a constant. Under row security Postgres does not use it.
Errors: 22004 if filter is NULL; 22023 if it is not valid, with every problem; 0A000 in a database that is not in UTF8.';
COMMENT ON FUNCTION kepler.json_update(jsonb,jsonb) IS 'Applies update operations to a document, all or none of them, and returns the result. A NULL document gives NULL. Operations that change nothing return the document as it is.
operations: {"$set": {"result.org1": {"ok": true}}, "$inc": {"count": 1}}, where dots separate the keys of a path; or, for keys that contain dots, begin with $ or are empty, [{"op": "$set", "path": ["org.1", "ok"], "value": true}]. No path may equal another or lead through it.
Operators, as in MongoDB: $set, $unset, $inc, $mul, $min, $max, $bit, $rename, $push (with $each, $position, $sort, $slice), $pop, $addToSet (with $each), $pull (a value, or a condition as json_matches has it), $pullAll, $setOnInsert, which does nothing here, and $currentDate, which needs the clock of update_document and upsert_document. Missing parents become objects; numbers are exact.
Errors: 22004 if operations is NULL; 22023 if it is not valid, with every problem. If an operation does not fit the document: 2203C for a scalar that blocks a path, 22033 for an element that an array cannot have, 22036, 22039 and 42804 for a value of the wrong kind, 22003 for a number out of range. 54000 for a document that would be too large. 0A000 in a database that is not in UTF8.';
CREATE FUNCTION kepler.list_memories(user_id text DEFAULT '*'::text, namespace text DEFAULT ''::text, context_types text[] DEFAULT NULL::text[], filter jsonb DEFAULT NULL::jsonb, created_from timestamp with time zone DEFAULT NULL::timestamp with time zone, created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, updated_from timestamp with time zone DEFAULT NULL::timestamp with time zone, updated_before timestamp with time zone DEFAULT NULL::timestamp with time zone, order_by text DEFAULT 'id'::text, descending boolean DEFAULT NULL::boolean, max_rows integer DEFAULT 100, after text DEFAULT NULL::text, touch boolean DEFAULT false, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(memory_id text, user_id text, namespace text, key text, context_type text, content text, format text, metadata jsonb, relevance_score double precision, valid_from timestamp with time zone, expires_at timestamp with time zone, ttl interval, created_at timestamp with time zone, updated_at timestamp with time zone, cursor text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'list_memories_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.list_memories(text,text,text[],jsonb,timestamp with time zone,timestamp with time zone,timestamp with time zone,timestamp with time zone,text,boolean,integer,text,boolean,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.list_memories(text,text,text[],jsonb,timestamp with time zone,timestamp with time zone,timestamp with time zone,timestamp with time zone,text,boolean,integer,text,boolean,text) IS 'Lists memories, page by page. Expired and superseded memories are not listed.
user_id: * means everybody in the workspace, NULL memories of no user. namespace: only memories in this namespace or below it; empty: all. context_types: any of these. filter: a condition on metadata, as in json_matches. created_from, created_before, updated_from, updated_before: at or after the first time of each, and before the second.
order_by: id (the order in which they were made; the newest first), updated_at (the last changed first) or key (namespace and key, the first first; only memories that have a key). descending: the other way round, if it is given so. max_rows: from 1 to 10,000. after: the cursor of the last row of the page before, with the same order_by. Rows that are added or deleted meanwhile shift no page; in the order of updated_at a memory that is changed meanwhile moves.
touch: as in search_memories.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.list_namespaces(prefix text DEFAULT ''::text, suffix text DEFAULT ''::text, max_depth integer DEFAULT NULL::integer, max_rows integer DEFAULT 100, after text DEFAULT NULL::text, user_id text DEFAULT '*'::text, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS SETOF text
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'list_namespaces_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.list_namespaces(text,text,integer,integer,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.list_namespaces(text,text,integer,integer,text,text,text) IS 'Lists the namespaces that memories are in, in the order of their labels, without the root. Those of expired and superseded memories are not listed.
prefix, suffix: the labels that a namespace begins and ends with; * stands for any label, as in users/*/facts. max_depth: cuts namespaces to so many labels, and gives each of them once. max_rows: from 1 to 10,000. after: the last namespace of the page before. user_id: * means the memories of everybody in the workspace, NULL those of no user.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.metrics()
 RETURNS TABLE(name text, labels jsonb, value double precision, type text, help text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_monitor();
    IF kepler_internal.is_distributed() THEN
        RETURN QUERY
        SELECT m.name, s.labels, s.value, m.type, m.help
        FROM kepler_internal.metric_samples_in_parts() AS s JOIN kepler_internal.metric_names() AS m ON m.name = s.name
        WHERE s.value IS NOT NULL;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT m.name, s.labels, s.value, m.type, m.help
    FROM (
        SELECT * FROM kepler_internal.metric_samples_of_workspaces()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_feed()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_spaces()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_database()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_tables(NULL)
    ) AS s JOIN kepler_internal.metric_names() AS m ON m.name = s.name
    WHERE s.value IS NOT NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.metrics() FROM PUBLIC;
COMMENT ON FUNCTION kepler.metrics() IS 'What the views kepler.stat_… show, as samples for Prometheus: a name, its labels, a value, and the type (gauge or counter) and the help of the name. Names have their unit in them, and end with _total where the value only grows.
A call costs some look-ups in indexes for each workspace, type, entity, consumer and table, however many rows they hold: counts stop at a number that is a metric of its own, and estimates are called so.
For members of pg_monitor.
Errors: 55000 before install(); 42501 for other roles.';
COMMENT ON FUNCTION kepler.next_claim_at(text,text) IS 'When a claim is next likely to find something: the earliest time at which a queued record is ready or a lease ends. A time in the past means now. While other sessions hold all ready records, the answer is a second from now. While a limit is used up, the answer is when it lets a claim get something again. NULL: nothing is queued or leased, or the type is paused.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';
CREATE FUNCTION kepler.pause_enrichment(entity_type text, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS boolean
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'pause_enrichment_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.pause_enrichment(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.pause_enrichment(text,text) IS 'Pauses the enrichment of a type: claims that begin after it is committed return no rows, and next_claim_at returns NULL. What is claimed already can be settled, and its leases extended; a lease that ends is taken back after the pause. Records are queued meanwhile. Returns whether the type was not paused before.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';
CREATE FUNCTION kepler.plan_distribution()
 RETURNS TABLE(what text, relation regclass, action text, reason text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    RETURN QUERY SELECT 'check', NULL::regclass, 'refuse', p.message || coalesce(': ' || p.detail, '')
        FROM kepler_internal.distribution_problems() AS p;
    RETURN QUERY
        SELECT 'table', t.relation,
            CASE WHEN t.lies IN ('node', 'coordinator') OR kepler_internal.lies_now(t.relation) = t.lies THEN 'keep'
                WHEN t.lies = 'everywhere' THEN 'replicate' ELSE 'distribute' END,
            CASE t.lies
                WHEN 'everywhere' THEN 'every node has all rows: all workspaces read it'
                WHEN 'by workspace' THEN 'the rows of a workspace lie on one node'
                WHEN 'node' THEN 'each node has one of its own'
                ELSE 'it stays on the coordinator, as the tables that it lists do' END
        FROM kepler_internal.cluster_tables() AS t ORDER BY t.lies, t.relation::text;
    RETURN QUERY
        SELECT 'table', c.oid::regclass, 'keep', 'it stays on the coordinator, with all that refers to it'
        FROM (
            SELECT to_regclass(format('kepler_data.%I', e.table_name)) AS oid FROM kepler.entry_tables AS e
            UNION SELECT to_regclass(format('%I.%I', b.schema_name, b.table_name)) FROM kepler.blueprint_tables AS b) AS c
        WHERE c.oid IS NOT NULL ORDER BY c.oid::text;
    RETURN QUERY
        SELECT 'key', k.conrelid::regclass, 'replace',
            format('Citus has no ON DELETE SET NULL: a trigger in each part does what %s does', k.conname)
        FROM pg_constraint AS k JOIN kepler_internal.cluster_tables() AS t ON t.relation = k.conrelid AND t.lies = 'by workspace'
        WHERE k.contype = 'f' AND k.confdeltype = 'n' ORDER BY k.conname;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.plan_distribution() FROM PUBLIC;
COMMENT ON FUNCTION kepler.plan_distribution() IS 'Tells what distribute would do on a Citus cluster, and what keeps it from that. Changes nothing.
what: check (something that must be mended first), table or key. action: refuse, distribute (by workspace), replicate (every node has all rows), keep, or replace (a foreign key by a trigger). reason: why.
For the owner of Kepler''s tables.
Errors: 55000 before install(); 42501 for other callers.';
CREATE FUNCTION kepler.recall_check(space text DEFAULT NULL::text, searched text DEFAULT 'memories'::text, samples integer DEFAULT 100, max_rows integer DEFAULT 10, workspace_id text DEFAULT kepler.current_workspace_id(), min_recall double precision DEFAULT 0.98, OUT searches bigint, OUT recall double precision, OUT shortfalls bigint, OUT p50_ms double precision, OUT p95_ms double precision, OUT exact_p50_ms double precision, OUT exact_p95_ms double precision, OUT search_width integer, OUT proposed_width integer, OUT proposed_recall double precision, OUT proposed_p50_ms double precision)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'recall_check_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.recall_check(text,text,integer,integer,text,double precision) FROM PUBLIC;
COMMENT ON FUNCTION kepler.recall_check(text,text,integer,integer,text,double precision) IS 'Compares searches for stored embeddings, chosen at random, with exact searches: the share of the max_rows nearest rows that they find (recall), how many searches returned fewer rows than exist (shortfalls), and their times in milliseconds beside those of the exact searches. NULL if nothing is stored.
searched: memories or messages. samples: how many searches, at most 10,000. max_rows: how many rows each of them asks for, at most 1,000. min_recall: the share that a proposal has to find.
search_width: how many candidates for up to ten rows the searches took from the index; NULL if they compared all rows. proposed_width: the smallest of 10, 20, 40, 60, 100, 150, 200, 300, 400, 600, 800 and 1,000 candidates that finds min_recall, or 1,000 if none does, with the recall and the median time of the same searches. set_search_width() takes it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.refresh_words(max_rows integer DEFAULT 1000, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_max_rows(max_rows, 100000);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_workspace(workspace_id);
    RETURN kepler_internal.refresh_words(max_rows, workspace_id);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.refresh_words(integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.refresh_words(integer,text) IS 'Looks at the next max_rows memories and messages of a workspace whose language was set, and makes the words of those anew that have a former language. Returns how many it looked at; 0: nothing is left. maintain() calls it.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.remember(content jsonb, embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, user_id text DEFAULT NULL::text, context_type text DEFAULT 'fact'::text, metadata jsonb DEFAULT NULL::jsonb, relevance_score double precision DEFAULT 0.5, valid_from timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, supersedes text DEFAULT NULL::text, dedupe boolean DEFAULT false, space text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), key text DEFAULT NULL::text, namespace text DEFAULT ''::text, ttl interval DEFAULT NULL::interval, language text DEFAULT NULL::text, OUT memory_id text, OUT outcome text)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'remember_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.remember(jsonb,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text,text,text,interval,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.remember(jsonb,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text,text,text,interval,text) IS 'Remembers one thing, and returns one row.
content: a text, or a JSON object or array as jsonb, whose format is then JSON.
embedding: of the content, by the model of the space; NULL leaves it to pending_memory_embeddings. space: by default the one that the workspace searches.
user_id: whom it is about; NULL: the workspace''s own. context_type: preference, reasoning, pattern, fact or a word of yours. metadata: a JSON object for filters. relevance_score: how important it is, from 0 to 1.
valid_from: from when on it is true (now if NULL). expires_at: when it is forgotten. supersedes: the id of an older memory of the same user, whose place it takes; the older memory ends, and is found only with as_of.
key: the caller''s own name, unique among the memories of the same user and namespace; the memory then takes the place of the one that is stored under it, wholly: what is not given gets its default, and the embedding of another content goes. An expired memory gives its key free, and so does a superseded one. namespace: a path of labels, for example users/ada/facts; empty is the root. ttl: how long the memory lives on; unless expires_at says otherwise it expires that long after now, and each read with touch extends that again.
dedupe: true looks for what is remembered already of the same user, namespace and context_type, without a key. A memory with a key is told by that, and not looked for. The same content is a duplicate; one whose embedding points the same way (cosine from 0.97), with the same words in the same order but for case and punctuation, is merged. The older content stays; the metadata, the greater relevance_score, the earlier valid_from and the later expires_at of the new are kept, and the embedding where there was none.
language: whose words the content has: one of those that the workspace has (set_language); NULL: that of the workspace.
Outcomes: inserted, duplicate (the same was remembered already), merged (taken into one that is nearly the same), updated (the key had a memory that said something else), unchanged (it says so already, and nothing was written).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 for the space; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.remember(content text, embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, user_id text DEFAULT NULL::text, context_type text DEFAULT 'fact'::text, metadata jsonb DEFAULT NULL::jsonb, relevance_score double precision DEFAULT 0.5, valid_from timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, supersedes text DEFAULT NULL::text, dedupe boolean DEFAULT false, space text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), key text DEFAULT NULL::text, namespace text DEFAULT ''::text, ttl interval DEFAULT NULL::interval, language text DEFAULT NULL::text, OUT memory_id text, OUT outcome text)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'remember_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.remember(text,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text,text,text,interval,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.remember(text,@extschema:vector@.vector,text,text,jsonb,double precision,timestamp with time zone,timestamp with time zone,text,boolean,text,text,text,text,interval,text) IS 'Remembers one thing, and returns one row.
content: a text, or a JSON object or array as jsonb, whose format is then JSON.
embedding: of the content, by the model of the space; NULL leaves it to pending_memory_embeddings. space: by default the one that the workspace searches.
user_id: whom it is about; NULL: the workspace''s own. context_type: preference, reasoning, pattern, fact or a word of yours. metadata: a JSON object for filters. relevance_score: how important it is, from 0 to 1.
valid_from: from when on it is true (now if NULL). expires_at: when it is forgotten. supersedes: the id of an older memory of the same user, whose place it takes; the older memory ends, and is found only with as_of.
key: the caller''s own name, unique among the memories of the same user and namespace; the memory then takes the place of the one that is stored under it, wholly: what is not given gets its default, and the embedding of another content goes. An expired memory gives its key free, and so does a superseded one. namespace: a path of labels, for example users/ada/facts; empty is the root. ttl: how long the memory lives on; unless expires_at says otherwise it expires that long after now, and each read with touch extends that again.
dedupe: true looks for what is remembered already of the same user, namespace and context_type, without a key. A memory with a key is told by that, and not looked for. The same content is a duplicate; one whose embedding points the same way (cosine from 0.97), with the same words in the same order but for case and punctuation, is merged. The older content stays; the metadata, the greater relevance_score, the earlier valid_from and the later expires_at of the new are kept, and the embedding where there was none.
language: whose words the content has: one of those that the workspace has (set_language); NULL: that of the workspace.
Outcomes: inserted, duplicate (the same was remembered already), merged (taken into one that is nearly the same), updated (the key had a memory that said something else), unchanged (it says so already, and nothing was written).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.remember_many(json,boolean,text,text) IS 'Remembers the elements of a JSON array, and returns a row for each, in their order. A rejected element has the code of its first problem, or the SQLSTATE if a constraint or trigger refuses it, and its error names all problems. The other elements are remembered.
memories: an array, as text, json or jsonb, of {content, embedding, user_id, context_type, relevance_score, metadata, valid_from, expires_at, supersedes, key, namespace, ttl, language}. content is a string, or an object or array, which is remembered as JSON; embedding an array of numbers; times are ISO 8601 with an offset; ttl is a number of seconds.
dedupe, space: as in remember. An element can repeat an earlier one of its batch.
Outcomes: inserted, updated, unchanged, duplicate, merged, superseded (a later element has the same key), rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if memories cannot be divided into elements; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.remember_many(jsonb,boolean,text,text) IS 'Remembers the elements of a JSON array, and returns a row for each, in their order. A rejected element has the code of its first problem, or the SQLSTATE if a constraint or trigger refuses it, and its error names all problems. The other elements are remembered.
memories: an array, as text, json or jsonb, of {content, embedding, user_id, context_type, relevance_score, metadata, valid_from, expires_at, supersedes, key, namespace, ttl, language}. content is a string, or an object or array, which is remembered as JSON; embedding an array of numbers; times are ISO 8601 with an offset; ttl is a number of seconds.
dedupe, space: as in remember. An element can repeat an earlier one of its batch.
Outcomes: inserted, updated, unchanged, duplicate, merged, superseded (a later element has the same key), rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if memories cannot be divided into elements; 42704 for the space; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.remember_many(text,boolean,text,text) IS 'Remembers the elements of a JSON array, and returns a row for each, in their order. A rejected element has the code of its first problem, or the SQLSTATE if a constraint or trigger refuses it, and its error names all problems. The other elements are remembered.
memories: an array, as text, json or jsonb, of {content, embedding, user_id, context_type, relevance_score, metadata, valid_from, expires_at, supersedes, key, namespace, ttl, language}. content is a string, or an object or array, which is remembered as JSON; embedding an array of numbers; times are ISO 8601 with an offset; ttl is a number of seconds.
dedupe, space: as in remember. An element can repeat an earlier one of its batch.
Outcomes: inserted, updated, unchanged, duplicate, merged, superseded (a later element has the same key), rejected.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if memories cannot be divided into elements; 42704 for the space; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.remove_enrichment_members(record_ids text[], members text[], workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(ordinal integer, record_id text, outcome text, error_code text, error text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'remove_enrichment_members_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.remove_enrichment_members(text[],text[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.remove_enrichment_members(text[],text[],text) IS 'Removes members from records.enrichment, whatever the status of the records; the status stays. Workers do so with remove in settle_records.
record_ids: a row for each. members: names at the top level; NULL removes all. A record that has none left has NULL.
Outcomes: updated, unchanged (it has none of them, or was named before), gone, not_found, rejected (the database refuses to write it: error_code is the SQLSTATE).
Waits for whoever holds a record.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
CREATE FUNCTION kepler.resume_enrichment(entity_type text, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS boolean
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'resume_enrichment_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.resume_enrichment(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.resume_enrichment(text,text) IS 'Ends the pause of a type. Returns whether it was paused.
entity_type: the type of the records.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 if the type has no policy.';
CREATE FUNCTION kepler.resume_execution(execution_id text, caller_token text DEFAULT NULL::text, timeout interval DEFAULT NULL::interval, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT token text, OUT status kepler.execution_status, OUT deadline_at timestamp with time zone, OUT workflow_id text, OUT workflow_version integer, OUT number integer, OUT question jsonb, OUT answer jsonb, OUT answered_by text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    resumed constant timestamptz := clock_timestamp();
    new_token constant text := coalesce($2, replace(gen_random_uuid()::text, '-', ''));
    is_own boolean;
    asked record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $4]);
    PERFORM kepler_internal.check_timeout($3);
    PERFORM kepler_internal.check_caller_token($2);
    SELECT e.status, e.deadline_at, e.workflow_id, e.workflow_version,
        e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2) AND $2 IS NOT NULL
    INTO status, deadline_at, workflow_id, workflow_version, is_own
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    SELECT q.* INTO asked FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution
    ORDER BY q.number DESC LIMIT 1;
    IF status = 'WAITING' AND asked.number IS NOT NULL AND asked.answered_at IS NULL AND asked.closed_at IS NULL THEN
        outcome := 'waiting';
        number := asked.number;
        question := asked.question;
        RETURN;
    ELSIF status = 'WAITING' AND is_own THEN
        -- Whoever asked may still sleep over it.
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "caller_token" is the token from before the question',
            HINT = 'Make a new random token for each call of resume_execution.';
    ELSIF status = 'WAITING' THEN
        UPDATE kepler.executions AS e
        SET status = 'RUNNING', token_hash = kepler_internal.execution_token_hash(new_token),
            deadline_at = resumed + coalesce($3, e.timeout), next_check_at = resumed + coalesce($3, e.timeout), updated_at = resumed
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
        RETURNING e.status, e.deadline_at INTO status, deadline_at;
        IF status IS DISTINCT FROM 'RUNNING' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'that the execution goes on was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
    ELSIF NOT (status = 'RUNNING' AND is_own AND asked.number IS NOT NULL) THEN
        outcome := 'stale';
        deadline_at := NULL;
        RETURN;
    END IF;
    -- Also for whoever shows the token again, since the answer was lost.
    outcome := 'resumed';
    token := new_token;
    number := asked.number;
    question := asked.question;
    answer := asked.answer;
    answered_by := asked.answered_by;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.resume_execution(text,text,interval,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.resume_execution(text,text,interval,text) IS 'Goes on with a run whose question is answered: it becomes RUNNING, with a new deadline and a new token. Tokens from before are no longer the run''s. Returns one row.
execution_id: a value of kepler.executions.id. timeout: until the first extend_execution; the run''s own by default.
caller_token: a token of the caller''s own, as for start_execution: with it, a call whose answer was lost can be repeated. It must not be the token from before the question.
workflow_id, workflow_version: the definition that the run runs. number, question, answer, answered_by: the latest question.
Outcomes: resumed, waiting (there is no answer yet), stale (the run does not wait: another worker has it, or it has ended), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
CREATE FUNCTION kepler.retention_report()
 RETURNS TABLE(policy_id bigint, relation text, workspace_id text, time_column text, keep interval, filter jsonb, floor interval, older_than timestamp with time zone, row_count bigint, is_estimate boolean, partition_count bigint, oldest_at timestamp with time zone, due_at timestamp with time zone, kept_rows bigint, deleted_rows bigint, dropped_partitions bigint, last_started_at timestamp with time zone, last_succeeded_at timestamp with time zone, last_failed_at timestamp with time zone, problem text, missing_index text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'retention_report_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.retention_report() FROM PUBLIC;
COMMENT ON FUNCTION kepler.retention_report() IS 'Tells of each policy what it would delete now, and how its last passes went. The owner of Kepler''s tables sees all; others those of their workspace and of their tables. Reads up to 10,000 rows of a policy, along an index.
floor: the longest that structure or blueprint declare. older_than: what is older goes. row_count: how many rows that are; is_estimate: as Postgres estimates them, where no index leads to them or there are more. partition_count: partitions that go as a whole. oldest_at: time of the oldest row that is left and meets the filter; due_at: when it comes of age.
kept_rows: old rows that the last pass kept since others refer to them. deleted_rows, dropped_partitions: so far. problem: why it cannot run, or how its last batch failed. missing_index: the index that would lead to the oldest rows.
Errors: 55000 before install().';
COMMENT ON FUNCTION kepler.row_as_of(regclass,text,timestamp with time zone,text) IS 'Returns a row as it was at a time, as a JSON object; NULL if it was not there. A change counts from when its statement ran.
relation, id, workspace_id: as for row_history. as_of: a time since which the table is tracked at level history.
Sensitive fields are left out. jsonb_populate_record makes a row of it.
Errors: 55000 before install(), if no history is kept of the table, and if it is not known what the row was (the table was not tracked, a TRUNCATE took it, or its history was redacted); 22004 and 22023 for arguments; 42501 and 0A000 as for row_history.';
COMMENT ON FUNCTION kepler.row_history(regclass,text,integer,text) IS 'Returns the versions of a row that were kept since the table was tracked at level history, the newest first, one row for each change: what it changed, what the row was after it, and by whom it was made.
relation: the table; the caller needs SELECT on it. id: the primary key without workspace_id, as text; of several columns a JSON array of texts. max_rows: at most 10,000. workspace_id: NULL for rows without a workspace, for the owner of Kepler''s tables.
changes: an object of the columns that changed, each with old and new; without a value that is not kept (sensitive fields) or not known. row_data: the row after the change, under the names that its columns have now; NULL after DELETE, and where it is not known (before a TRUNCATE or a redaction, and before the table was tracked last). actor, request_id: what the settings kepler.actor and kepler.request_id said; role_name: the role of the session.
Errors: 55000 before install(), and if no history is kept of the table; 22004 and 22023 for arguments; 42501 for a table that the caller may not read, or sees by policies that are not by workspace, and for another workspace; 0A000 beside distributed tables of a cluster.';
CREATE FUNCTION kepler.schedule_records(record_ids text[], priority integer DEFAULT NULL::integer, not_before timestamp with time zone DEFAULT NULL::timestamp with time zone, workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS TABLE(ordinal integer, record_id text, outcome text, error_code text, error text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'schedule_records_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.schedule_records(text[],integer,timestamp with time zone,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.schedule_records(text[],integer,timestamp with time zone,text) IS 'Sets the priority of records in the queue, and the earliest time at which they are claimed. Both belong to the place in the queue: they hold through retries and new content, until the record is APPLIED or FAILED. Call it in the transaction of the upsert or requeue_records, and no worker gets the records before.
record_ids: a row for each. priority: from 0 (that of a record without one) to 9; claims take the higher first if the policy says priorities => true. NULL leaves it as it is.
not_before: the earliest time; one that is over makes a record ready now that waits for a retry. NULL leaves it as it is.
Outcomes: updated; unchanged (it is so already, was named before, or is not in the queue: it is PENDING, APPLIED or FAILED, or its type has no policy); gone; not_found; rejected (error_code no_priorities: the policy has none).
Waits for whoever holds a record.
Errors: 55000 before install(); 22004 and 22023 for arguments.';
COMMENT ON FUNCTION kepler.seal_history() IS 'Seals what the history has of transactions that have ended, in a chain of hashes, and returns the anchor of the last seal: NULL if there is nothing to seal. Keep the anchor where nobody who can change the database can change it. On the coordinator of a cluster each node''s chain is sealed, and the anchor has one for each.
No writer waits for it. For the owner of Kepler''s tables. maintain does it too, and commits between the seals.
Errors: 55000 before install(); 42501 for other callers.';
CREATE FUNCTION kepler.search_memories(embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, max_rows integer DEFAULT 10, user_id text DEFAULT '*'::text, query_text text DEFAULT NULL::text, context_types text[] DEFAULT NULL::text[], filter jsonb DEFAULT NULL::jsonb, min_similarity double precision DEFAULT NULL::double precision, as_of timestamp with time zone DEFAULT NULL::timestamp with time zone, weights jsonb DEFAULT NULL::jsonb, fusion jsonb DEFAULT NULL::jsonb, diversity double precision DEFAULT 0, touch boolean DEFAULT false, space text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), namespace text DEFAULT ''::text)
 RETURNS TABLE(memory_id text, content text, score double precision, similarity double precision, vector_rank integer, text_rank integer, recency double precision, importance double precision, plan text, exhausted boolean)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'search_memories_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.search_memories(@extschema:vector@.vector,integer,text,text,text[],jsonb,double precision,timestamp with time zone,jsonb,jsonb,double precision,boolean,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.search_memories(@extschema:vector@.vector,integer,text,text,text[],jsonb,double precision,timestamp with time zone,jsonb,jsonb,double precision,boolean,text,text,text) IS 'Finds memories by meaning, words and time, best first. It returns max_rows rows if that many memories meet the conditions, whatever the conditions are; exhausted is true if there are fewer.
embedding: of the question, by the model of the space. query_text: words, any of which counts, up to 100,000 bytes, in any of the languages of the workspace; the rarer a word is in the workspace, the more it counts (BM25). The hits of both are combined: see fusion. One of the two is required.
max_rows: from 1 to 10,000. user_id: * means everybody in the workspace, NULL memories of no user. context_types: any of these. filter: a condition on metadata, as in json_matches. min_similarity: leaves out memories that are less similar, except word hits without an embedding. namespace: only memories in this namespace or below it; empty: all.
as_of: searches the memories that were valid at this time; now if NULL. Expired and superseded memories are not found.
weights: {"similarity": 0.97, "importance": 0.015, "recency": 0.01, "frequency": 0.005}; parts that are not named do not count, and with similarity alone the order is that of the distance. Otherwise the score orders the most similar memories: four times as many as max_rows, and at least 40. Each part is from 0 to 1; in a search for words the relevance that fusion describes takes the place of similarity.
fusion: {"vector": 1, "text": 1}: how much each way counts: how far the similarity stands out from what is usual in the workspace, and the score by words; both are from 0 to 1. With "k", a number from 0 on, their ranks count instead (reciprocal rank fusion). What is not named stays as it is by default. In a space of another metric than cosine ranks are combined, with a k of 5. By ranks text is 2 by default.
diversity: from 0 to 1, how much results should differ from each other (maximal marginal relevance; up to 200 rows); equal results are repeated only if there are no others. diversity and min_similarity need an embedding. touch: whether kepler.memory_access records what was found, and memories with a ttl live on. Without it a search writes nothing, and frequency and the last access stay as they are.
space: by default the one that the workspace searches.
similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
COMMENT ON FUNCTION kepler.search_messages(@extschema:vector@.vector,integer,text,text,text,text[],text[],jsonb,timestamp with time zone,timestamp with time zone,double precision,jsonb,integer,text,text) IS 'Finds messages of conversations by meaning, words and time, best first, with their neighbours. It returns max_rows hits if that many messages meet the conditions, whatever the conditions are; exhausted is true if there are fewer.
embedding: of the question, by the model of the space. query_text: words, any of which counts; the rarer a word is in the workspace, the more it counts (BM25). The hits of both are combined: see fusion. One of the two is required. Search by meaning finds only messages with an embedding (set_message_embeddings).
max_rows: the number of hits, from 1 to 10,000; with expand up to 1,000. user_id: whose conversations: * means everybody''s in the workspace, NULL those of no user. conversation_id: * means any. kinds: conversations of any of these kinds. roles: system, user, assistant, tool. filter: a condition on the metadata of messages, as in json_matches. sent_from, sent_before: sent at or after the first time, and before the second. min_similarity: leaves out messages that are less similar, except word hits without an embedding.
fusion: {"vector": 1, "text": 1}, as in search_memories.
expand: this many messages (up to 100) before and after each hit in its conversation, whether they meet the conditions or not. Neighbourhoods that overlap or touch form one passage, and no message is returned twice.
space: by default the space that the workspace searches.
Rows: the passage with the best hit first, each passage in the order of its conversation. Without expand each hit is a passage. is_hit: false for a neighbour, which has no score, similarity and ranks. hit: the rank of the hit, 1 for the best; for a neighbour, the rank of the nearest hit.
score: from 0 to 1; the similarity, or in a search for words what fusion describes. similarity: the cosine, or by the metric of the space the inner product or 1 / (1 + distance). vector_rank, text_rank: places in the two lists. plan: exact, index, index_wide, exact_after_index or text.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42704 for the space; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace or conversation.';
CREATE FUNCTION kepler.search_vectors(relation regclass, column_name text, embedding @extschema:vector@.vector, max_rows integer DEFAULT 10, filter jsonb DEFAULT NULL::jsonb, metric text DEFAULT 'cosine'::text, min_similarity double precision DEFAULT NULL::double precision, columns text[] DEFAULT NULL::text[], query_text text DEFAULT NULL::text, words_column text DEFAULT NULL::text, language text DEFAULT 'english'::text, fusion jsonb DEFAULT NULL::jsonb)
 RETURNS TABLE(document jsonb, similarity double precision, distance double precision, plan text, exhausted boolean, score double precision, vector_rank integer, text_rank integer)
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'search_vectors_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.search_vectors(regclass,text,@extschema:vector@.vector,integer,jsonb,text,double precision,text[],text,text,text,jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler.search_vectors(regclass,text,@extschema:vector@.vector,integer,jsonb,text,double precision,text[],text,text,text,jsonb) IS 'Finds the rows of any table whose vectors are nearest to the embedding, whose words answer query_text, or both, best first. As with search_memories, it returns max_rows rows if that many rows meet the filter. Reads as the caller, who needs the right to the columns that are searched, filtered by and shown; for a search by words, under row security, of a table with partitions or children, and where it would run code of others, to the whole table.
relation, column_name: a table or materialized view and its column of type vector. Rows where it is NULL are found by words alone. Of a partitioned table, and of one that others inherit from, each part that the filter leaves is searched, through its own index; under row security all of it is compared.
embedding: NULL searches by words alone. max_rows: from 1 to 10,000.
filter: as in json_matches, for the row as JSON: {"organization": "acme", "size": {"$gte": 10}, "part": {"$in": ["head", "body"]}, "meta.topic": "x", "created_at": {"$gte": {"$date": "2026-01-31"}}}. Members name columns; a dotted path goes into a column of type json or jsonb. Scalars are compared as their column''s type, in its collation, so that indexes and partitions serve; a column that is NULL is null. metric: cosine, inner_product or l2; an HNSW index is used if it has the operators of the metric.
min_similarity: leaves out what is less similar, except word hits without an embedding.
columns: the columns of document; NULL gives all but vectors and columns of type tsvector.
query_text: words to look for, any of which counts; the rarer ones count for more, and long texts for less. words_column: a column of type tsvector; NULL is the table''s only one. language: the text search configuration that its words were made with. fusion: how both ways are combined, as in search_memories (what similarity is usual, some rows of the table tell, unless row security holds).
document: the row as JSON. similarity: the cosine, the inner product, or 1 / (1 + distance). score: from 0 to 1. vector_rank, text_rank: the place among what each way found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 22000 for an embedding of other dimensions; 42501 without the right to read; 42704 for the language; 42703 for columns that do not exist; 42809 if relation is not a table or has foreign tables among its parts, if the column is not a vector, or words_column not a tsvector. 22023 names every problem of the filter, also columns that do not exist and values of another type than their column.';
CREATE FUNCTION kepler.set_enrichment_policy(entity_type text, max_attempts integer DEFAULT NULL::integer, lease interval DEFAULT NULL::interval, backoff_base interval DEFAULT NULL::interval, backoff_cap interval DEFAULT NULL::interval, clear_on_change boolean DEFAULT NULL::boolean, fair boolean DEFAULT NULL::boolean, notify boolean DEFAULT NULL::boolean, priorities boolean DEFAULT NULL::boolean, limit_by text DEFAULT NULL::text, records_per_minute integer DEFAULT NULL::integer, leases_per_minute integer DEFAULT NULL::integer, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT queued bigint, OUT remaining bigint)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'set_enrichment_policy_v2_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.set_enrichment_policy(text,integer,interval,interval,interval,boolean,boolean,boolean,boolean,text,integer,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.set_enrichment_policy(text,integer,interval,interval,interval,boolean,boolean,boolean,boolean,text,integer,integer,text) IS 'Lets workers enrich the records of a type, or changes the policy of a type. From then on upserts and direct SQL queue new and changed records. Settings that are not given keep their values.
entity_type: the type of the records.
max_attempts (initially 5): the number of failed or expired attempts after which a record is FAILED. lease (5 minutes): how long a claim lasts without extend_lease.
backoff_base (10 seconds), backoff_cap (1 hour): an attempt waits for between half and all of base * 2^(attempts - 1), at most cap.
clear_on_change (false): changed content empties records.enrichment at once, instead of keeping the old result until the new one.
fair (false): claims take turns between entities. notify (false): an upsert that queues something notifies the channel kepler_enrichment, once a call.
priorities (false): claims take records with a higher priority first (schedule_records); where they take turns, within each turn.
records_per_minute (0), leases_per_minute (0): so many records, and so many claims that get some, within any 60 seconds, at most; 0 means no limit. What was claimed counts, whatever became of it, unless the claim is rolled back.
limit_by (type): whether the limits hold for the whole type, for each entity, or for each source. With entity and source claims take turns between them, so source does not go with fair.
Outcomes: inserted, updated, unchanged.
queued: how many records of before the policy this call has queued. If the workspace has at most 10,000 records and no transaction is writing records of the type, that is all of them, and writers of the type wait until the transaction ends. Otherwise a notice says to CALL kepler.queue_backlog after the transaction.
remaining: about how many rows queue_backlog has to look at, by the statistics; 0 if and only if nothing is left. In a REPEATABLE READ or SERIALIZABLE transaction all is left to queue_backlog.
Waits for no writer. A transaction that began before the policy and keeps to its snapshot (REPEATABLE READ) can write no records of the type after it (40001).
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.set_language(language text, other_languages text[] DEFAULT NULL::text[], workspace_id text DEFAULT kepler.current_workspace_id())
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    given ALIAS FOR $2;
    others text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('language', language);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_workspace(workspace_id);
    IF array_position(given, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "other_languages" must not hold NULL';
    END IF;
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id),
            HINT = format('SELECT kepler.create_workspace(%L);', workspace_id);
    END IF;
    -- The same list, however it is given.
    others := ARRAY(SELECT DISTINCT n.name FROM unnest(given) AS n (name) WHERE n.name <> language ORDER BY 1);
    IF cardinality(others) > 30 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "other_languages" must hold at most 30 languages',
            DETAIL = 'The words of a question are looked for in each of them.';
    END IF;
    UPDATE kepler.workspaces AS w
    SET language = $1, other_languages = CASE WHEN given IS NULL THEN array_remove(w.other_languages, $1) ELSE others END
    WHERE w.id = workspace_id
        AND (w.language <> $1 OR (given IS NOT NULL AND w.other_languages <> others));
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.set_language(text,text[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.set_language(text,text[],text) IS 'Sets the language of a workspace: the text search configuration that the words of its new memories and messages are made with. maintain() and refresh_words make the words of those anew that have a language which the workspace had before; until then searches find them by the words that they have.
language: as in text_words; simple suits every language. A configuration must belong to a superuser or to the owner of Kepler''s tables.
other_languages: those that memories and messages may have of their own, up to 30. NULL leaves them as they are; what is in the list no more becomes a former language. Each costs every search by words a little.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for a configuration of somebody else; 42704 if there is no such configuration; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.set_retention(relation regclass, keep interval, time_column text DEFAULT NULL::text, filter jsonb DEFAULT NULL::jsonb, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT policy_id bigint)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'set_retention_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.set_retention(regclass,interval,text,jsonb,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.set_retention(regclass,interval,text,jsonb,text) IS 'Says how long rows of a table are kept, or changes it. Rows that are older are deleted by run_retention (or maintain), and not before. One policy for a table, a filter and a workspace: policies with other filters stand beside each other.
relation: a table of the caller, an entry table, a table of a blueprint, or one of Kepler''s own that grow: records, rejects, executions, enrichment_attempts, conversations, messages, memories, sync_runs, feed. Not the history, which is kept for ever.
keep: how old a row must be, counted from the start of the transaction that deletes it, in UTC. Not shorter than a floor that a structure or a blueprint declares; whatever is declared later holds too.
time_column: a timestamptz, a timestamp (read as UTC) or a date (as old as the end of the day); initially the one of the declared floor, else created_at; of records deleted_at, so that only deleted records go; of executions and sync_runs ended_at. A row without a time is kept, and one of -infinity.
filter: only rows that meet it, in the common grammar over the columns: {"temporary": true}.
workspace_id: whose rows, where the table has a workspace_id or is one of a workspace; NULL for all rows, which is the owner''s to say. The feed takes NULL alone.
Kept in any case: records that a worker holds or that are PENDING, runs under way, rows that others refer to (without ON DELETE CASCADE or SET …), rows with which younger ones of a table with a floor would go, and changes that a consumer has not read. A notice says if no index leads to the oldest rows.
For administrators, and for the owner of a table that is not Kepler''s.
Outcomes: inserted, updated, unchanged.
Errors: 55000 before install(), and where what would go along cannot be told; 22004 and 22023 for arguments, also for a keep below a floor; 42809 for what has no rows that grow old; 42703 and 42804 for the column; 42501 for other callers; 23503 for an unknown workspace; 54000 beyond 100 policies for a table and a workspace, and beyond 1000 for the tables of a role that does not own Kepler''s tables.';
CREATE FUNCTION kepler.set_search_width(space text, candidates integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    IF candidates NOT BETWEEN 10 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "candidates" must be between 10 and 1000, not %s', candidates),
            HINT = 'NULL stands for the default.';
    END IF;
    PERFORM kepler_internal.require_space(space, false);
    UPDATE kepler.embedding_spaces AS s SET search_width = candidates
    WHERE s.name = space AND s.search_width IS DISTINCT FROM candidates;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.set_search_width(text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler.set_search_width(text,integer) IS 'Sets how many candidates a search in a space takes from an index on vectors, for up to ten rows: 10 to 1,000. More rows take more, in proportion. NULL: the default, 100, or 200 if an HNSW index was built with an ef_construction below 100, and 150 of an IVFFlat index. The setting holds for all workspaces and sessions from the commit on. More candidates find more of the nearest rows and take longer; no search returns fewer rows for it. recall_check() proposes a number.
Where a session, a role or the database sets hnsw.ef_search, that counts instead. Tables outside of spaces (search_vectors) have that setting alone.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42704 for the space; 42501 for roles that do not administer all workspaces.';
COMMENT ON FUNCTION kepler.settle_records(bigint,json,text) IS 'Settles records of a lease, and returns one row for each element, in their order. Records that are not settled stay leased; the lease is deleted with its last record.
lease_id: as claim_records gave it.
results: a JSON array, as text, json or jsonb, of {record_id, action, result, remove, error, retryable, retry_in}. action is complete (the default; the members of records.enrichment that remove, an array of names, lists are removed, and the members of result are merged into the rest; null is a value like any other), fail (with error; the record is tried again unless retryable is false or this was the last attempt) or release (the record returns to the queue; the attempt does not count). retry_in, in seconds, takes the place of the backoff.
The error of a failure may be any JSON: a value that is not a string is stored as its JSON text. Characters that cannot be stored are stored as escapes, and the answer says so in error.
Outcomes: applied, retried, failed, released, duplicate (this lease has settled it before), stale (the lease is lost, or does not hold the record: nothing changes), superseded (its content changed since the claim: the result is dropped, the record queued again), gone, not_found, rejected (the element cannot be understood, or the database refuses to write it: error_code is then the SQLSTATE).
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if results cannot be divided into elements.';
COMMENT ON FUNCTION kepler.settle_records(bigint,jsonb,text) IS 'Settles records of a lease, and returns one row for each element, in their order. Records that are not settled stay leased; the lease is deleted with its last record.
lease_id: as claim_records gave it.
results: a JSON array, as text, json or jsonb, of {record_id, action, result, remove, error, retryable, retry_in}. action is complete (the default; the members of records.enrichment that remove, an array of names, lists are removed, and the members of result are merged into the rest; null is a value like any other), fail (with error; the record is tried again unless retryable is false or this was the last attempt) or release (the record returns to the queue; the attempt does not count). retry_in, in seconds, takes the place of the backoff.
The error of a failure may be any JSON: a value that is not a string is stored as its JSON text. Characters that cannot be stored are stored as escapes, and the answer says so in error.
Outcomes: applied, retried, failed, released, duplicate (this lease has settled it before), stale (the lease is lost, or does not hold the record: nothing changes), superseded (its content changed since the claim: the result is dropped, the record queued again), gone, not_found, rejected (the element cannot be understood, or the database refuses to write it: error_code is then the SQLSTATE).
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if results cannot be divided into elements.';
COMMENT ON FUNCTION kepler.settle_records(bigint,text,text) IS 'Settles records of a lease, and returns one row for each element, in their order. Records that are not settled stay leased; the lease is deleted with its last record.
lease_id: as claim_records gave it.
results: a JSON array, as text, json or jsonb, of {record_id, action, result, remove, error, retryable, retry_in}. action is complete (the default; the members of records.enrichment that remove, an array of names, lists are removed, and the members of result are merged into the rest; null is a value like any other), fail (with error; the record is tried again unless retryable is false or this was the last attempt) or release (the record returns to the queue; the attempt does not count). retry_in, in seconds, takes the place of the backoff.
The error of a failure may be any JSON: a value that is not a string is stored as its JSON text. Characters that cannot be stored are stored as escapes, and the answer says so in error.
Outcomes: applied, retried, failed, released, duplicate (this lease has settled it before), stale (the lease is lost, or does not hold the record: nothing changes), superseded (its content changed since the claim: the result is dropped, the record queued again), gone, not_found, rejected (the element cannot be understood, or the database refuses to write it: error_code is then the SQLSTATE).
Errors: 55000 before install(); 22004 and 22023 for arguments; 22P02 if results cannot be divided into elements.';
CREATE FUNCTION kepler.start_execution(workflow_id text, idempotency_key text DEFAULT NULL::text, timeout interval DEFAULT NULL::interval, metadata jsonb DEFAULT NULL::jsonb, retry_of text DEFAULT NULL::text, caller_token text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT execution_id text, OUT token text, OUT outcome text, OUT status kepler.execution_status, OUT deadline_at timestamp with time zone, OUT workflow_version integer)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workflow ALIAS FOR $1;
    wanted_key ALIAS FOR $2;
    retried ALIAS FOR $5;
    wanted_workspace ALIAS FOR $7;
    silence constant interval := coalesce($3, interval '1 hour');
    new_token constant text := coalesce($6, replace(gen_random_uuid()::text, '-', ''));
    started constant timestamptz := clock_timestamp();
    workflow_status kepler.workflow_status;
    workflow_user text;
    is_own boolean;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workflow_id', 'workspace_id'], ARRAY[$1, $7]);
    PERFORM kepler_internal.check_timeout($3);
    IF wanted_key = '' OR octet_length(wanted_key) > 500 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE wanted_key WHEN '' THEN 'argument "idempotency_key" must not be empty'
                ELSE 'argument "idempotency_key" is longer than 500 bytes' END,
            HINT = 'Leave it out, or pass NULL, if each call is a run of its own.';
    END IF;
    IF $6 IS NOT NULL THEN
        PERFORM kepler_internal.check_caller_token($6);
        IF wanted_key IS NULL AND retried IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'argument "caller_token" needs an idempotency_key or a retry_of',
                DETAIL = 'Without one each call starts another run, and none can be asked for again.';
        END IF;
    END IF;
    IF jsonb_typeof($4) NOT IN ('object', 'null') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "metadata" must be a JSON object, not %s', jsonb_typeof($4));
    END IF;
    workflow_status := kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    -- Mostly nothing is overdue, and to look is cheap.
    IF EXISTS (SELECT FROM kepler.executions AS e
               WHERE e.workspace_id = wanted_workspace AND e.workflow_id = wanted_workflow
                   AND e.status = 'RUNNING' AND e.next_check_at < started AND e.deadline_at < started) THEN
        PERFORM FROM kepler_internal.abandon_overdue(wanted_workflow, 1000, wanted_workspace, 'RUNNING');
    END IF;

    -- Again only where the run with this key vanished between the insert that met it and the look.
    FOR round IN 1 .. 20 LOOP
        -- The repetition of a start is answered alike, whatever became of the workflow.
        IF wanted_key IS NOT NULL THEN
            SELECT e.id, e.status, e.deadline_at, e.workflow_version,
                e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($6) AND e.status IN ('RUNNING', 'WAITING')
            INTO execution_id, status, deadline_at, workflow_version, is_own
            FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.workflow_id = wanted_workflow
                AND e.idempotency_key = wanted_key;
        END IF;
        IF retried IS NOT NULL AND execution_id IS NULL THEN
            SELECT e.id, e.status, e.deadline_at, e.workflow_version,
                e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($6) AND e.status IN ('RUNNING', 'WAITING')
            INTO execution_id, status, deadline_at, workflow_version, is_own
            FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.retry_of = retried AND e.workflow_id = wanted_workflow;
        END IF;
        IF execution_id IS NOT NULL THEN
            -- Whoever shows the token asks again for an answer that was lost.
            outcome := CASE WHEN is_own AND $6 IS NOT NULL THEN 'started' ELSE 'duplicate' END;
            token := CASE WHEN is_own THEN $6 END;
            RETURN;
        END IF;
        SELECT w.user_id, w.version INTO workflow_user, workflow_version FROM kepler.workflows AS w
        WHERE w.workspace_id = wanted_workspace AND w.id = wanted_workflow;
        IF workflow_status <> 'ACTIVE' OR workflow_user IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = CASE WHEN workflow_status <> 'ACTIVE' THEN format('workflow "%s" is inactive', wanted_workflow)
                    ELSE format('workflow "%s" has no user', wanted_workflow) END,
                DETAIL = CASE WHEN workflow_status <> 'ACTIVE' THEN 'An inactive workflow starts no execution.'
                    ELSE 'Its user was deleted, so it has no connections to use.' END,
                HINT = CASE WHEN workflow_status <> 'ACTIVE'
                    THEN format('UPDATE kepler.workflows SET status = ''ACTIVE'' WHERE workspace_id = %L AND id = %L;',
                        wanted_workspace, wanted_workflow)
                    ELSE 'Give the workflow another user, or make it inactive.' END;
        END IF;
        IF retried IS NULL THEN
            INSERT INTO kepler.executions AS e (workspace_id, workflow_id, workflow_version, user_id, idempotency_key,
                started_at, timeout, deadline_at, next_check_at, token_hash, metadata)
            VALUES (wanted_workspace, wanted_workflow, workflow_version, workflow_user, wanted_key, started, silence,
                started + silence, started + silence, kepler_internal.execution_token_hash(new_token),
                coalesce(nullif($4, 'null'), '{}'))
            ON CONFLICT ON CONSTRAINT executions_idempotency_key_key DO NOTHING
            RETURNING e.id, new_token, 'started', e.status, e.deadline_at
            INTO execution_id, token, outcome, status, deadline_at;
        ELSE
            PERFORM kepler_internal.require_retriable(retried, wanted_workflow, wanted_workspace);
            -- Two kinds of runs may be there already: with this key, and of the same run.
            INSERT INTO kepler.executions AS e (workspace_id, workflow_id, workflow_version, user_id, idempotency_key,
                started_at, timeout, deadline_at, next_check_at, token_hash, metadata, retry_of)
            VALUES (wanted_workspace, wanted_workflow, workflow_version, workflow_user, wanted_key, started, silence,
                started + silence, started + silence, kepler_internal.execution_token_hash(new_token),
                coalesce(nullif($4, 'null'), '{}'), retried)
            ON CONFLICT DO NOTHING
            RETURNING e.id, new_token, 'started', e.status, e.deadline_at
            INTO execution_id, token, outcome, status, deadline_at;
        END IF;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION USING
        ERRCODE = 'serialization_failure',
        MESSAGE = 'executions with this key kept vanishing during the call',
        HINT = 'Run it again.';
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.start_execution(text,text,interval,jsonb,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.start_execution(text,text,interval,jsonb,text,text,text) IS 'Starts a run of a workflow, or finds the run that the same key has started. Returns one row.
workflow_id: a value of kepler.workflows.id. Overdue runs of this workflow become ABANDONED first.
idempotency_key: the caller''s name for this run. A workflow has one run for a key, whatever the state of that run; sessions that start the same key at once make one run. NULL: each call makes a run.
timeout: how long the run may go without extend_execution before it is overdue; an hour by default, at most 366 days.
metadata: a JSON object to keep with the run.
retry_of: the run of the same workflow that this one tries again, which has ended as FAILURE, ABANDONED or CANCELLED. A run is retried once: who asks again gets the retry that is there. To try once more, retry the retry.
caller_token: a token of the caller''s own, random and of 16 to 500 bytes, which takes the place of the one that Kepler makes. Who lost the answer asks again with the same key, or the same retry_of, and the same token, and gets the run as started while it is RUNNING or WAITING.
token: what extend_execution, add_execution_steps, suspend_execution and finish_execution ask for. It is given out once, with started, and only its hash is stored.
workflow_version: the definition that this run runs (kepler.workflow_versions).
Outcomes: started, duplicate (the key has a run, or the run a retry, whatever became of it).
Errors: 55000 before install(), for a workflow that is inactive or has no user, and for a run that cannot be retried; 22004 and 22023 for arguments; 23503 for an unknown workflow or execution; 40001 if runs with the key kept vanishing (run it again).';
CREATE OR REPLACE FUNCTION kepler.status()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    tables jsonb;
    made jsonb;
    queue jsonb;
    runs jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    IF kepler_internal.is_distributed() THEN
        SELECT p.tables, p.made, p.queue, p.runs INTO tables, made, queue, runs FROM kepler_internal.status_in_parts() AS p;
    ELSE
        SELECT jsonb_object_agg(c.relname, kepler_internal.table_status(c.oid::regclass)) INTO tables
        FROM pg_class AS c
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname NOT IN ('schema_versions', 'access_levels', 'workspace_members');

        -- There may be thousands: what the statistics say of all of them.
        SELECT jsonb_object_agg(k.kind, jsonb_build_object(
            'tables', k.tables, 'rows', k.row_count, 'estimated', true, 'bytes', k.bytes)) INTO made
        FROM (
            SELECT w.kind, count(c.oid) AS tables, coalesce(sum(nullif(c.reltuples, -1)), 0)::bigint AS row_count,
                coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
            FROM (VALUES ('entries'), ('embeddings')) AS w (kind)
            LEFT JOIN pg_class AS c ON c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                AND (right(c.relname::text, 11) = '_embeddings') = (w.kind = 'embeddings')
            GROUP BY w.kind
        ) AS k;

        SELECT w.queue, w.runs INTO queue, runs FROM kepler_internal.status_of_work() AS w;
    END IF;

    RETURN jsonb_build_object(
        'library_version', kepler.version(),
        'extension_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'kepler'),
        'schema_version', (SELECT max(v.version) FROM kepler.schema_versions AS v),
        'latest_schema_version', kepler_internal.latest_schema_version(),
        'postgres_version', current_setting('server_version'),
        'pgvector_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'vector'),
        'workspace_id', kepler.current_workspace_id(),
        'tables', tables,
        'made', made,
        'enrichment', queue,
        'executions', runs);
END
$function$;
CREATE FUNCTION kepler.suspend_execution(execution_id text, token text, question jsonb, user_id text DEFAULT NULL::text, timeout interval DEFAULT NULL::interval, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text, OUT status kepler.execution_status, OUT number integer, OUT deadline_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $6;
    asked constant timestamptz := clock_timestamp();
    has_token boolean;
    latest record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'question', 'workspace_id'],
        ARRAY[$1, $2, CASE WHEN $3 IS NOT NULL THEN '' END, $6]);
    PERFORM kepler_internal.check_timeout($5);
    IF $4 IS NOT NULL THEN
        PERFORM kepler_internal.require_user($4, $6);
    END IF;
    SELECT e.status, e.deadline_at, e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2)
    INTO status, deadline_at, has_token
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    SELECT q.number, q.question, q.user_id INTO latest FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution
    ORDER BY q.number DESC LIMIT 1;
    IF NOT has_token OR status NOT IN ('RUNNING', 'WAITING') THEN
        outcome := 'stale';
        deadline_at := NULL;
    ELSIF status = 'WAITING' THEN
        outcome := CASE WHEN (latest.question, latest.user_id) IS NOT DISTINCT FROM ($3, $4) THEN 'duplicate' ELSE 'stale' END;
        number := CASE outcome WHEN 'duplicate' THEN latest.number END;
    ELSE
        deadline_at := coalesce(asked + $5, 'infinity');
        UPDATE kepler.executions AS e
        SET status = 'WAITING', deadline_at = deadline_at, next_check_at = deadline_at, updated_at = asked
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
        RETURNING e.status INTO status;
        IF status IS DISTINCT FROM 'WAITING' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'that the execution waits was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        INSERT INTO kepler.execution_questions AS q (workspace_id, execution_id, number, question, user_id, due_at, created_at)
        VALUES (wanted_workspace, wanted_execution, coalesce(latest.number, 0) + 1, $3, $4, asked + $5, asked)
        RETURNING q.number INTO number;
        outcome := 'suspended';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.suspend_execution(text,text,jsonb,text,interval,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.suspend_execution(text,text,jsonb,text,interval,text) IS 'Has a run wait for a person: it becomes WAITING, and its worker gives it up. Returns one row.
execution_id, token: as start_execution or resume_execution gave them.
question: what is asked, any JSON; kept in kepler.execution_questions.
user_id: who is asked; NULL for anybody. Kepler does not check who answers.
timeout: how long the question stands; then the run is overdue, and abandon_executions makes it ABANDONED. NULL: for ever. At most 366 days.
number: the number of the question, which answer_execution asks for. deadline_at: until when it stands.
Outcomes: suspended, duplicate (the run waits with this very question), stale (the run has ended, waits with another question, or the token is not its own), not_found.
Errors: 55000 before install(); 22004 and 22023 for arguments; 23503 for an unknown user.';
CREATE FUNCTION kepler.text_words(content text, language text DEFAULT 'english'::text)
 RETURNS tsvector
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'text_words_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.text_words(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.text_words(text,text) IS 'The words of content, for an index of your own: stems and stop words as the text search configuration language has them, without accents (café is cafe), and pairs of characters of scripts without spaces between words (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese), so that a word is found inside a sentence.
language: the name of a configuration: english, german, simple, …; one of another schema than pg_catalog is named with its schema. NULL content gives NULL. A word of more than 2,047 bytes is left out, and so is the end of a text of more words than a tsvector holds (1 MB).
The same in every database and locale, so a generated column may hold it. A question is taken apart with it too.
Errors: 22004 if language is NULL; 42704 if there is no such configuration; 42501 for its schema; 0A000 in a database that is not in UTF8.';
COMMENT ON FUNCTION kepler.touch_memories(text[],text) IS 'Records that memories were used, as a search with touch does: the time, and one more hit; and memories with a ttl live on, if the caller may change them. At most once a minute for each memory. Memories that another transaction is recording are skipped, and under REPEATABLE READ those that others have recorded, extended or deleted since the snapshot; a read-only or SERIALIZABLE transaction records nothing. Returns the number of recorded memories.
memory_ids: values of kepler.memories.id.
Errors: 55000 before install(); 22004 for arguments; 42501 without the right to read, and for a workspace that is not the session''s; 23503 for an unknown workspace.';
CREATE FUNCTION kepler.undistribute()
 RETURNS TABLE(relation regclass, outcome text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    shared regclass[];
    foreign_keys jsonb;
    key record;
    numbered record;
    column_names text;
    last bigint;
    own text;
    views jsonb;
    of_replicas text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_cluster_owner();
    SELECT array_agg(t.relation ORDER BY t.relation::text) INTO shared FROM kepler_internal.cluster_tables() AS t
    WHERE kepler_internal.lies_now(t.relation) IS NOT NULL;
    IF shared IS NULL THEN RETURN; END IF;
    views := kepler_internal.former_views();
    -- Rows that come back are no news for the triggers of their tables.
    PERFORM set_config('session_replication_role', 'replica', true),
        set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true),
        set_config('citus.enable_local_reference_table_foreign_keys', 'off', true);
    SELECT jsonb_agg(jsonb_build_object('relation', k.conrelid::regclass::text, 'name', k.conname,
        'definition', pg_get_constraintdef(k.oid) || CASE WHEN e.column_name IS NULL THEN '' ELSE format(' ON DELETE SET NULL (%I)', e.column_name) END))
    INTO foreign_keys
    FROM pg_constraint AS k
    LEFT JOIN kepler_internal.emptied_references() AS e ON e.relation = k.conrelid AND e.name = k.conname
    WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY (shared) OR k.confrelid = ANY (shared));
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.relation, key.name);
    END LOOP;
    DROP TRIGGER IF EXISTS empty_references ON kepler.users;
    DROP TRIGGER IF EXISTS empty_references ON kepler.entities;
    -- The rows come back into the table that they were distributed from, with all that it has. What Citus knew of it goes, as it
    -- does when a table is dropped.
    FOR key IN
        SELECT t.relation, n.nspname, c.relname FROM unnest(shared) AS t (relation)
        JOIN pg_class AS c ON c.oid = t.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LOOP
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO column_names FROM pg_attribute AS a
        WHERE a.attrelid = key.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format('CREATE TEMP TABLE came_back ON COMMIT DROP AS SELECT %s FROM %s', column_names, key.relation);
        -- Its partitions first.
        FOR numbered IN
            SELECT t.relid AS relation, n.nspname, c.relname
            FROM pg_partition_tree(key.relation) AS t JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            UNION SELECT key.relation, key.nspname, key.relname
            ORDER BY 1 DESC
        LOOP
            EXECUTE 'SELECT master_remove_distributed_table_metadata_from_workers($1, $2, $3)'
                USING numbered.relation, numbered.nspname, numbered.relname;
            EXECUTE 'SELECT citus_drop_all_shards($1, $2, $3, drop_shards_metadata_only => false)'
                USING numbered.relation, numbered.nspname, numbered.relname;
            EXECUTE 'SELECT master_remove_partition_metadata($1, $2, $3)' USING numbered.relation, numbered.nspname, numbered.relname;
        END LOOP;
        -- Nor for those that fire for what a subscription applies.
        of_replicas := ARRAY(SELECT g.tgname FROM pg_trigger AS g
            WHERE g.tgrelid = key.relation AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled = 'R');
        FOREACH own IN ARRAY of_replicas LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', key.relation, own);
        END LOOP;
        EXECUTE format('DELETE FROM %s', key.relation);
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM pg_temp.came_back', key.relation, column_names);
        DROP TABLE pg_temp.came_back;
        FOREACH own IN ARRAY of_replicas LOOP
            EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', key.relation, own);
        END LOOP;
        FOR numbered IN
            SELECT a.attname, pg_get_serial_sequence(key.relation::text, a.attname) AS sequence
            FROM pg_attribute AS a WHERE a.attrelid = key.relation AND a.attidentity <> ''
        LOOP
            EXECUTE format('SELECT max(%I) FROM %s', numbered.attname, key.relation) INTO last;
            IF last IS NOT NULL THEN PERFORM setval(numbered.sequence, greatest(last, nextval(numbered.sequence))); END IF;
        END LOOP;
    END LOOP;
    FOR key IN SELECT * FROM jsonb_to_recordset(foreign_keys) AS f (relation text, name text, definition text) LOOP
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', key.relation, key.name, key.definition);
    END LOOP;
    -- Triggers that would tell Citus of it do not fire here.
    FOREACH own IN ARRAY ARRAY['parts', 'two_phase'] LOOP
        EXECUTE 'SELECT master_remove_distributed_table_metadata_from_workers($1, ''kepler'', $2),
            citus_drop_all_shards($1, ''kepler'', $2, drop_shards_metadata_only => false),
            master_remove_partition_metadata($1, ''kepler'', $2)' USING format('kepler.%I', own)::regclass, own;
        EXECUTE format('DROP TABLE kepler.%I', own);
    END LOOP;
    PERFORM kepler_internal.guard_inbox(false);
    PERFORM kepler_internal.watch_levels(false);
    PERFORM kepler_internal.begin_feed_anew();
    PERFORM kepler_internal.begin_history_anew(shared);
    PERFORM set_config('session_replication_role', 'origin', true);
    PERFORM kepler_internal.turn_views(views);
    RETURN QUERY SELECT s.relation, 'undistributed' FROM unnest(shared) AS s (relation);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler.undistribute() FROM PUBLIC;
COMMENT ON FUNCTION kepler.undistribute() IS 'Brings all rows back to the coordinator, into the tables that they were distributed from, in one transaction. Nobody can work with them meanwhile. What the other nodes kept for themselves, the feed and the history of their workspaces, stays there.
Outcomes: undistributed (nothing where nothing is distributed).
For a superuser who owns Kepler''s tables.
Errors: 55000 before install(); 42501 for other callers.';
CREATE FUNCTION kepler.uninstall(with_rows boolean DEFAULT false, options jsonb DEFAULT NULL::jsonb)
 RETURNS TABLE(kind text, object text, outcome text, hint text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'uninstall_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.uninstall(boolean,jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler.uninstall(boolean,jsonb) IS 'Drops Kepler''s tables, entry tables, embedding tables and the tables of blueprints, and the triggers that track put on other tables, in one transaction. Tables and enums that a blueprint has adopted stay: they were there before. DROP EXTENSION kepler; DROP SCHEMA kepler; then take the rest, and nothing is left. Nothing is dropped with CASCADE. It can be repeated.
with_rows: true also where the tables hold rows, which are deleted with them.
options: {"lock_timeout_ms": 500, "lock_attempts": 10} is how long and how often the function tries for the locks.
Returns one row for each object. hint: what to do about an object that is kept, as a statement where one does.
Outcomes: dropped, kept (not Kepler''s to drop, or dropped by another command).
Errors: 2BP01 if something of somebody else''s rests on Kepler''s tables or on the extension (a view, a foreign key, a default, a policy, a subscription, …), with all of it in DETAIL; 55000 if the tables hold rows, if they are newer than the library, and in a transaction that is not READ COMMITTED; 55P03 if a table is in use, or another session runs install() or uninstall(); 40001 if tables were made meanwhile; 22004 and 22023 for arguments; 42501 for callers other than the owner of the tables and superusers.';
CREATE FUNCTION kepler.uninstall_report()
 RETURNS TABLE(kind text, object text, rows bigint, outcome text, hint text)
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'uninstall_report_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.uninstall_report() FROM PUBLIC;
COMMENT ON FUNCTION kepler.uninstall_report() IS 'Shows what uninstall would drop and keep, and what is in its way, without doing anything. Returns one row for each object.
rows: how many a table holds, counted now. hint: a statement that takes an object out of the way, where there is a short one, or what to do about an object that is kept.
Outcomes: dropped, blocks (somebody else''s object, which rests on Kepler''s), kept.
Errors: 42501 for callers other than the owner of the tables and superusers.';
CREATE FUNCTION kepler.update_memory(memory_id text, content jsonb, embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, metadata jsonb DEFAULT NULL::jsonb, relevance_score double precision DEFAULT NULL::double precision, context_type text DEFAULT NULL::text, namespace text DEFAULT NULL::text, key text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, ttl interval DEFAULT NULL::interval, user_id text DEFAULT '*'::text, space text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text)
 RETURNS text
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'update_memory_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.update_memory(text,jsonb,@extschema:vector@.vector,jsonb,double precision,text,text,text,timestamp with time zone,interval,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.update_memory(text,jsonb,@extschema:vector@.vector,jsonb,double precision,text,text,text,timestamp with time zone,interval,text,text,text) IS 'Changes a memory. What is NULL stays as it is.
memory_id: a value of kepler.memories.id. content: a text, or a JSON object or array as jsonb; another content deletes the embeddings in all spaces, but for the one that is given. embedding: by the model of the space; space: by default the one that the workspace searches.
metadata: a merge patch (RFC 7386): members replace those that are stored, and null removes one. relevance_score, context_type, namespace, key: the new ones. expires_at: infinity means never, and ends a ttl. ttl: the memory then lives so long from now on, unless expires_at is given, and so long after each read with touch.
user_id: whose memory it must be: * is anybody''s in the workspace, NULL one of no user; another''s memory is not_found.
Outcomes: updated, unchanged (it says so already), not_found (expired and superseded memories are not there either).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 23505 if another memory has the key; 42704 for the space; 54000 if the metadata would be too large.';
CREATE FUNCTION kepler.update_memory(memory_id text, content text DEFAULT NULL::text, embedding @extschema:vector@.vector DEFAULT NULL::@extschema:vector@.vector, metadata jsonb DEFAULT NULL::jsonb, relevance_score double precision DEFAULT NULL::double precision, context_type text DEFAULT NULL::text, namespace text DEFAULT NULL::text, key text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, ttl interval DEFAULT NULL::interval, user_id text DEFAULT '*'::text, space text DEFAULT NULL::text, workspace_id text DEFAULT kepler.current_workspace_id(), OUT outcome text)
 RETURNS text
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'update_memory_wrapper';
REVOKE EXECUTE ON FUNCTION kepler.update_memory(text,text,@extschema:vector@.vector,jsonb,double precision,text,text,text,timestamp with time zone,interval,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler.update_memory(text,text,@extschema:vector@.vector,jsonb,double precision,text,text,text,timestamp with time zone,interval,text,text,text) IS 'Changes a memory. What is NULL stays as it is.
memory_id: a value of kepler.memories.id. content: a text, or a JSON object or array as jsonb; another content deletes the embeddings in all spaces, but for the one that is given. embedding: by the model of the space; space: by default the one that the workspace searches.
metadata: a merge patch (RFC 7386): members replace those that are stored, and null removes one. relevance_score, context_type, namespace, key: the new ones. expires_at: infinity means never, and ends a ttl. ttl: the memory then lives so long from now on, unless expires_at is given, and so long after each read with touch.
user_id: whose memory it must be: * is anybody''s in the workspace, NULL one of no user; another''s memory is not_found.
Outcomes: updated, unchanged (it says so already), not_found (expired and superseded memories are not there either).
Errors: 55000 before install(); 22004 and 22023 for arguments, with all problems; 22000 for an embedding of other dimensions; 23505 if another memory has the key; 42704 for the space; 54000 if the metadata would be too large.';
COMMENT ON FUNCTION kepler.verify_history(text,text) IS 'Compares the history with its seals, and with an anchor that was kept outside: whether anything was changed, added or removed since. One row.
anchor: one that seal_history returned; NULL compares the chain with itself alone. after: an older anchor up to which the chain was verified before; NULL begins at the beginning.
problem: the first break; broken_at: when that was written. seals, sealed_rows: how many were compared; redacted_rows: how many of them were redacted (history_redactions says why). Rows behind the last seal are not compared.
For the owner of Kepler''s tables. Reads the whole of what it compares. On the coordinator of a cluster it compares what each node keeps.
Outcomes: intact (nothing was changed), broken (the history or a seal was changed; problem says where).
Errors: 55000 before install(); 22023 for what is no anchor; 42501 for other callers.';
CREATE OR REPLACE FUNCTION kepler_internal.abandon_executions(max_rows integer, workspace_id text)
 RETURNS TABLE(execution_id text, workflow_id text, user_id text, started_at timestamp with time zone, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    left_rows integer := $1;
    abandoned bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['max_rows', 'workspace_id'], ARRAY[$1::text, $2]);
    IF max_rows < 1 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be at least 1, not %s', max_rows);
    END IF;
    RETURN QUERY SELECT * FROM kepler_internal.abandon_overdue(NULL, $1, $2, 'RUNNING');
    GET DIAGNOSTICS abandoned = ROW_COUNT;
    left_rows := left_rows - abandoned;
    IF left_rows > 0 THEN
        RETURN QUERY SELECT * FROM kepler_internal.abandon_overdue(NULL, left_rows, $2, 'WAITING');
    END IF;
END
$function$;
CREATE FUNCTION kepler_internal.abandon_overdue(wanted_workflow text, max_rows integer, workspace_id text, wanted_status kepler.execution_status)
 RETURNS TABLE(execution_id text, workflow_id text, user_id text, started_at timestamp with time zone, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $3;
    found_at constant timestamptz := clock_timestamp();
    overdue text[];
    pieces int4range[];
    piece int4range;
    half integer;
    written text[];
    abandoned text[] := '{}';
    refused text[] := '{}';
    refused_before integer;
    alive text[];
    -- To move a check locks the row, and a start may stand in a long transaction, where heartbeats would wait for its
    -- end: it leaves those that are due for a check and alive where they are. They are few: heartbeats move them too.
    all_moved boolean := wanted_workflow IS NULL;
BEGIN
    LOOP
        refused_before := cardinality(refused);
        WITH due AS MATERIALIZED (
            SELECT e.id, e.deadline_at FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.status = wanted_status AND e.next_check_at < found_at
                AND (wanted_workflow IS NULL OR e.workflow_id = wanted_workflow) AND e.id <> ALL (refused)
                -- Those alive whose next check the database would not move are passed over.
                AND (all_moved OR e.deadline_at < found_at)
            ORDER BY e.next_check_at
            LIMIT max_rows - cardinality(abandoned)
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT coalesce(array_agg(d.id ORDER BY d.deadline_at) FILTER (WHERE d.deadline_at < found_at), '{}'),
            coalesce(array_agg(d.id) FILTER (WHERE d.deadline_at >= found_at), '{}')
        INTO overdue, alive FROM due AS d;
        pieces := CASE WHEN alive <> '{}' THEN ARRAY[int4range(1, cardinality(alive) + 1)] ELSE '{}' END;
        WHILE pieces <> '{}' LOOP
            piece := pieces[cardinality(pieces)];
            pieces := trim_array(pieces, 1);
            BEGIN
                WITH moved AS (
                    UPDATE kepler.executions AS e SET next_check_at = e.deadline_at, updated_at = e.updated_at
                    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (alive[lower(piece):upper(piece) - 1])
                    RETURNING e.next_check_at
                )
                SELECT all_moved AND count(*) FILTER (WHERE m.next_check_at >= found_at) = upper(piece) - lower(piece)
                INTO all_moved FROM moved AS m;
            EXCEPTION WHEN OTHERS THEN
                IF kepler_internal.is_about_session(SQLSTATE) THEN
                    RAISE;
                END IF;
                IF upper(piece) - lower(piece) = 1 THEN
                    all_moved := false;
                ELSE
                    half := (lower(piece) + upper(piece)) / 2;
                    pieces := pieces || int4range(half, upper(piece)) || int4range(lower(piece), half);
                END IF;
            END;
        END LOOP;
        pieces := CASE WHEN overdue <> '{}' THEN ARRAY[int4range(1, cardinality(overdue) + 1)] ELSE '{}' END;
        WHILE pieces <> '{}' LOOP
            piece := pieces[cardinality(pieces)];
            pieces := trim_array(pieces, 1);
            BEGIN
                WITH gone AS (
                    UPDATE kepler.executions AS e
                    SET status = 'ABANDONED', ended_at = greatest(found_at, e.started_at), updated_at = found_at
                    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (overdue[lower(piece):upper(piece) - 1])
                    RETURNING e.id
                )
                SELECT coalesce(array_agg(g.id), '{}') INTO written FROM gone AS g;
                IF cardinality(written) < upper(piece) - lower(piece) THEN
                    RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception',
                        MESSAGE = 'a trigger on kepler.executions prevented the write';
                END IF;
                abandoned := abandoned || written;
            EXCEPTION WHEN OTHERS THEN
                IF kepler_internal.is_about_session(SQLSTATE) THEN
                    RAISE;
                END IF;
                -- What is refused whatever the run, for want of a privilege, say, ends the call.
                UPDATE kepler.executions AS e SET status = e.status, ended_at = e.ended_at, updated_at = e.updated_at
                WHERE e.workspace_id = wanted_workspace AND e.id IS NULL;
                IF upper(piece) - lower(piece) = 1 THEN
                    refused := refused || overdue[lower(piece)];
                    RAISE WARNING USING ERRCODE = SQLSTATE,
                        MESSAGE = format('execution "%s" is overdue and cannot be abandoned', overdue[lower(piece)]),
                        DETAIL = SQLERRM;
                ELSE
                    half := (lower(piece) + upper(piece)) / 2;
                    pieces := pieces || int4range(half, upper(piece)) || int4range(lower(piece), half);
                END IF;
            END;
        END LOOP;
        -- Others are taken in the place of executions that were refused, or turned out to be alive.
        -- A start does not try all that are refused each time.
        EXIT WHEN (cardinality(refused) = refused_before AND alive = '{}') OR cardinality(abandoned) >= max_rows
            OR (wanted_workflow IS NOT NULL AND cardinality(refused) >= 1000);
    END LOOP;
    RETURN QUERY
    SELECT e.id, e.workflow_id, e.user_id, e.started_at, e.deadline_at FROM kepler.executions AS e
    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (abandoned)
    ORDER BY e.deadline_at, e.id;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.abandon_overdue(text,integer,text,kepler.execution_status) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.abandon_overdue(text,integer,text,kepler.execution_status) IS 'Internal: what abandon_executions and start_execution share';
CREATE FUNCTION kepler_internal.advise_indexes()
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    noted bigint;
    noted_at constant timestamptz := clock_timestamp();
BEGIN
    INSERT INTO kepler.maintenance AS m (step, object, outcome, last_started_at, last_succeeded_at, last_duration, advice)
    SELECT 'advise_indexes', format('%s.%I', a.table_name, a.column_name), 'finished', noted_at, noted_at, interval '0', a.statement
    FROM kepler_internal.index_advice(NULL) AS a WHERE a.advice <> 'none'
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = excluded.last_started_at, last_succeeded_at = excluded.last_succeeded_at,
        advice = excluded.advice;
    GET DIAGNOSTICS noted = ROW_COUNT;
    DELETE FROM kepler.maintenance AS m
    WHERE m.workspace_id = '' AND m.step = 'advise_indexes' AND m.object <> '' AND m.last_started_at < noted_at;
    RETURN noted;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.advise_indexes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.advise_indexes() IS 'Internal: notes what index_advice proposes';
CREATE FUNCTION kepler_internal.apply_retention(policy_id bigint, max_rows integer)
 RETURNS bigint
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'apply_retention_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.apply_retention(bigint,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.apply_retention(bigint,integer) IS 'Internal: one batch of a policy; gives how many rows went, or were looked at where none went, and 0 when nothing is left';
CREATE FUNCTION kepler_internal.apply_retention_of_part(policy_id bigint, max_rows bigint, behind timestamp with time zone, from_block bigint, part_of text, OUT deleted bigint, OUT kept bigint, OUT looked_at bigint, OUT has_ended boolean, OUT after timestamp with time zone, OUT block bigint)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'apply_retention_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.apply_retention_of_part(bigint,bigint,timestamp with time zone,bigint,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.apply_retention_of_part(bigint,bigint,timestamp with time zone,bigint,text) IS 'Internal: a batch of a policy of retention in a part of a cluster';
CREATE OR REPLACE FUNCTION kepler_internal.archived_columns(relation regclass, tenant_column text, OUT name text, OUT type oid, OUT type_name text, OUT kind "char")
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
SELECT a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod), t.typtype
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND a.attname IS DISTINCT FROM tenant_column::name
    -- A trigger makes the words anew.
    AND NOT (a.attname = 'text_search' AND a.attrelid IN ('kepler.memories'::regclass, 'kepler.messages'::regclass))
ORDER BY a.attname::text COLLATE "C"
$function$;
CREATE FUNCTION kepler_internal.asks_parts(view_name text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT pg_get_viewdef(format('kepler.%I', view_name)::regclass) ~ 'kepler_internal\.view_rows_in_parts' $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.asks_parts(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.asks_parts(text) IS 'Internal: whether a view asks the parts';
CREATE FUNCTION kepler_internal.begin_feed_anew()
 RETURNS void
 LANGUAGE c
 STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'begin_feed_anew_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.begin_feed_anew() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.begin_feed_anew() IS 'Internal: has all consumers of the feed begin anew';
CREATE FUNCTION kepler_internal.begin_history_anew(relations regclass[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    UPDATE kepler.tracked_tables AS t SET tracked_at = clock_timestamp()
    WHERE t.level = 'history' AND t.untracked_at IS NULL AND to_regclass(t.name) = ANY (relations);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.begin_history_anew(regclass[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.begin_history_anew(regclass[]) IS 'Internal: has the history of tables begin now';
CREATE OR REPLACE FUNCTION kepler_internal.begin_import(head text, definitions text[], numbers bigint[], workspace_id text)
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    archive constant jsonb := head::jsonb;
    definition jsonb;
    existing record;
    to_finish text[] := '{}';
    made oid[] := '{}';
    problem text;
    other_languages constant text[] := ARRAY(SELECT jsonb_array_elements_text(archive #> '{workspace,other_languages}'));
    -- All rows get words of now.
    former_languages constant text[] := ARRAY(
        SELECT f.name FROM jsonb_array_elements_text(archive #> '{workspace,former_languages}') AS f (name) WHERE f.name <> '');
BEGIN
    PERFORM kepler_internal.require_empty_workspace(workspace_id);
    INSERT INTO kepler.workspaces AS w (id, name, created_at, updated_at, language, other_languages, former_languages)
    VALUES (workspace_id, archive #>> '{workspace,name}', (archive #>> '{workspace,created_at}')::timestamptz,
        (archive #>> '{workspace,updated_at}')::timestamptz, coalesce(archive #>> '{workspace,language}', 'english'),
        other_languages, former_languages)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, created_at = excluded.created_at, updated_at = excluded.updated_at, language = excluded.language,
        other_languages = excluded.other_languages, former_languages = excluded.former_languages;
    FOR definition IN
        SELECT d.definition::jsonb -> 'embedding_space' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'embedding_space'
    LOOP
        PERFORM kepler_internal.try_definition('embedding_space', definition, NULL, workspace_id);
    END LOOP;
    UPDATE kepler.workspaces AS w
    SET embedding_space = archive #>> '{workspace,embedding_space}', updated_at = (archive #>> '{workspace,updated_at}')::timestamptz
    WHERE w.id = workspace_id AND archive #>> '{workspace,embedding_space}' IS NOT NULL;
    FOR definition IN
        SELECT d.definition::jsonb -> 'blueprint' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'blueprint'
    LOOP
        made := made || kepler_internal.try_definition('blueprint', definition, NULL, workspace_id);
    END LOOP;
    made := made || kepler_internal.import_entry_tables(ARRAY(
        SELECT d.definition::jsonb -> 'entry_table' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'entry_table'), workspace_id);
    -- Rows may refer to rows that come later, also in circles.
    FOR existing IN
        SELECT f.conrelid::regclass AS relation, f.conname AS name, pg_get_constraintdef(f.oid) AS definition
        FROM pg_constraint AS f
        WHERE f.conrelid = ANY (made) AND f.contype = 'f' AND f.confrelid = ANY (made)
        ORDER BY f.conrelid, f.conname
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', existing.relation, existing.name);
        to_finish := to_finish || format('ALTER TABLE %s ADD CONSTRAINT %I %s', existing.relation, existing.name, existing.definition);
    END LOOP;
    SELECT string_agg(CASE
            WHEN r.key IS NULL THEN format('%s: there is no such table.', t ->> 'table')
            WHEN c.missing IS NOT NULL THEN format('%s: %s has no column %s.', t ->> 'table', r.relation, c.missing) END, ' ')
    INTO problem
    FROM jsonb_array_elements(archive -> 'tables') AS t
    LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = t ->> 'table' AND r.left_out IS NULL
    LEFT JOIN LATERAL (
        SELECT string_agg(n.name, ', ') AS missing FROM jsonb_array_elements_text(t -> 'columns') AS n (name)
        WHERE n.name NOT IN (SELECT a.name FROM kepler_internal.archived_columns(r.relation, r.tenant_column) AS a)
    ) AS c ON r.key IS NOT NULL;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the archive holds what this database has no place for',
            DETAIL = problem || ' Nothing was imported.',
            HINT = 'Import into a database with the same version of Kepler, or a later one, and the same blueprints.';
    END IF;
    RETURN to_finish;
END
$function$;
CREATE FUNCTION kepler_internal.begin_maintenance(step text, workspace_id text, object text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO kepler.maintenance AS m (workspace_id, step, object, outcome, last_started_at)
    VALUES ($2, $1, $3, 'started', clock_timestamp())
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = excluded.last_started_at;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.begin_maintenance(text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.begin_maintenance(text,text,text) IS 'Internal: notes that a step begins with an object';
CREATE FUNCTION kepler_internal.begin_retention(budget interval)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    began constant timestamptz := clock_timestamp();
BEGIN
    IF budget IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "budget" must not be NULL';
    ELSIF budget <= interval '0' OR budget > interval '30 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "budget" must be longer than nothing, and at most 30 days';
    END IF;
    RETURN jsonb_build_object('began_at', began, 'ends_at', began + budget, 'at', 0, 'open', kepler_internal.open_retention(began));
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.begin_retention(interval) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.begin_retention(interval) IS 'Internal: begins run_retention';
CREATE FUNCTION kepler_internal.change_workspace()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    present constant text[] := NEW.other_languages || NEW.language;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM kepler_internal.require_language(n.name) FROM unnest(present) AS n (name) WHERE n.name <> 'english';
        RETURN NEW;
    END IF;
    IF NEW.language <> OLD.language OR NEW.other_languages <> OLD.other_languages THEN
        PERFORM kepler_internal.require_language(n.name)
        FROM unnest(present) AS n (name) WHERE n.name <> ALL (OLD.other_languages || OLD.language);
        NEW.former_languages := ARRAY(
            SELECT DISTINCT n.name FROM unnest(NEW.former_languages || OLD.other_languages || OLD.language) AS n (name)
            WHERE n.name <> ALL (present) ORDER BY 1);
        NEW.language_set_at := clock_timestamp();
        NEW.words_place := NULL;
    ELSIF NEW.former_languages <> OLD.former_languages OR NEW.words_place IS DISTINCT FROM OLD.words_place THEN
        RETURN NEW;
    END IF;
    IF NEW.updated_at = OLD.updated_at AND NEW OPERATOR(pg_catalog.*<>) OLD THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.change_workspace() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.change_workspace() IS 'Trigger: checks the languages of a workspace, notes those that go, and moves updated_at on';
CREATE FUNCTION kepler_internal.changes_of_part(cursor text, max_rows integer, relation text, entity_type text, consumer text, workspace_id text)
 RETURNS TABLE(reached text, relation_name text, row_id text, type text, operation text, sequence bigint, created_at timestamp with time zone, coordinator text, acknowledged_at text)
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'changes_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.changes_of_part(text,integer,text,text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.changes_of_part(text,integer,text,text,text,text) IS 'Internal: changes_since in the feed of the node where the workspace lies; before the changes a row of where they begin';
CREATE FUNCTION kepler_internal.check_caller_token(token text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF octet_length(token) NOT BETWEEN 16 AND 500 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "caller_token" must have 16 to 500 bytes',
            HINT = 'Make it random, for instance with gen_random_uuid().';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.check_caller_token(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.check_caller_token(text) IS 'Internal: fails with 22023 for a token that could be guessed';
CREATE FUNCTION kepler_internal.cluster_tables(OUT relation regclass, OUT lies text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT c.oid::regclass, CASE
        WHEN c.relname IN ('workspaces', 'embedding_spaces', 'tracked_tables', 'retention_policies') THEN 'everywhere'
        -- They note what is done on a node; roles have other numbers on each.
        WHEN kepler_internal.each_node_has(c.relname) THEN 'node'
        -- Tables that are made while the cluster works are made on the coordinator.
        WHEN c.relname IN ('blueprints', 'blueprint_versions', 'blueprint_tables', 'blueprint_enums', 'entry_tables',
            'structures', 'hidden_fields', 'maintenance') THEN 'coordinator'
        ELSE 'by workspace'
    END
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND (c.relnamespace = to_regnamespace('kepler') AND c.relname !~ '_[0-9]+$' AND c.relname NOT IN ('parts', 'two_phase')
            OR c.relnamespace = to_regnamespace('kepler_data') AND c.relname::text IN (
                SELECT t.name FROM kepler.embedding_spaces AS s
                CROSS JOIN LATERAL unnest(ARRAY[s.memory_table_name, s.message_table_name]) AS t (name)))
        AND c.relowner = (SELECT w.relowner FROM pg_class AS w WHERE w.oid = to_regclass('kepler.workspaces'))
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.cluster_tables() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.cluster_tables() IS 'Internal: how each table is to lie in a cluster';
CREATE FUNCTION kepler_internal.complete_node(definitions jsonb, options jsonb, part_of text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    view record;
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR view IN SELECT d.name, d.definition FROM jsonb_each_text(definitions) AS d (name, definition) LOOP
        IF to_regclass(format('kepler.%I', view.name)) IS NULL THEN
            EXECUTE format('CREATE VIEW kepler.%I %s AS %s', view.name, options ->> view.name, view.definition);
            IF view.name LIKE 'stat\_%' THEN EXECUTE format('GRANT SELECT ON kepler.%I TO pg_monitor', view.name); END IF;
        END IF;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.complete_node(jsonb,jsonb,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.complete_node(jsonb,jsonb,text) IS 'Internal: gives a node of a cluster the views that it lacks';
CREATE FUNCTION kepler_internal.complete_nodes()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    key text;
    definitions jsonb;
    options jsonb;
BEGIN
    SELECT jsonb_object_agg(c.relname, pg_get_viewdef(c.oid)),
        jsonb_object_agg(c.relname, coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', ''))
    INTO definitions, options
    FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'v';
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        -- The library must be there before the statement that is sent.
        EXECUTE format('SELECT kepler.cuid() FROM (SELECT count(*) FROM kepler.parts AS p WHERE p.workspace_id = %L) AS n OFFSET 0', key);
    END LOOP;
    -- What asks the parts here reads, on nodes, what it read before.
    definitions := definitions || kepler_internal.former_views();
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        PERFORM kepler_internal.complete_node(definitions, options, key);
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.complete_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.complete_nodes() IS 'Internal: the same for all nodes with parts';
CREATE FUNCTION kepler_internal.consumer_lag_of_part(workspace_id text)
 RETURNS TABLE(consumer text, waiting integer, oldest_at timestamp with time zone, acknowledged_at timestamp with time zone, problem text, coordinator text)
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'consumer_lag_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.consumer_lag_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.consumer_lag_of_part(text) IS 'Internal: how far the consumers of a workspace are behind in the feed of the node where it lies, and where they stand in the one of the coordinator';
CREATE FUNCTION kepler_internal.continue_numbers(workspace_id text, in_part boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    highest bigint;
BEGIN
    FOR part IN
        SELECT r.relation, r.tenant_column, n.column_name, n.sequence, n.last, n.most
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        CROSS JOIN LATERAL kepler_internal.numbered_columns(r.relation) AS n
        WHERE r.left_out IS NULL
            AND (in_part IS NULL OR coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part)
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT max(%I)::bigint FROM %2$s WHERE %1$I <= $2%3$s', part.column_name, part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' AND %I = $1', part.tenant_column) END)
            INTO highest USING workspace_id, part.most;
        -- Of a shared table others may take numbers meanwhile: with room, so that none is given twice.
        IF highest > part.last THEN
            PERFORM setval(part.sequence, least(part.most,
                highest::numeric + CASE WHEN part.tenant_column IS NOT NULL THEN 1000 ELSE 0 END)::bigint);
        END IF;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.continue_numbers(text,boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.continue_numbers(text,boolean) IS 'Internal: has sequences go on behind imported numbers';
CREATE FUNCTION kepler_internal.continue_numbers_of_part(workspace_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ BEGIN PERFORM kepler_internal.continue_numbers(workspace_id, true); END $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.continue_numbers_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.continue_numbers_of_part(text) IS 'Internal: the same in the part of the workspace';
CREATE OR REPLACE FUNCTION kepler_internal.create_embedding_tables(space text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    listed record;
    relation regclass;
    table_name constant text := space || '_embeddings';
    message_table_name constant text := space || '_message_embeddings';
BEGIN
    SELECT s.name, s.dimensions, s.metric::text AS metric, s.model INTO listed
    FROM kepler.embedding_spaces AS s WHERE s.name = space;
    IF NOT FOUND THEN RETURN; END IF;
    IF to_regclass(format('kepler_data.%I', table_name)) IS NULL THEN
        relation := kepler_internal.create_embedding_table(
            table_name, 'memory_id', 'kepler.memories', listed.dimensions, listed.metric,
            format('Embeddings of kepler.memories in the space %s, made by %s', listed.name, listed.model));
        -- Whose they are, and by that the scope of a search.
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN user_id text, ADD COLUMN context_type text NOT NULL', relation);
        EXECUTE format('CREATE INDEX ON %s (workspace_id, user_id, context_type)', relation);
        EXECUTE format(
            'CREATE TRIGGER complete BEFORE INSERT ON %s
                FOR EACH ROW WHEN (NEW.context_type IS NULL)
                EXECUTE FUNCTION kepler_internal.complete_embedding()', relation);
        PERFORM kepler_internal.distribute_table(relation);
    END IF;
    IF to_regclass(format('kepler_data.%I', message_table_name)) IS NULL THEN
        relation := kepler_internal.create_embedding_table(
            message_table_name, 'message_id', 'kepler.messages', listed.dimensions, listed.metric,
            format('Embeddings of kepler.messages in the space %s, made by %s', listed.name, listed.model));
        PERFORM kepler_internal.distribute_table(relation);
    END IF;
END
$function$;
CREATE OR REPLACE FUNCTION kepler_internal.delete_workspace_part(workspace_id text, max_rows integer, place jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    listed record;
    next_place jsonb;
    redacted bigint;
    is_distributed constant boolean := kepler_internal.is_distributed();
BEGIN
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id AND w.deleting_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT b.name INTO listed FROM kepler.blueprints AS b WHERE b.workspace_id = workspace_id ORDER BY b.name LIMIT 1;
    IF FOUND THEN
        PERFORM kepler.drop_blueprint(listed.name, '{"with_rows": true}');
        RETURN '{}';
    END IF;
    SELECT e.id, e.table_name INTO listed FROM kepler.entry_tables AS e
    WHERE e.workspace_id = workspace_id ORDER BY e.id LIMIT 1;
    IF FOUND THEN
        PERFORM kepler_internal.delete_entry_table(workspace_id, listed.id, listed.table_name);
        RETURN '{}';
    END IF;
    next_place := CASE WHEN is_distributed THEN kepler_internal.delete_workspace_rows_in_parts(workspace_id, max_rows, place)
        ELSE kepler_internal.delete_workspace_rows(workspace_id, max_rows, place, NULL) END;
    IF next_place IS NOT NULL THEN
        RETURN next_place;
    END IF;
    redacted := kepler_internal.redact_history(workspace_id, 'the workspace was deleted', max_rows => max_rows);
    IF redacted = 0 AND is_distributed THEN
        redacted := kepler_internal.redact_history_in_parts(workspace_id, 'the workspace was deleted', max_rows);
    END IF;
    IF redacted > 0 THEN
        RETURN '{}';
    END IF;
    BEGIN
        DELETE FROM kepler.workspaces AS w WHERE w.id = workspace_id;
    EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
        -- Rows that were written behind this round; or what refers to it is nobody that is known here.
        IF place ? 'is_last' THEN
            RAISE;
        END IF;
        RETURN '{"is_last": true}';
    END;
    RETURN NULL;
END
$function$;
CREATE FUNCTION kepler_internal.delete_workspace_rows(workspace_id text, max_rows integer, place jsonb, in_part boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    left_rows integer := max_rows;
    met bigint;
    last text[];
    after text[] := CASE WHEN place ? 'after' THEN ARRAY(SELECT jsonb_array_elements_text(place -> 'after')) END;
    is_found boolean := coalesce((place ->> 'is_found')::boolean, false);
    is_reached boolean := place -> 'relation' IS NULL;
BEGIN
    -- What refers to others first.
    FOR part IN
        SELECT r.kind, p.relid AS relation, r.tenant_column
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        CROSS JOIN LATERAL (
            SELECT r.relation AS relid
            WHERE NOT EXISTS (SELECT FROM pg_partitioned_table AS y WHERE y.partrelid = r.relation)
            UNION ALL
            SELECT t.relid FROM pg_partition_tree(r.relation) AS t WHERE t.isleaf
        ) AS p
        -- The rows of the history stay, without what they tell: its seals are over all workspaces.
        WHERE r.key NOT LIKE 'kepler.history%'
            AND CASE WHEN in_part THEN kepler_internal.lies_now(r.relation) IS DISTINCT FROM 'everywhere'
                WHEN NOT in_part THEN kepler_internal.lies_now(r.relation) IS NULL ELSE true END
        ORDER BY r.left_out IS NOT NULL, r.position DESC, p.relid::oid
    LOOP
        is_reached := is_reached OR part.relation::text = place ->> 'relation';
        CONTINUE WHEN NOT is_reached;
        LOOP
            BEGIN
                SELECT d.met, d.last INTO met, last
                FROM kepler_internal.delete_rows(part.relation, part.tenant_column, workspace_id, left_rows, after) AS d;
            EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
                IF part.kind <> 'blueprint table' THEN
                    RAISE;
                END IF;
                PERFORM kepler_internal.delete_circles(workspace_id);
                is_found := true;
                met := 0;
            END;
            is_found := is_found OR met > 0;
            EXIT WHEN met < left_rows;
            RETURN jsonb_build_object('relation', part.relation::text, 'is_found', true)
                || CASE WHEN last IS NULL THEN '{}' ELSE jsonb_build_object('after', to_jsonb(last)) END;
        END LOOP;
        left_rows := left_rows - met;
        after := NULL;
    END LOOP;
    RETURN CASE WHEN is_found OR NOT is_reached THEN '{}'::jsonb END;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.delete_workspace_rows(text,integer,jsonb,boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows(text,integer,jsonb,boolean) IS 'Internal: deletes rows of a workspace from its tables';
CREATE FUNCTION kepler_internal.delete_workspace_rows_in_parts(workspace_id text, max_rows integer, place jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    keys text[] := ARRAY(SELECT workspace_id UNION ALL SELECT k FROM kepler_internal.node_keys() AS k);
    at integer := coalesce((place ->> 'at')::integer, 1);
    next_place jsonb;
BEGIN
    LOOP
        next_place := CASE
            WHEN at <= cardinality(keys) THEN
                kepler_internal.delete_workspace_rows_of_part(workspace_id, max_rows, place::text, keys[at])::jsonb
            ELSE kepler_internal.delete_workspace_rows(workspace_id, max_rows, place, false) END;
        IF next_place IS NOT NULL THEN
            RETURN next_place || jsonb_build_object('at', at);
        END IF;
        EXIT WHEN at > cardinality(keys);
        at := at + 1;
        place := '{}';
    END LOOP;
    DELETE FROM kepler.retention_policies AS p WHERE p.workspace_id = workspace_id;
    DELETE FROM kepler.tracked_tables AS t WHERE t.workspace_id = workspace_id;
    RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.delete_workspace_rows_in_parts(text,integer,jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows_in_parts(text,integer,jsonb) IS 'Internal: the same on all nodes of a cluster';
CREATE FUNCTION kepler_internal.delete_workspace_rows_of_part(workspace_id text, max_rows integer, place text, part_of text)
 RETURNS text
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'delete_workspace_rows_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.delete_workspace_rows_of_part(text,integer,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.delete_workspace_rows_of_part(text,integer,text,text) IS 'Internal: the same in a part of a cluster';
CREATE FUNCTION kepler_internal.deleted_along(relation oid, max_depth integer)
 RETURNS TABLE(relation oid, joined text, is_endless boolean, depth integer, seen oid[])
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    WITH RECURSIVE reached (relation) AS (
        SELECT $1
        UNION
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)
        FROM reached AS r
        CROSS JOIN LATERAL kepler_internal.references_to(r.relation) AS c (id)
        JOIN pg_constraint AS k ON k.oid = c.id AND k.confdeltype = 'c'
    ), declared (relation) AS MATERIALIZED (
        SELECT r.relation FROM reached AS r
        WHERE EXISTS (SELECT FROM kepler_internal.references_to($1))
            AND EXISTS (SELECT FROM kepler_internal.retention_floors(r.relation))
    ), holding (relation) AS (
        -- The tables from which one with a floor is reached.
        SELECT d.relation FROM declared AS d
        UNION
        SELECT t.relation
        FROM holding AS l
        CROSS JOIN LATERAL (SELECT l.relation UNION SELECT t.relid FROM pg_partition_tree(l.relation) AS t) AS p (relation)
        JOIN pg_constraint AS k ON k.conrelid = p.relation AND k.contype = 'f' AND k.confdeltype = 'c' AND k.conparentid = 0
        CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid)) AS t (relation)
        WHERE t.relation IN (SELECT r.relation FROM reached AS r)
    ), ways (relation, seen, joined, conditions, is_circle, depth) AS (
        SELECT $1, ARRAY[$1], NULL::text, NULL::text, false, 0
        UNION ALL
        SELECT c.relation, w.seen || c.relation,
            concat_ws(', ', w.joined, format('%s AS t%s', c.relation::regclass, w.depth + 1)),
            concat_ws(' AND ', w.conditions, kepler_internal.reference_condition(k.oid,
                CASE WHEN w.depth = 0 THEN 'e' ELSE format('t%s', w.depth) END, format('t%s', w.depth + 1))),
            c.relation = ANY (w.seen), w.depth + 1
        FROM ways AS w
        JOIN pg_constraint AS k ON k.oid IN (SELECT kepler_internal.references_to(w.relation)) AND k.confdeltype = 'c'
        CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)) AS c (relation)
        WHERE NOT w.is_circle AND w.depth < max_depth AND c.relation IN (SELECT l.relation FROM holding AS l)
    )
    SELECT w.relation, w.joined || ' WHERE ' || w.conditions, w.is_circle OR w.depth = max_depth, w.depth, w.seen
    FROM ways AS w
    WHERE w.depth > 0 AND (w.is_circle OR w.depth = max_depth OR w.relation IN (SELECT d.relation FROM declared AS d))
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.deleted_along(oid,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.deleted_along(oid,integer) IS 'Internal: the tables with floors whose rows would be deleted along with rows of a table';
CREATE FUNCTION kepler_internal.described_tables()
 RETURNS TABLE(kind text, table_name text, name text, definition text)
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'postgres'
 SET "TimeZone" TO 'UTC'
 SET extra_float_digits TO '1'
 SET standard_conforming_strings TO 'on'
 SET quote_all_identifiers TO 'off'
AS $function$
WITH tables AS (
    SELECT c.oid, c.relname::text AS table_name, c.relkind, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('kepler') AND c.relkind IN ('r', 'p', 'v')
        AND c.relname !~ '_[0-9]{8}$'
)
SELECT CASE t.relkind WHEN 'v' THEN 'view' ELSE 'table' END, t.table_name, NULL,
    CASE t.relkind WHEN 'p' THEN 'partitioned' WHEN 'v' THEN '' ELSE 'plain' END
FROM tables AS t
UNION ALL
SELECT 'row security', t.table_name, NULL, CASE WHEN t.relforcerowsecurity THEN 'forced' ELSE 'on' END
FROM tables AS t WHERE t.relrowsecurity
UNION ALL
SELECT 'column', t.table_name, a.attname::text, concat(
    format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> y.typcollation THEN format(' COLLATE %s', a.attcollation::regcollation) END,
    -- Partitions have that of the whole, as of Postgres 17.
    CASE WHEN NOT (SELECT c.relispartition FROM pg_class AS c WHERE c.oid = t.oid) THEN
        CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY' END END,
    CASE WHEN a.attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(d.adbin, d.adrelid)) END)
FROM tables AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.relkind <> 'v'
UNION ALL
SELECT 'default', t.table_name, a.attname::text, pg_get_expr(d.adbin, d.adrelid)
FROM tables AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'not null', t.table_name, a.attname::text, ''
FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
UNION ALL
SELECT 'constraint', t.table_name, c.conname::text, pg_get_constraintdef(c.oid)
FROM tables AS t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x') AND c.conparentid = 0
UNION ALL
SELECT 'index', t.table_name, x.relname::text, pg_get_indexdef(i.indexrelid)
FROM tables AS t
JOIN pg_index AS i ON i.indrelid = t.oid
JOIN pg_class AS x ON x.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.conrelid = t.oid)
UNION ALL
SELECT 'trigger', t.table_name, g.tgname::text, pg_get_triggerdef(g.oid)
FROM tables AS t
JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgname !~ '^tell_(feed|history)_'
UNION ALL
SELECT 'trigger state', t.table_name, g.tgname::text,
    CASE g.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END
FROM tables AS t
JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgname !~ '^tell_(feed|history)_'
UNION ALL
SELECT 'policy', t.table_name, p.polname::text, concat(
    CASE WHEN p.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
    CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' END,
    CASE WHEN p.polroles <> '{0}' THEN ' TO ' || (
        SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY r) FROM unnest(p.polroles) AS r) END,
    format(' USING (%s)', pg_get_expr(p.polqual, p.polrelid)),
    CASE WHEN p.polwithcheck IS NOT NULL THEN format(' WITH CHECK (%s)', pg_get_expr(p.polwithcheck, p.polrelid)) END)
FROM tables AS t JOIN pg_policy AS p ON p.polrelid = t.oid
UNION ALL
SELECT 'sequence', c.relname::text, NULL, format('AS %s MAXVALUE %s', format_type(s.seqtypid, NULL), s.seqmax)
FROM pg_class AS c JOIN pg_sequence AS s ON s.seqrelid = c.oid
WHERE c.relnamespace = to_regnamespace('kepler') AND c.relkind = 'S'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.described_tables() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.described_tables() IS 'Internal: how Kepler''s tables are made, an object a row';
CREATE OR REPLACE FUNCTION kepler_internal.detach_records(connection_id text, keep boolean, max_rows integer, workspace_id text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $4;
    changed_at constant timestamptz := clock_timestamp();
    -- Joined, they would be looked for among all records of the workspace.
    entities constant text[] := ARRAY(
        SELECT e.id FROM kepler.entities AS e WHERE e.workspace_id = wanted_workspace AND e.connection_id = $1);
    ids text[];
    detached integer;
BEGIN
    ids := ARRAY(
        SELECT l.id FROM (
            SELECT r.id FROM kepler.records AS r
            WHERE r.workspace_id = wanted_workspace AND r.entity_id = ANY (entities) LIMIT $3) AS l);
    ids := ARRAY(
        SELECT r.id FROM kepler.records AS r
        WHERE r.workspace_id = wanted_workspace AND r.id = ANY (ids) AND r.entity_id = ANY (entities)
        ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C" FOR NO KEY UPDATE OF r);
    IF keep THEN
        INSERT INTO kepler.detached_records AS d
            (workspace_id, record_id, reference_id, connection_name, was_active, detached_at)
        SELECT wanted_workspace, r.id, c.reference_id, c.name, r.status = 'ACTIVE', changed_at
        FROM kepler.connections AS c, unnest(ids) AS n (id)
        CROSS JOIN LATERAL (
            SELECT x.id, x.status FROM kepler.records AS x
            WHERE x.workspace_id = wanted_workspace AND x.id = n.id LIMIT 1) AS r
        WHERE c.workspace_id = wanted_workspace AND c.id = $1
        ON CONFLICT ON CONSTRAINT detached_records_pkey DO UPDATE
        SET reference_id = excluded.reference_id, connection_name = excluded.connection_name,
            was_active = excluded.was_active, detached_at = excluded.detached_at;
    END IF;
    UPDATE kepler.records AS r
    SET entity_id = NULL, updated_at = changed_at,
        status = CASE WHEN keep THEN 'ARCHIVED' ELSE r.status END,
        deleted_at = CASE WHEN keep THEN r.deleted_at ELSE coalesce(r.deleted_at, changed_at) END
    FROM unnest(ids) AS n (id)
    WHERE r.workspace_id = wanted_workspace AND r.id = n.id;
    GET DIAGNOSTICS detached = ROW_COUNT;
    IF detached < cardinality(ids) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'triggered_action_exception',
            MESSAGE = format('only %s of %s records were written', detached, cardinality(ids)),
            HINT = 'A trigger on kepler.records prevents the write (BEFORE, returning NULL).';
    END IF;
    RETURN detached;
END
$function$;
CREATE FUNCTION kepler_internal.distribute_table(relation regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true),
        set_config('citus.enable_unsafe_triggers', 'on', true);
    EXECUTE 'SELECT create_distributed_table($1, ''workspace_id'', colocate_with => ''kepler.parts'')' USING relation;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.distribute_table(regclass) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.distribute_table(regclass) IS 'Internal: gives a new table its place in a cluster';
CREATE FUNCTION kepler_internal.distribution_problems()
 RETURNS TABLE(code text, message text, detail text, hint text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    version text;
    answer text;
    node record;
BEGIN
    SELECT e.extversion INTO version FROM pg_extension AS e WHERE e.extname = 'citus';
    IF NOT FOUND THEN
        RETURN QUERY VALUES ('55000', 'Citus is not installed in this database', NULL::text,
            'Set shared_preload_libraries = ''citus'' on every node, then CREATE EXTENSION citus; and add the nodes.');
        RETURN;
    END IF;
    IF substring(version FROM '^[0-9]+')::integer < 13 THEN
        RETURN QUERY VALUES ('0A000', format('Citus %s is too old for Kepler', version), NULL::text,
            'Citus 13 is the first that may be used; 15 is the one that was tried.');
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass AND c.relowner = current_user::regrole)
    THEN
        RETURN QUERY SELECT '42501', 'only the owner of Kepler''s tables can distribute them', NULL::text,
            format('SET ROLE %s;', (SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass));
    ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = current_user AND r.rolsuper) THEN
        RETURN QUERY VALUES ('42501', 'only a superuser can distribute Kepler''s tables',
            'Settings of the database are changed on every node.', 'Call it as a superuser who owns the tables.');
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN QUERY SELECT '55000', 'Kepler''s tables cannot be distributed in a transaction with an older snapshot', NULL::text,
            'Use the isolation level READ COMMITTED.';
    END IF;
    EXECUTE 'SELECT min(l.groupid)::text FROM pg_catalog.pg_dist_local_group AS l' INTO answer;
    IF answer <> '0' THEN
        RETURN QUERY VALUES ('55000', 'this node is not the coordinator', NULL::text, 'Connect to the coordinator of the cluster.');
        RETURN;
    END IF;
    EXECUTE 'SELECT count(*) FILTER (WHERE n.groupid = 0)::text FROM pg_catalog.pg_dist_node AS n' INTO answer;
    IF answer = '0' THEN
        RETURN QUERY VALUES ('55000', 'the coordinator is not a node of its cluster',
            'Tables of which every node has all rows lie on the coordinator too.', 'SELECT citus_set_coordinator_host(''…'');');
        RETURN;
    END IF;
    EXECUTE 'SELECT count(*) FILTER (WHERE n.isactive AND n.shouldhaveshards)::text FROM pg_catalog.pg_dist_node AS n' INTO answer;
    IF answer = '0' THEN
        RETURN QUERY VALUES ('55000', 'no node of the cluster takes shards', NULL::text, 'SELECT citus_add_node(''…'', 5432);');
        RETURN;
    END IF;
    EXECUTE 'SELECT min(format(''SELECT citus_set_node_property(%L, %s, shouldhaveshards, false);'', n.nodename, n.nodeport))
        FROM pg_catalog.pg_dist_node AS n WHERE n.groupid = 0 AND n.shouldhaveshards' INTO answer;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '55000', 'the coordinator takes shards',
            'What is asked of all parts, as by kepler.status(), would not be whole where some lie beside the tables of the coordinator.',
            format('Have workers take them: %s', answer);
    END IF;
    FOR node IN EXECUTE
        'SELECT n.nodename || '':'' || n.nodeport AS name, r.success, r.result
         FROM run_command_on_all_nodes(''SELECT kepler.version()'') AS r
         JOIN pg_catalog.pg_dist_node AS n USING (nodeid) ORDER BY n.nodeid'
    LOOP
        IF NOT node.success THEN
            RETURN QUERY SELECT '55000', format('Kepler does not work on node %s', node.name), node.result,
                'Install its files there, then CREATE EXTENSION kepler CASCADE; in this database of the node.';
        ELSIF node.result <> kepler.version() THEN
            RETURN QUERY SELECT '55000', format('node %s has another version of Kepler', node.name),
                format('It has %s, and this one has %s.', node.result, kepler.version()),
                'Install the same files on every node, then ALTER EXTENSION kepler UPDATE; there.';
        END IF;
    END LOOP;
    SELECT string_agg(format('%s of %s', k.conname, k.conrelid::regclass), ', ' ORDER BY k.conname) INTO answer
    FROM pg_constraint AS k
    JOIN kepler_internal.cluster_tables() AS t ON t.relation = k.confrelid AND t.lies = 'by workspace'
    WHERE k.contype = 'f' AND k.conrelid NOT IN (SELECT o.relation FROM kepler_internal.cluster_tables() AS o)
        AND k.conparentid = 0 AND kepler_internal.lies_now(k.confrelid) IS NULL;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '0A000', 'tables outside of Kepler refer to what would be distributed',
            format('The foreign keys are: %s.', answer), 'Drop them; a table that is on one node cannot refer to rows on many.';
    END IF;
    SELECT string_agg(k.name, ', ' ORDER BY k.name) INTO answer
    FROM kepler.tracked_tables AS k
    JOIN kepler_internal.cluster_tables() AS t ON t.relation = to_regclass(k.name) AND t.lies IN ('by workspace', 'everywhere')
    WHERE k.level = 'history' AND k.untracked_at IS NULL AND kepler_internal.lies_now(t.relation) IS NULL;
    IF answer IS NOT NULL THEN
        RETURN QUERY SELECT '0A000', 'a history is kept of tables that would be distributed', format('The tables are: %s.', answer),
            'Each node would keep a history of its own, and what is there stays on the coordinator. SELECT kepler.untrack(…, ''history''); first.';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.distribution_problems() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.distribution_problems() IS 'Internal: what keeps the tables from being distributed';
CREATE FUNCTION kepler_internal.doctor_access()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    owner oid;
    extension_owner oid;
BEGIN
    SELECT c.relowner INTO owner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces');
    SELECT e.extowner INTO extension_owner FROM pg_extension AS e WHERE e.extname = 'kepler';
    RETURN QUERY
    SELECT 'error', 'owner', c.oid::regclass::text, format('It belongs to %s, and Kepler''s tables to %s.', c.relowner::regrole, owner::regrole),
        format('ALTER TABLE %s OWNER TO %s;', c.oid::regclass, owner::regrole), 'What runs in the name of one role does not run in that of another.'
    FROM pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 'p', 'v')
        AND c.relowner <> owner
    UNION ALL
    SELECT 'error', 'public_rights', 'schema ' || n.nspname, format('PUBLIC has %s on it.', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
        format('REVOKE ALL ON SCHEMA %I FROM PUBLIC;', n.nspname), 'Rights are given by kepler.grant_access.'
    FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
    WHERE n.nspname IN ('kepler', 'kepler_internal', 'kepler_data') AND a.grantee = 0 GROUP BY n.nspname
    UNION ALL
    SELECT 'error', 'public_rights', c.oid::regclass::text, format('PUBLIC has %s on it.', string_agg(DISTINCT a.privilege_type, ', ')),
        format('REVOKE ALL ON %s FROM PUBLIC;', c.oid::regclass), 'Rights are given by kepler.grant_access.'
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT * FROM aclexplode(c.relacl)
        UNION ALL SELECT x.* FROM pg_attribute AS t CROSS JOIN LATERAL aclexplode(t.attacl) AS x
        WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) AS a
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 'p', 'v') AND a.grantee = 0
        -- A cluster's anchor, which has no rows.
        AND NOT (c.relname IN ('parts', 'two_phase') AND kepler_internal.is_distributed())
    GROUP BY c.oid
    UNION ALL
    SELECT 'error', 'public_rights', p.oid::regprocedure::text, 'PUBLIC may execute it.',
        format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC;', p.oid::regprocedure), 'Rights are given by kepler.grant_access.'
    FROM pg_proc AS p
    WHERE p.pronamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_internal'))
        AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0);
    -- Only the owner may see who has which level.
    IF pg_has_role(current_user, owner, 'USAGE') THEN
        RETURN QUERY
        SELECT 'warning', 'preload', 'role ' || quote_ident(m.role_name), 'Its levels differ by workspace, and the library is not loaded when a session begins.',
            format('ALTER DATABASE %I SET session_preload_libraries = %s;', current_database(),
                (SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ' ORDER BY l.number)
                FROM unnest(string_to_array(current_setting('session_preload_libraries'), ',') || 'kepler'::text) WITH ORDINALITY AS l (name, number)
                WHERE btrim(l.name, ' "') <> '')),
            'Until the library is loaded, a session''s first statement has the rights of all levels of the role.'
        FROM kepler.workspace_members AS m
        WHERE current_setting('session_preload_libraries') !~ '\mkepler\M' AND current_setting('shared_preload_libraries') !~ '\mkepler\M'
        GROUP BY m.role_name HAVING count(DISTINCT m.level) > 1;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_access() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_access() IS 'Internal: findings of doctor() about owners and rights';
CREATE FUNCTION kepler_internal.doctor_indexes()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT 'error', 'index_invalid', i.indexrelid::regclass::text, 'The index is not valid: building it was interrupted, and no search uses it.',
        CASE WHEN x.relname ~ '_cc(new|old)[0-9]*$' THEN format('DROP INDEX CONCURRENTLY %s;', i.indexrelid::regclass)
            ELSE format('REINDEX INDEX CONCURRENTLY %s;', i.indexrelid::regclass) END,
        'As a statement of its own, outside of a transaction.'
    FROM pg_index AS i
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND NOT i.indisvalid AND x.relkind = 'i'
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
    UNION ALL
    SELECT 'error', 'foreign_key_disabled', c.oid::regclass::text, 'Triggers of foreign keys are disabled: nothing checks references.',
        format('ALTER TABLE %s ENABLE TRIGGER ALL;', c.oid::regclass), 'Then look for rows that refer to nothing.'
    FROM pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data'))
        AND EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND g.tgisinternal AND g.tgenabled = 'D')
    UNION ALL
    SELECT 'error', 'partition_row_security', c.oid::regclass::text, 'Row security is off on a partition.',
        format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', c.oid::regclass), NULL
    FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('kepler') AND c.relispartition AND c.relkind = 'r' AND NOT c.relrowsecurity
        AND c.relname ~ '_[0-9]{8}$';
    IF to_regclass('kepler.embedding_spaces') IS NOT NULL THEN
        RETURN QUERY
        SELECT 'notice', 'vector_index', a.table_name::text || '.' || a.column_name, a.reason, a.statement, NULL
        FROM kepler_internal.index_advice(NULL) AS a WHERE a.advice NOT IN ('none', 'analyze') AND NOT EXISTS (
            SELECT FROM pg_index AS i WHERE i.indrelid = a.table_name AND NOT i.indisvalid AND a.advice = 'drop');
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_indexes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_indexes() IS 'Internal: findings of doctor() about indexes, foreign keys and partitions';
CREATE FUNCTION kepler_internal.doctor_installation()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    found integer;
    latest constant integer := kepler_internal.latest_schema_version();
    extension text;
    vector text;
BEGIN
    SELECT e.extversion INTO extension FROM pg_extension AS e WHERE e.extname = 'kepler';
    SELECT e.extversion INTO vector FROM pg_extension AS e WHERE e.extname = 'vector';
    IF extension IS NOT NULL AND extension <> kepler.version() THEN
        RETURN QUERY SELECT 'error', 'extension_version', 'extension kepler',
            format('The functions in this database are of version %s, and the library of %s.', extension, kepler.version()),
            'ALTER EXTENSION kepler UPDATE;', 'Then SELECT kepler.install().';
    END IF;
    IF to_regclass('kepler.schema_versions') IS NULL THEN
        RETURN QUERY SELECT 'error', 'installation', 'schema kepler', 'Kepler''s tables are not installed in this database.',
            'SELECT kepler.install();', 'Whoever calls it owns the tables.';
        RETURN;
    END IF;
    SELECT max(v.version) INTO found FROM kepler.schema_versions AS v;
    IF coalesce(found, 0) < latest THEN
        RETURN QUERY SELECT 'error', 'schema_version', 'schema kepler',
            format('The tables are of schema version %s, and the library of %s.', coalesce(found, 0), latest),
            'SELECT kepler.install();', 'It adds what is missing, in one transaction.';
    ELSIF found > latest THEN
        RETURN QUERY SELECT 'error', 'schema_version', 'schema kepler',
            format('The tables are of schema version %s, and the library knows only %s.', found, latest),
            NULL, 'Install the newer library, then ALTER EXTENSION kepler UPDATE.';
    END IF;
    IF string_to_array(regexp_replace(vector, '[^0-9.].*$', ''), '.')::integer[] < '{0,8,4}' THEN
        RETURN QUERY SELECT 'error', 'vector_version', 'extension vector', format('pgvector %s builds indexes that can be corrupt.', vector),
            'ALTER EXTENSION vector UPDATE;', 'Version 0.8.4 is the first without known corruption of indexes.';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_installation() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_installation() IS 'Internal: findings of doctor() about versions';
CREATE FUNCTION kepler_internal.doctor_server()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT 'error', 'server_version', 'PostgreSQL ' || current_setting('server_version'), w.warning, NULL, 'Install the newest minor version.'
    FROM kepler_internal.server_warning(current_setting('server_version_num')::integer) AS w (warning) WHERE w.warning IS NOT NULL
    UNION ALL
    SELECT 'error', 'collation', 'database ' || quote_ident(d.datname), format(
            'Its collation was of version %s, and the system''s is %s: indexes on text may be out of order.',
            d.datcollversion, coalesce(pg_database_collation_actual_version(d.oid), 'of none')),
        format('ALTER DATABASE %I REFRESH COLLATION VERSION;', d.datname), format('First REINDEX DATABASE %I.', d.datname)
    FROM pg_database AS d
    WHERE d.datname = current_database() AND d.datcollversion IS NOT NULL
        AND d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
    UNION ALL
    SELECT 'warning', 'statistics_target', 'default_statistics_target', format('It is %s: plans of your own queries rest on few rows.', s.setting),
        'RESET default_statistics_target;', 'Where it is set for the database or in postgresql.conf, take it out there; then ANALYZE.'
    FROM pg_settings AS s WHERE s.name = 'default_statistics_target' AND s.setting::integer < 100
    UNION ALL
    SELECT 'error', 'autovacuum', s.name, format('%s is off.', s.name), format('ALTER SYSTEM SET %s = on;', s.name), 'Then SELECT pg_reload_conf().'
    FROM pg_settings AS s WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off'
    UNION ALL
    SELECT 'notice', 'planner_hooks', 'kepler.planner_hooks', 'It is off: Kepler''s own statements are planned by the statistics of the moment.',
        'RESET kepler.planner_hooks;', NULL
    FROM pg_settings AS s WHERE s.name = 'kepler.planner_hooks' AND s.setting = 'off'
    UNION ALL
    SELECT 'error', 'wal_level', 'publication ' || quote_ident(p.pubname), format('It publishes Kepler''s tables, and wal_level is %s.', current_setting('wal_level')),
        'ALTER SYSTEM SET wal_level = logical;', 'It takes a restart of the server.'
    FROM pg_publication AS p
    WHERE current_setting('wal_level') <> 'logical' AND EXISTS (
        SELECT FROM pg_publication_tables AS t WHERE t.pubname = p.pubname AND t.schemaname IN ('kepler', 'kepler_data'));
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_server() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_server() IS 'Internal: findings of doctor() about the server and its settings';
CREATE FUNCTION kepler_internal.doctor_tables()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    IF to_regclass('kepler.schema_versions') IS NULL
        OR (SELECT max(v.version) FROM kepler.schema_versions AS v) IS DISTINCT FROM kepler_internal.latest_schema_version()
    THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH expected AS MATERIALIZED (
        SELECT * FROM kepler_internal.expected_tables()
    ), present AS MATERIALIZED (
        SELECT * FROM kepler_internal.described_tables()
    ), compared AS (
        SELECT coalesce(e.kind, p.kind) AS kind, coalesce(e.table_name, p.table_name) AS table_name, coalesce(e.name, p.name) AS name,
            e.definition AS expected, p.definition AS found
        FROM expected AS e
        FULL JOIN present AS p ON p.kind = e.kind AND p.table_name = e.table_name AND p.name IS NOT DISTINCT FROM e.name
        WHERE p.definition IS DISTINCT FROM e.definition
    ), told AS (
        SELECT c.*, format('kepler.%I', c.table_name) AS relation
        FROM compared AS c
        WHERE c.expected IS NOT NULL
            -- What hangs on something that is missing is not told apart.
            AND (c.kind IN ('table', 'view', 'sequence') OR NOT EXISTS (
                SELECT FROM compared AS t
                WHERE t.kind IN ('table', 'view') AND t.table_name = c.table_name AND t.found IS NULL))
            AND NOT (c.kind IN ('default', 'not null') AND EXISTS (
                SELECT FROM compared AS a
                WHERE a.kind = 'column' AND a.table_name = c.table_name AND a.name = c.name AND a.found IS NULL))
            -- A trigger does what Citus has no foreign keys for.
            AND NOT (c.kind = 'constraint' AND c.expected LIKE c.found || ' ON DELETE SET NULL (%)' AND kepler_internal.is_distributed())
            AND NOT (c.kind = 'trigger state' AND EXISTS (
                SELECT FROM compared AS a
                WHERE a.kind = 'trigger' AND a.table_name = c.table_name AND a.name = c.name))
    )
    SELECT 'error', replace(t.kind, ' ', '_'),
        CASE WHEN t.name IS NULL THEN t.relation
            WHEN t.kind IN ('column', 'default', 'not null') THEN format('%s.%I', t.relation, t.name)
            ELSE format('%I on %s', t.name, t.relation) END,
        CASE
            WHEN t.kind = 'trigger state' AND t.found = 'DISABLE' THEN 'The trigger is disabled.'
            WHEN t.kind = 'row security' AND t.found IS NULL THEN 'Row security is off: every role sees the rows of all workspaces.'
            WHEN t.found IS NULL THEN format('%s is missing.', CASE t.kind
                WHEN 'default' THEN 'The default' WHEN 'not null' THEN 'NOT NULL' ELSE 'The ' || t.kind END)
            ELSE format('It is "%s", and was made as "%s".', t.found, t.expected)
        END,
        CASE t.kind
            WHEN 'row security' THEN CASE WHEN t.found IS NULL
                THEN format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', t.relation)
                ELSE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', t.relation) END
            WHEN 'column' THEN CASE WHEN t.found IS NULL
                THEN format('ALTER TABLE %s ADD COLUMN %I %s%s%s;', t.relation, t.name, t.expected,
                    (SELECT ' DEFAULT ' || e.definition FROM expected AS e
                    WHERE e.kind = 'default' AND e.table_name = t.table_name AND e.name = t.name),
                    (SELECT ' NOT NULL' FROM expected AS e
                    WHERE e.kind = 'not null' AND e.table_name = t.table_name AND e.name = t.name)) END
            WHEN 'default' THEN format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s;', t.relation, t.name, t.expected)
            WHEN 'not null' THEN format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', t.relation, t.name)
            WHEN 'constraint' THEN CASE WHEN t.found = t.expected || ' NOT VALID'
                THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', t.relation, t.name)
                ELSE concat('ALTER TABLE ', t.relation, CASE WHEN t.found IS NOT NULL THEN format(' DROP CONSTRAINT %I,', t.name) END,
                    format(' ADD CONSTRAINT %I %s;', t.name, t.expected)) END
            WHEN 'index' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP INDEX kepler.%I; ', t.name) END, t.expected, ';')
            WHEN 'trigger' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP TRIGGER %I ON %s; ', t.name, t.relation) END,
                t.expected, ';', (
                SELECT format(' ALTER TABLE %s %s TRIGGER %I;', t.relation, e.definition, t.name) FROM expected AS e
                WHERE e.kind = 'trigger state' AND e.table_name = t.table_name AND e.name = t.name AND e.definition <> 'ENABLE'))
            WHEN 'trigger state' THEN format('ALTER TABLE %s %s TRIGGER %I;', t.relation, t.expected, t.name)
            WHEN 'policy' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP POLICY %I ON %s; ', t.name, t.relation) END,
                format('CREATE POLICY %I ON %s %s;', t.name, t.relation, t.expected))
            WHEN 'sequence' THEN CASE WHEN t.found IS NULL
                THEN format('CREATE SEQUENCE %s %s;', t.relation, t.expected)
                ELSE format('ALTER SEQUENCE %s %s;', t.relation, t.expected) END
        END,
        CASE t.kind
            WHEN 'table' THEN 'Restore it from a backup. Was it renamed? Then give it its name again.'
            WHEN 'view' THEN 'Its statement stands in the file of sql/schema that made it.'
            WHEN 'column' THEN CASE WHEN t.found IS NULL THEN 'Its values are lost, or under another name: then rename it.'
                ELSE 'ALTER COLUMN … TYPE rewrites the table: choose the time.' END
            WHEN 'index' THEN 'On a table in use: CREATE INDEX CONCURRENTLY, as a statement of its own.'
        END
    FROM told AS t
    UNION ALL
    -- A policy adds to what the others let through.
    SELECT 'warning', 'policy', format('%I on kepler.%I', c.name, c.table_name),
        'A policy that Kepler did not make lets more rows through.',
        format('DROP POLICY %I ON kepler.%I;', c.name, c.table_name), 'If it is meant to narrow, make it AS RESTRICTIVE.'
    FROM compared AS c WHERE c.kind = 'policy' AND c.expected IS NULL AND c.found LIKE 'AS PERMISSIVE%'
        AND EXISTS (SELECT FROM expected AS e WHERE e.kind = 'table' AND e.table_name = c.table_name)
    UNION ALL
    -- Nothing can keep a trigger from firing later: Postgres goes by their names.
    SELECT 'warning', 'trigger_order', format('%I on %s', g.tgname, g.tgrelid::regclass),
        format('It fires behind %s, before the row is written: %s.', string_agg(k.tgname::text, ' and ' ORDER BY k.tgname),
            string_agg(CASE k.tgname WHEN 'zzz_make_words' THEN 'a search by words does not find what it makes of the content'
                ELSE 'nobody looks for secrets in what it writes' END, ', and ' ORDER BY k.tgname)),
        format('ALTER TRIGGER %I ON %s RENAME TO %I;', g.tgname, g.tgrelid::regclass, left('a_' || g.tgname, 63)),
        CASE WHEN bool_or(k.tgname = 'zzz_make_words')
            THEN 'Triggers fire in the order of their names. Then set the language of rows that it has changed to another one and back.'
            ELSE 'Triggers fire in the order of their names.' END
    FROM pg_trigger AS k
    JOIN pg_proc AS f ON f.oid = k.tgfoid AND f.pronamespace = to_regnamespace('kepler_internal') AND f.proname IN ('guard_secrets', 'make_words')
    JOIN pg_trigger AS g ON g.tgrelid = k.tgrelid AND g.tgname > k.tgname AND NOT g.tgisinternal AND g.tgenabled <> 'D'
        -- Before each row, of an event that both have.
        AND g.tgtype & 3 = 3 AND g.tgtype & k.tgtype & 20 <> 0
    JOIN pg_class AS c ON c.oid = g.tgrelid AND c.relnamespace = to_regnamespace('kepler')
    WHERE k.tgname IN ('zz_guard_secrets', 'zzz_make_words') AND NOT EXISTS (
        SELECT FROM pg_proc AS own WHERE own.oid = g.tgfoid AND own.pronamespace = f.pronamespace)
    GROUP BY g.oid, g.tgname, g.tgrelid;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_tables() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_tables() IS 'Internal: findings of doctor() about the definitions of tables';
CREATE FUNCTION kepler_internal.doctor_upkeep(held_for interval, silent_for interval)
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    IF to_regclass('kepler.stat_horizon') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'warning', 'horizon', concat_ws(' ', h.held_by, coalesce(h.name, h.pid::text)),
        concat_ws(' ', CASE WHEN h.began_at IS NULL THEN format('It has held the horizon for %s transactions.', h.transactions)
            ELSE format('It has been under way since %s.', to_char(h.began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
            'Vacuum removes nothing that was deleted since.', CASE WHEN h.holds_feed THEN 'The feed serves nothing that was changed since.' END),
        CASE h.held_by
            WHEN 'session' THEN format('SELECT pg_terminate_backend(%s);', h.pid)
            WHEN 'prepared transaction' THEN format('ROLLBACK PREPARED %L;', h.name)
            WHEN 'replication slot' THEN format('SELECT pg_drop_replication_slot(%L);', h.name) END,
        CASE h.held_by
            WHEN 'session' THEN 'Ask whose it is first. Against forgotten ones: idle_in_transaction_session_timeout.'
            WHEN 'prepared transaction' THEN 'Ask its coordinator first: it may have to be committed. In the database that it was prepared in.'
            WHEN 'replication slot' THEN 'If its consumer is gone for good.' ELSE 'Its hot_standby_feedback is on: look for long queries there.' END
    FROM kepler.stat_horizon AS h
    WHERE h.began_at < statement_timestamp() - held_for
        OR h.began_at IS NULL AND h.held_by = 'replication slot' AND h.state = 'inactive' AND h.transactions > 1000000
        OR h.began_at IS NULL AND h.transactions > 100000000;
    RETURN QUERY
    SELECT 'warning', 'consumer', format('%s in workspace %s', f.consumer, f.workspace_id),
        format('The consumer has acknowledged nothing since %s, and changes wait for it.',
            to_char(f.acknowledged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
        format('DELETE FROM kepler.consumers AS c WHERE c.workspace_id = %L AND c.name = %L;', f.workspace_id, f.consumer),
        'If it is gone for good: changes that are deleted for their age before it comes back are lost to it.'
    FROM kepler.stat_feed AS f
    WHERE f.acknowledged_at < statement_timestamp() - silent_for AND f.waiting > 0;
    RETURN QUERY
    SELECT 'warning', 'maintenance', 'kepler.maintain', CASE WHEN m.ran_at IS NULL THEN 'kepler.maintain() has never run.'
            ELSE format('kepler.maintain() has not run since %s.', to_char(m.ran_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
        'CALL kepler.maintain();', 'Have a scheduler call it once a minute.'
    FROM (SELECT max(s.last_started_at) AS ran_at FROM kepler.stat_maintenance AS s) AS m
    WHERE coalesce(m.ran_at, (SELECT min(v.installed_at) FROM kepler.schema_versions AS v)) < statement_timestamp() - silent_for
    UNION ALL
    SELECT 'warning', 'maintenance', concat_ws(' ', s.step, s.object, 'in workspace ' || s.workspace_id),
        format('The step has come to nothing %s times in a row, last with SQLSTATE %s.', s.failures, s.last_error_code),
        NULL, 'The column last_error of kepler.maintenance says why.'
    FROM kepler.stat_maintenance AS s WHERE s.failures >= 3;
    RETURN QUERY
    SELECT 'warning', 'partitions', 'kepler.' || l.log, 'No partition is ready for what comes next: rows go to the default partition.',
        'CALL kepler.maintain();', 'Have a scheduler call it once a minute.'
    FROM (VALUES ('feed', 'week'), ('history', 'month')) AS l (log, period)
    WHERE to_regclass('kepler.' || l.log) IS NOT NULL AND to_regclass(format('kepler.%I', concat(l.log, '_',
        to_char(date_trunc(l.period, statement_timestamp() AT TIME ZONE 'UTC') + ('1 ' || l.period)::interval, 'YYYYMMDD')))) IS NULL;
    -- Only the owner may see what is tracked; others see what has triggers. The number of a table goes with its triggers.
    RETURN QUERY
    WITH triggers AS MATERIALIZED (
        SELECT g.tgrelid, g.tgname, g.tgenabled, split_part(encode(g.tgargs, 'escape'), '\000', 1) AS number
        FROM pg_trigger AS g WHERE NOT g.tgisinternal AND g.tgfoid IN (
            to_regproc('kepler_internal.tell_feed'), to_regproc('kepler_internal.tell_history'))
    )
    SELECT 'error', 'feed_triggers', g.tgrelid::regclass::text, 'Triggers that note its changes are disabled.',
        string_agg(format('ALTER TABLE %s %s TRIGGER %I;', g.tgrelid::regclass, CASE WHEN g.tgname LIKE '%replicated' THEN 'ENABLE REPLICA'
            WHEN g.tgname LIKE '%truncate' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, g.tgname), ' ' ORDER BY g.tgname),
        'What was changed meanwhile is not told.'
    FROM triggers AS g WHERE g.tgenabled = 'D' GROUP BY g.tgrelid;
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'kepler.tracked_tables'::regclass), 'USAGE') THEN
        RETURN QUERY
        SELECT 'error', 'feed_triggers', t.name, 'The table is tracked, and no trigger notes its changes.',
            format('SELECT kepler.untrack(%L); SELECT kepler.track(%L, %L);', t.name, t.name, t.level), 'What was changed meanwhile is not told.'
        FROM kepler.tracked_tables AS t
        WHERE t.untracked_at IS NULL AND to_regclass(t.name) IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_trigger AS g
            WHERE g.tgrelid IS NOT NULL AND NOT g.tgisinternal AND split_part(encode(g.tgargs, 'escape'), '\000', 1) = t.id::text
                AND g.tgfoid IN (to_regproc('kepler_internal.tell_feed'), to_regproc('kepler_internal.tell_history')));
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_upkeep(interval,interval) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_upkeep(interval,interval) IS 'Internal: findings of doctor() about what is held up or not done';
CREATE FUNCTION kepler_internal.doctor_vacuum()
 RETURNS TABLE(severity text, check_name text, object_name text, message text, statement text, hint text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    WITH tables AS MATERIALIZED (
        SELECT c.oid, c.oid::regclass::text AS name, c.reltuples, c.relpages, c.relfrozenxid, c.relminmxid, c.relkind, c.reloptions,
            pg_stat_get_live_tuples(c.oid) AS live, pg_stat_get_dead_tuples(c.oid) AS dead, pg_stat_get_mod_since_analyze(c.oid) AS changed,
            coalesce(pg_stat_get_last_autoanalyze_time(c.oid), pg_stat_get_last_analyze_time(c.oid)) AS analyzed_at
        FROM pg_class AS c
        WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 't')
    )
    -- Autovacuum analyzes by itself past a tenth: this is ten times as much.
    SELECT 'warning', 'statistics', t.name,
        CASE WHEN t.reltuples < 0 THEN format('The table has %s rows or so, and was never analyzed.', t.live)
            ELSE format('%s of about %s rows have changed since the table was analyzed.', t.changed, greatest(t.live, t.reltuples::bigint)) END,
        format('ANALYZE %s;', t.name), 'If this comes again, look whether autovacuum keeps up.'
    FROM tables AS t
    WHERE t.live >= 10000 AND (t.reltuples < 0 OR t.changed > greatest(t.live, t.reltuples::bigint))
    UNION ALL
    SELECT 'warning', 'vacuum', t.name, format('It has %s versions of rows that nobody needs beside %s that are there.', t.dead, t.live),
        format('VACUUM (ANALYZE) %s;', t.name), 'If they stay, something holds the horizon: see kepler.stat_horizon.'
    FROM tables AS t WHERE t.dead > 10000 AND t.dead > t.live
    UNION ALL
    SELECT 'error', 'autovacuum', t.name, 'Autovacuum is switched off for the table.',
        format('ALTER TABLE %s RESET (autovacuum_enabled);', t.name), NULL
    FROM tables AS t
    WHERE t.reloptions && '{autovacuum_enabled=off,autovacuum_enabled=false,autovacuum_enabled=no,autovacuum_enabled=0}'
    UNION ALL
    SELECT 'error', 'wraparound', t.name, format('Its oldest row is %s transactions old; Postgres stops at two billion.', age(t.relfrozenxid)),
        format('VACUUM (FREEZE) %s;', t.name), 'Something kept vacuum from it: see kepler.stat_horizon.'
    FROM tables AS t
    WHERE t.relfrozenxid <> '0' AND (age(t.relfrozenxid) > 1000000000 OR mxid_age(t.relminmxid) > 1000000000)
    UNION ALL
    SELECT 'warning', 'statistics_target', format('%s.%I', t.name, a.attname), 'No statistics are kept of the column.',
        format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS -1;', t.name, a.attname), 'Then ANALYZE the table.'
    FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    -- Without a target it is -1 before Postgres 17, and NULL since.
    WHERE a.attstattarget = 0
    UNION ALL
    -- The numbers are known of sequences that the caller may read.
    SELECT 'warning', 'sequence', format('%I.%I', s.schemaname, s.sequencename),
        format('It stands at %s of %s.', s.last_value, s.max_value),
        CASE WHEN s.max_value < CASE s.data_type WHEN 'bigint'::regtype THEN 9223372036854775807 WHEN 'integer'::regtype THEN 2147483647 ELSE 32767 END
            THEN format('ALTER SEQUENCE %I.%I MAXVALUE %s;', s.schemaname, s.sequencename,
                CASE s.data_type WHEN 'bigint'::regtype THEN 9223372036854775807 WHEN 'integer'::regtype THEN 2147483647 ELSE 32767 END) END,
        'A column of a wider type takes more.'
    FROM pg_sequences AS s
    WHERE s.schemaname IN ('kepler', 'kepler_data') AND s.last_value > s.max_value / 5 * 4;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.doctor_vacuum() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.doctor_vacuum() IS 'Internal: findings of doctor() about vacuum, statistics and sequences';
CREATE FUNCTION kepler_internal.drop_changes_before(before timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    oldest constant timestamptz := before;
    partition text := 'kepler.' || quote_ident(nullif(kepler_internal.oldest_changes(before), 'feed_default'));
    deleted integer;
BEGIN
    IF partition IS NULL THEN
        WITH gone AS (
            DELETE FROM kepler.feed_default AS f
            WHERE f.ctid = ANY (ARRAY(
                SELECT x.ctid FROM kepler.feed_default AS x WHERE x.created_at < oldest LIMIT 10000))
            RETURNING f.workspace_id, f.epoch, f.xid, f.sequence
        ), noted AS (
            INSERT INTO kepler.feed_dropped AS d (workspace_id, epoch, xid, sequence)
            SELECT DISTINCT ON (g.workspace_id) g.workspace_id, g.epoch, g.xid, g.sequence FROM gone AS g
            ORDER BY g.workspace_id, g.epoch DESC, g.xid DESC, g.sequence DESC
            ON CONFLICT (workspace_id) DO UPDATE
            SET epoch = excluded.epoch, xid = excluded.xid, sequence = excluded.sequence
            WHERE (excluded.epoch, excluded.xid, excluded.sequence) > (d.epoch, d.xid, d.sequence)
        )
        SELECT count(*) INTO deleted FROM gone AS g;
        RETURN deleted = 10000;
    END IF;
    BEGIN
        -- In the order in which readers lock. Writers lock neither: they write to the partition of now, and not through the whole.
        LOCK TABLE ONLY kepler.feed IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition);
    EXCEPTION WHEN lock_not_available THEN
        RAISE NOTICE USING MESSAGE = format('%s is in use and stays until the next call', partition);
        RETURN false;
    END;
    -- The last position of each workspace, workspace by workspace.
    EXECUTE format('
        WITH RECURSIVE last AS (
            (SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id IS NOT NULL
            ORDER BY f.workspace_id DESC, f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1)
            UNION ALL
            SELECT n.* FROM last AS l CROSS JOIN LATERAL (
                SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id < l.workspace_id
                ORDER BY f.workspace_id DESC, f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1) AS n
        )
        INSERT INTO kepler.feed_dropped AS d (workspace_id, epoch, xid, sequence)
        SELECT l.workspace_id, l.epoch, l.xid, l.sequence FROM last AS l
        UNION ALL
        (SELECT f.workspace_id, f.epoch, f.xid, f.sequence FROM %1$s AS f WHERE f.workspace_id IS NULL
        ORDER BY f.epoch DESC, f.xid DESC, f.sequence DESC LIMIT 1)
        ON CONFLICT (workspace_id) DO UPDATE
        SET epoch = excluded.epoch, xid = excluded.xid, sequence = excluded.sequence
        WHERE (excluded.epoch, excluded.xid, excluded.sequence) > (d.epoch, d.xid, d.sequence)', partition);
    EXECUTE format('DROP TABLE %s', partition);
    RETURN true;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.drop_changes_before(timestamp with time zone) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.drop_changes_before(timestamp with time zone) IS 'Internal: drops an old partition of the feed, or deletes some old changes';
CREATE OR REPLACE FUNCTION kepler_internal.drop_old_changes(keep interval)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
    -- A longer time could not be taken from a date.
    SELECT kepler_internal.drop_changes_before(
        CASE WHEN keep < interval '1000 years' THEN clock_timestamp() - keep ELSE '-infinity' END)
$function$;
CREATE FUNCTION kepler_internal.drop_workflow_versions()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    deleted record;
BEGIN
    FOR deleted IN EXECUTE pg_catalog.format('SELECT DISTINCT g.workspace_id, g.%I AS workflow_id FROM gone AS g', TG_ARGV[0]) LOOP
        IF NOT EXISTS (
            SELECT FROM kepler.workflows AS w WHERE w.workspace_id = deleted.workspace_id AND w.id = deleted.workflow_id
        ) AND NOT EXISTS (
            SELECT FROM kepler.executions AS e WHERE e.workspace_id = deleted.workspace_id AND e.workflow_id = deleted.workflow_id
        ) THEN
            DELETE FROM kepler.workflow_versions AS v
            WHERE v.workspace_id = deleted.workspace_id AND v.workflow_id = deleted.workflow_id;
        END IF;
    END LOOP;
    RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.drop_workflow_versions() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.drop_workflow_versions() IS 'Trigger: deletes the versions of deleted workflows that have no runs';
CREATE FUNCTION kepler_internal.each_node_has(table_name name)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT table_name IN ('schema_versions', 'access_levels', 'workspace_members', 'feed', 'feed_epochs', 'feed_dropped', 'history',
        'history_transactions', 'history_shapes', 'history_redactions', 'history_seals')
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.each_node_has(name) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.each_node_has(name) IS 'Internal: whether each node of a cluster has a table of this name for itself';
CREATE FUNCTION kepler_internal.emptied_references(OUT relation regclass, OUT name text, OUT column_name text)
 RETURNS SETOF record
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT r.relation::regclass, r.name, r.column_name FROM (VALUES
        ('kepler.connections', 'connections_user_fkey', 'user_id'),
        ('kepler.execution_questions', 'execution_questions_answered_by_fkey', 'answered_by'),
        ('kepler.execution_questions', 'execution_questions_user_fkey', 'user_id'),
        ('kepler.executions', 'executions_user_fkey', 'user_id'),
        ('kepler.messages', 'messages_user_fkey', 'user_id'),
        ('kepler.records', 'records_entity_fkey', 'entity_id'),
        ('kepler.workflows', 'workflows_user_fkey', 'user_id')) AS r (relation, name, column_name)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.emptied_references() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.emptied_references() IS 'Internal: foreign keys that empty a column';
CREATE FUNCTION kepler_internal.empty_references()
 RETURNS trigger
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'empty_references_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.empty_references() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.empty_references() IS 'Trigger: empties the columns that refer to a row that is deleted, where Citus has no foreign key for that';
CREATE FUNCTION kepler_internal.end_maintenance(step text, workspace_id text, object text, outcome text, rows bigint, seconds double precision, error_code text, error text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    ended constant timestamptz := clock_timestamp();
    in_vain constant boolean := outcome = 'failed' OR (outcome = 'unfinished' AND rows = 0);
    failed_so_often integer;
BEGIN
    -- Nothing is left that says its name.
    IF step = 'delete_workspace' AND outcome = 'finished' THEN
        DELETE FROM kepler.maintenance AS m WHERE m.workspace_id = workspace_id;
        RETURN 0;
    END IF;
    UPDATE kepler.maintenance AS m
    SET outcome = outcome, last_rows = rows, row_count = m.row_count + rows, last_duration = seconds * interval '1 second',
        last_succeeded_at = CASE WHEN outcome = 'failed' THEN m.last_succeeded_at ELSE ended END,
        last_failed_at = CASE WHEN outcome = 'failed' THEN ended ELSE m.last_failed_at END,
        last_error_code = CASE WHEN outcome = 'failed' THEN error_code ELSE m.last_error_code END,
        last_error = CASE WHEN outcome = 'failed' THEN error ELSE m.last_error END,
        failures = CASE WHEN in_vain THEN m.failures + 1 ELSE 0 END,
        next_at = CASE WHEN in_vain THEN ended + kepler_internal.maintenance_pause(m.failures + 1) END
    WHERE m.workspace_id = workspace_id AND m.step = step AND m.object = object
    RETURNING m.failures INTO failed_so_often;
    RETURN failed_so_often;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.end_maintenance(text,text,text,text,bigint,double precision,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.end_maintenance(text,text,text,text,bigint,double precision,text,text) IS 'Internal: notes how a step ended with an object; gives how often in a row it came to nothing';
CREATE FUNCTION kepler_internal.end_maintenance_run(began_at timestamp with time zone, steps text[], outcomes text[], begun boolean[], rows bigint[], seconds double precision[], pauses double precision[], error_codes text[], errors text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    ended constant timestamptz := clock_timestamp();
BEGIN
    INSERT INTO kepler.maintenance AS m (workspace_id, step, outcome, last_started_at, last_succeeded_at, last_failed_at,
        last_error_code, last_error, last_rows, last_duration, row_count, failures, next_at)
    SELECT '', u.step, u.outcome, CASE WHEN u.begun THEN began_at ELSE '-infinity' END, CASE WHEN u.outcome <> 'failed' THEN ended END,
        CASE WHEN u.outcome = 'failed' THEN ended END, u.error_code, u.error, u.rows, u.seconds * interval '1 second', u.rows,
        CASE WHEN u.outcome = 'failed' THEN 1 ELSE 0 END, ended + u.pause * interval '1 second'
    FROM unnest(steps, outcomes, begun, rows, seconds, pauses, error_codes, errors)
        AS u (step, outcome, begun, rows, seconds, pause, error_code, error)
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = greatest(excluded.last_started_at, m.last_started_at),
        last_succeeded_at = coalesce(excluded.last_succeeded_at, m.last_succeeded_at),
        last_failed_at = coalesce(excluded.last_failed_at, m.last_failed_at),
        last_error_code = coalesce(excluded.last_error_code, m.last_error_code),
        last_error = CASE WHEN excluded.last_error_code IS NULL THEN m.last_error ELSE excluded.last_error END,
        last_rows = excluded.last_rows, last_duration = excluded.last_duration, row_count = m.row_count + excluded.last_rows,
        failures = CASE WHEN excluded.outcome = 'failed' THEN m.failures + 1 ELSE 0 END, next_at = excluded.next_at;
    DELETE FROM kepler.maintenance AS m
    WHERE (m.workspace_id, m.object) <> ('', '') AND m.last_started_at < ended - interval '2 days';
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.end_maintenance_run(timestamp with time zone,text[],text[],boolean[],bigint[],double precision[],double precision[],text[],text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.end_maintenance_run(timestamp with time zone,text[],text[],boolean[],bigint[],double precision[],double precision[],text[],text[]) IS 'Internal: notes how a run of maintain ended for each step';
CREATE FUNCTION kepler_internal.enter_part(workspace_id text, settings text[])
 RETURNS text
 LANGUAGE c
 STRICT
AS 'MODULE_PATHNAME', 'enter_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.enter_part(text,text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.enter_part(text,text[]) IS 'Internal: begins a call that was sent to the node of its workspace; gives the workspace';
CREATE FUNCTION kepler_internal.erase_user_of_part(user_id text, workspace_id text, OUT relation text, OUT outcome text, OUT rows bigint)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    -- The history is the owner's to redact.
    redacts constant boolean := pg_has_role(
        (SELECT c.relowner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces')), 'USAGE');
    before bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_workspace(workspace_id);
    PERFORM kepler_internal.require_name('user_id', user_id);
    IF redacts THEN
        before := nextval('kepler.history_sequence') * 65536;
    END IF;
    -- Nobody adds a row about the person from now on.
    PERFORM FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id FOR UPDATE;
    IF NOT FOUND THEN
        relation := 'kepler.users';
        outcome := 'not_found';
        rows := 0;
        RETURN NEXT;
        IF redacts THEN
            -- Somebody without the right to redact may have erased the person.
            rows := kepler_internal.redact_user(workspace_id, user_id, before);
            IF rows > 0 THEN
                relation := 'kepler.history';
                outcome := 'anonymised';
                RETURN NEXT;
            END IF;
        END IF;
        RETURN;
    END IF;
    FOR part IN
        SELECT u.relation, u.action,
            format('t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(%s))', string_agg(
                format('SELECT t.ctid FROM %s AS t WHERE %s', u.relation, u.condition), ' UNION ALL ' ORDER BY u.position)) AS condition,
            min(u.position) AS first
        FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action <> 'kept'
        GROUP BY u.relation, u.action ORDER BY first
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', part.relation, part.condition
            -- What goes is not anonymised as well.
            || CASE WHEN part.action = 'anonymised' THEN coalesce((
                SELECT ' AND ' || string_agg(format('NOT t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM %s AS t WHERE %s))',
                    u.relation, u.condition), ' AND ')
                FROM kepler_internal.user_relations(workspace_id) AS u
                WHERE u.relation = part.relation AND u.action = 'deleted'), '') ELSE '' END)
            INTO rows USING workspace_id, user_id;
        IF rows > 0 THEN
            relation := part.relation;
            outcome := part.action;
            RETURN NEXT;
        END IF;
    END LOOP;
    -- In the conversations of others a message keeps its place, without what the person wrote.
    UPDATE kepler.messages AS m
    SET content = '[erased]', metadata = '{}', external_id = NULL, token_count = NULL, user_id = NULL
    FROM kepler.conversations AS c
    WHERE m.workspace_id = workspace_id AND m.user_id = user_id
        AND c.workspace_id = m.workspace_id AND c.id = m.conversation_id AND c.user_id IS DISTINCT FROM user_id;
    -- Nobody goes on with the person's access to another system.
    UPDATE kepler.connections AS c SET status = 'INACTIVE', secret_ref = NULL, subscription_id = NULL, metadata = '{}'
    WHERE c.workspace_id = workspace_id AND c.user_id = user_id;
    UPDATE kepler.executions AS e SET metadata = '{}'
    WHERE e.workspace_id = workspace_id AND e.user_id = user_id AND e.metadata <> '{}';
    -- An answer keeps its place too.
    UPDATE kepler.execution_questions AS q SET answer = '"[erased]"'
    WHERE q.workspace_id = workspace_id AND q.answered_by = user_id;
    -- All that foreign keys would do, done as the caller: they run as the owner of the tables, and so would triggers on these.
    FOR part IN
        SELECT u.* FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action = 'deleted' AND u.key <> 'kepler.users'
        ORDER BY u.position DESC
    LOOP
        EXECUTE format('DELETE FROM %s AS t WHERE %s', part.relation, part.condition) USING workspace_id, user_id;
    END LOOP;
    FOR part IN
        SELECT u.* FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action = 'anonymised' ORDER BY u.position
    LOOP
        EXECUTE format('UPDATE %s AS t SET %s WHERE %s', part.relation, part.emptied, part.condition) USING workspace_id, user_id;
    END LOOP;
    DELETE FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id;
    IF redacts THEN
        rows := kepler_internal.redact_user(workspace_id, user_id, before);
        IF rows > 0 THEN
            relation := 'kepler.history';
            outcome := 'anonymised';
            RETURN NEXT;
        END IF;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.erase_user_of_part(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.erase_user_of_part(text,text) IS 'Internal: erases a person in the part of the workspace; where there is no cluster, here';
CREATE FUNCTION kepler_internal.execution_report(workflow_id text, started_from timestamp with time zone, started_before timestamp with time zone, workspace_id text)
 RETURNS TABLE(found_id text, name text, runs bigint, running bigint, overdue bigint, succeeded bigint, failed bigint, abandoned bigint, success_rate numeric, p50_duration interval, p95_duration interval, last_started_at timestamp with time zone, waiting bigint, cancelled bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workflow ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    -- Half-open: runs that started at started_from, or later, and before started_before.
    lower_bound constant timestamptz := coalesce($2, '-infinity');
    upper_bound constant timestamptz := coalesce($3, 'infinity');
    seen_at constant timestamptz := clock_timestamp();
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workspace_id'], ARRAY[$4]);
    IF wanted_workflow IS NOT NULL THEN
        PERFORM kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    END IF;
    RETURN QUERY
    SELECT w.id, w.name, r.runs, r.running - o.overdue, o.overdue, r.succeeded, r.failed, r.abandoned,
        round(r.succeeded::numeric / nullif(r.succeeded + r.failed + r.abandoned, 0), 4),
        make_interval(secs => r.seconds[1]), make_interval(secs => r.seconds[2]), r.last_started_at, r.waiting, r.cancelled
    FROM kepler.workflows AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS runs,
            count(*) FILTER (WHERE e.status = 'RUNNING') AS running,
            count(*) FILTER (WHERE e.status = 'SUCCESS') AS succeeded,
            count(*) FILTER (WHERE e.status = 'FAILURE') AS failed,
            count(*) FILTER (WHERE e.status = 'ABANDONED') AS abandoned,
            count(*) FILTER (WHERE e.status = 'WAITING') AS waiting,
            count(*) FILTER (WHERE e.status = 'CANCELLED') AS cancelled,
            -- When an abandoned run really stopped is not known.
            percentile_cont('{0.5, 0.95}'::double precision[]) WITHIN GROUP (
                ORDER BY extract(epoch FROM e.ended_at - e.started_at)::double precision)
                FILTER (WHERE e.status IN ('SUCCESS', 'FAILURE') AND isfinite(e.ended_at)) AS seconds,
            max(e.started_at) AS last_started_at
        FROM kepler.executions AS e
        WHERE e.workspace_id = wanted_workspace AND e.workflow_id = w.id
            AND e.started_at >= lower_bound AND e.started_at < upper_bound
    ) AS r
    CROSS JOIN LATERAL (
        SELECT count(*) AS overdue FROM kepler.executions AS e
        WHERE e.workspace_id = wanted_workspace AND e.workflow_id = w.id AND e.status = 'RUNNING'
            AND e.next_check_at < seen_at AND e.deadline_at < seen_at AND e.started_at >= lower_bound AND e.started_at < upper_bound
    ) AS o
    WHERE w.workspace_id = wanted_workspace AND (wanted_workflow IS NULL OR w.id = wanted_workflow)
    ORDER BY w.name, w.id;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.execution_report(text,timestamp with time zone,timestamp with time zone,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.execution_report(text,timestamp with time zone,timestamp with time zone,text) IS 'Internal: execution_report, whose columns bear the names of its arguments';
CREATE FUNCTION kepler_internal.execution_report_by_user(wanted_user text, wanted_workflow text, started_from timestamp with time zone, started_before timestamp with time zone, workspace_id text)
 RETURNS TABLE(user_id text, workflow_id text, name text, runs bigint, running bigint, waiting bigint, succeeded bigint, failed bigint, abandoned bigint, cancelled bigint, success_rate numeric, p50_duration interval, p95_duration interval, last_started_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $5;
    lower_bound constant timestamptz := coalesce($3, '-infinity');
    upper_bound constant timestamptz := coalesce($4, 'infinity');
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workspace_id'], ARRAY[$5]);
    IF wanted_user IS NOT NULL THEN
        PERFORM kepler_internal.require_user(wanted_user, wanted_workspace);
    END IF;
    IF wanted_workflow IS NOT NULL AND NOT EXISTS (
        SELECT FROM kepler.workflow_versions AS v WHERE v.workspace_id = wanted_workspace AND v.workflow_id = wanted_workflow
    ) THEN
        PERFORM kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    END IF;
    RETURN QUERY
    -- Deleted workflows included; each is found behind the one before it, however many versions it has.
    WITH RECURSIVE ids (id) AS (
        SELECT wanted_workflow WHERE wanted_workflow IS NOT NULL
        UNION ALL
        SELECT (
            SELECT v.workflow_id FROM kepler.workflow_versions AS v
            WHERE v.workspace_id = wanted_workspace ORDER BY v.workflow_id LIMIT 1)
        WHERE wanted_workflow IS NULL AND wanted_user IS NULL
        UNION ALL
        SELECT (
            SELECT v.workflow_id FROM kepler.workflow_versions AS v
            WHERE v.workspace_id = wanted_workspace AND v.workflow_id > i.id ORDER BY v.workflow_id LIMIT 1)
        FROM ids AS i WHERE i.id IS NOT NULL AND wanted_workflow IS NULL
    ), found AS (
        SELECT e.user_id, e.workflow_id, e.status, e.started_at, e.ended_at
        FROM kepler.executions AS e
        WHERE wanted_user IS NOT NULL AND wanted_workflow IS NULL AND e.workspace_id = wanted_workspace AND e.user_id = wanted_user
            AND e.started_at >= lower_bound AND e.started_at < upper_bound
        UNION ALL
        SELECT e.user_id, e.workflow_id, e.status, e.started_at, e.ended_at
        FROM ids AS w
        CROSS JOIN LATERAL (
            SELECT x.user_id, x.workflow_id, x.status, x.started_at, x.ended_at FROM kepler.executions AS x
            WHERE x.workspace_id = wanted_workspace AND x.workflow_id = w.id
                AND x.started_at >= lower_bound AND x.started_at < upper_bound
                AND (wanted_user IS NULL OR x.user_id = wanted_user)
            OFFSET 0
        ) AS e
    ), counted AS (
        SELECT f.user_id, f.workflow_id, count(*) AS runs,
            count(*) FILTER (WHERE f.status = 'RUNNING') AS running,
            count(*) FILTER (WHERE f.status = 'WAITING') AS waiting,
            count(*) FILTER (WHERE f.status = 'SUCCESS') AS succeeded,
            count(*) FILTER (WHERE f.status = 'FAILURE') AS failed,
            count(*) FILTER (WHERE f.status = 'ABANDONED') AS abandoned,
            count(*) FILTER (WHERE f.status = 'CANCELLED') AS cancelled,
            percentile_cont('{0.5, 0.95}'::double precision[]) WITHIN GROUP (
                ORDER BY extract(epoch FROM f.ended_at - f.started_at)::double precision)
                FILTER (WHERE f.status IN ('SUCCESS', 'FAILURE') AND isfinite(f.ended_at)) AS seconds,
            max(f.started_at) AS last_started_at
        FROM found AS f
        GROUP BY f.user_id, f.workflow_id
    )
    SELECT c.user_id, c.workflow_id, n.name, c.runs, c.running, c.waiting, c.succeeded, c.failed, c.abandoned, c.cancelled,
        round(c.succeeded::numeric / nullif(c.succeeded + c.failed + c.abandoned, 0), 4),
        make_interval(secs => c.seconds[1]), make_interval(secs => c.seconds[2]), c.last_started_at
    FROM counted AS c
    LEFT JOIN LATERAL (
        SELECT v.name FROM kepler.workflow_versions AS v
        WHERE v.workspace_id = wanted_workspace AND v.workflow_id = c.workflow_id
        ORDER BY v.version DESC LIMIT 1
    ) AS n ON true
    ORDER BY c.user_id COLLATE "C" NULLS LAST, c.workflow_id COLLATE "C";
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.execution_report_by_user(text,text,timestamp with time zone,timestamp with time zone,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.execution_report_by_user(text,text,timestamp with time zone,timestamp with time zone,text) IS 'Internal: execution_report_by_user, whose columns bear the names of its arguments';
CREATE FUNCTION kepler_internal.execution_retries(wanted_execution text, workspace_id text)
 RETURNS TABLE(attempt integer, execution_id text, status kepler.execution_status, workflow_version integer, started_at timestamp with time zone, ended_at timestamp with time zone, error text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    first text;
    earlier text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $2]);
    SELECT e.id, e.retry_of INTO first, earlier FROM kepler.executions AS e WHERE e.workspace_id = $2 AND e.id = $1;
    WHILE earlier IS NOT NULL LOOP
        SELECT e.id, e.retry_of INTO execution_id, earlier
        FROM kepler.executions AS e WHERE e.workspace_id = $2 AND e.id = earlier;
        -- The one before may be deleted. Direct SQL may have tied runs to a ring.
        EXIT WHEN execution_id IS NULL OR execution_id = $1;
        first := execution_id;
    END LOOP;
    attempt := 0;
    LOOP
        SELECT e.id, e.status, e.workflow_version, e.started_at, e.ended_at, e.error
        INTO execution_id, status, workflow_version, started_at, ended_at, error
        FROM kepler.executions AS e
        WHERE e.workspace_id = $2 AND CASE WHEN attempt = 0 THEN e.id = first ELSE e.retry_of = execution_id END;
        EXIT WHEN NOT FOUND OR (attempt > 0 AND execution_id = first);
        attempt := attempt + 1;
        RETURN NEXT;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.execution_retries(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.execution_retries(text,text) IS 'Internal: execution_retries, whose columns bear the names of its arguments';
CREATE FUNCTION kepler_internal.expected_tables()
 RETURNS TABLE(kind text, table_name text, name text, definition text)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
SELECT d.kind, d.table_name, d.name, d.definition
FROM regexp_split_to_table(kepler_internal.expected_tables_text(), '\n') AS l (line)
CROSS JOIN LATERAL jsonb_to_record(l.line::jsonb) AS d (kind text, table_name text, name text, definition text)
WHERE l.line <> ''
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.expected_tables() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.expected_tables() IS 'Internal: how install() makes Kepler''s tables, an object a row';
CREATE FUNCTION kepler_internal.expected_tables_text()
 RETURNS text
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT
AS 'MODULE_PATHNAME', 'expected_tables_text_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.expected_tables_text() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.expected_tables_text() IS 'Internal: the same, a JSON object a line';
CREATE FUNCTION kepler_internal.feed_cursor_of_part(workspace_id text)
 RETURNS text
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'feed_cursor_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.feed_cursor_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.feed_cursor_of_part(text) IS 'Internal: feed_cursor in the feed of the node where the workspace lies';
CREATE FUNCTION kepler_internal.feed_horizon_of_part(workspace_id text, OUT horizon xid8, OUT next_xid xid8, OUT held_by text, OUT pid integer, OUT prepared_transaction text, OUT database_name text, OUT role_name text, OUT state text, OUT began_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    oldest xid;
BEGIN
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    next_xid := pg_snapshot_xmax(pg_current_snapshot());
    IF horizon >= next_xid OR pg_is_in_recovery() THEN
        RETURN;
    END IF;
    -- Every transaction that changes something holds a lock on its own number, which everybody may see.
    SELECT k.pid, k.transactionid INTO pid, oldest FROM pg_locks AS k
    WHERE k.locktype = 'transactionid' AND k.mode = 'ExclusiveLock' AND k.granted
        AND k.transactionid = horizon::xid
    LIMIT 1;
    IF oldest IS NULL THEN
        RETURN;
    ELSIF pid IS NULL THEN
        held_by := 'prepared transaction';
        SELECT p.gid, p.database::text, p.owner::text, p.prepared INTO prepared_transaction, database_name, role_name, began_at
        FROM pg_prepared_xacts AS p WHERE p.transaction = oldest;
    ELSE
        held_by := 'session';
        SELECT a.datname::text, a.usename::text, a.state, a.xact_start INTO database_name, role_name, state, began_at
        FROM pg_stat_activity AS a WHERE a.pid = feed_horizon_of_part.pid;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.feed_horizon_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.feed_horizon_of_part(text) IS 'Internal: what holds the end of the feed back on the node where the workspace lies; without a workspace, on this node';
CREATE FUNCTION kepler_internal.feed_kept_for()
 RETURNS interval
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    -- Each node of a cluster drops its feed by age: a consumer's place there says nothing of the feed of another one.
    SELECT CASE
        WHEN kepler_internal.is_distributed() THEN
            coalesce((SELECT min(r.keep) FROM kepler.retention_policies AS r WHERE r.table_name = 'kepler.feed'), interval '30 days')
        WHEN NOT EXISTS (SELECT FROM kepler.retention_policies AS r WHERE r.table_name = 'kepler.feed') THEN interval '30 days' END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.feed_kept_for() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.feed_kept_for() IS 'Internal: how long maintain keeps the feed; NULL where a retention policy says it';
CREATE FUNCTION kepler_internal.feed_tables_elsewhere()
 RETURNS integer[]
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'feed_tables_elsewhere_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.feed_tables_elsewhere() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.feed_tables_elsewhere() IS 'Internal: numbers in the feed of tracked tables whose rows are on other nodes of a cluster, or on all of them';
CREATE FUNCTION kepler_internal.fill_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
BEGIN
    SELECT w.version INTO NEW.workflow_version FROM kepler.workflows AS w
    WHERE w.workspace_id = NEW.workspace_id AND w.id = NEW.workflow_id;
    IF NOT FOUND AND NEW.workflow_id IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('workflow "%s" does not exist in workspace "%s"', NEW.workflow_id, NEW.workspace_id);
    END IF;
    RETURN NEW;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.fill_workflow_version() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.fill_workflow_version() IS 'Trigger: the version of a run that is inserted without one';
CREATE FUNCTION kepler_internal.find_maintenance(OUT step text, OUT is_creation boolean, OUT drains boolean, OUT workspace_id text, OUT object text, OUT waits boolean, OUT error_code text, OUT error text, OUT took double precision)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET lock_timeout TO '1s'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
DECLARE
    known record;
    began timestamptz;
    workspaces text[] := '{}';
    objects text[] := '{}';
    steps text[] := '{}';
    more_workspaces text[];
    more_objects text[];
    is_distributed constant boolean := kepler_internal.is_distributed();
    in_parts boolean;
BEGIN
    FOR known IN
        SELECT s.step, s.is_creation, s.drains FROM kepler_internal.maintenance_steps() AS s
        LEFT JOIN kepler.maintenance AS m ON m.workspace_id = '' AND m.step = s.step AND m.object = ''
        WHERE m.next_at IS NULL OR m.next_at <= clock_timestamp()
    LOOP
        step := known.step;
        is_creation := known.is_creation;
        drains := known.drains;
        error_code := NULL;
        error := NULL;
        began := clock_timestamp();
        in_parts := is_distributed AND known.step IN ('reap_leases', 'abandon_executions', 'abandon_syncs', 'queue_backlog',
            'drop_backlog', 'expire_memories');
        BEGIN
            SELECT coalesce(array_agg(d.workspace_id), '{}'), coalesce(array_agg(d.object), '{}')
            INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due(known.step) AS d
            WHERE NOT in_parts;
            -- Of workspaces on other nodes their parts know.
            IF in_parts THEN
                SELECT coalesce(array_agg(d.workspace_id), '{}'), coalesce(array_agg(d.object), '{}')
                INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due_in_parts(known.step) AS d;
            END IF;
            IF is_distributed AND kepler_internal.is_step_of_each_node(known.step) THEN
                SELECT more_workspaces || coalesce(array_agg(d.workspace_id), '{}'), more_objects || coalesce(array_agg(d.object), '{}')
                INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due_on_nodes(known.step) AS d;
            END IF;
            workspaces := workspaces || more_workspaces;
            objects := objects || more_objects;
            steps := steps || array_fill(known.step, ARRAY[cardinality(more_objects)]);
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            error_code := SQLSTATE;
            error := left(kepler_internal.without_secrets(SQLERRM), 2000);
        END;
        took := extract(epoch FROM clock_timestamp() - began);
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    SELECT d.step, s.is_creation, s.drains, d.workspace_id, d.object,
        coalesce(m.next_at > clock_timestamp() AND (d.workspace_id, d.object) <> ('', ''), false), NULL::text, NULL::text,
        NULL::double precision
    FROM unnest(steps, workspaces, objects) WITH ORDINALITY AS d (step, workspace_id, object, place)
    JOIN kepler_internal.maintenance_steps() AS s ON s.step = d.step
    LEFT JOIN kepler.maintenance AS m ON m.workspace_id = d.workspace_id AND m.step = d.step AND m.object = d.object
    LEFT JOIN kepler.maintenance AS w ON w.workspace_id = '' AND w.step = d.step AND w.object = ''
    WHERE d.step = 'delete_workspace' OR NOT EXISTS (
        SELECT FROM kepler.workspaces AS w WHERE w.id = d.workspace_id AND w.deleting_at IS NOT NULL)
    ORDER BY s.is_creation DESC, coalesce(m.last_started_at, w.last_started_at, '-infinity'), d.place;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.find_maintenance() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.find_maintenance() IS 'Internal: what all steps of maintain find to do, what has waited longest first';
CREATE FUNCTION kepler_internal.find_secrets_of_part(relation regclass, include_possible boolean, part_of text)
 RETURNS TABLE(key jsonb, column_name text, path text, kind text, certainty text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
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
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.find_secrets_of_part(regclass,boolean,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.find_secrets_of_part(regclass,boolean,text) IS 'Internal: find_secrets in a part of a cluster, or here';
CREATE OR REPLACE FUNCTION kepler_internal.finish_execution(execution_id text, token text, status text, results jsonb, error text, workspace_id text, OUT outcome text, OUT stored_status kepler.execution_status, OUT ended_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    given_results ALIAS FOR $4;
    given_error ALIAS FOR $5;
    finished constant timestamptz := clock_timestamp();
    new_status kepler.execution_status;
    run record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'status', 'workspace_id'],
        ARRAY[$1, $2, $3, $6]);
    IF $3 NOT IN ('SUCCESS', 'FAILURE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "status" must be one of SUCCESS, FAILURE, not "%s"', $3);
    END IF;
    new_status := $3::kepler.execution_status;
    -- As the trigger of the table stores it: what is sent again is recognised, and late_finish has no secret either.
    IF current_setting('kepler.on_secret', true) IS DISTINCT FROM 'allow' THEN
        given_error := kepler_internal.without_secrets(given_error);
    END IF;

    SELECT e.status, e.results, e.error, e.late_finish, e.ended_at,
        e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2) AS has_token
    INTO run
    FROM kepler.executions AS e WHERE e.workspace_id = $6 AND e.id = $1
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    stored_status := run.status;
    ended_at := run.ended_at;
    IF NOT run.has_token THEN
        outcome := 'stale';
    ELSIF run.status = 'RUNNING' THEN
        UPDATE kepler.executions AS e
        SET status = new_status, ended_at = greatest(finished, e.started_at), results = given_results,
            error = given_error, updated_at = finished
        WHERE e.workspace_id = $6 AND e.id = $1
        RETURNING e.status, e.ended_at INTO stored_status, ended_at;
        -- What is not stored is not told as stored.
        IF stored_status IS DISTINCT FROM new_status THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the end of the execution was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        outcome := 'finished';
    ELSIF run.status IN ('ABANDONED', 'CANCELLED') THEN
        -- Too late to count, and still what happened.
        IF run.late_finish IS NULL THEN
            UPDATE kepler.executions AS e
            SET late_finish = jsonb_build_object('status', new_status, 'results', given_results,
                    'error', given_error, 'reported_at', finished),
                updated_at = finished
            WHERE e.workspace_id = $6 AND e.id = $1;
        END IF;
        outcome := 'stale';
    ELSIF (run.status, run.results, run.error) IS NOT DISTINCT FROM (new_status, given_results, given_error) THEN
        outcome := 'duplicate';
    ELSE
        outcome := 'stale';
    END IF;
END
$function$;
CREATE OR REPLACE FUNCTION kepler_internal.finish_import(head text, workspace_id text, statements text[], OUT relation regclass, OUT rows bigint)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    statement text;
    part record;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    FOR part IN
        SELECT r.*, (t.said ->> 'rows')::bigint AS said
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        LEFT JOIN jsonb_array_elements(head::jsonb -> 'tables') AS t (said) ON t.said ->> 'table' = r.key
        WHERE r.left_out IS NULL
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        -- Archives of 0.1.0 have no versions of workflows: triggers made one of each.
        IF rows <> coalesce(part.said, CASE part.key WHEN 'kepler.workflow_versions' THEN rows ELSE 0 END) THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('%s has %s rows after the import instead of %s', part.relation, rows, coalesce(part.said, 0)),
                DETAIL = 'The head of the archive says another number, or a trigger has added or left out rows. Nothing was imported.';
        END IF;
        relation := part.relation;
        IF rows > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    -- Last of all: what an import that fails has taken from a sequence does not come back.
    IF kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.continue_numbers_of_part(workspace_id);
        PERFORM kepler_internal.continue_numbers(workspace_id, false);
    ELSE
        PERFORM kepler_internal.continue_numbers(workspace_id, NULL);
    END IF;
END
$function$;
CREATE FUNCTION kepler_internal.former_views()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT coalesce(jsonb_strip_nulls(jsonb_object_agg(v.name, pg_get_viewdef(to_regclass('kepler_internal.former_' || v.name)))), '{}')
    FROM kepler_internal.views_of_parts() AS v WHERE kepler_internal.asks_parts(v.name)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.former_views() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.former_views() IS 'Internal: what views read before they asked the parts';
CREATE FUNCTION kepler_internal.given_schema_rights(owner oid, OUT schema oid, OUT grantee text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'off'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    roles text[] := '{}';
BEGIN
    IF to_regclass('kepler.blueprint_tables') IS NULL THEN
        RETURN;
    END IF;
    IF to_regclass('kepler.access_levels') IS NOT NULL THEN
        SELECT roles || array_agg(l.role_name) INTO roles FROM kepler.access_levels AS l;
    END IF;
    IF to_regclass('kepler.workspace_members') IS NOT NULL THEN
        SELECT roles || array_agg(m.role_name) INTO roles FROM kepler.workspace_members AS m;
    END IF;
    RETURN QUERY
    SELECT DISTINCT n.oid, pg_get_userbyid(x.grantee)::text
    FROM kepler.blueprint_tables AS t
    JOIN pg_namespace AS n ON n.nspname = t.schema_name AND n.nspowner = owner
    CROSS JOIN LATERAL aclexplode(n.nspacl) AS x
    WHERE x.grantor = owner AND x.grantee <> owner AND x.privilege_type = 'USAGE' AND NOT x.is_grantable
        AND pg_get_userbyid(x.grantee) = ANY (roles);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.given_schema_rights(oid) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.given_schema_rights(oid) IS 'Internal: the rights on schemas of others that roles have for tables of blueprints';
CREATE OR REPLACE FUNCTION kepler_internal.guard_execution()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    has_ended constant boolean := OLD.status NOT IN ('RUNNING', 'WAITING');
    kept text;
BEGIN
    IF NEW.status <> OLD.status THEN
        IF NOT EXISTS (SELECT FROM kepler.execution_transitions() AS t
                       WHERE t.from_status = OLD.status AND t.to_status = NEW.status) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'integrity_constraint_violation',
                MESSAGE = format('execution "%s" cannot go from %s to %s', OLD.id, OLD.status, NEW.status),
                DETAIL = (SELECT 'Legal: ' || string_agg(format('%s to %s', t.from_status, t.to_status), ', ')
                          FROM kepler.execution_transitions() AS t) || '.',
                HINT = 'Start another execution.';
        END IF;
        IF NEW.status NOT IN ('RUNNING', 'WAITING') THEN
            NEW.ended_at := coalesce(NEW.ended_at, greatest(clock_timestamp(), NEW.started_at));
        END IF;
    END IF;
    kept := concat_ws(', ',
        CASE WHEN NEW.id <> OLD.id THEN 'id' END,
        CASE WHEN NEW.workflow_id <> OLD.workflow_id THEN 'workflow_id' END,
        CASE WHEN NEW.workflow_version IS DISTINCT FROM OLD.workflow_version THEN 'workflow_version' END,
        CASE WHEN NEW.retry_of IS DISTINCT FROM OLD.retry_of THEN 'retry_of' END,
        CASE WHEN NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id THEN 'user_id' END,
        CASE WHEN NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN 'idempotency_key' END,
        CASE WHEN NEW.started_at <> OLD.started_at THEN 'started_at' END,
        -- Whoever goes on with a run that waited holds a token of their own.
        CASE WHEN NEW.token_hash IS DISTINCT FROM OLD.token_hash
            AND (OLD.status, NEW.status) <> ('WAITING', 'RUNNING') THEN 'token_hash' END,
        CASE WHEN has_ended AND NEW.ended_at IS DISTINCT FROM OLD.ended_at THEN 'ended_at' END,
        CASE WHEN has_ended AND NEW.results IS DISTINCT FROM OLD.results THEN 'results' END,
        CASE WHEN has_ended AND NEW.error IS DISTINCT FROM OLD.error THEN 'error' END,
        CASE WHEN NEW.late_finish IS DISTINCT FROM OLD.late_finish
            AND (OLD.late_finish IS NOT NULL OR OLD.status NOT IN ('ABANDONED', 'CANCELLED')) THEN 'late_finish' END);
    IF kept <> '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('cannot change execution "%s": %s', OLD.id, kept),
            DETAIL = format('It is %s.', OLD.status),
            HINT = 'Keep your own notes in metadata.';
    END IF;
    -- Who asked has let go of the run, and does not hold it again by the token from before, whatever became of the question.
    IF OLD.status = 'WAITING' AND NEW.status = 'RUNNING' AND NEW.token_hash = OLD.token_hash THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('execution "%s" cannot go on under the token from before', OLD.id),
            DETAIL = 'Whoever goes on with a run that waited holds a token of their own.',
            HINT = 'Call answer_execution, then resume_execution, which gives another token; or cancel_execution.';
    END IF;
    IF OLD.status = 'WAITING' AND NEW.status <> 'WAITING' THEN
        UPDATE kepler.execution_questions AS q SET closed_at = clock_timestamp()
        WHERE q.workspace_id = OLD.workspace_id AND q.execution_id = OLD.id AND q.closed_at IS NULL;
    END IF;
    RETURN NEW;
END
$function$;
CREATE FUNCTION kepler_internal.guard_execution_question()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    kept text;
BEGIN
    kept := concat_ws(', ',
        CASE WHEN NEW.execution_id <> OLD.execution_id THEN 'execution_id' END,
        CASE WHEN NEW.number <> OLD.number THEN 'number' END,
        CASE WHEN NEW.question <> OLD.question THEN 'question' END,
        CASE WHEN NEW.created_at <> OLD.created_at THEN 'created_at' END,
        -- Foreign keys may empty who was asked and who answered.
        CASE WHEN NEW.user_id <> OLD.user_id OR (OLD.user_id IS NULL AND NEW.user_id IS NOT NULL) THEN 'user_id' END,
        CASE WHEN NEW.due_at IS DISTINCT FROM OLD.due_at THEN 'due_at' END,
        CASE WHEN OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at THEN 'closed_at' END,
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answered_at IS DISTINCT FROM OLD.answered_at THEN 'answered_at' END,
        -- erase_user takes out what the person wrote.
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answer IS DISTINCT FROM OLD.answer AND NEW.answer IS DISTINCT FROM '"[erased]"' THEN 'answer' END,
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answered_by IS NOT NULL AND NEW.answered_by IS DISTINCT FROM OLD.answered_by THEN 'answered_by' END);
    IF kept <> '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('cannot change question %s of execution "%s": %s', OLD.number, OLD.execution_id, kept),
            DETAIL = CASE WHEN OLD.answered_at IS NOT NULL THEN 'It is answered.'
                WHEN OLD.closed_at IS NOT NULL THEN 'Its run no longer waits for an answer.'
                ELSE 'What was asked stays as it was asked.' END;
    END IF;
    RETURN NEW;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.guard_execution_question() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.guard_execution_question() IS 'Trigger: refuses direct SQL that would falsify a question or its answer';
CREATE FUNCTION kepler_internal.guard_inbox(is_needed boolean)
 RETURNS void
 LANGUAGE c
 STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'guard_inbox_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.guard_inbox(boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.guard_inbox(boolean) IS 'Internal: puts the check in its place that says on a cluster whose a row of the inbox is, or takes it away, with the rights that need it';
CREATE FUNCTION kepler_internal.guard_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Row security refuses the row next, with the same answer whatever the other workspace holds.
        IF row_security_active(TG_RELID) AND NEW.workspace_id <> kepler.current_workspace_id() THEN
            RETURN NEW;
        END IF;
        IF NOT EXISTS (
            SELECT FROM kepler.workflows AS w
            WHERE w.workspace_id = NEW.workspace_id AND w.id = NEW.workflow_id AND w.version = NEW.version
                AND (w.trigger, w.actions, w.required_providers, w.intent)
                    IS NOT DISTINCT FROM (NEW.trigger, NEW.actions, NEW.required_providers, NEW.intent)
        ) AND NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = TG_RELID), 'USAGE') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'integrity_constraint_violation',
                MESSAGE = format('version %s of workflow "%s" is not the one that the workflow has', NEW.version, NEW.workflow_id),
                HINT = 'Change the workflow: that makes another version.';
        END IF;
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('version %s of workflow "%s" cannot change', OLD.version, OLD.workflow_id),
            HINT = 'Change the workflow: that makes another version.';
    ELSIF EXISTS (
        SELECT FROM kepler.workflows AS w
        WHERE w.workspace_id = OLD.workspace_id AND w.id = OLD.workflow_id AND w.version = OLD.version
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('version %s of workflow "%s" cannot be deleted', OLD.version, OLD.workflow_id),
            DETAIL = 'It is the one that the workflow has now.';
    END IF;
    RETURN OLD;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.guard_workflow_version() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.guard_workflow_version() IS 'Trigger: refuses to change a version of a workflow, and to delete the current one';
CREATE FUNCTION kepler_internal.has_old_changes(keep interval)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT EXISTS (
            SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '^feed_[0-9]{8}$'
                AND to_date(right(c.relname, 8), 'YYYYMMDD') + interval '7 days' < clock_timestamp() - keep)
        OR EXISTS (SELECT FROM kepler.feed_default AS f WHERE f.created_at < clock_timestamp() - keep)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.has_old_changes(interval) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.has_old_changes(interval) IS 'Internal: whether the feed holds changes that are older';
CREATE FUNCTION kepler_internal.has_unsealed_changes()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    last kepler.history_seals;
    present constant integer := (SELECT max(e.epoch) FROM kepler.feed_epochs AS e);
    horizon constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
    SELECT * INTO last FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1;
    last.epoch := coalesce(last.epoch, 0);
    last.xid := coalesce(last.xid, '0');
    last.sequence := coalesce(last.sequence, -1);
    RETURN EXISTS (
        SELECT FROM (
            (SELECT h.epoch, h.xid FROM kepler.history AS h WHERE (h.epoch, h.xid, h.sequence) > (last.epoch, last.xid, last.sequence)
            ORDER BY h.epoch, h.xid, h.sequence LIMIT 1)
            UNION ALL
            (SELECT t.epoch, t.xid FROM kepler.history_transactions AS t
            WHERE (t.epoch, t.xid, t.sequence) > (last.epoch, last.xid, last.sequence)
            ORDER BY t.epoch, t.xid, t.sequence LIMIT 1)
            UNION ALL
            (SELECT c.epoch, c.xid FROM kepler.history_shapes AS c WHERE (c.epoch, c.xid, c.id) > (last.epoch, last.xid, last.sequence)
            ORDER BY c.epoch, c.xid, c.id LIMIT 1)
            UNION ALL
            (SELECT r.epoch, r.xid FROM kepler.history_redactions AS r WHERE (r.epoch, r.xid, r.id) > (last.epoch, last.xid, last.sequence)
            ORDER BY r.epoch, r.xid, r.id LIMIT 1)
        ) AS n
        WHERE n.epoch < present OR n.xid < horizon);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.has_unsealed_changes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.has_unsealed_changes() IS 'Internal: whether there is something to seal';
CREATE FUNCTION kepler_internal.held_by_tables(relations regclass[])
 RETURNS regclass[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'off'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    relation regclass;
    is_held boolean;
    held regclass[] := '{}';
BEGIN
    FOREACH relation IN ARRAY relations LOOP
        CONTINUE WHEN relation::text = ANY (
            '{kepler.schema_versions,kepler.access_levels,kepler.workspace_members,kepler.tracked_tables,kepler.feed_epochs,kepler.maintenance}');
        EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s AS t%s)', relation,
            CASE relation::text WHEN 'kepler.workspaces' THEN $c$ WHERE t.id OPERATOR(pg_catalog.<>) 'default'$c$ END) INTO is_held;
        -- A partition is a part of the table that users know.
        relation := coalesce(pg_partition_root(relation), relation);
        IF is_held AND relation <> ALL (held) THEN
            held := held || relation;
        END IF;
    END LOOP;
    RETURN held;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.held_by_tables(regclass[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.held_by_tables(regclass[]) IS 'Internal: which tables hold more than install() put there';
CREATE OR REPLACE FUNCTION kepler_internal.held_by_workspace(workspace_id text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    held text[];
BEGIN
    IF NOT kepler_internal.is_distributed() THEN
        RETURN kepler_internal.held_in_tables(workspace_id, NULL);
    END IF;
    held := string_to_array(kepler_internal.held_by_workspace_of_part(workspace_id), ', ')
        || string_to_array(kepler_internal.held_in_tables(workspace_id, false), ', ');
    RETURN (
        SELECT string_agg(r.relation::text, ', ' ORDER BY r.position) FROM kepler_internal.workspace_relations(workspace_id) AS r
        WHERE r.relation::text = ANY (held));
END
$function$;
CREATE FUNCTION kepler_internal.held_by_workspace_of_part(workspace_id text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ BEGIN RETURN kepler_internal.held_in_tables(workspace_id, true); END $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.held_by_workspace_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.held_by_workspace_of_part(text) IS 'Internal: which tables in the part of a workspace hold rows of it';
CREATE FUNCTION kepler_internal.held_in_tables(workspace_id text, in_part boolean)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    is_held boolean;
    held text[] := '{}';
BEGIN
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r
        WHERE r.left_out IS NULL
            AND (in_part IS NULL OR coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part)
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s%s)', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO is_held USING workspace_id;
        PERFORM kepler_internal.require_unrewritten(part.relation);
        IF is_held THEN
            held := held || part.relation::text;
        END IF;
    END LOOP;
    RETURN nullif(array_to_string(held, ', '), '');
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.held_in_tables(text,boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.held_in_tables(text,boolean) IS 'Internal: which tables hold rows of a workspace, in a part of a cluster or elsewhere';
CREATE FUNCTION kepler_internal.history_elsewhere(relation regclass, id text, since timestamp with time zone, max_rows bigint, workspace_id text, OUT told text[], OUT asked integer[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    node record;
BEGIN
    PERFORM kepler_internal.require_active_nodes();
    told := '{}';
    asked := '{}';
    FOR node IN EXECUTE
        'SELECT n.groupid, n.nodename AS name, n.nodeport AS port, k.part, n.groupid = l.groupid AS is_here
         FROM pg_catalog.pg_dist_node AS n
         CROSS JOIN (SELECT min(g.groupid) AS groupid FROM pg_catalog.pg_dist_local_group AS g) AS l
         LEFT JOIN (
             SELECT p.groupid, min(k.key) AS part FROM kepler_internal.part_keys() AS k (key)
             JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k.key)
             GROUP BY p.groupid) AS k ON k.groupid = n.groupid
         WHERE n.noderole = ''primary'' AND n.groupid <> (
             SELECT p.groupid FROM pg_catalog.pg_dist_placement AS p
             WHERE p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', $1))
         ORDER BY n.groupid' USING workspace_id
    LOOP
        told := told || CASE WHEN node.part IS NOT NULL OR node.is_here
            THEN kepler_internal.history_of_part(relation, id, since, max_rows, workspace_id, node.part)
            ELSE kepler_internal.run_on_idle_node(node.name, node.port, format(
                'SELECT kepler_internal.history_of_part(to_regclass(%L), %L, %L, %L, kepler_internal.look_into_node(%L), NULL)',
                relation, id, since, max_rows, workspace_id)) END;
        asked := asked || node.groupid::integer;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.history_elsewhere(regclass,text,timestamp with time zone,bigint,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.history_elsewhere(regclass,text,timestamp with time zone,bigint,text) IS 'Internal: what nodes of a cluster have of the history of a row, but for the one where the row lies';
CREATE FUNCTION kepler_internal.history_of_part(relation regclass, id text, since timestamp with time zone, max_rows bigint, workspace_id text, part_of text)
 RETURNS text
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'history_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.history_of_part(regclass,text,timestamp with time zone,bigint,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.history_of_part(regclass,text,timestamp with time zone,bigint,text,text) IS 'Internal: what a node of a cluster has of the history of a row';
CREATE OR REPLACE FUNCTION kepler_internal.import_lines(workspace_id text, lines text[], numbers bigint[], is_last boolean)
 RETURNS bigint[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    later bigint[] := '{}';
    in_part boolean;
    those record;
BEGIN
    IF NOT kepler_internal.is_distributed() THEN
        RETURN kepler_internal.import_lines_here(workspace_id, lines, numbers, is_last);
    END IF;
    -- What lies in a part and what does not refer to nothing of each other.
    FOREACH in_part IN ARRAY ARRAY[true, false] LOOP
        SELECT array_agg(l.line ORDER BY l.number) AS lines, array_agg(l.number ORDER BY l.number) AS numbers INTO those
        FROM unnest(lines, numbers) AS l (line, number)
        CROSS JOIN LATERAL (SELECT substring(l.line FROM '^[{]"table":("([^"\\]|\\.)*"),"row":')::json #>> '{}' AS key) AS k
        LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = k.key
        WHERE coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part;
        CONTINUE WHEN those.lines IS NULL;
        later := later || CASE WHEN in_part
            THEN kepler_internal.import_lines_of_part(workspace_id, those.lines, those.numbers, is_last)
            ELSE kepler_internal.import_lines_here(workspace_id, those.lines, those.numbers, is_last) END;
    END LOOP;
    RETURN later;
END
$function$;
CREATE FUNCTION kepler_internal.import_lines_here(workspace_id text, lines text[], numbers bigint[], is_last boolean)
 RETURNS bigint[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    part record;
    later bigint[] := '{}';
BEGIN
    FOR part IN
        SELECT g.key, r.kind, r.relation, r.tenant_column, g.lines, g.numbers,
            CASE WHEN r.relation IS NOT NULL THEN kepler_internal.import_statement(r.relation, r.tenant_column, ARRAY(
                SELECT a.name FROM kepler_internal.archived_columns(r.relation, r.tenant_column) AS a)) END AS statement
        FROM (
            SELECT k.key, min(l.number) AS first, array_agg(l.line ORDER BY l.number) AS lines,
                array_agg(l.number ORDER BY l.number) AS numbers
            FROM unnest(lines, numbers) AS l (line, number)
            CROSS JOIN LATERAL (SELECT substring(l.line FROM '^[{]"table":("([^"\\]|\\.)*"),"row":')::json #>> '{}' AS key) AS k
            GROUP BY k.key
        ) AS g
        LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = g.key AND r.left_out IS NULL
        ORDER BY g.first
    LOOP
        IF part.statement IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('line %s of the archive cannot be imported', part.numbers[1]),
                DETAIL = format('/table: there is no table %s. Nothing was imported.', coalesce(part.key, '?'));
        END IF;
        BEGIN
            PERFORM kepler_internal.refuse_members(part.lines, part.numbers, ARRAY(
                SELECT a.name FROM kepler_internal.archived_columns(part.relation, part.tenant_column) AS a));
            PERFORM kepler_internal.refuse_numbers(part.lines, part.numbers, n.column_name, n.highest, n.most)
            FROM kepler_internal.numbered_columns(part.relation) AS n WHERE part.tenant_column IS NOT NULL;
            EXECUTE part.statement
            USING ARRAY(SELECT kepler_internal.archived_row(l.line) FROM unnest(part.lines) WITH ORDINALITY AS l (line, at) ORDER BY l.at),
                workspace_id;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
            IF SQLSTATE <> '23503' OR part.kind <> 'blueprint table' OR is_last THEN
                PERFORM kepler_internal.refuse_lines(part.statement, part.relation, part.tenant_column, part.lines, part.numbers, workspace_id);
                RAISE;
            END IF;
            FOR at IN 1 .. cardinality(part.lines) LOOP
                BEGIN
                    EXECUTE part.statement USING ARRAY[kepler_internal.archived_row(part.lines[at])], workspace_id;
                EXCEPTION
                    WHEN foreign_key_violation THEN
                        later := later || part.numbers[at];
                    WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
                        PERFORM kepler_internal.refuse_lines(
                            part.statement, part.relation, part.tenant_column, part.lines[at : at], part.numbers[at : at], workspace_id);
                        RAISE;
                END;
            END LOOP;
        END;
    END LOOP;
    RETURN later;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.import_lines_here(text,text[],bigint[],boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.import_lines_here(text,text[],bigint[],boolean) IS 'Internal: writes lines of an archive to tables that lie here';
CREATE FUNCTION kepler_internal.import_lines_of_part(workspace_id text, lines text[], numbers bigint[], is_last boolean)
 RETURNS bigint[]
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'import_lines_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.import_lines_of_part(text,text[],bigint[],boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.import_lines_of_part(text,text[],bigint[],boolean) IS 'Internal: writes lines of an archive in the part of the workspace';
CREATE OR REPLACE FUNCTION kepler_internal.import_space(definition jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    existing record;
BEGIN
    SELECT s.model, s.dimensions, s.metric::text AS metric INTO existing
    FROM kepler.embedding_spaces AS s WHERE s.name = definition ->> 'name';
    IF NOT FOUND THEN
        PERFORM kepler.create_embedding_space(definition ->> 'name', (definition ->> 'dimensions')::integer,
            definition ->> 'model', definition ->> 'metric');
        IF definition ->> 'search_width' IS NOT NULL THEN
            PERFORM kepler.set_search_width(definition ->> 'name', (definition ->> 'search_width')::integer);
        END IF;
    ELSIF (existing.model, existing.dimensions, existing.metric)
        IS DISTINCT FROM (definition ->> 'model', (definition ->> 'dimensions')::integer, definition ->> 'metric')
    THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('embedding space "%s" is another one here', definition ->> 'name'),
            DETAIL = format('Here it is of the model %s with %s dimensions (%s), in the archive of %s with %s (%s).',
                existing.model, existing.dimensions, existing.metric,
                definition ->> 'model', definition ->> 'dimensions', definition ->> 'metric'),
            HINT = 'Import into a database without a space of this name.';
    END IF;
END
$function$;
CREATE OR REPLACE FUNCTION kepler_internal.index_advice(relation regclass)
 RETURNS TABLE(table_name regclass, column_name text, row_count bigint, advice text, statement text, build_memory bigint, reason text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
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
$function$;
CREATE FUNCTION kepler_internal.install_on_node()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    name text;
BEGIN
    IF to_regclass('kepler.schema_versions') IS NOT NULL THEN RETURN; END IF;
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('DROP VIEW %s CASCADE', name);
    END LOOP;
    PERFORM kepler.install();
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.install_on_node() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.install_on_node() IS 'Internal: installs Kepler on a worker of a cluster';
CREATE FUNCTION kepler_internal.is_counted(relation regclass, name name, whose text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    lies text;
BEGIN
    -- Shards are seen on workers.
    IF name IN ('parts', 'two_phase') OR name ~ '_[0-9]+$' THEN RETURN false; END IF;
    lies := kepler_internal.lies_now(relation);
    RETURN CASE whose
        WHEN 'of part' THEN coalesce(lies = 'by workspace', false)
        WHEN 'of node' THEN lies IS NULL AND kepler_internal.each_node_has(name)
        ELSE lies IS DISTINCT FROM 'by workspace' END;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.is_counted(regclass,name,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.is_counted(regclass,name,text) IS 'Internal: whether metrics() count a table here';
CREATE FUNCTION kepler_internal.is_distributed()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN coalesce(kepler_internal.lies_now(to_regclass('kepler.parts')) IS NOT NULL, false);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.is_distributed() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.is_distributed() IS 'Internal: whether Kepler''s tables are distributed';
CREATE FUNCTION kepler_internal.is_step_of_each_node(step text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT step IN ('make_feed_partitions', 'make_history_partitions', 'seal_history', 'drop_old_changes') $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.is_step_of_each_node(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.is_step_of_each_node(text) IS 'Internal: whether each node of a cluster does a step of maintain for itself';
CREATE FUNCTION kepler_internal.is_undercut(keep interval, floor interval)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT CASE
        WHEN floor > interval '5000 years' THEN true
        -- All days of a leap year and the three around it.
        ELSE (SELECT bool_or(d.day - keep > d.day - floor)
              FROM generate_series('2001-01-01'::timestamp, '2004-12-31', '1 day') AS d (day))
    END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.is_undercut(interval,interval) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.is_undercut(interval,interval) IS 'Internal: whether a time to keep is shorter than a floor, on any day';
CREATE FUNCTION kepler_internal.keep_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
        DELETE FROM kepler.workflow_versions AS v WHERE v.workspace_id = OLD.workspace_id AND v.workflow_id = OLD.id;
    END IF;
    INSERT INTO kepler.workflow_versions (workspace_id, workflow_id, version, name, intent, trigger, actions, required_providers)
    SELECT NEW.workspace_id, NEW.id, NEW.version, NEW.name, NEW.intent, NEW.trigger, NEW.actions, NEW.required_providers
    WHERE NOT EXISTS (
        SELECT FROM kepler.workflow_versions AS v
        WHERE v.workspace_id = NEW.workspace_id AND v.workflow_id = NEW.id AND v.version = NEW.version
            AND (v.trigger, v.actions, v.required_providers, v.intent)
                IS NOT DISTINCT FROM (NEW.trigger, NEW.actions, NEW.required_providers, NEW.intent));
    RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.keep_workflow_version() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.keep_workflow_version() IS 'Trigger: keeps the definition that a workflow has got';
CREATE FUNCTION kepler_internal.kept_by_references(relation oid, role oid)
 RETURNS TABLE(joined text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT format('%s AS r WHERE %s', k.conrelid::regclass, kepler_internal.reference_condition(k.oid, 'e', 'r'))
    FROM kepler_internal.references_to(relation) AS f (id)
    JOIN pg_constraint AS k ON k.oid = f.id AND k.confdeltype IN ('a', 'r')
    JOIN pg_class AS c ON c.oid = k.conrelid
    WHERE has_table_privilege(role, c.oid, 'SELECT')
        AND NOT (c.relrowsecurity AND (c.relforcerowsecurity OR c.relowner <> role))
        AND EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = ANY (k.conkey))
    ORDER BY k.conrelid::regclass::text, k.oid
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.kept_by_references(oid,oid) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.kept_by_references(oid,oid) IS 'Internal: the references that keep a row, of tables that a role can read by an index';
CREATE FUNCTION kepler_internal.lacks_partitions(log text, period text, ahead integer)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT EXISTS (
        SELECT FROM generate_series(0, ahead) AS g (n)
        WHERE to_regclass(format('kepler.%I', log || '_'
            || to_char(date_trunc(period, clock_timestamp()) + g.n * ('1 ' || period)::interval, 'YYYYMMDD'))) IS NULL)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.lacks_partitions(text,text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.lacks_partitions(text,text,integer) IS 'Internal: whether a partition of the feed or of the history is missing';
CREATE FUNCTION kepler_internal.leased_types(OUT workspace_id text, OUT entity_type text, OUT deadline timestamp with time zone)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    WITH RECURSIVE t AS (
        (SELECT l.workspace_id, l.entity_type, l.deadline FROM kepler.leases AS l
        ORDER BY l.workspace_id, l.entity_type, l.deadline LIMIT 1)
        UNION ALL
        SELECT n.* FROM t CROSS JOIN LATERAL (
            SELECT l.workspace_id, l.entity_type, l.deadline FROM kepler.leases AS l
            WHERE (l.workspace_id, l.entity_type) > (t.workspace_id, t.entity_type)
            ORDER BY l.workspace_id, l.entity_type, l.deadline LIMIT 1) AS n
    )
    SELECT t.workspace_id, t.entity_type, t.deadline FROM t
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.leased_types() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.leased_types() IS 'Internal: types with leases, and the first deadline of each';
CREATE OR REPLACE FUNCTION kepler_internal.left_out_of_archives(OUT key text, OUT reason text)
 RETURNS SETOF record
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
VALUES
    ('kepler.feed', 'a log of this database; what is imported is told to the feed of that one'),
    ('kepler.feed_dropped', 'positions in the feed of this database'),
    ('kepler.history', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.history_transactions', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.history_redactions', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.consumers', 'positions in the feed of this database'),
    ('kepler.maintenance', 'what was done here, and when'),
    ('kepler.retention_policies', 'they name tables of this database; set_retention is called anew'),
    ('kepler.tracked_tables', 'what is tracked is decided in each database; track is called anew'),
    ('kepler.workspace_members', 'roles of this server; grant_access gives rights in the other one')
$function$;
CREATE FUNCTION kepler_internal.levels_here(OUT role text, OUT level text, OUT workspace text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT r.rolname::text, l.level, l.workspace
    FROM (
        SELECT 'kepler.access_levels'::regclass, a.role_name, a.level, NULL::text, a.granted_to FROM kepler.access_levels AS a
        UNION ALL
        SELECT 'kepler.workspace_members'::regclass, m.role_name, m.level, m.workspace_id, m.granted_to FROM kepler.workspace_members AS m
    ) AS l (list, role_name, level, workspace, granted_to)
    CROSS JOIN (SELECT p.system_identifier::text FROM pg_control_system() AS p) AS c (own)
    JOIN pg_roles AS r ON CASE WHEN split_part(l.granted_to, '/', 1) = c.own THEN l.granted_to = concat(c.own, '/', r.oid)
        ELSE r.rolname = l.role_name AND EXISTS (
            SELECT FROM pg_class AS t CROSS JOIN LATERAL aclexplode(t.relacl) AS x
            WHERE t.oid = l.list AND x.grantee = r.oid AND x.privilege_type = 'SELECT') END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.levels_here() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.levels_here() IS 'Internal: the levels of access that roles of this node have';
CREATE FUNCTION kepler_internal.lies_now(relation regclass)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    lies text;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN RETURN NULL; END IF;
    EXECUTE 'SELECT CASE p.partmethod WHEN ''h'' THEN ''by workspace'' WHEN ''n'' THEN ''everywhere'' END
             FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = $1' INTO lies USING relation;
    RETURN lies;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.lies_now(regclass) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.lies_now(regclass) IS 'Internal: how a table lies, as Citus knows it';
CREATE FUNCTION kepler_internal.lock_memories(workspace_id text)
 RETURNS void
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'lock_memories_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.lock_memories(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.lock_memories(text) IS 'Internal: keeps others from writing memories of a workspace until the transaction ends';
CREATE OR REPLACE FUNCTION kepler_internal.lock_relations(relations regclass[], modes text[], lock_timeout_ms integer, max_attempts integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
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
$function$;
CREATE FUNCTION kepler_internal.look_at_retention_of_part(policy_id bigint, part_of text, OUT row_count bigint, OUT is_estimate boolean, OUT oldest_at timestamp with time zone, OUT missing_index text)
 RETURNS record
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'look_at_retention_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.look_at_retention_of_part(bigint,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.look_at_retention_of_part(bigint,text) IS 'Internal: what a policy of retention would delete in a part of a cluster';
CREATE FUNCTION kepler_internal.look_into_node(workspace_id text)
 RETURNS text
 LANGUAGE c
 STRICT
AS 'MODULE_PATHNAME', 'look_into_node_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.look_into_node(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.look_into_node(text) IS 'Internal: begins to look into what a node of a cluster without parts has for itself of a workspace; gives the workspace';
CREATE FUNCTION kepler_internal.look_into_part(workspace_id text, settings text[])
 RETURNS text
 LANGUAGE c
 STRICT
AS 'MODULE_PATHNAME', 'look_into_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.look_into_part(text,text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.look_into_part(text,text[]) IS 'Internal: begins a call that was sent to a part of a cluster, whatever workspaces lie there; gives the id that named the part';
CREATE FUNCTION kepler_internal.made_objects(owner oid, names text[], OUT kind text, OUT class oid, OUT id oid, OUT object text, OUT relation regclass, OUT drop_command text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'off'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    relations oid[];
    kinds text[];
    lists constant text[] := ARRAY[
        -- Entry tables; those that were dropped, and wait to be purged, too.
        'entry_tables', $q$SELECT 'entry table', 'kepler_data', e.table_name, 'rp' FROM kepler.entry_tables AS e$q$,
        'embedding_spaces', $q$SELECT 'embedding table', 'kepler_data', n.name, 'r' FROM kepler.embedding_spaces AS s
            CROSS JOIN LATERAL (VALUES (s.memory_table_name), (s.message_table_name)) AS n (name)$q$,
        -- What was there before stays; the tables may be those of 0.1.0, which do not say so.
        'blueprint_tables', $q$SELECT 'blueprint table', t.schema_name, t.table_name, 'r' FROM kepler.blueprint_tables AS t
            WHERE (to_jsonb(t) ->> 'adopted') IS DISTINCT FROM 'true'$q$];
    made record;
BEGIN
    WITH RECURSIVE own AS (
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('kepler') AND c.relname = ANY (names) AND c.relkind IN ('r', 'p', 'v', 'S')
            AND c.relowner = owner
        UNION
        -- Its own partitions. One that is elsewhere, or somebody else's, was attached by hand.
        SELECT c.oid FROM own AS o
        JOIN pg_inherits AS i ON i.inhparent = o.oid
        JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition AND c.relowner = owner
            AND c.relnamespace = to_regnamespace('kepler')
    )
    SELECT array_agg(c.oid ORDER BY c.relname), array_agg(
            CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END ORDER BY c.relname)
    INTO relations, kinds
    FROM own AS o JOIN pg_class AS c ON c.oid = o.oid;
    FOR at IN 1 .. cardinality(lists) BY 2 LOOP
        CONTINUE WHEN to_regclass('kepler.' || lists[at]) IS NULL;
        FOR made IN EXECUTE format(
            'SELECT l.kind, c.oid FROM (%s) AS l (kind, schema_name, table_name, relkinds)
             JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) l.schema_name::pg_catalog.name
             JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
                 AND c.relname OPERATOR(pg_catalog.=) l.table_name::pg_catalog.name
                 AND c.relowner OPERATOR(pg_catalog.=) $1
                 AND pg_catalog.strpos(l.relkinds, c.relkind::pg_catalog.text) OPERATOR(pg_catalog.>) 0
             ORDER BY n.nspname, c.relname', lists[at + 1]) USING owner
        LOOP
            relations := relations || made.oid;
            kinds := kinds || made.kind::text;
        END LOOP;
    END LOOP;
    -- What track() put on tables that are not Kepler's.
    RETURN QUERY
    SELECT 'trigger', 'pg_trigger'::regclass::oid, g.oid, pg_describe_object('pg_trigger'::regclass, g.oid, 0), g.tgrelid::regclass,
        format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass)
    FROM pg_trigger AS g
    WHERE g.tgfoid IN ('kepler_internal.tell_feed()'::regprocedure, 'kepler_internal.tell_history()'::regprocedure)
        AND g.tgparentid = 0 AND NOT g.tgisinternal AND g.tgrelid <> ALL (coalesce(relations, '{}'))
    ORDER BY 4;
    RETURN QUERY
    SELECT o.kind, 'pg_class'::regclass::oid, o.oid, o.oid::regclass::text, o.oid::regclass,
        CASE o.kind WHEN 'sequence' THEN format('DROP SEQUENCE %s', o.oid::regclass) END
    FROM ROWS FROM (unnest(kinds), unnest(relations)) WITH ORDINALITY AS o (kind, oid, at)
    -- Views read tables; defaults of tables may read a sequence.
    ORDER BY CASE o.kind WHEN 'view' THEN 1 WHEN 'sequence' THEN 3 ELSE 2 END, o.at;
    IF to_regclass('kepler.blueprint_enums') IS NOT NULL THEN
        RETURN QUERY
        SELECT 'enum', 'pg_type'::regclass::oid, t.oid, t.oid::regtype::text, NULL::regclass, format('DROP TYPE %s', t.oid::regtype)
        FROM (SELECT * FROM kepler.blueprint_enums AS e WHERE (to_jsonb(e) ->> 'adopted') IS DISTINCT FROM 'true') AS e
        JOIN pg_namespace AS n ON n.nspname = e.schema_name
        JOIN pg_type AS t ON t.typnamespace = n.oid AND t.typname = e.type_name AND t.typtype = 'e' AND t.typowner = owner
        ORDER BY 4;
    END IF;
    RETURN QUERY
    SELECT 'schema', 'pg_namespace'::regclass::oid, n.oid, format('%I', n.nspname), NULL::regclass,
        format('DROP SCHEMA %I', n.nspname)
    FROM pg_namespace AS n
    WHERE n.nspowner = owner AND n.nspname = ANY (kepler_internal.made_schemas())
    ORDER BY n.nspname;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.made_objects(oid,text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.made_objects(oid,text[]) IS 'Internal: what Kepler made that is no member of the extension';
CREATE FUNCTION kepler_internal.made_schemas()
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'off'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    schemas text[] := '{}';
BEGIN
    IF to_regclass('kepler.blueprints') IS NOT NULL THEN
        SELECT coalesce(array_agg(DISTINCT s.name), '{}') INTO schemas
        FROM kepler.blueprints AS b CROSS JOIN LATERAL unnest(b.made_schemas) AS s (name);
    END IF;
    RETURN schemas || 'kepler_data'::text;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.made_schemas() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.made_schemas() IS 'Internal: the schemas that Kepler made beside those of the extension';
CREATE FUNCTION kepler_internal.maintain_node(step text, node text, max_rows integer, OUT done bigint, OUT is_over boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    of record;
BEGIN
    done := 0;
    is_over := true;
    SELECT * INTO of FROM kepler_internal.other_nodes() AS n WHERE format('%s:%s', n.name, n.port) = node;
    IF NOT FOUND THEN RETURN; END IF;
    done := kepler_internal.run_on_node(of.name, of.port, of.part,
        format('SELECT p.done FROM kepler_internal.maintain_part(%L, '''', '''', %L, NULL) AS p', step, max_rows))::bigint;
    IF step NOT LIKE 'make\_%' AND done > 0 THEN
        is_over := kepler_internal.run_on_node(of.name, of.port, of.part,
            format('SELECT count(*) FROM kepler_internal.maintenance_due(%L)', step)) = '0';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintain_node(text,text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintain_node(text,text,integer) IS 'Internal: a bounded part of a step of maintain on another node of a cluster';
CREATE FUNCTION kepler_internal.maintain_part(step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    last bigint;
    held text;
    left_over boolean;
BEGIN
    -- What is deferred belongs to this part: it fails here, and runs as the owner.
    SET CONSTRAINTS ALL IMMEDIATE;
    CASE step
    WHEN 'make_feed_partitions' THEN
        done := kepler_internal.make_partitions('feed', 'week', 4);
    WHEN 'make_history_partitions' THEN
        done := CASE WHEN kepler_internal.make_history_partitions_step() THEN 1 ELSE 0 END;
    WHEN 'reap_leases' THEN
        done := kepler_internal.reap_leases(workspace_id, object, max_rows);
    WHEN 'abandon_executions' THEN
        SELECT count(*) INTO done FROM kepler_internal.abandon_executions(max_rows, workspace_id) AS a;
    WHEN 'abandon_syncs' THEN
        done := kepler_internal.tidy_syncs(workspace_id, max_rows);
    WHEN 'queue_backlog' THEN
        -- Those who did not know the policy have ended then.
        PERFORM kepler_internal.wait_for_writers(object, max_rows, workspace_id);
        held := kepler_internal.queue_backlog_step(object, max_rows, workspace_id);
        -- Of what somebody holds the next run takes care.
        done := CASE WHEN held IS NULL THEN 1 WHEN held = '' THEN max_rows ELSE 0 END;
    WHEN 'drop_backlog' THEN
        left_over := kepler_internal.drop_backlog_step(object, max_rows, 0, workspace_id);
        done := CASE WHEN left_over IS NULL THEN 1 WHEN left_over THEN 0 ELSE max_rows END;
    WHEN 'seal_history' THEN
        last := coalesce((SELECT max(s.number) FROM kepler.history_seals AS s), 0);
        PERFORM kepler_internal.seal_history_step();
        done := coalesce((SELECT sum(s.row_count) FROM kepler.history_seals AS s WHERE s.number > last), 0);
    WHEN 'expire_memories' THEN
        done := kepler_internal.expire_memories(max_rows, workspace_id);
    WHEN 'refresh_words' THEN
        done := kepler_internal.refresh_words(max_rows, workspace_id);
    WHEN 'apply_retention' THEN
        -- Those of tables of somebody else are that role's to run.
        done := 0;
        IF split_part(object, ' ', 1)::bigint IN (
            SELECT c FROM kepler_internal.retention_candidates(split_part(object, ' ', 1)::bigint) AS c) THEN
            done := kepler_internal.apply_retention(split_part(object, ' ', 1)::bigint, max_rows);
        END IF;
    WHEN 'drop_old_changes' THEN
        left_over := kepler_internal.drop_old_changes(kepler_internal.feed_kept_for());
        -- Nothing is done where the partition is in use.
        done := CASE WHEN left_over OR NOT kepler_internal.has_old_changes(kepler_internal.feed_kept_for()) THEN 1 ELSE 0 END;
    WHEN 'delete_workspace' THEN
        place := kepler_internal.delete_workspace_step(workspace_id, max_rows, place);
        done := 1;
    WHEN 'advise_indexes' THEN
        PERFORM kepler_internal.advise_indexes();
        done := 0;
    END CASE;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintain_part(text,text,text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintain_part(text,text,text,integer,text) IS 'Internal: a bounded part of a step of maintain';
CREATE FUNCTION kepler_internal.maintain_step(budget interval, is_first boolean)
 RETURNS boolean
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'maintain_step_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.maintain_step(interval,boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintain_step(interval,boolean) IS 'Internal: the next part of maintain, a transaction; gives whether there is another';
CREATE FUNCTION kepler_internal.maintain_step_of_part(step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    SELECT p.place, p.done INTO maintain_step_of_part.place, maintain_step_of_part.done
    FROM kepler_internal.maintain_part(step, workspace_id, object, max_rows, maintain_step_of_part.place) AS p;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintain_step_of_part(text,text,text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintain_step_of_part(text,text,text,integer,text) IS 'Internal: a bounded part of a step of maintain, on the node of its workspace';
CREATE FUNCTION kepler_internal.maintenance_due(step text, OUT workspace_id text, OUT object text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    CASE $1
    WHEN 'make_feed_partitions' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.lacks_partitions('feed', 'week', 4);
    WHEN 'make_history_partitions' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.lacks_partitions('history', 'month', 2);
    WHEN 'reap_leases' THEN
        RETURN QUERY
        SELECT t.workspace_id, t.entity_type FROM kepler_internal.leased_types() AS t
        WHERE t.deadline <= clock_timestamp()
            AND EXISTS (
                SELECT FROM kepler.leases AS l
                WHERE l.workspace_id = t.workspace_id AND l.entity_type = t.entity_type
                    AND l.deadline <= clock_timestamp() AND l.lease_until <= clock_timestamp())
            AND EXISTS (
                SELECT FROM kepler.enrichment_policies AS p
                WHERE p.workspace_id = t.workspace_id AND p.entity_type = t.entity_type);
    WHEN 'abandon_executions' THEN
        RETURN QUERY
        WITH RECURSIVE t AS (
            (SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
            WHERE e.status = 'RUNNING' ORDER BY e.workspace_id, e.next_check_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM t CROSS JOIN LATERAL (
                SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
                WHERE e.status = 'RUNNING' AND e.workspace_id > t.workspace_id
                ORDER BY e.workspace_id, e.next_check_at LIMIT 1) AS n
        ), w AS (
            (SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
            WHERE e.status = 'WAITING' ORDER BY e.workspace_id, e.next_check_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM w CROSS JOIN LATERAL (
                SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
                WHERE e.status = 'WAITING' AND e.workspace_id > w.workspace_id
                ORDER BY e.workspace_id, e.next_check_at LIMIT 1) AS n
        )
        SELECT d.workspace_id, '' FROM (SELECT t.* FROM t UNION ALL SELECT w.* FROM w) AS d (workspace_id, next_check_at)
        WHERE d.next_check_at < clock_timestamp() GROUP BY d.workspace_id;
    WHEN 'abandon_syncs' THEN
        RETURN QUERY
        SELECT r.workspace_id, '' FROM kepler.sync_runs AS r
        WHERE r.status = 'RUNNING' AND greatest(r.started_at, r.checkpoint_at, r.phase_active_at, (
                SELECT b.created_at FROM kepler.sync_batches AS b
                WHERE b.workspace_id = r.workspace_id AND b.sync_run_id = r.id ORDER BY b.id DESC LIMIT 1))
            < clock_timestamp() - interval '1 day'
        UNION
        SELECT n, '' FROM kepler_internal.workspaces_with_sync_notes() AS n;
    WHEN 'queue_backlog' THEN
        RETURN QUERY
        SELECT p.workspace_id, p.entity_type FROM kepler.enrichment_policies AS p
        WHERE p.backlog_after IS NOT NULL OR p.fair_keys_after IS NOT NULL;
    WHEN 'drop_backlog' THEN
        RETURN QUERY
        SELECT t.workspace_id, t.entity_type
        FROM (
            SELECT l.workspace_id, l.entity_type FROM kepler_internal.leased_types() AS l
            UNION
            SELECT q.workspace_id, q.entity_type FROM kepler_internal.queued_types() AS q
        ) AS t
        WHERE NOT EXISTS (
            SELECT FROM kepler.enrichment_policies AS p
            WHERE p.workspace_id = t.workspace_id AND p.entity_type = t.entity_type);
    WHEN 'seal_history' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.has_unsealed_changes();
    WHEN 'expire_memories' THEN
        RETURN QUERY
        WITH RECURSIVE t AS (
            (SELECT m.workspace_id, m.expires_at FROM kepler.memories AS m
            WHERE m.expires_at IS NOT NULL ORDER BY m.workspace_id, m.expires_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM t CROSS JOIN LATERAL (
                SELECT m.workspace_id, m.expires_at FROM kepler.memories AS m
                WHERE m.expires_at IS NOT NULL AND m.workspace_id > t.workspace_id
                ORDER BY m.workspace_id, m.expires_at LIMIT 1) AS n
        )
        SELECT t.workspace_id, '' FROM t WHERE t.expires_at <= clock_timestamp();
    WHEN 'refresh_words' THEN
        -- A day after it has ended it is done once more.
        RETURN QUERY
        SELECT w.id, '' FROM kepler.workspaces AS w
        WHERE w.former_languages <> '{}'
            AND (w.words_place IS DISTINCT FROM 'end' OR w.language_set_at < clock_timestamp() - interval '1 day');
    WHEN 'apply_retention' THEN
        -- Each policy once an hour, of those that the owner may run: a page of those that have waited longest.
        RETURN QUERY
        SELECT p.workspace_id, p.object
        FROM (
            SELECT coalesce(r.workspace_id, '') AS workspace_id, r.id || ' ' || r.table_name AS object, r.id
            FROM kepler.retention_policies AS r
        ) AS p
        LEFT JOIN kepler.maintenance AS m ON m.workspace_id = p.workspace_id AND m.step = 'apply_retention' AND m.object = p.object
        WHERE (m.outcome = 'finished' AND m.last_started_at > clock_timestamp() - interval '1 hour') IS NOT TRUE
        ORDER BY coalesce(m.next_at > clock_timestamp(), false), m.last_started_at NULLS FIRST, p.id LIMIT 500;
    WHEN 'drop_old_changes' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.has_old_changes(kepler_internal.feed_kept_for());
    WHEN 'delete_workspace' THEN
        RETURN QUERY SELECT w.id, '' FROM kepler.workspaces AS w WHERE w.deleting_at IS NOT NULL;
    WHEN 'advise_indexes' THEN
        -- Once a day.
        RETURN QUERY
        SELECT '', '' WHERE NOT EXISTS (
            SELECT FROM kepler.maintenance AS m
            WHERE m.workspace_id = '' AND m.step = 'advise_indexes' AND m.object = ''
                AND m.outcome = 'finished' AND m.last_started_at > clock_timestamp() - interval '1 day');
    END CASE;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_due(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_due(text) IS 'Internal: what a step of maintain finds to do';
CREATE FUNCTION kepler_internal.maintenance_due_in_parts(step text, OUT workspace_id text, OUT object text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    part text;
    is_coordinator boolean;
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    EXECUTE 'SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l' INTO is_coordinator;
    IF NOT is_coordinator THEN RETURN; END IF;
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        RETURN QUERY SELECT d.due_workspace, d.object
            FROM kepler_internal.maintenance_due_of_part(maintenance_due_in_parts.step, part) AS d;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_due_in_parts(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_due_in_parts(text) IS 'Internal: the same in all parts';
CREATE FUNCTION kepler_internal.maintenance_due_of_part(step text, workspace_id text, OUT due_workspace text, OUT object text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN QUERY SELECT d.workspace_id, d.object FROM kepler_internal.maintenance_due(maintenance_due_of_part.step) AS d;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_due_of_part(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_due_of_part(text,text) IS 'Internal: what a step of maintain finds to do in a part of a cluster';
CREATE FUNCTION kepler_internal.maintenance_due_on_nodes(step text, OUT workspace_id text, OUT object text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    node record;
BEGIN
    workspace_id := '';
    FOR node IN SELECT * FROM kepler_internal.other_nodes() LOOP
        object := format('%s:%s', node.name, node.port);
        BEGIN
            CONTINUE WHEN kepler_internal.run_on_node(node.name, node.port, node.part,
                format('SELECT count(*) FROM kepler_internal.maintenance_due(%L)', step)) = '0';
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_due_on_nodes(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_due_on_nodes(text) IS 'Internal: other nodes of a cluster on which a step of maintain finds something to do';
CREATE FUNCTION kepler_internal.maintenance_pause(failures integer)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT least(interval '1 hour', interval '1 minute' * (2 ^ least(failures - 1, 10))) $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_pause(integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_pause(integer) IS 'Internal: how long what came to nothing so often is left alone';
CREATE FUNCTION kepler_internal.maintenance_steps(OUT step text, OUT is_creation boolean, OUT drains boolean)
 RETURNS SETOF record
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
VALUES
    ('make_feed_partitions', true, false),
    ('make_history_partitions', true, false),
    ('reap_leases', false, true),
    ('abandon_executions', false, true),
    ('abandon_syncs', false, false),
    ('queue_backlog', false, false),
    ('drop_backlog', false, false),
    ('seal_history', false, false),
    ('expire_memories', false, true),
    ('refresh_words', false, false),
    ('apply_retention', false, false),
    ('drop_old_changes', false, false),
    ('delete_workspace', false, false),
    ('advise_indexes', false, false)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.maintenance_steps() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.maintenance_steps() IS 'Internal: the steps of maintain, in their order';
COMMENT ON FUNCTION kepler_internal.make_history_partitions_step() IS 'Internal: the step make_history_partitions of maintain';
CREATE FUNCTION kepler_internal.make_node(levels jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    name text;
    given record;
BEGIN
    PERFORM kepler_internal.require_node(false);
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR name IN EXECUTE
        'SELECT p.logicalrelid::regclass::text FROM pg_catalog.pg_dist_partition AS p JOIN pg_class AS c ON c.oid = p.logicalrelid
         WHERE c.relnamespace IN (''kepler''::regnamespace, to_regnamespace(''kepler_data'')) ORDER BY c.relkind DESC'
    LOOP
        IF to_regclass(name) IS NOT NULL THEN EXECUTE 'SELECT worker_drop_shell_table($1)' USING name; END IF;
    END LOOP;
    PERFORM kepler_internal.install_on_node();
    INSERT INTO kepler.workspaces (id, name)
    SELECT DISTINCT l.workspace, l.workspace FROM jsonb_to_recordset(levels) AS l (workspace text) WHERE l.workspace IS NOT NULL
    ON CONFLICT DO NOTHING;
    FOR given IN SELECT * FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) LOOP
        PERFORM kepler.grant_access(quote_ident(given.role)::regrole, given.level, given.workspace);
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.make_node(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.make_node(jsonb) IS 'Internal: gives a worker that joins a cluster tables of its own, and roles their levels there';
CREATE FUNCTION kepler_internal.make_words()
 RETURNS trigger
 LANGUAGE c
AS 'MODULE_PATHNAME', 'make_words_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.make_words() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.make_words() IS 'Trigger: makes the words of a memory or message whose content or language is new';
CREATE OR REPLACE FUNCTION kepler_internal.mark_workspace_deleted(workspace_id text, with_rows boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    deleting_at timestamptz;
    held text;
    is_known boolean;
    -- Citus has all nodes write the same, and takes nothing that each of them would work out.
    marked_at timestamptz;
BEGIN
    -- Waits for whoever has inserted rows that refer to it.
    SELECT w.deleting_at INTO deleting_at FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
    is_known := FOUND;
    IF is_known AND kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.wait_for_workspace_of_part(workspace_id);
    END IF;
    IF NOT is_known THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id);
    ELSIF deleting_at IS NOT NULL THEN
        RETURN;
    ELSIF workspace_id = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'workspace "default" cannot be deleted',
            DETAIL = 'Sessions that set no workspace work in it.';
    END IF;
    held := CASE WHEN NOT with_rows THEN kepler_internal.held_by_workspace(workspace_id) END;
    IF held IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" holds rows', workspace_id),
            DETAIL = format('They are in %s. Nothing was deleted.', held),
            HINT = format('SELECT * FROM kepler.workspace_report(%L); counts them. CALL kepler.delete_workspace(%1$L, with_rows => true); '
                'deletes them too.', workspace_id);
    END IF;
    marked_at := clock_timestamp();
    UPDATE kepler.workspaces AS w SET deleting_at = marked_at WHERE w.id = workspace_id;
END
$function$;
CREATE FUNCTION kepler_internal.may_take_in(workspace_id_of_row text)
 RETURNS boolean
 LANGUAGE c
 STABLE PARALLEL SAFE STRICT
AS 'MODULE_PATHNAME', 'may_take_in_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.may_take_in(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.may_take_in(text) IS 'Internal: whether a row of the inbox of another workspace than the session''s may be stored';
CREATE FUNCTION kepler_internal.metric_names()
 RETURNS TABLE(name text, type text, label_names text[], help text)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
VALUES
    ('kepler_info', 'gauge', '{library_version,extension_version,postgres_version}'::text[], 'Versions of library, extension and Postgres; always 1'),
    ('kepler_schema_version', 'gauge', '{}', 'Schema version of Kepler''s tables'),
    ('kepler_schema_version_expected', 'gauge', '{}', 'Schema version that the library knows; install() brings the tables there'),
    ('kepler_workspaces', 'gauge', '{}', 'Workspaces, as Postgres estimates them'),
    ('kepler_queue_ready_records', 'gauge', '{workspace_id,entity_type}', 'Records that a claim may take now, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_waiting_records', 'gauge', '{workspace_id,entity_type}', 'Records whose next attempt comes later, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_leased_records', 'gauge', '{workspace_id,entity_type}', 'Records that workers hold'),
    ('kepler_queue_failed_records', 'gauge', '{workspace_id,entity_type}', 'Records that are FAILED, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_counted_up_to_records', 'gauge', '{workspace_id,entity_type}', 'Where counting of the queue stops: a greater count is not told'),
    ('kepler_queue_oldest_ready_age_seconds', 'gauge', '{workspace_id,entity_type}', 'How long the record that has been ready longest is ready'),
    ('kepler_queue_leases', 'gauge', '{workspace_id,entity_type}', 'Leases that are open'),
    ('kepler_queue_expired_leases', 'gauge', '{workspace_id,entity_type}', 'Leases that have ended without a result'),
    ('kepler_workers', 'gauge', '{workspace_id}', 'Workers that hold leases'),
    ('kepler_workers_recent_attempts', 'gauge', '{workspace_id}', 'Attempts that have ended in the last 15 minutes, of the last attempts of the workspace'),
    ('kepler_workers_recent_failed_attempts', 'gauge', '{workspace_id}', 'Attempts of these that failed or expired'),
    ('kepler_workers_attempt_average_seconds', 'gauge', '{workspace_id}', 'How long these attempts took on average'),
    ('kepler_queue_paused', 'gauge', '{workspace_id,entity_type}', '1 while claims of the type are paused'),
    ('kepler_sync_open_runs', 'gauge', '{workspace_id,entity_type,source}', 'Sync runs that are open'),
    ('kepler_sync_oldest_open_run_age_seconds', 'gauge', '{workspace_id,entity_type,source}', 'How long ago the oldest open sync run began'),
    ('kepler_sync_failing_entities', 'gauge', '{workspace_id,entity_type,source}', 'Entities whose last sync run of a mode failed or was abandoned'),
    ('kepler_sync_last_success_age_seconds', 'gauge', '{workspace_id,entity_type,source}', 'How long ago the last successful sync run ended, of the entity of the type where it is longest'),
    ('kepler_feed_waiting_changes', 'gauge', '{workspace_id,consumer}', 'Changes behind the cursor of a consumer, counted up to kepler_feed_counted_up_to_changes'),
    ('kepler_feed_counted_up_to_changes', 'gauge', '{workspace_id,consumer}', 'Where counting of the feed stops: a greater count is not told'),
    ('kepler_feed_oldest_waiting_age_seconds', 'gauge', '{workspace_id,consumer}', 'Age of the oldest change that waits for a consumer'),
    ('kepler_feed_acknowledged_age_seconds', 'gauge', '{workspace_id,consumer}', 'How long ago a consumer last acknowledged changes'),
    ('kepler_horizon_held_seconds', 'gauge', '{held_by}', 'How long the oldest transaction of a kind has been under way'),
    ('kepler_horizon_held_transactions', 'gauge', '{held_by}', 'How many transactions have begun since the horizon is held back'),
    ('kepler_memory_estimated_rows', 'gauge', '{space,kind}', 'Embeddings of a space, as Postgres estimates them'),
    ('kepler_memory_estimated_pending_rows', 'gauge', '{space,kind}', 'Memories or messages without an embedding in a space, as Postgres estimates it'),
    ('kepler_memory_bytes', 'gauge', '{space,kind}', 'Size of the table of embeddings without its indexes'),
    ('kepler_memory_index_bytes', 'gauge', '{space,kind}', 'Size of the index on the vectors'),
    ('kepler_memory_index_valid', 'gauge', '{space,kind}', '1 if searches use the index, 0 if it is not valid'),
    ('kepler_memory_index_building', 'gauge', '{space,kind}', '1 while the index is being built'),
    ('kepler_executions_running', 'gauge', '{workspace_id}', 'Executions under way'),
    ('kepler_executions_waiting', 'gauge', '{workspace_id}', 'Executions that wait for a person'),
    ('kepler_executions_overdue', 'gauge', '{workspace_id}', 'Executions under way whose deadline has passed'),
    ('kepler_executions_oldest_age_seconds', 'gauge', '{workspace_id}', 'How long ago the oldest execution under way began'),
    ('kepler_entry_tables', 'gauge', '{workspace_id}', 'Entry tables of a workspace'),
    ('kepler_entry_tables_estimated_rows', 'gauge', '{workspace_id}', 'Rows of the entry tables of a workspace, as Postgres estimates them'),
    ('kepler_entry_tables_estimated_bytes', 'gauge', '{workspace_id}', 'Size of the entry tables of a workspace without indexes, as of their last vacuum'),
    ('kepler_maintenance_last_success_age_seconds', 'gauge', '{step}', 'How long ago a step of maintain() last did what it could'),
    ('kepler_maintenance_failing', 'gauge', '{step}', 'How many objects a step of maintain() fails at'),
    ('kepler_table_estimated_rows', 'gauge', '{table}', 'Rows of a table of Kepler''s, as Postgres estimates them'),
    ('kepler_table_dead_rows', 'gauge', '{table}', 'Versions of rows that vacuum has not removed yet, as Postgres counts them'),
    ('kepler_table_bytes', 'gauge', '{table}', 'Size of a table with its indexes'),
    ('kepler_table_rows_inserted_total', 'counter', '{table}', 'Rows inserted since the statistics of Postgres were reset'),
    ('kepler_table_rows_updated_total', 'counter', '{table}', 'Rows updated since the statistics of Postgres were reset'),
    ('kepler_table_rows_deleted_total', 'counter', '{table}', 'Rows deleted since the statistics of Postgres were reset')
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_names() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_names() IS 'Internal: name, type, labels and help of each metric';
CREATE FUNCTION kepler_internal.metric_samples_in_parts()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_column
DECLARE
    nodes text[] := ARRAY(SELECT k FROM kepler_internal.node_keys() AS k);
    part text;
    names text[] := '{}';
    all_labels jsonb[] := '{}';
    numbers double precision[] := '{}';
    told record;
BEGIN
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        SELECT array_agg(s.name) AS names, array_agg(s.labels) AS labels, array_agg(s.value) AS numbers INTO told
        FROM kepler_internal.metric_samples_of_part(part = ANY (nodes), part) AS s WHERE s.value IS NOT NULL;
        names := names || told.names;
        all_labels := all_labels || told.labels;
        numbers := numbers || told.numbers;
    END LOOP;
    RETURN QUERY
    SELECT s.name, s.labels, CASE
        WHEN s.name IN ('kepler_memory_index_valid') THEN min(s.value)
        WHEN s.name IN ('kepler_memory_index_building', 'kepler_horizon_held_seconds', 'kepler_horizon_held_transactions') THEN max(s.value)
        ELSE sum(s.value) END
    FROM (
        SELECT u.* FROM unnest(names, all_labels, numbers) AS u (name, labels, value)
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_tables('of coordinator') AS d
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_database() AS d
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_feed() AS d
    ) AS s
    GROUP BY s.name, s.labels;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_in_parts() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_in_parts() IS 'Internal: what metrics() say of all parts';
CREATE FUNCTION kepler_internal.metric_samples_of_database()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT x.workspace_id, count(*) AS tables, sum(x.estimated_rows) AS estimated_rows, sum(x.estimated_bytes) AS estimated_bytes
        FROM kepler.stat_entry_tables AS x GROUP BY x.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_entry_tables', s.tables::float8),
        ('kepler_entry_tables_estimated_rows', s.estimated_rows::float8),
        ('kepler_entry_tables_estimated_bytes', s.estimated_bytes::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('step', s.step), v.value
    FROM (
        SELECT m.step, max(m.last_succeeded_at) FILTER (WHERE m.workspace_id IS NULL AND m.object IS NULL) AS last_succeeded_at,
            count(*) FILTER (WHERE m.outcome = 'failed') AS failing
        FROM kepler.stat_maintenance AS m GROUP BY m.step
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_maintenance_last_success_age_seconds', extract(epoch FROM statement_timestamp() - s.last_succeeded_at)::float8),
        ('kepler_maintenance_failing', s.failing::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, v.labels, v.value
    FROM (VALUES
        ('kepler_info', jsonb_build_object('library_version', kepler.version(), 'postgres_version', current_setting('server_version'),
            'extension_version', (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'kepler')), 1::float8),
        ('kepler_schema_version', '{}', (SELECT max(x.version) FROM kepler.schema_versions AS x)::float8),
        ('kepler_schema_version_expected', '{}', kepler_internal.latest_schema_version()::float8),
        ('kepler_workspaces', '{}', (
            SELECT greatest((SELECT c.reltuples FROM pg_class AS c WHERE c.oid = h.oid)::bigint, pg_stat_get_live_tuples(h.oid), 0)
            FROM (SELECT kepler_internal.relation_here('kepler.workspaces')::oid) AS h (oid))::float8)) AS v (name, labels, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_database() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_database() IS 'Internal: what metrics() say of the database as a whole';
CREATE FUNCTION kepler_internal.metric_samples_of_feed()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, l.labels, v.value
    FROM kepler.stat_feed AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object('workspace_id', s.workspace_id, 'consumer', s.consumer) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_feed_waiting_changes', s.waiting::float8),
        ('kepler_feed_counted_up_to_changes', s.counted_up_to::float8),
        ('kepler_feed_oldest_waiting_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_waiting_at), 0)::float8),
        ('kepler_feed_acknowledged_age_seconds', extract(epoch FROM statement_timestamp() - s.acknowledged_at)::float8)) AS v (name, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_feed() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_feed() IS 'Internal: samples of what waits for consumers of the feed';
CREATE FUNCTION kepler_internal.metric_samples_of_part(with_node boolean, part_of text)
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_monitor();
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_workspaces() AS s;
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_spaces_here() AS s;
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_tables('of part') AS s;
    IF with_node THEN
        RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_tables('of node') AS s;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_part(boolean,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_part(boolean,text) IS 'Internal: what metrics() say of a part of a cluster';
CREATE FUNCTION kepler_internal.metric_samples_of_spaces()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, jsonb_build_object('space', s.space, 'kind', s.kind), v.value
    FROM kepler.stat_memory_spaces AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_memory_estimated_rows', s.estimated_rows::float8),
        ('kepler_memory_estimated_pending_rows', s.estimated_pending::float8),
        ('kepler_memory_bytes', s.bytes::float8),
        ('kepler_memory_index_bytes', s.index_bytes::float8),
        ('kepler_memory_index_valid', s.index_is_valid::integer::float8),
        ('kepler_memory_index_building', s.index_is_building::integer::float8)) AS v (name, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_spaces() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_spaces() IS 'Internal: what metrics() say of embedding spaces';
CREATE FUNCTION kepler_internal.metric_samples_of_spaces_here()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH spaces AS (
        SELECT s.name AS space, k.kind, t.oid, t.estimated_rows, greatest(o.estimated_rows - t.estimated_rows, 0) AS estimated_pending
        FROM kepler.embedding_spaces AS s
        CROSS JOIN LATERAL (VALUES ('memories', s.memory_table_name, 'kepler.memories'::regclass),
            ('messages', s.message_table_name, 'kepler.messages'::regclass)) AS k (kind, table_name, of_table)
        JOIN LATERAL (
            SELECT h.oid, greatest(h.reltuples::bigint, pg_stat_get_live_tuples(h.oid), 0) AS estimated_rows
            FROM pg_class AS h WHERE h.oid = (SELECT kepler_internal.relation_here(to_regclass(format('kepler_data.%I', k.table_name))))
        ) AS t ON true
        JOIN LATERAL (
            SELECT greatest(h.reltuples::bigint, pg_stat_get_live_tuples(h.oid), 0) AS estimated_rows
            FROM pg_class AS h WHERE h.oid = (SELECT kepler_internal.relation_here(k.of_table))
        ) AS o ON true
    )
    SELECT v.name, jsonb_build_object('space', s.space, 'kind', s.kind), v.value
    FROM spaces AS s
    LEFT JOIN LATERAL (
        SELECT n.indisvalid AS is_valid, pg_relation_size(x.oid) AS bytes,
            EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = x.oid) AS is_building
        FROM pg_index AS n
        JOIN pg_class AS x ON x.oid = n.indexrelid
        JOIN pg_am AS m ON m.oid = x.relam AND m.amname IN ('hnsw', 'ivfflat')
        WHERE n.indrelid = s.oid ORDER BY n.indisvalid DESC, x.relname LIMIT 1
    ) AS i ON true
    CROSS JOIN LATERAL (VALUES
        ('kepler_memory_estimated_rows', s.estimated_rows::float8),
        ('kepler_memory_estimated_pending_rows', s.estimated_pending::float8),
        ('kepler_memory_bytes', pg_table_size(s.oid)::float8),
        ('kepler_memory_index_bytes', i.bytes::float8),
        ('kepler_memory_index_valid', i.is_valid::integer::float8),
        ('kepler_memory_index_building', i.is_building::integer::float8)) AS v (name, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_spaces_here() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_spaces_here() IS 'Internal: what metrics() say of embedding spaces in a part of a cluster';
CREATE FUNCTION kepler_internal.metric_samples_of_tables(whose text)
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    WITH tables AS MATERIALIZED (
        SELECT h.oid, coalesce(p.relname, c.relname)::text AS table_name, h.reltuples
        FROM pg_class AS c
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
        LEFT JOIN pg_class AS p ON p.oid = i.inhparent
        CROSS JOIN LATERAL (SELECT kepler_internal.relation_here(c.oid)::oid) AS o (oid)
        CROSS JOIN LATERAL (
            SELECT o.oid, (SELECT x.reltuples FROM pg_class AS x WHERE x.oid = o.oid) AS reltuples
        ) AS h
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'r'
            AND (whose IS NULL OR kepler_internal.is_counted(c.oid, coalesce(p.relname, c.relname), whose))
    )
    SELECT v.name, jsonb_build_object('table', s.table_name), v.value
    FROM (
        SELECT t.table_name, sum(greatest(t.reltuples::bigint, pg_stat_get_live_tuples(t.oid), 0)) AS estimated_rows,
            sum(pg_stat_get_dead_tuples(t.oid)) AS dead, sum(pg_total_relation_size(t.oid)) AS bytes,
            sum(pg_stat_get_tuples_inserted(t.oid)) AS inserted, sum(pg_stat_get_tuples_updated(t.oid)) AS updated,
            sum(pg_stat_get_tuples_deleted(t.oid)) AS deleted
        FROM tables AS t GROUP BY t.table_name
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_table_estimated_rows', s.estimated_rows::float8),
        ('kepler_table_dead_rows', s.dead::float8),
        ('kepler_table_bytes', s.bytes::float8),
        ('kepler_table_rows_inserted_total', s.inserted::float8),
        ('kepler_table_rows_updated_total', s.updated::float8),
        ('kepler_table_rows_deleted_total', s.deleted::float8)) AS v (name, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_tables(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_tables(text) IS 'Internal: what metrics() say of tables';
CREATE FUNCTION kepler_internal.metric_samples_of_workspaces()
 RETURNS TABLE(name text, labels jsonb, value double precision)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, l.labels, v.value
    FROM kepler.stat_queue AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object('workspace_id', s.workspace_id, 'entity_type', s.entity_type) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_queue_ready_records', s.ready::float8),
        ('kepler_queue_waiting_records', s.waiting::float8),
        ('kepler_queue_leased_records', s.leased::float8),
        ('kepler_queue_failed_records', s.failed::float8),
        ('kepler_queue_counted_up_to_records', s.counted_up_to::float8),
        ('kepler_queue_oldest_ready_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_ready_at), 0)::float8),
        ('kepler_queue_paused', (s.paused_at IS NOT NULL)::integer::float8),
        ('kepler_queue_leases', s.leases::float8),
        ('kepler_queue_expired_leases', s.expired_leases::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT w.workspace_id, count(*) FILTER (WHERE w.leases > 0) AS workers, sum(w.attempts) AS attempts, sum(w.failed_attempts) AS failed,
            sum(extract(epoch FROM w.average_duration) * w.attempts) / nullif(sum(w.attempts), 0) AS average
        FROM kepler.stat_workers AS w GROUP BY w.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_workers', s.workers::float8),
        ('kepler_workers_recent_attempts', s.attempts::float8),
        ('kepler_workers_recent_failed_attempts', s.failed::float8),
        ('kepler_workers_attempt_average_seconds', s.average::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, l.labels, v.value
    FROM (
        SELECT r.workspace_id, r.entity_type, r.source,
            count(*) FILTER (WHERE r.status = 'RUNNING') AS open_runs,
            min(r.started_at) FILTER (WHERE r.status = 'RUNNING') AS oldest_open_at,
            count(DISTINCT r.entity_id) FILTER (WHERE r.status IN ('FAILURE', 'ABANDONED')) AS failing,
            min(r.last_succeeded_at) AS last_succeeded_at
        FROM kepler.stat_sync_runs AS r GROUP BY r.workspace_id, r.entity_type, r.source
    ) AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'workspace_id', s.workspace_id, 'entity_type', s.entity_type, 'source', s.source) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_sync_open_runs', s.open_runs::float8),
        ('kepler_sync_oldest_open_run_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_open_at), 0)::float8),
        ('kepler_sync_failing_entities', s.failing::float8),
        ('kepler_sync_last_success_age_seconds', extract(epoch FROM statement_timestamp() - s.last_succeeded_at)::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('held_by', s.held_by), v.value
    FROM kepler.stat_horizon AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_horizon_held_seconds', extract(epoch FROM statement_timestamp() - s.began_at)::float8),
        ('kepler_horizon_held_transactions', s.transactions::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT x.workspace_id, sum(x.running) AS running, sum(x.waiting) AS waiting, sum(x.overdue) AS overdue, min(x.oldest_started_at) AS oldest_started_at
        FROM kepler.stat_executions AS x GROUP BY x.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_executions_running', s.running::float8),
        ('kepler_executions_waiting', s.waiting::float8),
        ('kepler_executions_overdue', s.overdue::float8),
        ('kepler_executions_oldest_age_seconds', extract(epoch FROM statement_timestamp() - s.oldest_started_at)::float8)) AS v (name, value);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.metric_samples_of_workspaces() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.metric_samples_of_workspaces() IS 'Internal: what metrics() say of workspaces';
CREATE FUNCTION kepler_internal.named_memories(memory_ids text[], keys text[], namespace text, user_id text, workspace_id text)
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    given_user ALIAS FOR $4;
    given_workspace ALIAS FOR $5;
    ids text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    IF keys IS NULL THEN
        RETURN memory_ids;
    END IF;
    IF memory_ids IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'exactly one of "memory_ids" and "keys" must be given';
    END IF;
    PERFORM kepler_internal.require_arguments(ARRAY['namespace'], ARRAY[namespace]);
    IF given_user = '*' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'keys belong to one user, or to none',
            HINT = 'Pass a user_id, or NULL for the memories of no user.';
    END IF;
    IF given_user IS NULL THEN
        SELECT array_agg(m.id ORDER BY k.ordinality) INTO ids
        FROM unnest(keys) WITH ORDINALITY AS k (key, ordinality)
        LEFT JOIN LATERAL (
            SELECT x.id FROM kepler.memories AS x
            WHERE x.workspace_id = given_workspace AND x.user_id IS NULL AND x.namespace = namespace AND x.key = k.key
                AND x.valid_to IS NULL LIMIT 1
        ) AS m ON true;
    ELSE
        SELECT array_agg(m.id ORDER BY k.ordinality) INTO ids
        FROM unnest(keys) WITH ORDINALITY AS k (key, ordinality)
        LEFT JOIN LATERAL (
            SELECT x.id FROM kepler.memories AS x
            WHERE x.workspace_id = given_workspace AND x.user_id = given_user AND x.namespace = namespace AND x.key = k.key
                AND x.valid_to IS NULL LIMIT 1
        ) AS m ON true;
    END IF;
    RETURN coalesce(ids, '{}');
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.named_memories(text[],text[],text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.named_memories(text[],text[],text,text,text) IS 'Internal: the ids of the memories that forget is to delete';
CREATE FUNCTION kepler_internal.next_retention(state jsonb, is_open boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    at integer := (state ->> 'at')::integer;
BEGIN
    IF is_open THEN
        at := at + 1;
    ELSE
        state := state #- ARRAY['open', at::text];
    END IF;
    IF clock_timestamp() >= (state ->> 'ends_at')::timestamptz THEN
        RETURN NULL;
    END IF;
    IF jsonb_array_length(state -> 'open') = 0 THEN
        state := jsonb_set(state, '{open}', kepler_internal.open_retention((state ->> 'began_at')::timestamptz));
        IF jsonb_array_length(state -> 'open') = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN jsonb_set(state, '{at}', to_jsonb(CASE WHEN at >= jsonb_array_length(state -> 'open') THEN 0 ELSE at END));
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.next_retention(jsonb,boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.next_retention(jsonb,boolean) IS 'Internal: the next batch of run_retention';
CREATE FUNCTION kepler_internal.node_keys()
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT DISTINCT ON (p.groupid) k.key FROM kepler_internal.part_keys() AS k (key)
         JOIN pg_catalog.pg_dist_placement AS p
             ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k.key)
         ORDER BY p.groupid, k.key';
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.node_keys() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.node_keys() IS 'Internal: an id for each node of a cluster that has parts, as a workspace there may have';
CREATE FUNCTION kepler_internal.number_workflow_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    newest integer;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.id IS DISTINCT FROM OLD.id AND EXISTS (
            SELECT FROM kepler.executions AS e WHERE e.workspace_id = OLD.workspace_id AND e.workflow_id = OLD.id
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'integrity_constraint_violation',
                MESSAGE = format('cannot change the id of workflow "%s": it has run', OLD.id),
                HINT = 'Insert a workflow with the new id, and make this one inactive or delete it.';
        ELSIF NEW.id = OLD.id AND (NEW.trigger, NEW.actions, NEW.required_providers, NEW.intent)
            IS NOT DISTINCT FROM (OLD.trigger, OLD.actions, OLD.required_providers, OLD.intent) THEN
            NEW.version := OLD.version;
            RETURN NEW;
        END IF;
    ELSIF EXISTS (
        SELECT FROM kepler.workflow_versions AS v
        WHERE v.workspace_id = NEW.workspace_id AND v.workflow_id = NEW.id AND v.version = NEW.version
            AND (v.trigger, v.actions, v.required_providers, v.intent)
                IS NOT DISTINCT FROM (NEW.trigger, NEW.actions, NEW.required_providers, NEW.intent)
    ) THEN
        RETURN NEW;
    END IF;
    -- A workflow of this id may have been deleted, and its runs are there.
    SELECT max(v.version) INTO newest FROM kepler.workflow_versions AS v
    WHERE v.workspace_id = NEW.workspace_id AND v.workflow_id = NEW.id;
    NEW.version := 1 + coalesce(newest, 0);
    RETURN NEW;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.number_workflow_version() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.number_workflow_version() IS 'Trigger: gives a changed definition the next number';
CREATE FUNCTION kepler_internal.oldest_changes(before timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT coalesce((
        SELECT c.relname::text
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '^feed_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') + interval '7 days' < before
        ORDER BY c.relname LIMIT 1
    ), (SELECT 'feed_default' FROM kepler.feed_default AS f WHERE f.created_at < before LIMIT 1))
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.oldest_changes(timestamp with time zone) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.oldest_changes(timestamp with time zone) IS 'Internal: the table of the oldest changes before a time';
CREATE FUNCTION kepler_internal.open_retention(began_at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'rows', 1000) ORDER BY c.place), '[]')
    FROM kepler_internal.retention_candidates(NULL, began_at) WITH ORDINALITY AS c (id, place)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.open_retention(timestamp with time zone) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.open_retention(timestamp with time zone) IS 'Internal: the next policies of run_retention';
CREATE FUNCTION kepler_internal.other_nodes(OUT name text, OUT port integer, OUT part text, OUT number integer)
 RETURNS SETOF record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT n.nodename, n.nodeport, (
             SELECT min(k) FROM kepler_internal.part_keys() AS k JOIN pg_catalog.pg_dist_placement AS p
                 ON p.shardid = get_shard_id_for_distribution_column(''kepler.parts'', k)
             WHERE p.groupid = n.groupid), n.groupid::integer
         FROM pg_catalog.pg_dist_node AS n
         WHERE n.isactive AND n.noderole = ''primary'' AND n.groupid > 0
             AND (SELECT min(l.groupid) FROM pg_catalog.pg_dist_local_group AS l) = 0
         ORDER BY n.groupid';
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.other_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.other_nodes() IS 'Internal: the workers of a cluster, each with the key of a part that lies there';
CREATE FUNCTION kepler_internal.part_keys()
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT kepler_internal.is_distributed() THEN RETURN; END IF;
    RETURN QUERY EXECUTE
        'SELECT DISTINCT ON (k.shard) k.key FROM (
             SELECT md5(g.n::text) AS key, get_shard_id_for_distribution_column(''kepler.parts'', md5(g.n::text)) AS shard
             FROM generate_series(1, 16 * (SELECT count(*) FROM pg_dist_shard AS s WHERE s.logicalrelid = ''kepler.parts''::regclass)) AS g (n)
         ) AS k ORDER BY k.shard, k.key';
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.part_keys() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.part_keys() IS 'Internal: an id for each part of a cluster, as a workspace there may have';
CREATE FUNCTION kepler_internal.plan_uninstall(owner oid, caller oid, names text[], OUT kind text, OUT object text, OUT relation regclass, OUT outcome text, OUT hint text, OUT drop_command text)
 RETURNS SETOF record
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH made AS MATERIALIZED (
    SELECT m.*, row_number() OVER () AS at FROM kepler_internal.made_objects(owner, names) AS m
),
-- A schema goes if nothing is left in it.
asked AS MATERIALIZED (
    SELECT array_agg(m.class) || e.tableoid AS classes, array_agg(m.id) || e.oid AS ids
    FROM pg_extension AS e LEFT JOIN made AS m ON m.kind <> 'schema'
    WHERE e.extname = 'kepler' GROUP BY e.oid, e.tableoid
),
part AS MATERIALIZED (
    SELECT p.class, p.id FROM asked AS a CROSS JOIN LATERAL kepler_internal.with_parts(a.classes, a.ids) AS p WHERE p.id IS NOT NULL
),
given AS MATERIALIZED (
    SELECT g.schema, g.grantee FROM kepler_internal.given_schema_rights(owner) AS g
),
held AS MATERIALIZED (
    SELECT n.oid AS schema, d.classid AS class, d.objid AS id
    FROM pg_namespace AS n
    JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
    WHERE (n.nspname = 'kepler' OR n.nspname = ANY (kepler_internal.made_schemas()) OR n.oid IN (SELECT g.schema FROM given AS g))
        AND NOT EXISTS (SELECT FROM part AS p WHERE p.class = d.classid AND p.id = d.objid)
),
dependent AS (
    SELECT DISTINCT coalesce(v.refclassid, d.classid) AS class, coalesce(v.refobjid, d.objid) AS id,
        CASE WHEN v.refobjid IS NULL AND c.relkind IS DISTINCT FROM 'v' AND c.relkind IS DISTINCT FROM 'm' THEN d.objsubid ELSE 0 END AS sub
    FROM part AS p
    JOIN pg_depend AS d ON d.refclassid = p.class AND d.refobjid = p.id
    -- Of a view, the rule depends.
    LEFT JOIN pg_depend AS v ON v.classid = d.classid AND v.objid = d.objid AND v.deptype = 'i'
        AND d.classid = 'pg_rewrite'::regclass
    LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    WHERE NOT EXISTS (SELECT FROM part AS own WHERE own.class = d.classid AND own.id = d.objid)
),
found AS (
    SELECT 1 AS part, m.at, m.kind, m.object, m.relation,
        CASE WHEN m.kind = 'trigger' AND NOT pg_has_role(caller, c.relowner, 'USAGE') THEN 'blocks' ELSE 'dropped' END AS outcome,
        CASE WHEN m.kind = 'trigger' AND NOT pg_has_role(caller, c.relowner, 'USAGE')
            THEN format('Of the table''s owner %s, or a superuser: %s;', quote_ident(pg_get_userbyid(c.relowner)), m.drop_command) END AS hint,
        m.drop_command
    FROM made AS m
    LEFT JOIN pg_class AS c ON c.oid = m.relation
    WHERE m.kind <> 'schema' OR NOT EXISTS (SELECT FROM held AS h WHERE h.schema = m.id)
    UNION ALL
    -- The role may need it for what else is there.
    SELECT CASE h.is_held WHEN true THEN 4 ELSE 1 END, 1000000 + row_number() OVER (ORDER BY n.nspname, g.grantee), 'right',
        format('USAGE on schema %I of %I', n.nspname, g.grantee), NULL, CASE h.is_held WHEN true THEN 'kept' ELSE 'dropped' END,
        CASE h.is_held WHEN true THEN format('REVOKE USAGE ON SCHEMA %I FROM %I;', n.nspname, g.grantee) END,
        CASE h.is_held WHEN false THEN format('REVOKE USAGE ON SCHEMA %I FROM %I', n.nspname, g.grantee) END
    FROM given AS g
    JOIN pg_namespace AS n ON n.oid = g.schema
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM held AS h WHERE h.schema = g.schema)) AS h (is_held)
    WHERE h.is_held OR NOT EXISTS (SELECT FROM made AS m WHERE m.kind = 'schema' AND m.id = g.schema)
    UNION ALL
    -- In an order in which the statements can run: what rests on columns before these.
    SELECT 2, row_number() OVER (ORDER BY coalesce(array_position('{view,materialized view,policy,index,trigger,function,table constraint,table,default value}', i.type), 100), i.type, i.identity), i.type, pg_describe_object(d.class, d.id, d.sub),
        NULL, 'blocks', kepler_internal.way_out(d.class, d.id, d.sub, i.type, i.identity), NULL
    FROM dependent AS d
    CROSS JOIN LATERAL pg_identify_object(d.class, d.id, d.sub) AS i
    UNION ALL
    -- A worker would go on writing there.
    SELECT 3, row_number() OVER (ORDER BY s.subname), 'subscription',
        format('subscription %I, which fills %s of Kepler''s tables', s.subname, count(*)),
        NULL, 'blocks', format('DROP SUBSCRIPTION %I;', s.subname), NULL
    FROM pg_subscription_rel AS r
    JOIN pg_subscription AS s ON s.oid = r.srsubid
    JOIN made AS m ON m.relation = r.srrelid AND m.kind <> 'trigger'
    GROUP BY s.subname
    UNION ALL
    SELECT 4, row_number() OVER (ORDER BY n.nspname), 'schema', format('%I', n.nspname), NULL, 'kept',
        format('It holds what Kepler did not make: %s.', string_agg(pg_describe_object(h.class, h.id, 0), ', ' ORDER BY h.class, h.id)), NULL
    FROM held AS h JOIN pg_namespace AS n ON n.oid = h.schema
    WHERE n.nspname = 'kepler' OR n.nspname = ANY (kepler_internal.made_schemas())
    GROUP BY n.nspname
    UNION ALL
    -- A library that is loaded by name, and is gone, lets no session begin.
    SELECT 5, row_number() OVER (ORDER BY x.setting, s.setdatabase, s.setrole), 'setting',
        format('%s of %s', x.setting, concat_ws(' in ',
            CASE WHEN s.setrole <> 0 THEN 'role ' || quote_ident(pg_get_userbyid(s.setrole)) END,
            CASE WHEN s.setdatabase <> 0 THEN 'database ' || quote_ident(b.datname) END)),
        NULL, 'kept', format('ALTER %s RESET %s;', CASE
            WHEN s.setrole = 0 THEN 'DATABASE ' || quote_ident(b.datname)
            ELSE 'ROLE ' || quote_ident(pg_get_userbyid(s.setrole)) || coalesce(' IN DATABASE ' || quote_ident(b.datname), '') END,
            split_part(x.setting, '=', 1)), NULL
    FROM pg_db_role_setting AS s
    LEFT JOIN pg_database AS b ON b.oid = s.setdatabase
    CROSS JOIN LATERAL unnest(s.setconfig) AS x (setting)
    WHERE (s.setdatabase = 0 OR b.datname = current_database())
        AND (x.setting LIKE 'kepler.%' OR x.setting ~ '^(session|local)_preload_libraries=.*\mkepler\M')
    UNION ALL
    -- Postgres does not know what the text of a function calls.
    SELECT 6, row_number() OVER (ORDER BY f.oid::regprocedure::text), 'function', f.oid::regprocedure::text, NULL, 'kept',
        'Its text speaks of a schema of Kepler''s.', NULL
    FROM pg_proc AS f
    WHERE f.prosrc ~ '\mkepler(_data|_internal)?[.]' AND f.prosqlbody IS NULL
        AND NOT EXISTS (SELECT FROM part AS p WHERE p.class = 'pg_proc'::regclass AND p.id = f.oid)
    UNION ALL
    SELECT 7, 1, 'extension', 'kepler', NULL, 'kept', 'DROP EXTENSION kepler;', NULL
    UNION ALL
    -- CREATE EXTENSION makes it, and DROP EXTENSION leaves it.
    SELECT 8, 1, 'schema', 'kepler', NULL, 'kept', 'DROP SCHEMA kepler;', NULL
    WHERE NOT EXISTS (SELECT FROM held AS h WHERE h.schema = to_regnamespace('kepler'))
)
SELECT f.kind, f.object, f.relation, f.outcome, f.hint, f.drop_command FROM found AS f ORDER BY f.part, f.at
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.plan_uninstall(oid,oid,text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.plan_uninstall(oid,oid,text[]) IS 'Internal: what uninstall drops, what blocks it, and what stays';
CREATE FUNCTION kepler_internal.prepare_node(shared text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    name text;
    has_rows boolean;
    by_workspace regclass[];
BEGIN
    PERFORM kepler_internal.require_node(false);
    -- What is done here is this node's alone.
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    PERFORM kepler_internal.install_on_node();
    -- Before what it is read from goes; after kepler.undistribute() it has gone with the others.
    IF to_regclass('kepler.embedding_spaces') IS NOT NULL THEN
        SELECT array_agg(t.relation) INTO by_workspace FROM kepler_internal.cluster_tables() AS t WHERE t.lies = 'by workspace';
    END IF;
    FOREACH name IN ARRAY shared LOOP
        IF to_regclass(name) IS NOT NULL AND kepler_internal.lies_now(name::regclass) IS NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
            IF has_rows AND coalesce(name::regclass = ANY (by_workspace),
                name NOT IN ('kepler.workspaces', 'kepler.tracked_tables', 'kepler.retention_policies'))
            THEN
                RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                    MESSAGE = format('a worker has rows of its own in %s', name),
                    HINT = 'Export its workspaces (kepler.export_workspace), then SELECT kepler.uninstall(with_rows => true); there.';
            END IF;
            EXECUTE format('DROP TABLE %s CASCADE', name);
        END IF;
    END LOOP;
    -- Who works here was sent here, and sees what policies show.
    GRANT SELECT ON kepler.feed, kepler.feed_default, kepler.feed_dropped, kepler.feed_epochs, kepler.schema_versions TO PUBLIC;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.prepare_node(text[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.prepare_node(text[]) IS 'Internal: gives a node the tables that it has for itself';
CREATE FUNCTION kepler_internal.queued_types(OUT workspace_id text, OUT entity_type text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    WITH RECURSIVE t AS (
        (SELECT q.workspace_id, q.entity_type FROM kepler.enrichment_queue AS q
        ORDER BY q.workspace_id DESC, q.entity_type DESC, q.ready_at DESC LIMIT 1)
        UNION ALL
        -- From the end: what claims have taken out at the beginning stays there as long as an old snapshot may need it.
        SELECT n.* FROM t CROSS JOIN LATERAL (
            SELECT q.workspace_id, q.entity_type FROM kepler.enrichment_queue AS q
            WHERE (q.workspace_id, q.entity_type) < (t.workspace_id, t.entity_type)
            ORDER BY q.workspace_id DESC, q.entity_type DESC, q.ready_at DESC LIMIT 1) AS n
    )
    SELECT t.workspace_id, t.entity_type FROM t
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.queued_types() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.queued_types() IS 'Internal: types with something in the queue';
CREATE FUNCTION kepler_internal.reap_leases(workspace_id text, entity_type text, max_rows integer)
 RETURNS bigint
 LANGUAGE c
 STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'reap_leases_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.reap_leases(text,text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.reap_leases(text,text,integer) IS 'Internal: takes back what expired leases of a type hold';
CREATE FUNCTION kepler_internal.redact_history_in_parts(workspace_id text, reason text, max_rows integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    key text;
    redacted bigint := 0;
BEGIN
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        redacted := redacted + kepler_internal.redact_history_of_node(workspace_id, reason, max_rows, key);
    END LOOP;
    RETURN redacted;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.redact_history_in_parts(text,text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.redact_history_in_parts(text,text,integer) IS 'Internal: redacts the history of a workspace on all nodes with parts';
CREATE FUNCTION kepler_internal.redact_history_of_node(workspace_id text, reason text, max_rows integer, part_of text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ BEGIN RETURN kepler_internal.redact_history(workspace_id, reason, max_rows => max_rows); END $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.redact_history_of_node(text,text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.redact_history_of_node(text,text,integer,text) IS 'Internal: redacts the history of a workspace on a node';
CREATE FUNCTION kepler_internal.redact_user_elsewhere(workspace_id text, user_id text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    key text;
    redacted bigint := 0;
BEGIN
    IF NOT kepler_internal.is_distributed()
        OR NOT pg_has_role((SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'kepler.workspaces'::regclass), 'USAGE')
    THEN
        RETURN 0;
    END IF;
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        redacted := redacted + kepler_internal.redact_user_of_node(workspace_id, user_id, key);
    END LOOP;
    RETURN redacted + kepler_internal.redact_user(workspace_id, user_id, 9223372036854775807);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.redact_user_elsewhere(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.redact_user_elsewhere(text,text) IS 'Internal: takes a person out of the history on all nodes of a cluster';
CREATE FUNCTION kepler_internal.redact_user_of_node(workspace_id text, user_id text, part_of text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ BEGIN RETURN kepler_internal.redact_user(workspace_id, user_id, 9223372036854775807); END $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.redact_user_of_node(text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.redact_user_of_node(text,text,text) IS 'Internal: takes a person out of the history on a node';
CREATE FUNCTION kepler_internal.reference_condition(foreign_key oid, parent text, child text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT string_agg(format('%s.%I OPERATOR(%I.%s) %s.%I', parent, p.attname, n.nspname, o.oprname, child, c.attname), ' AND ' ORDER BY u.at)
    FROM pg_constraint AS k
    CROSS JOIN LATERAL unnest(k.confkey, k.conkey, k.conpfeqop) WITH ORDINALITY AS u (key_number, number, equals, at)
    JOIN pg_attribute AS p ON p.attrelid = k.confrelid AND p.attnum = u.key_number
    JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = u.number
    JOIN pg_operator AS o ON o.oid = u.equals
    JOIN pg_namespace AS n ON n.oid = o.oprnamespace
    WHERE k.oid = foreign_key
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.reference_condition(oid,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.reference_condition(oid,text,text) IS 'Internal: a foreign key as a condition over two rows';
CREATE FUNCTION kepler_internal.references_to(relation oid)
 RETURNS SETOF oid
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT DISTINCT k.oid
    FROM pg_trigger AS g JOIN pg_constraint AS k ON k.oid = g.tgconstraint
    WHERE g.tgrelid = ANY (ARRAY(SELECT relation UNION SELECT t.relid FROM pg_partition_tree(relation) AS t))
        AND k.contype = 'f' AND k.confrelid = g.tgrelid AND k.conparentid = 0
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.references_to(oid) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.references_to(oid) IS 'Internal: the foreign keys that refer to a table';
CREATE FUNCTION kepler_internal.refresh_words(max_rows integer, workspace_id text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    workspace kepler.workspaces;
    settled boolean;
    last_memory text := '';
    last_message bigint := 0;
    memories text[];
    messages bigint[];
    looked integer := 0;
    more integer;
BEGIN
    SELECT * INTO workspace FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id),
            HINT = format('SELECT kepler.create_workspace(%L);', workspace_id);
    END IF;
    settled := coalesce(workspace.language_set_at < clock_timestamp() - interval '1 day', true);
    IF workspace.former_languages = '{}' OR (workspace.words_place = 'end' AND NOT settled) THEN
        RETURN 0;
    END IF;
    IF workspace.words_place LIKE 'messages %' THEN
        last_memory := NULL;
        last_message := substr(workspace.words_place, 10);
    ELSIF workspace.words_place LIKE 'memories %' THEN
        last_memory := substr(workspace.words_place, 10);
    END IF;
    IF last_memory IS NOT NULL THEN
        SELECT count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE coalesce(n.language, '') = ANY (workspace.former_languages)),
            (array_agg(n.id ORDER BY n.id DESC))[1]
        INTO looked, memories, last_memory
        FROM (
            SELECT m.id, m.language FROM kepler.memories AS m
            WHERE m.workspace_id = workspace_id AND m.id > last_memory ORDER BY m.workspace_id, m.id LIMIT max_rows
        ) AS n;
        IF memories IS NOT NULL THEN
            PERFORM FROM kepler.memories AS m WHERE m.workspace_id = workspace_id AND m.id = ANY (memories)
            ORDER BY m.id COLLATE "C" FOR NO KEY UPDATE;
            UPDATE kepler.memories AS m SET language = workspace.language
            WHERE m.workspace_id = workspace_id AND m.id = ANY (memories)
                AND coalesce(m.language, '') = ANY (workspace.former_languages);
        END IF;
        workspace.words_place := CASE WHEN looked = max_rows THEN 'memories ' || last_memory ELSE 'messages 0' END;
    END IF;
    IF looked < max_rows THEN
        SELECT count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE coalesce(n.language, '') = ANY (workspace.former_languages)), max(n.id)
        INTO more, messages, last_message
        FROM (
            SELECT m.id, m.language FROM kepler.messages AS m
            WHERE m.workspace_id = workspace_id AND m.id > last_message ORDER BY m.workspace_id, m.id LIMIT max_rows - looked
        ) AS n;
        IF messages IS NOT NULL THEN
            PERFORM FROM kepler.messages AS m WHERE m.workspace_id = workspace_id AND m.id = ANY (messages)
            ORDER BY m.id FOR NO KEY UPDATE;
            UPDATE kepler.messages AS m SET language = workspace.language
            WHERE m.workspace_id = workspace_id AND m.id = ANY (messages)
                AND coalesce(m.language, '') = ANY (workspace.former_languages);
        END IF;
        looked := looked + more;
        workspace.words_place := CASE WHEN looked = max_rows THEN 'messages ' || last_message ELSE 'end' END;
    END IF;
    UPDATE kepler.workspaces AS w
    SET words_place = CASE WHEN NOT is_over THEN workspace.words_place WHEN NOT settled THEN 'end' END,
        former_languages = CASE WHEN is_over AND settled THEN '{}' ELSE w.former_languages END
    FROM (SELECT workspace.words_place = 'end' AS is_over) AS e
    WHERE w.id = workspace_id;
    RETURN greatest(looked, 1);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.refresh_words(integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.refresh_words(integer,text) IS 'Internal: see refresh_words';
CREATE FUNCTION kepler_internal.refuse_numbers(lines text[], numbers bigint[], column_name text, highest bigint, most bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    bad bigint;
BEGIN
    EXECUTE format('SELECT min(l.number) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS l (line, number)
        CROSS JOIN LATERAL pg_catalog.json_to_record(kepler_internal.archived_row(l.line)) AS p (%I pg_catalog.int8)
        WHERE p.%1$I OPERATOR(pg_catalog.>) $3 AND p.%1$I OPERATOR(pg_catalog.<=) $4', column_name)
    INTO bad USING lines, numbers, highest, most;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('line %s of the archive cannot be imported', bad),
            DETAIL = format('/row/%s: it is above %s, too far ahead of the numbers that were given here. Nothing was imported.',
                replace(replace(column_name, '~', '~0'), '/', '~1'), highest);
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.refuse_numbers(text[],bigint[],text,bigint,bigint) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.refuse_numbers(text[],bigint[],text,bigint,bigint) IS 'Internal: fails where a row of an archive has a number that would use up a sequence';
CREATE FUNCTION kepler_internal.relation_here(relation regclass)
 RETURNS regclass
 LANGUAGE c
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'relation_here_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.relation_here(regclass) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.relation_here(regclass) IS 'Internal: what has the rows of a table here: in a part of a cluster its shard';
CREATE FUNCTION kepler_internal.repair_enrichment_step(after text, max_rows integer, workspace_id text DEFAULT kepler.current_workspace_id(), OUT last text, OUT requeued bigint, OUT held bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    given_workspace ALIAS FOR $3;
    suspect text[];
    locked text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    PERFORM kepler_internal.require_max_rows(max_rows, 10000);
    SELECT CASE WHEN count(*) = max_rows THEN max(n.id) END,
        array_agg(n.id) FILTER (WHERE n.enrichment_status = 'PENDING' AND NOT EXISTS (
            SELECT FROM kepler.leases AS l
            WHERE l.workspace_id = given_workspace AND l.id = n.enrichment_lease_id))
    INTO last, suspect
    FROM (
        SELECT r.id, r.enrichment_status, r.enrichment_lease_id FROM kepler.records AS r
        WHERE r.workspace_id = given_workspace AND r.id > after
        ORDER BY r.id LIMIT max_rows
    ) AS n;
    locked := ARRAY(
        SELECT r.id FROM kepler.records AS r
        WHERE r.workspace_id = given_workspace AND r.id = ANY (suspect) AND r.enrichment_status = 'PENDING'
        ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C" FOR NO KEY UPDATE SKIP LOCKED);
    held := coalesce(cardinality(suspect), 0) - cardinality(locked);
    UPDATE kepler.records AS r
    SET enrichment_status = 'UNAPPLIED', enrichment_lease_id = NULL, updated_at = clock_timestamp()
    WHERE r.workspace_id = given_workspace AND r.id = ANY (locked) AND r.enrichment_status = 'PENDING'
        AND NOT EXISTS (
            SELECT FROM kepler.leases AS l
            WHERE l.workspace_id = given_workspace AND l.id = r.enrichment_lease_id);
    GET DIAGNOSTICS requeued = ROW_COUNT;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.repair_enrichment_step(text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.repair_enrichment_step(text,integer,text) IS 'Internal: gives back records whose lease does not exist, and where to go on; NULL when all were looked at';
CREATE FUNCTION kepler_internal.repair_leases_step(after bigint, max_rows integer, workspace_id text DEFAULT kepler.current_workspace_id(), OUT last bigint, OUT ended bigint, OUT held bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
#variable_conflict use_variable
DECLARE
    given_workspace ALIAS FOR $3;
    found_leases bigint[];
    locked bigint[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    PERFORM kepler_internal.require_max_rows(max_rows, 10000);
    found_leases := ARRAY(
        SELECT l.id FROM kepler.leases AS l
        WHERE l.workspace_id = given_workspace AND l.id > after ORDER BY l.id LIMIT max_rows);
    last := CASE WHEN cardinality(found_leases) = max_rows THEN found_leases[max_rows] END;
    locked := ARRAY(
        SELECT l.id FROM kepler.leases AS l
        WHERE l.workspace_id = given_workspace AND l.id = ANY (found_leases) FOR UPDATE SKIP LOCKED);
    held := cardinality(found_leases) - cardinality(locked);
    DELETE FROM kepler.leases AS l
    WHERE l.workspace_id = given_workspace AND l.id = ANY (locked) AND NOT EXISTS (
        SELECT FROM kepler.lease_records AS m
        CROSS JOIN LATERAL unnest(m.record_ids) AS u (id)
        CROSS JOIN LATERAL (
            SELECT FROM kepler.records AS r
            WHERE r.workspace_id = given_workspace AND r.id = u.id AND r.enrichment_lease_id = l.id
                AND r.enrichment_status = 'PENDING'
            LIMIT 1) AS x
        WHERE m.workspace_id = given_workspace AND m.lease_id = l.id);
    GET DIAGNOSTICS ended = ROW_COUNT;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.repair_leases_step(bigint,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.repair_leases_step(bigint,integer,text) IS 'Internal: ends leases that hold nothing, and where to go on; NULL when all were looked at';
CREATE FUNCTION kepler_internal.require_active_nodes()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    name text;
BEGIN
    EXECUTE 'SELECT min(n.nodename || '':'' || n.nodeport) FROM pg_catalog.pg_dist_node AS n
             WHERE n.noderole = ''primary'' AND NOT n.isactive' INTO name;
    IF name IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('node %s of the cluster is not active, and may have a part of the history', name),
            HINT = 'SELECT citus_activate_node(…); on the coordinator.';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.require_active_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_active_nodes() IS 'Internal: fails while a node of a cluster is not active';
CREATE FUNCTION kepler_internal.require_cluster_owner()
 RETURNS void
 LANGUAGE c
 STRICT
AS 'MODULE_PATHNAME', 'require_cluster_owner_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.require_cluster_owner() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_cluster_owner() IS 'Internal: fails unless the caller has the rights of the owner of Kepler''s tables';
CREATE OR REPLACE FUNCTION kepler_internal.require_copied_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    run constant text := nullif(current_setting('kepler.sync_run_id', true), '');
    status text;
BEGIN
    IF run IS NULL THEN
        RETURN NULL;
    END IF;
    -- The run does not sweep before these rows can be seen. Its status is read behind that.
    PERFORM kepler_internal.share_copied_run(run, kepler.current_workspace_id());
    SELECT r.status INTO status FROM kepler.sync_runs AS r
    WHERE r.workspace_id = kepler.current_workspace_id() AND r.id = run;
    IF status = 'RUNNING' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = CASE WHEN status IS NULL THEN '42704' ELSE '55000' END,
        MESSAGE = CASE WHEN status IS NULL THEN format('sync run "%s" does not exist', run) ELSE format('sync run "%s" has ended', run) END,
        DETAIL = 'The setting kepler.sync_run_id names it.',
        HINT = 'kepler.begin_sync begins a run, and kepler.resume_sync finds one that is open.';
END
$function$;
CREATE FUNCTION kepler_internal.require_language(language text)
 RETURNS void
 LANGUAGE c
 STABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'require_language_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.require_language(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_language(text) IS 'Internal: fails unless rows may have words of a language';
CREATE FUNCTION kepler_internal.require_monitor()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    owner constant oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces'));
BEGIN
    IF NOT pg_has_role(current_user, 'pg_monitor', 'USAGE') AND NOT coalesce(pg_has_role(current_user, owner, 'USAGE'), true) THEN
        RAISE insufficient_privilege USING MESSAGE = format('role "%s" may not look at all workspaces', current_user),
            DETAIL = 'That is for members of pg_monitor and for the owner of Kepler''s tables.',
            HINT = format('GRANT pg_monitor TO %I;', current_user);
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.require_monitor() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_monitor() IS 'Internal: fails unless the caller may look at all workspaces';
CREATE FUNCTION kepler_internal.require_node(may_be_coordinator boolean)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    is_coordinator boolean;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL THEN
        EXECUTE 'SELECT min(l.groupid) = 0 FROM pg_catalog.pg_dist_local_group AS l' INTO is_coordinator;
    END IF;
    IF is_coordinator IS NULL OR is_coordinator AND NOT may_be_coordinator THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'this is no node that kepler.distribute() sets up',
            HINT = 'Call kepler.distribute() on the coordinator of the cluster.';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.require_node(boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_node(boolean) IS 'Internal: fails where there is no cluster to set up';
CREATE FUNCTION kepler_internal.require_retriable(execution_id text, workflow_id text, workspace_id text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    run record;
BEGIN
    SELECT e.workflow_id, e.status INTO run FROM kepler.executions AS e WHERE e.workspace_id = $3 AND e.id = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('execution "%s" does not exist in workspace "%s"', $1, $3);
    ELSIF run.workflow_id <> $2 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('execution "%s" is a run of workflow "%s", not of "%s"', $1, run.workflow_id, $2);
    ELSIF run.status IN ('RUNNING', 'WAITING', 'SUCCESS') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('execution "%s" cannot be retried: it is %s', $1, run.status),
            HINT = CASE run.status WHEN 'SUCCESS' THEN 'Start another run, without retry_of.'
                ELSE 'Wait for its end, or call kepler.cancel_execution first.' END;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.require_retriable(text,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.require_retriable(text,text,text) IS 'Internal: fails unless an execution can be tried again';
CREATE FUNCTION kepler_internal.retention_begun(policy_id bigint)
 RETURNS void
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'retention_begun_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_begun(bigint) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_begun(bigint) IS 'Internal: notes that a run takes a policy up';
CREATE FUNCTION kepler_internal.retention_candidates(policy_id bigint DEFAULT NULL::bigint, begun_before timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS SETOF bigint
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'retention_candidates_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_candidates(bigint,timestamp with time zone) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_candidates(bigint,timestamp with time zone) IS 'Internal: the policies that the caller may run';
CREATE FUNCTION kepler_internal.retention_failed(policy_id bigint, code text, message text)
 RETURNS void
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'retention_failed_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_failed(bigint,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_failed(bigint,text,text) IS 'Internal: notes that a batch of a policy failed';
CREATE FUNCTION kepler_internal.retention_floors(relation oid)
 RETURNS TABLE(column_name text, type oid, floor interval, declared_by text, before timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    WITH named AS (
        SELECT n.nspname::text AS schema_name, c.relname::text AS table_name
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = ANY (ARRAY(
            SELECT $1 UNION SELECT t.relid FROM pg_partition_tree($1) AS t UNION SELECT a.relid FROM pg_partition_ancestors($1) AS a (relid)))
        UNION
        SELECT l.schema_name, l.table_name
        FROM kepler.blueprint_tables AS l
        JOIN kepler.blueprints AS b ON b.name = l.blueprint_name
        JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version IN (b.version, b.pending_version)
        CROSS JOIN LATERAL json_array_elements(v.document -> 'tables') AS x (document)
        WHERE NOT EXISTS (
                SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relname = l.table_name AND n.nspname = l.schema_name)
            AND x.document ->> 'name' = l.name AND x.document -> 'retention' IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                LEFT JOIN kepler.blueprint_tables AS o ON o.schema_name = n.nspname AND o.table_name = c.relname
                WHERE c.oid = $1 AND (o.name IS NOT NULL OR n.nspname IN ('kepler', 'kepler_data')))
            AND (
                SELECT 2 * count(a.attnum) > count(*)
                FROM (
                    SELECT coalesce(f.field ->> 'column', f.field ->> 'name') FROM json_array_elements(x.document -> 'fields') AS f (field)
                    UNION SELECT x.document -> 'key' ->> 'name'
                    UNION SELECT x.document -> 'retention' ->> 'field'
                ) AS w (column_name)
                LEFT JOIN pg_attribute AS a ON a.attrelid = $1 AND a.attname = w.column_name AND NOT a.attisdropped
                WHERE w.column_name IS NOT NULL)
    ), declared AS (
        SELECT coalesce(f.field ->> 'column', d.retention ->> 'field') AS column_name, (d.retention ->> 'floor')::interval AS floor,
            format('blueprint "%s"', b.name) AS declared_by
        FROM named AS t
        JOIN kepler.blueprint_tables AS l ON l.schema_name = t.schema_name AND l.table_name = t.table_name
        JOIN kepler.blueprints AS b ON b.name = l.blueprint_name
        JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version IN (b.version, b.pending_version)
        CROSS JOIN LATERAL (
            SELECT x.document -> 'fields' AS fields, x.document -> 'retention' AS retention
            FROM json_array_elements(v.document -> 'tables') AS x (document)
            WHERE x.document ->> 'name' = l.name AND x.document -> 'retention' IS NOT NULL
        ) AS d
        LEFT JOIN LATERAL (
            SELECT x.field FROM json_array_elements(d.fields) AS x (field)
            WHERE x.field ->> 'name' = d.retention ->> 'field' LIMIT 1
        ) AS f ON true
        UNION
        SELECT coalesce(f.field ->> 'column', s.structure -> 'retention' ->> 'field'), (s.structure -> 'retention' ->> 'floor')::interval,
            format('the structure of "%s"', e.record_name)
        FROM named AS t
        JOIN kepler.entry_tables AS e ON e.table_name = t.table_name AND t.schema_name = 'kepler_data'
        JOIN kepler.structures AS s ON s.workspace_id = e.workspace_id AND s.entry_table_id = e.id AND s.version = e.version
        LEFT JOIN LATERAL (
            SELECT x.field FROM jsonb_array_elements(s.structure -> 'fields') AS x (field)
            WHERE x.field ->> 'name' = s.structure -> 'retention' ->> 'field' LIMIT 1
        ) AS f ON true
        WHERE s.structure ? 'retention'
    )
    SELECT d.column_name, a.type, d.floor, d.declared_by,
        -- A longer time could not be taken from a date.
        CASE WHEN d.floor > interval '5000 years' THEN '-infinity' ELSE timezone('UTC', timezone('UTC', now()) - d.floor) END
    FROM declared AS d
    LEFT JOIN LATERAL (
        SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS type
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = $1 AND a.attname = d.column_name AND NOT a.attisdropped
    ) AS a ON true
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_floors(oid) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_floors(oid) IS 'Internal: the floors that structures and blueprints declare for a table';
CREATE FUNCTION kepler_internal.retention_step(state jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    at constant integer := (state ->> 'at')::integer;
    policy constant jsonb := state -> 'open' -> at;
    size constant integer := (policy ->> 'rows')::integer;
    began constant timestamptz := clock_timestamp();
    took interval;
    gone bigint;
BEGIN
    IF policy IS NULL THEN
        RETURN NULL;
    END IF;
    IF NOT policy ? 'begun' THEN
        PERFORM kepler_internal.retention_begun((policy ->> 'id')::bigint);
        RETURN jsonb_set(state, ARRAY['open', at::text, 'begun'], 'true');
    END IF;
    gone := kepler_internal.apply_retention((policy ->> 'id')::bigint, size);
    took := clock_timestamp() - began;
    RETURN kepler_internal.next_retention(jsonb_set(state, ARRAY['open', at::text, 'rows'], to_jsonb(CASE
        WHEN took > interval '400 ms' THEN greatest(size / 2, 100)
        WHEN took < interval '100 ms' AND gone >= size THEN least(size * 2, 20000)
        ELSE size END)), gone > 0);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_step(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_step(jsonb) IS 'Internal: one batch of run_retention';
CREATE FUNCTION kepler_internal.retention_step_failed(state jsonb, code text, message text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM kepler_internal.retention_failed((state -> 'open' -> (state ->> 'at')::integer ->> 'id')::bigint, code, message);
    RAISE WARNING USING MESSAGE = format('retention policy %s: %s', state -> 'open' -> (state ->> 'at')::integer ->> 'id',
        left(kepler_internal.without_secrets(message), 1000));
    RETURN kepler_internal.next_retention(state, false);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.retention_step_failed(jsonb,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.retention_step_failed(jsonb,text,text) IS 'Internal: a batch of run_retention that failed';
CREATE OR REPLACE FUNCTION kepler_internal.retire_embedding_space(space text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    found record;
    oldest text;
    users text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    found := kepler_internal.require_space(space, false);
    SELECT s.name INTO oldest FROM kepler.embedding_spaces AS s
    WHERE s.status = 'ACTIVE' ORDER BY s.created_at, s.name LIMIT 1;
    -- Those who have activated none search the oldest.
    IF kepler_internal.is_distributed() THEN
        users := ARRAY(
            SELECT DISTINCT u.id FROM kepler_internal.part_keys() AS k (key)
            CROSS JOIN LATERAL unnest(kepler_internal.workspaces_that_search_of_part($1, coalesce(oldest = $1, false), k.key)) AS u (id)
            ORDER BY u.id LIMIT 5);
    ELSE
        users := kepler_internal.workspaces_that_search($1, coalesce(oldest = $1, false));
    END IF;
    IF users <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('embedding space "%s" is in use', space),
            DETAIL = format('Workspaces that search it: %s.', array_to_string(users, ', ')),
            HINT = 'SELECT kepler.activate_embedding_space(''…'', workspace_id => ''…''); in each of them.';
    END IF;
    UPDATE kepler.embedding_spaces AS s SET status = 'RETIRED' WHERE s.name = $1 AND s.status <> 'RETIRED';
END
$function$;
CREATE FUNCTION kepler_internal.row_as_of_with(relation regclass, id text, as_of timestamp with time zone, elsewhere text[], asked integer[], workspace_id text)
 RETURNS jsonb
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'row_as_of_with_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.row_as_of_with(regclass,text,timestamp with time zone,text[],integer[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.row_as_of_with(regclass,text,timestamp with time zone,text[],integer[],text) IS 'Internal: row_as_of on the node of a row, with what other nodes have told';
CREATE FUNCTION kepler_internal.row_history_with(relation regclass, id text, max_rows integer, elsewhere text[], asked integer[], workspace_id text)
 RETURNS TABLE(changed_at timestamp with time zone, operation text, changes jsonb, row_data jsonb, actor text, request_id text, role_name text, sequence bigint)
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'row_history_with_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.row_history_with(regclass,text,integer,text[],integer[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.row_history_with(regclass,text,integer,text[],integer[],text) IS 'Internal: row_history on the node of a row, with what other nodes have told';
CREATE FUNCTION kepler_internal.run_in_part(part_of text, command text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    answer text;
    propagates constant text := current_setting('citus.enable_ddl_propagation');
BEGIN
    -- What is done here is this node's alone.
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    EXECUTE command INTO answer;
    PERFORM set_config('citus.enable_ddl_propagation', propagates, true);
    RETURN answer;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.run_in_part(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.run_in_part(text,text) IS 'Internal: runs a command on the node of a part, in this transaction';
CREATE FUNCTION kepler_internal.run_on_idle_node(name text, port integer, command text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    answer record;
BEGIN
    EXECUTE 'SELECT r.success, r.result FROM master_run_on_worker($1, $2, $3, false) AS r' INTO answer
    USING ARRAY[name], ARRAY[port],
        ARRAY[format('SELECT (%s) FROM (SELECT set_config(''lock_timeout'', ''10s'', true),
            set_config(''citus.enable_ddl_propagation'', ''off'', true) OFFSET 0) AS t', command)];
    IF NOT answer.success THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('node %s:%s of the cluster refused what was done on the coordinator', name, port), DETAIL = answer.result,
            HINT = 'Mend the node, and call the function again.';
    END IF;
    RETURN answer.result;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.run_on_idle_node(text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.run_on_idle_node(text,integer,text) IS 'Internal: runs a command on a node of a cluster that has no parts';
CREATE FUNCTION kepler_internal.run_on_node(name text, port integer, part text, command text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN CASE WHEN part IS NULL THEN kepler_internal.run_on_idle_node(name, port, command)
        ELSE kepler_internal.run_in_part(part, command) END;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.run_on_node(text,integer,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.run_on_node(text,integer,text,text) IS 'Internal: runs a command on another node of a cluster';
CREATE FUNCTION kepler_internal.run_on_other_nodes(command text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT kepler_internal.run_on_node(n.name, n.port, n.part, command)
    FROM (SELECT * FROM kepler_internal.other_nodes() ORDER BY part IS NOT NULL OFFSET 0) AS n
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.run_on_other_nodes(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.run_on_other_nodes(text) IS 'Internal: runs a command on all other nodes of a cluster';
CREATE FUNCTION kepler_internal.seal_history_of_nodes(own text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    node record;
    anchor text;
    anchors text[] := ARRAY['0=' || own];
    is_cluster boolean := false;
BEGIN
    FOR node IN SELECT n.* FROM kepler_internal.other_nodes() AS n ORDER BY n.part IS NOT NULL, n.number LOOP
        IF NOT is_cluster THEN PERFORM kepler_internal.require_active_nodes(); END IF;
        is_cluster := true;
        anchor := kepler_internal.run_on_node(node.name, node.port, node.part,
            'SELECT CASE WHEN to_regclass(''kepler.history_seals'') IS NOT NULL THEN kepler.seal_history() END');
        anchors := anchors || format('%s=%s', node.number, nullif(anchor, ''));
    END LOOP;
    IF NOT is_cluster THEN RETURN own; END IF;
    RETURN (SELECT nullif(string_agg(a, ',' ORDER BY split_part(a, '=', 1)::integer), '') FROM unnest(anchors) AS a WHERE a NOT LIKE '%=');
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.seal_history_of_nodes(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.seal_history_of_nodes(text) IS 'Internal: seals what other nodes of a cluster keep, and gives the anchor of all';
CREATE FUNCTION kepler_internal.search_vectors_of_part(relation regclass, column_name text, embedding @extschema:vector@.vector, max_rows integer, filter jsonb, metric text, min_similarity double precision, columns text[], query_text text, words_column text, language text, fusion jsonb, part_of text)
 RETURNS TABLE(document jsonb, similarity double precision, distance double precision, plan text, exhausted boolean, score double precision, vector_rank integer, text_rank integer)
 LANGUAGE c
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'search_vectors_of_part_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.search_vectors_of_part(regclass,text,@extschema:vector@.vector,integer,jsonb,text,double precision,text[],text,text,text,jsonb,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.search_vectors_of_part(regclass,text,@extschema:vector@.vector,integer,jsonb,text,double precision,text[],text,text,text,jsonb,text) IS 'Internal: search_vectors in a part of a cluster';
CREATE FUNCTION kepler_internal.server_warning(version integer)
 RETURNS text
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'server_warning_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.server_warning(integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.server_warning(integer) IS 'Internal: what is wrong with a version of Postgres, a server_version_num';
CREATE FUNCTION kepler_internal.set_levels(levels jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    one record;
BEGIN
    -- A node that is being set up has been told (make_node), and gets the shared tables when that commits.
    IF to_regclass('kepler.workspaces') IS NULL THEN RETURN; END IF;
    PERFORM kepler_internal.require_cluster_owner();
    -- Those in all workspaces first: a role that loses them loses all.
    FOR one IN
        SELECT h.role, h.workspace FROM kepler_internal.levels_here() AS h
        WHERE NOT EXISTS (
            SELECT FROM jsonb_to_recordset(levels) AS l (role text, workspace text)
            WHERE l.role = h.role AND l.workspace IS NOT DISTINCT FROM h.workspace)
        ORDER BY h.workspace NULLS FIRST
    LOOP
        PERFORM kepler.revoke_access(quote_ident(one.role)::regrole, one.workspace);
    END LOOP;
    FOR one IN
        SELECT l.* FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text)
        EXCEPT SELECT h.role, h.level, h.workspace FROM kepler_internal.levels_here() AS h
    LOOP
        PERFORM kepler.grant_access(quote_ident(one.role)::regrole, one.level, one.workspace);
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_levels(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_levels(jsonb) IS 'Internal: has roles of this node have these levels and no others';
CREATE FUNCTION kepler_internal.set_levels_of_nodes()
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT kepler_internal.run_on_other_nodes(format('SELECT kepler_internal.set_levels(%L)',
        (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)))
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_levels_of_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_levels_of_nodes() IS 'Internal: has roles have on all nodes the levels that they have here';
CREATE FUNCTION kepler_internal.set_lists(levels jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    own constant text := (SELECT concat(p.system_identifier, '/') FROM pg_control_system() AS p);
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    DELETE FROM kepler.access_levels AS a WHERE NOT EXISTS (
        SELECT FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
        WHERE l.workspace IS NULL AND (a.role_name, a.level, a.granted_to) = (l.role, l.level, concat(own, r.oid)));
    INSERT INTO kepler.access_levels (role_name, level, granted_to)
    SELECT l.role, l.level, concat(own, r.oid)
    FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
    WHERE l.workspace IS NULL
    ON CONFLICT DO NOTHING;
    DELETE FROM kepler.workspace_members AS m WHERE NOT EXISTS (
        SELECT FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
        WHERE (m.workspace_id, m.role_name, m.level, m.granted_to) = (l.workspace, l.role, l.level, concat(own, r.oid)));
    INSERT INTO kepler.workspace_members (workspace_id, role_name, level, granted_to)
    SELECT l.workspace, l.role, l.level, concat(own, r.oid)
    FROM jsonb_to_recordset(levels) AS l (role text, level text, workspace text) JOIN pg_roles AS r ON r.rolname = l.role
    WHERE l.workspace IS NOT NULL
    ON CONFLICT DO NOTHING;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_lists(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_lists(jsonb) IS 'Internal: has the lists of levels of a node of a cluster say what those of the coordinator do';
CREATE FUNCTION kepler_internal.set_lists_of_nodes()
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT kepler_internal.run_on_other_nodes(format('SELECT kepler_internal.set_lists(%L)',
        (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)))
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_lists_of_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_lists_of_nodes() IS 'Internal: the same on all other nodes';
CREATE FUNCTION kepler_internal.set_up_new_nodes()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    node record;
    command text;
BEGIN
    FOR node IN EXECUTE
        'SELECT n.nodename AS name, n.nodeport AS port FROM run_command_on_workers(
             ''SELECT to_regclass(''''kepler.schema_versions'''') IS NULL'') AS r
         JOIN pg_catalog.pg_dist_node AS n USING (nodename, nodeport) WHERE r.success AND r.result = ''t'' ORDER BY n.nodeid'
    LOOP
        FOREACH command IN ARRAY ARRAY[
            format('SELECT kepler_internal.make_node(%L)', (SELECT coalesce(jsonb_agg(l), '[]') FROM kepler_internal.levels_here() AS l)),
            format('SELECT kepler_internal.prepare_node(%L)', (SELECT array_agg(t.relation::text)
                FROM kepler_internal.cluster_tables() AS t WHERE t.lies IN ('by workspace', 'everywhere'))),
            'SELECT kepler_internal.set_up_node()']
        LOOP
            PERFORM kepler_internal.run_on_node(node.name, node.port, NULL, command);
        END LOOP;
        -- The shared tables come again.
        EXECUTE 'SELECT citus_activate_node($1, $2)' USING node.name, node.port;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_up_new_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_up_new_nodes() IS 'Internal: sets up workers that joined a cluster after the tables were distributed';
CREATE FUNCTION kepler_internal.set_up_node()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    libraries text;
BEGIN
    PERFORM kepler_internal.require_node(true);
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    SELECT coalesce(max(substring(s.setting FROM '^session_preload_libraries=(.*)$')), '') INTO libraries
    FROM pg_db_role_setting AS d CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
    WHERE d.setdatabase = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database()) AND d.setrole = 0
        AND s.setting LIKE 'session_preload_libraries=%';
    IF libraries !~ '\mkepler\M' THEN
        EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = %s', current_database(),
            (SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ')
             FROM unnest(array_remove(string_to_array(libraries, ','), '') || 'kepler'::text) AS l (name)));
    END IF;
    EXECUTE format('ALTER DATABASE %I SET citus.enable_unsafe_triggers = on', current_database());
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.set_up_node() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.set_up_node() IS 'Internal: sets what sessions of a node need';
CREATE FUNCTION kepler_internal.ship(function anyelement, VARIADIC arguments "any")
 RETURNS anyelement
 LANGUAGE c
AS 'MODULE_PATHNAME', 'kepler_ship';
REVOKE EXECUTE ON FUNCTION kepler_internal.ship(anyelement,"any") FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.ship(anyelement,"any") IS 'Internal: sends a call to the node of its workspace; the planner puts it in the place of the call';
CREATE FUNCTION kepler_internal.stat_feed_of_cluster(given text, columns text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    SELECT format('SELECT %s FROM (
        SELECT v.workspace_id, v.consumer, v.acknowledged_at, least(v.counted_up_to, v.waiting + b.waiting) AS waiting, v.counted_up_to,
            least(v.oldest_waiting_at, b.oldest_waiting_at) AS oldest_waiting_at, v.is_readable, v.cursor
        FROM kepler_internal.view_rows_in_parts(''stat_feed'') AS p (given) CROSS JOIN LATERAL jsonb_to_record(p.given) AS v (%s)
        CROSS JOIN LATERAL (SELECT v.cursor ~ ''^02[0-9a-f]{104}$'' AS is_of_two) AS c
        CROSS JOIN LATERAL (SELECT CASE WHEN c.is_of_two THEN v.cursor ELSE repeat(''0'', 106) END AS cursor) AS k
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, min(n.created_at) AS oldest_waiting_at FROM (
                SELECT f.created_at FROM kepler.feed AS f
                WHERE c.is_of_two AND f.workspace_id = v.workspace_id AND (f.epoch, f.xid, f.sequence) > (
                    (''x'' || substr(k.cursor, 51, 8))::bit(32)::integer,
                    (''x'' || substr(k.cursor, 59, 16))::bit(64)::bigint::text::xid8,
                    (''x'' || substr(k.cursor, 75, 16))::bit(64)::bigint)
                    AND f.table_id <> ALL ((SELECT kepler_internal.feed_tables_elsewhere())::integer[])
                ORDER BY f.epoch, f.xid, f.sequence LIMIT v.counted_up_to) AS n) AS b) AS r', given, columns)
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.stat_feed_of_cluster(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.stat_feed_of_cluster(text,text) IS 'Internal: what stat_feed is on the coordinator of a cluster';
CREATE FUNCTION kepler_internal.status_in_parts(OUT tables jsonb, OUT made jsonb, OUT queue jsonb, OUT runs jsonb)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    here text[];
    by_workspace text[];
    everywhere text[];
    nodes text[] := ARRAY(SELECT k FROM kepler_internal.node_keys() AS k);
    part text;
    is_first boolean := true;
    told jsonb[] := '{}';
    counted jsonb[] := '{}';
BEGIN
    SELECT array_agg(c.relname::text) FILTER (WHERE l.lies IS NULL), array_agg(c.relname::text) FILTER (WHERE l.lies = 'by workspace'),
        array_agg(c.relname::text) FILTER (WHERE l.lies = 'everywhere')
    INTO here, by_workspace, everywhere
    FROM pg_class AS c CROSS JOIN LATERAL kepler_internal.lies_now(c.oid) AS l (lies)
    WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname NOT IN ('schema_versions', 'access_levels', 'workspace_members', 'parts', 'two_phase') AND c.relname !~ '_[0-9]+$';
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        told := told || kepler_internal.status_of_part(by_workspace
            || CASE WHEN is_first THEN everywhere ELSE '{}' END
            || CASE WHEN part = ANY (nodes)
                THEN ARRAY(SELECT h FROM unnest(here) AS h WHERE kepler_internal.each_node_has(h::name)) ELSE '{}' END, part);
        is_first := false;
    END LOOP;
    SELECT array_agg(kepler_internal.table_status(format('kepler.%I', h)::regclass) || jsonb_build_object('name', h))
    INTO counted FROM unnest(here) AS h;
    SELECT jsonb_object_agg(s.name, jsonb_build_object('rows', s.rows, 'estimated', s.estimated, 'bytes', s.bytes)) INTO tables
    FROM (
        SELECT t.name, sum(t.rows) AS rows, bool_or(t.estimated) AS estimated, sum(t.bytes) AS bytes
        FROM (
            SELECT o.name, r.* FROM unnest(told) AS p (said)
            CROSS JOIN LATERAL jsonb_each(p.said -> 'tables') AS o (name, status)
            CROSS JOIN LATERAL jsonb_to_record(o.status) AS r (rows bigint, estimated boolean, bytes bigint)
            UNION ALL
            SELECT r.* FROM unnest(counted) AS p (said)
            CROSS JOIN LATERAL jsonb_to_record(p.said) AS r (name text, rows bigint, estimated boolean, bytes bigint)
        ) AS t GROUP BY t.name
    ) AS s;
    SELECT jsonb_object_agg(k.kind, jsonb_build_object(
        'tables', k.tables, 'rows', k.row_count, 'estimated', true, 'bytes', k.bytes)) INTO made
    FROM (
        SELECT 'entries' AS kind, count(*) AS tables, coalesce(sum(nullif(c.reltuples, -1)), 0)::bigint AS row_count,
            coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
        FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p') AND right(c.relname::text, 11) <> '_embeddings'
            AND c.relname !~ '_embeddings_[0-9]+$'
        UNION ALL
        SELECT 'embeddings', (
                SELECT count(*) FROM pg_class AS c
                WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                    AND right(c.relname::text, 11) = '_embeddings'),
            coalesce(sum((p.said #>> '{embeddings,rows}')::bigint), 0)::bigint,
            coalesce(sum((p.said #>> '{embeddings,bytes}')::bigint), 0)::bigint
        FROM unnest(told) AS p (said)
    ) AS k;
    SELECT CASE WHEN bool_and(p.said -> 'queue' <> 'null') THEN jsonb_build_object(
            'oldest_ready_at', min((p.said #>> '{queue,oldest_ready_at}')::timestamptz),
            'leases', sum((p.said #>> '{queue,leases}')::bigint),
            'expired_leases', sum((p.said #>> '{queue,expired_leases}')::bigint)) END,
        CASE WHEN bool_and(p.said -> 'runs' <> 'null') THEN jsonb_build_object(
            'running', sum((p.said #>> '{runs,running}')::bigint), 'overdue', sum((p.said #>> '{runs,overdue}')::bigint)) END
    INTO queue, runs FROM unnest(told) AS p (said);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.status_in_parts() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.status_in_parts() IS 'Internal: what status() says of all parts';
CREATE FUNCTION kepler_internal.status_of_part(table_names text[], part_of text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    RETURN (
        SELECT jsonb_build_object('queue', w.queue, 'runs', w.runs,
            'tables', (SELECT jsonb_object_agg(t.name, kepler_internal.table_status(format('kepler.%I', t.name)::regclass))
                FROM unnest(table_names) AS t (name)),
            'embeddings', (
                SELECT jsonb_build_object('rows', coalesce(sum(nullif(h.reltuples, -1)), 0)::bigint,
                    'bytes', coalesce(sum(pg_total_relation_size(h.oid)), 0)::bigint)
                FROM pg_class AS h
                WHERE h.oid = ANY (ARRAY(
                    SELECT kepler_internal.relation_here(c.oid) FROM pg_class AS c
                    WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                        AND right(c.relname::text, 11) = '_embeddings')::oid[])))
        FROM kepler_internal.status_of_work() AS w);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.status_of_part(text[],text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.status_of_part(text[],text) IS 'Internal: what status() says of a part of a cluster';
CREATE FUNCTION kepler_internal.status_of_work(OUT queue jsonb, OUT runs jsonb)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
#variable_conflict use_variable
BEGIN
    -- The first of each type, by the index.
    IF has_column_privilege('kepler.enrichment_queue', 'ready_at', 'SELECT') THEN
        SELECT jsonb_build_object(
            'oldest_ready_at', min(q.ready_at),
            'leases', (SELECT count(*) FROM kepler.leases AS l),
            'expired_leases', (SELECT count(*) FROM kepler.leases AS l WHERE l.lease_until <= clock_timestamp()))
        INTO queue
        FROM kepler.enrichment_policies AS p
        CROSS JOIN LATERAL (
            SELECT n.ready_at FROM kepler.enrichment_queue AS n
            WHERE n.workspace_id = p.workspace_id AND n.entity_type = p.entity_type
                AND n.ready_at <= clock_timestamp()
            ORDER BY n.ready_at LIMIT 1) AS q;
    END IF;
    IF has_column_privilege('kepler.executions', 'deadline_at', 'SELECT') THEN
        SELECT jsonb_build_object(
            'running', count(*),
            'overdue', count(*) FILTER (WHERE e.deadline_at <= clock_timestamp()))
        INTO runs
        FROM kepler.executions AS e WHERE e.status = 'RUNNING';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.status_of_work() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.status_of_work() IS 'Internal: what waits, for status()';
CREATE OR REPLACE FUNCTION kepler_internal.table_status(relation regclass)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET max_parallel_workers_per_gather TO '0'
AS $function$
DECLARE
    counted_up_to constant bigint := 64 * 1024 * 1024;
    row_count bigint;
    estimated boolean;
    bytes bigint;
    -- In a part of a cluster the shards.
    relations constant oid[] := ARRAY(
        SELECT kepler_internal.relation_here(r.relation)
        FROM (SELECT relation UNION SELECT t.relid FROM pg_partition_tree(relation) AS t) AS r (relation));
BEGIN
    SELECT sum(nullif(c.reltuples, -1))::bigint,
        NOT has_table_privilege(relation, 'SELECT')
        OR (sum(pg_relation_size(c.oid)) > counted_up_to AND bool_or(c.reltuples >= 0)),
        sum(pg_total_relation_size(c.oid))
    INTO row_count, estimated, bytes
    FROM pg_class AS c
    WHERE c.oid = ANY (relations);
    IF NOT estimated THEN
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO row_count;
    END IF;
    RETURN jsonb_build_object(
        'rows', row_count, 'estimated', estimated, 'bytes', bytes);
END
$function$;
CREATE FUNCTION kepler_internal.tell_nodes()
 RETURNS trigger
 LANGUAGE c
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'tell_nodes_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.tell_nodes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.tell_nodes() IS 'Trigger: has the lists of levels of other nodes of a cluster say what those of this one do';
CREATE FUNCTION kepler_internal.tidy_syncs(workspace_id text, max_rows integer)
 RETURNS bigint
 LANGUAGE c
 STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS 'MODULE_PATHNAME', 'tidy_syncs_wrapper';
REVOKE EXECUTE ON FUNCTION kepler_internal.tidy_syncs(text,integer) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.tidy_syncs(text,integer) IS 'Internal: ends silent sync runs of a workspace, and deletes what ended ones have noted';
CREATE FUNCTION kepler_internal.try_maintenance(step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint, OUT is_over boolean, OUT error_code text, OUT error text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '1s'
AS $function$
#variable_conflict use_variable
DECLARE
    before constant text := place;
BEGIN
    IF kepler_internal.is_distributed() AND step IN ('reap_leases', 'abandon_executions', 'abandon_syncs', 'queue_backlog',
        'drop_backlog', 'expire_memories')
    THEN
        SELECT p.place, p.done INTO place, done
        FROM kepler_internal.maintain_step_of_part(step, workspace_id, object, max_rows, place) AS p;
    ELSIF object <> '' AND kepler_internal.is_step_of_each_node(step) THEN
        SELECT n.done, n.is_over INTO done, is_over FROM kepler_internal.maintain_node(step, object, max_rows) AS n;
        RETURN;
    ELSE
        SELECT p.place, p.done INTO place, done
        FROM kepler_internal.maintain_part(step, workspace_id, object, max_rows, place) AS p;
    END IF;
    -- Whether there is more, where that is known without another part.
    is_over := CASE
        WHEN done = 0 THEN true
        WHEN step = 'delete_workspace' THEN place IS NULL
        WHEN step IN ('queue_backlog', 'drop_backlog') THEN done = 1
        WHEN step = 'drop_old_changes' THEN NOT kepler_internal.has_old_changes(kepler_internal.feed_kept_for())
        WHEN step IN ('make_feed_partitions', 'make_history_partitions') THEN true
        ELSE false
    END;
EXCEPTION WHEN OTHERS OR assert_failure THEN
    place := before;
    done := 0;
    is_over := true;
    error_code := SQLSTATE;
    error := left(kepler_internal.without_secrets(SQLERRM), 2000);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.try_maintenance(text,text,text,integer,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.try_maintenance(text,text,text,integer,text) IS 'Internal: the same, with what went wrong as an answer';
CREATE OR REPLACE FUNCTION kepler_internal.try_memories(memory_ids text[], ends_at timestamp with time zone, user_id text, workspace_id text)
 RETURNS TABLE(memory_id text, outcome text, error_code text, error text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
DECLARE
    given_user ALIAS FOR $3;
    given_workspace ALIAS FOR $4;
    ids text[];
    outcomes text[];
    problem_code text;
    problem text;
    half integer;
BEGIN
    BEGIN
        IF ends_at IS NULL THEN
            WITH locked AS MATERIALIZED (
                -- With those that they have superseded, which the trigger forget_deleted writes.
                SELECT m.id, m.id = ANY (memory_ids) AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user) AS named
                FROM kepler.memories AS m
                WHERE m.workspace_id = given_workspace AND m.id = ANY (ARRAY(
                    SELECT x.id FROM kepler.memories AS x
                    WHERE x.workspace_id = given_workspace AND x.id = ANY (memory_ids)
                        AND (given_user = '*' OR x.user_id IS NOT DISTINCT FROM given_user)
                    UNION ALL
                    SELECT x.id FROM kepler.memories AS x
                    WHERE x.workspace_id = given_workspace AND x.superseded_by = ANY (memory_ids)))
                ORDER BY m.id COLLATE "C" FOR UPDATE
            ), deleted AS (
                DELETE FROM kepler.memories AS m USING locked AS l
                WHERE m.workspace_id = given_workspace AND m.id = l.id AND l.named
                RETURNING m.id
            )
            SELECT array_agg(l.id), array_agg(CASE WHEN d.id IS NULL THEN 'rejected' ELSE 'deleted' END)
            INTO ids, outcomes
            FROM locked AS l LEFT JOIN deleted AS d ON d.id = l.id
            WHERE l.named;
        ELSE
            WITH locked AS MATERIALIZED (
                SELECT m.id, m.expires_at IS NOT DISTINCT FROM ends_at AND m.ttl IS NULL AS ended FROM kepler.memories AS m
                WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
                    AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user)
                ORDER BY m.id COLLATE "C" FOR NO KEY UPDATE
            ), changed AS (
                -- Reading must not extend what has an end.
                UPDATE kepler.memories AS m SET expires_at = ends_at, ttl = NULL
                FROM locked AS l
                WHERE m.workspace_id = given_workspace AND m.id = l.id AND NOT l.ended
                RETURNING m.id
            )
            SELECT array_agg(l.id), array_agg(CASE
                WHEN l.ended THEN 'unchanged' WHEN c.id IS NULL THEN 'rejected' ELSE 'updated' END)
            INTO ids, outcomes
            FROM locked AS l LEFT JOIN changed AS c ON c.id = l.id;
        END IF;
        RETURN QUERY
        SELECT u.id, u.said, CASE u.said WHEN 'rejected' THEN 'not_written' END,
            CASE u.said WHEN 'rejected' THEN 'a trigger prevented the write' END
        FROM unnest(ids, outcomes) AS u (id, said);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        -- Whoever may change no memory at all is told so.
        IF kepler_internal.is_about_session(SQLSTATE) OR NOT (CASE WHEN ends_at IS NULL
            THEN has_table_privilege('kepler.memories', 'DELETE')
            ELSE has_column_privilege('kepler.memories', 'expires_at', 'UPDATE')
                AND has_column_privilege('kepler.memories', 'ttl', 'UPDATE') END)
        THEN
            RAISE;
        END IF;
        problem_code := SQLSTATE;
        problem := SQLERRM;
    END;
    -- Halves of the order in which rows are locked.
    SELECT array_agg(m.id ORDER BY m.id COLLATE "C") INTO ids FROM kepler.memories AS m
    WHERE m.workspace_id = given_workspace AND m.id = ANY (memory_ids)
        AND (given_user = '*' OR m.user_id IS NOT DISTINCT FROM given_user);
    half := cardinality(ids) / 2;
    IF half > 0 THEN
        RETURN QUERY SELECT t.* FROM kepler_internal.try_memories(ids[:half], ends_at, given_user, given_workspace) AS t;
        RETURN QUERY SELECT t.* FROM kepler_internal.try_memories(ids[half + 1:], ends_at, given_user, given_workspace) AS t;
    ELSIF half = 0 THEN
        RETURN QUERY SELECT ids[1], 'rejected', problem_code, problem;
    END IF;
END
$function$;
CREATE FUNCTION kepler_internal.turn_views(definitions jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    view record;
    former text;
    propagates constant text := current_setting('citus.enable_ddl_propagation');
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR view IN SELECT * FROM kepler_internal.views_of_parts() LOOP
        former := format('kepler_internal.%I', 'former_' || view.name);
        IF definitions IS NULL AND NOT kepler_internal.asks_parts(view.name) THEN
            EXECUTE format('DROP VIEW IF EXISTS %s', former);
            EXECUTE format('CREATE VIEW %s %s AS %s', former, view.options, pg_get_viewdef(format('kepler.%I', view.name)::regclass));
            EXECUTE format('COMMENT ON VIEW %s IS %L', former, format('Internal: what kepler.%s reads in a part of a cluster on this node', view.name));
        END IF;
        EXECUTE format('CREATE OR REPLACE VIEW kepler.%I %s AS %s', view.name, view.options, coalesce(definitions ->> view.name,
            CASE view.name WHEN 'stat_feed' THEN kepler_internal.stat_feed_of_cluster(view.given, view.columns) END,
            format('SELECT %s FROM kepler_internal.view_rows_in_parts(%L) AS p (given) CROSS JOIN LATERAL jsonb_to_record(p.given) AS r (%s)',
                view.given, view.name, view.columns)));
        IF definitions IS NOT NULL THEN EXECUTE format('DROP VIEW IF EXISTS %s', former); END IF;
    END LOOP;
    PERFORM set_config('citus.enable_ddl_propagation', propagates, true);
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.turn_views(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.turn_views(jsonb) IS 'Internal: has views ask the parts, or read as before';
CREATE OR REPLACE FUNCTION kepler_internal.user_relations(workspace_id text, OUT "position" integer, OUT key text, OUT relation regclass, OUT tenant_column text, OUT condition text, OUT emptied text, OUT action text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
WITH RECURSIVE r AS MATERIALIZED (
    SELECT w.* FROM kepler_internal.workspace_relations($1) AS w WHERE w.left_out IS NULL
), links AS MATERIALIZED (
    SELECT f.conrelid AS child, f.confrelid AS parent, f.confdeltype = 'c' AS is_tied,
        CASE WHEN f.confdeltype = 'n' THEN p.emptied WHEN e.name IS NOT NULL THEN format('%I = NULL', e.column_name) END AS emptied,
        p.own, p.others
    FROM pg_constraint AS f
    -- Where a trigger does that in the place of the key.
    LEFT JOIN kepler_internal.emptied_references() AS e
        ON e.relation = f.conrelid AND e.name = f.conname AND f.confdeltype = 'a' AND kepler_internal.is_distributed()
    CROSS JOIN LATERAL (
        SELECT string_agg(format('@.%I', a.attname), ', ' ORDER BY k.at) AS own,
            string_agg(format('#.%I', b.attname), ', ' ORDER BY k.at) AS others,
            string_agg(format('%I = NULL', a.attname), ', ' ORDER BY k.at)
                FILTER (WHERE k.own = ANY (coalesce(f.confdelsetcols, f.conkey))) AS emptied
        FROM unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (own, other, at)
        JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
        JOIN pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other
    ) AS p
    WHERE f.contype = 'f' AND f.conrelid <> f.confrelid
    UNION ALL
    -- Without foreign keys, for the sake of speed; triggers delete them.
    SELECT r.relation, m.parent, true, NULL, format('@.workspace_id, @.%I', m.own), '#.workspace_id, #.id'
    FROM r
    JOIN (VALUES
        ('kepler.memory_access', 'kepler.memories'::regclass, 'memory_id'), ('embeddings:%:memories', 'kepler.memories', 'memory_id'),
        ('embeddings:%:messages', 'kepler.messages', 'message_id'),
        -- Versions outlive their workflow.
        ('kepler.workflow_versions', 'kepler.workflows', 'workflow_id')
    ) AS m (like_key, parent, own) ON r.key LIKE m.like_key
), rows AS (
    SELECT 'kepler.users'::regclass::oid AS relation, '@.workspace_id = $1 AND @.id = $2' AS condition,
        NULL::text COLLATE "C" AS emptied, 'deleted' AS action, 0 AS depth
    UNION ALL
    SELECT l.child,
        format('(%s) IN (SELECT %s FROM %s AS p%s WHERE %s)', l.own, replace(l.others, '#', 'p' || p.depth),
            p.relation::regclass, p.depth, replace(p.condition, '@', 'p' || p.depth)) COLLATE "default",
        CASE WHEN p.depth = 0 THEN l.emptied END,
        CASE WHEN l.is_tied THEN p.action WHEN p.depth = 0 AND l.emptied IS NOT NULL THEN 'anonymised' ELSE 'kept' END, p.depth + 1
    FROM rows AS p
    JOIN links AS l ON l.parent = p.relation
    -- What was synced through a connection of a person's is the workspace's; how to get at it is the person's.
    WHERE p.depth < 4 AND (p.depth = 0 OR l.is_tied)
        AND (p.relation <> 'kepler.connections'::regclass OR l.child = 'kepler.credentials'::regclass)
)
SELECT row_number() OVER (ORDER BY rows.depth, r.position, rows.condition)::integer, r.key, r.relation, r.tenant_column,
    replace(rows.condition, '@', 't'), rows.emptied,
    CASE WHEN r.key = 'kepler.credentials' THEN 'deleted' WHEN rows.action = 'anonymised' AND rows.depth > 1 THEN 'kept' ELSE rows.action END
FROM rows
JOIN r ON r.relation = rows.relation
$function$;
CREATE FUNCTION kepler_internal.vectors_of_part(relation regclass, column_name text, part_of text, OUT counted real, OUT repeated real)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.vectors_of_part(regclass,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.vectors_of_part(regclass,text,text) IS 'Internal: how many rows of a table with vectors lie in a part of a cluster, or here';
CREATE FUNCTION kepler_internal.verify_history_of_nodes(anchor text, after text, OUT outcome text, OUT problem text, OUT seals bigint, OUT sealed_rows bigint, OUT redacted_rows bigint, OUT broken_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    form constant text := '^[0-9]+=[1-9][0-9]{0,17}:[0-9a-f]{64}(,[0-9]+=[1-9][0-9]{0,17}:[0-9a-f]{64})*$';
    anchors jsonb := (SELECT jsonb_object_agg(split_part(a, '=', 1), split_part(a, '=', 2))
        FROM string_to_table(CASE WHEN anchor ~ form THEN anchor END, ',') AS a);
    afters jsonb := (SELECT jsonb_object_agg(split_part(a, '=', 1), split_part(a, '=', 2))
        FROM string_to_table(CASE WHEN after ~ form THEN after END, ',') AS a);
    own text := '0';
    others text[] := '{}';
    node record;
    told record;
BEGIN
    IF kepler_internal.is_distributed() THEN
        EXECUTE 'SELECT min(l.groupid)::text FROM pg_catalog.pg_dist_local_group AS l' INTO own;
    END IF;
    SELECT v.outcome, v.problem, v.seals, v.sealed_rows, v.redacted_rows, v.broken_at
    INTO outcome, problem, seals, sealed_rows, redacted_rows, broken_at
    FROM kepler_internal.check_history(CASE WHEN anchors IS NULL THEN anchor ELSE anchors ->> own END,
        CASE WHEN afters IS NULL THEN after ELSE afters ->> own END) AS v;
    FOR node IN SELECT n.* FROM kepler_internal.other_nodes() AS n ORDER BY n.number LOOP
        IF others = '{}' THEN PERFORM kepler_internal.require_active_nodes(); END IF;
        others := others || node.number::text;
        SELECT v.* INTO told
        FROM json_to_record(coalesce(nullif(kepler_internal.run_on_node(node.name, node.port, node.part, format(
            'SELECT CASE WHEN to_regclass(''kepler.history_seals'') IS NOT NULL
                 THEN (SELECT to_json(v)::text FROM kepler.verify_history(%L, %L) AS v) END',
            anchors ->> node.number::text, afters ->> node.number::text)), ''), '{"outcome": "intact"}')::json)
            AS v (outcome text, problem text, seals bigint, sealed_rows bigint, redacted_rows bigint, broken_at timestamptz);
        seals := seals + coalesce(told.seals, 0);
        sealed_rows := sealed_rows + coalesce(told.sealed_rows, 0);
        redacted_rows := redacted_rows + coalesce(told.redacted_rows, 0);
        IF outcome = 'intact' AND told.outcome <> 'intact' THEN
            outcome := told.outcome;
            problem := format('on node %s:%s: %s', node.name, node.port, told.problem);
            broken_at := told.broken_at;
        END IF;
    END LOOP;
    -- A node that has gone has taken its history along.
    IF outcome = 'intact' AND own = '0' THEN
        SELECT 'broken', format('node %s of the anchor is not in the cluster', min(k::integer)) INTO outcome, problem
        FROM (SELECT jsonb_object_keys(coalesce(anchors, '{}') || coalesce(afters, '{}')) AS k) AS a
        WHERE k <> '0' AND k <> ALL (others) HAVING count(*) > 0;
        IF NOT FOUND THEN
            outcome := 'intact';
            problem := NULL;
        END IF;
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.verify_history_of_nodes(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.verify_history_of_nodes(text,text) IS 'Internal: compares what each node of a cluster keeps with its seals';
CREATE FUNCTION kepler_internal.view_rows_in_parts(view_name text)
 RETURNS SETOF jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    part text;
BEGIN
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        RETURN QUERY SELECT v FROM kepler_internal.view_rows_of_part(view_name, part) AS v;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.view_rows_in_parts(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.view_rows_in_parts(text) IS 'Internal: the rows of a view in all parts';
CREATE FUNCTION kepler_internal.view_rows_of_part(view_name text, part_of text)
 RETURNS SETOF jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
BEGIN
    IF view_name NOT IN (SELECT v.name FROM kepler_internal.views_of_parts() AS v) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = format('there is no view %s of parts', view_name);
    END IF;
    RETURN QUERY EXECUTE format('SELECT to_jsonb(v.*) FROM %s AS v',
        coalesce(to_regclass('kepler_internal.former_' || view_name), format('kepler.%I', view_name)::regclass));
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.view_rows_of_part(text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.view_rows_of_part(text,text) IS 'Internal: the rows of a view in a part of a cluster';
CREATE FUNCTION kepler_internal.views_of_parts(OUT name text, OUT given text, OUT columns text, OUT options text)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT c.relname::text, string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum),
        string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum),
        coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', '')
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = to_regnamespace('kepler') AND c.relkind = 'v'
        AND c.relname IN ('stat_feed', 'stat_queue', 'stat_sync_runs', 'stat_workers', 'sync_progress')
    GROUP BY c.oid
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.views_of_parts() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.views_of_parts() IS 'Internal: views that ask the parts of a cluster';
CREATE FUNCTION kepler_internal.wait_for_workspace_of_part(workspace_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
#variable_conflict use_variable
BEGIN
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.wait_for_workspace_of_part(text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.wait_for_workspace_of_part(text) IS 'Internal: waits for those who have inserted rows of a workspace';
CREATE FUNCTION kepler_internal.watch_levels(is_needed boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_variable
DECLARE
    list text;
BEGIN
    FOREACH list IN ARRAY ARRAY['access_levels', 'workspace_members'] LOOP
        IF NOT is_needed THEN
            EXECUTE format('DROP TRIGGER IF EXISTS tell_nodes ON kepler.%I', list);
            EXECUTE format('DROP TRIGGER IF EXISTS tell_nodes_truncated ON kepler.%I', list);
            CONTINUE;
        END IF;
        CONTINUE WHEN 2 = (
            SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = format('kepler.%I', list)::regclass
                AND g.tgfoid = 'kepler_internal.tell_nodes()'::regprocedure AND g.tgenabled = 'A');
        EXECUTE format('CREATE OR REPLACE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON kepler.%I
            FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_nodes()', list);
        EXECUTE format('CREATE OR REPLACE TRIGGER tell_nodes_truncated AFTER TRUNCATE ON kepler.%I
            FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_nodes()', list);
        EXECUTE format('ALTER TABLE kepler.%I ENABLE ALWAYS TRIGGER tell_nodes, ENABLE ALWAYS TRIGGER tell_nodes_truncated', list);
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.watch_levels(boolean) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.watch_levels(boolean) IS 'Internal: has what is done by hand to the lists of levels reach the other nodes of a cluster, or no longer';
CREATE FUNCTION kepler_internal.way_out(class oid, id oid, sub integer, type text, identity text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
SELECT CASE type
    WHEN 'table constraint' THEN (
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', n.conrelid::regclass, n.conname) FROM pg_constraint AS n WHERE n.oid = id)
    WHEN 'default value' THEN (
        SELECT format(CASE a.attgenerated WHEN '' THEN 'ALTER TABLE %s ALTER %I DROP DEFAULT'
            WHEN 's' THEN 'ALTER TABLE %s ALTER %I DROP EXPRESSION' ELSE 'ALTER TABLE %s DROP %I' END, d.adrelid::regclass, a.attname)
        FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.oid = id)
    WHEN 'table column' THEN (
        SELECT format('ALTER TABLE %s ALTER %I TYPE text', id::regclass, a.attname)
        FROM pg_attribute AS a WHERE a.attrelid = id AND a.attnum = sub)
    WHEN 'table' THEN (
        SELECT format(CASE WHEN c.relispartition THEN 'ALTER TABLE %1$s DETACH PARTITION %2$s'
            ELSE 'ALTER TABLE %2$s NO INHERIT %1$s' END, i.inhparent::regclass, i.inhrelid::regclass)
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhrelid = id ORDER BY i.inhseqno LIMIT 1)
    ELSE CASE WHEN type = ANY ('{view,materialized view,function,procedure,aggregate,index,trigger,policy,rule,type,operator,extension,publication}')
        THEN format('DROP %s %s', upper(type), identity) END
    END || ';'
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.way_out(oid,oid,integer,text,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.way_out(oid,oid,integer,text,text) IS 'Internal: a statement that takes an object off what it rests on';
CREATE FUNCTION kepler_internal.with_parts(classes oid[], ids oid[], OUT class oid, OUT id oid)
 RETURNS SETOF record
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH RECURSIVE part AS (
    SELECT o.class, o.id FROM ROWS FROM (unnest(classes), unnest(ids)) AS o (class, id)
    UNION
    SELECT d.classid, d.objid FROM part AS p
    JOIN pg_depend AS d ON d.refclassid = p.class AND d.refobjid = p.id
    WHERE d.deptype <> 'n' AND d.objsubid = 0
        -- A partition or child that is not among them was attached by hand: it is named.
        AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
            WHERE i.inhrelid = d.objid AND i.inhparent = p.id))
)
SELECT p.class, p.id FROM part AS p
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.with_parts(oid[],oid[]) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.with_parts(oid[],oid[]) IS 'Internal: objects, and what goes with them without being asked for';
CREATE OR REPLACE FUNCTION kepler_internal.workspace_relations(workspace_id text, OUT "position" integer, OUT kind text, OUT key text, OUT relation regclass, OUT tenant_column text, OUT left_out text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
 SET enable_hashjoin TO 'off'
AS $function$
#variable_conflict use_variable
DECLARE
    kinds text[];
    keys text[];
    relations oid[];
    columns text[];
    reasons text[];
    level integer := 0;
    levels integer[];
    found integer[];
    is_distributed constant boolean := kepler_internal.is_distributed();
BEGIN
    SELECT array_agg(t.kind ORDER BY t.kind, t.key), array_agg(t.key ORDER BY t.kind, t.key),
        array_agg(t.relation ORDER BY t.kind, t.key), array_agg(t.tenant_column ORDER BY t.kind, t.key),
        array_agg(w.reason ORDER BY t.kind, t.key)
    INTO kinds, keys, relations, columns, reasons
    FROM (
        -- Whatever of Kepler's own tables has the column. Partitions are reached through the whole; but where there is one alone, the
        -- whole only takes rows in.
        SELECT 'table', 'kepler.' || c.relname::text, coalesce(p.relation, c.oid), 'workspace_id'
        FROM pg_class AS c
        LEFT JOIN LATERAL (
            SELECT min(i.inhrelid::bigint)::oid AS relation FROM pg_inherits AS i
            WHERE i.inhparent = c.oid AND c.relkind = 'p' HAVING count(*) = 1
        ) AS p ON true
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname <> ALL ('{entry_tables,structures,hidden_fields,blueprints}')
            -- Shards of these, and what has no rows.
            AND NOT (is_distributed AND (c.relname IN ('parts', 'two_phase') OR c.relname ~ '_[0-9]+$'))
        UNION ALL
        SELECT 'entry table', 'entries:' || e.id, c.oid, NULL
        FROM kepler.entry_tables AS e
        JOIN pg_class AS c ON c.relname = e.table_name AND c.relnamespace = to_regnamespace('kepler_data')
        WHERE e.workspace_id = workspace_id
        UNION ALL
        SELECT 'embedding table', format('embeddings:%s:%s', s.name, n.whose), c.oid, 'workspace_id'
        FROM kepler.embedding_spaces AS s
        CROSS JOIN LATERAL (VALUES ('memories', s.memory_table_name), ('messages', s.message_table_name)) AS n (whose, name)
        JOIN pg_class AS c ON c.relname = n.name AND c.relnamespace = to_regnamespace('kepler_data')
        UNION ALL
        -- Of a blueprint whose rows say whose they are, the policy names the column that does.
        SELECT 'blueprint table', format('blueprint:%I.%I', t.schema_name, t.table_name), c.oid, p.tenant_column
        FROM kepler.blueprints AS b
        JOIN kepler.blueprint_tables AS t ON t.blueprint_name = b.name
        JOIN pg_class AS c ON c.relname = t.table_name AND c.relnamespace = to_regnamespace(quote_ident(t.schema_name))
        LEFT JOIN LATERAL (
            SELECT a.attname::text AS tenant_column
            FROM pg_policy AS y
            JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = y.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = y.polrelid AND d.refobjsubid > 0
            JOIN pg_attribute AS a ON a.attrelid = y.polrelid AND a.attnum = d.refobjsubid
            WHERE y.polrelid = c.oid AND y.polname = 'workspace'
            ORDER BY a.attnum LIMIT 1
        ) AS p ON b.workspace_id IS NULL
        WHERE b.workspace_id = workspace_id OR p.tenant_column IS NOT NULL
    ) AS t (kind, key, relation, tenant_column)
    LEFT JOIN kepler_internal.left_out_of_archives() AS w ON w.key = t.key;
    levels := array_fill(NULL::integer, ARRAY[cardinality(relations)]);
    LOOP
        SELECT array_agg(o.at::integer) INTO found
        FROM unnest(relations) WITH ORDINALITY AS o (oid, at)
        WHERE levels[o.at] IS NULL AND NOT EXISTS (
            SELECT FROM pg_constraint AS f
            JOIN unnest(relations) WITH ORDINALITY AS r (oid, at) ON r.oid = f.confrelid
            WHERE f.conrelid = o.oid AND f.contype = 'f' AND r.oid <> o.oid AND levels[r.at] IS NULL);
        IF found IS NULL THEN
            -- Tables that refer to each other: one of them has to be the first.
            found := ARRAY[array_position(levels, NULL)];
            EXIT WHEN found[1] IS NULL;
        END IF;
        level := level + 1;
        FOR at IN 1 .. cardinality(found) LOOP
            levels[found[at]] := level;
        END LOOP;
    END LOOP;
    RETURN QUERY
    SELECT row_number() OVER (
            ORDER BY CASE WHEN kinds[o.at] = 'embedding table' THEN level ELSE levels[o.at] END, kinds[o.at], keys[o.at] COLLATE "C")::integer,
        kinds[o.at], keys[o.at], relations[o.at]::regclass, columns[o.at], reasons[o.at]
    FROM generate_series(1, cardinality(relations)) AS o (at)
    ORDER BY 1;
END
$function$;
CREATE FUNCTION kepler_internal.workspaces_that_search_of_part(space text, is_oldest boolean, part_of text)
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ BEGIN RETURN kepler_internal.workspaces_that_search(space, is_oldest); END $function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.workspaces_that_search_of_part(text,boolean,text) FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.workspaces_that_search_of_part(text,boolean,text) IS 'Internal: which workspaces in a part of a cluster search an embedding space';
CREATE FUNCTION kepler_internal.workspaces_with_sync_notes()
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "kepler.plan_for_large_tables" TO 'on'
AS $function$
    WITH RECURSIVE s AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_seen AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM s CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_seen AS x
            WHERE (x.workspace_id, x.sync_run_id) > (s.workspace_id, s.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), b AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_batches AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM b CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_batches AS x
            WHERE (x.workspace_id, x.sync_run_id) > (b.workspace_id, b.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), c AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_candidates AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM c CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_candidates AS x
            WHERE (x.workspace_id, x.sync_run_id) > (c.workspace_id, c.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), i AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.inbox_rows AS x WHERE x.sync_run_id > '' ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM i CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.inbox_rows AS x
            WHERE (x.workspace_id, x.sync_run_id) > (i.workspace_id, i.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    )
    SELECT DISTINCT n.workspace_id
    FROM (SELECT * FROM s UNION SELECT * FROM b UNION SELECT * FROM c UNION SELECT * FROM i) AS n
    WHERE NOT EXISTS (
        SELECT FROM kepler.sync_runs AS r
        WHERE r.workspace_id = n.workspace_id AND r.id = n.sync_run_id AND r.status = 'RUNNING')
$function$;
REVOKE EXECUTE ON FUNCTION kepler_internal.workspaces_with_sync_notes() FROM PUBLIC;
COMMENT ON FUNCTION kepler_internal.workspaces_with_sync_notes() IS 'Internal: workspaces in which ended sync runs have left notes';
CREATE PROCEDURE kepler.maintain(IN budget interval DEFAULT '00:01:00'::interval)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    is_first boolean := true;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.maintain');
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        EXIT WHEN NOT kepler_internal.maintain_step(budget, is_first);
        is_first := false;
    END LOOP;
END
$procedure$;
REVOKE EXECUTE ON PROCEDURE kepler.maintain(interval) FROM PUBLIC;
COMMENT ON PROCEDURE kepler.maintain(interval) IS 'Does all that must happen now and then: makes partitions ahead, takes back what expired leases hold, ends overdue executions and silent sync runs, queues and drops backlogs, seals the history, deletes expired memories and what retention policies let go, drops old partitions of the feed, goes on with interrupted deletions of workspaces, and notes which indexes are advised. Call it once a minute, from any scheduler.
budget: about how long it may work, up to a day. What there was no time for comes first the next time. Where statement_timeout is set, it ends before three quarters of that.
Each step is a transaction of its own. One that fails stops no other: a warning says so, kepler.maintenance keeps it, and it is tried again after a pause that grows from a minute to an hour. One session runs it at a time: others, and standbys, return at once with a notice.
Cannot run inside of a transaction. For the owner of Kepler''s tables.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for other callers; 25006 in a read-only transaction; 2D000 inside of a transaction.';
COMMENT ON PROCEDURE kepler.maintain_feed(interval) IS 'Makes the partitions of the feed for the next weeks, and deletes old changes, in steps that commit. maintain does it too, and keeps 30 days. Nobody waits for it longer than a tenth of a second: what is in use then stays until the next call. If it is late, changes go to a default partition, in the same order.
keep: how long changes are kept at least; they go a week at a time. A consumer behind what was deleted gets an error.
Cannot run inside of a transaction. For the owner of Kepler''s tables.
Errors: 55000 before install(); 22004 and 22023 for arguments; 42501 for other callers; 2D000 inside of a transaction.';
CREATE PROCEDURE kepler.repair_enrichment(IN max_rows integer DEFAULT 10000, IN workspace_id text DEFAULT kepler.current_workspace_id(), INOUT requeued bigint DEFAULT NULL::bigint, INOUT ended bigint DEFAULT NULL::bigint, INOUT held bigint DEFAULT NULL::bigint)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    after text := '';
    lease bigint := 0;
    step record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.repair_enrichment');
    requeued := 0;
    ended := 0;
    held := 0;
    WHILE after IS NOT NULL LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT s.last, s.requeued, s.held INTO step
        FROM kepler_internal.repair_enrichment_step(after, max_rows, workspace_id) AS s;
        after := step.last;
        requeued := requeued + step.requeued;
        held := held + step.held;
    END LOOP;
    WHILE lease IS NOT NULL LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT s.last, s.ended, s.held INTO step
        FROM kepler_internal.repair_leases_step(lease, max_rows, workspace_id) AS s;
        lease := step.last;
        ended := ended + step.ended;
        held := held + step.held;
    END LOOP;
END
$procedure$;
REVOKE EXECUTE ON PROCEDURE kepler.repair_enrichment(integer,text,bigint,bigint,bigint) FROM PUBLIC;
COMMENT ON PROCEDURE kepler.repair_enrichment(integer,text,bigint,bigint,bigint) IS 'Finds what no function of Kepler leaves behind, but writes around its triggers can: records that are PENDING under a lease that does not exist, which become UNAPPLIED and are queued, and leases under which no record is PENDING, which end. It reads the records of the workspace by their key, in steps that each commit, while workers go on. Can be stopped at any time.
max_rows: how many records a step reads; at most 10,000.
requeued: how many records became UNAPPLIED. ended: how many leases ended. held: how many were passed by because somebody had them locked; call it again.
Records that are UNAPPLIED and not queued are what queue_backlog finds. Cannot run inside of a transaction.
Errors: 55000 before install(); 22004 and 22023 for arguments; 2D000 inside of a transaction.';
CREATE PROCEDURE kepler.run_retention(IN budget interval DEFAULT '00:01:00'::interval)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    state jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.run_retention');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    state := kepler_internal.begin_retention($1);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            state := kepler_internal.retention_step(state);
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            state := kepler_internal.retention_step_failed(state, sqlstate, sqlerrm);
        END;
        EXIT WHEN state IS NULL;
    END LOOP;
END
$procedure$;
REVOKE EXECUTE ON PROCEDURE kepler.run_retention(interval) FROM PUBLIC;
COMMENT ON PROCEDURE kepler.run_retention(interval) IS 'Deletes rows that are older than their policies keep them: a batch of each policy in turn, each in a transaction of its own that takes a fifth of a second or so, until nothing is left or the time is over. The next call goes on where this one was stopped, also by a crash. Runs the policies that the caller may run, as the owner of each table; a policy that fails stops no other, and a warning says why. Two runs at a time share the policies.
budget: how long it may take; the batch that is under way is finished.
Cannot run inside of a transaction.
Errors: 55000 before install(); 22004 and 22023 for arguments; 2D000 inside of a transaction.';
