-- Conversations. Who adds messages holds the row of the conversation to the end of the transaction, so
-- numbers are in the order of commits, without gaps, and a second adder waits for the first.

CREATE FUNCTION kepler.estimate_tokens(content text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT (pg_catalog.octet_length($1) OPERATOR(pg_catalog.+) 3) OPERATOR(pg_catalog./) 4
$$;

CREATE FUNCTION kepler._require_conversation(conversation_id text, workspace_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM kepler.conversations AS c WHERE c.workspace_id = $2 AND c.id = $1) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('conversation "%s" does not exist in workspace "%s"', $1, $2),
            HINT = format('INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES (%L, %L, …);', $2, $1);
    END IF;
END
$$;

CREATE FUNCTION kepler._number_message() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM kepler.conversations AS c
    WHERE c.workspace_id = NEW.workspace_id AND c.id = NEW.conversation_id
    FOR NO KEY UPDATE;
    -- A statement of its own: it sees what was committed while the lock was awaited.
    UPDATE kepler.conversations AS c
    SET last_number = 1 + greatest(c.last_number, (
            SELECT max(m.number) FROM kepler.messages AS m
            WHERE m.workspace_id = NEW.workspace_id AND m.conversation_id = NEW.conversation_id)),
        last_message_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE c.workspace_id = NEW.workspace_id AND c.id = NEW.conversation_id
    RETURNING c.last_number INTO NEW.number;
    -- Without a conversation the foreign key, or NOT NULL, says so.
    NEW.number := coalesce(NEW.number, 1);
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler._refuse_message_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('message %s of conversation "%s" keeps its place', OLD.number, OLD.conversation_id),
        DETAIL = 'Its id, its conversation and its number never change.',
        HINT = 'Add it anew, and delete it here.';
END
$$;

-- What is wrong with each element of a batch, and what the others say.
CREATE FUNCTION kepler._messages_of(messages jsonb, workspace_id text)
RETURNS TABLE (
    ordinal integer, role kepler.message_role, content text, user_id text, token_count integer,
    external_id text, metadata jsonb, sent_at timestamptz, problem_code text, problem text
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH given AS (
        SELECT g.at::integer AS ordinal, g.message, jsonb_typeof(g.message) = 'object' AS is_object,
            CASE WHEN jsonb_typeof(g.message) = 'object' THEN jsonb_strip_nulls(g.message - 'metadata')
                || CASE WHEN jsonb_typeof(g.message -> 'metadata') <> 'null'
                    THEN jsonb_build_object('metadata', g.message -> 'metadata') ELSE '{}' END
                ELSE '{}' END AS o
        FROM jsonb_array_elements($1) WITH ORDINALITY AS g (message, at)
    ), problems AS (
        SELECT g.ordinal, 0 AS place, 'not_an_object' AS code, 'must be an object' AS problem
        FROM given AS g WHERE NOT g.is_object
        UNION ALL
        SELECT g.ordinal, 1, 'unknown_field', format('/%s: is not a field of a message: role, content, user_id, '
            'token_count, external_id, metadata, sent_at are', replace(replace(k.field, '~', '~0'), '/', '~1'))
        FROM given AS g, jsonb_object_keys(g.o) AS k (field)
        WHERE k.field NOT IN ('role', 'content', 'user_id', 'token_count', 'external_id', 'metadata', 'sent_at')
        UNION ALL
        SELECT g.ordinal, p.place, p.code, p.problem
        FROM given AS g, LATERAL (VALUES
            (2, 'invalid_role', '/role: must be one of system, user, assistant, tool',
                jsonb_typeof(g.o -> 'role') IS DISTINCT FROM 'string'
                OR g.o ->> 'role' NOT IN ('system', 'user', 'assistant', 'tool')),
            (3, 'invalid_content', '/content: must be a text (it may be empty)',
                jsonb_typeof(g.o -> 'content') IS DISTINCT FROM 'string'),
            (4, 'invalid_user_id', '/user_id: must be a text',
                jsonb_typeof(g.o -> 'user_id') <> 'string'),
            (5, 'unknown_user', format('/user_id: user "%s" does not exist in workspace "%s"', g.o ->> 'user_id', $2),
                jsonb_typeof(g.o -> 'user_id') = 'string' AND NOT EXISTS (
                    SELECT FROM kepler.users AS u WHERE u.workspace_id = $2 AND u.id = g.o ->> 'user_id')),
            (6, 'invalid_token_count', '/token_count: must be an integer from 0 to 999999999',
                jsonb_typeof(g.o -> 'token_count') <> 'number' OR g.o ->> 'token_count' !~ '^(0|[1-9][0-9]{0,8})$'),
            (7, 'invalid_external_id', '/external_id: must be a text of 1 to 500 bytes',
                jsonb_typeof(g.o -> 'external_id') <> 'string'
                OR octet_length(g.o ->> 'external_id') NOT BETWEEN 1 AND 500),
            (8, 'invalid_metadata', '/metadata: must be an object',
                jsonb_typeof(g.o -> 'metadata') <> 'object'),
            (9, 'invalid_time', '/sent_at: must be a time, as 2024-05-01T10:00:00Z, to the microsecond',
                kepler._time_of(g.o -> 'sent_at') IS NULL AND g.o ? 'sent_at')
        ) AS p (place, code, problem, is_there)
        WHERE g.is_object AND p.is_there
    ), judged AS MATERIALIZED (
        SELECT g.ordinal, g.o, w.code, w.problem
        FROM given AS g
        LEFT JOIN LATERAL (
            SELECT (array_agg(p.code ORDER BY p.place, p.problem))[1] AS code,
                string_agg(p.problem, '; ' ORDER BY p.place, p.problem) AS problem
            FROM problems AS p WHERE p.ordinal = g.ordinal
        ) AS w ON true
    ), said AS MATERIALIZED (
        -- Casts only where everything was found well.
        SELECT j.ordinal, j.code, j.problem, CASE WHEN j.code IS NULL THEN j.o END AS o FROM judged AS j
    )
    SELECT s.ordinal, (s.o ->> 'role')::kepler.message_role, s.o ->> 'content', s.o ->> 'user_id',
        (s.o ->> 'token_count')::integer, s.o ->> 'external_id', coalesce(s.o -> 'metadata', '{}'),
        kepler._time_of(s.o -> 'sent_at'), s.code, s.problem
    FROM said AS s
$$;

CREATE FUNCTION kepler.add_messages(
    conversation_id text,
    messages jsonb,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, message_id bigint, number integer, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    wanted_conversation ALIAS FOR $1;
    wanted_workspace ALIAS FOR $3;
    last integer;
    owner text;
    added_at timestamptz;
BEGIN
    PERFORM kepler._require_tables();
    PERFORM kepler._require_arguments(ARRAY['conversation_id', 'messages', 'workspace_id'],
        ARRAY[$1, CASE WHEN $2 IS NOT NULL THEN '' END, $3]);
    IF jsonb_typeof($2) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "messages" must be a JSON array, not %s', jsonb_typeof($2)),
            HINT = 'kepler.add_message takes a single message.';
    END IF;
    SELECT c.last_number, c.user_id INTO last, owner FROM kepler.conversations AS c
    WHERE c.workspace_id = wanted_workspace AND c.id = wanted_conversation
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM kepler._require_conversation($1, $3);
    END IF;
    -- Behind the lock, so that times are in the order of numbers.
    added_at := clock_timestamp();

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT m.*, row_number() OVER (PARTITION BY m.external_id, m.problem_code IS NULL ORDER BY m.ordinal) AS occurrence
        FROM kepler._messages_of($2, wanted_workspace) AS m
    ), decided AS MATERIALIZED (
        SELECT g.*, x.id AS known_id, x.number AS known_number, CASE
                WHEN g.problem_code IS NOT NULL THEN g.problem_code
                WHEN g.external_id IS NOT NULL AND g.occurrence > 1 THEN 'duplicate_external_id'
                WHEN x.id IS NULL THEN 'add'
                WHEN (x.role, x.content) = (g.role, g.content) THEN 'existing'
                ELSE 'external_id_taken' END AS decision
        FROM given AS g
        LEFT JOIN kepler.messages AS x
            ON x.workspace_id = wanted_workspace AND x.conversation_id = wanted_conversation
            AND x.external_id = g.external_id
    ), numbered AS MATERIALIZED (
        SELECT d.*, CASE WHEN d.decision = 'add' THEN (
                -- Direct SQL may have brought numbers of its own.
                greatest(last, (
                    SELECT max(x.number) FROM kepler.messages AS x
                    WHERE x.workspace_id = wanted_workspace AND x.conversation_id = wanted_conversation))
                + count(*) FILTER (WHERE d.decision = 'add') OVER (ORDER BY d.ordinal))::integer
            ELSE d.known_number END AS new_number
        FROM decided AS d
    ), added AS (
        INSERT INTO kepler.messages AS m (workspace_id, conversation_id, number, role, content, user_id,
            token_count, external_id, metadata, sent_at, created_at, updated_at)
        SELECT wanted_workspace, wanted_conversation, n.new_number, n.role, n.content,
            coalesce(n.user_id, CASE n.role WHEN 'user' THEN owner END),
            n.token_count, n.external_id, n.metadata, coalesce(n.sent_at, added_at), added_at, added_at
        FROM numbered AS n WHERE n.decision = 'add' ORDER BY n.new_number
        RETURNING m.id, m.number
    ), touched AS (
        UPDATE kepler.conversations AS c
        SET last_number = t.number, last_message_at = added_at, updated_at = added_at
        FROM (SELECT max(a.number) AS number FROM added AS a) AS t
        WHERE c.workspace_id = wanted_workspace AND c.id = wanted_conversation AND t.number IS NOT NULL
    )
    SELECT n.ordinal, coalesce(a.id, n.known_id), n.new_number,
        CASE n.decision WHEN 'add' THEN 'added' WHEN 'existing' THEN 'existing' ELSE 'rejected' END,
        CASE WHEN n.decision NOT IN ('add', 'existing') THEN n.decision END,
        CASE n.decision
            WHEN 'duplicate_external_id' THEN format('/external_id: an earlier element of the batch is "%s"', n.external_id)
            WHEN 'external_id_taken' THEN format('/external_id: message %s is "%s", with another role or content',
                n.known_number, n.external_id)
            ELSE n.problem END
    FROM numbered AS n
    LEFT JOIN added AS a ON n.decision = 'add' AND a.number = n.new_number
    ORDER BY n.ordinal;
END
$$;

CREATE FUNCTION kepler.add_message(
    conversation_id text,
    role text,
    content text,
    user_id text DEFAULT NULL,
    token_count integer DEFAULT NULL,
    external_id text DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    sent_at timestamptz DEFAULT NULL,
    embedding @extschema:vector@.vector DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (message_id bigint, number integer, outcome text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    answer record;
BEGIN
    PERFORM kepler._require_tables();
    PERFORM kepler._require_arguments(ARRAY['conversation_id', 'role', 'content', 'workspace_id'],
        ARRAY[$1, $2, $3, $10]);
    SELECT a.* INTO answer FROM kepler.add_messages($1, jsonb_build_array(jsonb_build_object(
        'role', $2, 'content', $3, 'user_id', $4, 'token_count', $5, 'external_id', $6, 'metadata', $7,
        'sent_at', $8)), $10) AS a;
    IF answer.outcome = 'rejected' THEN
        RAISE EXCEPTION USING
            ERRCODE = CASE answer.error_code WHEN 'unknown_user' THEN 'foreign_key_violation'
                WHEN 'external_id_taken' THEN 'unique_violation' ELSE 'invalid_parameter_value' END,
            MESSAGE = 'the message is not valid',
            DETAIL = replace(answer.error, '; /', E'\n/');
    END IF;
    IF $9 IS NOT NULL THEN
        PERFORM kepler._set_message_embedding(answer.message_id, $9, $10);
    END IF;
    RETURN QUERY SELECT answer.message_id, answer.number, answer.outcome;
END
$$;

CREATE FUNCTION kepler._check_window(argument text, value integer, lowest integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF value < lowest THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "%s" must be at least %s, not %s', argument, lowest, value);
    END IF;
END
$$;

CREATE FUNCTION kepler.conversation_window(
    conversation_id text,
    before integer DEFAULT NULL,
    after integer DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    max_rows integer DEFAULT NULL,
    keep_system boolean DEFAULT false,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    message_id bigint, number integer, role kepler.message_role, content text, user_id text, tokens integer,
    metadata jsonb, sent_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- The best plan depends on how long the conversation is.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    wanted_conversation ALIAS FOR $1;
    wanted_workspace ALIAS FOR $7;
    keeps_system ALIAS FOR $6;
    -- From the newest back, unless only a beginning is given.
    forward constant boolean := $3 IS NOT NULL AND $2 IS NULL;
    low constant integer := coalesce($3, 0);
    high constant bigint := coalesce($2, 2147483648);
    room bigint := $4;
    rows_left bigint := $5;
    walk refcursor;
    message record;
    -- Where the window begins and ends so far; the first message that may open it.
    first integer;
    last integer;
    opening integer;
    is_cut boolean := false;
    system_rows bigint;
    system_tokens bigint;
BEGIN
    PERFORM kepler._require_tables();
    PERFORM kepler._require_arguments(ARRAY['conversation_id', 'keep_system', 'workspace_id'],
        ARRAY[$1, $6::text, $7]);
    PERFORM kepler._check_window('before', $2, 1);
    PERFORM kepler._check_window('after', $3, 0);
    PERFORM kepler._check_window('max_tokens', $4, 1);
    PERFORM kepler._check_window('max_rows', $5, 1);
    PERFORM kepler._require_conversation($1, $7);

    IF keeps_system THEN
        SELECT count(*), coalesce(sum(coalesce(m.token_count, kepler.estimate_tokens(m.content))), 0) INTO system_rows, system_tokens
        FROM kepler.messages AS m
        WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
            AND m.role = 'system' AND m.number < high;
        IF system_tokens > room OR system_rows > rows_left THEN
            RAISE EXCEPTION USING
                ERRCODE = 'program_limit_exceeded',
                MESSAGE = 'the system messages alone do not fit into the window',
                DETAIL = format('There are %s, with %s tokens.', system_rows, system_tokens),
                HINT = 'Give more room, or leave keep_system out.';
        END IF;
        room := room - system_tokens;
        rows_left := rows_left - system_rows;
    END IF;

    -- Reads no further than the window reaches: how long a conversation is does not count.
    IF forward THEN
        OPEN walk FOR
            SELECT m.number, m.role, coalesce(m.token_count, kepler.estimate_tokens(m.content)) AS tokens FROM kepler.messages AS m
            WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
                AND m.number > low
            ORDER BY m.number;
    ELSE
        OPEN walk FOR
            SELECT m.number, m.role, coalesce(m.token_count, kepler.estimate_tokens(m.content)) AS tokens FROM kepler.messages AS m
            WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
                AND m.number > low AND m.number < high
            ORDER BY m.number DESC;
    END IF;
    LOOP
        FETCH walk INTO message;
        EXIT WHEN NOT FOUND;
        IF keeps_system AND message.role = 'system' THEN
            CONTINUE;
        END IF;
        is_cut := coalesce(message.tokens > room, false) OR coalesce(rows_left = 0, false);
        EXIT WHEN is_cut;
        room := room - message.tokens;
        rows_left := rows_left - 1;
        first := least(first, message.number);
        last := greatest(last, message.number);
        IF message.role <> 'tool' THEN
            opening := least(opening, message.number);
        END IF;
    END LOOP;
    CLOSE walk;
    -- The answer of a tool whose call was cut off is nothing that a model accepts.
    IF is_cut AND NOT forward THEN
        first := opening;
    END IF;
    IF is_cut AND first IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'program_limit_exceeded',
            MESSAGE = format('message %s does not fit into the window', message.number),
            DETAIL = format('It has %s tokens%s; the room left is %s tokens and %s messages.', message.tokens,
                CASE WHEN last IS NOT NULL THEN ', and the answers of tools behind it need it' ELSE '' END,
                coalesce(room::text, 'any number of'), coalesce(rows_left::text, 'any number of')),
            HINT = 'Give more room: a window without its newest messages would mislead.';
    END IF;

    RETURN QUERY
    SELECT m.id, m.number, m.role, m.content, m.user_id, coalesce(m.token_count, kepler.estimate_tokens(m.content)), m.metadata, m.sent_at
    FROM kepler.messages AS m
    WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
        AND m.number BETWEEN first AND last AND (NOT keeps_system OR m.role <> 'system')
    UNION ALL
    SELECT m.id, m.number, m.role, m.content, m.user_id, coalesce(m.token_count, kepler.estimate_tokens(m.content)), m.metadata, m.sent_at
    FROM kepler.messages AS m
    WHERE keeps_system AND m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
        AND m.role = 'system' AND m.number < high
    ORDER BY 2;
END
$$;
