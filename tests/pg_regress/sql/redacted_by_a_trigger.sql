-- A trigger of the user's makes something else of what a source sends: it redacts. The same text sent again is
-- unchanged all the same, since a record is compared with what its source sent; and it writes nothing.
BEGIN;
CREATE FUNCTION pg_temp.redact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.data := NEW.data - 'ssn' || CASE WHEN NEW.data ? 'ssn' OR NEW.data ? 'redacted' THEN '{"redacted": true}' ELSE '{}' END::jsonb;
    RETURN NEW;
END $$;
CREATE TRIGGER redact BEFORE INSERT OR UPDATE ON kepler.records FOR EACH ROW WHEN (NEW.entity_type = 'patient') EXECUTE FUNCTION pg_temp.redact();
CREATE VIEW pg_temp.patients AS SELECT external_id, data, ctid, xmin FROM kepler.records WHERE entity_type = 'patient';

PREPARE sync (text) AS SELECT external_id, outcome FROM kepler.upsert_records('patient', $1);
EXECUTE sync ('[{"external_id": "a", "data": {"name": "A", "ssn": 1}}, {"external_id": "b", "data": {"name": "B"}}]');
SELECT external_id, data FROM pg_temp.patients ORDER BY 1;
CREATE TEMP TABLE before AS SELECT external_id, ctid AS place FROM pg_temp.patients;
EXECUTE sync ('[{"external_id": "a", "data": {"name": "A", "ssn": 1}}, {"external_id": "b", "data": {"name": "B"}}]');
SELECT p.external_id, p.ctid = b.place AS not_written FROM pg_temp.patients AS p JOIN before AS b USING (external_id) ORDER BY 1;

-- A change is one, and is known the next time.
EXECUTE sync ('[{"external_id": "a", "data": {"name": "A", "ssn": 2}}, {"external_id": "b", "data": {"name": "B", "ssn": 3}}]');
EXECUTE sync ('[{"external_id": "a", "data": {"name": "A", "ssn": 2}}, {"external_id": "b", "data": {"name": "B", "ssn": 3}}]');
SELECT external_id, data FROM pg_temp.patients ORDER BY 1;

-- A newer time is noted; what was changed by hand is changed back.
SELECT outcome FROM kepler.upsert_record('patient', 'a', '{"name": "A", "ssn": 2}', '2024-01-01');
UPDATE kepler.records SET data = '{"name": "by hand"}' WHERE entity_type = 'patient' AND external_id = 'a';
SELECT outcome FROM kepler.upsert_record('patient', 'a', '{"name": "A", "ssn": 2}', '2024-01-01');
SELECT outcome FROM kepler.upsert_record('patient', 'a', '{"name": "A", "ssn": 2}', '2024-01-01');
SELECT external_id, data FROM pg_temp.patients ORDER BY 1;

-- Merged too.
SELECT outcome FROM kepler.upsert_record('patient', 'c', '{"name": "C", "ssn": 2}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('patient', 'c', '{"name": "C", "ssn": 2}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('patient', 'c', '{"ssn": 4}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('patient', 'c', '{"ssn": 4}', merge => 'shallow');
SELECT external_id, data FROM pg_temp.patients ORDER BY 1;
ROLLBACK;
