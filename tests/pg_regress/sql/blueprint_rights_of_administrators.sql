-- What an administrator of one workspace could learn, take or break by a document, and may not: by SQL that the owner runs, by
-- indexes, rights, schemas, versions, seeds and references.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE rights_admin; CREATE ROLE rights_reader; CREATE ROLE rights_writer; CREATE ROLE rights_app;
SELECT kepler.grant_access('rights_admin', 'admin'), kepler.grant_access('rights_reader', 'reader'), kepler.grant_access('rights_writer', 'writer');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
-- What comes of a document, or why nothing does.
CREATE FUNCTION pg_temp.try(document text, keep boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    why text;
BEGIN
    BEGIN
        SELECT a.outcome INTO answer FROM kepler.apply_blueprint(document::json, '{rewrite,convert,drop}') AS a;
        IF keep THEN RETURN answer; END IF;
        RAISE EXCEPTION USING ERRCODE = 'UR001';
    EXCEPTION WHEN SQLSTATE 'UR001' THEN
        RETURN answer;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
        RETURN SQLSTATE || ' ' || why;
    END;
END $$;
-- A document of two tables: what the first has beside its fields, more fields, more tables, and what the document has at its end.
CREATE FUNCTION pg_temp.document(of_lead text DEFAULT '', fields text DEFAULT '', tables text DEFAULT '', more text DEFAULT ', "version": 3',
    of_country text DEFAULT '', seed text DEFAULT '{"rows": [{"code": "ch"}]}') RETURNS text LANGUAGE sql AS
$$ SELECT format('{"blueprint": "rights_crm", "tenancy": {"field": "w"}, "tables": [{"name": "Lead", "table": "leads", "key": {"name": "id", "type": "bigint"}, "unique": [["w", "n"]], "fields": [{"name": "w", "type": "text", "required": true}, {"name": "n", "type": "integer", "required": true}, {"name": "note", "type": "text", "sensitive": true}, {"name": "extra", "type": "json"}%s]%s}, {"name": "Country", "table": "countries", "retention": {"floor": "1 year", "field": "since"}, "fields": [{"name": "code", "type": "text", "unique": true}, {"name": "since", "type": "timestamp"}]%s}%s], "seed": {"Country": %s}%s}', fields, of_lead, of_country, tables, seed, more) $$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.try(pg_temp.document(), true);
INSERT INTO rights_crm.leads (w, n, note) VALUES ('ws_a', 1, '1'), ('ws_b', 2, 'secret of b');
SET LOCAL kepler.workspace_id = 'ws_a';

-- Rows get a default from the owner: settings, which not everybody may read, are none.
SET ROLE rights_admin;
SELECT pg_temp.try('{"blueprint": "rights_own", "tables": [{"name": "T", "table": "t", "fields": [{"name": "a", "type": "text", "default_sql": "current_setting(''primary_conninfo'')"}]}]}');
SELECT pg_temp.try(pg_temp.document(fields => ', {"name": "s", "type": "text", "default_sql": "current_setting(''primary_conninfo'')"}'));
-- The same, by whoever may trust it.
RESET ROLE;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "rights_own", "tables": [{"name": "T", "table": "t", "fields": [{"name": "a", "type": "text", "default_sql": "current_setting(''app.tenant'', true)"}]}]}', options => '{"trusted": true}');
SET ROLE rights_admin;

-- An index with a condition, or over a part of a document, reads rows that are not the administrator's.
SELECT pg_temp.try(pg_temp.document(', "indexes": [{"fields": ["n"], "where_sql": "note::integer > 0"}]'));
SELECT pg_temp.try(pg_temp.document(', "indexes": [{"fields": ["n"], "where_sql": "w = ''ws_b''"}]'));
SELECT pg_temp.try(pg_temp.document(', "indexes": [{"fields": [{"field": "extra", "path": ["a"]}], "method": "hash"}]'));
SELECT operation, class FROM kepler.plan_blueprint(pg_temp.document(', "indexes": [{"fields": ["n"], "where_sql": "note::integer > 0"}]')::json, '{"online": true}');
-- Over whole columns of all rows, and on a table that is new, it is anybody's.
SELECT pg_temp.try(pg_temp.document(', "indexes": [{"fields": ["n"]}, {"fields": [{"field": "note", "case_insensitive": true}]}]'));
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "New", "fields": [{"name": "a", "type": "integer"}], "indexes": [{"fields": ["a"], "where_sql": "a > 0"}]}'));
RESET ROLE;
SELECT pg_temp.try(pg_temp.document(', "indexes": [{"fields": ["n"], "where_sql": "w = ''ws_b''"}]'));

-- What the owner revoked stays revoked when a field is added; a new sequence is for those who still may insert.
REVOKE ALL ON rights_crm.leads FROM rights_reader;
CREATE ROLE rights_less;
SELECT kepler.grant_access('rights_less', 'writer');
REVOKE INSERT ON rights_crm.leads FROM rights_less;
SET ROLE rights_admin;
SELECT pg_temp.try(pg_temp.document(fields => ', {"name": "x", "type": "text"}'), true);
RESET ROLE;
SELECT pg_temp.try(pg_temp.document(fields => ', {"name": "x", "type": "text"}, {"name": "counted", "type": "integer", "generated": "serial"}'), true);
SELECT r.name, has_table_privilege(r.name, 'rights_crm.leads', 'SELECT') AS reads, has_table_privilege(r.name, 'rights_crm.leads', 'INSERT') AS inserts,
    has_sequence_privilege(r.name, 'rights_crm.leads_counted_seq', 'USAGE') AS counts, has_sequence_privilege(r.name, 'rights_crm.leads_counted_seq', 'SELECT') AS sees
