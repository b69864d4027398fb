-- What keeps the queue true under direct SQL. Policies, requeueing, claiming and settling are in src/enrichment.

CREATE FUNCTION kepler.enrichment_transitions()
RETURNS TABLE (
    from_status kepler.record_enrichment_status,
    to_status kepler.record_enrichment_status,
    cause text
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
VALUES
    ('UNAPPLIED'::kepler.record_enrichment_status, 'PENDING'::kepler.record_enrichment_status, 'claimed'),
    ('PENDING', 'APPLIED', 'completed'),
    ('PENDING', 'FAILED', 'failed for good'),
    ('PENDING', 'UNAPPLIED', 'to be tried again, released, expired, superseded, deleted, archived or of another type'),
    ('APPLIED', 'UNAPPLIED', 'content changed, or requeued'),
    ('FAILED', 'UNAPPLIED', 'content changed, or requeued')
$$;

CREATE FUNCTION kepler_internal.dequeue_deleted_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    DELETE FROM kepler.enrichment_queue AS q USING old_records AS o
    WHERE q.workspace_id = o.workspace_id AND q.record_id = o.id;
    DELETE FROM kepler.enrichment_failures AS f USING old_records AS o
    WHERE o.enrichment_status = 'FAILED' AND f.workspace_id = o.workspace_id AND f.record_id = o.id;
    RETURN NULL;
END
$$;

-- The workspace must be one that the caller may name, too.
CREATE FUNCTION kepler_internal.require_name(argument text, value text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be NULL', argument);
    ELSIF btrim(value) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "%s" must not be blank', argument);
    ELSIF octet_length(value) > 128 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "%s" is longer than 128 bytes', argument);
    ELSIF argument = 'workspace_id' THEN
        PERFORM kepler_internal.require_workspace(value);
    END IF;
END
$$;

-- What a lease holds when direct SQL deletes it is given back: the attempt that it began does not count.
CREATE FUNCTION kepler_internal.give_back_lease() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- A plan that was kept may compare each record with each id.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    held text[];
BEGIN
    held := ARRAY(
        SELECT r.id FROM kepler.records AS r
        WHERE r.workspace_id = OLD.workspace_id AND r.enrichment_lease_id = OLD.id AND r.id IN (
            SELECT unnest(m.record_ids) FROM kepler.lease_records AS m
            WHERE m.workspace_id = OLD.workspace_id AND m.lease_id = OLD.id)
        ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C" FOR NO KEY UPDATE);
    UPDATE kepler.records AS r SET enrichment_status = 'UNAPPLIED', updated_at = clock_timestamp()
    WHERE r.workspace_id = OLD.workspace_id AND r.id = ANY (held) AND r.enrichment_status = 'PENDING';
    UPDATE kepler.enrichment_queue AS q SET attempt = u.attempt - 1
    FROM kepler.lease_records AS m
    CROSS JOIN LATERAL ROWS FROM (unnest(m.record_ids), unnest(m.attempts)) AS u (id, attempt)
    WHERE m.workspace_id = OLD.workspace_id AND m.lease_id = OLD.id AND u.attempt > 1
        AND q.workspace_id = OLD.workspace_id AND q.record_id = u.id AND u.id = ANY (held);
    DELETE FROM kepler.lease_records AS m WHERE m.workspace_id = OLD.workspace_id AND m.lease_id = OLD.id;
    RETURN NULL;
END
$$;

-- Refuses direct SQL that would leave a record where nobody looks for it. Arguments: the sentence, the hint.
CREATE FUNCTION kepler_internal.refuse_enrichment_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = TG_ARGV[0],
        HINT = TG_ARGV[1];
END
$$;

CREATE FUNCTION kepler_internal.keep_queued() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.record_id = OLD.record_id AND EXISTS (
        SELECT FROM kepler.records AS r
        WHERE r.workspace_id = NEW.workspace_id AND r.id = NEW.record_id AND r.entity_type = NEW.entity_type)
    THEN
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT FROM kepler.records AS r
        JOIN kepler.enrichment_policies AS p
            ON p.workspace_id = r.workspace_id AND p.entity_type = r.entity_type
        WHERE r.workspace_id = OLD.workspace_id AND r.id = OLD.record_id
            AND r.enrichment_status = 'UNAPPLIED' AND r.status = 'ACTIVE' AND r.deleted_at IS NULL)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('record "%s" cannot leave the queue before it is enriched', OLD.record_id),
            HINT = 'Archive the record, let it wait with ready_at, or end the policy: kepler.drop_enrichment_policy(…).';
    END IF;
    RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW END;
END
$$;

CREATE FUNCTION kepler_internal.keep_failed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.record_id = OLD.record_id AND EXISTS (
        SELECT FROM kepler.records AS r
        WHERE r.workspace_id = NEW.workspace_id AND r.id = NEW.record_id AND r.entity_type = NEW.entity_type)
    THEN
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT FROM kepler.records AS r
        WHERE r.workspace_id = OLD.workspace_id AND r.id = OLD.record_id
            AND r.enrichment_status = 'FAILED' AND r.status = 'ACTIVE' AND r.deleted_at IS NULL)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('record "%s" cannot leave the list of failures while it is FAILED', OLD.record_id),
            HINT = 'Requeue the record with kepler.requeue_records(…), archive it, or delete it.';
    END IF;
    RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW END;
END
$$;

CREATE FUNCTION kepler_internal.keep_lease_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF EXISTS (SELECT FROM kepler.leases AS l WHERE l.workspace_id = OLD.workspace_id AND l.id = OLD.lease_id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'the records of a lease cannot be removed',
            HINT = 'Delete the lease itself. Its records are then given back.';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.forget_truncated_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    DELETE FROM kepler.enrichment_queue;
    DELETE FROM kepler.enrichment_failures;
    DELETE FROM kepler.lease_records;
    DELETE FROM kepler.leases;
    RETURN NULL;
END
$$;

-- After the statement, which may have emptied the records too.
CREATE FUNCTION kepler_internal.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF EXISTS (SELECT FROM kepler.records) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('%I.%I cannot be emptied while there are records', TG_TABLE_SCHEMA, TG_TABLE_NAME),
            HINT = 'kepler.drop_enrichment_policy(…) ends the enrichment of a type; DELETE FROM kepler.leases gives back what workers hold.';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler.extend_lease(
    lease_id bigint,
    lease interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    extended timestamptz;
    given_lease ALIAS FOR $2;
    given_workspace ALIAS FOR $3;
BEGIN
    PERFORM kepler_internal.require_tables();
    IF lease_id IS NULL OR given_workspace IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be NULL',
                CASE WHEN lease_id IS NULL THEN 'lease_id' ELSE 'workspace_id' END);
    END IF;
    PERFORM kepler_internal.require_workspace(given_workspace);
    IF NOT (given_lease BETWEEN '0' AND '365 days') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "lease" must be between 0 and 365 days';
    END IF;
    UPDATE kepler.leases AS l
    SET lease_until = greatest(l.lease_until, clock_timestamp() + coalesce(given_lease, l.length))
    WHERE l.workspace_id = given_workspace AND l.id = $1 AND l.lease_until > clock_timestamp()
    RETURNING l.lease_until INTO extended;
    RETURN extended;
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.queue_backlog(
    entity_type text,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
)
LANGUAGE plpgsql
AS $$
DECLARE
    held text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.queue_backlog');
    -- The policy must be seen by others before they are waited for.
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM kepler_internal.wait_for_writers(entity_type, max_rows, workspace_id);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        held := kepler_internal.queue_backlog_step(entity_type, max_rows, workspace_id);
        EXIT WHEN held IS NULL;
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        PERFORM kepler_internal.wait_for_record(held, workspace_id);
    END LOOP;
END
$$;

-- As queue_backlog.
CREATE PROCEDURE kepler.drop_backlog(
    entity_type text,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
)
LANGUAGE plpgsql
AS $$
DECLARE
    held boolean;
    idle integer := 0;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.drop_backlog');
    -- Others must see that the policy is gone before they are waited for.
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM kepler_internal.wait_for_former_writers(entity_type, max_rows, workspace_id);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        held := kepler_internal.drop_backlog_step(entity_type, max_rows, idle, workspace_id);
        EXIT WHEN held IS NULL;
        IF held THEN
            idle := idle + 1;
            COMMIT;
            SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
            PERFORM kepler_internal.wait_for_leftover(entity_type, max_rows, workspace_id);
        ELSE
            idle := 0;
        END IF;
    END LOOP;
END
$$;

-- A part of repair_enrichment: records whose lease does not exist. They are locked before it is asked again, so that what a
-- worker claims or settles meanwhile is not taken for one.
CREATE FUNCTION kepler_internal.repair_enrichment_step(
    after text,
    max_rows integer,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT last text,
    OUT requeued bigint,
    OUT held bigint
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET plan_cache_mode = force_custom_plan
AS $$
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
$$;

-- The same for leases under which no record is PENDING.
CREATE FUNCTION kepler_internal.repair_leases_step(
    after bigint,
    max_rows integer,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT last bigint,
    OUT ended bigint,
    OUT held bigint
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET plan_cache_mode = force_custom_plan
AS $$
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
$$;

-- As queue_backlog.
CREATE PROCEDURE kepler.repair_enrichment(
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    INOUT requeued bigint DEFAULT NULL,
    INOUT ended bigint DEFAULT NULL,
    INOUT held bigint DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
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
$$;
