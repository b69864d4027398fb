-- kepler.doctor() finds nothing on what install() has just made, on every version of Postgres; it names whatever is broken then,
-- and the statement that it gives mends it.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;

-- Nothing is wrong with the definitions, and no check fails.
SELECT d.* FROM kepler.doctor() AS d WHERE d.severity = 'error';
CREATE TEMPORARY TABLE before AS SELECT * FROM kepler.doctor();
CREATE TEMPORARY VIEW findings AS SELECT * FROM kepler.doctor() EXCEPT SELECT * FROM before;

CREATE FUNCTION pg_temp.mend() RETURNS TABLE (severity text, check_name text, object_name text, message text, mended boolean) LANGUAGE plpgsql AS $$
DECLARE f record;
BEGIN
    FOR f IN SELECT * FROM findings AS x ORDER BY x.check_name, x.object_name COLLATE "C" LOOP
        mended := f.statement IS NOT NULL;
        -- None of these in a transaction.
        IF f.statement !~ '^(VACUUM|ALTER SYSTEM|CALL) ' THEN
            EXECUTE replace(f.statement, ' CONCURRENTLY', '');
        ELSE
            mended := false;
        END IF;
        severity := f.severity; check_name := f.check_name; object_name := f.object_name;
        message := regexp_replace(f.message, '[0-9]{4}-[-0-9:+. TZ]+', 'THEN');
        RETURN NEXT;
    END LOOP;
END $$;

-- Definitions: what was dropped, changed or switched off by hand.
ALTER TABLE kepler.records ALTER COLUMN data DROP DEFAULT;
ALTER TABLE kepler.memories ALTER COLUMN relevance_score SET DEFAULT 1;
ALTER TABLE kepler.sync_batches ALTER COLUMN stale DROP NOT NULL;
ALTER TABLE kepler.connections DROP COLUMN last_verified_at;
ALTER TABLE kepler.memories DROP CONSTRAINT memories_valid_range;
ALTER TABLE kepler.rejects DROP CONSTRAINT rejects_entity_fkey;
ALTER TABLE kepler.executions DROP CONSTRAINT executions_timeout_positive,
    ADD CONSTRAINT executions_timeout_positive CHECK (timeout > interval '0') NOT VALID;
ALTER TABLE kepler.leases DROP CONSTRAINT leases_pkey;
DROP INDEX kepler.rejects_received_at_idx, kepler.leases_error_idx;
DROP INDEX kepler.leases_deadline_idx;
CREATE INDEX leases_deadline_idx ON kepler.leases (deadline);
DROP TRIGGER keep_id ON kepler.memories;
DROP TRIGGER announce ON kepler.workspaces;
ALTER TABLE kepler.users DISABLE TRIGGER zz_guard_secrets;
ALTER TABLE kepler.structures ENABLE TRIGGER announce;
DROP POLICY workspace ON kepler.messages;
ALTER POLICY workspace ON kepler.memories USING (true);
CREATE POLICY another ON kepler.workflows USING (true);
CREATE POLICY narrower ON kepler.workflows AS RESTRICTIVE USING (true);
ALTER TABLE kepler.credentials DISABLE ROW LEVEL SECURITY;
ALTER TABLE kepler.entities FORCE ROW LEVEL SECURITY;
ALTER SEQUENCE kepler.feed_sequence MAXVALUE 1000000;
-- What was added is nobody's business.
ALTER TABLE kepler.records ADD COLUMN mine text DEFAULT 'x';
CREATE INDEX mine ON kepler.records (mine);
SELECT * FROM pg_temp.mend() AS m ORDER BY m.check_name COLLATE "C", m.object_name COLLATE "C", m.severity;
SELECT * FROM findings;

