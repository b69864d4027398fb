-- install() is run by administrators, in databases that others own. What lies there already is not trusted, and what is done
-- is done with the rights of the tables' owner alone. In databases of its own.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
DROP DATABASE IF EXISTS kepler_trust;
CREATE ROLE trust_dbo;
CREATE ROLE trust_owner;
CREATE ROLE trust_app;
CREATE DATABASE kepler_trust OWNER trust_dbo TEMPLATE template0;
-- The owner of a database says how all its sessions read literals and look up names.
SET ROLE trust_dbo;
ALTER DATABASE kepler_trust SET standard_conforming_strings = off;
ALTER DATABASE kepler_trust SET search_path = public, pg_catalog;
RESET ROLE;
\c kepler_trust
SET client_min_messages = warning;

-- The owner of a database makes the schema before the administrator comes, with a trap in it.
SET ROLE trust_dbo;
CREATE SCHEMA kepler;
CREATE FUNCTION kepler.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE trust_dbo SUPERUSER'; RETURN NEW; END $$;
CREATE TABLE kepler.schema_versions (version int PRIMARY KEY, name text, library_version text);
CREATE TRIGGER t BEFORE INSERT ON kepler.schema_versions FOR EACH ROW EXECUTE FUNCTION kepler.trap();
-- The schema of what the functions are made of is not adopted: the extension makes it, or is not there.
CREATE SCHEMA kepler_internal;
CREATE FUNCTION kepler_internal.require_tables() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE trust_dbo SUPERUSER'; END $$;
RESET ROLE;
CREATE EXTENSION kepler CASCADE;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) AS extensions FROM pg_extension WHERE extname = 'kepler';
DROP SCHEMA kepler_internal CASCADE;
CREATE EXTENSION kepler CASCADE;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT rolsuper FROM pg_roles WHERE rolname = 'trust_dbo';

-- Handing the schema over is not enough: what is in it stays theirs.
ALTER SCHEMA kepler OWNER TO CURRENT_USER;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP FUNCTION kepler.trap() CASCADE;
DROP TABLE kepler.schema_versions;
-- Nor is it enough to own nothing there: before the first step nothing is there but what the extension brought.
CREATE VIEW kepler.records AS SELECT 1 AS id;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP VIEW kepler.records;
SELECT rolsuper FROM pg_roles WHERE rolname = 'trust_dbo';

-- What lies beside the functions is found there too, and who owns the schema is looked at.
CREATE FUNCTION kepler_internal.require_name(text) RETURNS void LANGUAGE sql AS '';
ALTER FUNCTION kepler_internal.require_name(text) OWNER TO trust_dbo;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP FUNCTION kepler_internal.require_name(text);
ALTER SCHEMA kepler_internal OWNER TO trust_dbo;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ALTER SCHEMA kepler_internal OWNER TO CURRENT_USER;

-- An owner who is no superuser: whoever calls install() first. The recipe of docs/security.md.
GRANT ALL ON SCHEMA kepler, kepler_internal TO trust_owner WITH GRANT OPTION;
GRANT ALL ON ALL ROUTINES IN SCHEMA kepler, kepler_internal TO trust_owner WITH GRANT OPTION;
GRANT CREATE ON DATABASE kepler_trust TO trust_owner;
SET ROLE trust_owner;
SELECT count(*) FROM kepler.install();
RESET ROLE;
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace) AND relkind <> 'c';
-- It gives access, by what it may pass on.
SET ROLE trust_owner;
SELECT kepler.grant_access('trust_app', 'writer');
SET ROLE trust_app;
SELECT outcome FROM kepler.upsert_record('lead', '1', '{"a": 1}');
SELECT kepler.create_entry_table('Mine', '{"fields": []}');
-- A call of somebody else, who is not the owner, changes nothing.
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;

