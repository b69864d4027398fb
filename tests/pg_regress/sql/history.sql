-- What the history keeps of a change: by whom it was made, and what it has overwritten.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE public.orders (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(), number bigint, customer text, total numeric, doc jsonb,
    twice numeric GENERATED ALWAYS AS (total * 2) STORED, PRIMARY KEY (workspace_id, number));
SELECT kepler.track('orders', 'history'), kepler.track('orders', 'history') AS again, kepler.track('orders') AS feed_too;
-- What this session has written and what was said since, in order.
CREATE FUNCTION public.told() RETURNS TABLE (change text, old_values jsonb) LANGUAGE sql AS $$
    SELECT concat_ws(' ', h.operation, h.row_id, h.workspace_id), h.old_values FROM kepler.history AS h
    JOIN kepler.tracked_tables AS t ON t.id = h.table_id AND t.name LIKE 'public.%' WHERE h.created_at > current_setting('history.since')::timestamptz ORDER BY h.sequence
$$;
CREATE FUNCTION public.from_now() RETURNS void LANGUAGE sql AS $$ SELECT set_config('history.since', clock_timestamp()::text, false) $$;

-- An insertion keeps the key, an update what it has overwritten, a deletion the whole row. What changes nothing is no change.
SELECT public.from_now();
INSERT INTO orders (number, customer, total, doc) VALUES (1, 'ada', 1.50, '{"a": [1, 2.0]}'), (2, 'bob', NULL, NULL);
UPDATE orders SET total = 3 WHERE number = 1;
UPDATE orders SET customer = customer, doc = doc;
UPDATE orders SET total = CASE number WHEN 2 THEN 7 ELSE total END, doc = NULL;
DELETE FROM orders WHERE number = 2;
SELECT * FROM public.told();

-- Another key is another row: all that went stand first.
SELECT public.from_now();
UPDATE orders SET number = 10;
SELECT * FROM public.told();

-- ON CONFLICT, MERGE, COPY, common table expressions.
SELECT public.from_now();
INSERT INTO orders (number, customer) VALUES (10, 'x'), (11, 'y') ON CONFLICT (workspace_id, number) DO UPDATE SET customer = excluded.customer;
INSERT INTO orders (number) VALUES (10) ON CONFLICT DO NOTHING;
MERGE INTO orders AS o USING (VALUES (10), (11), (12)) AS n (number) ON o.number = n.number
WHEN MATCHED AND n.number = 10 THEN DELETE WHEN MATCHED THEN UPDATE SET customer = 'merged' WHEN NOT MATCHED THEN INSERT (number) VALUES (n.number);
COPY orders (number, customer) FROM STDIN;
13	copied
\.
WITH gone AS (DELETE FROM orders WHERE number = 13 RETURNING number) INSERT INTO orders (number, customer) SELECT g.number + 1, 'moved' FROM gone AS g;
SELECT * FROM public.told() ORDER BY 1, 2;

-- What is undone is not there, also what a savepoint had said of the transaction.
SELECT public.from_now();
BEGIN;
SAVEPOINT s;
UPDATE orders SET customer = 'undone' WHERE number = 11;
ROLLBACK TO s;
UPDATE orders SET customer = 'kept' WHERE number = 11;
COMMIT;
SELECT t.change, w.role_name = current_user AS by_me FROM public.told() AS t
CROSS JOIN LATERAL (SELECT w.role_name FROM kepler.history_transactions AS w WHERE w.created_at > current_setting('history.since')::timestamptz) AS w;

-- Who: what the application says, one row a transaction and one more where it says something else.
SELECT public.from_now();
BEGIN;
SELECT set_config('kepler.actor', 'ada', true), set_config('kepler.request_id', 'r-1', true);
UPDATE orders SET total = 1; UPDATE orders SET total = 2;
SELECT set_config('kepler.actor', 'bob', true);
UPDATE orders SET total = 3 WHERE number = 11;
COMMIT;
SELECT actor, request_id FROM kepler.history_transactions WHERE created_at > current_setting('history.since')::timestamptz ORDER BY sequence;
UPDATE orders SET total = 4 WHERE number = 11;
SELECT operation, actor, request_id, role_name = current_user AS by_me, changes, row_data FROM kepler.row_history('orders', '11', 4);

