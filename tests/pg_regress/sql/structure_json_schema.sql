-- JSON Schema (2020-12) instead of a structure document, as form libraries, validators and language models speak it; and
-- back, for them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
-- As pydantic writes it: Optional is anyOf with null, nested enums stand in $defs.
SELECT kepler.create_entry_table('Invoice', '{
    "$defs": {"Status": {"enum": ["draft", "sent", "paid"], "title": "Status", "type": "string"}},
    "properties": {
        "number": {"maxLength": 20, "minLength": 1, "title": "Number", "type": "string"},
        "amount": {"anyOf": [{"minimum": 0, "type": "number"}, {"type": "null"}], "default": null, "title": "Amount"},
        "status": {"$ref": "#/$defs/Status", "default": "draft"},
        "due": {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}], "default": null, "title": "Due"},
        "sent_at": {"anyOf": [{"format": "date-time", "type": "string"}, {"type": "null"}], "default": null, "title": "Sent At"},
        "customer_id": {"format": "uuid", "title": "Customer Id", "type": "string"},
        "lines": {"items": {"type": "integer"}, "title": "Lines", "type": "array"},
        "meta": {"additionalProperties": true, "title": "Meta", "type": "object"}},
    "required": ["number", "customer_id", "lines"], "title": "Invoice", "type": "object"}');
SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'kepler_data.invoice_1_entries'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = 'kepler_data.invoice_1_entries'::regclass AND contype = 'c' ORDER BY conname;

-- As zod writes it: no titles, additionalProperties false, safe integers with their bounds.
SELECT kepler.create_entry_table('Player', '{
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {
        "username": {"type": "string", "minLength": 3}, "xp": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
        "level": {"type": "number", "exclusiveMinimum": 0}, "team": {"type": "string", "enum": ["red", "blue"]},
        "nickname": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "active": {"default": true, "type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["username", "xp", "level", "team", "nickname", "active", "tags"], "additionalProperties": false}');
SELECT jsonb_pretty(structure -> 'fields') AS fields, structure -> 'checks' AS checks FROM kepler.structures WHERE structure ->> 'name' = 'Player';

-- Given back: what a JSON Schema cannot say stands under x-kepler, and read in again nothing is to be done.
SELECT kepler.alter_entry_table('Player', kepler.entry_json_schema('Player')) AS player, kepler.alter_entry_table('Invoice', kepler.entry_json_schema('Invoice')) AS invoice;
SELECT kepler.create_entry_table('Full', '{"label": "All of it", "key": {"name": "id", "type": "uuid"}, "fields": [
    {"name": "zeta", "type": "decimal", "precision": 10, "scale": 2, "min": 0.01, "label": "Last", "required": true},
    {"name": "name", "type": "text", "max_length": 30, "unique": true, "case_insensitive": true, "description": "What it is called"},
    {"name": "invoice", "type": "reference", "to": "Invoice", "on_delete": "cascade"}, {"name": "embedding", "type": "vector", "dimensions": 3, "index": true},
    {"name": "made", "type": "timestamp", "default": "now"}, {"name": "file", "type": "bytes"}, {"name": "opens", "type": "time"}],
    "unique": [["zeta", "made"]], "checks": [{"field": "zeta", "op": "<>", "value": 5}], "indexes": [{"fields": [{"name": "made", "direction": "desc"}]}]}');
SELECT jsonb_pretty(kepler.entry_json_schema('Full')::jsonb) AS schema;
SELECT kepler.alter_entry_table('Full', kepler.entry_json_schema('Full')) AS same_version;
-- The fields come in their order.
SELECT json_object_keys(kepler.entry_json_schema('Full') -> 'properties') AS property;

-- What has no place in a table is refused, each at its place in the schema that was given. First what no structure is made
-- of at all; then what the structure made of it says.
SELECT kepler.create_entry_table('Bad', '{"type": "object", "$defs": {"Code": {"type": "string", "pattern": "^[A-Z]+$"}},
    "properties": {"code": {"$ref": "#/$defs/Code"}, "gone": {"$ref": "#/$defs/Gone"}, "far": {"$ref": "https://example.com/x"}, "loop": {"$ref": "#/properties/loop"}},
    "required": ["missing"]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Bad', '{"type": "object", "$defs": {"Level": {"type": "string", "enum": ["a", "a"]}},
    "properties": {"Price": {"type": "string"}, "order": {"type": "integer", "minimum": 2.5}, "level": {"$ref": "#/$defs/Level"}, "n": {"type": "integer", "default": "x"}, "short": {"type": "string", "minLength": 5, "maxLength": 3}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Values of several types are kept as json.
SELECT operation, statement FROM kepler.plan_entry_table('Mixed', '{"type": "object", "properties": {"either": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "pairs": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}}}') LIMIT 1;
SELECT kepler.create_entry_table('Bad', '{"type": "array", "items": {"type": "object"}}');
SELECT kepler.create_entry_table('Bad', '{"type": "object", "properties": {}, "x-kepler": {"fields": 1}}');
SELECT kepler.entry_json_schema('Bad');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.entry_json_schema(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
