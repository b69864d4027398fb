// The work on the records of one lease, from the claim to the settle.

import { type Database, type Lease, type Outcome, Unavailable } from "./database.js";
import { type Claimed, PermanentError } from "./enrich.js";
import { log } from "./log.js";
import type { Settings } from "./settings.js";
import { Backoff, Linked, now, type Stop, unless, wait } from "./stop.js";

/** Ends when all records are settled, or when the lease is lost: then nothing is sent. */
export class Batch {
  readonly #lease: Lease;
  // Heartbeats have a connection of their own: they do not wait behind a settle.
  readonly #database: Database;
  readonly #pulse: Database;
  readonly #settings: Settings;
  readonly #stop: Stop;
  readonly #waiting: Claimed[];
  /** By record, what settle_records is told of it, as JSON. */
  readonly #ended = new Map<string, string>();
  readonly #lost = new AbortController();
  readonly #settled = new AbortController();
  #holdsUntil: number;

  constructor(lease: Lease, database: Database, pulse: Database, settings: Settings, stop: Stop) {
    this.#lease = lease;
    this.#database = database;
    this.#pulse = pulse;
    this.#settings = settings;
    this.#stop = stop;
    this.#waiting = [...lease.records];
    this.#holdsUntil = lease.holdsUntil;
  }

  async run(): Promise<void> {
    // Its error is thrown below: a batch without a heart goes on as long as its lease holds.
    const heart = this.#beat().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    try {
      await this.#work();
      const outcomes = await this.#settle(this.#elements());
      // What Kepler cannot read or the database refuses it will not take next time. Each fails by itself.
      const rejected = outcomes.filter(({ outcome }) => outcome === "rejected");
      if (rejected.length > 0) await this.#settle(rejected.map((row) => this.#rejection(row)));
    } finally {
      this.#settled.abort();
    }
    const failure = await heart;
    if (failure !== undefined) throw failure.error;
  }

  /** Until all are done, the lease is lost, or a stop has waited for long enough. */
  async #work(): Promise<void> {
    const over = new Linked(this.#lost.signal, this.#stop.graceIsOver);
    const count = Math.min(this.#settings.concurrency, this.#waiting.length);
    await Promise.all(Array.from({ length: count }, () => this.#runner(over.signal)));
    over.release();
  }

  async #runner(over: AbortSignal): Promise<void> {
    while (!over.aborted && !this.#stop.requested.aborted) {
      const record = this.#waiting.shift();
      if (record === undefined) return;
      const element = await this.#enrich(record, over);
      if (element !== undefined) this.#ended.set(record.recordId, element);
    }
  }

  /** Whatever goes wrong with one record is said of this record. Undefined if there was no time for it. */
  async #enrich(record: Claimed, over: AbortSignal): Promise<string | undefined> {
    const { recordTimeout } = this.#settings;
    const timer = new AbortController();
    const tooLong = setTimeout(() => timer.abort(), recordTimeout * 1000);
    const either = new Linked(over, timer.signal);
    const record_id = record.recordId;
    let told: { error: string; retryable?: boolean };
    try {
      const result = await unless(either.signal, this.#settings.enrich(record, either.signal));
      return JSON.stringify({ record_id, result });
    } catch (error) {
      if (over.aborted) return undefined;
      if (timer.signal.aborted) told = { error: `not done within ${recordTimeout} s` };
      else if (error instanceof PermanentError) told = { error: error.message, retryable: false };
      else told = { error: String(error) };
    } finally {
      clearTimeout(tooLong);
      either.release();
    }
    log.warn(`record ${record_id}, attempt ${record.attempt}: ${told.error}`);
    return JSON.stringify({ record_id, action: "fail", ...told });
  }

  /** All that the lease holds: what has not ended is given back, and the attempt does not count. */
  #elements(): string[] {
    return this.#lease.records.map(
      ({ recordId }) =>
        this.#ended.get(recordId) ?? JSON.stringify({ record_id: recordId, action: "release" }),
    );
  }

  #rejection({ ordinal, error }: Outcome): string {
    // Answers come in the order of the elements.
    const record_id = this.#lease.records[ordinal - 1]?.recordId;
    const reason = `the result was rejected: ${error ?? ""}`;
    return JSON.stringify({ record_id, action: "fail", error: reason, retryable: false });
  }

  /** Sent again if the answer is lost; what landed before is answered with "duplicate". */
  async #settle(elements: readonly string[]): Promise<Outcome[]> {
    const { leaseId } = this.#lease;
    const backoff = new Backoff();
    while (!this.#isLost()) {
      try {
        const outcomes = await this.#database.settle(leaseId, elements);
        this.#print(outcomes);
        return outcomes;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        log.warn(`settle of lease ${leaseId}: ${error.message}`);
        if (this.#stop.graceIsOver.aborted) {
          log.warn(`lease ${leaseId} is left to end by itself`);
          return [];
        }
        await wait(backoff.seconds(), this.#lost.signal, this.#stop.graceIsOver);
      }
    }
    log.warn(`lease ${leaseId} is lost: ${this.#ended.size} results are not sent`);
    return [];
  }

  #print(outcomes: readonly Outcome[]): void {
    const counts = new Map<string, number>();
    for (const { outcome } of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    const told = [...counts].sort().map(([outcome, count]) => `${count} ${outcome}`);
    log.info(`lease ${this.#lease.leaseId}: ${told.join(", ")}`);
    for (const { record_id, outcome, error } of outcomes) {
      const usual = outcome === "applied" || outcome === "released";
      const text = `record ${record_id}: ${outcome}${error === null ? "" : `: ${error}`}`;
      (usual ? log.debug : log.info)(text);
    }
  }

  /** A process that was stopped for a while knows by the clock, before it can ask. */
  #isLost(): boolean {
    if (now() >= this.#holdsUntil) this.#lost.abort();
    return this.#lost.signal.aborted;
  }

  /** Extends the lease three times within its length, until it is lost or settled. */
  async #beat(): Promise<void> {
    const { leaseId } = this.#lease;
    const backoff = new Backoff();
    let pause = this.#lease.seconds / 3;
    while (!this.#isLost()) {
      await wait(Math.min(pause, this.#holdsUntil - now()), this.#settled.signal);
      if (this.#settled.signal.aborted) return;
      const askedAt = now();
      try {
        const seconds = await this.#answer(this.#pulse.extend_lease(leaseId));
        if (seconds === null) {
          this.#lost.abort();
          return;
        }
        backoff.reset();
        this.#holdsUntil = askedAt + seconds;
        pause = seconds / 3;
      } catch (error) {
        if (this.#settled.signal.aborted) return;
        if (!(error instanceof Unavailable)) throw error;
        log.warn(`heartbeat of lease ${leaseId}: ${error.message}`);
        pause = backoff.seconds();
      }
    }
  }

  /** A heartbeat that takes longer than the lease holds is none. */
  async #answer<T>(heartbeat: Promise<T>): Promise<T> {
    const left = new AbortController();
    const timer = setTimeout(() => left.abort(), Math.max(this.#holdsUntil - now(), 0.1) * 1000);
    const either = new Linked(left.signal, this.#settled.signal);
    try {
      return await unless(either.signal, heartbeat);
    } catch (error) {
      throw left.signal.aborted ? new Unavailable("no answer") : error;
    } finally {
      clearTimeout(timer);
      either.release();
    }
  }
}
