-- The memory of agents: what they remember, when it was looked at, and its embeddings. Embeddings lie
-- apart from the content, in a table for each space: several models live side by side, and no memory
-- is rewritten for a new one.

-- The database's, as models are; which one a workspace searches is the workspace's.
CREATE TABLE kepler.embedding_spaces (
    name text PRIMARY KEY,
    model text NOT NULL,
    dimensions integer NOT NULL,
    metric kepler.embedding_metric NOT NULL DEFAULT 'cosine',
    state kepler.embedding_space_state NOT NULL DEFAULT 'ACTIVE',
    table_name text NOT NULL UNIQUE,
    message_table_name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT embedding_spaces_name_form CHECK (name ~ '^[a-z][a-z0-9_]{0,43}$'),
    CONSTRAINT embedding_spaces_model_length CHECK (octet_length(model) BETWEEN 1 AND 256),
    -- What pgvector can hold.
    CONSTRAINT embedding_spaces_dimensions_range CHECK (dimensions BETWEEN 1 AND 16000)
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.embedding_spaces
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

ALTER TABLE kepler.workspaces ADD COLUMN embedding_space text REFERENCES kepler.embedding_spaces (name);

CREATE TABLE kepler.memories (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    user_id text,
    context_type text NOT NULL DEFAULT 'fact',
    content text NOT NULL,
    format kepler.memory_format NOT NULL DEFAULT 'TEXT',
    relevance_score double precision NOT NULL DEFAULT 0.5,
    metadata jsonb NOT NULL DEFAULT '{}',
    valid_from timestamptz NOT NULL DEFAULT clock_timestamp(),
    valid_to timestamptz,
    superseded_by text,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The workspace is a word of its own, with a blank that no word of a text has: an index cannot hold
    -- both, and a search for common words would walk those of all tenants. A tsvector holds a megabyte at
    -- most.
    text_search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('pg_catalog.english', left(content, 100000))
        || array_to_tsvector(ARRAY[' ' || workspace_id])) STORED,
    PRIMARY KEY (workspace_id, id),
    -- What is known of a person goes with the person.
    CONSTRAINT memories_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT memories_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT memories_context_type_length CHECK (octet_length(context_type) BETWEEN 1 AND 128),
    CONSTRAINT memories_content_not_blank CHECK (content <> ''),
    CONSTRAINT memories_content_format CHECK (format = 'TEXT' OR content IS JSON),
    CONSTRAINT memories_relevance_score_range CHECK (relevance_score BETWEEN 0 AND 1),
    CONSTRAINT memories_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT memories_valid_range CHECK (valid_to >= valid_from),
    CONSTRAINT memories_superseded_at CHECK (superseded_by IS NULL OR valid_to IS NOT NULL)
);

-- The scope of a search.
CREATE INDEX memories_user_id_idx ON kepler.memories (workspace_id, user_id, context_type);
-- $eq in a filter; words.
CREATE INDEX memories_metadata_idx ON kepler.memories USING gin (metadata jsonb_path_ops);
CREATE INDEX memories_text_search_idx ON kepler.memories USING gin (text_search);
-- The same content again.
CREATE INDEX memories_content_idx ON kepler.memories (workspace_id, hashtextextended(content, 0));
-- What expire_memories and memory_history walk. No foreign key for superseded_by: its index would
-- hold every memory.
CREATE INDEX memories_expires_at_idx ON kepler.memories (workspace_id, expires_at)
    WHERE expires_at IS NOT NULL;
CREATE INDEX memories_superseded_by_idx ON kepler.memories (workspace_id, superseded_by)
    WHERE superseded_by IS NOT NULL;

-- Narrow, and apart: a search that notes what it found must not rewrite the memories. No foreign key,
-- whose check would lock, and so write, the memory's row; a trigger takes out what is deleted.
CREATE TABLE kepler.memory_access (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    memory_id text NOT NULL,
    last_accessed_at timestamptz NOT NULL,
    hits bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (workspace_id, memory_id)
) WITH (fillfactor = 70);

