-- What can be wrong with the rows that a blueprint begins with: all of it told at once, each with its place.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set tables '"tables": [{"name": "A", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "n", "type": "text", "required": true, "unique": true, "case_insensitive": true, "min_length": 1}, {"name": "e", "type": "enum", "values": ["x", "y"]}, {"name": "i", "type": "integer", "max": 9}, {"name": "at3", "type": "timestamp", "precision": 3}, {"name": "r", "type": "real"}, {"name": "d", "type": "decimal", "precision": 4, "scale": 1}, {"name": "v", "type": "vector", "dimensions": 2}, {"name": "j", "type": "json"}, {"name": "c", "type": "char", "length": 2}, {"name": "bits", "type": "bit", "length": 2}, {"name": "by", "type": "bytes"}, {"name": "list", "type": "integer", "list": true}, {"name": "b", "type": "reference", "to": "B"}]}, {"name": "B", "key": {"fields": ["x", "y"]}, "fields": [{"name": "x", "type": "text"}, {"name": "y", "type": "text"}, {"name": "self", "type": "text"}], "unique": [["self"]], "retention": {"floor": "soon", "field": "x"}}, {"name": "None", "fields": [{"name": "x", "type": "text"}], "retention": {"floor": "1 year"}}]'
\set document '{"blueprint": "wrong", ' :tables ', "seed": {}}'
SELECT kepler.apply_blueprint(:'document');
\set tables '"tables": [{"name": "A", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "n", "type": "text", "required": true, "unique": true, "case_insensitive": true, "min_length": 1}, {"name": "e", "type": "enum", "values": ["x", "y"]}, {"name": "i", "type": "integer", "max": 9}, {"name": "at3", "type": "timestamp", "precision": 3}, {"name": "r", "type": "real"}, {"name": "d", "type": "decimal", "precision": 4, "scale": 1}, {"name": "v", "type": "vector", "dimensions": 2}, {"name": "j", "type": "json"}, {"name": "c", "type": "char", "length": 2}, {"name": "bits", "type": "bit", "length": 2}, {"name": "by", "type": "bytes"}, {"name": "list", "type": "integer", "list": true}, {"name": "b", "type": "reference", "to": "B"}]}, {"name": "B", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "x", "type": "text"}, {"name": "y", "type": "text"}, {"name": "self", "type": "reference", "to": "B"}], "unique": [["x", "y"], ["y"]], "retention": {"floor": "1 year 90 days", "field": "created_at"}, "times": true}, {"name": "None", "fields": [{"name": "x", "type": "text"}]}]'
-- Tables, keys and rows.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"Nobody": {"rows": []}, "A": {"key": null, "existing": "replace", "rows": [null, 1, {}], "more": 1}, "B": {"rows": [{"x": "1"}]}, "None": {"key": ["x", "z", null], "rows": {}}}}'
SELECT kepler.apply_blueprint(:'document');
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"B": {"key": ["y", "self"], "rows": []}, "None": {"rows": []}, "A": null}}'
SELECT kepler.apply_blueprint(:'document');
-- Values.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"A": {"rows": [{"n": null, "id": 3, "zz": 1}, {"n": "", "e": "z", "i": 10, "at3": "2024-01-01T00:00:00.0001Z", "r": 0.123456789, "d": 1.25}, {"n": "a", "v": [1], "j": {"now_plus": "1 day"}, "c": "abc", "bits": "1", "by": "?", "list": [1, null]}, {"n": "A", "list": 3, "i": 2147483648, "e": {"value": "x"}, "at3": {"now_plus": "soon"}, "v": [1, 1e99]}, {"n": {"now_plus": "1 day"}, "i": 1.5, "j": {"value": 1, "b": 2}}]}}}'
SELECT kepler.apply_blueprint(:'document');
-- A key that is NULL, left out, or another one each time; one key twice, also where case does not count.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"B": {"key": ["y"], "rows": [{"y": null}, {"x": "1"}, {"y": "1"}, {"y": "2"}, {"y": "1"}]}, "A": {"rows": [{"n": "straße"}, {"n": "STRASSE"}, {"n": "x"}, {"n": "X"}]}}}'
SELECT kepler.apply_blueprint(:'document');
-- A secret, which is not shown, where a reference to one belongs.
SELECT kepler.apply_blueprint('{"blueprint": "wrong", "tables": [{"name": "S", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "token", "type": "text", "sensitive": "reference"}]}], "seed": {"S": {"rows": [{"k": "a", "token": "ya29.A0ARrdaM-k9Vq7L4PzJmT2f0"}, {"k": "b", "token": "vault:team/app"}]}}}'::jsonb);
SELECT kepler.apply_blueprint('{"blueprint": "wrong", "tables": [{"name": "S", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "token", "type": "text", "sensitive": "reference"}]}], "seed": {"S": {"rows": [{"k": "a", "token": "somewhere"}, {"k": "b", "token": "vault:team/app"}]}}}'::jsonb);
-- Lookups.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"A": {"rows": [{"n": "1", "b": {"lookup": null}}, {"n": "2", "b": {"lookup": {}}}, {"n": "3", "b": {"lookup": {"where": {"x": "1"}}}}, {"n": "4", "b": {"lookup": {"table": "Nobody", "where": {"x": "1"}}}}, {"n": "5", "b": {"lookup": {"field": "zz", "where": {"y": "1"}}}}, {"n": "6", "e": {"lookup": {"where": {"y": "1"}}}}, {"n": "7", "b": {"lookup": {"where": {"y": null}, "more": 1}}}, {"n": "8", "b": {"lookup": {"where": {"y": 1, "zz": 2}}}}, {"n": "9", "list": {"lookup": {"table": "B", "where": {"y": "1"}}}}, {"n": "10", "e": {"lookup": {"table": "None", "where": {"x": "1"}}}}, {"n": "11", "b": {"lookup": {"where": {"y": {"now_plus": "1 day"}}}}}]}}}'
SELECT kepler.apply_blueprint(:'document');
-- Rows that need one another, or themselves.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"B": {"key": ["y"], "rows": [{"y": "1", "self": {"lookup": {"where": {"y": "2"}}}}, {"y": "2", "self": {"lookup": {"where": {"y": "1"}}}}, {"y": "3", "self": {"lookup": {"where": {"y": "3"}}}}, {"y": "4"}]}}}'
SELECT kepler.apply_blueprint(:'document');
-- Nothing of it was done; what is right is applied, and told.
SELECT count(*) FROM kepler.blueprints WHERE name = 'wrong';
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"B": {"key": ["y"], "rows": [{"y": "1", "self": {"lookup": {"where": {"y": "2"}}}}, {"y": "2"}, {"y": "3", "self": {"lookup": {"where": {"y": "1"}}}}]}}}'
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT b.y, s.y AS self FROM wrong."B" AS b LEFT JOIN wrong."B" AS s ON s.id = b.self ORDER BY 1;
SELECT object_type, object, kind, expected FROM kepler.blueprint_drift('wrong') WHERE object_type = 'retention';
-- What the database refuses is its own error, and leaves nothing.
\set document '{"blueprint": "wrong", ' :tables ', "seed": {"A": {"rows": [{"n": "ok"}, {"n": "no", "b": "00000000-0000-0000-0000-000000000000"}]}}}'
SELECT kepler.apply_blueprint(:'document');
SELECT count(*) FROM wrong."A";
ROLLBACK;
-- A trigger that keeps rows out, or changes them, is told: the blueprint would never be reached.
BEGIN;
\set document '{"blueprint": "kept", "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'document');
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.k = 'out' THEN RETURN NULL; END IF; NEW.v := upper(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER keep_out BEFORE INSERT OR UPDATE ON kept.t FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT kepler.apply_blueprint('{"blueprint": "kept", "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}], "seed": {"t": {"rows": [{"k": "out"}]}}}'::jsonb);
SELECT kepler.apply_blueprint('{"blueprint": "kept", "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}], "seed": {"t": {"existing": "update", "rows": [{"k": "in", "v": "low"}]}}}'::jsonb);
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "kept", "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}], "seed": {"t": {"rows": [{"k": "in", "v": "low"}]}}}'::jsonb);
SELECT * FROM kept.t;
-- Two spellings that are one value to the database.
SELECT kepler.apply_blueprint('{"blueprint": "kept", "tables": [{"name": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}, {"name": "ip", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "inet"}]}], "seed": {"ip": {"rows": [{"k": "10.0.0.1"}, {"k": "10.0.0.1/32"}]}}}'::jsonb);
ROLLBACK;