FROM unnest('{rights_reader,rights_writer,rights_less}'::name[]) AS r (name);
SELECT pg_temp.try(pg_temp.document(), true);
-- The same of the fields of an entry table.
SELECT kepler.create_entry_table('rights_list', '{"fields": [{"name": "a", "type": "text"}]}') IS NOT NULL;
SELECT 'kepler_data.' || quote_ident(table_name) AS list FROM kepler.entry_tables WHERE record_name = 'rights_list' \gset
REVOKE ALL ON :list FROM rights_reader;
SET ROLE rights_admin;
SELECT kepler.alter_entry_table('rights_list', '{"fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]}');
RESET ROLE;
SELECT has_table_privilege('rights_reader', :'list', 'SELECT');

-- A schema that has the name of a role is the first that the role's statements look in.
SET ROLE rights_admin;
SELECT pg_temp.try('{"blueprint": "rights_app", "tables": [{"name": "T", "table": "orders", "fields": []}]}');
SELECT pg_temp.try('{"blueprint": "rights_other", "schema": "rights_app", "tables": [{"name": "T", "table": "orders", "fields": []}]}');
SELECT pg_temp.try('{"blueprint": "rights_other", "tables": [{"name": "T", "schema": "rights_app", "table": "orders", "fields": []}]}');
SELECT pg_temp.try('{"blueprint": "rights_other", "schema": "pg_monitor", "tables": []}') ~ 'schema';
RESET ROLE;
SELECT pg_temp.try('{"blueprint": "rights_app", "tables": [{"name": "T", "table": "orders", "fields": []}]}', true);
-- Where the owner has made it, administrators change the blueprint, and put no other one beside it.
SET ROLE rights_admin;
SELECT pg_temp.try('{"blueprint": "rights_app", "tables": [{"name": "T", "table": "orders", "fields": [{"name": "a", "type": "text"}]}]}');
SELECT pg_temp.try('{"blueprint": "rights_other", "schema": "rights_app", "tables": [{"name": "T", "table": "others", "fields": []}]}');

-- The retention, the seed, the sensitive fields and the number of a document that others share.
SELECT pg_temp.try(replace(pg_temp.document(), '"retention": {"floor": "1 year", "field": "since"}, ', ''));
SELECT pg_temp.try(replace(pg_temp.document(), '1 year', '1 day'));
SELECT pg_temp.try(pg_temp.document(seed => '{"rows": [{"code": "xx"}]}'));
SELECT pg_temp.try(pg_temp.document(seed => '{"existing": "update", "rows": [{"code": "ch"}]}'));
SELECT pg_temp.try(replace(pg_temp.document(), ', "sensitive": true', ''));
SELECT pg_temp.try(pg_temp.document(more => ', "version": 2147483647'));
SELECT pg_temp.try(pg_temp.document(more => ', "version": 5'));
SELECT pg_temp.try(pg_temp.document(more => ''));
-- The next number, and rows of a table that is new, are an administrator's.
SELECT pg_temp.try(pg_temp.document(more => ', "version": 4'));
SELECT pg_temp.try(replace(pg_temp.document(tables => ', {"name": "New", "retention": {"floor": "1 day", "field": "at"}, "fields": [{"name": "a", "type": "text", "unique": true}, {"name": "at", "type": "timestamp"}]}'), '"seed": {', '"seed": {"New": {"rows": [{"a": "b"}]}, '));
RESET ROLE;
SELECT pg_temp.try(pg_temp.document(seed => '{"rows": [{"code": "xx"}]}', more => ', "version": 9'));

-- A reference tells which rows there are, and keeps them: with the field of the tenancy on both sides, only those of one's own.
SET ROLE rights_admin;
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Spy", "table": "spies", "fields": [{"name": "lead", "type": "reference", "to": "Lead"}]}'));
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Spy", "table": "spies", "fields": [{"name": "w", "type": "text"}, {"name": "lead", "type": "reference", "to": "Lead"}]}'));
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Spy", "table": "spies", "fields": [{"name": "w", "type": "text"}, {"name": "v", "type": "text"}, {"name": "n", "type": "integer"}], "references": [{"fields": ["v", "n"], "to": "Lead", "to_fields": ["w", "n"]}]}'));
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Spy", "table": "spies", "fields": [{"name": "code", "type": "text"}], "references": [{"fields": ["code"], "to": "Country", "to_fields": ["code"]}]}'));
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Note", "table": "notes", "fields": [{"name": "w", "type": "text"}, {"name": "n", "type": "integer"}], "references": [{"fields": ["w", "n"], "to": "Lead", "to_fields": ["w", "n"]}]}'), true);
INSERT INTO rights_crm.notes (w, n) VALUES ('ws_a', 1);
INSERT INTO rights_crm.notes (w, n) VALUES ('ws_a', 2);
INSERT INTO rights_crm.notes (w, n) VALUES ('ws_b', 2);
-- Between tables that are new, any.
SELECT pg_temp.try(pg_temp.document(tables => ', {"name": "Note", "table": "notes", "fields": [{"name": "w", "type": "text"}, {"name": "n", "type": "integer"}], "references": [{"fields": ["w", "n"], "to": "Lead", "to_fields": ["w", "n"]}]}, {"name": "One", "key": {"name": "id", "type": "bigint"}, "fields": []}, {"name": "Two", "fields": [{"name": "one", "type": "reference", "to": "One"}]}'));
RESET ROLE;
ROLLBACK;