-- A trigger that changes rows behind those of Kepler that read them. One that fires after the row is written changes nothing.
CREATE FUNCTION pg_temp.shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.content := NEW.content || ' indeed'; RETURN NEW; END$$;
CREATE TRIGGER zzzz_shout BEFORE INSERT OR UPDATE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
CREATE TRIGGER zzz_before_words BEFORE UPDATE ON kepler.messages FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
CREATE TRIGGER zzzz_after AFTER UPDATE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
CREATE TRIGGER zzzz_deleted BEFORE DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
CREATE TRIGGER first BEFORE INSERT ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
SAVEPOINT written;
INSERT INTO kepler.memories (id, content) VALUES ('m', 'tea');
SELECT content, text_search @@ 'indeed' AS first_found, text_search FROM kepler.memories WHERE id = 'm';
ROLLBACK TO written;
SELECT check_name, object_name, hint FROM findings ORDER BY 2;
SELECT * FROM pg_temp.mend() AS m ORDER BY m.check_name COLLATE "C", m.object_name COLLATE "C", m.severity;
SELECT * FROM findings;
INSERT INTO kepler.memories (id, content) VALUES ('m', 'tea');
SELECT content, text_search FROM kepler.memories WHERE id = 'm';
DROP TRIGGER zzzz_deleted ON kepler.memories;
DELETE FROM kepler.memories WHERE id = 'm';

-- Indexes, rights, owners, vacuum, settings, and what must be done now and then.
CREATE ROLE doctor_other;
CREATE ROLE doctor_varies;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'kepler.rejects_sync_run_id_idx'::regclass;
ALTER TABLE kepler.entities DISABLE TRIGGER ALL;
ALTER TABLE kepler.executions DISABLE TRIGGER tell_history_delete;
GRANT SELECT ON kepler.records TO PUBLIC;
GRANT UPDATE (data) ON kepler.records TO PUBLIC;
GRANT USAGE ON SCHEMA kepler_data TO PUBLIC;
GRANT EXECUTE ON FUNCTION kepler.claim_records TO PUBLIC;
ALTER TABLE kepler.detached_records OWNER TO doctor_other;
ALTER TABLE kepler.leases SET (autovacuum_enabled = off);
ALTER TABLE kepler.records ALTER COLUMN entity_type SET STATISTICS 0;
ALTER SEQUENCE kepler.entry_table_numbers MAXVALUE 1000;
SELECT setval('kepler.entry_table_numbers', 900);
SET LOCAL default_statistics_target = 10;
SET LOCAL kepler.planner_hooks = off;
INSERT INTO kepler.workspaces (id, name) VALUES ('doctor_a', 'a'), ('doctor_b', 'b');
SELECT kepler.grant_access('doctor_varies', 'reader', 'doctor_a'), kepler.grant_access('doctor_varies', 'writer', 'doctor_b');
INSERT INTO kepler.records (entity_type) VALUES ('doctor');
INSERT INTO kepler.consumers (name, cursor, acknowledged_at) VALUES ('doctor_gone', '01' || repeat('0', 56), 'yesterday'),
    ('doctor_idle', kepler.feed_cursor(), clock_timestamp());
INSERT INTO kepler.maintenance (step, object, outcome, last_started_at, last_error_code, failures) VALUES ('doctor', 'x', 'failed', clock_timestamp(), '22012', 3);
SELECT * FROM pg_temp.mend() AS m ORDER BY m.check_name COLLATE "C", m.object_name COLLATE "C", m.severity;
SELECT f.check_name, f.object_name, f.message FROM findings AS f ORDER BY 1;
-- Another database, or the next session, reads a setting of the database.
SELECT s.setconfig AS set FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = current_database();

-- What only Postgres can say: a collation that changed, and a table that vacuum has not been to for too long.
UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database();
UPDATE pg_class SET relfrozenxid = ((relfrozenxid::text::bigint + 4294967296 - 1500000000) % 4294967296)::text::xid WHERE oid = 'kepler.consumers'::regclass;
SELECT f.severity, f.check_name, replace(f.statement, current_database(), 'THIS') AS statement FROM findings AS f WHERE f.check_name IN ('collation', 'wraparound')
    AND f.object_name IN ('kepler.consumers', 'database ' || quote_ident(current_database())) ORDER BY 2;
ROLLBACK;

