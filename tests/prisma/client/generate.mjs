// Generates a Prisma client as `prisma generate` does, without its command line, which wants to download an engine. The
// client itself needs none: it plans its queries with a compiler in WebAssembly and sends them through node-postgres.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const packages = process.env.KEPLER_PRISMA_CLIENT_PACKAGES;
export const require = createRequire(join(packages, 'package.json'));

/** The generated module for the text of a schema (as Prisma 7 wants it), written into a new folder. */
export async function generateClient(schema, folder) {
  const { get_config, get_dmmf } = require('@prisma/prisma-schema-wasm');
  const { generateClient } = require('@prisma/client-generator-js');
  const { version } = require('@prisma/client/package.json');
  const given = { prismaSchema: [['schema.prisma', schema]] };
  const { config, errors } = JSON.parse(get_config(JSON.stringify({ ...given, ignoreEnvVarErrors: true, env: {}, datasourceOverrides: {} })));
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const generator = {
    ...(config.generators[0] ?? { name: 'client', config: {}, binaryTargets: [], previewFeatures: [], sourceFilePath: 'schema.prisma' }),
    provider: { value: 'prisma-client-js', fromEnvVar: null },
    output: { value: folder, fromEnvVar: null },
    isCustomOutput: true,
  };
  await generateClient({
    datamodel: schema,
    dmmf: JSON.parse(get_dmmf(JSON.stringify(given))),
    schemaPath: join(folder, 'schema.prisma'),
    outputDir: folder,
    generator,
    datasources: config.datasources,
    activeProvider: 'postgresql',
    binaryPaths: {},
    runtimeSourcePath: join(packages, 'node_modules/@prisma/client/runtime'),
    engineVersion: version,
    clientVersion: version,
    compilerBuild: 'small',
  });
  return require(folder);
}

/** A connected client. The server listens on a socket. */
export function connect(module, database) {
  const { PrismaPg } = require('@prisma/adapter-pg');
  const { PGHOST: host, PGPORT: port, PGUSER: user } = process.env;
  return new module.PrismaClient({ adapter: new PrismaPg({ host, port: Number(port), user, database }) });
}
