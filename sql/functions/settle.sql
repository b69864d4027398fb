-- The forms of settle_records that take json and jsonb, and what most workers call.

CREATE FUNCTION kepler.settle_records(
    lease_id bigint, results json, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.settle_records($1, $2::pg_catalog.text, $3) $$;

CREATE FUNCTION kepler.settle_records(
    lease_id bigint, results jsonb, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler.settle_records($1, $2::pg_catalog.text, $3) $$;

CREATE FUNCTION kepler_internal.require_ids(argument text, ids text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF ids IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be NULL', argument);
    END IF;
END
$$;

CREATE FUNCTION kepler.complete_records(
    lease_id bigint,
    record_ids text[],
    results jsonb[] DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_ids('record_ids', record_ids);
    IF results IS NOT NULL AND cardinality(results) <> cardinality(record_ids) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"results" has %s elements and "record_ids" %s',
                cardinality(results), cardinality(record_ids));
    END IF;
    RETURN QUERY SELECT s.* FROM kepler.settle_records($1, (
        SELECT '[' || coalesce(string_agg(format('{"record_id": %s, "action": "complete", "result": %s}',
                coalesce(to_json(u.id)::text, 'null'), coalesce(u.result::text, 'null')), ',' ORDER BY u.ordinality), '') || ']'
        FROM unnest(record_ids, results) WITH ORDINALITY AS u (id, result, ordinality)), $4) AS s;
END
$$;

-- PL/pgSQL does not tell an argument from a column of the answer that has its name.
CREATE FUNCTION kepler_internal.fail_records(
    lease_id bigint, record_ids text[], reason text, retryable boolean, retry_in interval, workspace_id text
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_ids('record_ids', record_ids);
    RETURN QUERY SELECT s.* FROM kepler.settle_records($1, (
        SELECT coalesce(json_agg(json_build_object(
            'record_id', u.id, 'action', 'fail', 'error', reason, 'retryable', coalesce(retryable, true),
            'retry_in', extract(epoch FROM retry_in)) ORDER BY u.ordinality), '[]')::text
        FROM unnest(record_ids) WITH ORDINALITY AS u (id, ordinality)), $6) AS s;
END
$$;

CREATE FUNCTION kepler.fail_records(
    lease_id bigint,
    record_ids text[],
    error text,
    retryable boolean DEFAULT true,
    retry_in interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM kepler_internal.fail_records($1, $2, $3, $4, $5, $6) $$;

CREATE FUNCTION kepler.release_records(
    lease_id bigint,
    record_ids text[] DEFAULT NULL,
    retry_in interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, record_id text, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_tables();
    RETURN QUERY SELECT s.* FROM kepler.settle_records($1, (
        SELECT coalesce(json_agg(json_build_object(
            'record_id', u.id, 'action', 'release', 'retry_in', extract(epoch FROM retry_in))
            ORDER BY u.ordinality), '[]')::text
        FROM unnest(coalesce(record_ids, ARRAY(
            SELECT r.id FROM kepler.lease_records AS m
            CROSS JOIN LATERAL unnest(m.record_ids) WITH ORDINALITY AS u (id, place)
            JOIN kepler.records AS r ON r.workspace_id = m.workspace_id AND r.id = u.id
            WHERE m.workspace_id = $4 AND m.lease_id = $1 AND r.enrichment_lease_id = $1
            ORDER BY u.place)))
            WITH ORDINALITY AS u (id, ordinality)), $4) AS s;
END
$$;
