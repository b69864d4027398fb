-- The life of a tenant: made, reported, exported, imported under another id, deleted; and of what is stored about a person.
-- And the walk: every table that says whose its rows are is in the report, and so in exports and in deletions.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
-- What others have left of the names that the story uses.
DELETE FROM kepler.feed WHERE workspace_id IN ('acme', 'beside');
-- The numbers of the tables that the story shows.
SELECT last_value AS numbers, is_called AS given FROM kepler.entry_table_numbers \gset
SELECT setval('kepler.entry_table_numbers', 100000);
SELECT kepler.create_workspace('acme', 'Acme');
SELECT kepler.create_workspace('acme');
SELECT kepler.create_workspace(NULL);
SELECT kepler.create_workspace('');
SELECT name = id AND length(id) = 24 AS named_by_its_id FROM kepler.workspaces WHERE id = (SELECT kepler.create_workspace());
DELETE FROM kepler.workspaces WHERE length(id) = 24;

-- Something of everything, and the same in a workspace beside it.
SELECT kepler.create_embedding_space('life', 2, 'm');
CREATE FUNCTION pg_temp.fill(workspace text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('kepler.workspace_id', workspace, true);
    INSERT INTO kepler.users (id, email) VALUES ('ann', 'ann@example.com'), ('bob', 'bob@example.com');
    INSERT INTO kepler.connections (id, name, reference_id, user_id, secret_ref, subscription_id) VALUES ('c', 'c', 'r', 'ann', 'env:KEY', 's');
    INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'env:KEY');
    PERFORM kepler.set_enrichment_policy('lead');
    PERFORM kepler.upsert_records('lead', '[{"external_id": "1", "data": {"n": 1.0}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}]', connection_id => 'c');
    PERFORM kepler.claim_records('lead', 'w', 1);
    INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ann', 'w');
    PERFORM kepler.start_execution('w', 'k', metadata => '{"who": "ann"}');
    PERFORM kepler.remember('tea', '[1, 0]', user_id => 'ann');
    PERFORM kepler.remember('coffee', user_id => 'bob');
    INSERT INTO kepler.conversations (id, user_id) VALUES ('hers', 'ann'), ('his', 'bob');
    PERFORM kepler.add_message('hers', 'user', 'hello', user_id => 'ann', embedding => '[1, 0]');
    PERFORM kepler.add_message('hers', 'user', 'hi', user_id => 'bob');
    PERFORM kepler.add_message('his', 'user', 'I am Ann', user_id => 'ann', embedding => '[0, 1]');
    PERFORM kepler.create_entry_table('Part', '{"fields": [{"name": "of", "type": "reference", "to": "Part"}, {"name": "price", "type": "decimal"}]}');
    PERFORM kepler.insert_entries('Part', '[{"entry_id": 2, "price": 1.50}, {"entry_id": 1, "of": 2}]');
    PERFORM kepler.acknowledge_changes('consumer', kepler.feed_cursor());
END
$$;
SELECT kepler.create_workspace('beside');
SELECT kepler.activate_embedding_space('life', workspace_id => w) FROM unnest('{acme,beside}'::text[]) AS w;
SELECT pg_temp.fill('beside');
SELECT pg_temp.fill('acme');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "life_shared", "tenancy": {"field": "tenant"}, "tables": [
    {"name": "Row", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "next", "type": "reference", "to": "Row"}]}]}');
SELECT format('%I.%I', schema_name, table_name) AS shared FROM kepler.blueprint_tables WHERE blueprint_name = 'life_shared' \gset
INSERT INTO :shared (id, tenant, next) VALUES (1, 'acme', 2), (2, 'acme', 1), (3, 'beside', NULL);

-- The report. Every table with a column workspace_id, or with a policy that says whose its rows are, is in it.
SELECT relation, kind, rows, is_exported FROM kepler.workspace_report('acme') WHERE rows > 0 ORDER BY relation::text COLLATE "C";
SELECT key, reason FROM kepler_internal.left_out_of_archives() ORDER BY key;
CREATE VIEW pg_temp.told AS
SELECT c.oid::regclass AS relation FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND (
    (n.nspname IN ('kepler', 'kepler_data') AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped))
    OR EXISTS (SELECT FROM pg_policy AS y WHERE y.polrelid = c.oid AND pg_get_expr(y.polqual, y.polrelid) LIKE '%current_workspace_id()%'));
