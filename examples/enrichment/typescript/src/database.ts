// The calls to Kepler, over a connection that is made again when it was lost.

import pg from "pg";
import type { Claimed } from "./enrich.js";
import { log } from "./log.js";
import type { Settings } from "./settings.js";
import { now, wait } from "./stop.js";

// What may go well a moment later: a lost connection, a server that starts or stops or is full, a
// deadlock, a serialization failure.
const TRANSIENT = ["08", "40", "53", "57P", "55P03"];
const QUERY_TIMEOUT = 30;
const CONNECT_TIMEOUT = 10;

/** The database did not answer. Whether the call took effect is not known. */
export class Unavailable extends Error {}

export interface Lease {
  /** A bigint, as text. */
  readonly leaseId: string;
  readonly records: readonly Claimed[];
  /**
   * How long it holds without a heartbeat, and until when by the clock of `now()`. Counted from the
   * question and not from the answer, which may have been on its way for long.
   */
  readonly seconds: number;
  readonly holdsUntil: number;
}

export interface Outcome {
  readonly ordinal: number;
  readonly record_id: string | null;
  readonly outcome: string;
  readonly error: string | null;
}

interface ClaimedRow {
  readonly lease_id: string;
  readonly record_id: string;
  readonly attempt: number;
  readonly data: Record<string, unknown>;
  readonly source_updated_at: Date | null;
  readonly external_id: string | null;
  readonly source: string | null;
  readonly enrichment: Record<string, unknown> | null;
  readonly seconds: number;
}

interface Seconds {
  readonly seconds: number | null;
}

/** One connection, in autocommit: each call is a transaction. */
export class Database {
  readonly #settings: Settings;
  readonly #name: string;
  #client: pg.Client | undefined;
  #listening = false;
  /** Aborted when there is something to do; a new one for each wait. */
  #woken = new AbortController();

  constructor(settings: Settings, purpose: string) {
    this.#settings = settings;
    this.#name = `enrichment ${purpose}: ${settings.worker}`.slice(0, 63);
  }

