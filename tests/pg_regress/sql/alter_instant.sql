-- Changes that only touch the catalog are done at once, whatever the size of the table: the class is instant,
-- no row is read or written, and the file of the table stays the same.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Article', '{"fields": [
    {"name": "title", "type": "text", "max_length": 20, "required": true},
    {"name": "price", "type": "decimal", "precision": 6, "scale": 2, "min": 0, "max": 100},
    {"name": "amount", "type": "integer", "default": 0, "required": true, "unique": true},
    {"name": "old", "type": "text"}]}');
INSERT INTO kepler_data.article_1_entries (title, price, amount, old) VALUES ('one', 1.5, 1, 'a'), ('two', 2, 2, NULL);
SELECT pg_relation_filenode('kepler_data.article_1_entries') AS filenode \gset

-- Optional fields, a field with a constant default, a rename, longer, more digits, optional now, no range any more,
-- not unique any more, another default, one hidden, a description.
\set document '{"description": "What we sell", "fields": [{"name": "headline", "type": "text", "max_length": 200, "renamed_from": "title"}, {"name": "price", "type": "decimal", "precision": 8, "scale": 2}, {"name": "amount", "type": "integer", "default": 5}, {"name": "notes", "type": "text", "list": true, "description": "free"}, {"name": "in_stock", "type": "boolean", "required": true, "default": true}]}'
SELECT step, operation, object, class, lock, estimated_rows, hazards, undo IS NOT NULL AS undo
FROM kepler.plan_entry_table('Article', :'document');
SELECT statement FROM kepler.plan_entry_table('Article', :'document');
SELECT kepler.alter_entry_table('Article', :'document');
SELECT entry_id, headline, price, amount, notes, in_stock FROM kepler_data.article_1_entries ORDER BY 1;
SELECT pg_relation_filenode('kepler_data.article_1_entries') = :filenode AS not_rewritten;
-- Without a length at all, and from numeric(p,s) to any number of digits.
SELECT operation, object, class, lock FROM kepler.plan_entry_table('Article', '{"description": "What we sell", "fields": [
    {"name": "headline", "type": "text"}, {"name": "price", "type": "decimal"}, {"name": "amount", "type": "integer", "default": 5},
    {"name": "notes", "type": "text", "list": true, "description": "free"}, {"name": "in_stock", "type": "boolean", "required": true, "default": true}]}');

-- What is made for each entry is not instant: the plan says so.
SELECT operation, object, class, estimated_rows FROM kepler.plan_entry_table('Article', '{"description": "What we sell", "fields": [
    {"name": "headline", "type": "text", "max_length": 200}, {"name": "price", "type": "decimal", "precision": 8, "scale": 2},
    {"name": "amount", "type": "integer", "default": 5}, {"name": "notes", "type": "text", "list": true, "description": "free"},
    {"name": "in_stock", "type": "boolean", "required": true, "default": true}, {"name": "token", "type": "uuid", "default": "uuid"},
    {"name": "seen", "type": "timestamp", "default": "now"}]}');

-- Undone in reverse order, an instant plan leaves the table of the version before: planned from it, nothing is to do.
-- The first statement is the plan's, the others are what it says would take it back.
SELECT kepler.create_entry_table('Undone', '{"description": "before", "fields": [
    {"name": "a", "type": "text", "max_length": 20, "required": true, "unique": true, "default": "x"},
    {"name": "b", "type": "integer", "min": 0, "max": 100},
    {"name": "c", "type": "integer", "index": true},
    {"name": "d", "type": "text", "required": true, "default": "gone"}]}');
CREATE TEMP TABLE plan ON COMMIT DROP AS SELECT * FROM kepler.plan_entry_table('Undone', '{"description": "after", "fields": [
    {"name": "a2", "type": "text", "renamed_from": "a", "description": "renamed", "max_length": 20},
    {"name": "b", "type": "integer", "default": 3},
    {"name": "c", "type": "integer"},
    {"name": "e", "type": "text", "required": true, "default": "new"}]}');
SELECT step, operation, object, class, undo FROM plan ORDER BY step;
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT statement FROM plan ORDER BY step LOOP EXECUTE statement; END LOOP;
    FOR statement IN SELECT undo FROM plan ORDER BY step DESC LOOP EXECUTE statement; END LOOP;
END
$$;
SELECT operation, object, class, statement FROM kepler.plan_entry_table('Undone', (
    SELECT s.structure FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Undone'));
ROLLBACK;
