// The work itself. Replace `enrich` by your own; the rest of the worker stays as it is.

import { createHash } from "node:crypto";

/** Trying this record again would not help. Every other error is tried again. */
export class PermanentError extends Error {}

/** One claimed record. */
export interface Claimed {
  readonly recordId: string;
  /** The first attempt is 1. */
  readonly attempt: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly sourceUpdatedAt: Date | null;
  /** What the record is called where it comes from. */
  readonly externalId: string | null;
  readonly source: string | null;
  /** What was found before, for this content or an older one. */
  readonly enrichment: Readonly<Record<string, unknown>> | null;
}

/** `signal` is aborted when nobody waits for the result any more: hand it on to fetch and the like. */
export type Enrich = (record: Claimed, signal: AbortSignal) => Promise<object>;

const STOP_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  de: new Set(["der", "die", "das", "und", "für", "mit", "wir", "ist", "ein", "eine"]),
  en: new Set(["the", "and", "for", "with", "we", "is", "of", "to", "our", "a"]),
  es: new Set(["el", "la", "los", "y", "para", "con", "de", "es", "una", "en"]),
  fr: new Set(["le", "la", "les", "et", "pour", "avec", "nous", "est", "une", "des"]),
};

/**
 * What can be told of a company from its website, its e-mail address and what it says of itself.
 *
 * Runs many times at once in one event loop: long reckoning belongs into a worker thread, or the
 * heartbeats are late and the lease is lost.
 */
export const enrich: Enrich = async ({ data }) => {
  const about = textOf(data, "about").trim().split(/\s+/u).join(" ");
  const words = about.toLowerCase().match(/\p{L}+/gu) ?? [];
  return {
    domain: domain(data),
    language: language(words),
    words: words.length,
    about_sha256: createHash("sha256").update(about).digest("hex"),
  };
};

function textOf(data: Claimed["data"], field: string): string {
  const value = data[field] ?? "";
  if (typeof value !== "string") throw new PermanentError(`${field} is not a string`);
  return value;
}

/** The host of the website without "www.", or what stands behind the @ of the address. */
function domain(data: Claimed["data"]): string {
  const website = textOf(data, "website").trim();
  const email = textOf(data, "email").trim();
  const text = website || email.slice(email.lastIndexOf("@") + 1);
  const url = text.includes("://") ? text : `https://${text}`;
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  const name = host.toLowerCase().replace(/^www\./u, "").replace(/\.$/u, "");
  if (!name.includes(".")) {
    throw new PermanentError(`no domain in website "${website}" and email "${email}"`);
  }
  return name;
}

/** The language with the most stop words, if one has. */
function language(words: readonly string[]): string | null {
  const found = Object.entries(STOP_WORDS).map(
    ([name, stop]) => [name, words.filter((word) => stop.has(word)).length] as const,
  );
  const best = Math.max(...found.map(([, count]) => count));
  const leaders = found.filter(([, count]) => count === best);
  return best > 0 && leaders.length === 1 ? (leaders[0]?.[0] ?? null) : null;
}
