-- Writes an archive into a database. All of it runs as the owner of Kepler's tables, inside of the call of import_workspace.

-- Makes what the rows of an archive go into: the workspace, and where they are missing its spaces, blueprints and entry tables.
-- Gives the statements that put foreign keys back, which new tables do without until their rows are there.
CREATE FUNCTION kepler_internal.begin_import(head text, definitions text[], workspace_id text) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    archive constant jsonb := head::jsonb;
    definition jsonb;
    blueprint jsonb;
    existing record;
    to_finish text[] := '{}';
    made oid[] := '{}';
    problem text;
BEGIN
    PERFORM kepler_internal.require_empty_workspace(workspace_id);
    INSERT INTO kepler.workspaces AS w (id, name, created_at, updated_at)
    VALUES (workspace_id, archive #>> '{workspace,name}', (archive #>> '{workspace,created_at}')::timestamptz,
        (archive #>> '{workspace,updated_at}')::timestamptz)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at, updated_at = excluded.updated_at;
    FOR definition IN
        SELECT d.definition::jsonb -> 'embedding_space' FROM unnest(definitions) AS d (definition)
        WHERE d.definition::jsonb ? 'embedding_space'
    LOOP
        SELECT s.model, s.dimensions, s.metric::text AS metric INTO existing
        FROM kepler.embedding_spaces AS s WHERE s.name = definition ->> 'name';
        IF NOT FOUND THEN
            PERFORM kepler.create_embedding_space(definition ->> 'name', (definition ->> 'dimensions')::integer,
                definition ->> 'model', definition ->> 'metric');
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
    END LOOP;
    UPDATE kepler.workspaces AS w
    SET embedding_space = archive #>> '{workspace,embedding_space}', updated_at = (archive #>> '{workspace,updated_at}')::timestamptz
    WHERE w.id = workspace_id AND archive #>> '{workspace,embedding_space}' IS NOT NULL;
    FOR definition IN
        SELECT d.definition::jsonb -> 'blueprint' FROM unnest(definitions) AS d (definition) WHERE d.definition::jsonb ? 'blueprint'
    LOOP
        SELECT b.workspace_id INTO existing FROM kepler.blueprints AS b WHERE b.name = definition ->> 'name';
        IF FOUND AND (definition ->> 'is_own')::boolean AND existing.workspace_id IS DISTINCT FROM workspace_id THEN
            RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
                MESSAGE = format('blueprint "%s" already exists', definition ->> 'name'),
                DETAIL = 'Its tables are those of another workspace. The names of blueprints are unique in the database.',
                HINT = 'Import into another database.';
        ELSIF NOT FOUND THEN
            PERFORM kepler.apply_blueprint(definition ->> 'document');
            made := made || ARRAY(
                SELECT c.oid FROM kepler.blueprint_tables AS t
                JOIN pg_class AS c ON c.relname = t.table_name AND c.relnamespace = to_regnamespace(quote_ident(t.schema_name))
                WHERE t.blueprint_name = definition ->> 'name');
        END IF;
    END LOOP;
    made := made || kepler_internal.import_entry_tables(ARRAY(
        SELECT d.definition::jsonb -> 'entry_table' FROM unnest(definitions) AS d (definition)
        WHERE d.definition::jsonb ? 'entry_table'), workspace_id);
    -- Rows may refer to rows that come later, also in circles.
    FOR existing IN
        SELECT f.conrelid::regclass AS relation, f.conname AS name, pg_get_constraintdef(f.oid) AS definition
        FROM pg_constraint AS f
        WHERE f.conrelid = ANY (made) AND f.contype = 'f' AND f.confrelid = ANY (made)
        ORDER BY f.conrelid, f.conname
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', existing.relation, existing.name);
        to_finish := to_finish || format('ALTER TABLE %s ADD CONSTRAINT %I %s', existing.relation, existing.name, existing.definition);
    END LOOP;
    -- Rows that a blueprint begins with are in the archive as they became.
    FOR existing IN
        SELECT r.relation FROM kepler_internal.workspace_relations(workspace_id) AS r
        WHERE r.kind = 'blueprint table' AND r.relation = ANY (made) ORDER BY r.position DESC
    LOOP
        EXECUTE format('DELETE FROM %s', existing.relation);
    END LOOP;
    SELECT string_agg(CASE
            WHEN r.key IS NULL THEN format('%s: there is no such table.', t ->> 'table')
            WHEN c.missing IS NOT NULL THEN format('%s: %s has no column %s.', t ->> 'table', r.relation, c.missing) END, ' ')
    INTO problem
    FROM jsonb_array_elements(archive -> 'tables') AS t
    LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = t ->> 'table' AND r.left_out IS NULL
    LEFT JOIN LATERAL (
        SELECT string_agg(n.name, ', ') AS missing FROM jsonb_array_elements_text(t -> 'columns') AS n (name)
        WHERE n.name NOT IN (SELECT a.name FROM kepler_internal.archived_columns(r.relation, r.tenant_column) AS a)
    ) AS c ON r.key IS NOT NULL;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the archive holds what this database has no place for',
            DETAIL = problem || ' Nothing was imported.',
            HINT = 'Import into a database with the same version of Kepler, or a later one, and the same blueprints.';
    END IF;
    RETURN to_finish;
END
$$;

-- Fails if a workspace holds anything that an import could meet.
CREATE FUNCTION kepler_internal.require_empty_workspace(workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    deleting_at timestamptz;
    held text;
BEGIN
    SELECT w.deleting_at INTO deleting_at FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
    IF deleting_at IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" is being deleted', workspace_id),
            HINT = format('CALL kepler.delete_workspace(%L); first.', workspace_id);
    END IF;
    held := kepler_internal.held_by_workspace(workspace_id);
    IF held IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" already holds data', workspace_id),
            DETAIL = format('It is in %s. Nothing was imported.', held),
            HINT = 'Import under another workspace_id, or delete that workspace first.';
    END IF;
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
    structure jsonb;
    pruned jsonb;
    name text;
    at integer;
    is_late boolean;
    relation regclass;
    entry_table_id text;
    hidden jsonb;
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
        structure := kepler_internal.current_structure(definition);
        name := definition ->> 'record_name';
        pruned := structure;
        IF is_late THEN
            -- Tables that refer to each other in a circle.
            late := late || definition;
            pruned := kepler_internal.without_references(structure, ARRAY[name] || ARRAY(
                SELECT e.record_name FROM kepler.entry_tables AS e
                WHERE e.workspace_id = workspace_id AND e.dropped_at IS NULL));
        ELSIF definition ->> 'dropped_at' IS NOT NULL THEN
            pruned := kepler_internal.with_keys_of_references(structure, definitions);
        END IF;
        relation := kepler.create_entry_table(name, pruned, workspace_id);
        SELECT e.id INTO STRICT entry_table_id FROM kepler.entry_tables AS e
        WHERE e.workspace_id = workspace_id AND e.record_name = name AND e.dropped_at IS NULL;
        IF definition ->> 'dropped_at' IS NOT NULL THEN
            relation := kepler.drop_entry_table(name, workspace_id);
        END IF;
        FOR hidden IN SELECT h.field FROM jsonb_array_elements(definition -> 'hidden_fields') AS h (field) LOOP
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
        made := made || relation::oid;
    END LOOP;
    FOREACH definition IN ARRAY late LOOP
        PERFORM kepler.alter_entry_table(definition ->> 'record_name', kepler_internal.current_structure(definition)::text,
            workspace_id => workspace_id);
    END LOOP;
    FOREACH definition IN ARRAY definitions LOOP
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
    END LOOP;
    RETURN made;
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
    RETURN CASE
        WHEN modifier IS NULL THEN base::text
        WHEN base::oid IN (1184, 1114, 1083, 1266) THEN regexp_replace(base::text, '^(timestamp|time)', format('\1(%s)', modifier))
        WHEN base::text LIKE '%[]' THEN replace(base::text, '[]', format('(%s)[]', modifier))
        ELSE format('%s(%s)', base, modifier) END;
END
$$;

-- The statement that inserts rows of an archive into a table; $1: the rows as JSON, $2: the workspace.
CREATE FUNCTION kepler_internal.import_statement(relation regclass, tenant_column text, columns text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s
    FROM pg_catalog.unnest($1::pg_catalog.json[]) AS l (line)
    CROSS JOIN LATERAL pg_catalog.json_to_record(l.line) AS p (%s)',
    relation,
    concat_ws(', ', quote_ident(tenant_column), string_agg(quote_ident(c.name), ', ' ORDER BY c.name)),
    concat_ws(', ', CASE WHEN tenant_column IS NOT NULL THEN '$2' END, string_agg(CASE
        WHEN c.type = 'jsonb'::regtype THEN format('coalesce(p.%I, (l.line OPERATOR(pg_catalog.->) %L::pg_catalog.text)::pg_catalog.jsonb)', c.name, c.name)
        WHEN c.is_text THEN format('p.%I::%s', c.name, c.type_name)
        ELSE format('p.%I', c.name) END, ', ' ORDER BY c.name)),
    string_agg(format('%I %s', c.name, CASE WHEN c.is_text THEN 'pg_catalog.text' ELSE c.type_name END), ', ' ORDER BY c.name))
FROM (
    SELECT a.*, a.type = 'json'::regtype OR a.kind = 'c' AS is_text
    FROM kepler_internal.archived_columns(relation, tenant_column) AS a WHERE a.name = ANY (columns)
) AS c
$$;

-- Writes some lines of an archive. Where some cannot be written, tells which, where in them, and why. Gives the numbers of those
-- that refer to rows that are not there yet, in tables that were there before the import and kept their foreign keys: they are to
-- be tried again when the others are written, unless is_last.
CREATE FUNCTION kepler_internal.import_lines(workspace_id text, lines text[], numbers bigint[], is_last boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    later bigint[] := '{}';
BEGIN
    FOR part IN
        SELECT g.key, r.kind, r.relation, r.tenant_column, g.lines, g.numbers,
            CASE WHEN r.relation IS NOT NULL THEN kepler_internal.import_statement(r.relation, r.tenant_column, ARRAY(
                SELECT a.name FROM kepler_internal.archived_columns(r.relation, r.tenant_column) AS a)) END AS statement
        FROM (
            SELECT k.key, min(l.number) AS first, array_agg(l.line ORDER BY l.number) AS lines,
                array_agg(l.number ORDER BY l.number) AS numbers
            FROM unnest(lines, numbers) AS l (line, number)
            CROSS JOIN LATERAL (SELECT substring(l.line FROM '^[{]"table":("([^"\\]|\\.)*"),"row":')::json #>> '{}' AS key) AS k
            GROUP BY k.key
        ) AS g
        LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = g.key AND r.left_out IS NULL
        ORDER BY g.first
    LOOP
        IF part.statement IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('line %s of the archive cannot be imported', part.numbers[1]),
                DETAIL = format('/table: there is no table %s. Nothing was imported.', coalesce(part.key, '?'));
        END IF;
        BEGIN
            EXECUTE part.statement
            USING ARRAY(SELECT kepler_internal.archived_row(l.line) FROM unnest(part.lines) WITH ORDINALITY AS l (line, at) ORDER BY l.at),
                workspace_id;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
            IF SQLSTATE <> '23503' OR part.kind <> 'blueprint table' OR is_last THEN
                PERFORM kepler_internal.refuse_lines(part.statement, part.relation, part.tenant_column, part.lines, part.numbers, workspace_id);
                RAISE;
            END IF;
            FOR at IN 1 .. cardinality(part.lines) LOOP
                BEGIN
                    EXECUTE part.statement USING ARRAY[kepler_internal.archived_row(part.lines[at])], workspace_id;
                EXCEPTION
                    WHEN foreign_key_violation THEN
                        later := later || part.numbers[at];
                    WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
                        PERFORM kepler_internal.refuse_lines(
                            part.statement, part.relation, part.tenant_column, part.lines[at : at], part.numbers[at : at], workspace_id);
                        RAISE;
                END;
            END LOOP;
        END;
    END LOOP;
    RETURN later;
END
$$;

-- The row of a line of an archive: what stands behind the name of its table.
CREATE FUNCTION kepler_internal.archived_row(line text) RETURNS json
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT left(substr(line, 1 + length(substring(line FROM '^[{]"table":"(?:[^"\\]|\\.)*","row":'))), -1)::json
$$;

-- Tells which of some lines cannot be written, the first 20 of them. Nothing stays written.
CREATE FUNCTION kepler_internal.refuse_lines(
    statement text, relation regclass, tenant_column text, lines text[], numbers bigint[], workspace_id text
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    problems text[] := '{}';
    first bigint;
    state text;
    message text;
    of_column text;
    path text;
    line json;
    field record;
BEGIN
    FOR at IN 1 .. cardinality(lines) LOOP
        BEGIN
            line := NULL;
            line := kepler_internal.archived_row(lines[at]);
            EXECUTE statement USING ARRAY[line], workspace_id;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, of_column = COLUMN_NAME;
            path := CASE WHEN of_column <> '' THEN '/row/' || of_column ELSE '/row' END;
            IF line IS NOT NULL AND of_column = '' THEN
                -- Which value it is that its column does not take.
                FOR field IN SELECT c.* FROM kepler_internal.archived_columns(relation, tenant_column) AS c LOOP
                    BEGIN
                        EXECUTE format('SELECT p.* FROM pg_catalog.json_to_record($1) AS p (%I %s)', field.name,
                            CASE WHEN field.type = 'json'::regtype OR field.kind = 'c' THEN 'pg_catalog.text' ELSE field.type_name END)
                        USING line;
                    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
                        path := '/row/' || replace(replace(field.name, '~', '~0'), '/', '~1');
                        EXIT;
                    END;
                END LOOP;
            END IF;
            first := coalesce(first, numbers[at]);
            problems := problems || format('Line %s, %s: %s (%s).', numbers[at], path, message, state);
            EXIT WHEN cardinality(problems) = 20;
        END;
    END LOOP;
    IF first IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('line %s of the archive cannot be imported', first),
            DETAIL = format('%s Nothing was imported.', array_to_string(problems, ' '));
    END IF;
END
$$;

-- Puts foreign keys back, and has sequences go on behind the imported numbers.
CREATE FUNCTION kepler_internal.finish_import(
    head text, workspace_id text, definitions text[], statements text[], OUT relation regclass, OUT rows bigint
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    statement text;
    part record;
    highest bigint;
    expected bigint;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    FOR part IN
        SELECT r.*, s.sequence, s.column_name, (t.said ->> 'rows')::bigint AS said
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        LEFT JOIN jsonb_array_elements(head::jsonb -> 'tables') AS t (said) ON t.said ->> 'table' = r.key
        LEFT JOIN LATERAL (
            SELECT d.objid::regclass AS sequence, a.attname AS column_name
            FROM pg_depend AS d
            JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relation
                AND d.deptype IN ('i', 'a')
        ) AS s ON true
        WHERE r.left_out IS NULL AND t.said IS NOT NULL
        ORDER BY r.position
    LOOP
        IF part.sequence IS NOT NULL THEN
            EXECUTE format('SELECT max(%I)::bigint FROM %s%s', part.column_name, part.relation,
                    CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
                INTO highest USING workspace_id;
            -- Of a shared table others may take numbers meanwhile: with room, so that none is given twice.
            IF highest IS NOT NULL THEN
                EXECUTE format('SELECT setval(%L, $1 + CASE WHEN $2 THEN 1000 ELSE 0 END) FROM %s AS s WHERE s.last_value < $1 OR NOT s.is_called AND s.last_value <= $1',
                    part.sequence, part.sequence) USING highest, part.tenant_column IS NOT NULL;
            END IF;
        END IF;
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        IF rows <> part.said THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('%s has %s rows after the import instead of %s', part.relation, rows, part.said),
                DETAIL = 'A trigger has added or left out rows. Nothing was imported.';
        END IF;
        relation := part.relation;
        RETURN NEXT;
    END LOOP;
END
$$;
