-- Writes an archive into a database. All of it runs as the owner of Kepler's tables, inside of the call of import_workspace.

-- Makes what the rows of an archive go into: the workspace, and where they are missing its spaces, blueprints and entry tables.
-- Gives the statements that put foreign keys back, which new tables do without until their rows are there.
CREATE FUNCTION kepler_internal.begin_import(head text, definitions text[], numbers bigint[], workspace_id text) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    archive constant jsonb := head::jsonb;
    definition jsonb;
    existing record;
    to_finish text[] := '{}';
    made oid[] := '{}';
    problem text;
    other_languages constant text[] := ARRAY(SELECT jsonb_array_elements_text(archive #> '{workspace,other_languages}'));
    -- All rows get words of now.
    former_languages constant text[] := ARRAY(
        SELECT f.name FROM jsonb_array_elements_text(archive #> '{workspace,former_languages}') AS f (name) WHERE f.name <> '');
BEGIN
    PERFORM kepler_internal.require_empty_workspace(workspace_id);
    INSERT INTO kepler.workspaces AS w (id, name, created_at, updated_at, language, other_languages, former_languages)
    VALUES (workspace_id, archive #>> '{workspace,name}', (archive #>> '{workspace,created_at}')::timestamptz,
        (archive #>> '{workspace,updated_at}')::timestamptz, coalesce(archive #>> '{workspace,language}', 'english'),
        other_languages, former_languages)
    ON CONFLICT (id) DO UPDATE
    SET name = excluded.name, created_at = excluded.created_at, updated_at = excluded.updated_at, language = excluded.language,
        other_languages = excluded.other_languages, former_languages = excluded.former_languages;
    FOR definition IN
        SELECT d.definition::jsonb -> 'embedding_space' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'embedding_space'
    LOOP
        PERFORM kepler_internal.try_definition('embedding_space', definition, NULL, workspace_id);
    END LOOP;
    UPDATE kepler.workspaces AS w
    SET embedding_space = archive #>> '{workspace,embedding_space}', updated_at = (archive #>> '{workspace,updated_at}')::timestamptz
    WHERE w.id = workspace_id AND archive #>> '{workspace,embedding_space}' IS NOT NULL;
    FOR definition IN
        SELECT d.definition::jsonb -> 'blueprint' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'blueprint'
    LOOP
        made := made || kepler_internal.try_definition('blueprint', definition, NULL, workspace_id);
    END LOOP;
    made := made || kepler_internal.import_entry_tables(ARRAY(
        SELECT d.definition::jsonb -> 'entry_table' || jsonb_build_object('line', d.number)
        FROM unnest(definitions, numbers) AS d (definition, number) WHERE d.definition::jsonb ? 'entry_table'), workspace_id);
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
-- be tried again when the others are written, unless is_last. In a cluster: of tables that lie here.
CREATE FUNCTION kepler_internal.import_lines_here(workspace_id text, lines text[], numbers bigint[], is_last boolean) RETURNS bigint[]
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
            PERFORM kepler_internal.refuse_members(part.lines, part.numbers, ARRAY(
                SELECT a.name FROM kepler_internal.archived_columns(part.relation, part.tenant_column) AS a));
            PERFORM kepler_internal.refuse_numbers(part.lines, part.numbers, n.column_name, n.highest, n.most)
            FROM kepler_internal.numbered_columns(part.relation) AS n WHERE part.tenant_column IS NOT NULL;
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

-- The same of all tables: those of a cluster's part write their lines there.
CREATE FUNCTION kepler_internal.import_lines(workspace_id text, lines text[], numbers bigint[], is_last boolean) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    later bigint[] := '{}';
    in_part boolean;
    those record;
BEGIN
    IF NOT kepler_internal.is_distributed() THEN
        RETURN kepler_internal.import_lines_here(workspace_id, lines, numbers, is_last);
    END IF;
    -- What lies in a part and what does not refer to nothing of each other.
    FOREACH in_part IN ARRAY ARRAY[true, false] LOOP
        SELECT array_agg(l.line ORDER BY l.number) AS lines, array_agg(l.number ORDER BY l.number) AS numbers INTO those
        FROM unnest(lines, numbers) AS l (line, number)
        CROSS JOIN LATERAL (SELECT substring(l.line FROM '^[{]"table":("([^"\\]|\\.)*"),"row":')::json #>> '{}' AS key) AS k
        LEFT JOIN kepler_internal.workspace_relations(workspace_id) AS r ON r.key = k.key
        WHERE coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part;
        CONTINUE WHEN those.lines IS NULL;
        later := later || CASE WHEN in_part
            THEN kepler_internal.import_lines_of_part(workspace_id, those.lines, those.numbers, is_last)
            ELSE kepler_internal.import_lines_here(workspace_id, those.lines, those.numbers, is_last) END;
    END LOOP;
    RETURN later;
END
$$;

-- The row of a line of an archive: what stands behind the name of its table.
CREATE FUNCTION kepler_internal.archived_row(line text) RETURNS json
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT regexp_replace(substr(line, 1 + length(substring(line FROM '^[{]"table":"(?:[^"\\]|\\.)*","row":'))), '}$', '')::json
$$;

-- Fails where a row has a member that is no column, or one twice: it would be lost.
CREATE FUNCTION kepler_internal.refuse_members(lines text[], numbers bigint[], columns text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    bad record;
BEGIN
    SELECT l.number, m.name, m.name = ANY (columns) AS is_twice INTO bad
    FROM unnest(lines, numbers) AS l (line, number)
    CROSS JOIN LATERAL json_object_keys(kepler_internal.archived_row(l.line)) AS m (name)
    GROUP BY l.number, m.name
    HAVING count(*) > 1 OR m.name <> ALL (columns)
    ORDER BY l.number, m.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('line %s of the archive cannot be imported', bad.number),
            DETAIL = format('/row/%s: %s. Nothing was imported.', replace(replace(bad.name, '~', '~0'), '/', '~1'),
                CASE WHEN bad.is_twice THEN 'it is given twice' ELSE 'the table has no such column' END);
    END IF;
END
$$;

-- The columns that a sequence numbers. highest: what an import may bring, 2^40 ahead of what was given, and at most half of what
-- is left: other workspaces take numbers of it too, and a number that was given is never taken back.
CREATE FUNCTION kepler_internal.numbered_columns(
    relation regclass, OUT column_name text, OUT sequence regclass, OUT last bigint, OUT highest bigint, OUT most bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    is_called boolean;
BEGIN
    FOR column_name, sequence, most IN
        SELECT a.attname, s.seqrelid, s.seqmax
        FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        JOIN pg_sequence AS s ON s.seqrelid = d.objid AND s.seqincrement > 0
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation
            AND d.deptype IN ('i', 'a')
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT s.last_value, s.is_called FROM %s AS s', sequence) INTO last, is_called;
        last := CASE WHEN is_called THEN last ELSE last - 1 END;
        highest := last + least(1099511627776, (most - last) / 2);
        RETURN NEXT;
    END LOOP;
END
$$;

-- Fails where a row has a number above a limit. What is above the most that the sequence gives another node of a cluster gave.
CREATE FUNCTION kepler_internal.refuse_numbers(lines text[], numbers bigint[], column_name text, highest bigint, most bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    bad bigint;
BEGIN
    EXECUTE format('SELECT min(l.number) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS l (line, number)
        CROSS JOIN LATERAL pg_catalog.json_to_record(kepler_internal.archived_row(l.line)) AS p (%I pg_catalog.int8)
        WHERE p.%1$I OPERATOR(pg_catalog.>) $3 AND p.%1$I OPERATOR(pg_catalog.<=) $4', column_name)
    INTO bad USING lines, numbers, highest, most;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('line %s of the archive cannot be imported', bad),
            DETAIL = format('/row/%s: it is above %s, too far ahead of the numbers that were given here. Nothing was imported.',
                replace(replace(column_name, '~', '~0'), '/', '~1'), highest);
    END IF;
END
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
    head text, workspace_id text, statements text[], OUT relation regclass, OUT rows bigint
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    statement text;
    part record;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    FOR part IN
        SELECT r.*, (t.said ->> 'rows')::bigint AS said
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        LEFT JOIN jsonb_array_elements(head::jsonb -> 'tables') AS t (said) ON t.said ->> 'table' = r.key
        WHERE r.left_out IS NULL
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        -- Archives of 0.1.0 have no versions of workflows: triggers made one of each.
        IF rows <> coalesce(part.said, CASE part.key WHEN 'kepler.workflow_versions' THEN rows ELSE 0 END) THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('%s has %s rows after the import instead of %s', part.relation, rows, coalesce(part.said, 0)),
                DETAIL = 'The head of the archive says another number, or a trigger has added or left out rows. Nothing was imported.';
        END IF;
        relation := part.relation;
        IF rows > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    -- Last of all: what an import that fails has taken from a sequence does not come back.
    IF kepler_internal.is_distributed() THEN
        PERFORM kepler_internal.continue_numbers_of_part(workspace_id);
        PERFORM kepler_internal.continue_numbers(workspace_id, false);
    ELSE
        PERFORM kepler_internal.continue_numbers(workspace_id, NULL);
    END IF;
END
$$;

-- Has sequences go on behind the numbers of a workspace. in_part: as of delete_workspace_rows.
CREATE FUNCTION kepler_internal.continue_numbers(workspace_id text, in_part boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    highest bigint;
BEGIN
    FOR part IN
        SELECT r.relation, r.tenant_column, n.column_name, n.sequence, n.last, n.most
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        CROSS JOIN LATERAL kepler_internal.numbered_columns(r.relation) AS n
        WHERE r.left_out IS NULL
            AND (in_part IS NULL OR coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part)
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT max(%I)::bigint FROM %2$s WHERE %1$I <= $2%3$s', part.column_name, part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' AND %I = $1', part.tenant_column) END)
            INTO highest USING workspace_id, part.most;
        -- Of a shared table others may take numbers meanwhile: with room, so that none is given twice.
        IF highest > part.last THEN
            PERFORM setval(part.sequence, least(part.most,
                highest::numeric + CASE WHEN part.tenant_column IS NOT NULL THEN 1000 ELSE 0 END)::bigint);
        END IF;
    END LOOP;
END
$$;
