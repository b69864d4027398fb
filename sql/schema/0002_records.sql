-- Connections to other systems, the kinds of things found there, and the synced records.

CREATE TABLE kepler.connections (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    name text NOT NULL,
    reference_id text NOT NULL,
    provider text,
    kind text,
    status kepler.connection_status NOT NULL DEFAULT 'ACTIVE',
    user_id text,
    subscription_id text,
    secret_ref text,
    sync_config jsonb,
    issues text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    last_sync_at timestamptz,
    last_verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT connections_reference_id_name_key UNIQUE (workspace_id, reference_id, name),
    CONSTRAINT connections_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (user_id),
    CONSTRAINT connections_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT connections_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

-- "Which apps has this user connected?", and the check when a user is deleted.
CREATE INDEX connections_user_id_idx ON kepler.connections (workspace_id, user_id);
-- A webhook looks a connection up by its subscription.
CREATE INDEX connections_subscription_id_idx ON kepler.connections (workspace_id, subscription_id)
    WHERE subscription_id IS NOT NULL;

CREATE TABLE kepler.credentials (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    connection_id text NOT NULL,
    type text NOT NULL,
    scope text[] NOT NULL DEFAULT '{}',
    secret_ref text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT credentials_connection_id_key UNIQUE (workspace_id, connection_id),
    CONSTRAINT credentials_connection_fkey FOREIGN KEY (workspace_id, connection_id)
        REFERENCES kepler.connections (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT credentials_id_length CHECK (octet_length(id) BETWEEN 1 AND 128)
);

CREATE TABLE kepler.entities (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    connection_id text,
    type text NOT NULL,
    source text NOT NULL DEFAULT 'MANUAL',
    properties jsonb NOT NULL DEFAULT '{}',
    cursor text,
    last_sync_id text,
    issues text[] NOT NULL DEFAULT '{}',
    ignored_paths text[] NOT NULL DEFAULT '{}',
    created_by text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    -- Data that is entered by hand or read from a file has no connection, and is one entity all the same.
    CONSTRAINT entities_connection_id_source_type_key
        UNIQUE NULLS NOT DISTINCT (workspace_id, connection_id, source, type),
    CONSTRAINT entities_connection_fkey FOREIGN KEY (workspace_id, connection_id)
        REFERENCES kepler.connections (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT entities_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT entities_ignored_paths_list CHECK (
        array_position(ignored_paths, NULL) IS NULL AND coalesce(array_ndims(ignored_paths), 1) = 1),
    CONSTRAINT entities_properties_object CHECK (jsonb_typeof(properties) = 'object')
);

CREATE TABLE kepler.records (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    entity_id text,
    -- An identifier, not a word: compared by bytes, which is fast and the same on every machine.
    external_id text COLLATE "C",
    entity_type text NOT NULL,
    source text NOT NULL DEFAULT 'MANUAL',
    status kepler.record_status NOT NULL DEFAULT 'ACTIVE',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    source_updated_at timestamptz,
    content_hash uuid GENERATED ALWAYS AS (kepler.jsonb_hash(data)) STORED,
    source_digest uuid,
    -- What a claim and a settle change stands together, and data behind it: an update that stays on its page logs what lies
    -- between the first byte that differs and the last.
    enrichment_status kepler.record_enrichment_status NOT NULL DEFAULT 'UNAPPLIED',
    -- The lease that holds a PENDING record, as a fencing token: a result under any other lease is stale.
    -- It changes together with the status, in the same row version.
    enrichment_lease_id bigint,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    enrichment jsonb,
    data jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, id),
    -- NULLs are distinct: rows that are entered by hand need neither entity nor external id, and never conflict.
    CONSTRAINT records_entity_id_external_id_key UNIQUE (workspace_id, entity_id, external_id),
    CONSTRAINT records_entity_fkey FOREIGN KEY (workspace_id, entity_id)
        REFERENCES kepler.entities (workspace_id, id) ON DELETE SET NULL (entity_id),
    CONSTRAINT records_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT records_external_id_length CHECK (octet_length(external_id) BETWEEN 1 AND 2000),
    CONSTRAINT records_data_object CHECK (jsonb_typeof(data) = 'object'),
    CONSTRAINT records_enrichment_object CHECK (jsonb_typeof(enrichment) = 'object')
-- A fifth of a page takes the new versions of the records that a sync, a claim or a settle changes. And pages are pruned once
-- less than that is free: with a tenth, not before the new version of a record of a kilobyte has found no room. A sync that
-- rewrites all of them needs as much room again, and gets it from the versions before, if vacuum does not wait for a
-- fifth of the table.
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Records that delete_connection has kept: where they came from, for the connection that takes its place. Narrow, and
-- apart: most records are never detached. No foreign key: the record may be deleted for good, and an adoption finds that.
CREATE TABLE kepler.detached_records (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    record_id text NOT NULL,
    reference_id text NOT NULL,
    connection_name text NOT NULL,
    was_active boolean NOT NULL,
    detached_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, record_id)
);

-- What an adoption looks for, in its order.
CREATE INDEX detached_records_connection_idx
    ON kepler.detached_records (workspace_id, reference_id, connection_name, record_id);

CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.detached_records
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- What an upsert rejected, as it was sent. By entity, so that it goes with it, and keeps to it under another name.
CREATE TABLE kepler.rejects (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    entity_id text NOT NULL,
    entity_type text NOT NULL,
    source text NOT NULL,
    sync_run_id text,
    external_id text COLLATE "C",
    ordinal integer,
    document text,
    document_bytes integer NOT NULL,
    error_code text NOT NULL,
    error text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    tries integer NOT NULL DEFAULT 1,
    -- What its run takes back when it lands.
    rejections integer NOT NULL DEFAULT 1,
    digest uuid NOT NULL DEFAULT gen_random_uuid(),
    record_state uuid,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    -- What is sent again takes its own place, and no other.
    CONSTRAINT rejects_entity_id_digest_key UNIQUE (workspace_id, entity_id, digest),
    CONSTRAINT rejects_entity_fkey FOREIGN KEY (workspace_id, entity_id)
        REFERENCES kepler.entities (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT rejects_options_object CHECK (jsonb_typeof(options) = 'object')
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- For purge_rejects.
CREATE INDEX rejects_received_at_idx ON kepler.rejects (workspace_id, received_at);
CREATE INDEX rejects_sync_run_id_idx ON kepler.rejects (workspace_id, sync_run_id, id) WHERE sync_run_id IS NOT NULL;

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.connections
    FOR EACH ROW
    WHEN (OLD *<> NEW AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.connections
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.credentials
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.credentials
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.entities
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.rejects
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.rejects
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.entities
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_name BEFORE UPDATE OF type, source ON kepler.entities
    FOR EACH ROW WHEN (
        (OLD.type IS DISTINCT FROM NEW.type
        OR OLD.source IS DISTINCT FROM NEW.source)
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.refuse_entity_rename();

-- Triggers, because the error of a CHECK would show the row, and the secret in it.
CREATE TRIGGER zz_check_secret_ref BEFORE INSERT OR UPDATE ON kepler.connections
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('secret_ref');
CREATE TRIGGER zz_check_secret_ref BEFORE INSERT OR UPDATE ON kepler.credentials
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('secret_ref');
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.connections
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('sync_config', 'refuse', 'metadata', 'refuse', 'issues', 'redact');
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.entities
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('properties', 'refuse', 'issues', 'redact');
-- A reject must be kept whatever it is of: one with a secret is kept without its document, as one that is too large.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.rejects
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('document', 'leave_out', 'error', 'redact');

-- Brings the rest of a record in line with what was changed: updated_at, the enrichment of new content, and the lease of a
-- record that no worker holds any more. Its name makes it fire behind users' triggers, as a rule. Without a condition:
-- Postgres would parse it for each statement, and Kepler's own change one record as often as many.
CREATE TRIGGER update_state
    BEFORE UPDATE OF entity_id, external_id, entity_type, source, status, enrichment_status,
        deleted_at, data, enrichment ON kepler.records
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.finish_record_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.records
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Sessions remember entities. Fires on replicas too: what a subscription changes was changed all the same.
-- By what has changed, and not by what a statement names: triggers of yours change columns too.
CREATE TRIGGER announce AFTER DELETE ON kepler.entities
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_change AFTER UPDATE ON kepler.entities
    FOR EACH ROW WHEN (
        OLD.workspace_id IS DISTINCT FROM NEW.workspace_id
        OR OLD.id IS DISTINCT FROM NEW.id
        OR OLD.connection_id IS DISTINCT FROM NEW.connection_id
        OR OLD.type IS DISTINCT FROM NEW.type
        OR OLD.source IS DISTINCT FROM NEW.source
        OR OLD.ignored_paths IS DISTINCT FROM NEW.ignored_paths)
    EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.entities
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.entities ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.entities ENABLE ALWAYS TRIGGER announce_change;
ALTER TABLE kepler.entities ENABLE ALWAYS TRIGGER announce_truncated;
-- Before the checks of foreign keys are planned, for the rest of the session.
CREATE TRIGGER load_library BEFORE DELETE ON kepler.connections
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();
CREATE TRIGGER load_library BEFORE DELETE ON kepler.entities
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.connections ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.connections USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.credentials USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.entities ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.entities USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.records ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.records USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.detached_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.detached_records USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.rejects ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.rejects USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.connections IS 'One user in one external system';
COMMENT ON COLUMN kepler.connections.status IS 'Whether it can be used: PENDING before it is authorised, ACTIVE, ERROR while it does not work, or INACTIVE';
COMMENT ON COLUMN kepler.connections.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.connections.reference_id IS 'The application''s own reference, for example an account or organisation; unique together with name';
COMMENT ON COLUMN kepler.connections.provider IS 'The external system, for example Gmail or Slack';
COMMENT ON COLUMN kepler.connections.kind IS 'Kind of authorisation: OAUTH, API_KEY, …';
COMMENT ON COLUMN kepler.connections.user_id IS 'User who made the connection; NULL after the user is deleted';
COMMENT ON COLUMN kepler.connections.subscription_id IS 'Identifier of the webhook subscription at the external system';
COMMENT ON COLUMN kepler.connections.secret_ref IS 'Where the secret is stored (vault:…, env:…, aws-sm:…); never the secret itself';
COMMENT ON COLUMN kepler.connections.sync_config IS 'Configuration of the sync; a secret in it is refused';
COMMENT ON COLUMN kepler.connections.issues IS 'Problems of the connection, for people to read; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.connections.metadata IS 'Anything else, a JSON object; a secret in it is refused';
COMMENT ON COLUMN kepler.connections.last_sync_at IS 'When a sync run of one of its entities last succeeded';
COMMENT ON COLUMN kepler.connections.last_verified_at IS 'When the authorisation was last known to work';

COMMENT ON TABLE kepler.credentials IS 'Where the secret of a connection is stored; deleted with its connection';
COMMENT ON COLUMN kepler.credentials.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.credentials.type IS 'Kind of credential, for example OAUTH2 or API_KEY';
COMMENT ON COLUMN kepler.credentials.scope IS 'Granted scopes';
COMMENT ON COLUMN kepler.credentials.secret_ref IS 'Where the secret is stored (vault:…, env:…, aws-sm:…); never the secret itself';

COMMENT ON TABLE kepler.entities IS 'One kind of thing from one place; the first upsert creates it';
COMMENT ON COLUMN kepler.entities.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.entities.connection_id IS 'Connection of the entity; NULL for data that is entered by hand or read from a file';
COMMENT ON COLUMN kepler.entities.type IS 'Kind of thing, for example contact; cannot change while the entity has records';
COMMENT ON COLUMN kepler.entities.source IS 'Origin, for example salesforce or MANUAL; cannot change while the entity has records';
COMMENT ON COLUMN kepler.entities.properties IS 'Properties that the application sets, a JSON object; a secret in it is refused';
COMMENT ON COLUMN kepler.entities.cursor IS 'Where the next incremental sync begins';
COMMENT ON COLUMN kepler.entities.last_sync_id IS 'Last sync run of the entity that succeeded';
COMMENT ON COLUMN kepler.entities.issues IS 'Problems of the entity, for people to read; a sync run that fails adds why, and one that succeeds removes it';
COMMENT ON COLUMN kepler.entities.ignored_paths IS 'JSON Pointers to ignore when an upsert compares a record (set_entity_options)';
COMMENT ON COLUMN kepler.entities.created_by IS 'Person or program that created the entity';

COMMENT ON TABLE kepler.detached_records IS 'Records that delete_connection has kept, and from which connection; adopt_records gives them to another';
COMMENT ON COLUMN kepler.detached_records.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.detached_records.record_id IS 'The record; it is archived and has no entity';
COMMENT ON COLUMN kepler.detached_records.reference_id IS 'reference_id of the connection that was deleted';
COMMENT ON COLUMN kepler.detached_records.connection_name IS 'Name of the connection that was deleted';
COMMENT ON COLUMN kepler.detached_records.was_active IS 'Whether the record was ACTIVE before, and becomes so again when it is adopted';
COMMENT ON COLUMN kepler.detached_records.detached_at IS 'When its connection was deleted';

COMMENT ON TABLE kepler.records IS 'One synced item';
COMMENT ON COLUMN kepler.records.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.records.entity_id IS 'Entity of the record; NULL after the entity or its connection is deleted';
COMMENT ON COLUMN kepler.records.external_id IS 'Identifier of the record at the source; unique within the entity';
COMMENT ON COLUMN kepler.records.entity_type IS 'Kind of thing, as on the entity';
COMMENT ON COLUMN kepler.records.source IS 'Origin, as on the entity';
COMMENT ON COLUMN kepler.records.status IS 'ACTIVE or ARCHIVED; the application sets it, an upsert never does';
COMMENT ON COLUMN kepler.records.enrichment_status IS 'UNAPPLIED, PENDING, APPLIED or FAILED; UNAPPLIED again when the content changes';
COMMENT ON COLUMN kepler.records.updated_at IS 'When content, status or existence of the record last changed in this database';
COMMENT ON COLUMN kepler.records.deleted_at IS 'When the record was soft-deleted; NULL if it exists';
COMMENT ON COLUMN kepler.records.source_updated_at IS 'Newest time that the source gave for the record; older versions are stale';
COMMENT ON COLUMN kepler.records.content_hash IS 'kepler.jsonb_hash(data): 128 bits over the content of data, independent of its spelling';
COMMENT ON COLUMN kepler.records.source_digest IS 'Hash of the text that data was made from, combined with content_hash; recognises the same text without decoding it';
COMMENT ON COLUMN kepler.records.data IS 'Data of the source and nothing else, a JSON object';
COMMENT ON COLUMN kepler.records.enrichment IS 'Results of workers, a JSON object; an upsert changes it only under a policy with clear_on_change';

COMMENT ON TABLE kepler.rejects IS 'Elements that an upsert rejected, as they were sent; kept if the call is for a sync run, or asks for it (options => {"keep_rejects": true}), at most 10,000 of an entity';
COMMENT ON COLUMN kepler.rejects.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.rejects.entity_id IS 'Entity of the call';
COMMENT ON COLUMN kepler.rejects.entity_type IS 'Kind of thing, as on the entity';
COMMENT ON COLUMN kepler.rejects.source IS 'Origin, as on the entity';
COMMENT ON COLUMN kepler.rejects.sync_run_id IS 'Sync run of the call';
COMMENT ON COLUMN kepler.rejects.external_id IS 'Identifier of the record at the source, if it could be read';
COMMENT ON COLUMN kepler.rejects.ordinal IS 'Place of the element in its batch, from 1';
COMMENT ON COLUMN kepler.rejects.document IS 'Text of the element as it was sent; NULL if it is larger than 1 MB, or holds a secret. It may be repaired by an UPDATE before it is retried';
COMMENT ON COLUMN kepler.rejects.document_bytes IS 'Size of the element as it was sent';
COMMENT ON COLUMN kepler.rejects.error_code IS 'Why it was rejected, for programs, as in the answer of the last try';
COMMENT ON COLUMN kepler.rejects.error IS 'The same for people; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.rejects.options IS 'How the element is to be read: merge, id_key, updated_at_key, deleted_key, invalid_characters, source_updated_at';
COMMENT ON COLUMN kepler.rejects.rejections IS 'How often its run has counted it as rejected; a retry that lands takes that back';
COMMENT ON COLUMN kepler.rejects.tries IS 'How often it was rejected, retries included';
COMMENT ON COLUMN kepler.rejects.digest IS 'Recognises an element that is sent again: by its external id, or by its text where it has none or is to be merged';
COMMENT ON COLUMN kepler.rejects.record_state IS 'State of the record when the element was sent (its content_hash, the last bit flipped if it was deleted); NULL if there was no record. A retry without times of the source writes over this state only';
COMMENT ON COLUMN kepler.rejects.received_at IS 'When it was last sent';
