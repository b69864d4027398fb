-- The memory of agents: memories, when they were found, and their embeddings. Each space has a table of
-- its own for embeddings, so that several models exist side by side, and a new model rewrites no memory.

-- Spaces belong to the database, as models do. Each workspace chooses the space that it searches.
CREATE TABLE kepler.embedding_spaces (
    name text PRIMARY KEY,
    model text NOT NULL,
    dimensions integer NOT NULL,
    metric kepler.embedding_metric NOT NULL DEFAULT 'cosine',
    status kepler.embedding_space_status NOT NULL DEFAULT 'ACTIVE',
    memory_table_name text NOT NULL UNIQUE,
    message_table_name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT embedding_spaces_name_form CHECK (name ~ '^[a-z][a-z0-9_]{0,43}$'),
    CONSTRAINT embedding_spaces_model_length CHECK (octet_length(model) BETWEEN 1 AND 256),
    -- The limit of pgvector.
    CONSTRAINT embedding_spaces_dimensions_range CHECK (dimensions BETWEEN 1 AND 16000)
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.embedding_spaces
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

ALTER TABLE kepler.workspaces ADD COLUMN embedding_space text REFERENCES kepler.embedding_spaces (name);
-- For the foreign key, when a space is dropped.
CREATE INDEX workspaces_embedding_space_idx ON kepler.workspaces (embedding_space) WHERE embedding_space IS NOT NULL;

-- Sessions remember spaces, and which one a workspace has activated. These fire on replicas too.
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.embedding_spaces
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.embedding_spaces
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce AFTER DELETE ON kepler.workspaces
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_change AFTER UPDATE ON kepler.workspaces
    FOR EACH ROW WHEN (
        OLD.id IS DISTINCT FROM NEW.id
        OR OLD.embedding_space IS DISTINCT FROM NEW.embedding_space
        OR OLD.deleting_at IS DISTINCT FROM NEW.deleting_at)
    EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.workspaces
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
-- Spaces belong to all workspaces.
CREATE TRIGGER guard_shared BEFORE INSERT OR UPDATE OR DELETE ON kepler.embedding_spaces
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.require_administrator_of_all();
ALTER TABLE kepler.embedding_spaces ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.embedding_spaces ENABLE ALWAYS TRIGGER announce_truncated;
ALTER TABLE kepler.workspaces ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.workspaces ENABLE ALWAYS TRIGGER announce_change;
ALTER TABLE kepler.workspaces ENABLE ALWAYS TRIGGER announce_truncated;

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
    -- The workspace is one more word, with a space that no word of a text contains. A GIN index cannot hold
    -- a text column too, and without the word a search for common words would walk those of all tenants. A
    -- tsvector holds a megabyte at most.
    text_search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('pg_catalog.english', left(content, 100000))
        || array_to_tsvector(ARRAY[' ' || workspace_id])) STORED,
    PRIMARY KEY (workspace_id, id),
    -- Deleting a user deletes the memories of that user.
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
-- For $eq in a filter; for words. Every search reads the list of what is not yet sorted in: at Postgres' own limit of 4 MB
-- that takes longer than the search.
CREATE INDEX memories_metadata_idx ON kepler.memories USING gin (metadata jsonb_path_ops) WITH (gin_pending_list_limit = 256);
CREATE INDEX memories_text_search_idx ON kepler.memories USING gin (text_search) WITH (gin_pending_list_limit = 256);
-- Finds the same content (dedupe).
CREATE INDEX memories_content_idx ON kepler.memories (workspace_id, hashtextextended(content, 0));
-- For expire_memories and memory_history. No foreign key for superseded_by: its index would hold every
-- memory.
CREATE INDEX memories_expires_at_idx ON kepler.memories (workspace_id, expires_at)
    WHERE expires_at IS NOT NULL;
CREATE INDEX memories_superseded_by_idx ON kepler.memories (workspace_id, superseded_by)
    WHERE superseded_by IS NOT NULL;

