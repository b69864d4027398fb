-- Policies, requeueing, and what keeps the queue true under direct SQL. Claiming and settling are in
-- src/enrichment.

CREATE FUNCTION kepler.enrichment_transitions()
RETURNS TABLE (
    from_status kepler.record_enrichment_status,
    to_status kepler.record_enrichment_status,
    happens_when text
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

CREATE FUNCTION kepler_internal.refuse_transition() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'check_violation',
        MESSAGE = format('enrichment_status cannot go from %s to %s',
            OLD.enrichment_status, NEW.enrichment_status),
        DETAIL = format('Record "%s".', OLD.id),
        HINT = (SELECT format('From %s it goes to %s only. See kepler.enrichment_transitions().',
                    OLD.enrichment_status, string_agg(t.to_status::text, ', ' ORDER BY t.to_status))
                FROM kepler.enrichment_transitions() AS t WHERE t.from_status = OLD.enrichment_status);
END
$$;

CREATE FUNCTION kepler_internal.unlease_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.enrichment_lease_id := NULL;
    RETURN NEW;
END
$$;

-- Queues those of the given records that are to be enriched. The caller holds their rows.
CREATE FUNCTION kepler_internal.enqueue(record_ids text[], workspace_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
-- A plan that was kept may compare each record with each id.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    queued bigint;
BEGIN
    INSERT INTO kepler.enrichment_queue AS q (workspace_id, record_id, entity_type, fair_key, ready_at)
    SELECT r.workspace_id, r.id, r.entity_type, CASE WHEN p.fair THEN coalesce(r.entity_id, ' ') END,
        clock_timestamp()
    FROM kepler.records AS r
    JOIN kepler.enrichment_policies AS p
        ON p.workspace_id = r.workspace_id AND p.entity_type = r.entity_type
    WHERE r.workspace_id = $2 AND r.id = ANY (record_ids)
        AND r.enrichment_status = 'UNAPPLIED' AND r.status = 'ACTIVE' AND r.deleted_at IS NULL
    -- A row that is there under another type got there around Kepler, and would never be claimed.
    ON CONFLICT ON CONSTRAINT enrichment_queue_pkey DO UPDATE
    SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
    WHERE q.entity_type <> excluded.entity_type;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END
$$;

-- A row that was changed by hand is in the queue anew, or not at all: a worker that had it has lost it.
CREATE FUNCTION kepler_internal.queue_changed_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler_internal.lock_enrichment(NEW.entity_type, NEW.workspace_id, false);
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM kepler.enrichment_queue AS q
        WHERE q.workspace_id = NEW.workspace_id AND q.record_id = NEW.id;
    END IF;
    IF NEW.enrichment_status = 'UNAPPLIED' AND NEW.deleted_at IS NULL AND NEW.status = 'ACTIVE' THEN
        INSERT INTO kepler.enrichment_queue AS q (workspace_id, record_id, entity_type, fair_key, ready_at)
        SELECT p.workspace_id, NEW.id, p.entity_type, CASE WHEN p.fair THEN coalesce(NEW.entity_id, ' ') END,
            clock_timestamp()
        FROM kepler.enrichment_policies AS p
        WHERE p.workspace_id = NEW.workspace_id AND p.entity_type = NEW.entity_type
        ON CONFLICT ON CONSTRAINT enrichment_queue_pkey DO UPDATE
        SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
        WHERE q.entity_type <> excluded.entity_type;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.restart_attempts() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE kepler.enrichment_queue AS q
    SET attempt = 0, ready_at = clock_timestamp(), refusals = 0, error = NULL
    WHERE q.workspace_id = NEW.workspace_id AND q.record_id = NEW.id AND (q.attempt > 0 OR q.refusals > 0);
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.dequeue_deleted_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM kepler.enrichment_queue AS q USING old_records AS o
    WHERE q.workspace_id = o.workspace_id AND q.record_id = o.id;
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

-- Queues what a type's policy finds when it begins. The caller holds the type's lock.
CREATE FUNCTION kepler_internal.queue_backlog(entity_type text, is_fair boolean, workspace_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_type ALIAS FOR $1;
    given_workspace ALIAS FOR $3;
    queued bigint;
    now constant timestamptz := clock_timestamp();
BEGIN
    -- A microsecond each: a claim that goes on where the last one ended finds its place by the time.
    INSERT INTO kepler.enrichment_queue AS q (workspace_id, record_id, entity_type, fair_key, ready_at)
    SELECT r.workspace_id, r.id, r.entity_type, CASE WHEN is_fair THEN coalesce(r.entity_id, ' ') END,
        now - (count(*) OVER () - row_number() OVER ()) * interval '1 microsecond'
    FROM kepler.records AS r
    WHERE r.workspace_id = given_workspace AND r.entity_type = given_type
        AND r.enrichment_status = 'UNAPPLIED' AND r.status = 'ACTIVE' AND r.deleted_at IS NULL
    -- A row that is there under another type got there around Kepler, and would never be claimed.
    ON CONFLICT ON CONSTRAINT enrichment_queue_pkey DO UPDATE
    SET entity_type = excluded.entity_type, fair_key = excluded.fair_key, ready_at = excluded.ready_at
    WHERE q.entity_type <> excluded.entity_type;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END
$$;

CREATE FUNCTION kepler_internal.set_fair_keys(entity_type text, is_fair boolean, workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE kepler.enrichment_queue AS q
    SET fair_key = CASE WHEN is_fair THEN coalesce(r.entity_id, ' ') END
    FROM kepler.records AS r
    WHERE q.workspace_id = $3 AND q.entity_type = $1 AND (q.fair_key IS NOT NULL) <> is_fair
        AND r.workspace_id = q.workspace_id AND r.id = q.record_id;
END
$$;

-- Direct SQL on the policies does what set_enrichment_policy and drop_enrichment_policy do.
CREATE FUNCTION kepler_internal.begin_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler_internal.lock_enrichment(NEW.entity_type, NEW.workspace_id, true);
    PERFORM kepler_internal.queue_backlog(NEW.entity_type, NEW.fair, NEW.workspace_id);
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.change_fairness() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler_internal.lock_enrichment(NEW.entity_type, NEW.workspace_id, true);
    PERFORM kepler_internal.set_fair_keys(NEW.entity_type, NEW.fair, NEW.workspace_id);
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.end_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler_internal.lock_enrichment(OLD.entity_type, OLD.workspace_id, true);
    LOOP
        -- The leases first: whoever settles waits, and is then stale. Their records are given back.
        DELETE FROM kepler.leases AS l
        WHERE l.workspace_id = OLD.workspace_id AND l.entity_type = OLD.entity_type;
        PERFORM kepler_internal.dequeue_type(OLD.entity_type, OLD.workspace_id);
        -- A claim that was under way has kept this waiting for its rows of the queue, and now has a lease.
        EXIT WHEN NOT EXISTS (
            SELECT FROM kepler.leases AS l
            WHERE l.workspace_id = OLD.workspace_id AND l.entity_type = OLD.entity_type);
    END LOOP;
    DELETE FROM kepler.enrichment_turns AS t
    WHERE t.workspace_id = OLD.workspace_id AND t.entity_type = OLD.entity_type;
    RETURN NULL;
END
$$;

-- What a lease holds when direct SQL deletes it is given back: the attempt that it began does not count.
CREATE FUNCTION kepler_internal.give_back_lease() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- As for _enqueue.
SET plan_cache_mode = force_custom_plan
AS $$
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
            MESSAGE = format('record "%s" is to be enriched, and stays in the queue', OLD.record_id),
            HINT = 'Archive the record, let it wait with ready_at, or end the policy: kepler.drop_enrichment_policy(…).';
    END IF;
    RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW END;
END
$$;

CREATE FUNCTION kepler_internal.keep_lease_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM kepler.leases AS l WHERE l.workspace_id = OLD.workspace_id AND l.id = OLD.lease_id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'a lease needs to know its records',
            HINT = 'Delete the lease itself: its records are then given back.';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.forget_truncated_records() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM kepler.enrichment_queue;
    DELETE FROM kepler.lease_records;
    DELETE FROM kepler.leases;
    RETURN NULL;
END
$$;

-- After the statement, which may have emptied the records too.
CREATE FUNCTION kepler_internal.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION kepler.set_enrichment_policy(
    entity_type text,
    max_attempts integer DEFAULT NULL,
    lease interval DEFAULT NULL,
    backoff_base interval DEFAULT NULL,
    backoff_cap interval DEFAULT NULL,
    clear_on_change boolean DEFAULT NULL,
    fair boolean DEFAULT NULL,
    notify boolean DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_type ALIAS FOR $1;
    given_attempts ALIAS FOR $2;
    given_lease ALIAS FOR $3;
    given_base ALIAS FOR $4;
    given_cap ALIAS FOR $5;
    given_clear ALIAS FOR $6;
    given_fair ALIAS FOR $7;
    given_notify ALIAS FOR $8;
    given_workspace ALIAS FOR $9;
    is_fair boolean;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('entity_type', given_type);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    IF given_attempts < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "max_attempts" must be at least 1';
    ELSIF NOT (given_lease BETWEEN '1 millisecond' AND '365 days') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "lease" must be between 1 millisecond and 365 days';
    ELSIF NOT (given_base BETWEEN '0' AND '365 days') OR NOT (given_cap BETWEEN '0' AND '365 days') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "%s" must be between 0 and 365 days',
                CASE WHEN NOT (given_base BETWEEN '0' AND '365 days') THEN 'backoff_base' ELSE 'backoff_cap' END);
    END IF;

    -- Whoever has read that there is no policy must end before the backlog is looked for.
    PERFORM kepler_internal.lock_enrichment(given_type, given_workspace, true);
    INSERT INTO kepler.enrichment_policies AS p (
        workspace_id, entity_type, max_attempts, lease, backoff_base, backoff_cap, clear_on_change, fair, notify)
    VALUES (given_workspace, given_type, coalesce(given_attempts, 5), coalesce(given_lease, '5 minutes'),
        coalesce(given_base, '10 seconds'), coalesce(given_cap, '1 hour'), coalesce(given_clear, false),
        coalesce(given_fair, false), coalesce(given_notify, false))
    ON CONFLICT (workspace_id, entity_type) DO UPDATE SET
        max_attempts = coalesce(given_attempts, p.max_attempts),
        lease = coalesce(given_lease, p.lease),
        backoff_base = coalesce(given_base, p.backoff_base),
        backoff_cap = coalesce(given_cap, p.backoff_cap),
        clear_on_change = coalesce(given_clear, p.clear_on_change),
        fair = coalesce(given_fair, p.fair),
        notify = coalesce(given_notify, p.notify)
    RETURNING p.fair INTO is_fair;

    PERFORM kepler_internal.set_fair_keys(given_type, is_fair, given_workspace);
    RETURN kepler_internal.queue_backlog(given_type, is_fair, given_workspace);
END
$$;

CREATE FUNCTION kepler.drop_enrichment_policy(
    entity_type text, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    given_type ALIAS FOR $1;
    given_workspace ALIAS FOR $2;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('entity_type', given_type);
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    PERFORM kepler_internal.lock_enrichment(given_type, given_workspace, true);
    -- A trigger ends the leases and empties the queue, as it does for direct SQL.
    DELETE FROM kepler.enrichment_policies AS p
    WHERE p.workspace_id = given_workspace AND p.entity_type = given_type;
    RETURN FOUND;
END
$$;

CREATE FUNCTION kepler.extend_lease(
    lease_id bigint,
    lease interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
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

CREATE FUNCTION kepler.requeue_records(
    record_ids text[] DEFAULT NULL,
    entity_type text DEFAULT NULL,
    enrichment_status text DEFAULT 'FAILED',
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
-- As for _enqueue.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    given_type ALIAS FOR $2;
    given_status ALIAS FOR $3;
    given_workspace ALIAS FOR $5;
    wanted text[] := record_ids;
    concerned text[];
    answered integer;
    requeued text[] := '{}';
    refused text[] := '{}';
    codes text[] := '{}';
    reasons text[] := '{}';
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('workspace_id', given_workspace);
    IF (record_ids IS NULL) = (given_type IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'name either "record_ids" or an "entity_type"',
            HINT = 'kepler.requeue_records(entity_type => ''…'') takes those that are FAILED.';
    ELSIF given_status IS NULL OR given_status NOT IN ('FAILED', 'APPLIED') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "enrichment_status" must be one of FAILED, APPLIED, not "%s"', given_status);
    ELSIF max_rows IS NULL OR max_rows < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "max_rows" must be at least 1';
    END IF;
    IF wanted IS NULL THEN
        PERFORM kepler_internal.require_policy(given_type, given_workspace);
    END IF;
    LOOP
        IF record_ids IS NULL THEN
            wanted := ARRAY(
                SELECT r.id FROM kepler.records AS r
                WHERE r.workspace_id = given_workspace AND r.entity_type = given_type
                    AND r.enrichment_status = given_status::kepler.record_enrichment_status
                    AND r.status = 'ACTIVE' AND r.deleted_at IS NULL AND r.id <> ALL (refused)
                ORDER BY r.updated_at LIMIT max_rows - cardinality(requeued));
        END IF;
        -- In the order in which upserts take them: the type's lock, the records, the queue.
        PERFORM kepler_internal.lock_enrichment(t.entity_type, given_workspace, false)
        FROM (SELECT DISTINCT r.entity_type FROM kepler.records AS r
              WHERE r.workspace_id = given_workspace AND r.id = ANY (wanted)) AS t;
        concerned := ARRAY(
            SELECT r.id FROM kepler.records AS r
            WHERE r.workspace_id = given_workspace AND r.id = ANY (wanted)
                AND (r.enrichment_status IN ('FAILED', 'APPLIED'))
                AND (record_ids IS NOT NULL OR r.enrichment_status = given_status::kepler.record_enrichment_status)
                AND r.status = 'ACTIVE' AND r.deleted_at IS NULL
            ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C" FOR NO KEY UPDATE);
        answered := cardinality(refused);
        SELECT requeued || coalesce(array_agg(a.record_id) FILTER (WHERE a.error_code IS NULL), '{}'),
            refused || coalesce(array_agg(a.record_id) FILTER (WHERE a.error_code IS NOT NULL), '{}'),
            codes || coalesce(array_agg(a.error_code) FILTER (WHERE a.error_code IS NOT NULL), '{}'),
            reasons || coalesce(array_agg(a.error) FILTER (WHERE a.error_code IS NOT NULL), '{}')
        INTO requeued, refused, codes, reasons
        FROM kepler_internal.requeue(concerned, given_workspace) AS a;
        -- In the place of those that the database refuses others are taken.
        EXIT WHEN record_ids IS NOT NULL OR cardinality(refused) = answered
            OR cardinality(requeued) >= max_rows OR cardinality(refused) >= 10000;
    END LOOP;
    IF record_ids IS NULL THEN
        wanted := requeued || refused;
    END IF;
    RETURN QUERY
    SELECT u.ordinality::integer, u.id,
        CASE WHEN r.id IS NULL THEN 'not_found'
             WHEN r.status <> 'ACTIVE' OR r.deleted_at IS NOT NULL THEN 'gone'
             WHEN f.code IS NOT NULL THEN 'rejected'
             WHEN u.id = ANY (requeued) AND u.nth = 1 THEN 'requeued'
             ELSE 'unchanged' END,
        f.code, f.reason
    FROM (
        SELECT w.id, w.ordinality, row_number() OVER (PARTITION BY w.id ORDER BY w.ordinality) AS nth
        FROM unnest(wanted) WITH ORDINALITY AS w (id, ordinality)
    ) AS u
    LEFT JOIN kepler.records AS r ON r.workspace_id = given_workspace AND r.id = u.id
    LEFT JOIN unnest(refused, codes, reasons) AS f (id, code, reason) ON f.id = r.id
    ORDER BY u.ordinality;
END
$$;
