-- Fields of a schema.prisma with the names of secrets are told of, and marked where it is asked.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set schema 'model SourceOrg {\n  id           String  @id @default(cuid())\n  instanceUrl  String\n  accessToken  String\n  refreshToken String? @map("refresh_token") @db.VarChar(500)\n  apiKeys      String[]\n  syncToken    String?\n  tokenType    String?\n  apiKey       String  @default("none")\n}\nmodel User {\n  id           Int     @id\n  password     String\n  passwordHash String?\n  sessionToken String  @unique\n}\n'
SELECT replace(:'schema', '\n', E'\n') AS schema \gset
SELECT json_array_elements_text(kepler.blueprint_from_prisma(:'schema', 'crm') -> 'import_warnings') AS warning;
-- Without the option nothing is marked.
SELECT count(*) AS marked FROM json_array_elements(kepler.blueprint_from_prisma(:'schema', 'crm') -> 'tables') AS t, json_array_elements(t -> 'fields') AS f WHERE f -> 'sensitive' IS NOT NULL;
SET LOCAL client_min_messages = error;
\set marked 'SELECT t ->> ''name'' AS model, f ->> ''name'' AS field, f -> ''sensitive'' AS sensitive FROM json_array_elements(kepler.blueprint_from_prisma(:''schema'', ''crm'', :''options'') -> ''tables'') AS t, json_array_elements(t -> ''fields'') AS f WHERE f -> ''sensitive'' IS NOT NULL'
-- With it, all that is proposed.
\set options '{"sensitive": true}'
:marked;
SELECT json_array_elements_text(kepler.blueprint_from_prisma(:'schema', 'crm', :'options') -> 'import_warnings') AS warning;
-- Or single fields.
\set options '{"sensitive": {"SourceOrg.accessToken": "reference", "SourceOrg.refreshToken": false, "SourceOrg.instanceUrl": true}}'
:marked;
SELECT json_array_elements_text(kepler.blueprint_from_prisma(:'schema', 'crm', :'options') -> 'import_warnings') AS warning;
SELECT kepler.blueprint_from_prisma(:'schema', 'crm', '{"sensitive": {"SourceOrg.nothing": true}}');
SELECT kepler.blueprint_from_prisma(:'schema', 'crm', '{"sensitive": {"SourceOrg.accessToken": "secret"}}');
SELECT kepler.blueprint_from_prisma(:'schema', 'crm', '{"sensitive": 1}');
-- What is marked is applied, and guarded.
SELECT outcome FROM kepler.apply_blueprint(kepler.blueprint_from_prisma(:'schema', 'crm', '{"sensitive": true, "schema": "crm"}'));
INSERT INTO crm."SourceOrg" ("instanceUrl", "accessToken") VALUES ('https://x.my.salesforce.com', 'hunter2');
INSERT INTO crm."SourceOrg" ("instanceUrl", "accessToken", refresh_token) VALUES ('https://x.my.salesforce.com', 'vault:crm/access', 'vault:crm/refresh');
ROLLBACK;
