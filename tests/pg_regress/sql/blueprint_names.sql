-- Every name is as the document gives it: what is named otherwise is renamed, also where names go round in a circle, and what has
-- the name and is something else is made anew.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE FUNCTION pg_temp.shop(a text, b text, one text, two text, three text, type text DEFAULT 'integer') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "tables": [
    {"name": "A", "table": "%1$s", "key": {"fields": ["id"], "constraint": "%3$s_pkey"}, "fields": [{"name": "id", "type": "%6$s"}, {"name": "n", "type": "integer"}],
     "indexes": [{"fields": ["n"], "name": "%3$s"}, {"fields": ["n"], "name": "%4$s"}, {"fields": ["n"], "unique": true, "name": "%5$s"}],
     "checks": [{"field": "n", "op": ">=", "value": 0, "name": "positive_%3$s"}]},
    {"name": "B", "table": "%2$s", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "integer"}, {"name": "a", "type": "%6$s"}],
     "references": [{"fields": ["a"], "to": "A", "name": "to_%3$s"}]}]}', a, b, one, two, three, type)
$$;
CREATE FUNCTION pg_temp.reach(document text, allow text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('%s %s', p.class, p.statement) FROM kepler.plan_blueprint(document) AS p ORDER BY p.step;
    PERFORM kepler.apply_blueprint(document, allow);
    RETURN QUERY SELECT 'again: ' || p.statement FROM kepler.plan_blueprint(document) AS p;
END
$$;
-- Two indexes that say the same are two.
SELECT pg_temp.reach(pg_temp.shop('a', 'b', 'x', 'y', 'z'));
INSERT INTO shop.a VALUES (1, 10), (2, 20);
INSERT INTO shop.b VALUES (1, 2);

-- Indexes and tables exchange their names; the others follow.
SELECT pg_temp.reach(pg_temp.shop('b', 'a', 'y', 'x', 'z'));
SELECT * FROM shop.b ORDER BY id;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shop.a'::regclass AND contype = 'f';
-- One name is taken by another kind of index.
SELECT pg_temp.reach(pg_temp.shop('b', 'a', 'z', 'x', 'y'));

-- Both ends of a reference change their type, the reference is made anew.
SELECT pg_temp.reach(pg_temp.shop('b', 'a', 'z', 'x', 'y', 'text'), '{rewrite}');
SELECT id, pg_typeof(id) FROM shop.b ORDER BY id;
INSERT INTO shop.a VALUES (2, '3');
-- And a value that would not come back stops both.
INSERT INTO shop.b VALUES ('01', 30);
SELECT pg_temp.reach(pg_temp.shop('b', 'a', 'z', 'x', 'y'), '{convert}');

ROLLBACK;

-- Whatever leaves a name later than another is to have it steps aside: a table takes the name of an index, indexes of two tables
-- exchange theirs, sequences follow tables that exchange theirs, and all of it with names of 63 bytes.
BEGIN;
CREATE FUNCTION pg_temp.long(text) RETURNS text LANGUAGE sql AS $$ SELECT rpad('a_name_of_sixty_three_bytes_which_is_all_that_fits_', 62, '_') || $1 $$;
CREATE FUNCTION pg_temp.two(a text, b text, index_a text, index_b text, key_a text, check_a text, check_b text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "tables": [
    {"name": "A", "table": "%s", "key": {"fields": ["id"], "constraint": "%s"}, "fields": [{"name": "id", "type": "integer", "generated": "serial"}, {"name": "n", "type": "integer"}],
     "indexes": [{"fields": ["n"], "name": "%s"}], "checks": [{"field": "n", "op": ">", "value": 0, "name": "%s"}, {"field": "n", "op": "<", "value": 9, "name": "%s"}]},
    {"name": "B", "table": "%s", "fields": [{"name": "id", "type": "integer", "generated": "identity"}, {"name": "n", "type": "integer"}],
     "indexes": [{"fields": ["n"], "name": "%s"}]}]}', a, key_a, index_a, check_a, check_b, b, index_b)
$$;
CREATE FUNCTION pg_temp.reach(document text, allow text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('%s %s', p.class, p.statement) FROM kepler.plan_blueprint(document) AS p ORDER BY p.step;
    PERFORM kepler.apply_blueprint(document, allow);
    RETURN QUERY SELECT 'again: ' || p.statement FROM kepler.plan_blueprint(document) AS p;
END
$$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.two('a', 'b', pg_temp.long('x'), pg_temp.long('y'), pg_temp.long('z'), 'low', 'high'));
INSERT INTO shop.a (n) VALUES (1);
SELECT pg_temp.reach(pg_temp.two('b', 'a', pg_temp.long('y'), pg_temp.long('x'), pg_temp.long('z'), 'low', 'high'));
SELECT pg_temp.reach(pg_temp.two(pg_temp.long('z'), pg_temp.long('x'), pg_temp.long('y'), 'b', 'a', 'high', 'low'));
SELECT c.relkind, c.relname FROM pg_class AS c WHERE c.relnamespace = 'shop'::regnamespace ORDER BY 1, 2;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'shop'::regnamespace AND contype IN ('c', 'p') ORDER BY conname;
ROLLBACK;

-- A key that nobody's reference leads to is dropped whatever leads to another one; one that somebody's leads to stays.
BEGIN;
\set ON_ERROR_ROLLBACK on
CREATE FUNCTION pg_temp.item(more text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "key": {"fields": ["id"]},
    "fields": [{"name": "id", "type": "integer"}, {"name": "code", "type": "text"}]%s}]}', more)
