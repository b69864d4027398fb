-- Case does not count in the same way in every database: kepler.fold, and not lower(), decides.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
-- Unicode's full case folding, without Turkish; an accent may be part of its letter or follow it.
SELECT a, b, kepler.fold(a) = kepler.fold(b) AS same
FROM (VALUES ('ada@example.org', 'ADA@EXAMPLE.ORG'), ('straße', 'STRASSE'), ('ÉCLAIR', U&'e\0301clair'), ('ΣΊΣΥΦΟΣ', 'σίσυφος'),
    ('GMAIL', 'gmail'), ('I', 'i'), ('İ', 'i'), ('ı', 'i'), ('a', 'á')) AS v (a, b);
SELECT kepler.fold(NULL) IS NULL AS null_gives_null, kepler.fold('') = '' AS empty;
SELECT provolatile, proleakproof, proisstrict, proparallel FROM pg_proc WHERE oid = 'kepler.fold(text)'::regprocedure;

-- One account an address.
INSERT INTO kepler.users (email) VALUES ('Émile@Example.org');
INSERT INTO kepler.users (email) VALUES (U&'e\0301MILE@example.org');

-- A connection is found by its provider, however it is written.
INSERT INTO kepler.users (id, email) VALUES ('u1', 'u1@example.org');
INSERT INTO kepler.connections (name, reference_id, provider, user_id) VALUES ('c', 'c', 'gmaİl', 'u1');
SELECT kepler.is_connected('u1', 'GMAİL') AS same, kepler.is_connected('u1', 'GMAIL') AS other;

-- A unique field without regard to case: in the index, among the elements of a batch, and to find what is stored.
SELECT kepler.create_entry_table('Folded', '{"fields": [{"name": "code", "type": "text", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer"}]}');
SELECT outcome FROM kepler.upsert_entries('Folded', '{code}', '[{"code": "Straße", "n": 1}, {"code": "STRASSE", "n": 2}]');
SELECT outcome FROM kepler.upsert_entries('Folded', '{code}', '[{"code": "strasse", "n": 3}]');
SELECT code, n FROM kepler_data.folded_1_entries;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'kepler_data.folded_1_entries'::regclass AND NOT indisprimary;
SELECT kepler.structure_of('kepler_data.folded_1_entries') -> 'fields' -> 0 ->> 'case_insensitive' AS case_insensitive;
SELECT step, class FROM kepler.plan_entry_table('Folded', '{"fields": [{"name": "code", "type": "text", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer"}]}');
ROLLBACK;
