// Prisma's own engine and parser, compiled to WebAssembly, asked from a shell or by a test, without a network:
//   judge.mjs ddl FILE…             Prisma's DDL from an empty database to the schema
//   judge.mjs diff CONNECTION FILE… what the live database lacks; in step: "-- This is an empty migration."
//   judge.mjs push CONNECTION FILE… make the database as Prisma would
//   judge.mjs pull CONNECTION FILE… read the database into a schema, as `prisma db pull` does
//   judge.mjs parse FILE…           the models as the official parser reads them (JSON), or its errors
//   judge.mjs serve                 many of them: a JSON object a line on stdin, its answer a line on stdout
// CONNECTION: --socket FOLDER --db NAME [--port 5432] [--user postgres] [--schema public]. --external FILE names tables and
// enums that the engine shall leave alone. A FILE may be a folder: all its
// *.prisma files. KEPLER_PRISMA_PACKAGES is the folder whose node_modules holds the packages (tools/prepare.sh prisma).
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const packages = process.env.KEPLER_PRISMA_PACKAGES ?? new URL('../../.build/prisma-packages', import.meta.url).pathname;
const require = createRequire(join(packages, 'package.json'));
// What the engine leaves alone: external is { tables: ["schema.table", …], enums: […] }, in prisma.config.ts tables.external.
const filters = (request) => ({ externalTables: request?.external?.tables ?? [], externalEnums: request?.external?.enums ?? [] });

// The engine panics in a task of its own, so that the call which caused it never ends: the panic ends it, and the engine
// is loaded anew for the next one.
let panicked = null;
globalThis.PRISMA_WASM_PANIC_REGISTRY = {
  set_message(message) {
    engineClass = null;
    panicked?.(new Error(`the engine panicked: ${message}`));
  },
};
process.on('uncaughtException', (error) => {
  if (error instanceof WebAssembly.RuntimeError) return;
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});

let loaded = 0;
let engineClass;
async function engine() {
  if (!engineClass) {
    const folder = join(packages, 'node_modules/@prisma/schema-engine-wasm');
    const glue = await import(`${pathToFileURL(join(folder, 'schema_engine_bg.js'))}?${loaded++}`);
    const bytes = readFileSync(join(folder, 'schema_engine_bg.wasm'));
    const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': glue });
    glue.__wbg_set_wasm(instance.exports);
    instance.exports.__wbindgen_start();
    engineClass = glue.SchemaEngine;
  }
  return engineClass;
}

// Older files say what Prisma 7 refuses: addresses in a datasource block, a preview feature that has ended. Lines stay, so
// that errors keep their numbers.
export function asPrisma7(text) {
  return text
    .replace(/^[ \t]*datasource\s+\w+\s*\{[^}]*\}/gm, (block) =>
      block.replace(/^[ \t]*(url|directUrl|shadowDatabaseUrl)[ \t]*=.*$/gm, ''),
    )
    .replace(/^[ \t]*previewFeatures[ \t]*=.*$/gm, (line) => line.replace('"metrics"', '"driverAdapters"'));
}

function schemaFiles(given) {
  const files = Array.isArray(given)
    ? given.flatMap((path) =>
        statSync(path).isDirectory()
          ? readdirSync(path, { recursive: true })
              .filter((name) => name.endsWith('.prisma'))
              .sort()
              .map((name) => join(path, name))
          : [path],
      ).map((path) => [path, readFileSync(path, 'utf8')])
    : Object.entries(given);
  if (files.length === 0) throw new Error('no file was given');
  return files.map(([path, content]) => ({ path, content: asPrisma7(content) }));
}

function adapterFactory({ socket, db, port = 5432, user = 'postgres', schema }) {
  if (!socket || !db) throw new Error('--socket and --db are needed');
  const pg = require('pg');
  const { PrismaPg } = require('@prisma/adapter-pg');
  const { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } = require('@prisma/driver-adapter-utils');
  const pool = new pg.Pool({ host: socket, port: Number(port), user, database: db, max: 2 });
  pool.on('error', () => {});
  class Factory extends PrismaPg {
    async connect() {
      const adapter = await super.connect();
      const { queryRaw } = adapter;
      // The engine's catalog query returns "char" (type 18), which the adapter does not know.
      adapter.queryRaw = async (query) => {
        const chars = [];
        const performIO = async (...given) => {
          const result = await adapter.performIO(...given);
          result.fields.forEach((field, i) => {
            if (field.dataTypeID !== 18) return;
            field.dataTypeID = 25;
            chars.push(i);
          });
          return result;
        };
        const answer = await queryRaw.call(Object.create(adapter, { performIO: { value: performIO } }), query);
        for (const i of chars) answer.columnTypes[i] = ColumnTypeEnum.Character;
        return answer;
      };
      // The adapter cuts a script at every semicolon, also at one inside a literal. The server knows better.
      adapter.executeScript = async (script) => void (await pool.query(script));
      return adapter;
    }
  }
  return { bound: bindMigrationAwareSqlAdapterFactory(new Factory(pool, { schema })), end: () => pool.end() };
}

