-- Entries exchange values that rows elsewhere refer to: those follow. Where nobody can step aside, the circle is told why, and stays.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT kepler.create_entry_table('F', '{"fields": [{"name": "p", "type": "integer", "unique": true}, {"name": "e", "type": "enum", "values": ["x", "y"], "unique": true}, {"name": "q", "type": "integer"}, {"name": "r", "type": "integer"}], "unique": [["q", "r"]]}') AS f \gset
SELECT count(*) FROM kepler.insert_entries('F', '[{"p": 1, "e": "x", "q": 1, "r": 1}, {"p": 2, "e": "y", "q": 1, "r": 2}]');

-- An optional field: what refers to it follows the exchange, also where it must not be NULL, and through a set of two.
CREATE TABLE child (id integer, p integer REFERENCES :f (p) ON UPDATE CASCADE);
CREATE TABLE strict (id integer, p integer NOT NULL REFERENCES :f (p) ON UPDATE CASCADE);
CREATE TABLE pairs (id integer, q integer, r integer, FOREIGN KEY (q, r) REFERENCES :f (q, r) ON UPDATE CASCADE);
INSERT INTO child VALUES (1, 1), (2, 2);
INSERT INTO strict VALUES (1, 1), (2, 2);
INSERT INTO pairs VALUES (1, 1, 1), (2, 1, 2);
SELECT ordinal, outcome, error FROM kepler.update_entries('F', '[{"entry_id": 1, "p": 2, "r": 2}, {"entry_id": 2, "p": 1, "r": 1}]');
SELECT entry_id, p, q, r FROM :f ORDER BY entry_id;
SELECT id, c.p, s.p, q, r FROM child AS c JOIN strict AS s USING (id) JOIN pairs USING (id) ORDER BY id;

-- The other table takes no such value, or the field has none to spare: the circle is told so, and nothing moves.
ALTER TABLE child ADD CONSTRAINT small CHECK (p BETWEEN 1 AND 9);
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('F', '[{"entry_id": 1, "p": 1}, {"entry_id": 2, "p": 2}]', 'skip');
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('F', '[{"entry_id": 1, "e": "y"}, {"entry_id": 2, "e": "x"}]', 'skip');
CREATE TABLE options (e text REFERENCES :f (e) ON UPDATE CASCADE);
INSERT INTO options VALUES ('x');
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('F', '[{"entry_id": 1, "e": "x"}, {"entry_id": 2, "e": "y"}]', 'skip');
SELECT entry_id, p, e FROM :f ORDER BY entry_id;
SELECT id, p FROM child ORDER BY id;

-- Required fields with rules of their own: a reference to a secret, a bound that is another field, a check by hand.
SELECT kepler.create_entry_table('G', '{"fields": [
  {"name": "ref", "type": "text", "required": true, "unique": true, "sensitive": "reference"},
  {"name": "mail", "type": "text", "required": true, "unique": true},
  {"name": "lo", "type": "integer"}, {"name": "hi", "type": "integer", "required": true, "unique": true}],
  "checks": [{"field": "lo", "op": "<=", "other_field": "hi"}]}') AS g \gset
ALTER TABLE :g ADD CONSTRAINT looks_like_mail CHECK (mail LIKE '%@%');
SELECT count(*) FROM kepler.insert_entries('G', '[{"ref": "vault:a", "mail": "a@x", "lo": 1, "hi": 10}, {"ref": "vault:b", "mail": "b@x", "lo": 2, "hi": 20}]');
SELECT ordinal, outcome, error FROM kepler.update_entries('G', '[{"entry_id": 1, "ref": "vault:b"}, {"entry_id": 2, "ref": "vault:a"}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.update_entries('G', '[{"entry_id": 1, "hi": 20}, {"entry_id": 2, "hi": 10}]', 'skip');
SELECT ordinal, outcome, error_code, error FROM kepler.update_entries('G', '[{"entry_id": 1, "mail": "b@x"}, {"entry_id": 2, "mail": "a@x"}]', 'skip');
SELECT entry_id, ref, mail, lo, hi FROM :g ORDER BY entry_id;
SELECT kepler.update_entries('G', '[{"entry_id": 1, "mail": "b@x"}, {"entry_id": 2, "mail": "a@x"}]');
ROLLBACK;

-- Of an upsert, new entries are written before stored ones, and each in the order of their keys.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT kepler.create_entry_table('U', '{"fields": [{"name": "code", "type": "text", "required": true, "unique": true}, {"name": "p", "type": "integer", "unique": true}]}') AS u \gset
SELECT count(*) FROM kepler.insert_entries('U', '[{"code": "a"}, {"code": "b"}]');
SELECT ordinal, outcome, error FROM kepler.upsert_entries('U', '{code}', '[{"code": "a", "p": 5}, {"code": "new", "p": 5}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.upsert_entries('U', '{code}', '[{"code": "b", "p": 7}, {"code": "a", "p": 7}]', 'skip');
SELECT ordinal, outcome, error FROM kepler.upsert_entries('U', '{code}', '[{"code": "z", "p": 9}, {"code": "y", "p": 9}]', 'skip');
ROLLBACK;
