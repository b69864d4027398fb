-- Conversations of people, models and tools. The order of a conversation is a number that is given out
-- under the lock of the conversation's row: no clock and no identity column gives the order of commits.

CREATE TABLE kepler.conversations (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    user_id text,
    kind text,
    title text,
    metadata jsonb NOT NULL DEFAULT '{}',
    last_number integer NOT NULL DEFAULT 0,
    last_message_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    -- Deleting a user deletes the conversations of that user.
    CONSTRAINT conversations_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT conversations_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT conversations_kind_length CHECK (octet_length(kind) BETWEEN 1 AND 128),
    CONSTRAINT conversations_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT conversations_last_number_not_negative CHECK (last_number >= 0)
-- Each message updates the row. No column that changes is in an index, so that the update is HOT.
) WITH (fillfactor = 70);

-- The conversations of a user, and the foreign key check when a user is deleted.
CREATE INDEX conversations_user_id_idx ON kepler.conversations (workspace_id, user_id);

-- No foreign key to workspaces: the conversation has one.
CREATE TABLE kepler.messages (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id text NOT NULL,
    number integer NOT NULL,
    role kepler.message_role NOT NULL,
    content text NOT NULL,
    user_id text,
    token_count integer,
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- With the workspace as a word, as in memories.
    text_search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('pg_catalog.english', left(content, 100000))
        || array_to_tsvector(ARRAY[' ' || workspace_id])) STORED,
    PRIMARY KEY (workspace_id, id),
    -- The order of the conversation, in which windows read it.
    CONSTRAINT messages_number_key UNIQUE (workspace_id, conversation_id, number),
    CONSTRAINT messages_conversation_fkey FOREIGN KEY (workspace_id, conversation_id)
        REFERENCES kepler.conversations (workspace_id, id) ON DELETE CASCADE,
    -- Messages of a deleted user in other users' conversations stay, without user_id.
    CONSTRAINT messages_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (user_id),
    CONSTRAINT messages_number_positive CHECK (number > 0),
    CONSTRAINT messages_token_count_not_negative CHECK (token_count >= 0),
    CONSTRAINT messages_external_id_length CHECK (octet_length(external_id) BETWEEN 1 AND 500),
    CONSTRAINT messages_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

-- Finds a message that is sent again.
CREATE UNIQUE INDEX messages_external_id_key ON kepler.messages (workspace_id, conversation_id, external_id)
    WHERE external_id IS NOT NULL;
-- For conversation_window(keep_system => true): few rows of many.
CREATE INDEX messages_system_idx ON kepler.messages (workspace_id, conversation_id, number)
    WHERE role = 'system';
-- The messages of a user, and the foreign key check when a user is deleted.
CREATE INDEX messages_user_id_idx ON kepler.messages (workspace_id, user_id);
-- For searches by time; for $eq in a filter; for words. The limit is that of the indexes on memories.
CREATE INDEX messages_sent_at_idx ON kepler.messages (workspace_id, sent_at);
CREATE INDEX messages_metadata_idx ON kepler.messages USING gin (metadata jsonb_path_ops) WITH (gin_pending_list_limit = 256);
CREATE INDEX messages_text_search_idx ON kepler.messages USING gin (text_search) WITH (gin_pending_list_limit = 256);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.conversations
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.conversations
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.conversations
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('title', 'refuse', 'metadata', 'refuse');
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.messages
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('content', 'refuse', 'metadata', 'refuse');
-- Column by column: a BEFORE UPDATE trigger cannot compare whole rows that have a generated column.
CREATE TRIGGER touch_updated_at
    BEFORE UPDATE OF role, content, user_id, token_count, external_id, metadata, sent_at ON kepler.messages
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at
        AND (OLD.role <> NEW.role OR OLD.content <> NEW.content OR OLD.metadata <> NEW.metadata
            OR OLD.sent_at <> NEW.sent_at OR OLD.user_id IS DISTINCT FROM NEW.user_id
            OR OLD.token_count IS DISTINCT FROM NEW.token_count
            OR OLD.external_id IS DISTINCT FROM NEW.external_id))
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.messages
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
-- Direct SQL gets numbers too. Kepler's own functions set theirs.
CREATE TRIGGER number_message BEFORE INSERT ON kepler.messages
    FOR EACH ROW WHEN (NEW.number IS NULL)
    EXECUTE FUNCTION kepler_internal.number_message();
CREATE TRIGGER note_numbers AFTER INSERT ON kepler.messages
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.note_numbered_messages();
-- Embeddings of the old content are deleted.
CREATE TRIGGER drop_embeddings AFTER UPDATE ON kepler.messages
    FOR EACH ROW WHEN (OLD.content <> NEW.content)
    EXECUTE FUNCTION kepler_internal.drop_message_embeddings();
CREATE TRIGGER keep_place BEFORE UPDATE OF id, conversation_id, number ON kepler.messages
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.conversation_id <> NEW.conversation_id OR OLD.number <> NEW.number)
    EXECUTE FUNCTION kepler_internal.refuse_message_move();
CREATE TRIGGER forget_deleted AFTER DELETE ON kepler.messages
    REFERENCING OLD TABLE AS old_messages
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.forget_deleted_messages();

-- Before the checks of foreign keys are planned, for the rest of the session.
CREATE TRIGGER load_library BEFORE DELETE ON kepler.conversations
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.conversations ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.conversations USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.messages USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.conversations IS 'Conversations; each is an ordered sequence of messages';
COMMENT ON COLUMN kepler.conversations.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.conversations.user_id IS 'User of the conversation; deleting the user deletes the conversation';
COMMENT ON COLUMN kepler.conversations.kind IS 'Kind of conversation, a word of the application, for example support, campaign, planning';
COMMENT ON COLUMN kepler.conversations.title IS 'Display title';
COMMENT ON COLUMN kepler.conversations.metadata IS 'Anything else, a JSON object; a secret in it is refused';
COMMENT ON COLUMN kepler.conversations.last_number IS 'Highest number given out; numbers of deleted messages are not reused';
COMMENT ON COLUMN kepler.conversations.last_message_at IS 'When the last message was added; NULL before the first';

COMMENT ON TABLE kepler.messages IS 'One message of a conversation; deleted with it';
COMMENT ON COLUMN kepler.messages.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.messages.conversation_id IS 'Conversation of the message; never changes';
COMMENT ON COLUMN kepler.messages.number IS 'Position in the conversation, from 1, in the order of adding; never changes';
COMMENT ON COLUMN kepler.messages.role IS 'system, user, assistant or tool';
COMMENT ON COLUMN kepler.messages.content IS 'Text of the message; may be empty, for example if a model only calls tools. A secret in it is refused';
COMMENT ON COLUMN kepler.messages.user_id IS 'User who wrote the message; NULL after the user is deleted';
COMMENT ON COLUMN kepler.messages.token_count IS 'Tokens as the caller counted them; NULL: estimated from the content where needed (estimate_tokens)';
COMMENT ON COLUMN kepler.messages.external_id IS 'Caller''s name for the message, unique within the conversation; a message sent again under it is not added again';
COMMENT ON COLUMN kepler.messages.metadata IS 'Anything else, a JSON object, tool calls for example; a secret in it is refused';
COMMENT ON COLUMN kepler.messages.sent_at IS 'When the message was written, as the caller says, otherwise when it was added; does not affect the order';
COMMENT ON COLUMN kepler.messages.text_search IS 'Words of the first 100,000 characters of the content, and the workspace';
