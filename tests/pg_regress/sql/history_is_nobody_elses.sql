-- The history of a table is that table's: its name, which another one can take, gives nobody anything.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE nobody_elses_reader;
CREATE SCHEMA desk;
GRANT USAGE, CREATE ON SCHEMA desk TO nobody_elses_reader;
SELECT kepler.grant_access('nobody_elses_reader', 'admin');
CREATE TABLE desk.pay (id integer PRIMARY KEY, salary integer);
SELECT kepler.track('desk.pay', 'history');
INSERT INTO desk.pay VALUES (1, 1000);
UPDATE desk.pay SET salary = 2000;
-- A table that has taken the name.
ALTER TABLE desk.pay RENAME TO pay_old;
SET ROLE nobody_elses_reader;
CREATE TABLE desk.pay (id integer PRIMARY KEY, salary integer);
SELECT count(*) FROM kepler.row_history('desk.pay', '1');
SELECT kepler.row_as_of('desk.pay', '1', now());
RESET ROLE;
-- The owner reads what is the table's, under whatever name.
SELECT operation, changes FROM kepler.row_history('desk.pay_old', '1');
-- A trigger with the number of the other one shows nothing of it either.
SELECT t.id AS tab FROM kepler.tracked_tables AS t WHERE t.name = 'desk.pay' \gset
SET ROLE nobody_elses_reader;
CREATE TRIGGER forged AFTER TRUNCATE ON desk.pay FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_history(:'tab');
SELECT count(*) FROM kepler.row_history('desk.pay', '1');
RESET ROLE;
DROP TABLE desk.pay;
-- An untracked and dropped one, whose number is given to a table of the same name.
ALTER TABLE desk.pay_old RENAME TO pay;
SELECT kepler.untrack('desk.pay', 'history');
DROP TABLE desk.pay;
SET ROLE nobody_elses_reader;
CREATE TABLE desk.pay (id integer PRIMARY KEY, salary integer);
SELECT count(*) FROM kepler.row_history('desk.pay', '1');
SELECT kepler.track('desk.pay', 'history');
INSERT INTO desk.pay VALUES (1, 1);
SELECT operation, changes FROM kepler.row_history('desk.pay', '1');
RESET ROLE;
SELECT operation, changes -> 'salary' AS salary FROM kepler.row_history('desk.pay', '1');

-- What somebody writes into a column of their own table is told in the session's workspace, or in none.
SELECT kepler.create_workspace('nobody_elses');
SET ROLE nobody_elses_reader;
CREATE TABLE desk.notes (id integer PRIMARY KEY, workspace_id text, note text);
SELECT kepler.track('desk.notes', 'history'), kepler.track('desk.notes');
INSERT INTO desk.notes VALUES (1, 'nobody_elses', 'forged'), (2, kepler.current_workspace_id(), 'own');
TRUNCATE desk.notes;
RESET ROLE;
SELECT h.operation, h.row_id, h.workspace_id FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
WHERE t.name = 'desk.notes' ORDER BY h.sequence;
SELECT f.operation, f.row_id, f.workspace_id FROM kepler.feed AS f JOIN kepler.tracked_tables AS t ON t.id = f.table_id
WHERE t.name = 'desk.notes' ORDER BY f.sequence;

