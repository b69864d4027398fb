-- Many-to-many links are entries of a table that refers to two others. They are written as lists: the list is all that an
-- entry is linked to, and what stays is not written.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('Item', '{"fields": [{"name": "sku", "type": "text", "unique": true}]}') AS item \gset
SELECT kepler.create_entry_table('Tag', '{"key": {"name": "id", "type": "cuid"}, "fields": [{"name": "name", "type": "text", "required": true, "unique": true, "case_insensitive": true}]}') AS tag \gset
SELECT kepler.create_entry_table('Item Tag', '{"fields": [
  {"name": "theItem", "column": "item", "type": "reference", "to": "Item", "on_delete": "cascade", "required": true},
  {"name": "tag", "type": "reference", "to": "Tag", "on_delete": "cascade", "required": true},
  {"name": "weight", "type": "integer", "default": 1}], "unique": [["theItem", "tag"]]}') AS link \gset
SELECT count(*) FROM kepler.insert_entries('Item', '[{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]');
SELECT count(*) FROM kepler.insert_entries('Tag', '[{"id": "t1", "name": "red"}, {"id": "t2", "name": "Green"}, {"id": "t3", "name": "blue"}]');
CREATE FUNCTION pg_temp.links() RETURNS TABLE (item bigint, tags text) LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'SELECT item, string_agg(tag, '','' ORDER BY tag) FROM kepler_data.item_tag_3_entries GROUP BY item ORDER BY item'; END$$;

-- From one side, from the other; twice changes nothing, a shorter list takes away, an empty one takes all.
SELECT ordinal, entry_id, outcome FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": ["t1", "t2"]}, {"tag": ["t3", "t3"], "theItem": "2"}, {"theItem": 3, "tag": []}]');
SELECT * FROM pg_temp.links();
SELECT ordinal, entry_id, outcome FROM kepler.set_entry_links('Item Tag', 'tag', '[{"tag": "t1", "theItem": [1, 3]}, {"tag": "t2", "theItem": [1]}]');
SELECT * FROM pg_temp.links();
UPDATE :link SET weight = 7 WHERE item = 1;
CREATE TEMP TABLE before AS SELECT entry_id, ROW(ctid, xmin, xmax)::text AS version FROM :link;
SELECT ordinal, outcome FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": ["t2", "t1"]}, {"theItem": 2, "tag": ["t3", "t1"]}, {"theItem": 3, "tag": []}]'::jsonb);
SELECT * FROM pg_temp.links();
SELECT count(*) FROM before AS b JOIN :link AS l USING (entry_id) WHERE b.version = ROW(l.ctid, l.xmin, l.xmax)::text;
SELECT item, tag, weight FROM :link ORDER BY item, tag;

-- By a unique field of the other end, whose case does not count.
SELECT ordinal, entry_id, outcome, error FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": ["GREEN", "blue"]}, {"theItem": 2, "tag": ["violet", "red"]}]', 'name', 'skip');
SELECT ordinal, entry_id, outcome FROM kepler.set_entry_links('Item Tag', 'tag', '[{"tag": "t1", "theItem": ["c", "a"]}]', target_field => 'sku');
SELECT * FROM pg_temp.links();

-- What is wrong with one element is that element's answer: all of it, and nothing of it is written.
SELECT ordinal, entry_id, outcome, error_code, error, violations FROM kepler.set_entry_links('Item Tag', 'theItem', '[
  {"theItem": 1, "tag": ["t1", null, 5, "nope"]},
  {"theItem": 2, "tag": ["t1", "nope", "t2", "gone"]},
  {"theItem": 3, "tag": null}, {"theItem": 3}, {"tag": []}, {"theItem": null, "tag": []}, {"theItem": "x", "tag": "t1"},
  {"theItem": 3, "tag": [], "tag": []}, {"item": 3, "tag": [], "weight": 2},
  {"theItem": 99, "tag": ["t1"]}, 5, {"theItem": 2, "tag": ["t2"]}, {"theItem": 2, "tag": ["t3"]}]', on_error => 'skip');
