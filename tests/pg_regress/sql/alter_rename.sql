-- A rename is declared (renamed_from), never guessed: the data stays, where peers planned a drop and an add.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Person', '{"fields": [
    {"name": "fullname", "type": "text", "required": true, "unique": true, "case_insensitive": true, "min_length": 2},
    {"name": "age", "type": "integer", "min": 0}, {"name": "limit_age", "type": "integer"}, {"name": "boss", "type": "reference", "to": "Person"}],
    "unique": [["fullname", "age"]], "checks": [{"field": "age", "op": "<=", "other_field": "limit_age"}], "indexes": [{"fields": ["age"]}]}');
INSERT INTO kepler_data.person_1_entries (fullname, age, limit_age) VALUES ('Ada', 36, 40);

-- Everything renamed, with all rules about it: only names change. (A reference to the table itself is made anew when
-- its key is renamed in the same change.)
\set renamed '{"key": {"name": "person_id"}, "fields": [{"name": "name", "renamed_from": "fullname", "type": "text", "required": true, "unique": true, "case_insensitive": true, "min_length": 2}, {"name": "years", "renamed_from": "age", "type": "integer", "min": 0}, {"name": "limit_years", "renamed_from": "limit_age", "type": "integer"}, {"name": "manager", "renamed_from": "boss", "type": "reference", "to": "Person"}], "unique": [["name", "years"]], "checks": [{"field": "years", "op": "<=", "other_field": "limit_years"}], "indexes": [{"fields": ["years"]}]}'
SELECT operation, object, class, statement, undo FROM kepler.plan_entry_table('Person', :'renamed');
SELECT kepler.alter_entry_table('Person', :'renamed');
SELECT person_id, name, years, limit_years, manager FROM kepler_data.person_1_entries;
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.person_1_entries'::regclass AND contype <> 'n' ORDER BY contype, conkey;
-- The document still tells its renames: applied again it does nothing. They are no part of the version.
SELECT kepler.alter_entry_table('Person', :'renamed');
SELECT DISTINCT f ? 'renamed_from' AS told FROM kepler.structures AS s, jsonb_array_elements(s.structure -> 'fields') AS f;

-- Two fields change places by way of a third name. A chain of names is worked off in the order that it needs, and done once.
SELECT kepler.create_entry_table('Swap', '{"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}, {"name": "c", "type": "integer"}]}');
INSERT INTO kepler_data.swap_2_entries (a, b, c) VALUES (1, 2, 3);
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "a", "type": "integer", "renamed_from": "b"}, {"name": "b", "type": "integer", "renamed_from": "a"}, {"name": "c", "type": "integer"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT operation, object FROM kepler.plan_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer", "renamed_from": "a"}, {"name": "c", "type": "integer", "renamed_from": "b"}, {"name": "d", "type": "integer", "renamed_from": "c"}]}');
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer", "renamed_from": "a"}, {"name": "c", "type": "integer", "renamed_from": "b"}, {"name": "d", "type": "integer", "renamed_from": "c"}]}');
SELECT b, c, d FROM kepler_data.swap_2_entries;
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer", "renamed_from": "a"}, {"name": "c", "type": "integer", "renamed_from": "b"}, {"name": "d", "type": "integer", "renamed_from": "c"}]}');

-- Without renamed_from it is another field: the old one is hidden with its data, and a look at the plan shows it.
SELECT operation, object, class FROM kepler.plan_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer"}, {"name": "c", "type": "integer"}, {"name": "e", "type": "integer"}]}');
-- A rename and a change of type in one.
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer"}, {"name": "c", "type": "integer"}, {"name": "e", "type": "bigint", "renamed_from": "d", "required": true, "default": 7}]}', allow => '{rewrite}');
SELECT b, c, e FROM kepler_data.swap_2_entries;

-- Renames that cannot be: from what is not there, twice from one field, to a column added by hand.
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "b", "type": "integer"}, {"name": "c", "type": "integer"}, {"name": "f", "type": "bigint", "renamed_from": "nothing"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "x", "type": "integer", "renamed_from": "b"}, {"name": "y", "type": "integer", "renamed_from": "b"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ALTER TABLE kepler_data.swap_2_entries ADD COLUMN mine integer;
SELECT kepler.alter_entry_table('Swap', '{"fields": [{"name": "mine", "type": "integer", "renamed_from": "b"}, {"name": "c", "type": "integer"}, {"name": "e", "type": "bigint", "required": true, "default": 7}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- A table that others refer to, renamed in its key: the references follow.
SELECT kepler.create_entry_table('Task', '{"fields": [{"name": "owner", "type": "reference", "to": "Person"}]}');
INSERT INTO kepler_data.task_3_entries (owner) VALUES (1);
SELECT kepler.alter_entry_table('Person', replace(:'renamed', 'person_id', 'id'));
SELECT p.id, p.name FROM kepler_data.task_3_entries AS t JOIN kepler_data.person_1_entries AS p ON p.id = t.owner;
SELECT * FROM kepler.plan_entry_table('Task', '{"fields": [{"name": "owner", "type": "reference", "to": "Person"}]}');
ROLLBACK;
