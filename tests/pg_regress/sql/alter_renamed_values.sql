-- An option of an enum gets another name, and the rows that hold it follow.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Task', '{"fields": [
  {"name": "title",  "type": "text"},
  {"name": "status", "type": "enum", "values": ["open", "it''s", "done"], "default": "open", "required": true},
  {"name": "labels", "type": "enum", "values": ["a", "b", "c"], "list": true}],
  "checks": [{"field": "status", "op": "<>", "value": "done"}]}') AS task \gset
SELECT count(*) FROM kepler.insert_entries('Task', '[{"title": "1"}, {"title": "2", "status": "it''s", "labels": ["a", "b", "a"]}, {"title": "3", "labels": ["c"]}, {"title": "4", "labels": []}, {"title": "0", "status": "it''s", "labels": ["a", "c"]}]');
CREATE TEMP TABLE before AS SELECT entry_id, ctid::text AS place, updated_at FROM :task;

-- The plan says how many rows; it needs permission, and takes the default and the check along.
\set next '{"fields": [{"name": "title", "type": "text"}, {"name": "state", "renamed_from": "status", "type": "enum", "values": ["todo", "it''s", "closed"], "renamed_values": {"open": "todo", "done": "closed"}, "default": "todo", "required": true}, {"name": "labels", "type": "enum", "values": ["a", "B", "c"], "renamed_values": {"b": "B"}, "list": true}], "checks": [{"field": "state", "op": "<>", "value": "closed"}]}'
SELECT operation, object, class, estimated_rows, lock, statement, undo FROM kepler.plan_entry_table('Task', :'next');
SAVEPOINT before;
SELECT kepler.alter_entry_table('Task', :'next');
ROLLBACK TO before;
SELECT kepler.alter_entry_table('Task', :'next', '{rewrite}'), kepler.alter_entry_table('Task', :'next');
SELECT title, state, labels FROM :task ORDER BY title;
-- Only rows that hold a renamed value are written, and they count as changed.
SELECT entry_id, t.ctid::text <> b.place AS written, t.updated_at > b.updated_at AS changed FROM :task AS t JOIN before AS b USING (entry_id) ORDER BY entry_id;
SELECT kepler.alter_entry_table('Task', :'next');
SELECT outcome, error FROM kepler.insert_entries('Task', '[{"title": "5"}, {"state": "open"}]', 'skip');
-- The version keeps what was done.
SELECT version, p.step ->> 'operation' AS operation, p.step ->> 'sql' AS sql FROM kepler.structures, jsonb_array_elements(plan) AS p (step) WHERE p.step ->> 'operation' = 'rename_values';
SELECT structure -> 'fields' -> 1 FROM kepler.structures ORDER BY version;

-- An option under the old name of another; a chain; two that become one; told again, nothing is done.
SELECT kepler.create_entry_table('Light', '{"fields": [{"name": "colour", "type": "enum", "values": ["red", "green", "blue"]}]}') AS light \gset
SELECT count(*) FROM kepler.insert_entries('Light', '[{"colour": "red"}, {"colour": "green"}, {"colour": "blue"}, {}, {"colour": null}]');
\set again '{"fields": [{"name": "colour", "type": "enum", "values": ["red", "crimson", "green", "blue"], "renamed_values": {"red": "crimson"}}]}'
SELECT kepler.alter_entry_table('Light', :'again', '{rewrite}');
SELECT count(*) FROM kepler.insert_entries('Light', '[{"colour": "red"}]');
SELECT kepler.alter_entry_table('Light', :'again', '{rewrite}');
SELECT entry_id, colour FROM :light ORDER BY entry_id;
\set chain '{"fields": [{"name": "colour", "type": "enum", "values": ["red", "green", "blue", "violet"], "renamed_values": {"crimson": "red", "red": "green", "green": "blue", "blue": "violet"}}]}'
SELECT estimated_rows, hazards FROM kepler.plan_entry_table('Light', :'chain') WHERE operation = 'rename_values';
SELECT kepler.alter_entry_table('Light', :'chain', '{rewrite}'), kepler.alter_entry_table('Light', :'chain', '{rewrite}');
SELECT entry_id, colour FROM :light ORDER BY entry_id;
\set merge '{"fields": [{"name": "colour", "type": "enum", "values": ["warm", "cold"], "renamed_values": {"red": "warm", "green": "warm", "blue": "cold", "violet": "cold"}}]}'
SELECT estimated_rows, hazards, undo FROM kepler.plan_entry_table('Light', :'merge') WHERE operation = 'rename_values';
SELECT kepler.alter_entry_table('Light', :'merge', '{rewrite}'), kepler.alter_entry_table('Light', :'merge');
SELECT string_agg(colour, ', ' ORDER BY entry_id) FROM :light;

