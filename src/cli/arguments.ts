/** Values that people give to commands. */
import { readFile } from "node:fs/promises";
import { AegisError } from "../base/errors.ts";

const units: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Bytes such as `512MiB` or `3.5 GiB`, at most `most`. Throws `argument`. */
export function parseBytes(name: string, text: string, most: number): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]iB)?\s*$/.exec(text);
  const bytes = match === null ? Number.NaN : Math.floor(Number(match[1]) * (units[match[2] ?? ""] as number));
  if (!(bytes >= 2 ** 20 && bytes <= most)) {
    throw new AegisError(
      "argument",
      `${name}: expected bytes from 1MiB to ${most / 2 ** 30}GiB, such as 2GiB, got ${JSON.stringify(text)}`,
    );
  }
  return bytes;
}

/** An integer in decimal digits from `least` to `most`. Throws `argument`. */
export function parseInteger(name: string, text: string, least: number, most: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new AegisError("argument", `${name}: expected ${least} to ${most}, got ${JSON.stringify(text)}`);
  return value;
}

/** The text of a file that an option names. Throws `io`. */
export async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AegisError("io", `${path}: cannot be read`, { hint: `check the path given with ${option}`, cause });
  }
}

/**
 * What `parse` makes of a file that an option names; errors of its form name the file.
 *
 * @param what such as `program`, which messages begin with
 */
export async function readParsed<T>(
  path: string,
  option: string,
  what: string,
  parse: (text: string) => T,
): Promise<T> {
  const text = await readText(path, option);
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof AegisError)) throw cause;
    const { code, message, hint } = cause;
    const told = message.startsWith(`${what}: `) ? message.slice(what.length + 2) : message;
    throw new AegisError(code, `${path}: not a ${what}: ${told}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
