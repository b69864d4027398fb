// The life of a marketing platform's database, from an application in JavaScript with pg. Started by neonhub.sh.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.KEPLER_PACKAGES, 'package.json'));
const { Client } = require('pg');
const { PGHOST: host, PGPORT: port, PGUSER: owner, KEPLER_DATABASE: database, KEPLER_APPLICATION: application } = process.env;
const document = JSON.parse(readFileSync(process.env.KEPLER_DOCUMENT, 'utf8'));
const SESSIONS = 8;

async function connect(user) {
  const client = new Client({ host, port: Number(port), user, database });
  await client.connect();
  await client.query('SET search_path = neonhub, public');
  const rows = async (text, ...values) => (await client.query(text, values)).rows;
  return { rows, one: async (...query) => (await rows(...query))[0], end: () => client.end() };
}
const quote = (name) => `"${name}"`;
const tables = new Map(document.tables.map((table) => [table.name, table]));
const sqlName = (name) => quote(tables.get(name).table ?? name);
/** The number of rows of each table. */
async function counts(db) {
  const all = [...tables.keys()].map((name) => `SELECT '${name}' AS name, count(*)::int AS count FROM ${sqlName(name)}`);
  return new Map((await db.rows(all.join(' UNION ALL '))).map(({ name, count }) => [name, count]));
}
/** What is deleted with a row of a table, by the document: the tables that its cascades reach. */
function reached(from) {
  const found = new Set([from]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const table of tables.values()) {
      for (const field of table.fields) {
        if (field.type === 'reference' && field.on_delete === 'cascade' && found.has(field.to)) found.add(table.name);
      }
    }
  }
  return found;
}

// The platform was emptied before. What it begins with comes back with the document, and once.
const db = await connect(application);
const admin = await connect(owner);
const apply = 'SELECT outcome, steps FROM kepler.apply_blueprint($1::text)';
assert.ok([...(await counts(db)).values()].every((count) => count === 0));
const missing = await admin.rows(`SELECT object FROM kepler.blueprint_drift('neonhub') WHERE object_type = 'seed row' AND kind = 'missing'`);
const seeded = Object.entries(document.seed).map(([name, { rows }]) => [name, rows.length]);
assert.equal(missing.length, seeded.reduce((sum, [, rows]) => sum + rows, 0));
assert.deepEqual(await admin.one(apply, JSON.stringify(document)), { outcome: 'applied', steps: seeded.length });
assert.deepEqual(await admin.one(apply, JSON.stringify(document)), { outcome: 'unchanged', steps: 0 });
const begun = await counts(db);
for (const [name, rows] of seeded) assert.equal(begun.get(name), rows, name);
// The document that is kept says the same.
const kept = await admin.one(`SELECT document::text FROM kepler.blueprint_versions WHERE blueprint_name = 'neonhub' ORDER BY version DESC LIMIT 1`);
assert.deepEqual(await admin.one(apply, kept.document), { outcome: 'unchanged', steps: 0 });

// Eight sessions want one keyword, each in a case of its own: one gets it.
const spelt = (number) => [...'neon flamingo'].map((letter, at) => (number >> (at % 3) & 1 ? letter.toUpperCase() : letter)).join('');
const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => connect(application)));
const wants = await Promise.all(sessions.map((session, number) => session
  .rows(`INSERT INTO keywords (term, intent) VALUES ($1, 'commercial')`, spelt(number))
  .then(() => 'inserted', (error) => error.constraint)));
assert.deepEqual(wants.sort(), ['inserted', ...Array(SESSIONS - 1).fill('ux_keyword_term_ci')]);
await Promise.all(sessions.map((session) => session.end()));

// An agent's life: a conversation in which it runs, calls its tool, and remembers.
const org = (await db.one(`SELECT id FROM organizations WHERE slug = 'primary'`)).id;
const agent = (await db.one(`SELECT id FROM agents WHERE "organizationId" = $1 AND slug = 'social-advocacy-agent'`, org)).id;
const tool = await db.one(`SELECT id, "inputSchema" FROM tools WHERE "agentId" = $1`, agent);
assert.deepEqual(tool.inputSchema.required, ['connector', 'content', 'publishAt']);
const conversation = (await db.one(`INSERT INTO conversations ("organizationId", kind) VALUES ($1, 'planning') RETURNING id`, org)).id;
const vector = (at) => JSON.stringify(Array.from({ length: 1536 }, (_, place) => (place === at ? 1 : 0)));
for (let turn = 0; turn < 5; turn += 1) {
  const run = (await db.one(`INSERT INTO agent_runs ("agentId", "organizationId", input) VALUES ($1, $2, $3) RETURNING id`, agent, org, { turn })).id;
  await db.rows(`INSERT INTO tool_executions ("toolId", "agentRunId", input) VALUES ($1, $2, $3)`, tool.id, run, { connector: 'x-ads' });
  await db.rows(`INSERT INTO messages ("conversationId", role, "contentJson", embedding) VALUES ($1, 'assistant', $2, $3)`, conversation, { turn }, vector(turn));
  await db.rows(`UPDATE agent_runs SET status = 'completed', output = $2 WHERE id = $1`, run, { posts: turn });
}
const nearest = await db.one('SELECT "contentJson" FROM messages ORDER BY embedding <=> $1 LIMIT 1', vector(3));
assert.deepEqual(nearest.contentJson, { turn: 3 });
const runs = await db.rows(`SELECT r.output, count(e.id)::int AS calls FROM agent_runs AS r LEFT JOIN tool_executions AS e ON e."agentRunId" = r.id
  WHERE r."agentId" = $1 GROUP BY r.id ORDER BY r."startedAt"`, agent);
