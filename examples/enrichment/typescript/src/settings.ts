// What the worker is told by its environment.

import { hostname } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { enrich, type Enrich } from "./enrich.js";

/** All that is wrong with the environment, a line each. */
export class SettingsError extends Error {}

export interface Settings {
  /** A URL; without one, PGHOST, PGUSER and so on count. */
  readonly database: string | undefined;
  readonly entityType: string;
  readonly worker: string;
  /** Records of a claim, and how many of them are in work at once. */
  readonly batchSize: number;
  readonly concurrency: number;
  /** The policy's if null. A heartbeat extends it three times within its length. */
  readonly lease: string | null;
  /** Seconds. */
  readonly recordTimeout: number;
  readonly grace: number;
  readonly maxWait: number;
  readonly enrich: Enrich;
}

export async function readSettings(environment = process.env): Promise<Settings> {
  const problems: string[] = [];

  function number(name: string, fallback: number, least: number): number {
    const text = environment[name] ?? String(fallback);
    const value = text.trim() === "" ? NaN : Number(text);
    if (!(value >= least && value <= 86_400)) {
      problems.push(`${name} must be a number from ${least} to 86400, not "${text}"`);
    }
    return value;
  }

  function whole(name: string, fallback: number, most: number): number {
    const text = environment[name] ?? String(fallback);
    const value = /^[0-9]+$/u.test(text) ? Number(text) : 0;
    if (value < 1 || value > most) {
      problems.push(`${name} must be a whole number from 1 to ${most}, not "${text}"`);
    }
    return value;
  }

  async function work(): Promise<Enrich> {
    const path = environment["ENRICH"];
    if (!path) return enrich;
    try {
      const module = (await import(pathToFileURL(resolve(path)).href)) as { enrich?: unknown };
      if (typeof module.enrich === "function") return module.enrich as Enrich;
      problems.push(`ENRICH=${path}: exports no function "enrich"`);
    } catch (error) {
      problems.push(`ENRICH=${path}: ${String(error)}`);
    }
    return enrich;
  }

  const entityType = environment["ENTITY_TYPE"] ?? "";
  if (entityType.trim() === "") {
    problems.push("ENTITY_TYPE must name the type of the records to work on");
  }
  const settings: Settings = {
    database: environment["DATABASE_URL"] || undefined,
    entityType,
    worker: environment["WORKER"] ?? `${hostname()}:${process.pid}`,
    batchSize: whole("BATCH_SIZE", 50, 10_000),
    concurrency: whole("CONCURRENCY", 10, 10_000),
    lease: environment["LEASE"] || null,
    recordTimeout: number("RECORD_TIMEOUT", 30, 0.001),
    grace: number("GRACE", 10, 0),
    maxWait: number("MAX_WAIT", 30, 0.1),
    enrich: await work(),
  };
  if (problems.length > 0) throw new SettingsError(problems.join("\n"));
  return settings;
}
