-- A plan says how each step is taken back, and that does it: run behind its step, it leaves the catalog as it was. Where nothing
-- takes a step back, the hazards say why, unless rows were destroyed.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog;
-- What is in the schema, as Postgres prints it.
CREATE FUNCTION pg_temp.shape() RETURNS SETOF text LANGUAGE sql AS $$
SELECT format('%s.%I %s %s %s default %s %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
    pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = to_regnamespace('shop') AND c.relkind = 'r'
UNION ALL
SELECT format('%s %s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) FROM pg_constraint AS c
WHERE c.connamespace = to_regnamespace('shop') AND c.contype <> 'n'
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace = to_regnamespace('shop')
UNION ALL
SELECT format('%s %s', s.seqrelid::regclass, format_type(s.seqtypid, NULL)) FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
WHERE c.relnamespace = to_regnamespace('shop')
UNION ALL
SELECT format('%s %s', t.oid::regtype, (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid))
FROM pg_type AS t WHERE t.typnamespace = to_regnamespace('shop') AND t.typtype = 'e'
$$;
CREATE FUNCTION pg_temp.undo(document text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    step record;
    before text[];
BEGIN
    FOR step IN SELECT * FROM kepler.plan_blueprint(document) AS p ORDER BY p.step LOOP
        before := ARRAY(SELECT pg_temp.shape());
        EXECUTE step.statement;
        RETURN NEXT format('%s %s: %s', step.operation, step.object,
            coalesce(step.undo, 'no undo ' || array_to_string(ARRAY(SELECT h FROM unnest(step.hazards) AS h WHERE h ~ '^(undo|data):'), '; ')));
        CONTINUE WHEN step.undo IS NULL;
        BEGIN
            EXECUTE step.undo;
            RETURN QUERY SELECT '  is missing: ' || x.line FROM unnest(before) AS x (line) EXCEPT ALL SELECT '  is missing: ' || s FROM pg_temp.shape() AS s;
            RETURN QUERY SELECT '  is left: ' || s FROM pg_temp.shape() AS s EXCEPT ALL SELECT '  is left: ' || x.line FROM unnest(before) AS x (line);
            RAISE SQLSTATE 'KP001';
        EXCEPTION WHEN SQLSTATE 'KP001' THEN NULL;
        END;
    END LOOP;
END
$$;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "enums": {"status": ["new", "sent", "lost"], "size": ["s", "m"]}, "tables": [
    {"name": "Customer", "table": "customers", "key": {"fields": ["id"]}, "fields": [
        {"name": "id", "type": "integer", "generated": "serial"}, {"name": "email", "type": "text", "max_length": 40, "unique": true},
        {"name": "size", "type": "enum", "enum": "size", "default": "s"}, {"name": "note", "type": "text", "default": "none"}]},
    {"name": "Order", "table": "orders", "key": {"fields": ["id"]}, "description": "What was ordered", "fields": [
        {"name": "id", "type": "integer", "generated": "identity"}, {"name": "customer", "column": "customer_id", "type": "reference", "to": "Customer"},
        {"name": "status", "type": "enum", "enum": "status", "default": "new"}, {"name": "total", "type": "decimal", "precision": 10, "scale": 2},
        {"name": "number", "type": "smallint", "default": 1}],
     "checks": [{"field": "number", "op": ">", "value": 0, "name": "positive"}]}]}');
INSERT INTO shop.customers (email) VALUES ('a@example.org'), ('b@example.org');
INSERT INTO shop.orders (customer_id, total) VALUES (1, 9.5), (2, 20);

-- Tables and columns are renamed, and the type of a key changes: the reference leads to the table by its old name when it is dropped.
SELECT pg_temp.undo(document) FROM (VALUES ('{"blueprint": "shop", "enums": {"status": ["new", "sent", "lost"], "size": ["s", "m", "l"]}, "tables": [
    {"name": "Customer", "table": "buyers", "key": {"fields": ["id"]}, "fields": [
        {"name": "id", "column": "number", "type": "bigint", "generated": "identity_always"}, {"name": "email", "type": "text", "required": true},
        {"name": "size", "type": "enum", "enum": "size"}]},
    {"name": "Order", "table": "orders", "key": {"fields": ["id"]}, "description": "Orders", "fields": [
        {"name": "id", "type": "integer"}, {"name": "customer", "column": "buyer", "type": "reference", "to": "Customer"},
        {"name": "status", "type": "enum", "enum": "status", "default": "new"}, {"name": "total", "type": "decimal", "precision": 12, "scale": 2},
        {"name": "number", "type": "integer", "default": 1}],
     "checks": [{"field": "number", "op": ">", "value": 0, "name": "positive"}]}]}')) AS d (document);

-- A column that somebody lets Postgres compute keeps its values, and is not computed again.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "sums", "tables": [{"name": "S", "table": "s", "fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "integer"}]}]}');
ALTER TABLE sums.s DROP COLUMN b, ADD COLUMN b integer GENERATED ALWAYS AS (a + 1) STORED;
SELECT operation, statement, undo, hazards FROM kepler.repair_blueprint('sums');
ROLLBACK;