-- Versions.
BEGIN;
SET LOCAL client_min_messages = warning;
UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'kepler';
UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector';
DELETE FROM kepler.schema_versions WHERE version > 12;
SELECT d.severity, d.check_name, d.object_name, d.statement, d.hint FROM kepler.doctor() AS d WHERE d.check_name LIKE '%version' ORDER BY 2;
INSERT INTO kepler.schema_versions (version, name, library_version) VALUES (9999, 'later', '99.0.0');
SELECT d.severity, d.check_name, d.statement, d.hint FROM kepler.doctor() AS d WHERE d.check_name = 'schema_version';
ROLLBACK;
SELECT kepler_internal.server_warning(160009) IS NOT NULL AS warned, kepler_internal.server_warning(160010) IS NULL AS fixed;

-- A table that was renamed, a view that is gone, a table that somebody else's view took the place of: findings, and no error.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE before AS SELECT * FROM kepler.doctor();
ALTER TABLE kepler.memories RENAME TO memories_old;
DROP VIEW kepler.stat_feed;
ALTER TABLE kepler.workspace_members RENAME COLUMN level TO rank;
SELECT d.severity, d.check_name, d.object_name, d.message FROM kepler.doctor() AS d EXCEPT SELECT b.severity, b.check_name, b.object_name, b.message FROM before AS b ORDER BY 2, 3;
ROLLBACK;

-- Half an installation, and none.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE kepler.history, kepler.feed, kepler.consumers, kepler.leases CASCADE;
SELECT d.check_name, d.object_name FROM kepler.doctor() AS d WHERE d.check_name IN ('table', 'view') ORDER BY 1, 2;
ALTER TABLE kepler.schema_versions RENAME TO elsewhere;
SELECT d.severity, d.check_name, d.statement FROM kepler.doctor() AS d WHERE d.check_name = 'installation';
ROLLBACK;

-- Options.
SELECT count(*) FROM kepler.doctor('{"held": "1 hour"}');
SELECT count(*) FROM kepler.doctor('{"held_for": "soon"}');
SELECT count(*) FROM kepler.doctor('[]');
SELECT count(*) FROM kepler.doctor(NULL);
SELECT count(*) FROM kepler.doctor('{"held_for": null, "silent_for": "0"}') AS d WHERE d.severity = 'error';

-- Statistics and vacuum, which Postgres counts when a transaction ends.
CREATE TABLE kepler_data.doctor_rows (n integer) WITH (autovacuum_enabled = off);
INSERT INTO kepler_data.doctor_rows SELECT FROM generate_series(1, 10001);
SELECT FROM pg_stat_force_next_flush();
SELECT d.severity, d.check_name, d.message, d.statement FROM kepler.doctor() AS d WHERE d.object_name = 'kepler_data.doctor_rows' ORDER BY 2;
ANALYZE kepler_data.doctor_rows;
DELETE FROM kepler_data.doctor_rows;
SELECT FROM pg_stat_force_next_flush();
SELECT d.severity, d.check_name, d.message, d.statement FROM kepler.doctor() AS d WHERE d.object_name = 'kepler_data.doctor_rows' AND d.check_name = 'vacuum';
DROP TABLE kepler_data.doctor_rows;

-- For pg_monitor and the owner; a level, and a hostile search_path, change nothing.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE doctor_tenant; CREATE ROLE doctor_monitor IN ROLE pg_monitor; CREATE ROLE doctor_nobody;
SELECT kepler.grant_access('doctor_tenant', 'admin', 'default');
CREATE SCHEMA doctor_trap;
CREATE FUNCTION doctor_trap.pg_has_role(name, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE VIEW doctor_trap.pg_class AS SELECT 1 AS oid;
GRANT USAGE ON SCHEMA doctor_trap TO PUBLIC; GRANT SELECT ON doctor_trap.pg_class TO PUBLIC;
SET LOCAL search_path = doctor_trap, pg_catalog;
SET LOCAL ROLE doctor_monitor;
SELECT count(*) AS errors FROM kepler.doctor() AS d WHERE d.severity = 'error';
SAVEPOINT here;
SELECT count(*) FROM kepler.records;
ROLLBACK TO here;
SET LOCAL ROLE doctor_tenant;
SELECT count(*) FROM kepler.doctor();
ROLLBACK TO here;
SET LOCAL ROLE doctor_nobody;
SELECT count(*) FROM kepler.doctor();
ROLLBACK;
