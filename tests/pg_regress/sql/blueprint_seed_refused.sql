-- What the database refuses of a seed keeps its SQLSTATE, and is told with the row's place in the document, its table, and what helps.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.doc(rows text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "no", "tables": [
    {"name": "a/b", "table": "t", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "code", "type": "text", "unique": true}, {"name": "at", "type": "timestamp"}, {"name": "u", "type": "reference", "to": "u"}]},
    {"name": "u", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "n", "type": "integer"}]}],
    "seed": {"a/b": {"key": ["k"], "existing": "update", "rows": [%s]}}}', rows)
$$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.doc('{"k": "0", "code": "zero"}'));
-- Two rows that are equal in another unique set; a row and a user's, inserted and changed.
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1", "code": "x"}, {"k": "2", "code": "y"}, {"k": "3", "code": "x"}, {"k": "4", "code": "x"}'));
\echo :LAST_ERROR_SQLSTATE
INSERT INTO no.t (k, code) VALUES ('user', 'theirs');
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1", "code": "x"}, {"k": "2", "code": "theirs"}'));
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1", "code": "x"}, {"k": "0", "code": "theirs"}'));
-- A row that refers to none; a key that no index holds; a time that the type does not have.
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1"}, {"k": "2", "u": "00000000-0000-0000-0000-000000000000"}'));
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1"}, {"k": "' || (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 600) AS i) || '"}'));
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1", "at": {"now_plus": "1 day"}}, {"k": "2", "at": {"now_minus": "99999 years"}}'));
\echo :LAST_ERROR_SQLSTATE
-- A trigger's own words and hint stay; so does an SQLSTATE of its author.
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.k = 'bad' THEN RAISE 'not this one' USING HINT = 'Take another.'; ELSIF NEW.k = 'own' THEN RAISE 'mine' USING ERRCODE = 'KX001'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON no.t FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1"}, {"k": "bad"}'));
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1"}, {"k": "own"}'));
\echo :LAST_ERROR_SQLSTATE
-- Nothing of it was written.
SELECT k, code FROM no.t ORDER BY k;
-- A rule of the owner that keeps rows out is told.
CREATE RULE nothing AS ON INSERT TO no.t DO INSTEAD NOTHING;
SELECT kepler.apply_blueprint(pg_temp.doc('{"k": "1"}'));
DROP RULE nothing ON no.t;
-- What is personal is not shown.
SELECT kepler.apply_blueprint('{"blueprint": "pers", "tables": [{"name": "p", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "mail", "type": "text", "unique": true, "sensitive": true}]}], "seed": {"p": {"key": ["k"], "rows": [{"k": "1", "mail": "a@example.org"}, {"k": "2", "mail": "a@example.org"}]}}}'::jsonb);
-- The field of the tenancy, left out by an administrator.
CREATE ROLE seed_refused_admin;
SELECT kepler.grant_access('seed_refused_admin', 'admin');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_refused', 'R');
SET LOCAL kepler.workspace_id = 'ws_refused';
SET ROLE seed_refused_admin;
SELECT kepler.apply_blueprint('{"blueprint": "ten", "tenancy": {"field": "ws"}, "tables": [{"name": "n", "key": {"fields": ["k"]}, "fields": [{"name": "k", "type": "text"}, {"name": "ws", "type": "text"}]}], "seed": {"n": {"rows": [{"k": "1", "ws": "ws_refused"}, {"k": "2"}]}}}'::jsonb);
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
ROLLBACK;
