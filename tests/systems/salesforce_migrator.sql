-- The life of a Salesforce migrator's database, in SQL. Run by salesforce_migrator.sh, which passes the blueprint (document)
-- and the role of the application (application); the answers are in salesforce_migrator.out.
\pset null '(null)'
\set QUIET on

-- ### The tables, from one document
\echo '# what the plan holds'
SELECT operation, class, count(*) FROM kepler.plan_blueprint(:'document') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT blueprint_name, version, outcome, deferred FROM kepler.apply_blueprint(:'document');
\echo '# applied again, nothing is left to do, and nothing has drifted'
SELECT outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
SELECT object, kind FROM kepler.blueprint_drift('salesforce_migrator') WHERE kind <> 'coverage';
\echo '# how long rows are to stay at least; no policy undercuts it, and a DELETE does not ask'
SELECT object, expected FROM kepler.blueprint_drift('salesforce_migrator') WHERE object_type = 'retention' ORDER BY object COLLATE "C";
\echo '# what is a secret or about a person'
SELECT t ->> 'name' AS model, string_agg(f ->> 'name' || ' ' || (f ->> 'sensitive'), ', ') AS sensitive FROM kepler.blueprint_versions,
    json_array_elements(document -> 'tables') AS t, json_array_elements(t -> 'fields') AS f
