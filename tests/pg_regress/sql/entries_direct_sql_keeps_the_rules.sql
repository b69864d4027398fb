-- Entry tables are plain tables: direct SQL works, under the same rules, beside the functions.
\set VERBOSITY sqlstate
SET timezone = 'UTC';
BEGIN;
SELECT kepler.create_entry_table('Stock', '{"fields": [
    {"name": "code", "type": "text", "required": true, "unique": true, "case_insensitive": true, "max_length": 4},
    {"name": "amount", "type": "integer", "min": 0, "max": 10},
    {"name": "state", "type": "enum", "values": ["new", "old"]}]}') AS stock \gset
SELECT outcome FROM kepler.insert_entries('Stock', '[{"code": "a", "amount": 1}]');
INSERT INTO :stock (code, amount, state) VALUES ('b', 2, 'new');
SAVEPOINT before;
INSERT INTO :stock (code) VALUES (NULL);
ROLLBACK TO before;
INSERT INTO :stock (code) VALUES ('A');
ROLLBACK TO before;
INSERT INTO :stock (code) VALUES ('abcde');
ROLLBACK TO before;
INSERT INTO :stock (code, amount) VALUES ('c', 11);
ROLLBACK TO before;
INSERT INTO :stock (code, state) VALUES ('c', 'odd');
ROLLBACK TO before;
UPDATE :stock SET code = 'B' WHERE code = 'a';
ROLLBACK TO before;
-- The functions see what direct SQL wrote.
SELECT entry_id, outcome FROM kepler.upsert_entries('Stock', '{code}', '[{"code": "B", "amount": 2, "state": "new"}, {"code": "a", "amount": 1}]');
UPDATE :stock SET amount = 9 WHERE code = 'a';
SELECT entry_id, outcome FROM kepler.upsert_entries('Stock', '{code}', '[{"code": "a", "amount": 9}]');
SELECT code, amount, state FROM :stock ORDER BY entry_id;
-- A unique index of the user's own is found out too.
CREATE UNIQUE INDEX ON :stock (amount);
SELECT ordinal, outcome, error_code FROM kepler.insert_entries('Stock', '[{"code": "x", "amount": 9}, {"code": "y", "amount": 8}]', 'skip');
ROLLBACK;
