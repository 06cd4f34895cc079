/** What commands print: results on stdout, progress and warnings on stderr. */
import { rename, rm, writeFile } from "node:fs/promises";
import { styleText } from "node:util";
import Table from "cli-table3";
import { AegisError } from "../base/errors.ts";
import type { Progress } from "../runtime/index.ts";

type Stream = NodeJS.WriteStream;

/** Colour on terminals, unless NO_COLOR is set. */
export function emphasise(
  style: "red" | "yellow" | "green" | "bold" | "dim",
  text: string,
  stream: Stream = process.stdout,
): string {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, plain, 2)}\n`);
}

/** Typed arrays as arrays. */
function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Float64Array) : value;
}

export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

export function warn(text: string): void {
  process.stderr.write(`${emphasise("yellow", "warning:", process.stderr)} ${text}\n`);
}

/** Rows under a head, without colours of its own. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const grid = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const row of rows) grid.push(row.map(String));
  return grid.toString();
}

export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
}

export function formatSeconds(seconds: number): string {
  // Rounded first: 119.7 s are two minutes, not one and 60 s.
  const whole = Math.round(seconds);
  if (whole >= 90) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return seconds >= 10 ? `${seconds.toFixed(0)} s` : `${seconds.toFixed(2)} s`;
}

/** Writes a file whole or not at all. Throws `io`. */
export async function writeWhole(path: string, text: string, hint = "check the path given with --out"): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new AegisError("io", `${path}: cannot be written`, { hint, cause });
  }
}

/** One line on stderr that is written over; nothing when stderr is not a terminal. */
export class StatusLine {
  readonly #live: boolean;

  constructor(enabled = true) {
    this.#live = enabled && process.stderr.isTTY === true;
  }

  show(text: string): void {
    if (!this.#live) return;
    const width = process.stderr.columns ?? 80;
    process.stderr.write(`\r\u001b[K${text.slice(0, width - 1)}`);
  }

  progress({ done, total, operation, secondsLeft }: Progress): void {
    const left = secondsLeft === undefined ? "" : `, ${formatSeconds(secondsLeft)} left`;
    this.show(`${emphasise("dim", `[${done}/${total}${left}]`, process.stderr)} ${operation}`);
  }

  clear(): void {
    if (this.#live) process.stderr.write("\r\u001b[K");
  }
}

/** Shows what is being done while it is, if stderr is a terminal. */
export async function withStatus<T>(what: string, body: () => Promise<T>): Promise<T> {
  const status = new StatusLine();
  status.show(what);
  try {
    return await body();
  } finally {
    status.clear();
  }
}

/** A signal that fires on Ctrl-C; the second Ctrl-C ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new Error("interrupted")));
  return controller.signal;
}
