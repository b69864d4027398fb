-- Seed rows and values of enums: a plan and drift look at rows before values are added and renamed, and no look casts a value that
-- the type does not have.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.doc(name text, enums text, rows text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "%s", "enums": {"e": %s}, "tables": [
    {"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "e", "type": "enum", "enum": "e"}, {"name": "list", "type": "enum", "enum": "e", "list": true}]},
    {"name": "by", "key": {"fields": ["e"]}, "fields": [{"name": "e", "type": "enum", "enum": "e"}, {"name": "v", "type": "text"}]}],
    "seed": {"t": {"existing": "update", "rows": [%s]}%s}}', name, enums, rows, more)
$$;
CREATE FUNCTION pg_temp.reach(document text, allow text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('%s %s %s: %s', p.operation, p.object, p.class, p.hazards) FROM kepler.plan_blueprint(document) AS p ORDER BY p.step;
    PERFORM kepler.apply_blueprint(document, allow);
    RETURN QUERY SELECT 'again: ' || p.statement FROM kepler.plan_blueprint(document) AS p;
END
$$;
CREATE FUNCTION pg_temp.rows() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('t %s %s %s', t.k, t.e, t.list) FROM en.t ORDER BY t.k;
    RETURN QUERY SELECT format('by %s %s', b.e, b.v) FROM en.by AS b ORDER BY b.e;
END
$$;
SELECT pg_temp.reach(pg_temp.doc('en', '["a"]', '{"k": "1", "e": "a", "list": ["a"]}', ', "by": {"rows": [{"e": "a", "v": "one"}]}'));
-- A new value in a field that is compared, in a list, and in a key: the type is made anew, as for a default.
SELECT pg_temp.reach(pg_temp.doc('en', '["a", "b"]', '{"k": "1", "e": "b", "list": ["a", "b"]}', ', "by": {"rows": [{"e": "a", "v": "one"}, {"e": "b", "v": "two"}]}'));
SELECT pg_temp.reach(pg_temp.doc('en', '["a", "b"]', '{"k": "1", "e": "b", "list": ["a", "b"]}', ', "by": {"rows": [{"e": "a", "v": "one"}, {"e": "b", "v": "two"}]}'), '{rewrite}');
SELECT pg_temp.rows();
-- One that only a new row has, or only a lookup finds a row by.
SELECT pg_temp.reach(pg_temp.doc('en', '["a", "b", "c"]', '{"k": "2", "e": "c"}'), '{rewrite}');
SELECT pg_temp.reach(pg_temp.doc('en', '["a", "b", "c", "d"]', '{"k": {"lookup": {"table": "by", "where": {"e": "d"}, "field": "v"}}}', ', "by": {"rows": [{"e": "d", "v": "3"}]}'), '{rewrite}');
-- One that no row of the seed has is added.
SELECT pg_temp.reach(pg_temp.doc('en', '["a", "b", "c", "d", "f"]', '{"k": "2", "e": "c"}'));
SELECT pg_temp.rows();
-- Renamed: the rows that have it are as they are to be, by key and in lists too; what else is otherwise in them is told.
SELECT pg_temp.reach(pg_temp.doc('en', '{"values": ["a", "b", "z", "d", "f"], "renamed_values": {"c": "z"}}', '{"k": "2", "e": "z"}, {"k": "1", "e": "b", "list": ["a", "b"]}', ', "by": {"rows": [{"e": "a", "v": "one"}]}'));
SELECT pg_temp.reach(pg_temp.doc('en', '{"values": ["a", "x", "z", "d", "f"], "renamed_values": {"b": "x"}}', '{"k": "2", "e": "x"}, {"k": "1", "e": "x", "list": ["a", "x"]}', ', "by": {"existing": "update", "rows": [{"e": "a", "v": "one"}, {"e": "x", "v": "changed"}]}'));
SELECT pg_temp.rows();
-- Somebody renames a value by hand: drift tells it, and repair says what it would do.
ALTER TYPE en.e RENAME VALUE 'x' TO 'y';
SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('en') WHERE kind <> 'coverage' ORDER BY 1, 2;
SELECT operation, object, class, statement FROM kepler.repair_blueprint('en') ORDER BY step;
ROLLBACK;
-- Online a value is committed before a row has it, and nothing is rewritten.
CREATE TEMP TABLE documents AS SELECT * FROM (VALUES (1, '{"blueprint": "en", "enums": {"e": ["a"]}, "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "e", "type": "enum", "enum": "e"}]}], "seed": {"t": {"existing": "update", "rows": [{"k": "1", "e": "a"}]}}}'), (2, '{"blueprint": "en", "enums": {"e": ["a", "b"]}, "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "e", "type": "enum", "enum": "e"}]}], "seed": {"t": {"existing": "update", "rows": [{"k": "1", "e": "b"}, {"k": "2", "e": "b"}]}}}')) AS d (n, document);
SELECT document AS one FROM documents WHERE n = 1 \gset
SELECT document AS two FROM documents WHERE n = 2 \gset
SELECT outcome FROM kepler.apply_blueprint(:'one');
SELECT operation, class, phase, statement FROM kepler.plan_blueprint(:'two', '{"online": true}');
CALL kepler.apply_blueprint_online(:'two');
SELECT * FROM en.t ORDER BY k;
SELECT count(*) FROM kepler.plan_blueprint(:'two');
SELECT outcome FROM kepler.drop_blueprint('en', '{"with_rows": true}');
