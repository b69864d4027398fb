-- Entries exchange unique values within a batch: two, a circle, a shift that a new entry makes. Each element has its answer.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Card', '{"fields": [
  {"name": "title", "type": "text"}, {"name": "position", "type": "integer", "required": true, "unique": true, "min": 1}]}') AS card \gset
SELECT count(*) FROM kepler.insert_entries('Card', '[{"title": "a", "position": 1}, {"title": "b", "position": 2}, {"title": "c", "position": 3}, {"title": "d", "position": 4}]');

-- Two swap; a circle of three; two circles and a chain at once, with an entry that does not move.
SELECT ordinal, entry_id, outcome FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 2}, {"entry_id": 2, "position": 1}]');
SELECT title, position FROM :card ORDER BY position;
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Card', '{entry_id}', '[{"entry_id": 1, "position": 3}, {"entry_id": 2, "position": 2, "title": "B"}, {"entry_id": 3, "position": 1}, {"entry_id": 4, "position": 4}]');
SELECT title, position FROM :card ORDER BY position;
SELECT count(*) FROM kepler.insert_entries('Card', '[{"title": "e", "position": 5}, {"title": "f", "position": 6}]');
SELECT ordinal, entry_id, outcome FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 2}, {"entry_id": 2, "position": 3}, {"entry_id": 4, "position": 5}, {"entry_id": 5, "position": 4}, {"entry_id": 6, "position": 7, "title": "F"}, {"entry_id": 3, "position": 6}]');
SELECT title, position FROM :card ORDER BY position;

-- A new entry takes the place of others, which move on; nobody waits in vain.
SELECT ordinal, entry_id, outcome FROM kepler.upsert_entries('Card', '{entry_id}', '[{"entry_id": 100, "title": "new", "position": 2}, {"entry_id": 1, "position": 3}, {"entry_id": 2, "position": 4}, {"entry_id": 5, "position": 8}]');
SELECT title, position FROM :card ORDER BY position;
SELECT ordinal, entry_id, outcome, error FROM kepler.upsert_entries('Card', '{entry_id}', '[{"entry_id": 101, "position": 2}, {"entry_id": 100, "position": 0}, {"entry_id": 102, "position": 3}, {"entry_id": 1, "position": 5}]', 'skip');

-- One that is in the way, or that is not valid, keeps all of its circle where they are, and those who wait for them; no others.
SELECT ordinal, outcome, error FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 4}, {"entry_id": 2, "position": 3}, {"entry_id": 3, "position": 7}, {"entry_id": 4, "position": 6}, {"entry_id": 100, "position": 9}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.update_entries('Card', '[{"entry_id": 3, "position": 5}, {"entry_id": 4, "position": 6, "title": 5}]', 'skip');
SAVEPOINT before;
SELECT ordinal, outcome, error FROM kepler.update_entries('Card', '[{"entry_id": 3, "position": 7}, {"entry_id": 4, "position": 6}]');
ROLLBACK TO before;
SELECT title, position FROM :card ORDER BY position;

-- Sets of several fields, some of them NULL; texts whose case does not count; a place between bounds, of which none is free.
SELECT kepler.create_entry_table('Seat', '{"fields": [
  {"name": "room", "type": "text", "required": true}, {"name": "chair", "type": "integer"}, {"name": "badge", "type": "text", "required": true, "unique": true, "case_insensitive": true, "max_length": 8},
  {"name": "rank", "type": "integer", "required": true, "unique": true, "min": 1, "max": 3}, {"name": "day", "type": "date", "unique": true}],
  "unique": [["room", "chair"]]}') AS seat \gset
