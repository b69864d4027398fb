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

CREATE FUNCTION kepler_internal.reset_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    NEW.enrichment_status := 'UNAPPLIED';
    IF NEW.enrichment IS NOT NULL AND NEW.data IS DISTINCT FROM OLD.data
        AND EXISTS (
            SELECT FROM kepler.enrichment_policies AS p
            WHERE p.workspace_id = NEW.workspace_id AND p.entity_type = NEW.entity_type AND p.clear_on_change)
    THEN
        NEW.enrichment := NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.clear_enrichment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF EXISTS (
            SELECT FROM kepler.enrichment_policies AS p
            WHERE p.workspace_id = NEW.workspace_id AND p.entity_type = NEW.entity_type AND p.clear_on_change) THEN
        NEW.enrichment := NULL;
    END IF;
    RETURN NEW;
END
$$;

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
