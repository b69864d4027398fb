-- An entry table is the user's: columns, indexes, triggers, views and constraints that were added by hand are never
-- dropped, and never differences. Where one says what the structure asks for, it is adopted.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "embedding", "type": "vector", "dimensions": 3}]}');
ALTER TABLE kepler_data.product_1_entries ADD COLUMN mine text DEFAULT 'x' NOT NULL, ADD COLUMN twice numeric GENERATED ALWAYS AS (price * 2) STORED,
    ADD CONSTRAINT reasonable CHECK (price < 1000 OR name LIKE 'gold%'),
    ADD CONSTRAINT no_overlap EXCLUDE (name WITH =) WHERE (price IS NULL);
CREATE INDEX by_lower ON kepler_data.product_1_entries (lower(name)) WHERE price > 0;
CREATE INDEX by_meaning ON kepler_data.product_1_entries USING hnsw (embedding public.vector_l2_ops) WITH (m = 8);
CREATE VIEW cheap AS SELECT entry_id, name, price FROM kepler_data.product_1_entries WHERE price < 10;
CREATE FUNCTION pg_temp.upper_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON kepler_data.product_1_entries FOR EACH ROW EXECUTE FUNCTION pg_temp.upper_name();
CREATE POLICY by_hand ON kepler_data.product_1_entries AS RESTRICTIVE USING (true);
CREATE TEMP VIEW objects AS
SELECT 'column' AS kind, attname AS name, coalesce(pg_get_expr(adbin, adrelid), '') AS definition
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'kepler_data.product_1_entries'::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'kepler_data.product_1_entries'::regclass AND contype <> 'n'
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'kepler_data.product_1_entries'::regclass
UNION ALL SELECT 'trigger', tgname, '' FROM pg_trigger WHERE tgrelid = 'kepler_data.product_1_entries'::regclass AND NOT tgisinternal
UNION ALL SELECT 'policy', polname, '' FROM pg_policy WHERE polrelid = 'kepler_data.product_1_entries'::regclass;
CREATE TEMP TABLE before AS TABLE objects;

-- The same snapshot again proposes nothing: no deletes, no truncation, no index that was seen as drift.
SELECT * FROM kepler.plan_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "embedding", "type": "vector", "dimensions": 3}]}');
-- A change of other things leaves them.
SELECT kepler.alter_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "embedding", "type": "vector", "dimensions": 3}, {"name": "added", "type": "integer", "index": true}]}');
TABLE before EXCEPT TABLE objects;
SELECT kind, name FROM (TABLE objects EXCEPT TABLE before) AS _ ORDER BY 1, 2;
-- A rename takes them along, the view too.
SELECT kepler.alter_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "cost", "renamed_from": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "embedding", "type": "vector", "dimensions": 3}, {"name": "added", "type": "integer", "index": true}]}');
INSERT INTO kepler_data.product_1_entries (name, cost) VALUES ('tea', 5) RETURNING name, cost, twice, mine;
SELECT name, price FROM cheap;
-- A field that is hidden keeps what was built on it; no cascade.
SELECT kepler.alter_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "embedding", "type": "vector", "dimensions": 3}, {"name": "added", "type": "integer", "index": true}]}');
SELECT name, price FROM cheap;
SELECT kepler.purge_field('Product', 'cost');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.restore_field('Product', 'cost');
SELECT name, cost, twice FROM kepler_data.product_1_entries;
-- A type that a view or a generated column depends on: refused by the plan, and nothing is changed.
SELECT kepler.alter_entry_table('Product', '{"fields": [{"name": "name", "type": "text"}, {"name": "cost", "type": "float"},
    {"name": "embedding", "type": "vector", "dimensions": 3}, {"name": "added", "type": "integer", "index": true}]}', allow => '{convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What somebody made by hand and the structure now asks for is adopted under its own name.
SELECT kepler.create_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer"}]}');
ALTER TABLE kepler_data.adopted_2_entries ADD COLUMN b text, ADD CONSTRAINT positive CHECK (a >= 0), ADD CONSTRAINT only_one UNIQUE (a);
CREATE INDEX my_index ON kepler_data.adopted_2_entries (b);
SELECT operation, object, class FROM kepler.plan_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer", "min": 0, "unique": true}, {"name": "b", "type": "text", "index": true}]}');
SELECT kepler.alter_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer", "min": 0, "unique": true}, {"name": "b", "type": "text", "index": true}]}');
-- From then on they are the structure's: dropping them from it drops them from the table.
SELECT operation, object, class FROM kepler.plan_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer"}]}');
-- What somebody took away is brought back.
ALTER TABLE kepler_data.adopted_2_entries DROP CONSTRAINT positive, ALTER COLUMN a SET DEFAULT 5, ALTER COLUMN a SET NOT NULL;
SELECT operation, object, class FROM kepler.plan_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer", "min": 0, "unique": true}, {"name": "b", "type": "text", "index": true}]}');
SELECT kepler.alter_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer", "min": 0, "unique": true}, {"name": "b", "type": "text", "index": true}]}');
SELECT * FROM kepler.plan_entry_table('Adopted', '{"fields": [{"name": "a", "type": "integer", "min": 0, "unique": true}, {"name": "b", "type": "text", "index": true}]}');
-- A table that was dropped or renamed by hand.
ALTER TABLE kepler_data.adopted_2_entries RENAME TO elsewhere;
SELECT kepler.alter_entry_table('Adopted', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.plan_entry_table('Adopted', '{"fields": []}');
SELECT kepler.drop_entry_table('Adopted');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