SELECT t.relation FROM pg_temp.told AS t
WHERE t.relation NOT IN (SELECT r.relation FROM kepler.workspace_report('acme') AS r UNION SELECT r.relation FROM kepler.workspace_report('beside') AS r)
    -- Said by lines of their own in an archive, and deleted with the tables that they are about.
    AND t.relation NOT IN (SELECT i.inhparent FROM pg_inherits AS i JOIN kepler.workspace_report('acme') AS r ON r.relation = i.inhrelid)
    AND t.relation::text <> ALL ('{kepler.entry_tables,kepler.structures,kepler.hidden_fields,kepler.blueprints,kepler.workspaces}')
ORDER BY t.relation::text;
-- And what holds anything of a tenant's without such a column would be new: tables of the schema that belong to the database.
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid NOT IN (SELECT t.relation FROM pg_temp.told AS t)
ORDER BY 1;

-- An archive: the same each time, whatever the session's settings are; as of the calling statement.
CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO archive (line) SELECT kepler.export_workspace('acme');
SELECT line::jsonb - 'exported_at' - 'tables' - 'workspace' - 'kepler' - 'postgres' FROM archive WHERE line LIKE '%kepler_archive%';
SELECT count(*) > 30 FROM archive;
BEGIN;
SET LOCAL datestyle = 'German, MDY';
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL extra_float_digits = -15;
CREATE TABLE again (line text);
INSERT INTO again SELECT kepler.export_workspace('acme');
SELECT line FROM (SELECT line FROM again EXCEPT ALL SELECT line FROM archive) AS d WHERE line NOT LIKE '%kepler_archive%' AND line NOT LIKE '{"end"%';
ROLLBACK;

-- Refused before anything is written.
SELECT kepler.import_workspace('archive');
SELECT kepler.import_workspace('kepler.users', 'copy');
CREATE TABLE cut (LIKE archive INCLUDING ALL);
INSERT INTO cut (line) SELECT line FROM archive WHERE line NOT LIKE '{"end"%' ORDER BY number;
SELECT kepler.import_workspace('cut', 'copy');
SELECT kepler.import_workspace(NULL);
SELECT kepler.import_workspace('archive', '');
SELECT count(*) FROM kepler.workspaces WHERE id = 'copy';

-- A copy in the same database has the same lines. Rows of a shared table refer to each other in a circle: its keys are taken.
SELECT kepler.import_workspace('archive', 'copy');
DELETE FROM :shared WHERE tenant = 'acme';
SELECT relation, rows FROM kepler.import_workspace('archive', 'copy') ORDER BY relation::text COLLATE "C";
CREATE TABLE copied (line text);
INSERT INTO copied SELECT kepler.export_workspace('copy');
SELECT line FROM ((SELECT line FROM copied EXCEPT ALL SELECT line FROM archive) UNION ALL (SELECT line FROM archive EXCEPT ALL SELECT line FROM copied)) AS d
WHERE line NOT LIKE '%kepler_archive%' AND line NOT LIKE '{"end"%';
-- The queue is neither empty nor filled twice, and the lease is whose it was.
SELECT workspace_id, count(*) FROM kepler.enrichment_queue WHERE workspace_id IN ('acme', 'copy') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS told FROM kepler.feed WHERE workspace_id = 'copy';
BEGIN;
SET LOCAL kepler.workspace_id = 'copy';
SELECT outcome FROM kepler.settle_records((SELECT id FROM kepler.leases WHERE workspace_id = 'copy'),
    (SELECT jsonb_agg(jsonb_build_object('record_id', id, 'result', '{}'::jsonb)) FROM kepler.records WHERE workspace_id = 'copy' AND enrichment_status = 'PENDING'));
SELECT ordinal, entry_id, outcome FROM kepler.insert_entries('Part', '[{"of": 1}]');
COMMIT;

-- A person: what there is, what becomes of it, and again.
SELECT line::jsonb ->> 'table' AS "table", count(*) FROM kepler.export_user('ann', 'copy') AS line WHERE line LIKE '{"table"%' GROUP BY 1 ORDER BY 1;
SELECT kepler.export_user('nobody', 'copy');
SELECT * FROM kepler.erase_user('ann', 'copy') ORDER BY relation::text, outcome;
SELECT * FROM kepler.erase_user('ann', 'copy');
SELECT conversation_id, content, user_id FROM kepler.messages WHERE workspace_id = 'copy';
SELECT status, user_id, secret_ref, subscription_id FROM kepler.connections WHERE workspace_id = 'copy';
SELECT user_id, metadata FROM kepler.executions WHERE workspace_id = 'copy';
SELECT count(*) FROM kepler_data.life_message_embeddings WHERE workspace_id = 'copy';
SELECT count(*) AS of_others FROM kepler.messages WHERE workspace_id = 'acme' AND user_id = 'ann';

