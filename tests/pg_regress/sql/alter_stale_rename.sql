-- A document that was applied still tells its renames. Where both names are fields by now, a rename would take one for the other:
-- that is refused, and never done because a word stood there still.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Item', '{"fields": [{"name": "a", "type": "text"}]}') AS item \gset
INSERT INTO :item (a) VALUES ('first');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}]}');
-- The old name is given again: another field.
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}, {"name": "a", "type": "text"}]}');
UPDATE :item SET a = 'second';
-- Without a, and with what is left of the rename: is a to go, or b?
SELECT operation, object, class, hazards FROM kepler.plan_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}]}');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT a, b FROM :item;
-- As it says: without renamed_from a is hidden; or b goes first.
SAVEPOINT either;
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text"}]}');
SELECT b FROM :item;
ROLLBACK TO either;
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "a", "type": "text"}]}');
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}]}');
SELECT b FROM :item;
SELECT kepler.alter_entry_table('Item', '{"fields": [{"name": "b", "type": "text", "renamed_from": "a"}]}');
-- The first b is there still.
SELECT field_name FROM kepler.hidden_fields;
ROLLBACK;
