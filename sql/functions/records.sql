-- Soft delete, restore and archive, and what keeps records in order under direct SQL.

-- Records carry the type and source of their entity, and are found by them.
CREATE FUNCTION kepler_internal.refuse_entity_rename() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM kepler.records AS r WHERE r.workspace_id = OLD.workspace_id AND r.entity_id = OLD.id)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('cannot change the type or source of entity "%s" from "%s", because it has records', OLD.type, OLD.source),
            DETAIL = 'Its records have the same type and source.',
            HINT = 'CALL kepler.rename_entity(…) renames the entity and its records.';
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

-- A part of the records of an entity gets its type and source, in the order in which upserts lock them: those behind an
-- external id, then those without one. Gives where to go on; NULL when all have it. The triggers move them in the queue.
CREATE FUNCTION kepler_internal.rename_entity_step(
    entity_id text, after text, is_keyed boolean, max_rows integer, workspace_id text,
    OUT next_after text, OUT next_is_keyed boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    given_workspace ALIAS FOR $5;
    new_type text;
    new_source text;
    ids text[];
    last text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(
        ARRAY['entity_id', 'after', 'max_rows', 'workspace_id'], ARRAY[$1, $2, $4::text, $5]);
    IF max_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be between 1 and 10000, not %s', max_rows);
    END IF;
    SELECT e.type, e.source INTO new_type, new_source
    FROM kepler.entities AS e WHERE e.workspace_id = given_workspace AND e.id = $1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF is_keyed THEN
        SELECT array_agg(l.id), max(l.external_id) INTO ids, last FROM (
            SELECT r.id, r.external_id FROM kepler.records AS r
            WHERE r.workspace_id = given_workspace AND r.entity_id = $1 AND r.external_id > after
            ORDER BY r.external_id LIMIT max_rows FOR NO KEY UPDATE) AS l;
    ELSE
        SELECT array_agg(l.id) INTO ids FROM (
            SELECT r.id FROM kepler.records AS r
            WHERE r.workspace_id = given_workspace AND r.entity_id = $1 AND r.external_id IS NULL
                AND (r.entity_type <> new_type OR r.source <> new_source)
            LIMIT max_rows FOR NO KEY UPDATE) AS l;
    END IF;
    UPDATE kepler.records AS r SET entity_type = new_type, source = new_source
    FROM unnest(ids) AS n (id)
    WHERE r.workspace_id = given_workspace AND r.id = n.id
        AND (r.entity_type <> new_type OR r.source <> new_source);
    IF is_keyed THEN
        next_is_keyed := ids IS NOT NULL;
        next_after := coalesce(last, '');
    ELSIF ids IS NOT NULL THEN
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'records of the entity were not written',
                HINT = 'A trigger on kepler.records prevents the write (BEFORE, returning NULL).';
        END IF;
        next_is_keyed := false;
        next_after := '';
    END IF;
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.rename_entity(
    entity_type text,
    new_type text,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    new_source text DEFAULT NULL,
    max_rows integer DEFAULT 10000,
    workspace_id text DEFAULT kepler.current_workspace_id()
)
LANGUAGE plpgsql
AS $$
DECLARE
    entity text;
    after text := '';
    keyed boolean := true;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.rename_entity');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    entity := kepler_internal.begin_rename_entity(entity_type, new_type, source, new_source, connection_id, max_rows, workspace_id);
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM kepler_internal.wait_for_upserts(entity_type, workspace_id);
    WHILE after IS NOT NULL LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT s.next_after, s.next_is_keyed INTO after, keyed
        FROM kepler_internal.rename_entity_step(entity, after, keyed, max_rows, workspace_id) AS s;
    END LOOP;
END
$$;