-- What the administrator declares is the owner's too, and made with its rights: it may not do what the owner may not.
SELECT kepler.create_entry_table('Notes', '{"fields": [{"name": "body", "type": "text"}]}');
SELECT kepler.create_embedding_space('mini', 2, 'm');
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'kepler_data'::regnamespace;
-- The writer can use them at once.
SET ROLE trust_app;
SELECT outcome FROM kepler.insert_entries('Notes', '[{"body": "x"}]');
SELECT count(*) FROM kepler.remember('tea', '[1, 0]');
RESET ROLE;
REVOKE CREATE ON SCHEMA kepler_data FROM trust_owner;
SELECT kepler.create_entry_table('More', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
GRANT CREATE ON SCHEMA kepler_data TO trust_owner;

-- The owner of the tables sets a trap for the administrator: a trigger on a list that declaring writes to, ...
SET ROLE trust_owner;
CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE trust_owner SUPERUSER'; RETURN NEW; END $$;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
CREATE SCHEMA trust_owner;
CREATE FUNCTION trust_owner.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE trust_owner SUPERUSER'; RETURN NEW; END $$;
CREATE TRIGGER trap BEFORE INSERT ON kepler.entry_tables FOR EACH ROW EXECUTE FUNCTION trust_owner.trap();
CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON kepler.access_levels FOR EACH ROW EXECUTE FUNCTION trust_owner.trap();
RESET ROLE;
SELECT kepler.create_entry_table('More', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.grant_access('trust_app', 'reader');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP TRIGGER trap ON kepler.entry_tables;
DROP TRIGGER trap ON kepler.access_levels;
-- What the error says to do is safe to do, whatever the trap is called.
SET ROLE trust_owner;
CREATE TRIGGER "t"" ON kepler.entry_tables; ALTER ROLE trust_owner SUPERUSER; --" BEFORE INSERT ON kepler.entry_tables
    FOR EACH ROW EXECUTE FUNCTION trust_owner.trap();
RESET ROLE;
SELECT kepler.create_entry_table('More', '{"fields": []}');
DROP TRIGGER "t"" ON kepler.entry_tables; ALTER ROLE trust_owner SUPERUSER; --" ON kepler.entry_tables;
-- ... and a view in the place of a table.
SET ROLE trust_owner;
CREATE FUNCTION trust_owner.look() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE trust_owner SUPERUSER'; RETURN 1; END $$;
ALTER TABLE kepler.schema_versions RENAME TO versions;
CREATE VIEW kepler.schema_versions AS SELECT trust_owner.look() AS version, name, library_version FROM kepler.versions;
RESET ROLE;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET ROLE trust_owner;
DROP VIEW kepler.schema_versions;
ALTER TABLE kepler.versions RENAME TO schema_versions;
RESET ROLE;
-- ... and a trigger on what upkeep deletes: that runs, with the rights of the owner and not of the administrator.
SELECT count(*) FROM kepler.remember('gone', expires_at => '2024-01-01T00:00:00Z', valid_from => '2023-01-01T00:00:00Z');
SET ROLE trust_owner;
CREATE TRIGGER trap BEFORE DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION trust_owner.trap();
RESET ROLE;
SELECT kepler.expire_memories();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP TRIGGER trap ON kepler.memories;
SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'trust%';

-- An upgrade gives the levels their rights anew. A role of the same name that came later is another one.
SELECT kepler.grant_access('trust_app', 'reader');
REVOKE SELECT ON kepler.records FROM trust_app;
SELECT count(*) FROM kepler.install();
SELECT has_table_privilege('trust_app', 'kepler.records', 'SELECT') AS anew, has_table_privilege('trust_app', 'kepler.records', 'INSERT') AS writes;
\set VERBOSITY terse
DROP OWNED BY trust_app;
DROP ROLE trust_app;
CREATE ROLE trust_app;
SELECT count(*) FROM kepler.install();
SELECT has_table_privilege('trust_app', 'kepler.records', 'SELECT') AS inherited;
\set VERBOSITY default
SELECT kepler.revoke_access('trust_app'), kepler.revoke_access('trust_app');
-- Nor does a role come by a level by taking the name of one that is gone.
CREATE ROLE trust_gone;
SELECT kepler.grant_access('trust_gone', 'admin');
DROP OWNED BY trust_gone;
DROP ROLE trust_gone;
SELECT kepler.grant_access('trust_app', 'reader');
ALTER ROLE trust_app RENAME TO trust_gone;
SELECT count(*) FROM kepler.install();
SELECT has_table_privilege('trust_gone', 'kepler.workspaces', 'INSERT') AS inherited;
ALTER ROLE trust_gone RENAME TO trust_app;
SELECT kepler.revoke_access('trust_app');

-- Its members may do what the owner may.
GRANT trust_owner TO trust_app;
SET ROLE trust_app;
SELECT kepler.grant_access('trust_dbo', 'reader');
RESET ROLE;
REVOKE trust_owner FROM trust_app;
SELECT kepler.grant_access('trust_owner', 'reader');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.grant_access('trust_app', 'king');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.grant_access('trust_stranger', 'reader');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.grant_access(NULL, 'reader');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.revoke_access(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- status() tells who watches what there is, and shows no row.
GRANT pg_monitor TO trust_app;
SET ROLE trust_app;
SELECT s -> 'made' -> 'entries' -> 'tables' AS entry_tables, s -> 'tables' -> 'records' -> 'estimated' AS estimated,
    jsonb_typeof(s -> 'enrichment') AS enrichment, s -> 'executions' AS executions FROM kepler.status() AS s;
SELECT count(*) FROM kepler.records;
RESET ROLE;

-- The extension cannot go from under its tables. With them it goes whole, and comes back with both schemas.
\set VERBOSITY sqlstate
DROP EXTENSION kepler;
\set VERBOSITY default
-- The tables dropped, the entries are left, in a schema of their own: install() says so, and does not take them for its own.
DROP SCHEMA kepler CASCADE;
CREATE EXTENSION kepler;
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP SCHEMA kepler_data CASCADE;
SELECT count(*) FROM kepler.install();

\c postgres
DROP DATABASE kepler_trust;
DROP ROLE trust_dbo;
DROP ROLE trust_owner;
DROP ROLE trust_app;
