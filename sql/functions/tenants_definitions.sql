-- What an archive says of spaces, blueprints and entry tables, written into a database.

-- Writes a definition, and gives the tables that it made. Errors tell the line.
CREATE FUNCTION kepler_internal.try_definition(kind text, definition jsonb, others jsonb, workspace_id text) RETURNS oid[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    CASE kind
    WHEN 'embedding_space' THEN
        PERFORM kepler_internal.import_space(definition);
    WHEN 'blueprint' THEN
        RETURN kepler_internal.import_blueprint(definition, workspace_id);
    WHEN 'entry_table' THEN
        RETURN ARRAY[kepler_internal.import_entry_table(definition, others, workspace_id)];
    ELSE
        PERFORM kepler_internal.import_structures(definition, workspace_id);
    END CASE;
    RETURN '{}';
EXCEPTION
    -- The name is another's, which is no matter of the archive.
    WHEN duplicate_object THEN
        RAISE;
    WHEN data_exception OR integrity_constraint_violation OR syntax_error_or_access_rule_violation OR program_limit_exceeded
        OR object_not_in_prerequisite_state OR feature_not_supported OR raise_exception THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
            hint = PG_EXCEPTION_HINT;
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('line %s of the archive cannot be imported', definition ->> 'line'),
            DETAIL = format('%s%s (%s).%s%s Nothing was imported.', CASE WHEN message NOT LIKE '/%' THEN
                format('/%s: ', CASE kind WHEN 'structures' THEN 'entry_table' ELSE kind END) END,
                message, state, ' ' || nullif(detail, ''), ' ' || nullif(hint, ''));
END
$$;

-- Makes an embedding space, or finds that it is the same one.
CREATE FUNCTION kepler_internal.import_space(definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    existing record;
BEGIN
    SELECT s.model, s.dimensions, s.metric::text AS metric INTO existing
    FROM kepler.embedding_spaces AS s WHERE s.name = definition ->> 'name';
    IF NOT FOUND THEN
        PERFORM kepler.create_embedding_space(definition ->> 'name', (definition ->> 'dimensions')::integer,
            definition ->> 'model', definition ->> 'metric');
        IF definition ->> 'search_width' IS NOT NULL THEN
            PERFORM kepler.set_search_width(definition ->> 'name', (definition ->> 'search_width')::integer);
        END IF;
    ELSIF (existing.model, existing.dimensions, existing.metric)
        IS DISTINCT FROM (definition ->> 'model', (definition ->> 'dimensions')::integer, definition ->> 'metric')
    THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('embedding space "%s" is another one here', definition ->> 'name'),
            DETAIL = format('Here it is of the model %s with %s dimensions (%s), in the archive of %s with %s (%s).',
                existing.model, existing.dimensions, existing.metric,
                definition ->> 'model', definition ->> 'dimensions', definition ->> 'metric'),
            HINT = 'Import into a database without a space of this name.';
    END IF;
END
$$;

-- Makes a blueprint, and gives its tables; or finds that there is one for the same workspaces, which stays as it is.
CREATE FUNCTION kepler_internal.import_blueprint(definition jsonb, workspace_id text) RETURNS oid[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    document jsonb;
    existing record;
    made oid[] := '{}';
BEGIN
    document := (definition ->> 'document')::jsonb;
    IF document ->> 'blueprint' IS DISTINCT FROM definition ->> 'name' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('/blueprint/document: it is of the blueprint "%s", and the line of "%s"',
                document ->> 'blueprint', definition ->> 'name');
    ELSIF (definition ->> 'is_own')::boolean AND document ->> 'tenancy' IS DISTINCT FROM 'workspace'
        OR NOT (definition ->> 'is_own')::boolean AND document #>> '{tenancy,field}' IS NULL
    THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = CASE WHEN (definition ->> 'is_own')::boolean
                THEN '/blueprint/document: the tenancy of a workspace''s own blueprint is "workspace"'
                ELSE '/blueprint/document: the tenancy of a shared blueprint is {"field": …}' END;
    END IF;
    SELECT b.workspace_id INTO existing FROM kepler.blueprints AS b WHERE b.name = definition ->> 'name';
    IF FOUND AND existing.workspace_id IS DISTINCT FROM (CASE WHEN (definition ->> 'is_own')::boolean THEN workspace_id END)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('blueprint "%s" already exists', definition ->> 'name'),
            DETAIL = 'Its tables are not of the same workspaces. The names of blueprints are unique in the database.',
            HINT = 'Import into another database.';
    ELSIF NOT FOUND THEN
        -- Without the rows that it begins with: the archive has them as they became. Never over one that others made meanwhile.
        PERFORM kepler.apply_blueprint((document - 'seed')::text, options => '{"version": 0}');
        made := ARRAY(
            SELECT c.oid FROM kepler.blueprint_tables AS t
            JOIN pg_class AS c ON c.relname = t.table_name AND c.relnamespace = to_regnamespace(quote_ident(t.schema_name))
            WHERE t.blueprint_name = definition ->> 'name');
    END IF;
    RETURN made;
END
$$;

-- Makes entry tables as they are in an archive, without rows, and gives them.
CREATE FUNCTION kepler_internal.import_entry_tables(definitions jsonb[], workspace_id text) RETURNS oid[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    waiting jsonb[] := ARRAY(
        SELECT d.definition FROM unnest(definitions) AS d (definition)
        ORDER BY d.definition ->> 'dropped_at' NULLS LAST, d.definition ->> 'created_at', d.definition ->> 'id');
    definition jsonb;
    at integer;
    is_late boolean;
    made oid[] := '{}';
    late jsonb[] := '{}';
BEGIN
    -- What others refer to first. Dropped tables refer to nothing, and come first, since their names may be given again.
    WHILE cardinality(waiting) > 0 LOOP
        SELECT w.at INTO at
        FROM unnest(waiting) WITH ORDINALITY AS w (definition, at)
        CROSS JOIN LATERAL (SELECT kepler_internal.current_structure(w.definition) AS structure) AS s
        WHERE w.definition ->> 'dropped_at' IS NOT NULL OR NOT EXISTS (
            SELECT FROM jsonb_array_elements(s.structure -> 'fields') AS f
            WHERE f ->> 'type' = 'reference' AND f ->> 'to' <> w.definition ->> 'record_name' AND NOT EXISTS (
                SELECT FROM kepler.entry_tables AS e
                WHERE e.workspace_id = workspace_id AND e.record_name = f ->> 'to' AND e.dropped_at IS NULL))
        ORDER BY w.at LIMIT 1;
        is_late := at IS NULL;
        at := coalesce(at, 1);
        definition := waiting[at];
        waiting := waiting[: at - 1] || waiting[at + 1 :];
        made := made || kepler_internal.try_definition('entry_table', definition,
            jsonb_build_object('is_late', is_late, 'definitions', CASE
                WHEN definition ->> 'dropped_at' IS NOT NULL THEN to_jsonb(definitions) END), workspace_id);
        IF is_late THEN
            -- Tables that refer to each other in a circle.
            late := late || definition;
        END IF;
    END LOOP;
    -- References in circles come when all tables are there.
    FOREACH definition IN ARRAY late LOOP
        PERFORM kepler_internal.try_definition('structures', definition || '{"is_late": true}', NULL, workspace_id);
    END LOOP;
    FOREACH definition IN ARRAY definitions LOOP
        PERFORM kepler_internal.try_definition('structures', definition, NULL, workspace_id);
    END LOOP;
    RETURN made;
END
$$;

-- Makes an entry table. others: all definitions, and is_late: whether tables that it refers to are not there yet.
CREATE FUNCTION kepler_internal.import_entry_table(definition jsonb, others jsonb, workspace_id text) RETURNS oid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    structure jsonb;
    pruned jsonb;
    name text;
    relation regclass;
    entry_table_id text;
    hidden jsonb;
BEGIN
    structure := kepler_internal.current_structure(definition);
    name := definition ->> 'record_name';
    pruned := structure;
    IF (others ->> 'is_late')::boolean THEN
        pruned := kepler_internal.without_references(structure, ARRAY[name] || ARRAY(
            SELECT e.record_name FROM kepler.entry_tables AS e
            WHERE e.workspace_id = workspace_id AND e.dropped_at IS NULL));
    ELSIF definition ->> 'dropped_at' IS NOT NULL THEN
        pruned := kepler_internal.with_keys_of_references(structure, ARRAY(
            SELECT d.definition FROM jsonb_array_elements(others -> 'definitions') AS d (definition)));
    END IF;
    relation := kepler.create_entry_table(name, pruned, workspace_id);
    SELECT e.id INTO STRICT entry_table_id FROM kepler.entry_tables AS e
    WHERE e.workspace_id = workspace_id AND e.record_name = name AND e.dropped_at IS NULL;
    IF definition ->> 'dropped_at' IS NOT NULL THEN
        relation := kepler.drop_entry_table(name, workspace_id);
    END IF;
    FOR hidden IN SELECT h.field FROM jsonb_array_elements(definition -> 'hidden_fields') AS h (field) LOOP
        IF hidden ->> 'column_name' !~ '^_hidden_[0-9]+_.' THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('/entry_table/hidden_fields: "%s" is no name of a hidden column', hidden ->> 'column_name');
        END IF;
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', relation, hidden ->> 'column_name',
            kepler_internal.checked_type(hidden ->> 'type'));
    END LOOP;
    -- The numbers and names of tables are this database's, all else is the archive's.
    DELETE FROM kepler.structures AS s WHERE s.workspace_id = workspace_id AND s.entry_table_id = entry_table_id;
    UPDATE kepler.entry_tables AS e
    SET id = definition ->> 'id', created_at = (definition ->> 'created_at')::timestamptz,
        updated_at = (definition ->> 'updated_at')::timestamptz, dropped_at = (definition ->> 'dropped_at')::timestamptz
    WHERE e.workspace_id = workspace_id AND e.id = entry_table_id;
    INSERT INTO kepler.structures (workspace_id, entry_table_id, version, structure)
    VALUES (workspace_id, definition ->> 'id', 1, pruned);
    RETURN relation;
END
$$;

-- Writes the versions of the structure and the hidden fields as they are in the archive; or, before, makes references that had
-- to wait.
CREATE FUNCTION kepler_internal.import_structures(definition jsonb, workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    IF definition ? 'is_late' THEN
        PERFORM kepler.alter_entry_table(definition ->> 'record_name', kepler_internal.current_structure(definition)::text,
            workspace_id => workspace_id);
        RETURN;
    END IF;
    DELETE FROM kepler.structures AS s
    WHERE s.workspace_id = workspace_id AND s.entry_table_id = definition ->> 'id';
    INSERT INTO kepler.structures (workspace_id, entry_table_id, version, structure, plan, created_by, created_at, updated_at)
    SELECT workspace_id, definition ->> 'id', (v ->> 'version')::integer, v -> 'structure', v -> 'plan', v ->> 'created_by',
        (v ->> 'created_at')::timestamptz, (v ->> 'updated_at')::timestamptz
    FROM jsonb_array_elements(definition -> 'structures') AS v;
    INSERT INTO kepler.hidden_fields (workspace_id, entry_table_id, field_name, column_name, version, hidden_at)
    SELECT workspace_id, definition ->> 'id', h ->> 'field_name', h ->> 'column_name', (h ->> 'version')::integer,
        (h ->> 'hidden_at')::timestamptz
    FROM jsonb_array_elements(definition -> 'hidden_fields') AS h;
    -- The trigger would set the time, if it stayed the same.
    UPDATE kepler.entry_tables AS e SET version = (definition ->> 'version')::integer, updated_at = '-infinity'
    WHERE e.workspace_id = workspace_id AND e.id = definition ->> 'id';
    UPDATE kepler.entry_tables AS e SET updated_at = (definition ->> 'updated_at')::timestamptz
    WHERE e.workspace_id = workspace_id AND e.id = definition ->> 'id';
END
$$;

-- The structure of an entry table that is in force, of what an archive says of it.
CREATE FUNCTION kepler_internal.current_structure(definition jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT v -> 'structure' FROM jsonb_array_elements(definition -> 'structures') AS v WHERE v -> 'version' = definition -> 'version'
$$;

-- A structure without the references to tables that are not among some, and without the rules that name them.
CREATE FUNCTION kepler_internal.without_references(structure jsonb, names text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT (structure - '{unique,indexes,checks}'::text[]) || jsonb_build_object('fields', coalesce((
    SELECT jsonb_agg(f.field ORDER BY f.place)
    FROM jsonb_array_elements(structure -> 'fields') WITH ORDINALITY AS f (field, place)
    WHERE f.field ->> 'type' <> 'reference' OR f.field ->> 'to' = ANY (names)), '[]'))
$$;

-- The structure of a dropped table with columns for keys in place of its references, which sleep.
CREATE FUNCTION kepler_internal.with_keys_of_references(structure jsonb, definitions jsonb[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT jsonb_set(structure, '{fields}', coalesce((
    SELECT jsonb_agg(CASE WHEN f.field ->> 'type' = 'reference' THEN (f.field - '{to,on_delete,index}'::text[])
            || jsonb_build_object('type', CASE k.type WHEN 'cuid' THEN 'text' ELSE coalesce(k.type, 'bigint') END)
        ELSE f.field END ORDER BY f.place)
    FROM jsonb_array_elements(structure -> 'fields') WITH ORDINALITY AS f (field, place)
    LEFT JOIN LATERAL (
        SELECT kepler_internal.current_structure(d.definition) #>> '{key,type}' AS type
        FROM unnest(definitions) AS d (definition)
        WHERE d.definition ->> 'record_name' = f.field ->> 'to'
        ORDER BY d.definition ->> 'dropped_at' DESC NULLS FIRST LIMIT 1) AS k ON true), '[]'))
$$;

-- A type as Postgres prints it; fails where there is none of that name.
CREATE FUNCTION kepler_internal.checked_type(type text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    modifier constant text := substring(type FROM '[(]([0-9, -]+)[)]');
    plain constant text := regexp_replace(type, '[(][0-9, -]+[)]', '');
    -- pgvector may be in another schema here.
    base constant regtype := coalesce(to_regtype(plain), to_regtype((
        SELECT format('%I.%s', n.nspname, substring(plain FROM '[^.]*$'))
        FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector')));
BEGIN
    IF base IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('type "%s" does not exist', type);
    END IF;
    -- Those that fields can have, and no others: a value of such a type names nothing of this database.
    IF (SELECT coalesce(e.typname, t.typname) FROM pg_type AS t
        LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE t.oid = base AND (coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace OR t.typname = 'vector'))
        = ANY ('{text,varchar,bool,int2,int4,int8,float4,float8,numeric,date,time,timestamp,timestamptz,interval,uuid,json,jsonb,bytea,vector}')
        IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('/entry_table/hidden_fields: a field cannot be of type "%s"', type);
    END IF;
    RETURN CASE
        WHEN modifier IS NULL THEN base::text
        WHEN base::oid IN (1184, 1114, 1083, 1266) THEN regexp_replace(base::text, '^(timestamp|time)', format('\1(%s)', modifier))
        WHEN base::text LIKE '%[]' THEN replace(base::text, '[]', format('(%s)[]', modifier))
        ELSE format('%s(%s)', base, modifier) END;
END
$$;
