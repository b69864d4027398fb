-- Entries are upserted by a unique set, updated and deleted by their key. What has not changed is not
-- written.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
BEGIN;
SELECT kepler.create_entry_table('Contact', '{"fields": [
    {"name": "email", "type": "text", "required": true, "unique": true, "case_insensitive": true},
    {"name": "org", "type": "text"},
    {"name": "number", "type": "integer"},
    {"name": "level", "type": "integer", "default": 1},
    {"name": "since", "type": "date"},
    {"name": "until", "type": "date"}],
    "unique": [["org", "number"]],
    "checks": [{"field": "since", "op": "<", "other_field": "until"}]}') AS contact \gset

-- New entries. Of two for one key the last wins; case does not count where the field says so.
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Contact', '{email}', '[
    {"email": "ada@example.org", "org": "a", "number": 1, "since": "2024-01-01"},
    {"email": "bob@example.org", "level": 5},
    {"email": "BOB@example.org", "level": 6}]');
SELECT email, org, number, level, since FROM :contact ORDER BY email COLLATE "C";

-- Again: nothing is written, no row is even locked.
CREATE TEMP TABLE before AS SELECT email, ROW(ctid, xmin, xmax)::text AS version FROM :contact;
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Contact', ARRAY['email'], '[
    {"email": "ada@example.org", "number": 1.0}, {"email": "BOB@example.org", "level": 6}]');
SELECT count(*) FROM before JOIN :contact AS c USING (email) WHERE before.version = ROW(c.ctid, c.xmin, c.xmax)::text;

-- What an element does not have stays; null empties; other keys need other fields.
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Contact', '{number,org}', '[
    {"org": "a", "number": 1, "level": 9},
    {"org": "a", "number": 2, "email": "cy@example.org"}]');
SELECT ordinal, outcome FROM kepler.upsert_entries('Contact', '{email}', '[
    {"email": "cy@example.org", "org": null, "number": null}, {"email": "dee@example.org"}]');
SELECT entry_id, email, org, number, level, since FROM :contact ORDER BY entry_id;

-- A rule between two fields, of which one is stored; a unique value that another entry has; a field
-- that a new entry would need.
SELECT ordinal, outcome, error_code, error FROM kepler.upsert_entries('Contact', '{email}', '[
    {"email": "ada@example.org", "until": "2023-01-01"},
    {"email": "bob@example.org", "org": "a", "number": 1},
    {"email": "dee@example.org", "entry_id": 77},
    {"email": null},
    {"level": 1}]', 'skip');
SELECT ordinal, outcome, error_code, error FROM kepler.upsert_entries('Contact', '{org,number}', '[
    {"org": "z", "number": 1}]', 'skip');
SAVEPOINT before;
SELECT FROM kepler.upsert_entries('Contact', '{email}', '[
    {"email": "ada@example.org", "until": "2023-01-01"}, {"email": "bob@example.org", "level": "x"}]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;

-- By the table's key: upsert, and update, which inserts nothing.
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Contact', '{entry_id}', '[
    {"entry_id": 1, "level": 10}, {"entry_id": 1000, "email": "eve@example.org"}]');
SELECT ordinal, entry_id, outcome, error FROM kepler.update_entries('Contact', '[
    {"entry_id": 1, "level": 11}, {"entry_id": 1, "level": 12}, {"entry_id": "1000", "email": "eve@example.org"},
    {"entry_id": 4711, "level": 1}, {"level": 2}, {"entry_id": "x"}, {"entry_id": 1000, "email": null}]', 'skip');
SELECT entry_id, email, level FROM :contact WHERE entry_id IN (1, 1000) ORDER BY 1;

-- Deleted for good.
SELECT * FROM kepler.delete_entries('Contact', ARRAY['1000', '1', '1', '4711', 'x', NULL]);
SELECT count(*) FROM :contact WHERE entry_id IN (1, 1000);

-- Keys that find nothing.
SAVEPOINT before;
SELECT FROM kepler.upsert_entries('Contact', '{level}', '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT FROM kepler.upsert_entries('Contact', '{phone}', '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT FROM kepler.upsert_entries('Contact', '{}', '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT FROM kepler.upsert_entries('Contact', NULL, '[]');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
