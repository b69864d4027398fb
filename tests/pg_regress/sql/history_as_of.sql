-- Rows as they were: through renamed, dropped and added columns, triggers that change their own row, TRUNCATE, and times of which nothing is known.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE public.moments (name text PRIMARY KEY, at_time timestamptz);
CREATE FUNCTION public.moment(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.002); INSERT INTO public.moments VALUES (name, clock_timestamp()); PERFORM pg_sleep(0.002);
END
$$;
CREATE TABLE public.things (id integer PRIMARY KEY, a text, b integer);
INSERT INTO things VALUES (0, 'before it was tracked', 0);
SELECT public.moment('untracked');
SELECT kepler.track('things', 'history');
SELECT public.moment('nothing');
INSERT INTO things VALUES (1, 'first', 1);
SELECT public.moment('first');
UPDATE things SET a = 'second' WHERE id = 1;
SELECT public.moment('second');
ALTER TABLE things RENAME a TO label;
UPDATE things SET label = 'third', b = 3 WHERE id = 1;
SELECT public.moment('third');
ALTER TABLE things DROP COLUMN b;
ALTER TABLE things ADD COLUMN b text DEFAULT 'another b';
UPDATE things SET label = 'fourth', b = 'four' WHERE id = 1;
SELECT public.moment('fourth');
ALTER TABLE things RENAME TO stuff;
DELETE FROM stuff WHERE id = 1;
SELECT public.moment('gone');
INSERT INTO stuff VALUES (1, 'again', 'new');
SELECT m.name, kepler.row_as_of('stuff', '1', m.at_time) FROM public.moments AS m WHERE m.name <> 'untracked' ORDER BY m.at_time;
SELECT operation, changes, row_data FROM kepler.row_history('stuff', '1');
-- A row that was there before: what it was is known since the table is tracked.
SELECT kepler.row_as_of('stuff', '0', m.at_time) FROM public.moments AS m WHERE m.name = 'nothing';
SELECT kepler.row_as_of('stuff', '0', m.at_time) FROM public.moments AS m WHERE m.name = 'untracked';
SELECT kepler.row_as_of('stuff', '7', now());
SELECT count(*) FROM kepler.row_history('stuff', '7');

-- A trigger of a row that changes the row again: in the order in which it was done, also beside plain changes of the same transaction.
CREATE TABLE public.counted (id integer PRIMARY KEY, a integer, b integer);
SELECT kepler.track('counted', 'history');
CREATE FUNCTION public.again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.a < 100 THEN UPDATE public.counted SET a = NEW.a + 100 WHERE id = NEW.id; END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER again AFTER INSERT OR UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION public.again();
CREATE FUNCTION public.of_other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.counted SET b = b + 10; RETURN NULL; END $$;
CREATE TRIGGER of_other AFTER UPDATE ON stuff FOR EACH ROW EXECUTE FUNCTION public.of_other();
INSERT INTO counted VALUES (1, 1, 1);
BEGIN;
UPDATE counted SET a = 2;
UPDATE stuff SET label = 'changes counted' WHERE id = 1;
UPDATE counted SET b = 5;
COMMIT;
SELECT operation, changes, row_data FROM kepler.row_history('counted', '1');

-- After a TRUNCATE it is not known what a row was before it; a deletion kept all of it.
SELECT public.moment('deleted from');
DELETE FROM counted;
SELECT public.moment('emptied');
TRUNCATE counted;
INSERT INTO counted VALUES (1, 500, 5);
SELECT operation, changes, row_data FROM kepler.row_history('counted', '1', 4);
SELECT kepler.row_as_of('counted', '1', m.at_time) FROM public.moments AS m WHERE m.name = 'emptied';
SELECT kepler.row_as_of('counted', '1', m.at_time) FROM public.moments AS m WHERE m.name = 'deleted from';

-- A gap: nobody was told of changes while the table was not tracked.
SELECT kepler.untrack('counted', 'history');
SELECT kepler.row_as_of('counted', '1', now());
UPDATE counted SET a = 600;
SELECT kepler.track('counted', 'history');
SELECT public.moment('tracked again');
UPDATE counted SET a = 700;
SELECT operation, changes, row_data FROM kepler.row_history('counted', '1', 3);
SELECT kepler.row_as_of('counted', '1', m.at_time) FROM public.moments AS m WHERE m.name = 'tracked again';
SELECT kepler.row_as_of('counted', '1', m.at_time) FROM public.moments AS m WHERE m.name = 'emptied';

-- A key of several columns; arguments.
CREATE TABLE public.pairs (a text, b integer, note text, PRIMARY KEY (a, b));
SELECT kepler.track('pairs', 'history');
INSERT INTO pairs VALUES ('x"y', 1, 'n');
UPDATE pairs SET note = 'm';
SELECT operation, row_data FROM kepler.row_history('pairs', '["x\"y", "1"]');
SELECT kepler.row_history('pairs', 'x');
SELECT kepler.row_history('stuff', 'no number');
SELECT kepler.row_history('stuff', NULL);
SELECT kepler.row_history('stuff', '1', 0);
SELECT kepler.row_as_of('stuff', '1', NULL);
SELECT kepler.row_history('moments', 'x');
-- Entry tables: a field that is renamed and one that is hidden.
BEGIN;
SELECT count(*) FROM kepler.create_entry_table('Part', '{"fields": [{"name": "name", "type": "text"}, {"name": "price", "type": "decimal"}]}');
SELECT 'kepler_data.' || table_name AS parts FROM kepler.entry_tables WHERE record_name = 'Part' \gset
SELECT kepler.track(:'parts', 'history');
SELECT outcome FROM kepler.insert_entries('Part', '[{"name": "bolt", "price": 1.50}]');
SELECT outcome FROM kepler.update_entries('Part', '[{"entry_id": 1, "price": 2}]');
SELECT count(*) > 0 AS altered FROM kepler.alter_entry_table('Part', '{"fields": [{"name": "title", "type": "text", "renamed_from": "name"}, {"name": "price", "type": "decimal"}]}');
SELECT outcome FROM kepler.update_entries('Part', '[{"entry_id": 1, "title": "nut"}]');
SELECT operation, changes - 'updated_at' - 'created_at' AS changes FROM kepler.row_history(:'parts', '1');
ROLLBACK;
DROP TABLE stuff, counted, pairs, moments;
DROP FUNCTION public.moment, public.again, public.of_other;
