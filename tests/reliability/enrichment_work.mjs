// The work of the TypeScript example for enrichment_workers.py: slower, and with failures that the data asks for.

import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const example = await import(pathToFileURL(resolve(process.env.EXAMPLE, "enrich.js")).href);

export async function enrich(record, signal) {
  await sleep(20 + 40 * Math.random(), undefined, { signal });
  const wanted = record.data.failure;
  // Characters that cannot be stored must not keep a failure from being told.
  if (wanted === "first" && record.attempt === 1) throw new Error("as the data asks for \0 \ud800");
  const found = await example.enrich(record, signal);
  if (wanted === "unstorable") found.text = "\0";
  if (wanted === "refused") found.refused = true;
  return { ...found, by: process.env.WORKER };
}
