-- Soft delete, restore and archive, and what keeps records in order under direct SQL.

-- Direct SQL on a record moves its time on, where anything changed. (The content hash follows by
-- itself, being a generated column.)
CREATE FUNCTION kepler_internal.touch_changed_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (NEW.entity_id, NEW.external_id, NEW.entity_type, NEW.source, NEW.status,
        NEW.enrichment_status, NEW.deleted_at, NEW.data, NEW.enrichment)
        IS DISTINCT FROM
       (OLD.entity_id, OLD.external_id, OLD.entity_type, OLD.source, OLD.status,
        OLD.enrichment_status, OLD.deleted_at, OLD.data, OLD.enrichment)
    THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.clears_on_change(entity_type text, workspace_id text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM kepler.enrichment_policies AS p
        WHERE p.workspace_id = $2 AND p.entity_type = $1 AND p.clear_on_change);
END
$$;

CREATE FUNCTION kepler_internal.reset_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.enrichment_status := 'UNAPPLIED';
    IF NEW.enrichment IS NOT NULL AND NEW.data IS DISTINCT FROM OLD.data
        AND kepler_internal.clears_on_change(NEW.entity_type, NEW.workspace_id)
    THEN
        NEW.enrichment := NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.clear_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF kepler_internal.clears_on_change(NEW.entity_type, NEW.workspace_id) THEN
        NEW.enrichment := NULL;
    END IF;
    RETURN NEW;
END
$$;