$$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.item(', "unique": [["code"], ["id", "code"]]'));
CREATE TABLE public.theirs (item integer REFERENCES shop.items, code text REFERENCES shop.items (code));
SELECT operation, class, hazards FROM kepler.plan_blueprint(pg_temp.item(', "unique": [["code"]]'));
SELECT operation, class, hazards FROM kepler.plan_blueprint(pg_temp.item(', "unique": [["id", "code"]]'));

-- Columns do not take each other's places: that is said once, in words that fit.
SELECT operation, class, hazards FROM kepler.plan_blueprint('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "key": {"fields": ["id"]},
    "fields": [{"name": "id", "column": "code", "type": "integer"}, {"name": "code", "column": "text", "type": "text"}], "unique": [["code"], ["id", "code"]]}]}');
SELECT operation, class, hazards FROM kepler.plan_blueprint('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items",
    "fields": [{"name": "id", "column": "code", "type": "integer"}]}]}') WHERE class = 'refused';
ROLLBACK;

-- What only the document calls otherwise is the same: a table, a field, an enum.
BEGIN;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "called", "enums": {"mood": ["good", "bad"]}, "tables": [
  {"name": "Person", "table": "people", "key": {"name": "id", "type": "bigint"},
   "fields": [{"name": "mood", "type": "enum", "enum": "mood"}, {"name": "friend", "type": "reference", "to": "Person"}]}]}');
INSERT INTO called.people (mood) VALUES ('bad');
CREATE FUNCTION pg_temp.called() RETURNS text LANGUAGE sql AS $$
SELECT '{"blueprint": "called", "enums": {"Mood": {"type": "mood", "values": ["good", "bad"]}}, "tables": [
  {"name": "Human", "table": "people", "key": {"name": "id", "type": "bigint"},
   "fields": [{"name": "Mood", "column": "mood", "type": "enum", "enum": "Mood"}, {"name": "Friend", "column": "friend", "type": "reference", "to": "Human"}]}]}'
$$;
SELECT operation, statement FROM kepler.plan_blueprint(pg_temp.called());
SELECT outcome, steps FROM kepler.apply_blueprint(pg_temp.called());
SELECT name FROM kepler.blueprint_tables WHERE blueprint_name = 'called';
SELECT * FROM called.people;
SELECT object, kind FROM kepler.blueprint_drift('called') WHERE kind <> 'coverage';
ROLLBACK;

-- A plan takes names from what leaves: a table that moves to another schema takes its indexes and its sequence along, a table and
-- a column that are dropped leave theirs. Whatever somebody else has made keeps its name.
BEGIN;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "free", "tables": [
  {"name": "A", "table": "a", "fields": [{"name": "n", "type": "integer", "generated": "serial"}], "indexes": [{"fields": ["n"], "name": "one"}]},
  {"name": "B", "table": "b", "fields": [{"name": "n", "type": "integer"}], "indexes": [{"fields": ["n"], "name": "two"}]},
  {"name": "C", "table": "c", "fields": [{"name": "n", "type": "integer"}, {"name": "m", "type": "integer", "generated": "serial"}]}]}');
CREATE INDEX by_hand ON free.a (n) WHERE n > 0;
\set freed '{"blueprint": "free", "tables": [{"name": "A", "table": "a", "schema": "free_too", "fields": [{"name": "n", "type": "integer", "generated": "serial"}], "indexes": [{"fields": ["n"], "name": "one"}]}, {"name": "C", "table": "c", "fields": [{"name": "n", "type": "integer"}], "indexes": [{"fields": ["n"], "name": "a"}, {"fields": ["n"], "name": "b"}, {"fields": ["n"], "name": "one"}, {"fields": ["n"], "name": "two"}, {"fields": ["n"], "name": "a_n_seq"}, {"fields": ["n"], "name": "c_m_seq"}, {"fields": ["n"], "name": "by_hand"}]}]}'
SELECT operation, object, class FROM kepler.plan_blueprint(:'freed');
SELECT outcome FROM kepler.apply_blueprint(:'freed', '{drop}');
SELECT operation FROM kepler.plan_blueprint(:'freed');
SELECT c.oid::regclass, c.relkind FROM pg_class AS c WHERE c.relnamespace IN ('free'::regnamespace, 'free_too'::regnamespace) ORDER BY c.oid::regclass::text COLLATE "C";
CREATE VIEW free.theirs AS SELECT 1 AS one;
SELECT operation, class, hazards FROM kepler.plan_blueprint(replace(:'freed', '"two"', '"theirs"')) WHERE class = 'refused';

-- A sequence that a column gets, or that is renamed with it, finds its name taken.
CREATE SEQUENCE free.c_n_seq;
CREATE SEQUENCE free_too.a_m_seq;
\set counted '{"blueprint": "free", "tables": [{"name": "A", "table": "a", "schema": "free_too", "fields": [{"name": "m", "renamed_from": "n", "type": "integer", "generated": "serial"}]}, {"name": "C", "table": "c", "fields": [{"name": "n", "type": "integer", "generated": "serial"}]}]}'
SELECT operation, class, hazards FROM kepler.plan_blueprint(:'counted') WHERE class = 'refused';

-- What Postgres calls the sequence of a column is no name for anything else of the document.
SELECT kepler.apply_blueprint('{"blueprint": "item", "tables": [{"name": "Item", "table": "item", "key": {"name": "id", "type": "bigint"},
  "fields": [{"name": "a", "type": "integer", "generated": "serial"}], "indexes": [{"fields": ["a"], "name": "item_a_seq"}]}, {"name": "Item_id_seq", "table": "item_id_seq", "fields": []}]}');
ROLLBACK;
