-- Memories as a store: a caller's own keys, namespaces, and an expiry that reading extends. No table is rewritten: the new
-- columns of the rows that are there have constant values, and no index holds any of these rows.

ALTER TABLE kepler.memories
    -- By its bytes, so that what is below a namespace is one range of an index, and comparing it betrays nothing.
    ADD COLUMN namespace text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN key text COLLATE "C",
    ADD COLUMN ttl interval,
    -- A path of labels, none of which is empty or an asterisk, which stands for any label where namespaces are listed.
    ADD CONSTRAINT memories_namespace_form CHECK (namespace = '' OR (
        octet_length(namespace) <= 1000 AND position('//' IN '/' || namespace || '/') = 0
        AND position('/*/' IN '/' || namespace || '/') = 0)) NOT VALID,
    ADD CONSTRAINT memories_key_length CHECK (octet_length(key) BETWEEN 1 AND 1000) NOT VALID,
    ADD CONSTRAINT memories_ttl_positive CHECK (ttl > interval '0') NOT VALID,
    ADD CONSTRAINT memories_ttl_expires CHECK (ttl IS NULL OR expires_at IS NOT NULL) NOT VALID;
ALTER TABLE kepler.memories
    VALIDATE CONSTRAINT memories_namespace_form,
    VALIDATE CONSTRAINT memories_key_length,
    VALIDATE CONSTRAINT memories_ttl_positive,
    VALIDATE CONSTRAINT memories_ttl_expires;

-- A memory that has ended gives its key free: its successor may take it, and it still says which one it had.
CREATE UNIQUE INDEX memories_key_key ON kepler.memories (workspace_id, user_id, namespace, key) NULLS NOT DISTINCT
    WHERE key IS NOT NULL AND valid_to IS NULL;
-- With a slash behind it a namespace and all that is below it are one range, without a neighbour such as ada-2 between ada
-- and ada/facts. Ids are in the order of time.
CREATE INDEX memories_namespace_idx ON kepler.memories (workspace_id, (namespace || '/'), id) WHERE namespace <> '';

CREATE OR REPLACE TRIGGER touch_updated_at
    BEFORE UPDATE OF user_id, context_type, content, format, relevance_score, metadata, valid_from,
        valid_to, superseded_by, namespace, key, ttl ON kepler.memories
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
-- Reading extends the life of a memory with a ttl, and changes nothing that it says.
CREATE TRIGGER touch_updated_at_of_expiry BEFORE UPDATE OF expires_at ON kepler.memories
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at AND NEW.ttl IS NULL AND OLD.expires_at IS DISTINCT FROM NEW.expires_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

COMMENT ON COLUMN kepler.memories.namespace IS 'Path of labels with / between them, for example users/ada/facts; empty: the root';
COMMENT ON COLUMN kepler.memories.key IS 'The caller''s own name of the memory, unique among the memories of the same user and namespace that have not ended; NULL: none';
COMMENT ON COLUMN kepler.memories.ttl IS 'How long the memory lives on after it was read with touch, which sets expires_at; NULL: reading extends nothing';