-- Records carry the type and source of their entity, and are found by them.
CREATE FUNCTION kepler_internal.refuse_entity_rename() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM kepler.records AS r WHERE r.workspace_id = OLD.workspace_id AND r.entity_id = OLD.id)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('the entity of type "%s" from "%s" has records, and keeps type and source', OLD.type, OLD.source),
            DETAIL = 'Its records carry both, too.',
            HINT = 'Upsert the records under the new name, then delete the old entity.';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler.record_document(record anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN record.data || coalesce(record.enrichment, '{}');
END
$$;

-- Locks the given records in the order in which upserts lock them, and changes those that `change` concerns.
CREATE FUNCTION kepler_internal.change_records(
    change text, record_ids text[], workspace_id text, changed_at timestamptz
) RETURNS TABLE (record_id text, concerned boolean, changed boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Planned each time, for as many records as there are: a plan that is kept from when the tables were
    -- small reads all of them for each record.
    RETURN QUERY EXECUTE $query$
    WITH locked AS MATERIALIZED (
        SELECT r.id,
            CASE $3
                WHEN 'delete' THEN r.deleted_at IS NULL
                WHEN 'restore' THEN r.deleted_at IS NOT NULL OR r.status <> 'ACTIVE'
                WHEN 'archive' THEN r.status <> 'ARCHIVED'
            END AS concerned
        FROM kepler.records AS r
        WHERE r.workspace_id = $2 AND r.id = ANY ($1)
        ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C"
        FOR NO KEY UPDATE
    ), changed AS (
        UPDATE kepler.records AS r
        SET deleted_at = CASE $3 WHEN 'delete' THEN $4 WHEN 'restore' THEN NULL
                         ELSE r.deleted_at END,
            status = CASE $3 WHEN 'archive' THEN 'ARCHIVED'::kepler.record_status
                     WHEN 'restore' THEN 'ACTIVE' ELSE r.status END,
            -- No worker has it any more.
            enrichment_status = CASE
                WHEN $3 <> 'restore' AND r.enrichment_status = 'PENDING' THEN 'UNAPPLIED'
                ELSE r.enrichment_status END,
            updated_at = $4
        FROM locked AS l
        WHERE r.workspace_id = $2 AND r.id = l.id AND l.concerned
        RETURNING r.id
    )
    SELECT l.id, l.concerned, c.id IS NOT NULL
    FROM locked AS l LEFT JOIN changed AS c ON c.id = l.id
    $query$ USING record_ids, workspace_id, change, changed_at;

    IF change = 'restore' THEN
        PERFORM kepler_internal.enqueue(record_ids, workspace_id);
    ELSE
        PERFORM kepler_internal.dequeue(record_ids, workspace_id);
    END IF;
END
$$;

-- Changes those of the records that the database takes; the others are found out in halves, and rejected.
CREATE FUNCTION kepler_internal.try_records(
    change text, record_ids text[], workspace_id text, changed_at timestamptz
) RETURNS TABLE (record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    wanted_workspace ALIAS FOR $3;
    ids text[];
    outcomes text[];
    problem_code text;
    problem text;
    half integer;
BEGIN
    BEGIN
        SELECT array_agg(c.record_id), array_agg(CASE
                WHEN c.changed THEN 'changed' WHEN c.concerned THEN 'swallowed' ELSE 'unchanged' END)
        INTO ids, outcomes
        FROM kepler_internal.change_records(change, record_ids, wanted_workspace, changed_at) AS c;
        RETURN QUERY
        SELECT u.id, CASE u.said WHEN 'swallowed' THEN 'rejected' ELSE u.said END,
            CASE u.said WHEN 'swallowed' THEN 'not_written' END,
            CASE u.said WHEN 'swallowed' THEN 'a trigger kept it from being written' END
        FROM unnest(ids, outcomes) AS u (id, said);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        IF NOT kepler_internal.is_refusal(SQLSTATE) THEN
            RAISE;
        END IF;
        problem_code := SQLSTATE;
        problem := SQLERRM;
    END;
    -- Halves of the order in which rows are locked.
    SELECT array_agg(r.id ORDER BY r.entity_id COLLATE "C", r.external_id, r.id COLLATE "C") INTO ids
    FROM kepler.records AS r WHERE r.workspace_id = wanted_workspace AND r.id = ANY (record_ids);
    half := cardinality(ids) / 2;
    IF half > 0 THEN
        RETURN QUERY SELECT t.* FROM kepler_internal.try_records(change, ids[:half], wanted_workspace, changed_at) AS t;
        RETURN QUERY SELECT t.* FROM kepler_internal.try_records(change, ids[half + 1:], wanted_workspace, changed_at) AS t;
    ELSIF half = 0 THEN
        RETURN QUERY SELECT ids[1], 'rejected', problem_code, problem;
    END IF;
END
$$;

-- Answers for each id; an id given twice is changed once.
CREATE FUNCTION kepler_internal.set_record_state(
    change text, changed_outcome text, record_ids text[], workspace_id text
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    wanted_workspace ALIAS FOR $4;
BEGIN
    PERFORM kepler_internal.require_tables();
    IF record_ids IS NULL OR wanted_workspace IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be NULL',
                CASE WHEN record_ids IS NULL THEN 'record_ids' ELSE 'workspace_id' END);
    END IF;
    PERFORM kepler_internal.require_workspace(wanted_workspace);

    -- Before any row, as upserts do: a trigger takes it too, and then it would be too late.
    EXECUTE $query$
    SELECT kepler_internal.lock_enrichment(t.entity_type, $2, false)
    FROM (SELECT DISTINCT r.entity_type FROM kepler.records AS r
          WHERE r.workspace_id = $2 AND r.id = ANY ($1)) AS t
    $query$ USING record_ids, wanted_workspace;

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT u.id, u.ordinality,
            row_number() OVER (PARTITION BY u.id ORDER BY u.ordinality) = 1 AS first
        FROM unnest(record_ids) WITH ORDINALITY AS u (id, ordinality)
    ), tried AS MATERIALIZED (
        SELECT t.record_id, t.outcome, t.error_code, t.error
        FROM kepler_internal.try_records(change, record_ids, wanted_workspace, clock_timestamp()) AS t
    )
    SELECT g.ordinality::integer, g.id,
        CASE WHEN t.outcome = 'changed' THEN CASE WHEN g.first THEN changed_outcome ELSE 'unchanged' END
             ELSE coalesce(t.outcome, 'not_found') END,
        t.error_code, t.error
    FROM given AS g LEFT JOIN tried AS t ON t.record_id = g.id
    ORDER BY g.ordinality;
END
$$;

CREATE FUNCTION kepler.delete_records(
    record_ids text[], workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler_internal.set_record_state('delete', 'deleted', $1, $2) $$;

CREATE FUNCTION kepler.restore_records(
    record_ids text[], workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler_internal.set_record_state('restore', 'restored', $1, $2) $$;

CREATE FUNCTION kepler.archive_records(
    record_ids text[], workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler_internal.set_record_state('archive', 'archived', $1, $2) $$;