-- Two that swap. Told again it is done; told anew after a version that did not tell it, it is another swap.
\set swap '{"fields": [{"name": "colour", "type": "enum", "values": ["warm", "cold"], "renamed_values": {"warm": "cold", "cold": "warm"}}]}'
\set plain '{"fields": [{"name": "colour", "type": "enum", "values": ["warm", "cold"]}]}'
SELECT operation, class, estimated_rows FROM kepler.plan_entry_table('Light', :'swap');
SELECT kepler.alter_entry_table('Light', :'swap', '{rewrite}'), kepler.alter_entry_table('Light', :'swap');
SELECT string_agg(colour, ', ' ORDER BY entry_id) FROM :light;
SELECT kepler.alter_entry_table('Light', :'plain'), kepler.alter_entry_table('Light', :'plain');
SELECT kepler.alter_entry_table('Light', :'swap', '{rewrite}'), kepler.alter_entry_table('Light', :'swap');
SELECT string_agg(colour, ', ' ORDER BY entry_id) FROM :light;
-- A JSON Schema says it under x-kepler.
SELECT operation, estimated_rows FROM kepler.plan_entry_table('Light', '{"type": "object", "properties": {"colour": {"enum": ["hot", "cold"], "x-kepler": {"renamed_values": {"warm": "hot"}}}}}') WHERE class <> 'instant';

-- Where the option is unique, no row meets another one on its way: values go one after the other, and one of a circle steps aside.
SELECT kepler.create_entry_table('Post', '{"fields": [{"name": "who", "type": "text"}, {"name": "role", "type": "enum", "values": ["first", "second", "third", "fourth"]}], "unique": [["who", "role"]]}') AS post \gset
SELECT count(*) FROM kepler.insert_entries('Post', '[{"who": "ada", "role": "first"}, {"who": "ada", "role": "second"}, {"who": "ada", "role": "third"}, {"who": "bob", "role": "fourth"}, {"who": "bob", "role": "third"}]');
\set circle '{"fields": [{"name": "who", "type": "text"}, {"name": "role", "type": "enum", "values": ["first", "second", "third", "last"], "renamed_values": {"first": "second", "second": "third", "third": "first", "fourth": "last"}}], "unique": [["who", "role"]]}'
SELECT operation, estimated_rows, statement FROM kepler.plan_entry_table('Post', :'circle');
SELECT kepler.alter_entry_table('Post', :'circle', '{rewrite}'), kepler.alter_entry_table('Post', :'circle');
SELECT entry_id, who, role FROM :post ORDER BY entry_id;
SAVEPOINT before;
-- What would be two entries with the same is found before.
SELECT kepler.alter_entry_table('Post', '{"fields": [{"name": "who", "type": "text"}, {"name": "role", "type": "enum", "values": ["first", "rest"], "renamed_values": {"second": "rest", "third": "rest", "last": "rest"}}], "unique": [["who", "role"]]}', '{rewrite}');
ROLLBACK TO before;

-- So is it in every unique set; an index or a check by hand is told in words that show no values.
SELECT kepler.create_entry_table('Person', '{"fields": [{"name": "st", "type": "enum", "values": ["a", "b"]}, {"name": "k", "type": "integer"}, {"name": "ssn", "type": "text", "sensitive": true}], "unique": [["st", "k"], ["st", "ssn"]]}') AS person \gset
SELECT count(*) FROM kepler.insert_entries('Person', '[{"st": "a", "k": 1, "ssn": "123-45-6789"}, {"st": "b", "k": 2, "ssn": "123-45-6789"}]');
-- (A value that is no option and never was is not renamed, and makes no version.)
SELECT kepler.alter_entry_table('Person', '{"fields": [{"name": "st", "type": "enum", "values": ["a", "b"], "renamed_values": {"q": "a"}}, {"name": "k", "type": "integer"}, {"name": "ssn", "type": "text", "sensitive": true}], "unique": [["st", "k"], ["st", "ssn"]]}');
\set merge '{"fields": [{"name": "st", "type": "enum", "values": ["b"], "renamed_values": {"a": "b"}}, {"name": "k", "type": "integer"}, {"name": "ssn", "type": "text", "sensitive": true}], "unique": [["st", "k"], ["st", "ssn"]]}'
\set simple '{"fields": [{"name": "st", "type": "enum", "values": ["b"], "renamed_values": {"a": "b"}}, {"name": "k", "type": "integer"}, {"name": "ssn", "type": "text", "sensitive": true}]}'
SAVEPOINT before;
SELECT kepler.alter_entry_table('Person', :'merge', '{rewrite}');
ROLLBACK TO before;
UPDATE :person SET k = 1 WHERE k = 2;
SELECT kepler.alter_entry_table('Person', :'merge', '{rewrite}');
ROLLBACK TO before;
CREATE UNIQUE INDEX by_hand ON :person (ssn, st) WHERE k < 9;
SELECT kepler.alter_entry_table('Person', :'simple', '{rewrite}');
ROLLBACK TO before;
ALTER TABLE :person ADD CONSTRAINT check_by_hand CHECK (st <> 'b' OR k > 1);
SELECT kepler.alter_entry_table('Person', :'simple', '{rewrite}');
ROLLBACK TO before;
SELECT kepler.alter_entry_table('Person', :'simple', '{rewrite}');
ROLLBACK TO before;

