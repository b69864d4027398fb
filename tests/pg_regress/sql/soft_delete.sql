-- Records are deleted softly, by their source or by the application, and can come back. Archiving is the
-- application's own; no upsert undoes it.
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "a", "data": {"v": 1}}, {"external_id": "b", "data": {"v": 1}},
    {"external_id": "c", "data": {"v": 1}}, {"external_id": "d", "data": {"v": 1}, "source_updated_at": "2024-01-02"}]');
CREATE FUNCTION pg_temp.ids(VARIADIC external_ids text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(r.id ORDER BY i.place) FROM unnest(external_ids) WITH ORDINALITY AS i (external_id, place)
    JOIN kepler.records AS r ON r.entity_type = 'thing' AND r.external_id = i.external_id
$$;
CREATE TEMP VIEW things AS
SELECT external_id, data, status, deleted_at IS NOT NULL AS deleted, updated_at > created_at AS touched, source_updated_at
FROM kepler.records WHERE entity_type = 'thing' ORDER BY external_id;

-- By the application: an answer for each id, in order; an id that is given twice is deleted once, one
-- that is unknown is said to be.
SELECT d.ordinal, r.external_id, d.outcome
FROM kepler.delete_records(ARRAY['unknown'] || pg_temp.ids('b', 'a', 'b') || ARRAY[NULL, '']) AS d
LEFT JOIN kepler.records AS r ON r.id = d.record_id ORDER BY d.ordinal;
SELECT ordinal, outcome FROM kepler.delete_records(pg_temp.ids('a', 'c'));
SELECT * FROM kepler.delete_records('{}');
TABLE things;

-- Restored: what is there already stays as it is.
SELECT ordinal, outcome FROM kepler.restore_records(pg_temp.ids('a', 'd') || ARRAY['unknown']);
TABLE things;

-- A record that the application deleted comes back when its source sends it.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[{"external_id": "b", "data": {"v": 1}}]');

-- By the source: with or without data, the data stays.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "a", "deleted": true}, {"external_id": "b", "deleted": true, "data": null},
    {"external_id": "c", "deleted": true, "data": {"v": 9}}, {"external_id": "d", "deleted": true, "source_updated_at": "2024-01-03"}]');
TABLE things;
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "a", "deleted": true}, {"external_id": "d", "deleted": true, "source_updated_at": "2024-01-02"}]');

-- A tombstone for a record that never came is kept: its older versions must not appear later.
SELECT external_id, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "never", "deleted": true, "source_updated_at": "2024-01-05"}]');
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "never", "data": {"v": 1}, "source_updated_at": "2024-01-04"}]');
SELECT * FROM things WHERE external_id = 'never';

-- Restored by new data, or by the same.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "a", "data": {"v": 1}}, {"external_id": "c", "data": {"v": 2}},
    {"external_id": "d", "data": {"v": 1}, "source_updated_at": "2024-01-04"},
    {"external_id": "never", "data": {"v": 3}, "source_updated_at": "2024-01-06"}]');
TABLE things;

-- Archived records stay archived, whatever their source sends; they are still kept up to date.
SELECT ordinal, outcome FROM kepler.archive_records(pg_temp.ids('a', 'b', 'c', 'a'));
SELECT ordinal, outcome FROM kepler.archive_records(pg_temp.ids('a'));
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"external_id": "a", "data": {"v": 5}}, {"external_id": "b", "data": {"v": 5}}, {"external_id": "c", "deleted": true}]');
TABLE things;

-- Restoring ends both: the deletion and the archive.
SELECT ordinal, outcome FROM kepler.restore_records(pg_temp.ids('a', 'b', 'c', 'd'));
TABLE things;

-- One workspace a call: the ids of another are not found there.
INSERT INTO kepler.workspaces (id, name) VALUES ('elsewhere', 'elsewhere');
SELECT outcome FROM kepler.delete_records(pg_temp.ids('a'), 'elsewhere');
SELECT outcome FROM kepler.delete_records(pg_temp.ids('a'), workspace_id => 'default');
ROLLBACK;
