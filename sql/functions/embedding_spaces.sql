-- Embedding spaces: two typed tables each, outside of the memories and messages.

CREATE FUNCTION kepler_internal.forget_deleted_memories() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    space_table regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM old_memories) THEN RETURN NULL; END IF;
    DELETE FROM kepler.memory_access AS a USING old_memories AS o
    WHERE a.workspace_id = o.workspace_id AND a.memory_id = o.id;
    FOR space_table IN
        SELECT to_regclass(format('kepler_data.%I', s.memory_table_name)) FROM kepler.embedding_spaces AS s
    LOOP
        IF space_table IS NULL THEN CONTINUE; END IF;
        EXECUTE format(
            'DELETE FROM %s AS e USING old_memories AS o
             WHERE e.workspace_id = o.workspace_id AND e.memory_id = o.id', space_table);
    END LOOP;
    -- What was superseded by them is so by their successors, or by nothing that is left.
    UPDATE kepler.memories AS m SET superseded_by = c.successor
    FROM (
        SELECT s.* FROM (
            SELECT array_agg(o.workspace_id) AS workspaces, array_agg(o.id) AS ids,
                array_agg(o.superseded_by) AS successors
            FROM old_memories AS o) AS o
        CROSS JOIN LATERAL kepler_internal.successors(o.workspaces, o.ids, o.successors) AS s
        OFFSET 0
    ) AS c
    WHERE m.workspace_id = c.workspace_id AND m.superseded_by = c.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.move_embeddings() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    space_table regclass;
BEGIN
    FOR space_table IN
        SELECT to_regclass(format('kepler_data.%I', s.memory_table_name)) FROM kepler.embedding_spaces AS s
    LOOP
        IF space_table IS NULL THEN CONTINUE; END IF;
        EXECUTE format(
            'UPDATE %s AS e SET user_id = $3, context_type = $4
             WHERE e.workspace_id = $1 AND e.memory_id = $2', space_table)
        USING NEW.workspace_id, NEW.id, NEW.user_id, NEW.context_type;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE FUNCTION kepler_internal.refuse_memory_rename() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('the id of memory "%s" cannot change', OLD.id),
        DETAIL = 'Its embeddings, its accesses, and the memories that it superseded refer to its id.',
        HINT = 'Remember the content again, then forget this memory.';
END
$$;

CREATE FUNCTION kepler_internal.forget_deleted_messages() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    space_table regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM old_messages) THEN RETURN NULL; END IF;
    FOR space_table IN
        SELECT to_regclass(format('kepler_data.%I', s.message_table_name)) FROM kepler.embedding_spaces AS s
    LOOP
        IF space_table IS NULL THEN CONTINUE; END IF;
        EXECUTE format(
            'DELETE FROM %s AS e USING old_messages AS o
             WHERE e.workspace_id = o.workspace_id AND e.message_id = o.id', space_table);
    END LOOP;
    RETURN NULL;
END
$$;

-- The table of a space for the embeddings of one of Kepler's tables.
CREATE FUNCTION kepler_internal.create_embedding_table(
    name text, key_column text, of_table regclass, dimensions integer, metric text, description text
) RETURNS regclass
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    vector_schema text;
    key_type text;
    relation regclass;
BEGIN
    SELECT n.nspname INTO STRICT vector_schema
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
    SELECT format_type(a.atttypid, a.atttypmod) INTO STRICT key_type
    FROM pg_attribute AS a WHERE a.attrelid = of_table AND a.attname = 'id';

    EXECUTE format(
        'CREATE TABLE kepler_data.%I (
            workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
            %I %s NOT NULL,
            embedding %I.vector(%s) NOT NULL,
            PRIMARY KEY (workspace_id, %2$I))', name, key_column, key_type, vector_schema, dimensions);
    relation := format('kepler_data.%I', name)::regclass;
    -- A row of that size fits into a page whatever the ids are, and an exact search that need not
    -- detoast takes a quarter of the time.
    IF dimensions <= 1900 THEN
        EXECUTE format('ALTER TABLE %s ALTER embedding SET STORAGE PLAIN', relation);
    END IF;
    IF metric = 'cosine' THEN
        EXECUTE format(
            'ALTER TABLE %s ADD CONSTRAINT has_direction CHECK (%I.vector_norm(embedding) > 0)',
            relation, vector_schema);
    END IF;
    EXECUTE format(
        'CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON %s
            FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
            EXECUTE FUNCTION kepler_internal.refuse_workspace_change()', relation);
    -- An embedding says what a text is about. A search reads as the owner, with the workspace bound, and keeps its index.
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    EXECUTE format('CREATE POLICY workspace ON %s USING (workspace_id = kepler.current_workspace_id())', relation);
    EXECUTE format('COMMENT ON TABLE %s IS %L', relation, description);
    RETURN relation;
END
$$;

-- Lists a space. Its tables are made by whoever calls this, as the owner of Kepler's tables.
CREATE FUNCTION kepler_internal.list_embedding_space(name text, dimensions integer, model text, metric text)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    memory_table_name constant text := name || '_embeddings';
    message_table_name constant text := name || '_message_embeddings';
    taken text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', name);
    PERFORM kepler_internal.require_name('model', model);
    IF name !~ '^[a-z][a-z0-9_]{0,43}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" cannot be the name of an embedding space', name),
            HINT = 'A name begins with a letter, and has up to 44 characters a to z, 0 to 9 and _.';
    ELSIF dimensions IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'argument "dimensions" must not be NULL';
    ELSIF dimensions NOT BETWEEN 1 AND 16000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "dimensions" must be between 1 and 16000, not %s', dimensions);
    ELSIF metric IS NULL OR metric NOT IN ('cosine', 'inner_product', 'l2') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "metric" must be one of cosine, inner_product, l2, not "%s"', metric);
    ELSIF EXISTS (SELECT FROM kepler.embedding_spaces AS s WHERE s.name = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('embedding space "%s" already exists', name);
    END IF;
    SELECT t.name INTO taken FROM unnest(ARRAY[memory_table_name, message_table_name]) AS t (name)
    WHERE to_regclass(format('kepler_data.%I', t.name)) IS NOT NULL LIMIT 1;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table',
            MESSAGE = format('embedding space "%s" needs the table kepler_data.%s, which already exists', name, taken),
            HINT = 'Choose another name for the space.';
    END IF;
    -- Who may not list a space may not have its tables made.
    INSERT INTO kepler.embedding_spaces (name, model, dimensions, metric, memory_table_name, message_table_name)
    VALUES (name, model, dimensions, metric::kepler.embedding_metric, memory_table_name, message_table_name);
END
$$;

-- The tables of a space, as far as they are missing. Run as the owner of Kepler's tables.
CREATE FUNCTION kepler_internal.create_embedding_tables(space text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    listed record;
    relation regclass;
    table_name constant text := space || '_embeddings';
    message_table_name constant text := space || '_message_embeddings';
BEGIN
    SELECT s.name, s.dimensions, s.metric::text AS metric, s.model INTO listed
    FROM kepler.embedding_spaces AS s WHERE s.name = space;
    IF NOT FOUND THEN RETURN; END IF;
    IF to_regclass(format('kepler_data.%I', table_name)) IS NULL THEN
        relation := kepler_internal.create_embedding_table(
            table_name, 'memory_id', 'kepler.memories', listed.dimensions, listed.metric,
            format('Embeddings of kepler.memories in the space %s, made by %s', listed.name, listed.model));
        -- Whose they are, and by that the scope of a search.
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN user_id text, ADD COLUMN context_type text NOT NULL', relation);
        EXECUTE format('CREATE INDEX ON %s (workspace_id, user_id, context_type)', relation);
        EXECUTE format(
            'CREATE TRIGGER complete BEFORE INSERT ON %s
                FOR EACH ROW WHEN (NEW.context_type IS NULL)
                EXECUTE FUNCTION kepler_internal.complete_embedding()', relation);
        PERFORM kepler_internal.distribute_table(relation);
    END IF;
    IF to_regclass(format('kepler_data.%I', message_table_name)) IS NULL THEN
        relation := kepler_internal.create_embedding_table(
            message_table_name, 'message_id', 'kepler.messages', listed.dimensions, listed.metric,
            format('Embeddings of kepler.messages in the space %s, made by %s', listed.name, listed.model));
        PERFORM kepler_internal.distribute_table(relation);
    END IF;
END
$$;

-- A table of a space, by its name. Whoever may list spaces may name any relation, and administrators look at it as the
-- owner of Kepler's tables: what somebody else owns, or is a view, is none.
CREATE FUNCTION kepler_internal.embedding_table(table_name text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relname::text = $1 AND c.relkind IN ('r', 'p')
        AND c.relowner = (SELECT o.relowner FROM pg_class AS o WHERE o.oid = to_regclass('kepler.embedding_spaces'))
$$;

-- What a function needs of a space that must be there; and its table too, unless it is to be done away with.
CREATE FUNCTION kepler_internal.require_space(
    space text, with_table boolean, OUT relation regclass, OUT message_relation regclass,
    OUT status kepler.embedding_space_status
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    SELECT kepler_internal.embedding_table(s.memory_table_name), kepler_internal.embedding_table(s.message_table_name), s.status
    INTO relation, message_relation, status
    FROM kepler.embedding_spaces AS s WHERE s.name = space;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('embedding space "%s" does not exist', space),
            DETAIL = coalesce(
                (SELECT format('The existing spaces are: %s.', string_agg(s.name, ', ' ORDER BY s.name))
                 FROM kepler.embedding_spaces AS s HAVING count(*) > 0),
                'No embedding space exists yet.'),
            HINT = 'SELECT kepler.create_embedding_space(''…'', dimensions => …, model => ''…'');';
    ELSIF with_table AND (relation IS NULL OR message_relation IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the table of embedding space "%s" does not exist', space),
            HINT = format('Restore it, or activate another space, then: SELECT kepler.retire_embedding_space(%L); '
                'SELECT kepler.drop_embedding_space(%1$L);', space);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.retire_embedding_space(space text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found record;
    oldest text;
    users text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    found := kepler_internal.require_space(space, false);
    SELECT s.name INTO oldest FROM kepler.embedding_spaces AS s
    WHERE s.status = 'ACTIVE' ORDER BY s.created_at, s.name LIMIT 1;
    -- Those who have activated none search the oldest.
    IF kepler_internal.is_distributed() THEN
        users := ARRAY(
            SELECT DISTINCT u.id FROM kepler_internal.part_keys() AS k (key)
            CROSS JOIN LATERAL unnest(kepler_internal.workspaces_that_search_of_part($1, coalesce(oldest = $1, false), k.key)) AS u (id)
            ORDER BY u.id LIMIT 5);
    ELSE
        users := kepler_internal.workspaces_that_search($1, coalesce(oldest = $1, false));
    END IF;
    IF users <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('embedding space "%s" is in use', space),
            DETAIL = format('Workspaces that search it: %s.', array_to_string(users, ', ')),
            HINT = 'SELECT kepler.activate_embedding_space(''…'', workspace_id => ''…''); in each of them.';
    END IF;
    UPDATE kepler.embedding_spaces AS s SET status = 'RETIRED' WHERE s.name = $1 AND s.status <> 'RETIRED';
END
$$;

-- How many candidates the searches of a space take from an index. NULL: the default.
CREATE FUNCTION kepler.set_search_width(space text, candidates integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    IF candidates NOT BETWEEN 10 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "candidates" must be between 10 and 1000, not %s', candidates),
            HINT = 'NULL stands for the default.';
    END IF;
    PERFORM kepler_internal.require_space(space, false);
    UPDATE kepler.embedding_spaces AS s SET search_width = candidates
    WHERE s.name = space AND s.search_width IS DISTINCT FROM candidates;
END
$$;

-- Fails unless a space may be dropped.
CREATE FUNCTION kepler_internal.require_retired_space(space text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    found := kepler_internal.require_space(space, false);
    IF found.status <> 'RETIRED' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('embedding space "%s" is not retired', space),
            HINT = format('SELECT kepler.retire_embedding_space(%L);', space);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.require_max_rows(max_rows integer, most integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF max_rows IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'argument "max_rows" must not be NULL';
    ELSIF max_rows NOT BETWEEN 1 AND most THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be between 1 and %s, not %s', most, max_rows);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.require_roles(roles text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    legal constant text[] := enum_range(NULL::kepler.message_role)::text[];
    given text;
BEGIN
    FOREACH given IN ARRAY coalesce(roles, '{}') LOOP
        IF given IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'argument "roles" must not be NULL';
        ELSIF given <> ALL (legal) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('argument "roles" must be one of %s, not "%s"', array_to_string(legal, ', '), given);
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION kepler.pending_memory_embeddings(
    space text,
    max_rows integer DEFAULT 100,
    after_id text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    memory_id text, content text, format kepler.memory_format, context_type text, content_hash text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_max_rows(max_rows, 10000);
    found := kepler_internal.require_space(space, true);
    -- In the order of the primary keys, one by one from where the last call ended.
    RETURN QUERY EXECUTE format(
        'SELECT m.id, m.content, m.format, m.context_type,
             encode(sha256(convert_to(m.content, ''UTF8'')), ''hex'')
         FROM kepler.memories AS m
         WHERE m.workspace_id = $1 AND ($2 IS NULL OR m.id > $2)
             AND (m.expires_at IS NULL OR m.expires_at > now())
             AND NOT EXISTS (SELECT FROM %s AS e WHERE e.workspace_id = $1 AND e.memory_id = m.id)
         ORDER BY m.id LIMIT $3', found.relation)
    USING $4, after_id, max_rows;
END
$$;

CREATE FUNCTION kepler.pending_message_embeddings(
    space text,
    max_rows integer DEFAULT 100,
    after_id bigint DEFAULT NULL,
    roles text[] DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    message_id bigint, conversation_id text, number integer, role kepler.message_role, content text,
    content_hash text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_max_rows(max_rows, 10000);
    PERFORM kepler_internal.require_roles(roles);
    found := kepler_internal.require_space(space, true);
    -- As pending_memory_embeddings. Nothing but blanks has no meaning, and models refuse it.
    RETURN QUERY EXECUTE format(
        'SELECT m.id, m.conversation_id, m.number, m.role, m.content,
             encode(sha256(convert_to(m.content, ''UTF8'')), ''hex'')
         FROM kepler.messages AS m
         WHERE m.workspace_id = $1 AND ($2 IS NULL OR m.id > $2)
             AND ($4 IS NULL OR m.role = ANY ($4::kepler.message_role[])) AND m.content ~ ''[^[:space:]]''
             AND NOT EXISTS (SELECT FROM %s AS e WHERE e.workspace_id = $1 AND e.message_id = m.id)
         ORDER BY m.id LIMIT $3', found.message_relation)
    USING $5, after_id, max_rows, roles;
END
$$;

CREATE FUNCTION kepler_internal.activate_embedding_space(space text, workspace_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found record;
    present text;
    pending bigint;
    pending_messages bigint := 0;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('space', space);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    found := kepler_internal.require_space(space, true);
    IF found.status <> 'ACTIVE' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('embedding space "%s" is retired', space);
    END IF;
    EXECUTE format(
        'SELECT count(*) FROM kepler.memories AS m
         WHERE m.workspace_id = $1 AND (m.expires_at IS NULL OR m.expires_at > now())
             AND NOT EXISTS (SELECT FROM %s AS e WHERE e.workspace_id = $1 AND e.memory_id = m.id)',
        found.relation)
    INTO pending USING $2;
    -- Messages need no embeddings. But a message that is found by meaning now must still be found by meaning.
    SELECT s.message_table_name INTO present FROM kepler.embedding_spaces AS s
    WHERE s.name = coalesce(
        (SELECT w.embedding_space FROM kepler.workspaces AS w WHERE w.id = $2),
        (SELECT f.name FROM kepler.embedding_spaces AS f WHERE f.status = 'ACTIVE'
         ORDER BY f.created_at, f.name LIMIT 1));
    IF kepler_internal.embedding_table(present) IS NOT NULL THEN
        EXECUTE format(
            'SELECT count(*) FROM kepler_data.%I AS p
             WHERE p.workspace_id = $1
                 AND NOT EXISTS (SELECT FROM %s AS e WHERE e.workspace_id = $1 AND e.message_id = p.message_id)',
            present, found.message_relation)
        INTO pending_messages USING $2;
    END IF;
    IF pending + pending_messages > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('workspace "%s" cannot search embedding space "%s" yet', workspace_id, space),
            DETAIL = concat_ws(E'\n',
                CASE WHEN pending > 0 THEN
                    format('Memories without an embedding in this space: %s.', pending) END,
                CASE WHEN pending_messages > 0 THEN
                    format('Messages with an embedding in the current space only: %s.', pending_messages) END),
            HINT = concat_ws(E'\n',
                CASE WHEN pending > 0 THEN
                    format('SELECT * FROM kepler.pending_memory_embeddings(%L); then kepler.set_memory_embeddings.', space) END,
                CASE WHEN pending_messages > 0 THEN
                    format('SELECT * FROM kepler.pending_message_embeddings(%L); then kepler.set_message_embeddings.', space) END);
    END IF;
    UPDATE kepler.workspaces AS w SET embedding_space = $1
    WHERE w.id = $2 AND w.embedding_space IS DISTINCT FROM $1;
    IF NOT EXISTS (SELECT FROM kepler.workspaces AS w WHERE w.id = $2) THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
            MESSAGE = format('workspace "%s" does not exist', workspace_id);
    END IF;
END
$$;
