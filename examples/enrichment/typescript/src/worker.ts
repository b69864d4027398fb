// An enrichment worker: claims records, works on them, and brings back what it found.
//
// What it can be told is in ../../README.md. Ends with 0 after SIGTERM or SIGINT, with 1 after an error
// that trying again does not help against, with 2 if its environment is wrong.

import pg from "pg";
import { Batch } from "./batch.js";
import { Database, type Lease, Unavailable } from "./database.js";
import { log } from "./log.js";
import { readSettings, type Settings, SettingsError } from "./settings.js";
import { Backoff, Stop, wait } from "./stop.js";

// Seconds, so long at least: what is ready may be in the hands of others just now.
const SHORTEST_WAIT = 0.1;

async function serve(settings: Settings): Promise<void> {
  const stop = new Stop(settings.grace);
  const database = new Database(settings, "work");
  const pulse = new Database(settings, "heartbeat");
  const backoff = new Backoff();
  log.info(`${settings.worker}: claims records of type ${settings.entityType}`);
  try {
    while (!stop.requested.aborted) {
      let lease: Lease | undefined;
      try {
        lease = await claimOrWait(database, settings, stop);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        const seconds = backoff.seconds();
        log.warn(`the database is not to be had, next try in ${seconds.toFixed(1)} s: ${error.message}`);
        await wait(seconds, stop.requested);
        continue;
      }
      backoff.reset();
      if (lease !== undefined) await new Batch(lease, database, pulse, settings, stop).run();
    }
  } finally {
    await Promise.all([database.close(), pulse.close()]);
  }
  log.info(`${settings.worker}: stopped, holds nothing`);
}

/** A lease; or undefined, after a wait for the time or the notification that promises one. */
async function claimOrWait(database: Database, settings: Settings, stop: Stop): Promise<Lease | undefined> {
  let lease = await database.claim();
  // What was queued before it listened was not told.
  if (lease === undefined && (await database.listen())) lease = await database.claim();
  if (lease !== undefined) {
    await database.unlisten();
    return lease;
  }
  const { maxWait } = settings;
  const seconds = (await database.secondsToNextClaim()) ?? maxWait;
  await database.notified(Math.min(Math.max(seconds, SHORTEST_WAIT), maxWait), stop.requested);
  return undefined;
}

try {
  await serve(await readSettings());
  // Work that nobody waits for any more must not keep the process.
  process.exit(0);
} catch (error) {
  if (error instanceof SettingsError) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(2);
  }
  // A type without a policy, a missing privilege, an extension without tables.
  if (error instanceof pg.DatabaseError) {
    const told = [error.message, error.detail && `DETAIL:  ${error.detail}`, error.hint && `HINT:  ${error.hint}`];
    process.stderr.write(`error: ${told.filter(Boolean).join("\n")}\n`);
    process.exit(1);
  }
  throw error;
}
