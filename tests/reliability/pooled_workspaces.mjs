// Clients of several workspaces behind PgBouncer, with pg and named statements. Started by pooled_workspaces.sh.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.KEPLER_PACKAGES, 'package.json'));
const { Pool } = require('pg');
const { KEPLER_POOLER: host, KEPLER_DATABASE: database, ROUNDS } = process.env;
const pool = new Pool({ host, port: 6432, user: 'kepler_pooled_app', database, max: 12 });

// The recipe, as the page has it; this test names its first statement, so that it is prepared too.
const page = readFileSync(new URL('../../docs/poolers.md', import.meta.url), 'utf8');
const code = /```js\n(.*?)```/s.exec(page)[1].replace(/query\('SELECT kepler.use_workspace\(\$1\)', \[workspaceId\]\)/,
  `query({ name: 'use', text: 'SELECT kepler.use_workspace($1)', values: [workspaceId] })`);
assert.ok(code.includes(`name: 'use'`));
const recipe = await import(`data:text/javascript,${encodeURIComponent(code)}`);
const inWorkspace = (workspace, work) => recipe.inWorkspace(pool, workspace, work);

const seen = { name: 'seen', text: 'SELECT DISTINCT workspace_id FROM kepler.records' };
const upsert = (workspace, id) => ({
  name: 'upsert',
  text: `SELECT outcome FROM kepler.upsert_records('contact', $1::text, id_key => 'id')`,
  values: [JSON.stringify([{ id, of: workspace }])],
});

async function play(number) {
  for (let round = 0; round < Number(ROUNDS); round += 1) {
    const workspace = `w${(number + round * 5) % 6}`;
    const rows = await inWorkspace(workspace, async (client) => {
      const { rows: [{ outcome }] } = await client.query(upsert(workspace, `n${number}-${round}`));
      assert.equal(outcome, 'inserted');
      return (await client.query(seen)).rows;
    });
    assert.deepEqual(rows, [{ workspace_id: workspace }]);
    // An error in a transaction, and a client that forgets to choose.
    await assert.rejects(inWorkspace(workspace, async (client) => {
      await client.query(upsert(workspace, `gone-${number}-${round}`));
      await client.query('SELECT 1 / 0');
    }), { code: '22012' });
    await assert.rejects(pool.query(seen), (error) => error.code === '42501' && error.hint.includes('use_workspace'));
    await assert.rejects(inWorkspace('w6', async () => assert.fail('a workspace of others')), { code: '42501' });
  }
}
const clients = 16;
await Promise.all(Array.from({ length: clients }, (_, number) => play(number)));
for (let number = 0; number < 6; number += 1) {
  const workspace = `w${number}`;
  const count = `SELECT count(*)::int AS count FROM kepler.records WHERE external_id LIKE 'n%' AND data ->> 'of' = $1`;
  const [{ count: own }] = await inWorkspace(workspace, async (client) => (await client.query(count, [workspace])).rows);
  const wanted = Array.from({ length: clients * Number(ROUNDS) }, (_, at) => (Math.floor(at / Number(ROUNDS)) + (at % Number(ROUNDS)) * 5) % 6);
  assert.equal(own, wanted.filter((of) => of === number).length);
}
await pool.end();
console.log(`${clients} clients of pg with named statements`);
