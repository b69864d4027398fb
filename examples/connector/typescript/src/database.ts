// The calls to Kepler. One connection in autocommit: each call is a transaction of its own.

import pg from "pg";
import { log } from "./log.js";
import { BrokenBatch, Permanent, Transient } from "./trouble.js";

const ENTITY_TYPE = "contact";
const SOURCE = "crm";
// Where a document of the source says its id, its time, and that it was deleted.
const KEYS = "id_key => 'id', updated_at_key => 'updated_at', deleted_key => 'deleted'";

// A lost connection, a deadlock or serialization failure, a server that is full or starts or stops, a lock.
const TRANSIENT = ["08", "40", "53", "57P", "55P03"];
const NO_ARRAY = "22P02";

export interface Run {
  readonly id: string;
  /** Of the last checkpoint of a run that is resumed, or of the last run that succeeded. */
  readonly cursor: string | null;
}

export interface OpenRun extends Run {
  readonly startedAt: Date;
}

export interface Count {
  readonly outcome: string;
  readonly error_code?: string | null;
  readonly count: number;
}

export interface Outcomes extends Count {
  readonly without_id: number;
}

export interface Finished {
  readonly outcome: string;
  /** Bigints, as texts. */
  readonly seen: string;
  readonly rejected: string;
  readonly deleted: string;
}

interface RunRow {
  readonly sync_run_id: string;
  readonly cursor: string | null;
  readonly started_at: Date;
}

export class Database {
  readonly #url: string | undefined;
  readonly #connectionId: string;
  #client: pg.Client | undefined;

  constructor(url: string | undefined, connectionId: string) {
    this.#url = url;
    this.#connectionId = connectionId;
  }

  /** An open run of the same mode, if there is one, is abandoned. */
  async begin(mode: string): Promise<Run> {
    const rows = await this.#rows<RunRow>(
      "SELECT sync_run_id, cursor FROM kepler.begin_sync($1, $2, $3, source => $4)",
      [this.#connectionId, ENTITY_TYPE, mode, SOURCE],
    );
    const { sync_run_id: id, cursor } = only(rows);
    return { id, cursor };
  }

  /** The run that another process has left open. */
  async resume(mode: string): Promise<OpenRun | undefined> {
    const [row] = await this.#rows<RunRow>(
      `SELECT sync_run_id, cursor, started_at FROM kepler.resume_sync(
           connection_id => $1, entity_type => $2, mode => $3, source => $4)`,
      [this.#connectionId, ENTITY_TYPE, mode, SOURCE],
    );
    return row && { id: row.sync_run_id, cursor: row.cursor, startedAt: row.started_at };
  }

  /** Stores a batch, and counts its outcomes. Rejected elements are kept in kepler.rejects. */
  async upsert(documents: string, run?: Run): Promise<Outcomes[]> {
    return await this.#rows<Outcomes>(
      `SELECT outcome, error_code, count(*)::integer AS count,
              (count(*) FILTER (WHERE external_id IS NULL))::integer AS without_id
       FROM kepler.upsert_records($1, $2, source => $3, connection_id => $4, sync_run_id => $5,
           ${KEYS}, options => '{"keep_rejects": true}')
       GROUP BY 1, 2 ORDER BY 1, 2`,
      [ENTITY_TYPE, documents, SOURCE, this.#connectionId, run?.id],
    );
  }

  async checkpoint(run: Run, cursor: string): Promise<void> {
    await this.#rows("SELECT kepler.checkpoint_sync($1, $2)", [run.id, cursor]);
  }

  /** One step of the end; to be called until the outcome is finished. */
  async finish(run: Run, cursor: string, fraction: number, allowRejects: boolean): Promise<Finished> {
    const rows = await this.#rows<Finished>(
      `SELECT * FROM kepler.finish_sync($1, max_delete_fraction => $2, allow_rejects => $3,
           cursor => $4)`,
      [run.id, fraction, allowRejects, cursor],
    );
    return only(rows);
  }

  async abort(run: Run, error: string): Promise<void> {
    await this.#rows("SELECT kepler.abort_sync($1, $2)", [run.id, error]);
  }

  async retry_rejects(): Promise<Count[]> {
    return await this.#rows<Count>(
      `SELECT outcome, count(*)::integer AS count FROM kepler.retry_rejects(entity_type => $1)
       GROUP BY 1 ORDER BY 1`,
      [ENTITY_TYPE],
    );
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
  }

  async #rows<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    const client = await this.#connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } catch (error) {
      // An error without a SQLSTATE comes from the connection.
      const code = error instanceof pg.DatabaseError ? (error.code ?? "") : "08000";
      // After these the connection is of no more use.
      if (code.startsWith("08") || code.startsWith("57P")) this.#drop(client);
      // A batch that cannot be divided into elements was cut off on its way here.
      if (code === NO_ARRAY) {
        throw new BrokenBatch(`the database: ${message(error)}`, undefined, { cause: error });
      }
      if (TRANSIENT.some((start) => code.startsWith(start))) {
        throw new Transient(`the database: ${message(error)}`, undefined, { cause: error });
      }
      throw new Permanent(message(error), { cause: error });
    }
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new pg.Client({
      ...(this.#url === undefined ? {} : { connectionString: this.#url }),
      application_name: `connector: ${this.#connectionId}`.slice(0, 63),
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // Without a listener, a connection that is lost while idle would end the process.
    client.on("error", (error) => {
      log.warn(`a connection was lost: ${error.message}`);
      this.#drop(client);
    });
    try {
      await client.connect();
    } catch (error) {
      throw new Transient(`the database: ${message(error)}`, undefined, { cause: error });
    }
    this.#client = client;
    return client;
  }

  #drop(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
    client.end().catch(() => undefined);
  }
}

function only<Row>(rows: Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Permanent("the database gave no row");
  return row;
}

/** A refused connection to several addresses has its messages inside. */
function message(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(message).join("; ");
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error.message : String(error);
  return [error.message, error.detail, error.hint].filter(Boolean).join(" ");
}