WHERE blueprint_name = 'salesforce_migrator' AND f ->> 'sensitive' IS NOT NULL GROUP BY 1 ORDER BY 1;
\echo '# models, and the unique sets and references of each'
SELECT c.relname AS model, (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT string_agg(pg_get_constraintdef(k.oid), '; ' ORDER BY k.conname) FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'u') AS unique_sets,
    (SELECT string_agg(format('%s -> %s %s', (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = k.conkey[1]),
            k.confrelid::regclass::text, CASE k.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' ELSE k.confdeltype::text END), '; ' ORDER BY k.conname)
     FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'f') AS "references"
FROM pg_class AS c WHERE c.relnamespace = 'salesforce_migrator'::regnamespace AND c.relkind = 'r' ORDER BY c.relname COLLATE "C";

-- ### How long rows are kept
SET search_path = salesforce_migrator;
\set ON_ERROR_STOP off
\echo '# audits for ever, and migration logs for a year: no policy may say less'
SELECT outcome FROM kepler.set_retention('"AuditLog"', '10 years');
SELECT outcome FROM kepler.set_retention('"MigrationLog"', '90 days');
\set ON_ERROR_STOP on
\echo '# a year for the logs, and 30 days for what is marked as temporary, where no floor is'
SELECT outcome, kepler.drop_retention(policy_id) FROM kepler.set_retention('"AuditLog"', '1000 years');
SELECT outcome FROM kepler.set_retention('"MigrationLog"', '1 year');
SELECT outcome FROM kepler.set_retention('"ErrorLog"', '30 days', 'createdAt', '{"context.temporary": true}');
SELECT outcome FROM kepler.set_retention('"DataMigration"', '30 days', 'createdAt', '{"status": "Completed"}');
INSERT INTO "DataMigration" (id, "dataScheduleId", status, "createdAt") SELECT s, s, 'Completed', now() - interval '3 years' FROM unnest('{long ago,lately}'::text[]) AS s;
INSERT INTO "MigrationLog" ("dataMigrationId", "objectName", "createdAt")
SELECT m, format('%s, %s days', m, d), now() - d * interval '1 day' FROM (VALUES ('long ago', 400), ('long ago', 500), ('lately', 300), ('lately', 400)) AS v (m, d);
INSERT INTO "ErrorLog" ("errorMessage", context, "createdAt") VALUES ('temporary', '{"temporary": true}', now() - interval '40 days'), ('temporary, new', '{"temporary": true}', now()), ('permanent', '{}', now() - interval '40 days');
CALL kepler.run_retention();
\echo '# a migration stays as long as a log of less than a year depends on it'
SELECT id FROM "DataMigration";
SELECT "objectName" FROM "MigrationLog";
SELECT "errorMessage" FROM "ErrorLog" ORDER BY 1;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DELETE FROM "DataMigration";
DELETE FROM "ErrorLog";

-- ### The application, a role with the level writer
\connect - :application
SET search_path = salesforce_migrator;

\echo '# two organisations register: ids and times come from triggers, as a Prisma client would make them'
INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken", "refreshToken", "orgId", "userName") VALUES
    ('acme.my.salesforce.com', 'https://acme.my.salesforce.com', 'vault:salesforce/acme/access', 'vault:salesforce/acme/refresh', '00D000000000001', 'ada'),
    ('globex.my.salesforce.com', 'https://globex.my.salesforce.com', 'vault:salesforce/globex/access', NULL, '00D000000000002', 'grace');
SELECT "domainName", id ~ '^[a-z][a-z0-9]{23,24}$' AS cuid, "createdAt" <= clock_timestamp()::timestamp AND "createdAt" > now()::timestamp - interval '1 hour' AS created,
    "updatedAt" IS NOT NULL AS touched FROM "RegisteredOrg" ORDER BY 1;
SELECT id AS acme FROM "RegisteredOrg" WHERE "domainName" = 'acme.my.salesforce.com' \gset
SELECT id AS globex FROM "RegisteredOrg" WHERE "domainName" = 'globex.my.salesforce.com' \gset

\set ON_ERROR_STOP off
\echo '# a domain and an address register once'
INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken") VALUES ('acme.my.salesforce.com', 'https://other.example', 'vault:x');
INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken") VALUES ('other.example', 'https://acme.my.salesforce.com', 'vault:x');
\set ON_ERROR_STOP on

\set ON_ERROR_STOP off
\echo '# a token itself is refused, whoever writes it and however, and no message shows it'
SELECT '00D5g000004mZQw' || '!AQ' || md5('access') || '.' || md5('token') || '_' || md5('of acme') AS token \gset
INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken") VALUES ('initech.my.salesforce.com', 'https://initech.example', :'token');
INSERT INTO "RegisteredOrg" ("domainName", "instanceUrl", "accessToken") VALUES ('initech.my.salesforce.com', 'https://initech.example', 'vault:' || :'token');
UPDATE "RegisteredOrg" SET "refreshToken" = :'token' WHERE id = :'acme';
\set ON_ERROR_STOP on
UPDATE "RegisteredOrg" SET "refreshToken" = 'env:ACME_REFRESH_TOKEN' WHERE id = :'acme' RETURNING "refreshToken";

\echo '# field mappings belong to an organisation'
INSERT INTO "FieldMapping" ("registeredOrgId", "objectName", "sourceField", "targetField", "fieldType", "isRequired") VALUES
    (:'acme', 'Account', 'Ext_Id__c', 'Legacy_Id__c', 'string', true), (:'acme', 'Contact', 'Email', 'Email', 'email', DEFAULT),
    (:'globex', 'Account', 'Name', 'Name', 'string', DEFAULT);
SELECT count(*) FILTER (WHERE "isRequired") AS required, count(*) FROM "FieldMapping";

-- ### A migration
\echo '# a migration is scheduled: pending, and known by its schedule'
INSERT INTO "DataMigration" ("dataScheduleId", "sourceOrgId", "targetOrgId", "scheduledStartTime")
VALUES ('schedule-1', :'acme', :'globex', '2031-01-01 02:00:00') RETURNING "dataScheduleId", status, "scheduledStartTime";
SELECT id AS migration FROM "DataMigration" WHERE "dataScheduleId" = 'schedule-1' \gset
INSERT INTO "ObjectMapping" ("dataMigrationId", "sourceObject", "targetObject", "fieldMappings") VALUES
    (:'migration', 'Account', 'Account', '{"Name": "Name", "Ext_Id__c": "Legacy_Id__c"}'), (:'migration', 'Contact', 'Contact', '{"Email": "Email"}');
\set ON_ERROR_STOP off
\echo '# a schedule is one migration, and an object of the source is mapped once'
INSERT INTO "DataMigration" ("dataScheduleId") VALUES ('schedule-1');
INSERT INTO "ObjectMapping" ("dataMigrationId", "sourceObject", "targetObject") VALUES (:'migration', 'Account', 'Lead');
\set ON_ERROR_STOP on

\echo '# it runs, and logs the counts of each object; the counts begin at nothing'
UPDATE "DataMigration" SET status = 'Running', "dataBatchId" = '750xx0000000001' WHERE "dataScheduleId" = 'schedule-1';
INSERT INTO "MigrationLog" ("dataMigrationId", "objectName") SELECT :'migration', unnest(ARRAY['Account', 'Contact']);
SELECT "objectName", "recordCount", "successCount", "failureCount", details FROM "MigrationLog" ORDER BY 1;
UPDATE "MigrationLog" SET "recordCount" = 1200, "successCount" = 1200, details = '{"batches": [{"id": "751-1", "size": 1200}]}' WHERE "objectName" = 'Account';
UPDATE "MigrationLog" SET "recordCount" = 3400, "successCount" = 3397, "failureCount" = 3, "errorMessage" = 'REQUIRED_FIELD_MISSING: LastName' WHERE "objectName" = 'Contact';
\echo '# the job of the migration: one document call makes its row, the next ones find it'
SELECT outcome, document FROM kepler.upsert_document('"MigrateDataLog"', '{"dataScheduleId": "schedule-1"}', 'insertResult',
    '{"$inc": {"Account.success": 1200}, "$setOnInsert": {"first": "Account"}}',
    new_row => jsonb_build_object('registeredOrgId', :'acme', 'sourceOrg', 'acme', 'targetOrg', 'globex', 'objectNames', '["Account", "Contact"]'::jsonb));
SELECT outcome, document FROM kepler.upsert_document('"MigrateDataLog"', '{"dataScheduleId": "schedule-1"}', 'insertResult',
    '{"$inc": {"Contact.success": 3397, "Contact.failed": 3}, "$setOnInsert": {"first": "Contact"}}', new_row => '{"status": "never"}');
SELECT status, progress, "objectNames", "insertResult", "updateResult", length(id) AS id FROM "MigrateDataLog";
UPDATE "MigrateDataLog" SET status = 'Completed', progress = 100, "errorCount" = 3, "startTime" = '2031-01-01 02:00:00', "endTime" = '2031-01-01 02:07:30.250';
\echo '# each change moves updatedAt on'
UPDATE "DataMigration" SET "updatedAt" = '2000-01-01' WHERE "dataScheduleId" = 'schedule-1';
UPDATE "DataMigration" SET status = 'Completed' WHERE "dataScheduleId" = 'schedule-1';
SELECT status, "updatedAt" > '2020-01-01' AS moved FROM "DataMigration";

\echo '# findUnique({ where: { dataScheduleId }, include: { sourceOrg, targetOrg, migrationLogs, objectMappings } })'
SELECT m."dataScheduleId", m.status, source."domainName" AS source, target."domainName" AS target,
    (SELECT jsonb_agg(jsonb_build_array(l."objectName", l."successCount", l."failureCount") ORDER BY l."objectName") FROM "MigrationLog" AS l WHERE l."dataMigrationId" = m.id) AS logs,
    (SELECT count(*) FROM "ObjectMapping" AS o WHERE o."dataMigrationId" = m.id) AS mappings
FROM "DataMigration" AS m LEFT JOIN "RegisteredOrg" AS source ON source.id = m."sourceOrgId" LEFT JOIN "RegisteredOrg" AS target ON target.id = m."targetOrgId"
WHERE m."dataScheduleId" = 'schedule-1';

-- ### Its audit log: the document has the history of what configures a migration kept
SELECT operation, role_name = current_user AS by_application, changes - 'updatedAt' AS changes
FROM kepler.row_history('"DataMigration"', :'migration') WHERE operation = 'UPDATE' AND changes ? 'status';

-- ### A log for each kind of job
\echo '# result.<org>: the name of an organisation holds dots, so its path is an array'
SELECT outcome, document FROM kepler.upsert_document('"CreateCustomFieldLog"', '{"dataScheduleId": "fields-1"}', 'result',
    '[{"op": "$set", "path": ["acme.my.salesforce.com"], "value": {"created": 4}}]', new_row => jsonb_build_object('registeredOrgId', :'acme'));
SELECT outcome, document FROM kepler.update_document('"CreateCustomFieldLog"', '{"dataScheduleId": "fields-1"}', 'result',
    '[{"op": "$inc", "path": ["acme.my.salesforce.com", "created"], "value": 1}, {"op": "$set", "path": ["globex.my.salesforce.com"], "value": {"created": 0, "error": "no permission"}}]');
SELECT outcome FROM kepler.update_document('"CreateCustomFieldLog"', '{"dataScheduleId": "fields-2"}', 'result', '{"$set": {"x": 1}}');
\echo '# one row in each of the others, all by upsert_document: by schedule, by deployment where Salesforce names it'
SELECT l.model, u.outcome, u.document
FROM (VALUES ('UpdateExtIdValueLog', 'dataScheduleId', 'result'), ('DeleteCustomFieldLog', 'dataScheduleId', 'result'),
    ('PermitObjectsAndFieldsLog', 'dataScheduleId', 'result'), ('RecordCountLog', 'dataScheduleId', 'recordCounts'),
    ('FieldDifferenceLog', 'dataScheduleId', 'differences'), ('DeployFromFieldDiffLog', 'deployId', 'result'),
    ('DuplicateRecordsLog', 'dataScheduleId', 'duplicates'), ('CsvDataLog', 'dataScheduleId', 'csvData'),
    ('ExtraChildRecordsLog', 'dataScheduleId', 'recordsToDelete'), ('SyncRecordsLog', 'dataScheduleId', 'result'),
    ('DiffViewerLog', 'dataScheduleId', 'differences')) AS l (model, key, json_column)
CROSS JOIN LATERAL kepler.upsert_document(format('%I', l.model)::regclass, jsonb_build_object(l.key, 'job-1'), l.json_column::name,
    '{"$set": {"Account": {"count": 7}}, "$push": {"seen": "acme"}}', new_row => jsonb_build_object('registeredOrgId', :'acme')) AS u;
\echo '# a deployment counts; its lists are documents too'
INSERT INTO "MetadataDeployLog" ("deployId", "registeredOrgId", "componentsTotal", "testsTotal") VALUES ('0Af-1', :'acme', 12, 5);
UPDATE "MetadataDeployLog" SET "componentsDeployed" = 12, "testsCompleted" = 4, "testErrors" = 1, status = 'Failed',
    "testFailures" = "testFailures" || '[{"class": "AccountTest", "message": "System.AssertException"}]' WHERE "deployId" = '0Af-1';
SELECT outcome, document FROM kepler.update_document('"MetadataDeployLog"', '{"deployId": "0Af-1"}', 'testFailures', '{"$set": {"0.seen": true}}');
SELECT status, errors, "testFailures" FROM "MetadataDeployLog";
INSERT INTO "ErrorLog" ("registeredOrgId", "errorMessage", endpoint, context) VALUES (:'acme', 'INVALID_SESSION_ID', '/api/migrate', '{"retry": 2}');
INSERT INTO "AuditLog" (action, resource, "userId", "orgId") VALUES ('migrate', 'schedule-1', 'ada', '00D000000000001');
\set ON_ERROR_STOP off
\echo '# a job has one log'
INSERT INTO "RecordCountLog" ("dataScheduleId") VALUES ('job-1');
INSERT INTO "DeployFromFieldDiffLog" ("deployId") VALUES ('job-1');
\set ON_ERROR_STOP on
\echo '# the logs whose result tells of a failure'
SELECT "dataScheduleId" FROM "CreateCustomFieldLog" WHERE kepler.json_matches(result, '[{"op": "$exists", "path": ["globex.my.salesforce.com", "error"], "value": true}]');

-- ### Deletions
-- How many rows each table has, and how many of them still name an organisation; tables without rows are left out.
SELECT string_agg(format('SELECT %L AS model, count(*), count(r) FILTER (WHERE r ->> ''registeredOrgId'' IS NOT NULL) AS of_an_org FROM (SELECT to_jsonb(t) AS r FROM %s AS t) AS r HAVING count(*) > 0',
    relname, oid::regclass), ' UNION ALL ' ORDER BY relname COLLATE "C") || ' ORDER BY 1' AS rows
FROM pg_class WHERE relnamespace = 'salesforce_migrator'::regnamespace AND relkind = 'r' \gset
\echo '# before'
:rows;
\echo '# a migration is deleted: its counts and its mappings go with it, its job and the audit stay'
DELETE FROM "DataMigration" WHERE "dataScheduleId" = 'schedule-1';
:rows;
INSERT INTO "DataMigration" ("dataScheduleId", "sourceOrgId", "targetOrgId") VALUES ('schedule-2', :'acme', :'globex');
\echo '# an organisation is deleted: its field mappings go; logs and migrations stay, and name it no more'
DELETE FROM "RegisteredOrg" WHERE id = :'acme';
:rows;
SELECT "dataScheduleId", "sourceOrgId", "targetOrgId" = :'globex' AS target FROM "DataMigration";
\set ON_ERROR_STOP off
\echo '# nothing can name it again'
UPDATE "DataMigration" SET "sourceOrgId" = :'acme';
\set ON_ERROR_STOP on
\echo '# the last organisation, then all that is left'
DELETE FROM "RegisteredOrg";
:rows;
DELETE FROM "DataMigration";
SELECT string_agg(format('DELETE FROM %s', oid::regclass), '; ' ORDER BY relname COLLATE "C") AS statements
FROM pg_class WHERE relnamespace = 'salesforce_migrator'::regnamespace AND relkind = 'r' \gset
:statements;
\echo '# nothing is left'
:rows;
