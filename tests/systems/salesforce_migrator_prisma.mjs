// The life of a Salesforce migrator's database, from a Prisma client. Started by salesforce_migrator_prisma.sh.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, generateClient } from '../prisma/client/generate.mjs';
import { judge } from '../prisma/judge.mjs';

const work = process.argv[2];
const { PGHOST: socket, KEPLER_DATABASE: db } = process.env;
const file = join(work, 'written.prisma');

// What Kepler has written is in step with what it has made.
const compared = await judge({ command: 'diff', socket, db, files: [file] });
assert.ok(compared.in_step, compared.answer ?? compared.error);

// Fields of relations are the client's own: the application calls these so.
const schema = [
  ['RegisteredOrg_DataMigration_sourceOrgIdToRegisteredOrg', 'sourceOrg'],
  ['RegisteredOrg_DataMigration_targetOrgIdToRegisteredOrg', 'targetOrg'],
  ['MigrationLog  ', 'migrationLogs '],
  ['ObjectMapping  ', 'objectMappings '],
  ['FieldMapping  ', 'fieldMappings '],
].reduce((text, [written, called]) => text.replaceAll(new RegExp(`^  ${written}`, 'gm'), `  ${called}`), readFileSync(file, 'utf8'));
const prisma = connect(await generateClient(schema, join(work, 'client')), db);
const refused = (promise) => promise.then(() => assert.fail('was not refused'), (error) => error);

// Two organisations, the first with its mappings in the same call.
const register = (name, more) =>
  prisma.registeredOrg.create({
    data: { domainName: `${name}.my.salesforce.com`, instanceUrl: `https://${name}.example`, accessToken: `vault:salesforce/${name}`, ...more },
    include: { fieldMappings: true },
  });
const mapping = { objectName: 'Account', sourceField: 'Ext_Id__c', targetField: 'Legacy_Id__c', fieldType: 'string' };
const acme = await register('acme', { fieldMappings: { create: [mapping] } });
const globex = await register('globex');
assert.match(acme.id, /^c[a-z0-9]{24}$/);
assert.equal(acme.fieldMappings[0].isRequired, false);
assert.equal((await refused(register('acme'))).code, 'P2002');
const secret = await refused(register('initech', { accessToken: 'hunter2hunter2' }));
assert.match(String(secret), /no reference to a secret/);

// A migration with its logs and mappings, and the read of the application.
const schedule = { dataScheduleId: 'schedule_id' };
await prisma.dataMigration.create({
  data: {
    ...schedule,
    sourceOrg: { connect: { id: acme.id } },
    targetOrg: { connect: { domainName: globex.domainName } },
    migrationLogs: { create: [{ objectName: 'Account', recordCount: 3, successCount: 2, failureCount: 1, details: { batch: 1 } }] },
    objectMappings: { create: [{ sourceObject: 'Account', targetObject: 'Account', fieldMappings: { Name: 'Name' } }] },
  },
});
const find = () =>
  prisma.dataMigration.findUnique({ where: schedule, include: { sourceOrg: true, targetOrg: true, migrationLogs: true } });
let migration = await find();
assert.equal(migration.status, 'Pending');
assert.deepEqual([migration.sourceOrg.id, migration.targetOrg.id], [acme.id, globex.id]);
assert.deepEqual([migration.migrationLogs[0].failureCount, migration.migrationLogs[0].details], [1, { batch: 1 }]);
await prisma.dataMigration.update({ where: schedule, data: { status: 'Completed' } });
assert.equal(await prisma.dataMigration.count({ where: { status: 'Completed', migrationLogs: { some: { failureCount: { gt: 0 } } } } }), 1);

// result.<org> from eight calls at once: what the client would read, change and write back, one statement does in place.
const orgs = Array.from({ length: 8 }, (_, number) => `org${number}.my.salesforce.com`);
const outcomes = await Promise.all(
  orgs.map(async (org) => {
    const operations = JSON.stringify([
      { op: '$set', path: [org], value: { created: 2 } },
      { op: '$inc', path: 'all', value: 1 },
    ]);
    const [{ outcome }] = await prisma.$queryRaw`SELECT outcome FROM kepler.upsert_document('salesforce_migrator."CreateCustomFieldLog"'::regclass,
      ${JSON.stringify(schedule)}::jsonb, 'result', ${operations}::jsonb, new_row => ${JSON.stringify({ registeredOrgId: acme.id })}::jsonb)`;
    return outcome;
  }),
);
assert.deepEqual(outcomes.sort(), ['inserted', ...Array(7).fill('updated')]);
const job = await prisma.createCustomFieldLog.findUniqueOrThrow({ where: schedule });
assert.deepEqual(job.result, { all: 8, ...Object.fromEntries(orgs.map((org) => [org, { created: 2 }])) });
assert.equal(job.status, 'Queued');
const log = await prisma.migrateDataLog.upsert({ where: schedule, create: { ...schedule, objectNames: ['Account'] }, update: {} });
assert.deepEqual([log.objectNames, log.insertResult, log.progress], [['Account'], {}, 0]);

// Cascades and set-nulls, to the last row.
await prisma.registeredOrg.delete({ where: { id: acme.id } });
migration = await find();
assert.equal(migration.sourceOrg, null);
assert.equal(migration.targetOrg.id, globex.id);
assert.equal(await prisma.fieldMapping.count(), 0);
assert.equal((await prisma.createCustomFieldLog.findUniqueOrThrow({ where: schedule })).registeredOrgId, null);
await prisma.dataMigration.delete({ where: schedule });
assert.equal((await prisma.migrationLog.count()) + (await prisma.objectMapping.count()), 0);
for (const model of ['registeredOrg', 'createCustomFieldLog', 'migrateDataLog']) {
  assert.equal((await prisma[model].deleteMany()).count, 1);
}
await prisma.$disconnect();
process.exit(0);