-- Foreign keys; a partitioned table, a row that moves between its partitions; inheritance.
SELECT public.from_now();
CREATE TABLE public.lines (id integer PRIMARY KEY, order_number bigint, workspace_id text, FOREIGN KEY (workspace_id, order_number) REFERENCES orders ON DELETE CASCADE);
SELECT kepler.track('lines', 'history');
INSERT INTO lines VALUES (1, 11, 'default'), (2, 12, 'default');
DELETE FROM orders WHERE number IN (11, 12);
SELECT * FROM public.told() WHERE change NOT LIKE 'INSERT%' ORDER BY 1;
CREATE TABLE public.parted (id integer, part integer, note text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE public.part_one (note text, part integer NOT NULL, id integer NOT NULL);
ALTER TABLE public.parted ATTACH PARTITION public.part_one FOR VALUES IN (1);
CREATE TABLE public.part_two PARTITION OF public.parted FOR VALUES IN (2);
SELECT kepler.track('parted', 'history');
SELECT public.from_now();
INSERT INTO parted VALUES (1, 1, 'one'), (2, 2, 'two');
UPDATE parted SET note = 'changed';
UPDATE parted SET part = 2 WHERE id = 1;
SELECT * FROM public.told();
CREATE TABLE public.parent (id integer PRIMARY KEY, note text);
CREATE TABLE public.child (more text) INHERITS (public.parent);
SELECT kepler.track('parent', 'history');
SELECT public.from_now();
INSERT INTO child VALUES (1, 'of the child', 'm');
UPDATE parent SET note = 'by the parent';
SELECT * FROM public.told();

-- TRUNCATE is told in every workspace; what a subscription or a loader writes as a replica is told row by row.
SELECT public.from_now();
TRUNCATE orders CASCADE;
SET session_replication_role = replica;
INSERT INTO orders (number, customer) VALUES (1, 'r');
UPDATE orders SET customer = 's';
DELETE FROM orders;
RESET session_replication_role;
SELECT * FROM public.told() WHERE split_part(change, ' ', 2) IN ('1', 'default', '');

-- Sensitive fields: that they changed is told, and no value. Also after they are hidden, and of a deleted row.
BEGIN;
SELECT count(*) FROM kepler.create_entry_table('Person', '{"fields": [{"name": "name", "type": "text"}, {"name": "ssn", "type": "text", "sensitive": true}, {"name": "born", "type": "date"}]}');
SELECT 'kepler_data.' || table_name AS people FROM kepler.entry_tables WHERE record_name = 'Person' \gset
SELECT kepler.track(:'people', 'history');
SELECT outcome FROM kepler.insert_entries('Person', '[{"name": "Ada", "ssn": "123-45-6789", "born": "1815-12-10"}]');
UPDATE :people SET ssn = 'other', name = 'Augusta';
SELECT operation, changes - 'updated_at' AS changes, row_data - 'entry_id' - 'created_at' - 'updated_at' AS row_data FROM kepler.row_history(:'people', '1') WHERE operation = 'UPDATE';
-- A field that becomes sensitive: from then on.
SELECT count(*) > 0 AS altered FROM kepler.alter_entry_table('Person', '{"fields": [{"name": "name", "type": "text"}, {"name": "ssn", "type": "text", "sensitive": true}, {"name": "born", "type": "date", "sensitive": true}]}');
UPDATE :people SET born = '1815-12-11';
DELETE FROM :people;
SELECT h.operation, h.old_values - 'entry_id' - 'created_at' - 'updated_at' AS old_values, h.withheld FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
WHERE t.name = :'people' AND h.operation <> 'INSERT' ORDER BY h.sequence;
SELECT count(*) AS leaked FROM kepler.history AS h WHERE h.old_values::text ~ '123-45-6789|1815-12-11|other';
ROLLBACK;

-- Executions and enrichment attempts that are deleted leave a trace, and nothing else of them does.
SELECT public.from_now();
SELECT outcome FROM kepler.upsert_record('lead', 'a', '{}');
DELETE FROM kepler.records WHERE entity_type = 'lead';
DELETE FROM kepler.entities WHERE type = 'lead';
INSERT INTO kepler.workflows (id, name, trigger, actions) VALUES ('w', 'w', '{"app": "a", "event": "e"}', '[]');
INSERT INTO kepler.executions (id, workflow_id, status) VALUES ('e', 'w', 'RUNNING');
UPDATE kepler.executions SET error = 'x';
DELETE FROM kepler.executions WHERE id = 'e';
SELECT t.name, h.operation, h.row_id, h.old_values ->> 'error' AS error FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
WHERE t.name LIKE 'kepler.%' AND h.created_at > current_setting('history.since')::timestamptz;

-- Ended, nothing more is written. Level deletions keeps what deleted rows were.
SELECT kepler.untrack('orders', 'history'), kepler.untrack('orders', 'history') AS again, kepler.untrack('orders', 'deletions') AS never;
SELECT public.from_now();
INSERT INTO orders (number) VALUES (1);
SELECT kepler.track('orders', 'deletions');
UPDATE orders SET customer = 'last';
DELETE FROM orders;
SELECT * FROM public.told();
SELECT kepler.track('orders', 'histories');
SELECT kepler.track('kepler.history', 'history');
SELECT kepler.track('kepler.history_seals');
DELETE FROM kepler.workflows;
DROP TABLE lines, orders, parted, child, parent;
DROP FUNCTION public.told, public.from_now;