-- By columns: a trigger before the update cannot look at a whole row that has a generated one.
CREATE TRIGGER touch_updated_at
    BEFORE UPDATE OF user_id, context_type, content, format, relevance_score, metadata, valid_from,
        valid_to, superseded_by, expires_at ON kepler.memories
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.memories
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON kepler.memories
    FOR EACH ROW WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION kepler_internal.refuse_memory_rename();
-- Embeddings have the columns that searches find them by, and go when the content is another one. Whoever changed
-- them: other triggers may have.
CREATE TRIGGER drop_embeddings AFTER UPDATE ON kepler.memories
    FOR EACH ROW WHEN (OLD.format <> NEW.format OR OLD.content <> NEW.content)
    EXECUTE FUNCTION kepler_internal.drop_memory_embeddings();
CREATE TRIGGER move_embeddings AFTER UPDATE ON kepler.memories
    FOR EACH ROW WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id OR OLD.context_type <> NEW.context_type)
    EXECUTE FUNCTION kepler_internal.move_embeddings();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.memory_access
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER forget_deleted AFTER DELETE ON kepler.memories
    REFERENCING OLD TABLE AS old_memories
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.forget_deleted_memories();

COMMENT ON COLUMN kepler.workspaces.embedding_space IS 'Space that memories and messages are searched in, set by activate_embedding_space; NULL: the oldest that is ACTIVE';

COMMENT ON TABLE kepler.embedding_spaces IS 'Embedding models side by side, each with tables of its own in kepler_data; made by create_embedding_space';
COMMENT ON COLUMN kepler.embedding_spaces.model IS 'Which model makes its embeddings, for example text-embedding-3-small';
COMMENT ON COLUMN kepler.embedding_spaces.metric IS 'How embeddings are compared';
COMMENT ON COLUMN kepler.embedding_spaces.state IS 'RETIRED spaces take no embeddings and cannot be activated';
COMMENT ON COLUMN kepler.embedding_spaces.table_name IS 'Table in kepler_data: workspace_id, memory_id, embedding, and whose: user_id, context_type';
COMMENT ON COLUMN kepler.embedding_spaces.message_table_name IS 'Table in kepler_data: workspace_id, message_id, embedding';

COMMENT ON TABLE kepler.memories IS 'What agents remember: facts, preferences, reasoning, patterns';
COMMENT ON COLUMN kepler.memories.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.memories.user_id IS 'User it is about; NULL: the workspace''s own';
COMMENT ON COLUMN kepler.memories.context_type IS 'What kind of memory, for example preference, reasoning, pattern, fact';
COMMENT ON COLUMN kepler.memories.content IS 'Text, or the text of a JSON value; see format';
COMMENT ON COLUMN kepler.memories.format IS 'Whether content is text or JSON';
COMMENT ON COLUMN kepler.memories.relevance_score IS 'How important it is, from 0 to 1';
COMMENT ON COLUMN kepler.memories.metadata IS 'A JSON object for filters; no secrets';
COMMENT ON COLUMN kepler.memories.valid_from IS 'True from this time on';
COMMENT ON COLUMN kepler.memories.valid_to IS 'True until this time; NULL: still';
COMMENT ON COLUMN kepler.memories.superseded_by IS 'Memory that took its place; remember(…, supersedes => …) sets it';
COMMENT ON COLUMN kepler.memories.expires_at IS 'Not found from this time on, and deleted by expire_memories; NULL: never';
COMMENT ON COLUMN kepler.memories.text_search IS 'Words of the content''s first 100,000 characters, and the workspace';

COMMENT ON TABLE kepler.memory_access IS 'When memories were last found, and how often; a memory without a row never was';
COMMENT ON COLUMN kepler.memory_access.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.memory_access.hits IS 'Searches that returned it, counted at most once a minute';
