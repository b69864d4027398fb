-- The forms of the upsert that take json and jsonb. Literals resolve to text, which is the form to
-- prefer: a document that json or jsonb cannot hold would fail the call before it starts.

CREATE FUNCTION kepler.upsert_records(
    entity_type text,
    records json,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, external_id text, record_id text, outcome text, error_code text, error text
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.upsert_records($1, $2::pg_catalog.text, $3, $4, $5, $6, $7, $8, $9) $$;

CREATE FUNCTION kepler.upsert_records(
    entity_type text,
    records jsonb,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, external_id text, record_id text, outcome text, error_code text, error text
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.upsert_records($1, $2::pg_catalog.text, $3, $4, $5, $6, $7, $8, $9) $$;

CREATE FUNCTION kepler.upsert_records_summary(
    entity_type text,
    records json,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$ SELECT kepler.upsert_records_summary($1, $2::pg_catalog.text, $3, $4, $5, $6, $7, $8, $9) $$;

CREATE FUNCTION kepler.upsert_records_summary(
    entity_type text,
    records jsonb,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$ SELECT kepler.upsert_records_summary($1, $2::pg_catalog.text, $3, $4, $5, $6, $7, $8, $9) $$;

-- One record. A function in SQL that gives a row cannot be inlined, so that each form is one in C.
CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data json,
    source_updated_at text DEFAULT NULL,
    deleted boolean DEFAULT false,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upsert_record_of_any_wrapper';

CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data jsonb,
    source_updated_at text DEFAULT NULL,
    deleted boolean DEFAULT false,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upsert_record_of_any_wrapper';

-- A time that is a value of SQL and no text: a timestamptz (now()), a timestamp or a date, which mean UTC
-- here as everywhere and not the session's zone, or a number, a Unix time. It is read as to_jsonb spells it,
-- which no setting of the session changes. (No default, or a call without a time would fit two functions; a
-- literal is text.)
CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data text,
    source_updated_at anyelement,
    deleted boolean DEFAULT false,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upsert_record_of_any_wrapper';

CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data json,
    source_updated_at anyelement,
    deleted boolean DEFAULT false,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upsert_record_of_any_wrapper';

CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data jsonb,
    source_updated_at anyelement,
    deleted boolean DEFAULT false,
    source text DEFAULT 'MANUAL',
    connection_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'upsert_record_of_any_wrapper';
