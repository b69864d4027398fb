-- A table of a blueprint says that its history is kept: the plan begins it, drift finds where it is not kept, and a document that no
-- longer says so ends it.
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE history_app;
SELECT kepler.grant_access('history_app', 'writer');
CREATE FUNCTION pg_temp.document(history text DEFAULT 'true', tenancy text DEFAULT '"workspace"') RETURNS json LANGUAGE sql AS
$$ SELECT format('{"blueprint": "books", "tenancy": %s, "tables": [
    {"name": "invoices", "key": {"name": "id", "type": "bigint"}, "history": %s, "fields": [{"name": "total", "type": "integer"},
        {"name": "iban", "type": "text", "sensitive": true}]},
    {"name": "notes", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "n", "type": "integer"}]}]}', tenancy, history)::json $$;
SELECT operation, object, class, statement FROM kepler.plan_blueprint(pg_temp.document()) WHERE operation LIKE '%track%';
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document());
SELECT count(*) FROM kepler.plan_blueprint(pg_temp.document());
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid IN ('books.invoices'::regclass, 'books.notes'::regclass) AND NOT tgisinternal ORDER BY 1, 2;

-- The application need not know of it. The rows are its workspace's.
SET ROLE history_app;
SET LOCAL kepler.actor = 'ada';
INSERT INTO books.invoices (total, iban) VALUES (1, 'DE02120300000000202051');
UPDATE books.invoices SET total = 2, iban = 'DE02500105170137075030';
SELECT operation, actor, changes, row_data FROM kepler.row_history('books.invoices', '1');
RESET ROLE;
SELECT DISTINCT workspace_id FROM kepler.history WHERE row_id = '1' AND operation = 'UPDATE';

-- The printed document says so too.
SELECT document::jsonb #> '{tables,0,history}' AS invoices, document::jsonb #> '{tables,1,history}' AS notes FROM kepler.blueprint_versions WHERE blueprint_name = 'books';

-- What somebody switches off or drops is drift, and comes back with the document.
ALTER TABLE books.invoices DISABLE TRIGGER tell_history_update;
SELECT object_type, object, kind, expected, actual FROM kepler.blueprint_drift('books') WHERE kind <> 'coverage';
SELECT outcome, version FROM kepler.apply_blueprint(pg_temp.document());
SELECT count(*) FROM kepler.blueprint_drift('books') WHERE kind <> 'coverage';
SELECT kepler.untrack('books.invoices', 'history');
SELECT object_type, object, kind FROM kepler.blueprint_drift('books') WHERE kind <> 'coverage';
SELECT kepler.track('books.invoices', 'deletions');
SELECT object_type, object, kind FROM kepler.blueprint_drift('books') WHERE kind <> 'coverage';
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document());
SELECT level FROM kepler.tracked_tables WHERE name = 'books.invoices';

-- A document without it ends it, and what was written stays. What somebody tracks by hand, no document takes back.
SELECT kepler.track('books.notes', 'history');
SELECT operation, object, undo FROM kepler.plan_blueprint(pg_temp.document('false'));
-- It is not for those to end whom it tells of.
CREATE ROLE history_admin;
SELECT kepler.grant_access('history_admin', 'admin');
SET ROLE history_admin;
SELECT operation, class, hazards FROM kepler.plan_blueprint(pg_temp.document('false'));
SELECT kepler.apply_blueprint(pg_temp.document('false'));
RESET ROLE;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document('false'));
SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgrelid IN ('books.invoices'::regclass, 'books.notes'::regclass) AND NOT tgisinternal GROUP BY 1;
SELECT count(*) FROM kepler.history WHERE row_id = '1';
SELECT count(*) FROM kepler.blueprint_drift('books') WHERE kind <> 'coverage';
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document());
SELECT operation, changes FROM kepler.row_history('books.invoices', '1');
-- track() itself mends what is not whole.
DROP TRIGGER tell_history_delete ON books.invoices;
SELECT kepler.track('books.invoices', 'history'), kepler.track('books.invoices', 'history');

ROLLBACK;
-- Rows of the seed are in it.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "seeded", "tables": [{"name": "plans", "history": true, "key": {"fields": ["name"]},
    "fields": [{"name": "name", "type": "text"}]}], "seed": {"plans": {"rows": [{"name": "free"}]}}}');
SELECT operation, row_data FROM kepler.row_history('seeded.plans', 'free');
-- Its name and its key may change with the document.
SELECT operation, object FROM kepler.plan_blueprint('{"blueprint": "seeded", "tables": [{"name": "tariffs", "renamed_from": "plans", "history": true,
    "key": {"fields": ["code"]}, "fields": [{"name": "code", "renamed_from": "name", "type": "text"}]}], "seed": {"tariffs": {"rows": [{"code": "free"}]}}}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "seeded", "tables": [{"name": "tariffs", "renamed_from": "plans", "history": true,
    "key": {"fields": ["code"]}, "fields": [{"name": "code", "renamed_from": "name", "type": "text"}]}], "seed": {"tariffs": {"rows": [{"code": "free"}]}}}');
UPDATE seeded.tariffs SET code = 'gratis';
SELECT operation, changes FROM kepler.row_history('seeded.tariffs', 'gratis');
ROLLBACK;

-- It waits for the key, where that is made behind other steps.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "late", "tables": [{"name": "t", "fields": [{"name": "n", "type": "integer", "required": true}]}]}');
SELECT phase, operation, object FROM kepler.plan_blueprint('{"blueprint": "late", "tables": [{"name": "t", "history": true, "key": {"fields": ["n"]},
    "fields": [{"name": "n", "type": "integer", "required": true}]}]}', '{"online": true}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "late", "tables": [{"name": "t", "history": true, "key": {"fields": ["n"]},
    "fields": [{"name": "n", "type": "integer", "required": true}]}]}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "late", "tables": [{"name": "t", "fields": [{"name": "n", "type": "integer", "required": true}]}]}');
ROLLBACK;
-- Where all rows are of the workspaces that a field names, each reads its own.
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "shared", "tenancy": {"field": "org"}, "tables": [{"name": "leads", "history": true,
    "key": {"fields": ["org", "id"]}, "fields": [{"name": "org", "type": "text"}, {"name": "id", "type": "integer"}]}]}');
INSERT INTO shared.leads VALUES ('ws_a', 1), ('ws_b', 1);
SELECT workspace_id, operation, row_id FROM kepler.history WHERE row_id IS NOT NULL ORDER BY 1;
ROLLBACK;

-- Rows must be told from one another, by what may be written down; all that is wrong is told at once.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT kepler.apply_blueprint('{"blueprint": "wrong", "tables": [
    {"name": "a", "history": true, "fields": [{"name": "n", "type": "text"}]},
    {"name": "b", "history": true, "key": {"fields": ["n"]}, "fields": [{"name": "n", "type": "text", "sensitive": true}]},
    {"name": "c", "history": "yes", "fields": [{"name": "n", "type": "text"}]},
    {"name": "d", "history": null, "fields": [{"name": "n", "type": "text"}]}]}');
