-- A member that is null is not one that is absent: it is an error wherever it stands, with its place, and nothing beside it is
-- read as if it had not been there. A default may be null: that is none.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
-- Once this made a table without the field, the unique set and the check.
SELECT kepler.create_entry_table('N', '{"fields": [{"name": null, "type": "text"}, {"name": "n", "type": "integer"}], "unique": [["n"]], "checks": [{"field": "nope", "op": "<", "value": 5}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- All of them at once, beside what else is wrong.
SELECT kepler.create_entry_table('N', '{"name": null, "label": null, "description": null, "key": {"name": null, "type": null}, "fields": [
    {"name": "a", "label": null, "type": "text", "max_length": null, "min_length": null, "required": null, "unique": null, "list": null, "case_insensitive": null, "index": null, "renamed_from": null, "default": null},
    {"name": "b", "type": "decimal", "precision": null, "scale": null, "min": null, "max": null}, {"name": "c", "type": "enum", "values": null}, {"name": "d", "type": "enum", "values": ["x", null]},
    {"name": "e", "type": "reference", "to": null, "on_delete": null}, {"name": "f", "type": null}, null, {"name": "g", "type": "vector", "dimensions": null, "index": {"method": null}}, {"name": "h", "type": "nothing"}],
    "unique": [null, ["a", null]], "indexes": [null, {"fields": null}, {"fields": [null, {"name": null, "direction": null}], "method": null}],
    "checks": [null, {"field": null, "op": "<", "value": 1}, {"field": "a", "op": null, "value": null}, {"field": "a", "op": "<", "other_field": null}], "more": null}');
SELECT kepler.create_entry_table('N', '{"fields": null, "key": null, "unique": null, "indexes": null, "checks": null}');
SELECT kepler.create_entry_table('N', 'null');
-- What a default is made of is the user's.
SELECT kepler.create_entry_table('N', '{"fields": [{"name": "a", "type": "json", "default": {"x": [null]}}, {"name": "b", "type": "text", "default": null}, {"name": "n", "type": "integer", "unique": true}]}');
-- An alter does not hide a field for a null.
SELECT * FROM kepler.plan_entry_table('N', '{"fields": [{"name": "a", "type": "json", "default": {"x": [null]}}, {"name": null, "type": "text"}]}');
SELECT kepler.alter_entry_table('N', '{"fields": [{"name": "a", "type": "json", "default": {"x": [null]}}, {"name": "b", "type": "text"}, {"name": "n", "type": "integer", "unique": null}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- As a JSON Schema: null is a value there, and no keyword has it.
SELECT kepler.create_entry_table('S', '{"type": "object", "title": null, "x-kepler": {"name": null, "unique": [null]}, "required": null, "properties": {
    "a": {"type": "string", "maxLength": null, "x-kepler": null}, "b": null, "c": {"type": ["integer", "null"], "minimum": null, "x-kepler": {"type": null, "unique": null}}, "d": {"anyOf": null}, "e": {"enum": null},
    "f": {"$ref": null}, "g": {"type": null}, "h": {"type": "array", "items": null}}, "$defs": {"x": null}}');
SELECT kepler.create_entry_table('S', '{"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "examples": [null]}, "b": {"enum": ["x", null]}, "c": {"type": "string", "nullable": true, "x-other": null}}}');

-- Arguments and options.
SELECT kepler.alter_entry_table('N', '{"fields": []}', options => '{"version": null, "lock_timeout_ms": null, "more": null}');
SELECT kepler.alter_entry_table('N', '{"fields": []}', options => 'null');
SELECT kepler.alter_entry_table('N', '{"fields": []}', allow => '{null}');
ROLLBACK;
