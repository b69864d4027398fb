// The other system: what you replace. Here an HTTP API that gives a JSON array and the next page in a header.

import { Permanent, Transient } from "./trouble.js";

const TIMEOUT = 30;
const LONGEST_PAUSE = 300;
// Its answer may be another one a moment later.
const RETRIED = [408, 425, 429, 500, 502, 503, 504];

export interface Page {
  /** The JSON array as it came. Parsed and written again, large numbers would change. */
  readonly body: string;
  /** What fetches the next page; null if this was the last. */
  readonly next: string | null;
  /** The source's clock. */
  readonly at: Date;
}

export class Source {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #pageSize: number;

  constructor(url: string, token: string | undefined, pageSize: number) {
    this.#url = url.replace(/\/+$/u, "");
    this.#token = token;
    this.#pageSize = pageSize;
  }

  /** A page of all contacts, or of those that have changed, deleted ones included. */
  async contacts(page: string | null, changedSince: string | null): Promise<Page> {
    const query = new URLSearchParams({ limit: String(this.#pageSize) });
    if (page !== null) query.set("page", page);
    if (changedSince !== null) query.set("changed_since", changedSince);
    let response: Response;
    let raw: ArrayBuffer;
    try {
      response = await fetch(`${this.#url}/contacts?${query.toString()}`, {
        headers: this.#token ? { authorization: `Bearer ${this.#token}` } : {},
        signal: AbortSignal.timeout(TIMEOUT * 1000),
      });
      // Fails if the connection ends too early.
      raw = await response.arrayBuffer();
    } catch (error) {
      throw new Transient(`the source does not answer: ${reason(error)}`, undefined, { cause: error });
    }
    if (!response.ok) {
      const message = `the source answers ${response.status} ${response.statusText}`;
      if (!RETRIED.includes(response.status)) throw new Permanent(message);
      throw new Transient(message, retryAfter(response.headers));
    }
    const next = response.headers.get("x-next-page") || null;
    if (next !== null && next === page) throw new Permanent(`page ${page} of the source leads to itself`);
    return { body: array(raw), next, at: clock(response.headers) };
  }
}

/** An answer with status 200 may still be a page of a proxy, or an object that tells of an error. */
function array(raw: ArrayBuffer): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (error) {
    throw new Transient("the page is not UTF-8", undefined, { cause: error });
  }
  if (!text.trimStart().startsWith("[") || text.includes("\0")) {
    throw new Transient(`the page is not a JSON array: ${JSON.stringify(text.slice(0, 80))}`);
  }
  return text;
}

/** The source's, not ours: the times in its records come from there. */
function clock(headers: Headers): Date {
  const at = new Date(headers.get("date") ?? "");
  if (Number.isNaN(at.getTime())) throw new Permanent("the source does not tell its time (header Date)");
  return at;
}

function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  const seconds = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), LONGEST_PAUSE);
}

/** fetch says "fetch failed", and why in the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