// For what asks no database: the engine only wants to know the server's version.
function noDatabase() {
  const utils = require('@prisma/driver-adapter-utils');
  const { Boolean, Text, Int32 } = utils.ColumnTypeEnum;
  const version = {
    columnNames: ['exists', 'version', 'numeric_version'],
    columnTypes: [Boolean, Text, Int32],
    rows: [[true, 'PostgreSQL 18.0', 180000]],
  };
  const connect = async () => ({
    ...utils.mockAdapter('postgres'),
    queryRaw: async () => version,
    dispose: async () => {},
    getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
  });
  const factory = { ...utils.mockMigrationAwareAdapterFactory('postgres'), connect };
  return { bound: utils.bindMigrationAwareSqlAdapterFactory(factory), end() {} };
}

async function withEngine(files, connection, work) {
  const adapter = connection ? adapterFactory(connection) : noDatabase();
  const asked = async () => {
    const Engine = await engine();
    const made = await Engine.new({ datamodels: files.map((file) => [file.path, file.content]) }, () => {}, adapter.bound);
    const answer = await work(made);
    made.free();
    return answer;
  };
  try {
    return await Promise.race([asked(), new Promise((_, reject) => (panicked = reject))]);
  } catch (error) {
    // The engine names an error of the adapter by its number only.
    const id = /External error id#(\d+)/.exec(String(error?.message ?? error))?.[1];
    throw (id && adapter.bound.errorRegistry.consumeError(Number(id))?.error) || error;
  } finally {
    panicked = null;
    await adapter.end();
  }
}

const EMPTY = '-- This is an empty migration.';
const diffed = (files, connection, from) =>
  withEngine(files, connection, async (made) => {
    const params = { to: { tag: 'schemaDatamodel', files }, script: true, shadowDatabaseUrl: null, exitCode: null };
    return (await made.diff({ ...params, from, filters: filters(connection) })).stdout;
  });

const COMMANDS = {
  ddl: (files) => diffed(files, null, { tag: 'empty' }),
  diff: (files, request) => diffed(files, request, { tag: 'schemaDatasource', files, configDir: '.' }),
  push: (files, request) =>
    withEngine(files, request, (made) => made.schemaPush({ force: true, schema: { files }, filters: filters(request) })),
  pull: (files, request) =>
    withEngine(files, request, async (made) => {
      const given = { schema: { files }, baseDirectoryPath: '.', force: true, compositeTypeDepth: -1, namespaces: null };
      return made.introspect(given);
    }),
  parse(files) {
    const { get_dmmf } = require('@prisma/prisma-schema-wasm');
    try {
      return JSON.parse(get_dmmf(JSON.stringify({ prismaSchema: files.map((file) => [file.path, file.content]) }))).datamodel;
    } catch (error) {
      let message = error.message;
      try {
        message = JSON.parse(message).message;
      } catch {
        // Not every error of the parser is JSON.
      }
      throw new Error(message);
    }
  },
};

// The engine colours its messages.
const plain = (text) => text.replace(/\x1b\[[0-9;]*m/g, '');

export async function judge(request) {
  try {
    const command = Object.hasOwn(COMMANDS, request.command) ? COMMANDS[request.command] : null;
    if (!command) throw new Error(`there is no command ${JSON.stringify(request.command)}: ${Object.keys(COMMANDS).join(', ')}`);
    const answer = await command(schemaFiles(request.files), request);
    return { ok: true, answer, ...(request.command === 'diff' && { in_step: answer.trim() === EMPTY }) };
  } catch (error) {
    const text = plain(typeof error === 'string' ? error : (error?.message ?? JSON.stringify(error)));
    return { ok: false, error: text.trim() || String(error?.stack ?? error) };
  }
}

async function main(args) {
  const [command, ...rest] = args;
  if (command === 'serve') {
    for await (const line of createInterface({ input: process.stdin })) {
      if (!line.trim()) continue;
      let answer;
      try {
        answer = await judge(JSON.parse(line));
      } catch (error) {
        answer = { ok: false, error: error.message };
      }
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
    return 0;
  }
  const request = { command, files: [] };
  for (let i = 0; i < rest.length; i++) {
    const option = /^--(socket|db|port|user|schema|external)$/.exec(rest[i]);
    if (option) request[option[1]] = option[1] === 'external' ? JSON.parse(readFileSync(rest[++i], 'utf8')) : rest[++i];
    else request.files.push(rest[i]);
  }
  const { ok, answer, error, in_step } = await judge(request);
  if (!ok) {
    process.stderr.write(`${error}\n`);
    return 1;
  }
  process.stdout.write(typeof answer === 'string' ? answer : `${JSON.stringify(answer, null, 2)}\n`);
  return in_step === false ? 2 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // The engine leaves timers behind that would keep the process for a minute.
  const code = await main(process.argv.slice(2));
  process.stdout.write('', () => process.exit(code));
}