assert.deepEqual(runs.map(({ output, calls }) => [output.posts, calls]), [0, 1, 2, 3, 4].map((turn) => [turn, 1]));
// A run of no agent is refused, and the error says by which key.
await assert.rejects(db.rows(`INSERT INTO agent_runs ("agentId", "organizationId", input) VALUES ('none', $1, '{}')`, org),
  { code: '23503', constraint: 'agent_runs_agentId_fkey' });

// Two tenants, each with a row in every table, made from the document: each field has a value, each reference a target.
const enums = document.enums;
function valueOf(table, field, tenant) {
  const text = `${table.name} ${field.name} ${tenant}`;
  if (field.list) return [];
  switch (field.type) {
    case 'text': return field.sensitive ? `vault:neonhub/${tenant}` : text;
    case 'integer': return tenant;
    case 'float': return tenant + 0.5;
    case 'boolean': return true;
    case 'timestamp': return new Date(Date.UTC(2031, 0, tenant));
    case 'json': return JSON.stringify({ text });
    case 'enum': return enums[field.enum][0];
    case 'vector': return vector(tenant);
    default: throw new Error(field.type);
  }
}
const made = [new Map(), new Map()];
async function fill(name, tenant) {
  if (made[tenant].has(name)) return;
  const table = tables.get(name);
  for (const field of table.fields) if (field.type === 'reference' && field.to !== name) await fill(field.to, tenant);
  const fields = table.fields.filter((field) => !field.generated && !field.fill && !field.touch);
  const values = fields.map((field) => (field.type === 'reference' ? made[tenant].get(field.to) ?? null : valueOf(table, field, tenant + 1)));
  const key = table.key?.fields[0];
  const row = await db.one(`INSERT INTO ${sqlName(name)} (${fields.map((field) => quote(field.name))})
    VALUES (${values.map((_, at) => `$${at + 1}`)}) RETURNING ${key ? quote(key) : 'NULL'} AS id`, ...values);
  made[tenant].set(name, row.id);
}
for (const tenant of [0, 1]) for (const name of tables.keys()) await fill(name, tenant);
const before = await counts(db);
const lived = { Keyword: 1, Conversation: 1, AgentRun: 5, ToolExecution: 5, Message: 5 };
for (const [name, count] of before) assert.equal(count, (begun.get(name) ?? 0) + (lived[name] ?? 0) + 2, name);

// One tenant goes: each table loses its row if the document's cascades lead there, and no other row.
async function goes(name, tenant) {
  const then = await counts(db);
  const gone = reached(name);
  await db.rows(`DELETE FROM ${sqlName(name)} WHERE id = $1`, made[tenant].get(name));
  const now = await counts(db);
  for (const table of tables.keys()) {
    const lost = gone.has(table) && made[tenant].has(table) ? 1 : 0;
    assert.equal(now.get(table), then.get(table) - lost, `${table} after ${name}`);
    if (lost) made[tenant].delete(table);
  }
  // What is left of the tenant names nothing that is gone.
  for (const table of made[tenant].keys()) {
    for (const field of tables.get(table).fields) {
      if (field.type !== 'reference' || !gone.has(field.to)) continue;
      assert.equal(field.on_delete, 'set_null', `${table}.${field.name}`);
      const row = await db.one(`SELECT ${quote(field.name)} AS value FROM ${sqlName(table)} WHERE id = $1`, made[tenant].get(table));
      assert.equal(row.value, null, `${table}.${field.name}`);
    }
  }
  return gone.size;
}
const owned = await goes('Organization', 0);
assert.ok(owned > 45 && !reached('Organization').has('User') && !reached('Organization').has('AuditLog'), owned);
const users = await goes('User', 0);
await goes('Connector', 0);
await goes('Persona', 0);
// The other tenant is whole, and so is what the platform began with.
assert.equal(made[1].size, tables.size);
for (const [name, count] of await counts(db)) {
  const left = made[0].has(name) ? 1 : 0;
  assert.equal(count, before.get(name) - 1 + left, name);
}

// The last deletion.
await db.rows('DELETE FROM organizations');
await db.rows('DELETE FROM users');
for (const name of tables.keys()) await db.rows(`DELETE FROM ${sqlName(name)}`);
assert.ok([...(await counts(db)).values()].every((count) => count === 0));
await Promise.all([db.end(), admin.end()]);
console.log(`${tables.size} tables: an organisation takes rows of ${owned}, a user of ${users}`);
