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

/** The text of a file that an option names. Throws `io`. */
export async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AegisError("io", `${path}: cannot be read`, { hint: `check the path given with ${option}`, cause });
  }
}
