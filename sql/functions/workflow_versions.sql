-- Versions of workflows: made by triggers when a definition changes, kept as they are, and kept for as long as a run refers to one.

-- A definition that changes gets the next number. One that is given with its number, in an import, keeps it.
CREATE FUNCTION kepler_internal.number_workflow_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
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
$$;

CREATE FUNCTION kepler_internal.keep_workflow_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
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
$$;

-- The versions of a deleted workflow go with its last run. Where there are runs nothing is done, so that no foreign key
-- is checked for each version.
CREATE FUNCTION kepler_internal.drop_workflow_versions() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
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
$$;

-- What runs ran stays as it was, and what the next run will run stays there. A version comes with the workflow that has it; whoever
-- has the rights of the owner may bring older ones, as an import does.
CREATE FUNCTION kepler_internal.guard_workflow_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
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
$$;

-- A run that direct SQL inserts without a version ran the one of now. The foreign key is to the versions, and would not say what is wrong.
CREATE FUNCTION kepler_internal.fill_workflow_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
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
$$;
