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
-- A hash of a catalog that is thought to be large is divided into hundreds of files.
SET enable_hashjoin = off
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
    is_distributed constant boolean := kepler_internal.is_distributed();
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
            -- Shards of these, and what has no rows.
            AND NOT (is_distributed AND (c.relname IN ('parts', 'two_phase') OR c.relname ~ '_[0-9]+$'))
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
    ('kepler.maintenance', 'what was done here, and when'),
    ('kepler.retention_policies', 'they name tables of this database; set_retention is called anew'),
    ('kepler.tracked_tables', 'what is tracked is decided in each database; track is called anew'),
    ('kepler.workspace_members', 'roles of this server; grant_access gives rights in the other one')
$$;

-- Fails where a table was rewritten, emptied or dropped after the snapshot of the calling statement: the snapshot then sees none
-- of its rows. Called behind the first read, which holds the table as it is. The snapshot has the row of the catalog as it was,
-- pg_relation_filenode looks at what is in force.
CREATE FUNCTION kepler_internal.require_unrewritten(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    changed text;
BEGIN
    SELECT c.oid::regclass::text INTO changed
    FROM (SELECT relation::oid UNION SELECT t.relid::oid FROM pg_partition_tree(relation) AS t) AS r (oid)
    JOIN pg_class AS c ON c.oid = r.oid AND c.relkind = 'r'
    WHERE nullif(c.relfilenode, 0) IS DISTINCT FROM pg_relation_filenode(c.oid)
    LIMIT 1;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
            MESSAGE = format('table %s was rewritten or emptied meanwhile', changed),
            DETAIL = 'The statement began before that, and would see none of its rows.',
            HINT = 'Repeat the statement, in a new transaction.';
    END IF;
END
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
        PERFORM kepler_internal.require_unrewritten(part.relation);
        relation := part.relation;
        kind := part.kind;
        is_exported := part.left_out IS NULL;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Which tables of a workspace hold rows; NULL where none does. What an archive leaves out does not count. in_part: as of
-- delete_workspace_rows.
CREATE FUNCTION kepler_internal.held_in_tables(workspace_id text, in_part boolean) RETURNS text
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
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r
        WHERE r.left_out IS NULL
            AND (in_part IS NULL OR coalesce(kepler_internal.lies_now(r.relation) = 'by workspace', false) = in_part)
        ORDER BY r.position
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s%s)', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO is_held USING workspace_id;
        PERFORM kepler_internal.require_unrewritten(part.relation);
        IF is_held THEN
            held := held || part.relation::text;
        END IF;
    END LOOP;
    RETURN nullif(array_to_string(held, ', '), '');
END
$$;

-- The same of all tables, wherever they lie.
CREATE FUNCTION kepler_internal.held_by_workspace(workspace_id text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held text[];
BEGIN
    IF NOT kepler_internal.is_distributed() THEN
        RETURN kepler_internal.held_in_tables(workspace_id, NULL);
    END IF;
    held := string_to_array(kepler_internal.held_by_workspace_of_part(workspace_id), ', ')
        || string_to_array(kepler_internal.held_in_tables(workspace_id, false), ', ');
    RETURN (
        SELECT string_agg(r.relation::text, ', ' ORDER BY r.position) FROM kepler_internal.workspace_relations(workspace_id) AS r
        WHERE r.relation::text = ANY (held));
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
    -- A trigger makes the words anew.
    AND NOT (a.attname = 'text_search' AND a.attrelid IN ('kepler.memories'::regclass, 'kepler.messages'::regclass))
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
    IF EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = workspace_id AND w.deleting_at IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" is being deleted', workspace_id),
            DETAIL = 'A part of it may be gone.',
            HINT = format('CALL kepler.delete_workspace(%L); goes on where it was interrupted.', workspace_id);
    END IF;
    FOR part IN
        SELECT r.* FROM kepler_internal.workspace_relations(workspace_id) AS r WHERE r.left_out IS NULL ORDER BY r.position
    LOOP
        EXECUTE format('SELECT count(*) FROM %s%s', part.relation,
                CASE WHEN part.tenant_column IS NOT NULL THEN format(' WHERE %I = $1', part.tenant_column) END)
            INTO rows USING workspace_id;
        PERFORM kepler_internal.require_unrewritten(part.relation);
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
                'embedding_space', w.embedding_space, 'language', w.language, 'other_languages', w.other_languages,
                'former_languages', w.former_languages))::text
        FROM kepler.workspaces AS w WHERE w.id = workspace_id
        UNION ALL
        SELECT * FROM (
            SELECT jsonb_build_object('embedding_space', jsonb_build_object('name', s.name, 'model', s.model,
                'dimensions', s.dimensions, 'metric', s.metric, 'status', s.status, 'search_width', s.search_width))::text
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
