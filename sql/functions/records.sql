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