-- A person whom a writer has erased, and rows that were deleted before: the owner's call takes their history out.
SELECT kepler.track('kepler.users', 'history'), kepler.track('kepler.memories', 'history');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('nobody_elses', 'eve', 'e@x'), ('nobody_elses', 'ada', 'a@x');
INSERT INTO kepler.memories (workspace_id, user_id, content) VALUES ('nobody_elses', 'eve', 'secret'), ('nobody_elses', 'ada', 'kept'), ('nobody_elses', 'eve', 'earlier');
DELETE FROM kepler.memories WHERE workspace_id = 'nobody_elses' AND content = 'earlier';
DELETE FROM kepler.memories WHERE workspace_id = 'nobody_elses' AND user_id = 'ada';
SET kepler.actor = 'eve';
DELETE FROM kepler.users WHERE workspace_id = 'nobody_elses' AND id = 'eve';
RESET kepler.actor;
SELECT relation, outcome, rows FROM kepler.erase_user('eve', 'nobody_elses');
SELECT count(*) AS left FROM kepler.history AS h WHERE h.workspace_id = 'nobody_elses' AND (h.row_id = 'eve' OR h.old_values ->> 'user_id' = 'eve');
SELECT h.old_values ->> 'content' AS of_others FROM kepler.history AS h WHERE h.workspace_id = 'nobody_elses' AND h.old_values ->> 'user_id' = 'ada';
-- Who did something is not said by the id of a user, which a tenant chooses.
SELECT count(*) AS actors FROM kepler.history_transactions AS t WHERE t.workspace_id = 'nobody_elses' AND t.actor = 'eve';
SELECT relation, outcome, rows FROM kepler.erase_user('eve', 'nobody_elses');
SELECT kepler.untrack('kepler.users', 'history'), kepler.untrack('kepler.memories', 'history');

-- Tables of blueprints, by a field and of one workspace: what is in their history belongs to the workspace, and goes with it.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "nobody_many", "tenancy": {"field": "account"}, "tables": [{"name": "T", "key": {"fields": ["code"]}, "fields": [{"name": "code", "type": "text"}, {"name": "account", "type": "text"}, {"name": "buyer", "type": "text"}]}]}');
BEGIN;
SELECT kepler.use_workspace('nobody_elses');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "nobody_one", "tenancy": "workspace", "tables": [{"name": "T", "key": {"fields": ["code"]}, "fields": [{"name": "code", "type": "text"}, {"name": "buyer", "type": "text"}]}]}');
COMMIT;
SELECT kepler.track('nobody_many."T"', 'history'), kepler.track('nobody_one."T"', 'history');
INSERT INTO nobody_many."T" (code, account, buyer) VALUES ('a', 'nobody_elses', 'eve'), ('b', 'default', 'ada');
UPDATE nobody_many."T" SET buyer = buyer || '!';
INSERT INTO nobody_one."T" (code, buyer) VALUES ('c', 'eve');
UPDATE nobody_one."T" SET buyer = buyer || '!';
SELECT t.name, h.workspace_id, h.operation, h.old_values FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
WHERE t.name LIKE 'nobody_%' ORDER BY h.sequence;
-- The history by the tenancy's own column.
SELECT x.account, v.operation, v.changes -> 'buyer' AS buyer FROM nobody_many."T" AS x
CROSS JOIN LATERAL kepler.row_history('nobody_many."T"', x.code, workspace_id => x.account) AS v ORDER BY x.account, v.sequence;
SET ROLE nobody_elses_reader;
SELECT v.operation, v.changes -> 'buyer' AS buyer FROM kepler.row_history('nobody_many."T"', 'b') AS v;
SELECT count(*) FROM kepler.row_history('nobody_many."T"', 'a');
SELECT kepler.row_history('nobody_many."T"', 'a', workspace_id => 'nobody_elses');
RESET ROLE;
CALL kepler.delete_workspace('nobody_elses', with_rows => true);
SELECT h.workspace_id, count(*) > 12 AS rows, count(h.row_id) AS with_key, count(h.old_values) AS with_values
FROM kepler.history AS h WHERE h.workspace_id = 'nobody_elses' GROUP BY 1;
SELECT h.workspace_id, count(h.row_id) AS with_key, count(h.old_values) AS with_values
FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id WHERE t.name LIKE 'nobody_many%' GROUP BY 1 ORDER BY 1;
SELECT bool_and(t.role_name IS NULL AND t.actor IS NULL) AS nobody FROM kepler.history_transactions AS t WHERE t.workspace_id = 'nobody_elses';
SELECT outcome FROM kepler.drop_blueprint('nobody_many', '{"with_rows": true}');
SELECT kepler.revoke_access('nobody_elses_reader');
DROP SCHEMA desk CASCADE;
DROP ROLE nobody_elses_reader;
