-- Trigger functions that every table shares, and the check that the tables are there.

CREATE FUNCTION kepler._touch_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler._refuse_workspace_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('a row of kepler.%I cannot move to another workspace', TG_TABLE_NAME),
        DETAIL = format('It belongs to workspace "%s".', OLD.workspace_id),
        HINT = 'Insert it there, and delete it here.';
END
$$;

-- Never shows the value: it may be the secret itself.
CREATE FUNCTION kepler._refuse_secret() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'check_violation',
        MESSAGE = format('kepler.%I.secret_ref must be a reference', TG_TABLE_NAME),
        DETAIL = 'It names where the secret lives: a scheme, a colon and a path.',
        HINT = 'Keep the secret in a secret store, and its place here: vault:…, env:…, aws-sm:….';
END
$$;

-- Fails where install() has not run, before a query on a missing table does so without a hint.
CREATE FUNCTION kepler._require_tables() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('kepler.records') IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'Kepler''s tables are not installed in this database',
            HINT = 'SELECT kepler.install();';
    END IF;
END
$$;