-- A role that is a member of it, and of the one beside.
CREATE ROLE life_member;
SELECT kepler.grant_access('life_member', 'writer', w) FROM unnest('{copy,beside}'::text[]) AS w;

-- Deletion: not without being told, not default, and not what is not there.
CALL kepler.delete_workspace('copy');
CALL kepler.delete_workspace('default', with_rows => true);
CALL kepler.delete_workspace('none');
CALL kepler.delete_workspace(NULL);
CALL kepler.delete_workspace('copy', with_rows => true, max_rows => 0);
-- A view on an entry table, and a table that refers to a user, are somebody's: they keep it, until they are gone.
SELECT 'kepler_data.' || table_name AS part FROM kepler.entry_tables WHERE workspace_id = 'copy' \gset
CREATE VIEW parts AS SELECT * FROM :part;
CALL kepler.delete_workspace('copy', with_rows => true, max_rows => 2);
DROP VIEW parts;
-- It is marked by then, and nothing works in it any more.
SELECT kepler.remember('no', workspace_id => 'copy');
SELECT kepler.upsert_records('lead', '[]', workspace_id => 'copy');
SELECT kepler.import_workspace('archive', 'copy');
BEGIN;
CALL kepler.delete_workspace('copy');
ROLLBACK;
CREATE TABLE mine (workspace_id text, id text, FOREIGN KEY (workspace_id, id) REFERENCES kepler.users (workspace_id, id));
INSERT INTO mine VALUES ('copy', 'bob');
CALL kepler.delete_workspace('copy', max_rows => 5);
DROP TABLE mine;
CALL kepler.delete_workspace('copy', max_rows => 5);
CALL kepler.delete_workspace('copy');
-- Nothing is left with its id in any table, and the others have theirs. (Ids of others may hold the same letters.)
CREATE FUNCTION pg_temp.left_of(workspace text) RETURNS TABLE (relation regclass, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN
        SELECT a.attrelid::regclass FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE a.attname IN ('workspace_id', 'tenant') AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE 'history%'
    LOOP
        EXECUTE format('SELECT count(*) FROM %s AS t WHERE t::text ~ $1', relation) INTO rows USING '[^0-9a-z]' || workspace || '[^0-9a-z]';
        IF rows > 0 THEN RETURN NEXT; END IF;
    END LOOP;
END
$$;
SELECT * FROM pg_temp.left_of('copy');
-- The history keeps hashes of what was done, and nothing that was told.
SELECT count(*) > 0 AS rows, count(row_id) AS row_ids, count(old_values) AS old_values FROM kepler.history WHERE workspace_id = 'copy';
SELECT count(*) FROM pg_class WHERE relname LIKE 'part\_%\_entries';
SELECT workspace_id, level FROM kepler.workspace_members WHERE role_name = 'life_member';
SELECT relation, rows FROM kepler.workspace_report('acme') WHERE rows > 0 ORDER BY relation::text COLLATE "C";

-- Rows that refer to each other in a circle, in a shared table.
INSERT INTO :shared (id, tenant, next) VALUES (1, 'acme', 2), (2, 'acme', 1);
CALL kepler.delete_workspace('acme', with_rows => true, max_rows => 5);
SELECT * FROM pg_temp.left_of('acme');
SELECT tenant, count(*) FROM :shared GROUP BY 1;
SELECT relation, rows FROM kepler.workspace_report('beside') WHERE rows > 0 AND is_exported ORDER BY relation::text COLLATE "C";

-- Nothing is left of the story.
CALL kepler.delete_workspace('beside', with_rows => true);
SELECT outcome FROM kepler.drop_blueprint('life_shared');
SELECT kepler.retire_embedding_space('life');
SELECT kepler.drop_embedding_space('life');
DROP TABLE archive, cut, copied;
SELECT has_table_privilege('life_member', 'kepler.records', 'SELECT') AS keeps_rights, (SELECT count(*) FROM kepler.workspace_members) AS members;
DROP ROLE life_member;
SELECT id FROM kepler.workspaces WHERE id <> 'default';
SELECT setval('kepler.entry_table_numbers', :numbers, :'given') > 0 AS set_back;
