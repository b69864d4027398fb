-- Users put constraints, indexes and triggers on kepler.records. What one of them has against a record is that
-- element's answer: the others land, however the batch is cut.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
-- A CHECK.
ALTER TABLE kepler.records ADD CONSTRAINT age_is_positive CHECK (entity_type <> 'person' OR (data ->> 'age')::integer > 0);
SELECT ordinal, external_id, record_id IS NOT NULL AS has_id, outcome, error_code, error FROM kepler.upsert_records('person', '[
    {"external_id": "a", "data": {"age": 1}}, {"external_id": "b", "data": {"age": -1}}, {"external_id": "c", "data": {"age": 3}},
    {"external_id": "d", "data": {"age": "many"}}]');
-- Updates and inserts in one batch.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('person', '[
    {"external_id": "a", "data": {"age": 0}}, {"external_id": "b", "data": {"age": 2}}, {"external_id": "c", "data": {"age": 4}},
    {"external_id": "e", "data": {"age": -5}}, {"external_id": "f", "deleted": true}]');
SELECT external_id, data, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'person' ORDER BY 1;
SELECT outcome, error_code FROM kepler.upsert_record('person', 'a', '{"age": -9}');
SELECT counts -> 'rejected' AS rejected, counts -> 'rejected_by_code' AS by_code
FROM kepler.upsert_records_summary('person', '[{"external_id": "g", "data": {"age": -1}}, {"external_id": "h", "data": {"age": 1}}, 7]') AS counts;

-- One bad record among many, and many bad ones: each is found.
SELECT outcome, error_code, count(*), array_agg(external_id ORDER BY ordinal) FILTER (WHERE outcome = 'rejected') AS rejected
FROM kepler.upsert_records('person', (SELECT json_agg(json_build_object('external_id', format('m%s', i), 'data', json_build_object('age', i % 700)))
    FROM generate_series(1, 3000) AS i)::text) GROUP BY 1, 2 ORDER BY 1;

-- Duplicates: the one that wins is refused, and the one before it lands; one that is refused takes no other along.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('person', '[
    {"external_id": "x", "data": {"age": 6}}, {"external_id": "x", "data": {"age": 7}}, {"external_id": "x", "data": {"age": -7}},
    {"external_id": "y", "data": {"age": -6}}, {"external_id": "y", "deleted": true},
    {"external_id": "z", "data": {"age": -1}}, {"external_id": "z", "data": {"age": -2}}]');
SELECT external_id, outcome FROM kepler.upsert_records('person', '[
    {"external_id": "x", "data": {"name": "X"}}, {"external_id": "x", "data": {"age": -7}}, {"external_id": "x", "data": {"city": "Oslo"}}]', merge => 'shallow');
SELECT external_id, data, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'person' AND external_id IN ('x', 'y', 'z') ORDER BY 1;

-- A unique index. Of two new records the first lands; what the same batch sets free is free, in whatever order.
CREATE UNIQUE INDEX one_mail ON kepler.records ((data ->> 'mail')) WHERE entity_type = 'mail';
SELECT external_id, outcome, error_code, error FROM kepler.upsert_records('mail', '[
    {"external_id": "1", "data": {"mail": "a@x"}}, {"external_id": "2", "data": {"mail": "a@x"}}, {"external_id": "3", "data": {"mail": "b@x"}}]');
SELECT external_id, outcome, error_code FROM kepler.upsert_records('mail', '[
    {"external_id": "0", "data": {"mail": "a@x"}}, {"external_id": "1", "data": {"mail": "b@x"}}, {"external_id": "3", "data": {"mail": "c@x"}},
    {"external_id": "4", "data": {"mail": "d@x"}}]');
SELECT external_id, data FROM kepler.records WHERE entity_type = 'mail' ORDER BY 1;

-- Triggers: one that raises, and one that keeps the row without a word.
CREATE FUNCTION pg_temp.no_odd_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.data ->> 'name' = 'odd' THEN
        RAISE EXCEPTION 'odd names are not for us' USING ERRCODE = 'ODD01';
    END IF;
    RETURN CASE WHEN NEW.data ->> 'name' = 'silent' THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER no_odd_names BEFORE INSERT OR UPDATE ON kepler.records FOR EACH ROW WHEN (NEW.entity_type = 'name') EXECUTE FUNCTION pg_temp.no_odd_names();
SELECT external_id, outcome, error_code, error FROM kepler.upsert_records('name', '[
    {"external_id": "1", "data": {"name": "odd"}}, {"external_id": "2", "data": {"name": "silent"}}, {"external_id": "3", "data": {"name": "Ada"}}]');
SELECT external_id, outcome, error_code FROM kepler.upsert_records('name', '[
    {"external_id": "3", "data": {"name": "silent"}}, {"external_id": "4", "data": {"name": "Grace"}}]');
SELECT external_id, data FROM kepler.records WHERE entity_type = 'name' ORDER BY 1;

-- What waits for enrichment is what landed.
SELECT kepler.set_enrichment_policy('person');
SELECT external_id, outcome FROM kepler.upsert_records('person', '[
    {"external_id": "q1", "data": {"age": -1}}, {"external_id": "q2", "data": {"age": 1}}, {"external_id": "a", "data": {"age": -1}}, {"external_id": "c", "data": {"age": 44}}]');
SELECT r.external_id FROM kepler.enrichment_queue AS q JOIN kepler.records AS r ON r.id = q.record_id
WHERE r.external_id IN ('q1', 'q2', 'c') ORDER BY 1;

-- Deleting, restoring and archiving: the same.
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.data ->> 'keep' = 'loudly' THEN
        RAISE EXCEPTION 'this one stays' USING ERRCODE = 'KEEP1';
    END IF;
    RETURN CASE WHEN NEW.data ->> 'keep' = 'silently' THEN NULL ELSE NEW END;
END $$;
SELECT external_id, outcome FROM kepler.upsert_records('kept', '[
    {"external_id": "1", "data": {}}, {"external_id": "2", "data": {"keep": "loudly"}}, {"external_id": "3", "data": {}}, {"external_id": "4", "data": {"keep": "silently"}},
    {"external_id": "5", "data": {"keep": "loudly"}}]');
CREATE TRIGGER keep BEFORE UPDATE ON kepler.records FOR EACH ROW WHEN (NEW.entity_type = 'kept') EXECUTE FUNCTION pg_temp.keep();
CREATE FUNCTION pg_temp.kept() RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(id ORDER BY external_id) || 'unknown'::text || max(id) FILTER (WHERE external_id = '1') FROM kepler.records WHERE entity_type = 'kept' $$;
SELECT ordinal, outcome, error_code, error FROM kepler.delete_records(pg_temp.kept());
SELECT ordinal, outcome, error_code FROM kepler.archive_records(pg_temp.kept());
SELECT ordinal, outcome, error_code FROM kepler.restore_records(pg_temp.kept());

-- A rule for entities concerns the whole call.
ALTER TABLE kepler.entities ADD CONSTRAINT no_such_type CHECK (type <> 'forbidden');
\set VERBOSITY terse
SELECT * FROM kepler.upsert_records('forbidden', '[{"external_id": "1", "data": {}}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
