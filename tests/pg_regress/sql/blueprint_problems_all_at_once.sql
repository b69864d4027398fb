-- A blueprint that is not valid is refused with all that is wrong with it at once, each at its place (a JSON Pointer),
-- and nothing is made.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;

-- What is wrong with the document, its enums and its tables.
SELECT kepler.apply_blueprint('{"blueprint": "My shop", "schema": "kepler_data", "version": 1.5, "tenancy": "mine", "seeds": [], "description": null,
    "enums": {"empty": [], "twice": ["a", "a"], "gone": {"values": ["a"], "renamed_values": {"a": "a", "b": "c"}}, "number": 1},
    "tables": [
        "not an object",
        {"fields": []},
        {"name": "A", "table": "", "colour": 1},
        {"name": "B", "key": {"name": "id", "fields": ["a"]}, "fields": []},
        {"name": "C", "key": {}, "times": "yes", "fields": [{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]},
        {"name": "D", "schema": "pg_temp", "fields": [{"name": "a", "type": "text", "column": "xmin"}, {"name": "b", "type": "text", "column": "b\u0007"}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What is wrong with fields.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "enums": {"status": ["draft"]}, "tables": [{"name": "Order", "fields": [
        {"name": "a", "type": "int4"},
        {"name": "b", "type": "enum", "enum": "nothing"},
        {"name": "c", "type": "enum", "enum": "status", "default": "sent"},
        {"name": "d", "type": "native", "sql_type": "text; DROP TABLE x"},
        {"name": "e", "type": "text", "generated": "identity"},
        {"name": "f", "type": "char", "length": 9, "fill": "cuid"},
        {"name": "g", "type": "text", "default": "x", "default_sql": "now()"},
        {"name": "h", "type": "timestamp", "precision": 9},
        {"name": "i", "type": "reference", "to": "Nothing"},
        {"name": "j", "type": "reference", "to": "Order"},
        {"name": "k/l~m", "type": "integer", "odd/key~": 1}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What is wrong with what is said over fields.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "extensions": ["vector"], "tables": [
    {"name": "User", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "email", "type": "text"}, {"name": "age", "type": "integer", "default": 5}],
     "checks": [{"field": "age", "op": ">", "value": 17, "name": "adult"}]},
    {"name": "Order", "key": {"fields": ["note"]}, "fields": [
        {"name": "user", "type": "integer"}, {"name": "note", "type": "xml"}, {"name": "data", "type": "json"},
        {"name": "embedding", "type": "vector", "dimensions": 2001, "index": true}],
     "unique": [["user", "user"], ["nothing"], {"fields": ["user"], "nulls_not_distinct": true}],
     "references": [{"fields": ["user"], "to": "User"}, {"fields": ["user"], "to": "User", "to_fields": ["age"]}, {"fields": ["user"], "to": "Nobody"},
                    {"fields": ["user", "data"], "to": "User"}, {"fields": ["user"], "to": "User", "set_fields": ["user"], "on_delete": "explode"}],
     "indexes": [{"fields": [{"field": "data", "operators": "gist_path_ops", "nulls": "nowhere"}]}, {"fields": [{"field": "data", "operators": "inet_ops"}], "method": "gist"},
                 {"fields": [{"field": "data", "operators": "jsonb_path_ops"}]}, {"fields": ["user", "data"], "method": "hash"},
                 {"fields": ["user"], "options": {"lists": 7}}, {"fields": ["user"], "where_sql": ""}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Two of one name: tables, a table and an enum, a table and an index, two constraints, two columns.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "enums": {"Order": ["a"]}, "tables": [
    {"name": "Order", "fields": [{"name": "a", "type": "text"}], "indexes": [{"fields": ["a"], "name": "orders"}]},
    {"name": "Orders", "table": "orders", "fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text", "column": "a"}]},
    {"name": "Orders", "table": "others", "key": {"fields": ["a"], "constraint": "k"}, "fields": [{"name": "a", "type": "text"}],
     "checks": [{"field": "a", "op": "<>", "value": "", "name": "k"}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Renames that never come to rest.
SELECT kepler.plan_blueprint('{"blueprint": "shop", "tables": [{"name": "A", "renamed_from": "B", "fields": []}, {"name": "B", "renamed_from": "A", "fields": []}]}');

-- Too much of it, and names that are too long: nothing is cut in silence.
SELECT kepler.plan_blueprint(json_build_object('blueprint', 'large', 'tables', json_agg(json_build_object('name', 't' || n, 'fields', '[]'::json))))
FROM generate_series(1, 2000) AS n;
SELECT kepler.plan_blueprint(json_build_object('blueprint', repeat('b', 49), 'tables', json_build_array(json_build_object('name', repeat('t', 64),
    'fields', json_build_array(json_build_object('name', repeat('f', 64), 'type', 'text'))))));

-- A field or a table that cannot be read hides nothing of what is said over the others, and nothing is said twice.
SELECT kepler.plan_blueprint('{"blueprint": "shop", "tables": [
    {"name": "User", "key": {"fields": ["id", "wrong"]}, "fields": [{"name": "id", "type": "int4"}, {"name": "wrong", "type": "text"}, {"name": "mail", "type": "json"}],
     "unique": [["mail"], ["id"], ["id", "nothing"]], "checks": [{"field": "mail", "op": "=", "value": 1}, {"field": "id", "op": "=", "value": 1}],
     "indexes": [{"fields": ["id"], "method": "gin", "options": {"fillfactor": 9}}, {"fields": ["wrong"], "options": {"fillfactor": 9, "deduplicate_items": 2}},
                 {"fields": ["wrong"], "where_sql": ""}],
     "references": [{"fields": ["id"], "to": "User"}, {"fields": ["wrong"], "to": "Nobody"}]},
    {"name": "User", "fields": [{"name": "user", "type": "reference", "to": "Nobody"}, {"name": "a", "type": "text"}],
     "unique": [["user", "nothing"]], "references": [{"fields": ["a"], "to": "User", "to_fields": ["wrong"]}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What only Postgres can judge is told with the rest, each at its place.
SELECT kepler.apply_blueprint('{"blueprint": "shop", "enums": {"state": ["new"]}, "tables": [{"name": "item", "key": {"fields": ["id"]}, "fields": [
        {"name": "id", "type": "integer", "default_sql": "''a''::text"}, {"name": "period", "type": "native", "sql_type": "interval(3)", "default": "soon"},
        {"name": "code", "type": "text", "max_length": 3, "default_sql": "''abcd''"}, {"name": "price", "type": "decimal", "precision": 3, "scale": 1, "default_sql": "1234.5"},
        {"name": "small", "type": "smallint", "default_sql": "40000"}, {"name": "at", "type": "timestamp", "default_sql": "''now''"}, {"name": "day", "type": "native", "sql_type": "daterange", "default": "[,today)"},
        {"name": "net", "type": "cidr", "default": "10.0.0.1/8"}, {"name": "state", "type": "enum", "enum": "state", "default": "old"}, {"name": "half", "type": "float", "default_sql": "1 / 0"},
        {"name": "name", "type": "text", "min_length": 30, "fill": "cuid"}, {"name": "path", "type": "native", "sql_type": "jsonpath"},
        {"name": "list", "type": "integer", "list": true, "default_sql": "''{1,x}''"}, {"name": "one", "type": "vector", "dimensions": 1}],
     "checks": [{"field": "net", "op": "=", "value": "ten"}, {"field": "path", "op": "=", "value": "$"}],
     "indexes": [{"fields": ["id"], "where_sql": "id + 1"}, {"fields": ["id"], "where_sql": "at > ''2024-01-01''::date"}, {"fields": ["id"], "where_sql": "code = 7"}, {"fields": ["id"], "where_sql": "state = ''new''"},
                 {"fields": ["one"], "method": "ivfflat", "options": {"lists": 0}}, {"fields": ["one"], "method": "hnsw", "metric": "l2", "options": {"m": 50, "ef_construction": 99}},
                 {"fields": ["id"], "method": "brin", "options": {"pages_per_range": 0, "autosummarize": 1}}, {"fields": ["net"], "method": "gist", "options": {"buffering": 3}},
                 {"fields": ["list"], "method": "gin", "options": {"gin_pending_list_limit": 1, "fastupdate": "auto"}}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A type or an operator class that nobody has, and a type that is none of a field.
SELECT object, hazards FROM kepler.plan_blueprint('{"blueprint": "shop", "tables": [{"name": "item", "fields": [
    {"name": "a", "type": "native", "sql_type": "regclass"}, {"name": "b", "type": "native", "sql_type": "nothing"}, {"name": "c", "type": "text"}],
    "indexes": [{"fields": [{"field": "c", "operators": "no_ops"}]}]}]}');

-- What is no JSON, or no object.
SELECT kepler.plan_blueprint('{"tables": [}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.plan_blueprint('[]'::json);
SELECT kepler.plan_blueprint('{}'::jsonb);

-- Nothing was made.
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname IN ('shop', 'My shop', 'large');
ROLLBACK;
