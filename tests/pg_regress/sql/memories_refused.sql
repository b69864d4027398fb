-- What the database refuses to delete or to end is that memory's answer: the others go.
\set SHOW_CONTEXT never
BEGIN;
INSERT INTO kepler.memories (id, content) SELECT 'm' || i, 'memory ' || i FROM generate_series(1, 6) AS i;
CREATE FUNCTION pg_temp.guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id = 'm2' THEN RAISE EXCEPTION 'm2 stays' USING ERRCODE = 'check_violation'; END IF;
    IF OLD.id = 'm4' THEN RETURN NULL; END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.guard();

-- Ended: one is refused, one kept silently, one is not there, one named twice.
SELECT * FROM kepler.end_memories('{m1,m2,m3,m4,none,m1}', '2030-01-01');
SELECT * FROM kepler.end_memories('{m1,m5}', '2030-01-01');
SELECT id, expires_at IS NOT NULL AS ends FROM kepler.memories ORDER BY id;
-- Deleted.
SELECT * FROM kepler.forget('{m1,m2,m3,m4,none,m1}');
SELECT id FROM kepler.memories ORDER BY id;
SELECT * FROM kepler.forget('{}');

-- What is about the session and not about the row fails the call.
CREATE OR REPLACE FUNCTION pg_temp.guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END
$$;
SAVEPOINT s;
SELECT * FROM kepler.forget('{m5}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
ROLLBACK;
