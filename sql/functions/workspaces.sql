-- Trigger functions that every table shares.

CREATE FUNCTION kepler_internal.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.refuse_workspace_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('a row of kepler.%I cannot move to another workspace', TG_TABLE_NAME),
        DETAIL = format('It belongs to workspace "%s".', OLD.workspace_id),
        HINT = 'Insert the row there, then delete it here.';
END
$$;
