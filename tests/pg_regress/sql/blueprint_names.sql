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
