-- The forms of the upsert that take json and jsonb. Literals resolve to text, which is the form to
-- prefer: a document that json or jsonb cannot hold would fail the call before it starts.

-- One record. A function in SQL that gives a row cannot be inlined, so that each form is one in C.
CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data json,
    source_updated_at text DEFAULT NULL,
    deleted boolean DEFAULT false,
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
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
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
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
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
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
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
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
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
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
