-- The life of a workspace: what belongs to it, as an archive, out of one, and its end. All of it is worked out from the catalog
-- and from Kepler's lists of tables, so that a table that is added later is exported and deleted too.

-- The tables with rows of a workspace, those that others refer to first. key names a table the same way in every database, in
-- contrast to relation. tenant_column: the column that says whose a row is; NULL where all rows are the workspace's.
-- left_out: why an export leaves the table out; NULL where it does not.
CREATE FUNCTION kepler_internal.workspace_relations(
    workspace_id text, OUT "position" integer, OUT kind text, OUT key text, OUT relation regclass, OUT tenant_column text,
    OUT left_out text
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    kinds text[];
    keys text[];
    relations oid[];
    columns text[];
    reasons text[];
    level integer := 0;
    levels integer[];
    found integer[];
BEGIN
    SELECT array_agg(t.kind ORDER BY t.kind, t.key), array_agg(t.key ORDER BY t.kind, t.key),
        array_agg(t.relation ORDER BY t.kind, t.key), array_agg(t.tenant_column ORDER BY t.kind, t.key),
        array_agg(w.reason ORDER BY t.kind, t.key)
    INTO kinds, keys, relations, columns, reasons
    FROM (
        -- Whatever of Kepler's own tables has the column. Partitions are reached through the whole; but where there is one alone, the
        -- whole only takes rows in.
        SELECT 'table', 'kepler.' || c.relname::text, coalesce(p.relation, c.oid), 'workspace_id'
        FROM pg_class AS c
        LEFT JOIN LATERAL (
            SELECT min(i.inhrelid::bigint)::oid AS relation FROM pg_inherits AS i
            WHERE i.inhparent = c.oid AND c.relkind = 'p' HAVING count(*) = 1
        ) AS p ON true
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname <> ALL ('{entry_tables,structures,hidden_fields,blueprints}')
        UNION ALL
        SELECT 'entry table', 'entries:' || e.id, c.oid, NULL
        FROM kepler.entry_tables AS e
        JOIN pg_class AS c ON c.relname = e.table_name AND c.relnamespace = to_regnamespace('kepler_data')
        WHERE e.workspace_id = workspace_id
        UNION ALL
        SELECT 'embedding table', format('embeddings:%s:%s', s.name, n.whose), c.oid, 'workspace_id'
        FROM kepler.embedding_spaces AS s
        CROSS JOIN LATERAL (VALUES ('memories', s.memory_table_name), ('messages', s.message_table_name)) AS n (whose, name)
        JOIN pg_class AS c ON c.relname = n.name AND c.relnamespace = to_regnamespace('kepler_data')
        UNION ALL
        -- Of a blueprint whose rows say whose they are, the policy names the column that does.
        SELECT 'blueprint table', format('blueprint:%I.%I', t.schema_name, t.table_name), c.oid, p.tenant_column
        FROM kepler.blueprints AS b
        JOIN kepler.blueprint_tables AS t ON t.blueprint_name = b.name
        JOIN pg_class AS c ON c.relname = t.table_name AND c.relnamespace = to_regnamespace(quote_ident(t.schema_name))
        LEFT JOIN LATERAL (
            SELECT a.attname::text AS tenant_column
            FROM pg_policy AS y
            JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = y.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = y.polrelid AND d.refobjsubid > 0
            JOIN pg_attribute AS a ON a.attrelid = y.polrelid AND a.attnum = d.refobjsubid
            WHERE y.polrelid = c.oid AND y.polname = 'workspace'
            ORDER BY a.attnum LIMIT 1
        ) AS p ON b.workspace_id IS NULL
        WHERE b.workspace_id = workspace_id OR p.tenant_column IS NOT NULL
    ) AS t (kind, key, relation, tenant_column)
    LEFT JOIN kepler_internal.left_out_of_archives() AS w ON w.key = t.key;
    levels := array_fill(NULL::integer, ARRAY[cardinality(relations)]);
    LOOP
        SELECT array_agg(o.at::integer) INTO found
        FROM unnest(relations) WITH ORDINALITY AS o (oid, at)
        WHERE levels[o.at] IS NULL AND NOT EXISTS (
            SELECT FROM pg_constraint AS f
            JOIN unnest(relations) WITH ORDINALITY AS r (oid, at) ON r.oid = f.confrelid
            WHERE f.conrelid = o.oid AND f.contype = 'f' AND r.oid <> o.oid AND levels[r.at] IS NULL);
        IF found IS NULL THEN
            -- Tables that refer to each other: one of them has to be the first.
            found := ARRAY[array_position(levels, NULL)];
            EXIT WHEN found[1] IS NULL;
        END IF;
        level := level + 1;
        FOR at IN 1 .. cardinality(found) LOOP
            levels[found[at]] := level;
        END LOOP;
    END LOOP;
    RETURN QUERY
    SELECT row_number() OVER (
            ORDER BY CASE WHEN kinds[o.at] = 'embedding table' THEN level ELSE levels[o.at] END, kinds[o.at], keys[o.at] COLLATE "C")::integer,
        kinds[o.at], keys[o.at], relations[o.at]::regclass, columns[o.at], reasons[o.at]
    FROM generate_series(1, cardinality(relations)) AS o (at)
    ORDER BY 1;
END
$$;

-- The tables that an archive leaves out, with the reason of each. What is not here is exported.
CREATE FUNCTION kepler_internal.left_out_of_archives(OUT key text, OUT reason text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
VALUES
    ('kepler.feed', 'a log of this database; what is imported is told to the feed of that one'),
    ('kepler.feed_dropped', 'positions in the feed of this database'),
    ('kepler.history', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.history_transactions', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.history_redactions', 'the trail of this database, which its seals prove here and nowhere else'),
    ('kepler.consumers', 'positions in the feed of this database'),
    ('kepler.workspace_members', 'roles of this server; grant_access gives rights in the other one')
$$;

CREATE FUNCTION kepler.workspace_report(
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT relation regclass, OUT kind text, OUT rows bigint, OUT is_exported boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
BEGIN
    PERFORM kepler_internal.require_administrator(workspace_id);
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        relation := part.relation;
        kind := part.kind;
        is_exported := part.left_out IS NULL;
        RETURN NEXT;
    END LOOP;
END
$$;

-- How a value of a column stands in an archive, as an SQL expression over the row t. What JSON holds whole is JSON; all else is a
-- text, as the type prints itself. Only functions of Postgres and the output functions of types run, no casts of users.
CREATE FUNCTION kepler_internal.archived_value(column_name text, type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
SELECT format(CASE
    WHEN type = ANY ('{bool,int2,int4,int8,float4,float8,numeric,text,varchar,uuid,date,timestamp,timestamptz,jsonb}'::regtype[]::oid[])
        THEN 't.%1$I'
    -- JSON has no bounds of arrays.
    WHEN type = ANY ('{bool[],int2[],int4[],int8[],float4[],float8[],numeric[],text[],varchar[],uuid[],date[],timestamp[],timestamptz[]}'::regtype[]::oid[])
        THEN 'CASE WHEN coalesce(pg_catalog.array_ndims(t.%1$I), 1) OPERATOR(pg_catalog.=) 1 '
            'AND coalesce(pg_catalog.array_lower(t.%1$I, 1), 1) OPERATOR(pg_catalog.=) 1 '
            'THEN pg_catalog.to_json(t.%1$I) ELSE pg_catalog.to_json(t.%1$I::pg_catalog.text) END'
    ELSE 'CASE WHEN pg_catalog.num_nulls(t.%1$I) OPERATOR(pg_catalog.=) 0 THEN pg_catalog.format(''%%s'', t.%1$I) END'
    END, column_name)
$$;

-- The columns of a table that an archive holds: what is generated is generated again, and the workspace stands in the head.
CREATE FUNCTION kepler_internal.archived_columns(
    relation regclass, tenant_column text, OUT name text, OUT type oid, OUT type_name text, OUT kind "char"
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
SELECT a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod), t.typtype
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND a.attname IS DISTINCT FROM tenant_column::name
ORDER BY a.attname::text COLLATE "C"
$$;

-- A query for the rows of a table as lines of an archive, in the order of its key.
CREATE FUNCTION kepler_internal.archive_query(key text, relation regclass, tenant_column text, condition text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
SELECT format(
    'SELECT %L OPERATOR(pg_catalog.||) JSON_OBJECT(%s ABSENT ON NULL RETURNING pg_catalog.text) OPERATOR(pg_catalog.||) ''}''
     FROM %s AS t%s ORDER BY %s',
    format('{"table":%s,"row":', to_json(key)),
    (SELECT string_agg(format('%L : %s', c.name, kepler_internal.archived_value(c.name, c.type)), ', ' ORDER BY c.name COLLATE "C")
     FROM kepler_internal.archived_columns(relation, tenant_column) AS c),
    relation, coalesce(' WHERE ' || condition, ''),
    coalesce((SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.at)
              FROM pg_index AS i
              CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, at)
              JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
              WHERE i.indrelid = relation AND i.indisprimary), 't.ctid'))
$$;

-- What is said of an entry table besides its rows.
CREATE FUNCTION kepler_internal.archived_entry_table(workspace_id text, entry_table_id text, relation regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
SELECT jsonb_build_object(
    'id', e.id, 'record_name', e.record_name, 'version', e.version,
    'created_at', e.created_at, 'updated_at', e.updated_at, 'dropped_at', e.dropped_at,
    'structures', (
        SELECT jsonb_agg(jsonb_build_object('version', s.version, 'structure', s.structure, 'plan', s.plan,
            'created_by', s.created_by, 'created_at', s.created_at, 'updated_at', s.updated_at) ORDER BY s.version)
        FROM kepler.structures AS s WHERE s.workspace_id = e.workspace_id AND s.entry_table_id = e.id),
    'hidden_fields', coalesce((
        SELECT jsonb_agg(jsonb_build_object('field_name', h.field_name, 'column_name', h.column_name, 'version', h.version,
            'hidden_at', h.hidden_at, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY h.column_name COLLATE "C")
        FROM kepler.hidden_fields AS h
        JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = h.column_name AND NOT a.attisdropped
        WHERE h.workspace_id = e.workspace_id AND h.entry_table_id = e.id), '[]'))
FROM kepler.entry_tables AS e WHERE e.workspace_id = $1 AND e.id = $2
$$;

-- Stable, so that all of it is read under the snapshot of the calling statement. The lines go to a tuplestore, which holds as
-- many as work_mem does and writes the others to a temporary file. The settings decide how values are printed.
CREATE FUNCTION kepler.export_workspace(workspace_id text DEFAULT kepler.current_workspace_id()) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    line text;
    rows bigint;
    tables jsonb := '[]';
    lines bigint := 0;
    checksum bigint := 0;
BEGIN
    PERFORM kepler_internal.require_administrator(workspace_id);
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.left_out IS NULL ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        IF rows > 0 THEN
            tables := tables || jsonb_build_object('table', part.key, 'rows', rows, 'columns', (
                SELECT jsonb_agg(c.name ORDER BY c.name COLLATE "C")
                FROM kepler_internal.archived_columns(part.relation, part.tenant_column) AS c));
        END IF;
    END LOOP;
    FOR line IN
        SELECT jsonb_build_object('kepler_archive', 1, 'kepler', kepler.version(), 'postgres', current_setting('server_version'),
            'exported_at', statement_timestamp(), 'tables', tables, 'workspace', jsonb_build_object(
                'id', w.id, 'name', w.name, 'created_at', w.created_at, 'updated_at', w.updated_at,
                'embedding_space', w.embedding_space))::text
        FROM kepler.workspaces AS w WHERE w.id = workspace_id
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('embedding_space', jsonb_build_object('name', s.name, 'model', s.model,
                'dimensions', s.dimensions, 'metric', s.metric, 'status', s.status))::text
            FROM kepler.embedding_spaces AS s
            WHERE s.name = (SELECT w.embedding_space FROM kepler.workspaces AS w WHERE w.id = workspace_id)
                OR EXISTS (SELECT FROM jsonb_array_elements(tables) AS t
                           WHERE t ->> 'table' IN (format('embeddings:%s:memories', s.name), format('embeddings:%s:messages', s.name)))
            ORDER BY s.name COLLATE "C") AS s
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('blueprint', jsonb_build_object('name', b.name,
                'is_own', b.workspace_id IS NOT NULL, 'version', b.version, 'document', v.document::text))::text
            FROM kepler.blueprints AS b
            JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version = b.version
            WHERE b.workspace_id = workspace_id OR b.workspace_id IS NULL AND EXISTS (
                SELECT FROM kepler.blueprint_tables AS t
                JOIN jsonb_array_elements(tables) AS r
                    ON r ->> 'table' = format('blueprint:%I.%I', t.schema_name, t.table_name)
                WHERE t.blueprint_name = b.name)
            ORDER BY b.name COLLATE "C") AS b
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('entry_table',
                kepler_internal.archived_entry_table(workspace_id, substr(r.key, length('entries:') + 1), r.relation))::text
            FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.kind = 'entry table'
            ORDER BY r.key COLLATE "C") AS e
    LOOP
        lines := lines + 1;
        checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
        RETURN NEXT line;
    END LOOP;
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r
        JOIN jsonb_array_elements(tables) AS t ON t ->> 'table' = r.key
        ORDER BY r.position
    LOOP
        FOR line IN EXECUTE kepler_internal.archive_query(part.key, part.relation, part.tenant_column,
            CASE WHEN part.tenant_column IS NOT NULL THEN format('t.%I OPERATOR(pg_catalog.=) $1', part.tenant_column) END)
            USING workspace_id
        LOOP
            lines := lines + 1;
            checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
            RETURN NEXT line;
        END LOOP;
    END LOOP;
    RETURN NEXT format('{"end":{"lines":%s,"checksum":%s}}', lines, checksum);
END
$$;

-- Import. Everything below runs as the owner of Kepler's tables, inside of the call of import_workspace.

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
        IF FOUND AND (definition ->> 'is_own')::boolean THEN
            RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
                MESSAGE = format('blueprint "%s" already exists', definition ->> 'name'),
                DETAIL = 'Its tables are those of one workspace. The names of blueprints are unique in the database.',
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

-- Which tables of a workspace hold rows; NULL where none does. What an archive leaves out does not count.
CREATE FUNCTION kepler_internal.held_by_workspace(workspace_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    is_held boolean;
    held text[] := '{}';
BEGIN
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.left_out IS NULL ORDER BY r.position
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s%s)', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO is_held USING workspace_id;
        IF is_held THEN
            held := held || part.relation::text;
        END IF;
    END LOOP;
    RETURN nullif(array_to_string(held, ', '), '');
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
    base constant regtype := to_regtype(regexp_replace(type, '[(][0-9, -]+[)]', ''));
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

-- Deletion. All of it but the procedure runs as the owner of Kepler's tables.

-- Marks a workspace, which functions refuse to work in then.
CREATE FUNCTION kepler_internal.mark_workspace_deleted(workspace_id text, with_rows boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    deleting_at timestamptz;
    held text;
BEGIN
    -- Waits for whoever has inserted rows that refer to it.
    SELECT w.deleting_at INTO deleting_at FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id);
    ELSIF deleting_at IS NOT NULL THEN
        RETURN;
    ELSIF workspace_id = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'workspace "default" cannot be deleted',
            DETAIL = 'Sessions that set no workspace work in it.';
    END IF;
    held := CASE WHEN NOT with_rows THEN kepler_internal.held_by_workspace(workspace_id) END;
    IF held IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" holds rows', workspace_id),
            DETAIL = format('They are in %s. Nothing was deleted.', held),
            HINT = format('SELECT * FROM kepler.workspace_report(%L); counts them. CALL kepler.delete_workspace(%1$L, with_rows => true); '
                'deletes them too.', workspace_id);
    END IF;
    UPDATE kepler.workspaces AS w SET deleting_at = clock_timestamp() WHERE w.id = workspace_id;
END
$$;

-- Drops an entry table of a workspace that is being deleted, with all that is said of it. Its own kind alone may refer to it: what
-- is somebody else's makes it fail.
CREATE FUNCTION kepler_internal.delete_entry_table(workspace_id text, entry_table_id text, table_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    relation constant regclass := to_regclass(format('kepler_data.%I', table_name));
    reference record;
BEGIN
    IF relation IS NOT NULL THEN
        FOR reference IN
            SELECT f.conrelid::regclass AS relation, f.conname AS name
            FROM pg_constraint AS f
            JOIN pg_class AS c ON c.oid = f.conrelid AND c.relnamespace = to_regnamespace('kepler_data')
            JOIN kepler.entry_tables AS e ON e.workspace_id = workspace_id AND e.table_name = c.relname
            WHERE f.confrelid = relation AND f.contype = 'f' AND f.conrelid <> relation
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.relation, reference.name);
        END LOOP;
        EXECUTE format('DROP TABLE %s', relation);
    END IF;
    DELETE FROM kepler.hidden_fields AS h WHERE h.workspace_id = workspace_id AND h.entry_table_id = entry_table_id;
    DELETE FROM kepler.structures AS s WHERE s.workspace_id = workspace_id AND s.entry_table_id = entry_table_id;
    DELETE FROM kepler.entry_tables AS e WHERE e.workspace_id = workspace_id AND e.id = entry_table_id;
END
$$;

-- Deletes rows of a workspace from a table, those behind a key, in the order of keys. A table without a primary key has no order.
CREATE FUNCTION kepler_internal.delete_rows(
    relation regclass, tenant_column text, workspace_id text, max_rows integer, after text[], OUT met bigint, OUT last text[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    columns text;
    printed text;
    bound text;
BEGIN
    SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.at),
        string_agg(format('pg_catalog.format(''%%s'', t.%I)', a.attname), ', ' ORDER BY k.at),
        string_agg(format('$3[%s]::%s', k.number, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.at)
    INTO columns, printed, bound
    FROM pg_index AS i
    CROSS JOIN LATERAL (
        SELECT n.attnum, n.at, row_number() OVER (ORDER BY n.at) AS number
        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS n (attnum, at)
        JOIN pg_attribute AS c ON c.attrelid = i.indrelid AND c.attnum = n.attnum AND c.attname <> tenant_column
    ) AS k
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = relation AND i.indisprimary;
    EXECUTE format(
        'WITH b AS MATERIALIZED (
             SELECT t.ctid AS place, %s AS key FROM ONLY %s AS t
             WHERE t.%I OPERATOR(pg_catalog.=) $1%s%s LIMIT $2
         ), d AS (
             DELETE FROM ONLY %2$s AS t WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT b.place FROM b)) RETURNING 1
         )
         SELECT n.met, (SELECT b.key FROM b OFFSET greatest(n.met - 1, 0) LIMIT 1)
         FROM (SELECT count(*) FROM b) AS n (met), (SELECT count(*) FROM d) AS e',
        coalesce('ARRAY[' || printed || ']', 'NULL::pg_catalog.text[]'), relation, tenant_column,
        CASE WHEN after IS NOT NULL AND columns IS NOT NULL THEN format(' AND (%s) > (%s)', columns, bound) END,
        ' ORDER BY ' || columns)
    INTO met, last USING workspace_id, max_rows, after;
END
$$;

-- Deletes a part of a workspace: a blueprint, an entry table, or some rows of its tables. place: where to go on, NULL at first;
-- gives NULL when nothing is left. It goes round until a round has met nothing: transactions that were under way may have
-- written behind it.
CREATE FUNCTION kepler_internal.delete_workspace_part(workspace_id text, max_rows integer, place jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    listed record;
    part record;
    left_rows integer := max_rows;
    met bigint;
    last text[];
    redacted bigint;
    after text[] := CASE WHEN place ? 'after' THEN ARRAY(SELECT jsonb_array_elements_text(place -> 'after')) END;
    is_found boolean := coalesce((place ->> 'is_found')::boolean, false);
    is_reached boolean := place -> 'relation' IS NULL;
BEGIN
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id AND w.deleting_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT b.name INTO listed FROM kepler.blueprints AS b WHERE b.workspace_id = workspace_id ORDER BY b.name LIMIT 1;
    IF FOUND THEN
        PERFORM kepler.drop_blueprint(listed.name, '{"with_rows": true}');
        RETURN '{}';
    END IF;
    SELECT e.id, e.table_name INTO listed FROM kepler.entry_tables AS e
    WHERE e.workspace_id = workspace_id ORDER BY e.id LIMIT 1;
    IF FOUND THEN
        PERFORM kepler_internal.delete_entry_table(workspace_id, listed.id, listed.table_name);
        RETURN '{}';
    END IF;
    -- What refers to others first.
    FOR part IN
        SELECT r.kind, p.relid AS relation, r.tenant_column
        FROM kepler_internal.workspace_relations(workspace_id) AS r
        CROSS JOIN LATERAL (
            SELECT r.relation AS relid
            WHERE NOT EXISTS (SELECT FROM pg_partitioned_table AS y WHERE y.partrelid = r.relation)
            UNION ALL
            SELECT t.relid FROM pg_partition_tree(r.relation) AS t WHERE t.isleaf
        ) AS p
        -- The rows of the history stay, without what they tell: its seals are over all workspaces.
        WHERE r.key NOT LIKE 'kepler.history%'
        ORDER BY r.left_out IS NOT NULL, r.position DESC, p.relid::oid
    LOOP
        is_reached := is_reached OR part.relation::text = place ->> 'relation';
        CONTINUE WHEN NOT is_reached;
        LOOP
            BEGIN
                SELECT d.met, d.last INTO met, last
                FROM kepler_internal.delete_rows(part.relation, part.tenant_column, workspace_id, left_rows, after) AS d;
            EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
                IF part.kind <> 'blueprint table' THEN
                    RAISE;
                END IF;
                PERFORM kepler_internal.delete_circles(workspace_id);
                is_found := true;
                met := 0;
            END;
            is_found := is_found OR met > 0;
            EXIT WHEN met < left_rows;
            RETURN jsonb_build_object('relation', part.relation::text, 'is_found', true)
                || CASE WHEN last IS NULL THEN '{}' ELSE jsonb_build_object('after', to_jsonb(last)) END;
        END LOOP;
        left_rows := left_rows - met;
        after := NULL;
    END LOOP;
    IF is_found OR NOT is_reached THEN
        RETURN '{}';
    END IF;
    IF to_regprocedure('kepler_internal.redact_history(text,text,text,text[],text,integer)') IS NOT NULL THEN
        EXECUTE 'SELECT kepler_internal.redact_history($1, $2, max_rows => $3)'
            INTO redacted USING workspace_id, 'the workspace was deleted', max_rows;
        IF redacted > 0 THEN
            RETURN '{}';
        END IF;
    END IF;
    BEGIN
        DELETE FROM kepler.workspaces AS w WHERE w.id = workspace_id;
    EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
        -- Rows that were written behind this round; or what refers to it is nobody that is known here.
        IF place ? 'is_last' THEN
            RAISE;
        END IF;
        RETURN '{"is_last": true}';
    END;
    RETURN NULL;
END
$$;

-- Deletes the rows of a workspace from the tables of all blueprints in one statement: they refer to each other in a circle, or to
-- rows of their own table.
CREATE FUNCTION kepler_internal.delete_circles(workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    statement text;
BEGIN
    SELECT format('WITH %s SELECT', string_agg(format('d%s AS (DELETE FROM %s AS t WHERE t.%I OPERATOR(pg_catalog.=) $1)',
        r.position, r.relation, r.tenant_column), ', '))
    INTO statement
    FROM kepler_internal.workspace_relations(workspace_id) AS r
    WHERE r.kind = 'blueprint table' AND r.tenant_column IS NOT NULL;
    EXECUTE statement USING workspace_id;
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.delete_workspace(workspace_id text, with_rows boolean DEFAULT false, max_rows integer DEFAULT 10000)
LANGUAGE plpgsql
AS $$
DECLARE
    place text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.delete_workspace');
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM kepler_internal.begin_workspace_deletion($1, $2, $3);
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        place := kepler_internal.delete_workspace_step($1, $3, place);
        EXIT WHEN place IS NULL;
    END LOOP;
END
$$;

-- People.

-- The rows about a person in kepler.users, as foreign keys say: those that refer to the person, and what belongs to such rows.
-- condition: over the row t; $1 is the workspace, $2 the person. action: what erase_user does, which is what the foreign key says
-- for the deletion of a user: deleted (CASCADE), anonymised (SET NULL), or kept (belongs to a row that is anonymised).
CREATE FUNCTION kepler_internal.user_relations(
    workspace_id text, OUT "position" integer, OUT key text, OUT relation regclass, OUT tenant_column text, OUT condition text,
    OUT action text
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
WITH RECURSIVE r AS MATERIALIZED (
    SELECT w.* FROM kepler_internal.workspace_relations($1) AS w WHERE w.left_out IS NULL
), links AS MATERIALIZED (
    SELECT f.conrelid AS child, f.confrelid AS parent, f.confdeltype = 'c' AS is_tied, f.confdeltype = 'n' AS is_emptied, p.own, p.others
    FROM pg_constraint AS f
    CROSS JOIN LATERAL (
        SELECT string_agg(format('@.%I', a.attname), ', ' ORDER BY k.at) AS own,
            string_agg(format('#.%I', b.attname), ', ' ORDER BY k.at) AS others
        FROM unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (own, other, at)
        JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.own
        JOIN pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.other
    ) AS p
    WHERE f.contype = 'f' AND f.conrelid <> f.confrelid
    UNION ALL
    -- Without foreign keys, for the sake of speed; triggers delete them.
    SELECT r.relation, m.parent, true, false, format('@.workspace_id, @.%I', m.own), '#.workspace_id, #.id'
    FROM r
    JOIN (VALUES
        ('kepler.memory_access', 'kepler.memories'::regclass, 'memory_id'), ('embeddings:%:memories', 'kepler.memories', 'memory_id'),
        ('embeddings:%:messages', 'kepler.messages', 'message_id')
    ) AS m (like_key, parent, own) ON r.key LIKE m.like_key
), rows AS (
    SELECT 'kepler.users'::regclass::oid AS relation, '@.workspace_id = $1 AND @.id = $2' AS condition, 'deleted' AS action, 0 AS depth
    UNION ALL
    SELECT l.child,
        format('(%s) IN (SELECT %s FROM %s AS p%s WHERE %s)', l.own, replace(l.others, '#', 'p' || p.depth),
            p.relation::regclass, p.depth, replace(p.condition, '@', 'p' || p.depth)) COLLATE "default",
        CASE WHEN l.is_tied THEN p.action WHEN p.depth = 0 AND l.is_emptied THEN 'anonymised' ELSE 'kept' END, p.depth + 1
    FROM rows AS p
    JOIN links AS l ON l.parent = p.relation
    -- What was synced through a connection of a person's is the workspace's; how to get at it is the person's.
    WHERE p.depth < 4 AND (p.depth = 0 OR l.is_tied)
        AND (p.relation <> 'kepler.connections'::regclass OR l.child = 'kepler.credentials'::regclass)
)
SELECT row_number() OVER (ORDER BY rows.depth, r.position, rows.condition)::integer, r.key, r.relation, r.tenant_column,
    replace(rows.condition, '@', 't'),
    CASE WHEN r.key = 'kepler.credentials' THEN 'deleted' WHEN rows.action = 'anonymised' AND rows.depth > 1 THEN 'kept' ELSE rows.action END
FROM rows
JOIN r ON r.relation = rows.relation
$$;

-- Like export_workspace: under one snapshot, and into a tuplestore.
CREATE FUNCTION kepler.export_user(user_id text, workspace_id text DEFAULT kepler.current_workspace_id()) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET lc_monetary = 'C'
SET quote_all_identifiers = off
AS $$
#variable_conflict use_variable
DECLARE
    part record;
    line text;
    lines bigint := 1;
    checksum bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_workspace(workspace_id);
    PERFORM kepler_internal.require_name('user_id', user_id);
    PERFORM kepler_internal.require_user(user_id, workspace_id);
    line := jsonb_build_object('kepler_archive', 1, 'kepler', kepler.version(), 'postgres', current_setting('server_version'),
        'exported_at', statement_timestamp(), 'user', jsonb_build_object('id', user_id, 'workspace_id', workspace_id))::text;
    checksum := kepler_internal.line_checksum(line);
    RETURN NEXT line;
    FOR part IN
        SELECT u.key, u.relation, u.tenant_column, min(u.position) AS first,
            string_agg(format('SELECT t.ctid FROM %s AS t WHERE %s', u.relation, u.condition), ' UNION ALL ' ORDER BY u.position) AS rows
        FROM kepler_internal.user_relations(workspace_id) AS u
        GROUP BY u.key, u.relation, u.tenant_column ORDER BY first
    LOOP
        FOR line IN EXECUTE kepler_internal.archive_query(part.key, part.relation, part.tenant_column,
            format('t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(%s))', part.rows)) USING workspace_id, user_id
        LOOP
            lines := lines + 1;
            checksum := (checksum + kepler_internal.line_checksum(line)) & 281474976710655;
            RETURN NEXT line;
        END LOOP;
    END LOOP;
    RETURN NEXT format('{"end":{"lines":%s,"checksum":%s}}', lines, checksum);
END
$$;

CREATE FUNCTION kepler.erase_user(
    user_id text, workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT relation regclass, OUT outcome text, OUT rows bigint
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    part record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_workspace(workspace_id);
    PERFORM kepler_internal.require_name('user_id', user_id);
    -- Nobody adds a row about the person from now on.
    PERFORM FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id FOR UPDATE;
    IF NOT FOUND THEN
        relation := 'kepler.users';
        outcome := 'not_found';
        rows := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    FOR part IN
        SELECT u.relation, u.action,
            format('t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(%s))', string_agg(
                format('SELECT t.ctid FROM %s AS t WHERE %s', u.relation, u.condition), ' UNION ALL ' ORDER BY u.position)) AS condition,
            min(u.position) AS first
        FROM kepler_internal.user_relations(workspace_id) AS u WHERE u.action <> 'kept'
        GROUP BY u.relation, u.action ORDER BY first
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE %s', part.relation, part.condition
            -- What goes is not anonymised as well.
            || CASE WHEN part.action = 'anonymised' THEN coalesce((
                SELECT ' AND ' || string_agg(format('NOT t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM %s AS t WHERE %s))',
                    u.relation, u.condition), ' AND ')
                FROM kepler_internal.user_relations(workspace_id) AS u
                WHERE u.relation = part.relation AND u.action = 'deleted'), '') ELSE '' END)
            INTO rows USING workspace_id, user_id;
        IF rows > 0 THEN
            relation := part.relation;
            outcome := part.action;
            RETURN NEXT;
        END IF;
    END LOOP;
    -- In the conversations of others a message keeps its place, without what the person wrote.
    UPDATE kepler.messages AS m
    SET content = '[erased]', metadata = '{}', external_id = NULL, token_count = NULL, user_id = NULL
    FROM kepler.conversations AS c
    WHERE m.workspace_id = workspace_id AND m.user_id = user_id
        AND c.workspace_id = m.workspace_id AND c.id = m.conversation_id AND c.user_id IS DISTINCT FROM user_id;
    -- Nobody goes on with the person's access to another system.
    DELETE FROM kepler.credentials AS r USING kepler.connections AS c
    WHERE c.workspace_id = workspace_id AND c.user_id = user_id
        AND r.workspace_id = c.workspace_id AND r.connection_id = c.id;
    UPDATE kepler.connections AS c SET status = 'INACTIVE', secret_ref = NULL, subscription_id = NULL, metadata = '{}'
    WHERE c.workspace_id = workspace_id AND c.user_id = user_id;
    UPDATE kepler.executions AS e SET metadata = '{}'
    WHERE e.workspace_id = workspace_id AND e.user_id = user_id AND e.metadata <> '{}';
    -- Foreign keys do the rest.
    DELETE FROM kepler.users AS u WHERE u.workspace_id = workspace_id AND u.id = user_id;
END
$$;
