// What the connector is told by its environment.

/** What is wrong with the environment. */
export class SettingsError extends Error {}

export interface Settings {
  /** A URL; without one, PGHOST, PGUSER and so on count. */
  readonly database: string | undefined;
  readonly connectionId: string;
  readonly sourceUrl: string;
  readonly token: string | undefined;
  readonly pageSize: number;
  readonly maxDeleteFraction: number;
  readonly tries: number;
  /** Seconds. */
  readonly overlap: number;
  /** Hours. */
  readonly maxAge: number;
}

export function readSettings(environment = process.env): Settings {
  function number(name: string, fallback: number, least: number, most: number): number {
    const text = environment[name] ?? String(fallback);
    const value = text.trim() === "" ? NaN : Number(text);
    if (!(value >= least && value <= most)) {
      throw new SettingsError(`${name} must be a number from ${least} to ${most}`);
    }
    return value;
  }

  function text(name: string): string {
    const value = environment[name] ?? "";
    if (value.trim() === "") throw new SettingsError(`${name} is missing`);
    return value;
  }

  return {
    database: environment["DATABASE_URL"] || undefined,
    connectionId: text("CONNECTION_ID"),
    sourceUrl: text("SOURCE_URL"),
    token: environment["SOURCE_TOKEN"],
    pageSize: Math.floor(number("PAGE_SIZE", 500, 1, 10_000)),
    maxDeleteFraction: number("MAX_DELETE_FRACTION", 0.2, 0, 1),
    tries: Math.floor(number("TRIES", 6, 1, 100)),
    overlap: number("OVERLAP", 60, 0, 86_400),
    maxAge: number("MAX_AGE", 24, 0, 8_760),
  };
}
