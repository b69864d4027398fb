// A shop with two Prisma clients: one of the application's schema, one of the schema that Kepler writes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, generateClient, require } from '../prisma/client/generate.mjs';
import { asPrisma7, judge } from '../prisma/judge.mjs';

const work = process.argv[2];
const { PGHOST: host, PGPORT: port, PGUSER: user, KEPLER_DATABASE: database } = process.env;
const { Client } = require('pg');
const sql = new Client({ host, port: Number(port), user, database });
await sql.connect();
const rows = async (text, ...values) => (await sql.query(text, values)).rows;
const schema = readFileSync(new URL('../prisma/schemas/shop.prisma', import.meta.url), 'utf8');

// The tables come from the schema; without the import, as long as there is none, from Prisma.
const [{ imports }] = await rows(`SELECT count(DISTINCT proname) = 3 AS imports FROM pg_proc
  WHERE proname IN ('apply_blueprint', 'blueprint_from_prisma', 'prisma_schema')`);
if (imports) {
  await rows('SELECT FROM kepler.apply_blueprint(kepler.blueprint_from_prisma($1::text, blueprint_name => $2))', schema, 'shop');
} else {
  const pushed = await judge({ command: 'push', socket: host, port, user, db: database, files: { 'shop.prisma': schema } });
  assert.ok(pushed.ok, pushed.error);
}

const app = await generateClient(asPrisma7(schema), join(work, 'app'));
const shop = connect(app, database);

// One call that writes four tables. The client makes the cuid and the uuids.
const ann = await shop.customer.create({
  data: {
    email: 'ann@example.com',
    tags: ['new', "it's"],
    settings: { theme: { dark: true }, sizes: [1, 2.5, null] },
    orders: {
      create: {
        total: '1234567890.12',
        large: 9007199254740993n,
        signature: new Uint8Array([0, 1, 254, 255]),
        placedAt: new Date('2024-02-29T12:34:56.789Z'),
        lines: { create: [{ position: 1, title: 'Chair', weight: 0.1 }, { position: 2, title: 'Tisch, groß' }] },
        labels: { create: [{ name: 'fragile' }, { name: 'gift' }] },
      },
    },
  },
  include: { orders: { include: { lines: { orderBy: { position: 'asc' } }, labels: { orderBy: { name: 'asc' } } } } },
});
const [order] = ann.orders;
assert.match(ann.id, /^c[a-z0-9]{24}$/);
assert.deepEqual(ann.settings, { theme: { dark: true }, sizes: [1, 2.5, null] });
assert.equal(order.state, 'DRAFT');
assert.equal(String(order.total), '1234567890.12');
assert.equal(order.large, 9007199254740993n);
assert.deepEqual([...order.signature], [0, 1, 254, 255]);
assert.equal(order.placedAt.toISOString(), '2024-02-29T12:34:56.789Z');
assert.deepEqual(order.lines.map((line) => line.title), ['Chair', 'Tisch, groß']);
assert.deepEqual(order.labels.map((label) => label.name), ['fragile', 'gift']);

// What it wrote is what SQL reads.
assert.deepEqual(
  await rows(`SELECT c.tags, o.state::text, o.total::text, count(*)::int AS labels FROM "Customer" c
    JOIN "Order" o ON o."customerId" = c.id JOIN "_LabelToOrder" l ON l."B" = o.id GROUP BY c.id, o.id`),
  [{ tags: ['new', "it's"], state: 'DRAFT', total: '1234567890.12', labels: 2 }],
);

// Filters through relations, into JSON and lists; aggregates.
assert.equal(await shop.order.count({ where: { labels: { some: { name: 'gift' } }, customer: { tags: { has: 'new' } } } }), 1);
assert.equal(await shop.customer.count({ where: { settings: { path: ['theme', 'dark'], equals: true } } }), 1);
const sums = await shop.order.groupBy({ by: ['state'], _sum: { total: true }, _count: true });
assert.deepEqual(sums.map((sum) => [sum.state, String(sum._sum.total), sum._count]), [['DRAFT', '1234567890.12', 1]]);

// An upsert updates, and moves the time on.
const before = ann.updatedAt;
const again = await shop.customer.upsert({ where: { email: ann.email }, update: { name: 'Ann' }, create: { email: ann.email } });
assert.equal(again.id, ann.id);
assert.ok(again.updatedAt >= before);

// The errors of the constraints are those that Prisma promises.
const code = (promise) => promise.then(() => 'none', (error) => error.code);
assert.equal(await code(shop.customer.create({ data: { email: ann.email } })), 'P2002');
assert.equal(await code(shop.order.create({ data: { customerId: 'nobody' } })), 'P2003');
assert.equal(await code(shop.orderLine.create({ data: { orderId: order.id, position: 1, title: 'x' } })), 'P2002');
assert.equal(await code(shop.orderLine.create({ data: { orderId: order.id, position: 3, title: 'x'.repeat(81) } })), 'P2000');

// A transaction that fails leaves nothing.
const failed = shop.$transaction(async (t) => {
  await t.order.update({ where: { id: order.id }, data: { state: 'SENT' } });
  await t.label.create({ data: { name: 'gift' } });
});
assert.equal(await code(failed), 'P2002');
assert.equal((await shop.order.findUniqueOrThrow({ where: { id: order.id } })).state, 'DRAFT');

// SQL beside the client gets ids and times of the same kinds, and the client reads them.
if (imports) {
  await rows(`INSERT INTO "Customer" (email) VALUES ('sql@example.com')`);
  await rows(`INSERT INTO "Label" (name) VALUES ('heavy')`);
  const bob = await shop.customer.findUniqueOrThrow({ where: { email: 'sql@example.com' } });
  assert.match(bob.id, /^[a-z][a-z0-9]{23,24}$/);
  assert.match((await shop.label.findUniqueOrThrow({ where: { name: 'heavy' } })).id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.ok(Math.abs(bob.updatedAt - new Date()) < 600_000);
  await rows(`UPDATE "Customer" SET "updatedAt" = '2000-01-01', name = 'Bob' WHERE id = $1`, bob.id);
  await rows(`UPDATE "Customer" SET name = 'Bob B.' WHERE id = $1`, bob.id);
  const moved = await shop.customer.findUniqueOrThrow({ where: { id: bob.id } });
  assert.ok(moved.updatedAt > new Date('2020-01-01'));
  // A time that the client sets stays as it is set.
  const set = await shop.customer.update({ where: { id: bob.id }, data: { updatedAt: new Date('2031-01-01T00:00:00Z') } });
  assert.equal(set.updatedAt.toISOString(), '2031-01-01T00:00:00.000Z');

  // The schema that Kepler writes of these tables makes a client too.
  const [{ written }] = await rows(`SELECT kepler.prisma_schema('public') AS written`);
  const other = connect(await generateClient(written, join(work, 'written')), database);
  assert.equal(await other.customer.count(), 2);
  const { id } = await other.order.create({ data: { customerId: bob.id, state: 'SENT', total: '0.10' } });
  assert.equal(String((await shop.order.findUniqueOrThrow({ where: { id } })).total), '0.1');
  // It makes the ids itself where the tables have a trigger that does.
  const eve = await other.customer.create({ data: { email: 'eve@example.com' } });
  assert.match(eve.id, /^c[a-z0-9]{24}$/);
  await other.$disconnect();
}

// The delete reaches what refers to it.
await shop.customer.deleteMany();
assert.equal((await shop.order.count()) + (await shop.orderLine.count()), 0);
assert.deepEqual(await rows('SELECT FROM "_LabelToOrder"'), []);
await shop.$disconnect();
await sql.end();
process.exit(0);
