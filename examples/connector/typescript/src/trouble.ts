// What can go wrong, divided by what is to be done about it.

import { setTimeout as sleep } from "node:timers/promises";
import { log } from "./log.js";

const LONGEST_WAIT = 30;

/** May go well a moment later. */
export class Transient extends Error {
  /** How many seconds the other side asks for, if it does. */
  readonly wait: number | undefined;

  constructor(message: string, wait?: number, options?: ErrorOptions) {
    super(message, options);
    this.wait = wait;
  }
}

/** What was fetched is no batch of documents: it may be whole when it is fetched again. */
export class BrokenBatch extends Transient {}

/** Trying again does not help. */
export class Permanent extends Error {}

/** Does a step, several times if need be. Every step of a connector may be repeated: see the README. */
export async function again<Result>(tries: number, step: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Transient) || attempt >= tries) throw error;
      const backoff = Math.min(0.25 * 2 ** attempt, LONGEST_WAIT) * (0.5 + Math.random() / 2);
      const seconds = error.wait ?? backoff;
      log.warn(`try ${attempt} of ${tries}, next in ${seconds.toFixed(1)} s: ${error.message}`);
      await sleep(seconds * 1000);
    }
  }
}