SELECT * FROM pg_temp.links();
SAVEPOINT before;
SELECT * FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": ["t1", "nope"]}, {"theItem": 2, "tag": []}]');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": ["t1"');
ROLLBACK TO before;
SELECT * FROM pg_temp.links();

-- A trigger that keeps a link, one that prevents one, and a rule that refuses one: that element alone.
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_OP = 'DELETE' THEN RETURN CASE WHEN OLD.item = 1 THEN NULL ELSE OLD END; END IF; RETURN CASE WHEN NEW.tag = 't3' AND NEW.item = 3 THEN NULL ELSE NEW END; END$$;
CREATE TRIGGER keeps BEFORE INSERT OR DELETE ON :link FOR EACH ROW EXECUTE FUNCTION keeps();
ALTER TABLE :link ADD CONSTRAINT no_two CHECK (item <> 2 OR tag <> 't2') NOT VALID;
SELECT ordinal, outcome, error_code, error FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 1, "tag": []}, {"theItem": 3, "tag": ["t3", "t2"]}, {"theItem": 2, "tag": ["t2"]}]', on_error => 'skip');
SELECT ordinal, outcome FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 2, "tag": ["t1"]}]');
SELECT * FROM pg_temp.links();
-- Where the last list for an entry is refused, the one before it stands, whatever refuses it.
SELECT ordinal, entry_id, outcome, error_code FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 2, "tag": ["t1"]}, {"theItem": 2, "tag": ["t3", "t1"]}, {"theItem": 2, "tag": ["t2"]}]', on_error => 'skip');
SELECT * FROM pg_temp.links();
SELECT ordinal, entry_id, outcome, error_code FROM kepler.set_entry_links('Item Tag', 'theItem', '[{"theItem": 2, "tag": ["t1"]}, {"theItem": 2, "tag": ["t2", "t1"]}, {"theItem": 2, "tag": ["t2"]}]', on_error => 'skip');
SELECT * FROM pg_temp.links();
DROP TRIGGER keeps ON :link;
ALTER TABLE :link DROP CONSTRAINT no_two;

-- The table is an entry table like others: an entry takes its links along, a field is hidden and comes back, the table is renamed.
SELECT outcome FROM kepler.delete_entries('Tag', '{t2}');
SELECT * FROM pg_temp.links();
SELECT kepler.alter_entry_table('Item Tag', '{"fields": [{"name": "theItem", "column": "item", "type": "reference", "to": "Item", "on_delete": "cascade", "required": true}]}');
SAVEPOINT before;
SELECT * FROM kepler.set_entry_links('Item Tag', 'theItem', '[]');
ROLLBACK TO before;
SELECT kepler.restore_field('Item Tag', 'tag');
SELECT kepler.rename_entry_table('Item Tag', 'Labels');
SELECT kepler.rename_entry_table('Tag', 'Label');
SELECT ordinal, outcome, error FROM kepler.set_entry_links('Labels', 'theItem', '[{"theItem": 1, "tag": ["BLUE"]}, {"theItem": 2, "tag": ["none"]}]', 'name', 'skip');

-- Calls that cannot be.
SAVEPOINT before;
SELECT * FROM kepler.set_entry_links('Labels', 'weight', '[]');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Labels', 'item', '[]');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Item', 'sku', '[]');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Labels', 'theItem', '[]', 'colour');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Labels', 'theItem', '[]', 'created_at');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Labels', NULL, '[]');
ROLLBACK TO before;
SELECT * FROM kepler.set_entry_links('Labels', 'theItem', NULL);
ROLLBACK TO before;

-- A link that needs more than its two ends cannot be made from a list: that is said of the table.
SELECT kepler.create_entry_table('Reasons', '{"fields": [{"name": "item", "type": "reference", "to": "Item"}, {"name": "label", "type": "reference", "to": "Label"}, {"name": "why", "type": "text", "required": true}], "unique": [["item", "label"]]}') IS NOT NULL AS created;
SAVEPOINT before;
SELECT * FROM kepler.set_entry_links('Reasons', 'item', '[{"item": 1, "label": ["t1"]}, {"item": 2, "label": ["t1"]}]', on_error => 'skip');
ROLLBACK TO before;

-- Entries of one table linked with each other, and many links.
SELECT kepler.create_entry_table('Friends', '{"fields": [{"name": "one", "type": "reference", "to": "Item", "on_delete": "cascade"}, {"name": "other", "type": "reference", "to": "Item", "on_delete": "cascade"}], "unique": [["one", "other"]]}') AS friends \gset
SELECT count(*) FROM kepler.insert_entries('Item', (SELECT json_agg(json_build_object('sku', n::text))::text FROM generate_series(1, 1500) AS n));
SELECT outcome, count(*) FROM kepler.set_entry_links('Friends', 'one', (SELECT json_agg(json_build_object('one', i.entry_id, 'other', (SELECT json_agg(o.entry_id) FROM :item AS o WHERE o.entry_id BETWEEN i.entry_id AND i.entry_id + 2)))::text FROM :item AS i)) GROUP BY outcome;
SELECT count(*), count(*) FILTER (WHERE other BETWEEN one AND one + 2) FROM :friends;
SELECT outcome, count(*) FROM kepler.set_entry_links('Friends', 'other', (SELECT json_agg(json_build_object('other', i.entry_id, 'one', json_build_array(i.entry_id)))::text FROM :item AS i)) GROUP BY outcome;
SELECT count(*), count(*) FILTER (WHERE other = one) FROM :friends;
ROLLBACK;
