// A connector: keeps the contacts of a connection like those of the source.
//
//     node connector.js full          lists all contacts; what is not listed is deleted
//     node connector.js incremental   asks for what has changed since the last run
//     node connector.js webhook       stores the events on standard input, one JSON object a line
//
// It may be killed at any time; the next process goes on. ../../README.md says what it can be told, and what its
// exit status means.

import { text } from "node:stream/consumers";
import { type Count, Database, type Run } from "./database.js";
import { log } from "./log.js";
import { readSettings, type Settings, SettingsError } from "./settings.js";
import { Source } from "./source.js";
import { again, BrokenBatch, Permanent, Transient } from "./trouble.js";

/** How far a run has come. As JSON it is the cursor of its checkpoints. */
interface Position {
  /** The next page; null for the first. */
  readonly page: string | null;
  readonly listed: boolean;
  /** What an incremental run asks for, and where the next one is to begin. */
  readonly since: string | null;
  readonly until: string | null;
  /** Rejected elements whose id could not be read: nobody knows which records they would have been. */
  readonly without_id: number;
}

const START: Position = { page: null, listed: false, since: null, until: null, without_id: 0 };

class Sync {
  readonly #settings: Settings;
  readonly #mode: string;
  readonly #database: Database;
  readonly #source: Source;
  #position = START;

  constructor(settings: Settings, mode: string, database: Database) {
    this.#settings = settings;
    this.#mode = mode;
    this.#database = database;
    this.#source = new Source(settings.sourceUrl, settings.token, settings.pageSize);
  }

  async run(): Promise<void> {
    const { tries } = this.#settings;
    const run = (await again(tries, () => this.#resume())) ?? (await again(tries, () => this.#begin()));
    try {
      while (!this.#position.listed) {
        // Fetched and stored as one step, that is repeated as one.
        await again(tries, () => this.#page(run));
        await again(tries, () => this.#checkpoint(run));
      }
      await this.#finish(run);
    } catch (error) {
      // Entity and connection show it in their issues until a run succeeds.
      if (error instanceof Permanent) await again(tries, () => this.#database.abort(run, error.message));
      throw error;
    }
    log.info(`retried rejects: ${counts(await again(tries, () => this.#database.retry_rejects()))}`);
  }

  async #resume(): Promise<Run | undefined> {
    const run = await this.#database.resume(this.#mode);
    if (run === undefined || run.cursor === null) return undefined;
    // The pages of an old listing may be gone, and what it has seen too.
    if (Date.now() - run.startedAt.getTime() > this.#settings.maxAge * 3_600_000) {
      log.info(`run ${run.id} is too old to go on with`);
      return undefined;
    }
    const position = readPosition(run.cursor);
    if (position === undefined) {
      log.info(`run ${run.id} has a cursor of another kind`);
      return undefined;
    }
    this.#position = position;
    log.info(`run ${run.id}: goes on at ${run.cursor}`);
    return run;
  }

  async #begin(): Promise<Run> {
    const run = await this.#database.begin(this.#mode);
    this.#position = { ...START, since: this.#mode === "incremental" ? run.cursor : null };
    await this.#checkpoint(run);
    log.info(`run ${run.id}: ${this.#mode}, since ${this.#position.since}`);
    return run;
  }

  async #page(run: Run): Promise<void> {
    const position = this.#position;
    const page = await this.#source.contacts(position.page, position.since);
    const outcomes = await this.#database.upsert(page.body, run);
    log.info(`page ${position.page ?? "1"}: ${counts(outcomes)}`);
    // What changes from the first page on is for the next run. Sources commit late too: hence the overlap.
    const until = position.until ?? new Date(page.at.getTime() - this.#settings.overlap * 1000).toISOString();
    const without = outcomes.reduce((sum, row) => sum + row.without_id, position.without_id);
    this.#position = { ...position, page: page.next, listed: page.next === null, until, without_id: without };
  }

  async #checkpoint(run: Run): Promise<void> {
    await this.#database.checkpoint(run, JSON.stringify(this.#position));
  }

  async #finish(run: Run): Promise<void> {
    const { tries, maxDeleteFraction } = this.#settings;
    // A rejected element whose id is known counts as seen: its record is kept. Without the id it might be any.
    const { until, without_id: without } = this.#position;
    let outcome = "";
    while (outcome !== "finished") {
      const row = await again(tries, () =>
        this.#database.finish(run, until ?? "", maxDeleteFraction, without === 0),
      );
      outcome = row.outcome;
      log.info(`run ${run.id}: ${outcome}, saw ${row.seen}, rejected ${row.rejected}, deleted ${row.deleted}`);
    }
  }
}

function readPosition(cursor: string): Position | undefined {
  try {
    const read: unknown = JSON.parse(cursor);
    const ours = typeof read === "object" && read !== null && "page" in read && "listed" in read;
    return ours ? { ...START, ...(read as Partial<Position>) } : undefined;
  } catch {
    return undefined;
  }
}

function counts(rows: readonly Count[]): string {
  const told = rows.map((row) => `${row.count} ${row.outcome}${row.error_code ? ` (${row.error_code})` : ""}`);
  return told.join(", ") || "none";
}

/** Without a run: a full run that is open sees what came, and does not delete it. */
async function webhook(settings: Settings, database: Database): Promise<void> {
  const events = await text(process.stdin);
  const store = async () => {
    try {
      return await database.upsert(events);
    } catch (error) {
      // They come once.
      if (error instanceof BrokenBatch) throw new Permanent(error.message, { cause: error });
      throw error;
    }
  };
  log.info(`events: ${counts(events.trim() === "" ? [] : await again(settings.tries, store))}`);
}

async function main(mode: string | undefined): Promise<number> {
  if (mode !== "full" && mode !== "incremental" && mode !== "webhook") {
    process.stderr.write("usage: connector.js full | incremental | webhook\n");
    return 2;
  }
  let database: Database | undefined;
  try {
    const settings = readSettings();
    database = new Database(settings.database, settings.connectionId);
    if (mode === "webhook") await webhook(settings, database);
    else await new Sync(settings, mode, database).run();
    return 0;
  } catch (error) {
    if (error instanceof SettingsError) {
      process.stderr.write(`error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof Permanent) {
      log.error(`failed: ${error.message}`);
      return 1;
    }
    if (error instanceof Transient) {
      // The run stays open, and the next process goes on with it.
      log.error(`gave up for now: ${error.message}`);
      return 75;
    }
    throw error;
  } finally {
    await database?.close();
  }
}

process.exit(await main(process.argv[2]));
