-- Texts of another encoding would be read wrongly: json_matches and the like need no tables, which install() refuses to make.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE feature_not_supported USING
            MESSAGE = format('Kepler needs a database with encoding UTF8, not %s', current_setting('server_encoding')),
            HINT = 'CREATE DATABASE name TEMPLATE template0 ENCODING ''UTF8'', and move the data there with pg_dump.';
    END IF;
END
$$;

-- What callers do not call: triggers, checks and parts of functions. Without rights for anybody but those to whom
-- kepler.grant_access gives them.
CREATE SCHEMA kepler_internal;
COMMENT ON SCHEMA kepler_internal IS 'Parts of Kepler''s functions and triggers: not to be called, and may change';

-- Types that tables and functions share.

CREATE TYPE kepler.connection_status AS ENUM ('ACTIVE', 'PENDING', 'ERROR', 'INACTIVE');
COMMENT ON TYPE kepler.connection_status IS 'Whether a connection can be used: PENDING before it is authorised, ERROR while it does not work';

CREATE TYPE kepler.record_status AS ENUM ('ACTIVE', 'ARCHIVED');
COMMENT ON TYPE kepler.record_status IS 'Whether the application still works with a record';

CREATE TYPE kepler.record_enrichment_status AS ENUM ('UNAPPLIED', 'PENDING', 'APPLIED', 'FAILED');
COMMENT ON TYPE kepler.record_enrichment_status IS 'How far the enrichment of a record has come';

CREATE TYPE kepler.workflow_status AS ENUM ('ACTIVE', 'INACTIVE');
COMMENT ON TYPE kepler.workflow_status IS 'Whether a workflow may start';

CREATE TYPE kepler.execution_status AS ENUM ('RUNNING', 'SUCCESS', 'FAILURE', 'ABANDONED', 'WAITING', 'CANCELLED');
COMMENT ON TYPE kepler.execution_status IS 'How a run of a workflow stands: running, waiting for a person, or how it ended';

CREATE TYPE kepler.execution_step_status AS ENUM ('RUNNING', 'SUCCESS', 'FAILURE', 'SKIPPED');
COMMENT ON TYPE kepler.execution_step_status IS 'How a step of a run stands: running, or how it ended';

CREATE TYPE kepler.attempt_outcome AS ENUM (
    'applied', 'retried', 'failed', 'released', 'superseded', 'expired');
COMMENT ON TYPE kepler.attempt_outcome IS 'How an attempt to enrich a record ended';

CREATE TYPE kepler.embedding_metric AS ENUM ('cosine', 'inner_product', 'l2');
COMMENT ON TYPE kepler.embedding_metric IS 'How embeddings of a space are compared';

CREATE TYPE kepler.embedding_space_status AS ENUM ('ACTIVE', 'RETIRED');
COMMENT ON TYPE kepler.embedding_space_status IS 'Whether a space takes embeddings, and can be searched';

CREATE TYPE kepler.memory_format AS ENUM ('TEXT', 'JSON');
COMMENT ON TYPE kepler.memory_format IS 'What the content of a memory is';

CREATE TYPE kepler.message_role AS ENUM ('system', 'user', 'assistant', 'tool');
COMMENT ON TYPE kepler.message_role IS 'Who speaks in a message of a conversation';

CREATE TYPE kepler.sync_mode AS ENUM ('full', 'incremental');
COMMENT ON TYPE kepler.sync_mode IS 'Whether a sync run lists everything, or only what has changed';

CREATE TYPE kepler.sync_status AS ENUM ('RUNNING', 'SUCCESS', 'FAILURE', 'ABANDONED');
COMMENT ON TYPE kepler.sync_status IS 'How a sync run stands: running, or how it ended';

CREATE TYPE kepler.change_operation AS ENUM ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
COMMENT ON TYPE kepler.change_operation IS 'What was done to a row';

CREATE TYPE kepler.change AS (
    cursor text, relation text, row_id text, entity_type text, operation text,
    sequence bigint, created_at timestamptz);
COMMENT ON TYPE kepler.change IS 'A change of a row, as changes_since gives it; one without an operation only moves the cursor on';
