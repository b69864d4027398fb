-- Every version of a structure is kept, with the plan that led to it and who made it; the way from any version to the next
-- can be read, and an earlier one can be planned again.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Note', '{"fields": [{"name": "body", "type": "text"}]}');
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "body", "type": "text", "max_length": 100}, {"name": "author", "type": "text"}]}', allow => '{convert}');
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "content", "renamed_from": "body", "type": "text", "max_length": 100}, {"name": "author", "type": "text", "index": true}]}');
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "content", "type": "text", "max_length": 100}]}');
SELECT kepler.restore_field('Note', 'author');
-- A change that failed leaves no version.
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "content", "type": "integer"}]}');
SELECT s.version, s.created_by = session_user AS by_me, (SELECT jsonb_agg(f -> 'name') FROM jsonb_array_elements(s.structure -> 'fields') AS f) AS fields,
    p.step, p.class, p.sql
FROM kepler.structures AS s LEFT JOIN jsonb_to_recordset(s.plan) AS p (step integer, class text, sql text) ON true
WHERE s.version > 1 ORDER BY s.version, p.step;
SELECT version FROM kepler.entry_tables;

-- Back to an earlier version: a new one, with the names of then. Renames are declared, as always.
SELECT operation, object, class FROM kepler.plan_entry_table('Note', (SELECT structure FROM kepler.structures WHERE version = 2));
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "body", "renamed_from": "content", "type": "text", "max_length": 100}, {"name": "author", "type": "text"}]}');
SELECT a.structure = b.structure AS same FROM kepler.structures AS a, kepler.structures AS b WHERE a.version = 2 AND b.version = 6;

-- Who believes to change another version is told.
SELECT kepler.alter_entry_table('Note', '{"fields": []}', options => '{"version": 5}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Note', '{"fields": []}', options => '{"version": 6}');
-- A table in use has the version that it says; versions are the table's, and go with it.
SELECT kepler.drop_entry_table('Note');
SELECT kepler.purge_entry_table('Note');
SELECT count(*) FROM kepler.structures;
ROLLBACK;
