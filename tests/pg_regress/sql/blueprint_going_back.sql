-- An online change that was stopped has renamed things already. A document that goes back to the names before, or elsewhere, does not
-- say so, and does not have to: what was renamed is renamed again, and nothing is dropped and made anew.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set first '{"blueprint": "back", "enums": {"state": ["a", "b"]}, "tables": [{"name": "P", "table": "p", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text"}, {"name": "s", "type": "enum", "enum": "state"}, {"name": "x", "type": "integer"}, {"name": "y", "type": "integer"}]}, {"name": "C", "table": "c", "fields": [{"name": "p", "type": "reference", "to": "P"}]}]}'
\set second '{"blueprint": "back", "enums": {"mood": {"type": "moods", "renamed_from": "state", "values": ["a", "z"], "renamed_values": {"b": "z"}}}, "tables": [{"name": "Parent", "table": "parents", "renamed_from": "P", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "label", "renamed_from": "code", "type": "text", "required": true}, {"name": "s", "type": "enum", "enum": "mood"}, {"name": "y", "renamed_from": "x", "type": "integer"}, {"name": "z", "renamed_from": "y", "type": "integer"}]}, {"name": "C", "table": "c", "fields": [{"name": "parent", "renamed_from": "p", "type": "reference", "to": "Parent"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'first');
INSERT INTO back.p (code, s, x, y) VALUES ('one', 'a', 1, 10), ('two', 'b', 2, 20), (NULL, 'b', 3, 30);
INSERT INTO back.c VALUES (1), (2);
-- A row without a label stops it, when everything has its new name.
CALL kepler.apply_blueprint_online(:'second');
SELECT * FROM back.parents ORDER BY id;
SELECT operation, object, statement FROM kepler.plan_blueprint(:'first');
SELECT version, outcome FROM kepler.apply_blueprint(:'first', '{drop}');
SELECT * FROM back.p ORDER BY id;
SELECT * FROM back.c ORDER BY p;
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'first');
SELECT object_type, object, kind FROM kepler.blueprint_drift('back') WHERE kind <> 'coverage';

-- The same, going back online.
CALL kepler.apply_blueprint_online(:'second');
SELECT DISTINCT operation FROM kepler.plan_blueprint(:'first', '{"online": true}') ORDER BY 1;
CALL kepler.apply_blueprint_online(:'first', '{drop}');
SELECT code, s, x, y FROM back.p ORDER BY id;

-- And elsewhere: other names, of what was there before or of what is there now.
CALL kepler.apply_blueprint_online(:'second');
\set third '{"blueprint": "back", "enums": {"feeling": {"renamed_from": "state", "values": ["a", "q"], "renamed_values": {"b": "q"}}}, "tables": [{"name": "Father", "table": "fathers", "renamed_from": "P", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "word", "renamed_from": "code", "type": "text"}, {"name": "s", "type": "enum", "enum": "feeling"}, {"name": "u", "renamed_from": "x", "type": "integer"}, {"name": "y", "type": "integer"}]}, {"name": "C", "table": "c", "fields": [{"name": "p", "type": "reference", "to": "Father"}]}]}'
SELECT operation, object FROM kepler.plan_blueprint(:'third');
SELECT outcome FROM kepler.apply_blueprint(:'third', '{drop}');
SELECT * FROM back.fathers ORDER BY id;

-- Stopped before anything was renamed, there is nothing to go back from.
SELECT outcome, more FROM kepler_internal.apply_blueprint_step(replace(:'third', '"a", "q"', '"a", "q", "n"'), '{}', NULL);
SELECT operation, object FROM kepler.plan_blueprint(:'third');
-- A second document that was given up is gone back from as well.
SELECT outcome, more FROM kepler_internal.apply_blueprint_step('{"blueprint": "back", "enums": {"feeling": ["a", "q", "n"]}, "tables": [{"name": "F2", "renamed_from": "Father", "table": "f2", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "w2", "renamed_from": "word", "type": "text", "required": true}, {"name": "s", "type": "enum", "enum": "feeling"}, {"name": "u", "type": "integer"}, {"name": "y", "type": "integer"}]}, {"name": "C", "table": "c", "fields": [{"name": "p", "type": "reference", "to": "F2"}]}]}', '{}', NULL);
SELECT outcome, more FROM kepler_internal.apply_blueprint_step('{"blueprint": "back", "enums": {"feeling": ["a", "q", "n"]}, "tables": [{"name": "F3", "renamed_from": "F2", "table": "f3", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "w3", "renamed_from": "w2", "type": "text", "required": true}, {"name": "s", "type": "enum", "enum": "feeling"}, {"name": "u", "type": "integer"}, {"name": "y", "type": "integer"}]}, {"name": "C", "table": "c", "fields": [{"name": "p", "type": "reference", "to": "F3"}]}]}', '{}', NULL);
SELECT outcome FROM kepler.apply_blueprint(replace(:'third', '"a", "q"', '"a", "q", "n"'), '{drop}');
SELECT word, s, u, y FROM back.fathers ORDER BY id;
SELECT outcome FROM kepler.drop_blueprint('back', '{"with_rows": true}');