-- Texts become options.
SELECT kepler.create_entry_table('Form', '{"fields": [{"name": "answer", "type": "text"}]}') AS form \gset
SELECT count(*) FROM kepler.insert_entries('Form', '[{"answer": "Yes"}, {"answer": "y"}, {"answer": "no"}, {"answer": null}]');
\set options '{"fields": [{"name": "answer", "type": "enum", "values": ["yes", "no"], "renamed_values": {"Yes": "yes", "y": "yes"}}]}'
SELECT kepler.alter_entry_table('Form', :'options', '{rewrite}'), kepler.alter_entry_table('Form', :'options', '{rewrite}');
SELECT answer FROM :form ORDER BY entry_id;

-- Views go on; what may say the old value is named. Triggers of others fire as the caller's code.
CREATE VIEW answers AS SELECT answer FROM :form WHERE answer = 'no';
CREATE INDEX nos ON :form (entry_id) WHERE answer = 'no';
CREATE TABLE public.seen (who text, answer text);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.seen VALUES (current_user, NEW.answer); RETURN NEW; END$$;
CREATE TRIGGER noting AFTER UPDATE ON :form FOR EACH ROW EXECUTE FUNCTION public.note();
\set never '{"fields": [{"name": "answer", "type": "enum", "values": ["yes", "never"], "renamed_values": {"no": "never"}}]}'
SELECT hazards FROM kepler.plan_entry_table('Form', :'never') WHERE operation = 'rename_values';
SELECT kepler.alter_entry_table('Form', :'never', '{rewrite}');
SELECT answer FROM public.seen;
SELECT count(*) FROM answers;
CREATE ROLE renames_values;
SELECT count(*) FROM kepler.grant_access('renames_values', 'admin');
GRANT INSERT ON public.seen TO renames_values;
GRANT USAGE ON SCHEMA public TO renames_values;
SET LOCAL ROLE renames_values;
SELECT kepler.alter_entry_table('Form', '{"fields": [{"name": "answer", "type": "enum", "values": ["yes", "not ever"], "renamed_values": {"never": "not ever"}}]}', '{rewrite}');
RESET ROLE;
SELECT who, answer FROM public.seen WHERE answer = 'not ever';
-- Who may not write to the rows cannot rename their values.
REVOKE UPDATE ON :form FROM renames_values;
SAVEPOINT before;
SET LOCAL ROLE renames_values;
SELECT kepler.alter_entry_table('Form', '{"fields": [{"name": "answer", "type": "enum", "values": ["yes", "no"], "renamed_values": {"not ever": "no"}}]}', '{rewrite}');
ROLLBACK TO before;
-- Of rows that a policy hides from the caller nothing is renamed: they are in the way.
GRANT UPDATE ON :form TO renames_values;
CREATE POLICY most ON :form AS RESTRICTIVE USING (entry_id <> 3);
SET LOCAL ROLE renames_values;
SELECT estimated_rows FROM kepler.plan_entry_table('Form', '{"fields": [{"name": "answer", "type": "enum", "values": ["aye", "no"], "renamed_values": {"not ever": "no", "yes": "aye"}}]}') WHERE operation = 'rename_values';
SELECT kepler.alter_entry_table('Form', '{"fields": [{"name": "answer", "type": "enum", "values": ["aye", "no"], "renamed_values": {"not ever": "no", "yes": "aye"}}]}', '{rewrite}');
ROLLBACK TO before;

-- Everything that is wrong is told.
SAVEPOINT before;
SELECT kepler.alter_entry_table('Form', '{"fields": [
  {"name": "answer", "type": "enum", "values": ["yes", "no"], "renamed_values": {"a": "b", "x/y": null, "yes": "yes", "z": 1}},
  {"name": "b", "type": "enum", "values": ["yes"], "renamed_values": ["yes"]},
  {"name": "c", "type": "text", "renamed_values": {"a": "b"}}]}');
ROLLBACK TO before;
-- A value that is renamed and not an option any more is in the way as before.
SELECT kepler.alter_entry_table('Form', '{"fields": [{"name": "answer", "type": "enum", "values": ["never"], "renamed_values": {"gone": "never"}}]}');
ROLLBACK TO before;
ROLLBACK;

-- An older snapshot hides no row from it, and a rollback brings all back.
SET client_min_messages = warning;
SELECT kepler.create_entry_table('Old', '{"fields": [{"name": "v", "type": "enum", "values": ["a", "b"]}]}') AS old \gset
SELECT count(*) FROM kepler.insert_entries('Old', '[{"v": "a"}]');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM :old;
SELECT kepler.alter_entry_table('Old', '{"fields": [{"name": "v", "type": "enum", "values": ["c", "b"], "renamed_values": {"a": "c"}}]}', '{rewrite}');
SELECT v FROM :old;
ROLLBACK;
SELECT v FROM :old;
SELECT outcome FROM kepler.insert_entries('Old', '[{"v": "a"}]');
SELECT kepler.drop_entry_table('Old') IS NOT NULL AS dropped;
SELECT kepler.purge_entry_table('Old');