-- A narrow table of its own: a search that records what it found must not rewrite the memories. No foreign
-- key, because its check would lock, and so write, the memory's row. A trigger deletes the rows of deleted
-- memories.
CREATE TABLE kepler.memory_access (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    memory_id text NOT NULL,
    last_accessed_at timestamptz NOT NULL,
    hits bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (workspace_id, memory_id)
) WITH (fillfactor = 70);

-- Column by column: a BEFORE UPDATE trigger cannot compare whole rows that have a generated column.
CREATE TRIGGER touch_updated_at
    BEFORE UPDATE OF user_id, context_type, content, format, relevance_score, metadata, valid_from,
        valid_to, superseded_by, expires_at ON kepler.memories
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.memories
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.memories
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('content', 'refuse', 'metadata', 'refuse');
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON kepler.memories
    FOR EACH ROW WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION kepler_internal.refuse_memory_rename();
-- Delete the embeddings when the content changes, and keep their user and type current. Without a column
-- list, because other triggers may change these columns too.
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

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.memories ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.memories USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.memory_access ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.memory_access USING (workspace_id = kepler.current_workspace_id());

COMMENT ON COLUMN kepler.workspaces.embedding_space IS 'Space in which memories and messages are searched, set by activate_embedding_space; NULL means the oldest ACTIVE space';

COMMENT ON TABLE kepler.embedding_spaces IS 'Embedding models side by side, each with tables of its own in kepler_data; create_embedding_space creates them';
COMMENT ON COLUMN kepler.embedding_spaces.model IS 'Model that makes the embeddings, for example text-embedding-3-small';
COMMENT ON COLUMN kepler.embedding_spaces.metric IS 'Distance function for embeddings';
COMMENT ON COLUMN kepler.embedding_spaces.status IS 'A RETIRED space accepts no embeddings and cannot be activated';
COMMENT ON COLUMN kepler.embedding_spaces.memory_table_name IS 'Table in kepler_data: workspace_id, memory_id, embedding, and user_id and context_type of the memory';
COMMENT ON COLUMN kepler.embedding_spaces.dimensions IS 'Of every embedding in the space';
COMMENT ON COLUMN kepler.embedding_spaces.message_table_name IS 'Table in kepler_data: workspace_id, message_id, embedding';

COMMENT ON TABLE kepler.memories IS 'Facts, preferences, reasoning and patterns that agents remember';
COMMENT ON COLUMN kepler.memories.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.memories.user_id IS 'User of the memory; NULL if it belongs to the workspace and no user';
COMMENT ON COLUMN kepler.memories.context_type IS 'Kind of memory, for example preference, reasoning, pattern, fact';
COMMENT ON COLUMN kepler.memories.content IS 'Text, or the text of a JSON value; see format. A secret in it is refused';
COMMENT ON COLUMN kepler.memories.format IS 'Whether content is text or JSON';
COMMENT ON COLUMN kepler.memories.relevance_score IS 'Importance, from 0 to 1';
COMMENT ON COLUMN kepler.memories.metadata IS 'A JSON object for filters; a secret in it is refused';
COMMENT ON COLUMN kepler.memories.valid_from IS 'The memory is true from this time on';
COMMENT ON COLUMN kepler.memories.valid_to IS 'The memory is true until this time; NULL: it still is';
COMMENT ON COLUMN kepler.memories.superseded_by IS 'Memory that took the place of this one; remember(…, supersedes => …) sets it';
COMMENT ON COLUMN kepler.memories.expires_at IS 'From this time on searches do not find the memory, and expire_memories deletes it; NULL: never';
COMMENT ON COLUMN kepler.memories.text_search IS 'Words of the first 100,000 characters of the content, and the workspace';

COMMENT ON TABLE kepler.memory_access IS 'When memories were last found, and how often; a memory without a row was never found';
COMMENT ON COLUMN kepler.memory_access.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.memory_access.hits IS 'Number of searches that returned the memory, counted at most once a minute';