SELECT count(*) FROM kepler.insert_entries('Seat', '[{"room": "x", "chair": 1, "badge": "One", "rank": 1, "day": "2024-01-01"}, {"room": "x", "chair": 2, "badge": "Two", "rank": 2}, {"room": "y", "chair": null, "badge": "Three", "rank": 3, "day": null}]');
SELECT ordinal, outcome, error FROM kepler.upsert_entries('Seat', '{badge}', '[{"badge": "ONE", "room": "x", "chair": 2}, {"badge": "tWO", "room": "x", "chair": 1}, {"badge": "three", "chair": null, "day": "2024-01-01"}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.update_entries('Seat', '[{"entry_id": 1, "badge": "TWO", "day": null}, {"entry_id": 2, "badge": "one", "day": "2024-01-01", "chair": null}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.update_entries('Seat', '[{"entry_id": 1, "rank": 2}, {"entry_id": 2, "rank": 1}]', 'skip');
-- Through several sets at once.
SELECT ordinal, outcome, error FROM kepler.update_entries('Seat', '[{"entry_id": 1, "badge": "three", "day": "2024-01-01", "chair": 9}, {"entry_id": 3, "badge": "two", "chair": 2, "room": "x"}, {"entry_id": 2, "day": "2025-01-01"}]', 'skip');
SELECT entry_id, room, chair, badge, rank, day::text FROM :seat ORDER BY entry_id;

-- Every type that can step aside, and those that cannot.
SELECT kepler.create_entry_table('Kinds', '{"fields": [
  {"name": "u", "type": "uuid", "required": true, "unique": true}, {"name": "t", "type": "text", "required": true, "unique": true, "min_length": 40},
  {"name": "b", "type": "bigint", "required": true, "unique": true}, {"name": "d", "type": "decimal", "precision": 6, "scale": 2, "required": true, "unique": true, "max": 100},
  {"name": "f", "type": "float", "required": true, "unique": true}, {"name": "day", "type": "date", "required": true, "unique": true, "min": "2000-01-01"},
  {"name": "at", "type": "timestamp", "required": true, "unique": true}, {"name": "clock", "type": "time", "required": true, "unique": true},
  {"name": "e", "type": "enum", "values": ["x", "y", "z"], "required": true, "unique": true}, {"name": "o", "type": "boolean", "required": true, "unique": true}],
  "checks": [{"field": "b", "op": ">", "value": 5}, {"field": "b", "op": "<", "value": 99}]}') AS kinds \gset
SELECT count(*) FROM kepler.insert_entries('Kinds', (SELECT json_agg(json_build_object('u', format('00000000-0000-0000-0000-00000000000%s', n), 't', repeat(n::text, 40), 'b', n + 5, 'd', n, 'f', n, 'day', format('2024-01-0%s', n), 'at', format('2024-01-0%sT00:00:00Z', n), 'clock', format('0%s:00', n), 'e', chr(119 + n), 'o', n = 1))::text FROM generate_series(1, 2) AS n));
SELECT l.field, (SELECT string_agg(outcome || coalesce(': ' || error, ''), '; ' ORDER BY ordinal) FROM kepler.update_entries('Kinds',
    (SELECT json_agg(jsonb_build_object('entry_id', k.entry_id, l.field, to_jsonb(other) -> l.field))::text FROM :kinds AS k JOIN :kinds AS other ON other.entry_id = 3 - k.entry_id), 'skip')) AS answers
FROM unnest('{u,t,b,d,f,day,at,clock,e,o}'::text[]) WITH ORDINALITY AS l (field, place) ORDER BY place;
SELECT entry_id, u, left(t, 3) AS t, b, d, f, day::text, at AT TIME ZONE 'UTC' = ('2024-01-0' || 3 - entry_id)::timestamp AS swapped, clock, e, o FROM :kinds ORDER BY entry_id;

-- What refers to a unique value of an entry from elsewhere: it follows where it cascades, and keeps the circle where it does not.
CREATE TABLE follows (position integer REFERENCES :card (position) ON UPDATE CASCADE, note text);
CREATE TABLE stays (position integer REFERENCES :card (position));
INSERT INTO follows SELECT position, title FROM :card;
SELECT ordinal, outcome FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 3}, {"entry_id": 2, "position": 4}]');
SELECT count(*) FROM follows AS f JOIN :card AS c ON c.position = f.position AND c.title = f.note;
INSERT INTO stays SELECT position FROM :card WHERE entry_id = 1;
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 4}, {"entry_id": 2, "position": 3}, {"entry_id": 3, "position": 5}, {"entry_id": 4, "position": 6}]', 'skip');
SELECT entry_id, title, position FROM :card ORDER BY position;
-- The same in a trigger that prevents a write, and in one that refuses.
DROP TABLE stays, follows;
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.title = 'kept' AND NEW.position < 100 THEN RETURN NULL; ELSIF NEW.title = 'never' THEN RAISE EXCEPTION 'never' USING ERRCODE = '23514'; END IF; RETURN NEW; END$$;
CREATE TRIGGER keeps BEFORE UPDATE ON :card FOR EACH ROW EXECUTE FUNCTION keeps();
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('Card', '[{"entry_id": 1, "position": 4, "title": "kept"}, {"entry_id": 2, "position": 3}, {"entry_id": 3, "position": 6}, {"entry_id": 4, "position": 5, "title": "never"}, {"entry_id": 5, "position": 9}, {"entry_id": 100, "position": 8}]', 'skip');
SELECT entry_id, title, position FROM :card ORDER BY position;
DROP TRIGGER keeps ON :card;

-- A large circle, many small ones, and the whole list turned round: a few statements, and each entry is where it is to be.
SELECT kepler.create_entry_table('Line', '{"fields": [{"name": "position", "type": "integer", "required": true, "unique": true}, {"name": "second", "type": "integer", "unique": true}]}') AS line \gset
SELECT count(*) FROM kepler.insert_entries('Line', (SELECT json_agg(json_build_object('position', n, 'second', n))::text FROM generate_series(1, 2500) AS n));
SELECT outcome, count(*) FROM kepler.update_entries('Line', (SELECT json_agg(json_build_object('entry_id', n, 'position', n % 2500 + 1))::text FROM generate_series(1, 2500) AS n)) GROUP BY outcome;
SELECT count(*) FROM :line WHERE position = entry_id % 2500 + 1;
SELECT outcome, count(*) FROM kepler.update_entries('Line', (SELECT json_agg(json_build_object('entry_id', entry_id, 'position', ((position - 1) # 1) + 1))::text FROM :line)) GROUP BY outcome;
SELECT count(*) FROM :line WHERE position = ((entry_id % 2500) # 1) + 1;
SELECT outcome, count(*) FROM kepler.update_entries('Line', (SELECT json_agg(json_build_object('entry_id', entry_id, 'position', 2501 - entry_id))::text FROM :line)) GROUP BY outcome;
SELECT count(*) FROM :line WHERE position = 2501 - entry_id;
-- Through two sets in disorder.
SELECT outcome, count(*) FROM kepler.update_entries('Line', (SELECT json_agg(json_build_object('entry_id', entry_id, 'position', entry_id * 7 % 2501, 'second', entry_id * 11 % 2501))::text FROM :line)) GROUP BY outcome;
SELECT count(*) FROM :line WHERE position = entry_id * 7 % 2501 AND second = entry_id * 11 % 2501;
ROLLBACK;
