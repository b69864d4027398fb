-- Conversations. Who adds messages holds the row of the conversation to the end of the transaction, so
-- numbers are in the order of commits, without gaps, and a second adder waits for the first.

CREATE FUNCTION kepler.estimate_tokens(content text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT (pg_catalog.octet_length($1) OPERATOR(pg_catalog.+) 3) OPERATOR(pg_catalog./) 4
$$;

CREATE FUNCTION kepler_internal.require_conversation(conversation_id text, workspace_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    IF NOT EXISTS (SELECT FROM kepler.conversations AS c WHERE c.workspace_id = $2 AND c.id = $1) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('conversation "%s" does not exist in workspace "%s"', $1, $2),
            HINT = format('INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES (%L, %L, …);', $2, $1);
    END IF;
END
$$;

CREATE FUNCTION kepler_internal.refuse_message_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('message %s of conversation "%s" cannot move', OLD.number, OLD.conversation_id),
        DETAIL = 'Its id, its conversation and its number never change.',
        HINT = 'Add the message again, then delete this one.';
END
$$;

CREATE FUNCTION kepler_internal.check_window(argument text, value integer, lowest integer) RETURNS void
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
    message_id bigint, number integer, role kepler.message_role, content text, user_id text, token_count integer,
    metadata jsonb, sent_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- The best plan depends on how long the conversation is.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
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
    -- Where the window begins and ends so far; the first message that may open it, and the last one behind which
    -- it may end. A call of tools and their answers are together or not at all: nothing else is what a model accepts.
    first integer;
    last integer;
    opening integer;
    closing integer;
    is_inside boolean := false;
    is_cut boolean := false;
    system_rows bigint;
    system_tokens bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['conversation_id', 'keep_system', 'workspace_id'],
        ARRAY[$1, $6::text, $7]);
    PERFORM kepler_internal.check_window('before', $2, 1);
    PERFORM kepler_internal.check_window('after', $3, 0);
    PERFORM kepler_internal.check_window('max_tokens', $4, 1);
    PERFORM kepler_internal.check_window('max_rows', $5, 1);
    PERFORM kepler_internal.require_conversation($1, $7);

    IF keeps_system THEN
        SELECT count(*), coalesce(sum(coalesce(m.token_count, kepler.estimate_tokens(m.content))), 0) INTO system_rows, system_tokens
        FROM kepler.messages AS m
        WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
            AND m.role = 'system' AND m.number < high;
        IF system_tokens > room OR system_rows > rows_left THEN
            RAISE EXCEPTION USING
                ERRCODE = 'program_limit_exceeded',
                MESSAGE = 'the system messages alone do not fit into the window',
                DETAIL = format('There are %s system messages, with %s tokens.', system_rows, system_tokens),
                HINT = 'Raise max_tokens or max_rows, or leave keep_system out.';
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
    -- What stands at the edge may be answers whose call is on the other side.
    IF forward THEN
        is_inside := low > 0;
    ELSIF $2 IS NOT NULL THEN
        is_inside := coalesce((
            SELECT m.role = 'tool' FROM kepler.messages AS m
            WHERE m.workspace_id = wanted_workspace AND m.conversation_id = wanted_conversation
                AND m.number >= high AND (NOT keeps_system OR m.role <> 'system')
            ORDER BY m.number LIMIT 1), false);
    END IF;
    LOOP
        FETCH walk INTO message;
        EXIT WHEN NOT FOUND;
        IF keeps_system AND message.role = 'system' THEN
            CONTINUE;
        END IF;
        IF is_inside THEN
            is_inside := message.role = 'tool';
            -- Backwards the call goes too.
            IF is_inside OR NOT forward THEN
                CONTINUE;
            END IF;
        END IF;
        IF message.role <> 'tool' THEN
            closing := last;
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
    IF forward AND is_cut THEN
        first := CASE WHEN closing IS NOT NULL THEN first END;
        last := closing;
    ELSIF NOT forward AND (is_cut OR low > 0) THEN
        first := opening;
    END IF;
    IF is_cut AND first IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'program_limit_exceeded',
            MESSAGE = format('message %s does not fit into the window', message.number),
            DETAIL = format('It has %s tokens%s. The window has room left for %s tokens and %s messages.', message.tokens,
                CASE WHEN message.role = 'tool' THEN ', and cannot be separated from the call before it'
                    WHEN last IS NOT NULL THEN ', and cannot be separated from the answers of tools after it' ELSE '' END,
                coalesce(room::text, 'any number of'), coalesce(rows_left::text, 'any number of')),
            HINT = CASE WHEN forward THEN 'Raise max_tokens or max_rows: a window ends after the answers to a call.'
                ELSE 'Raise max_tokens or max_rows: a window without its newest messages would mislead.' END;
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