  /**
   * Takes records under a lease; undefined if nothing is ready.
   *
   * If the answer is lost on its way, nobody knows of the lease: its records come back when it ends.
   */
  async claim(): Promise<Lease | undefined> {
    const { entityType, worker, batchSize, lease } = this.#settings;
    const askedAt = now();
    const rows = await this.#query<ClaimedRow>(
      `SELECT c.lease_id, c.record_id, c.attempt, c.data, c.source_updated_at,
              c.external_id, c.source, c.enrichment,
              extract(epoch FROM c.lease_until - clock_timestamp())::float8 AS seconds
       FROM kepler.claim_records($1, $2, $3, $4::interval) AS c`,
      [entityType, worker, batchSize, lease],
    );
    const [first] = rows;
    if (first === undefined) return undefined;
    const records = rows.map((row) => ({
      recordId: row.record_id,
      attempt: row.attempt,
      data: row.data,
      sourceUpdatedAt: row.source_updated_at,
      externalId: row.external_id,
      source: row.source,
      enrichment: row.enrichment,
    }));
    const { lease_id: leaseId, seconds } = first;
    return { leaseId, records, seconds, holdsUntil: askedAt + seconds };
  }

  /** The seconds that the lease now holds; null if it is lost. */
  async extend_lease(leaseId: string): Promise<number | null> {
    const rows = await this.#query<Seconds>(
      "SELECT extract(epoch FROM kepler.extend_lease($1) - clock_timestamp())::float8 AS seconds",
      [leaseId],
    );
    return rows[0]?.seconds ?? null;
  }

  /** Brings results back, each a JSON text. Repeated, it does no harm. */
  async settle(leaseId: string, elements: readonly string[]): Promise<Outcome[]> {
    return await this.#query<Outcome>(
      "SELECT ordinal, record_id, outcome, error FROM kepler.settle_records($1, $2::text)",
      [leaseId, `[${elements.join(",")}]`],
    );
  }

  /** When it is worth asking again, as far as is known by now. */
  async secondsToNextClaim(): Promise<number | null> {
    const rows = await this.#query<Seconds>(
      "SELECT extract(epoch FROM kepler.next_claim_at($1) - clock_timestamp())::float8 AS seconds",
      [this.#settings.entityType],
    );
    return rows[0]?.seconds ?? null;
  }

  /**
   * Listens from now on, where the policy notifies. Whether that is new: claim once more, then wait.
   *
   * Only who waits listens; a busy worker would be told for nothing.
   */
  async listen(): Promise<boolean> {
    if (this.#listening) return false;
    const rows = await this.#query(
      `SELECT FROM kepler.enrichment_policies AS p
       WHERE p.workspace_id = kepler.current_workspace_id() AND p.entity_type = $1 AND p.notify`,
      [this.#settings.entityType],
    );
    if (rows.length === 0) return false;
    await this.#query("LISTEN kepler_enrichment");
    this.#listening = true;
    return true;
  }

  async unlisten(): Promise<void> {
    if (!this.#listening) return;
    this.#listening = false;
    try {
      await this.#query("UNLISTEN kepler_enrichment");
    } catch (error) {
      // A connection that is lost listens no more either.
      if (!(error instanceof Unavailable)) throw error;
    }
  }

  /** Waits until an upsert has queued something, where it listens; else the whole time. */
  async notified(seconds: number, signal: AbortSignal): Promise<void> {
    await wait(seconds, this.#woken.signal, signal);
    // What is told from here on is for the next wait, and behind it is a claim.
    this.#woken = new AbortController();
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#forget(client);
    // A server that is out of reach does not hear the farewell.
    const farewell = client?.end().catch(() => undefined);
    await Promise.race([farewell, wait(2)]);
  }

  async #query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.#connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } catch (error) {
      // An error without a SQLSTATE comes from the connection, or from the timeout.
      const code = error instanceof pg.DatabaseError ? (error.code ?? "") : "08000";
      if (!TRANSIENT.some((start) => code.startsWith(start))) throw error;
      if (!code.startsWith("40") && !code.startsWith("55")) this.#drop(client);
      throw new Unavailable(message(error), { cause: error });
    }
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new pg.Client({
      ...(this.#settings.database === undefined ? {} : { connectionString: this.#settings.database }),
      application_name: this.#name,
      connectionTimeoutMillis: CONNECT_TIMEOUT * 1000,
      query_timeout: QUERY_TIMEOUT * 1000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    // Without a listener, a connection that is lost while idle would end the process.
    client.on("error", (error) => {
      if (this.#client === client) log.warn(`a connection was lost: ${error.message}`);
      this.#drop(client);
    });
    client.on("end", () => this.#forget(client));
    client.on("notification", ({ payload }) => {
      if (this.#isOurs(payload)) this.#woken.abort();
    });
    try {
      await client.connect();
    } catch (error) {
      this.#drop(client);
      throw new Unavailable(message(error), { cause: error });
    }
    this.#client = client;
    return client;
  }

  /** Anybody may notify the channel: what cannot be read wakes up too. */
  #isOurs(payload: string | undefined): boolean {
    try {
      const told = JSON.parse(payload ?? "") as { entity_type?: unknown } | null;
      return told?.entity_type === this.#settings.entityType;
    } catch {
      return true;
    }
  }

  /** The next call makes a new connection; who waits for a notification waits no more. */
  #forget(client: pg.Client | undefined): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#listening = false;
    this.#woken.abort();
  }

  #drop(client: pg.Client): void {
    this.#forget(client);
    client.end().catch(() => undefined);
  }
}

/** A refused connection to several addresses has its messages inside. */
function message(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(message).join("; ");
  return error instanceof Error ? error.message : String(error);
}
