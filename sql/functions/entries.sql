-- The forms of the functions over entries that take json and jsonb. Literals resolve to text, which is
-- the form to prefer: it keeps every digit and every key that was sent.

CREATE FUNCTION kepler.insert_entries(
    entry_table text,
    entries json,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.insert_entries($1, $2::pg_catalog.text, $3, $4) $$;

CREATE FUNCTION kepler.upsert_entries(
    entry_table text,
    key_fields text[],
    entries json,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.upsert_entries($1, $2, $3::pg_catalog.text, $4, $5) $$;

CREATE FUNCTION kepler.update_entries(
    entry_table text,
    entries json,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.update_entries($1, $2::pg_catalog.text, $3, $4) $$;

CREATE FUNCTION kepler.insert_entries(
    entry_table text,
    entries jsonb,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.insert_entries($1, $2::pg_catalog.text, $3, $4) $$;

CREATE FUNCTION kepler.upsert_entries(
    entry_table text,
    key_fields text[],
    entries jsonb,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.upsert_entries($1, $2, $3::pg_catalog.text, $4, $5) $$;

CREATE FUNCTION kepler.update_entries(
    entry_table text,
    entries jsonb,
    on_error text DEFAULT 'reject',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, entry_id text, outcome text, error_code text, error text, violations jsonb
)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.update_entries($1, $2::pg_catalog.text, $3, $4) $$;
