// How the worker is told to end, and how it waits.

import { setMaxListeners } from "node:events";

/** Seconds, by a clock that never goes back. */
export const now = (): number => performance.now() / 1000;

/** SIGTERM or SIGINT asks to stop; what is in work may end within the grace. A second one cuts it short. */
export class Stop {
  readonly #requested = new AbortController();
  readonly #graceIsOver = new AbortController();

  constructor(grace: number) {
    setMaxListeners(0, this.requested, this.graceIsOver);
    const signalled = (): void => {
      if (this.#requested.signal.aborted) {
        this.#graceIsOver.abort();
        return;
      }
      this.#requested.abort();
      // Does not keep the process alive.
      setTimeout(() => this.#graceIsOver.abort(), grace * 1000).unref();
    };
    process.on("SIGTERM", signalled);
    process.on("SIGINT", signalled);
  }

  get requested(): AbortSignal {
    return this.#requested.signal;
  }

  get graceIsOver(): AbortSignal {
    return this.#graceIsOver.signal;
  }
}

/**
 * A signal that is aborted with the first of others. To be released: unlike what AbortSignal.any gives,
 * it leaves nothing behind at signals that live as long as the process.
 */
export class Linked {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #abort = (): void => this.#controller.abort();

  constructor(...sources: AbortSignal[]) {
    this.#sources = sources;
    setMaxListeners(0, this.signal);
    for (const source of sources) {
      if (source.aborted) this.#abort();
      else source.addEventListener("abort", this.#abort);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  release(): void {
    for (const source of this.#sources) source.removeEventListener("abort", this.#abort);
  }
}

/** Waits so long, or until one of the signals is aborted. */
export async function wait(seconds: number, ...signals: AbortSignal[]): Promise<void> {
  const either = new Linked(...signals);
  await new Promise<void>((resolve) => {
    if (either.signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(resolve, Math.max(seconds, 0) * 1000);
    either.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  either.release();
}

/** What is promised, unless the signal comes first: that is an error. */
export async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // How it ends after the signal is of no interest.
  promise.catch(() => undefined);
  const either = new Linked(signal);
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new Error("aborted"));
    if (either.signal.aborted) stop();
    else either.signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    either.release();
  }
}

/** Waits that double, half of each by chance, so that workers do not come back all at once. */
export class Backoff {
  readonly #first: number;
  readonly #longest: number;
  #next: number;

  constructor(first = 0.2, longest = 30) {
    this.#first = first;
    this.#longest = longest;
    this.#next = first;
  }

  seconds(): number {
    const chosen = this.#next * (0.5 + Math.random() / 2);
    this.#next = Math.min(2 * this.#next, this.#longest);
    return chosen;
  }

  reset(): void {
    this.#next = this.#first;
  }
}
