/**
 * What a device holds between two steps, as a file: a head of JSON and the words of every ciphertext and
 * sum. Written whole or not at all; its digest stands in the manifest of the checkpoint.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AegisError } from "../../base/errors.ts";
import { Ciphertext, type Context } from "../../ckks/index.ts";
import { shardingNames } from "../../kernels/index.ts";
import { sharesOf } from "../../placement/index.ts";
import type { Poly } from "../../ring/poly.ts";
import { PartialSum } from "../../transformer/index.ts";
import type { Form } from "./environments.ts";
import type { Runner } from "./runner.ts";

const damagedHint = "delete the folder to begin anew, or give another one";
const magic = "aegis checkpoint 1\n";

/** Where ciphertexts are put back: see `Environments`. */
interface Contexts {
  context(form: Form): Context;
}

/** What a ciphertext's name says of it. */
function formOf(key: string): Form {
  const name = key.slice(0, key.lastIndexOf(" "));
  return shardingNames.find((sharding) => name.endsWith(sharesOf("", sharding))) ?? "whole";
}

/** Most bytes of a head: some hundreds for each of tens of thousands of ciphertexts. */
const mostHeadBytes = 2 ** 25;

const word = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);
const count = z.int().min(0);

const entrySchema = z.strictObject({
  key: z.string().max(300),
  form: z.enum(["ciphertext", "sum"]),
  level: count,
  /** The exact scale: a double's bits as two words. */
  scale: z.tuple([word, word]),
  slots: count,
  moduli: z.array(count).min(1).max(256),
  parts: count.min(1).max(256),
});

type Entry = z.infer<typeof entrySchema>;

/**
 * Writes the state before step `index`; the file's name in the directory and its SHA-256.
 *
 * @throws `io`
 */
export async function saveState(
  runner: Runner,
  directory: string,
  index: number,
  rank: number,
): Promise<{ file: string; digest: string }> {
  const file = `step-${index}-device-${rank}.bin`;
  const path = join(directory, file);
  try {
    const handle = await open(`${path}.tmp`, "w", 0o600);
    let digest: string;
    try {
      digest = await writeState(runner, handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${path}.tmp`, path);
    return { file, digest };
  } catch (cause) {
    if (cause instanceof AegisError) throw cause;
    const hint = "make room on the disk and run again: the run goes on from its last whole checkpoint";
    throw new AegisError("io", `${path}: cannot be written`, { hint, cause });
  }
}

async function writeState(runner: Runner, handle: FileHandle): Promise<string> {
  const { tensors, sums } = runner;
  const values = [
    ...tensors.keys().map((key) => ({ key, form: "ciphertext" as const, value: tensors.get(key) as Ciphertext })),
    ...sums.keys().map((key) => ({ key, form: "sum" as const, value: sums.get(key) as PartialSum })),
  ];
  const entries = values.map(
    ({ key, form, value }): Entry => ({
      key,
      form,
      level: value.level,
      scale: bitsOf(value.scale),
      slots: value instanceof Ciphertext ? value.slots : 0,
      moduli: [...(value.parts[0] as Poly).moduli],
      parts: value.parts.length,
    }),
  );
  const hash = createHash("sha256");
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    await handle.appendFile(bytes);
  };
  const head = Buffer.from(JSON.stringify(entries));
  await write(Buffer.from(`${magic}${head.length}\n`));
  await write(head);
  for (const { value } of values) {
    for (const part of value.parts) {
      const { kernels, degree } = part.ring;
      const words = new Uint32Array(degree);
      for (let limb = 0; limb < part.moduli.length; limb++) {
        kernels.read(part, limb, words);
        await write(new Uint8Array(words.buffer));
      }
      runner.pulse();
    }
  }
  return hash.digest("hex");
}

/** Puts back what {@link saveState} wrote; the file's digest was checked before. Throws `format` and `io`. */
export async function restoreState(runner: Runner, environments: Contexts, path: string): Promise<void> {
  // Piece by piece: a state may be larger than what can be read at once.
  const handle = await open(path).catch((cause: unknown) => {
    throw new AegisError("io", `${path}: cannot be read`, { hint: damagedHint, cause });
  });
  const read = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at);
      if (bytesRead === 0) throw damaged(path);
      at += bytesRead;
    }
  };
  try {
    const context = environments.context("whole");
    const { degree } = context.ring;
    const words = new Uint32Array(degree);
    const { size } = await handle.stat();
    const { entries, bytes } = await readHead(read, path);
    // Before anything is allocated: what the head promises is what the file has, and the ring can hold it.
    const promised = entries.reduce((sum, { moduli, parts }) => sum + 4 * degree * moduli.length * parts, bytes);
    if (promised !== size) throw damaged(path);
    for (const entry of entries) if (!fits(entry, context)) throw damaged(path);
    for (const { key, form, level, scale, slots, moduli, parts: count } of entries) {
      const { ring } = environments.context(form === "ciphertext" ? formOf(key) : "whole");
      const parts: Poly[] = [];
      for (let k = 0; k < count; k++) {
        const poly = ring.poly(moduli, "ntt");
        parts.push(poly);
        for (let limb = 0; limb < moduli.length; limb++) {
          await read(new Uint8Array(words.buffer));
          const prime = context.parameters.primes[moduli[limb] as number] as number;
          if (words.some((residue) => residue >= prime)) throw damaged(path);
          ring.kernels.write(poly, limb, words);
        }
      }
      const exact = fromBits(scale);
      if (form === "ciphertext") runner.tensors.set(key, new Ciphertext(parts, level, exact, slots));
      else runner.sums.set(key, new PartialSum(parts, level, exact));
      runner.pulse();
    }
  } finally {
    await handle.close();
  }
}

/** Whether a value can be one of the ring: a ciphertext has two polynomials over the moduli of its level. */
function fits({ form, level, scale, slots, moduli, parts }: Entry, { parameters }: Context): boolean {
  const exact = fromBits(scale);
  if (level > parameters.maximumLevel || !(exact > 0 && exact < Number.POSITIVE_INFINITY)) return false;
  const own = parameters.moduli(level);
  const expected = form === "sum" && moduli.length !== own.length ? parameters.extendedModuli(level) : own;
  if (moduli.length !== expected.length || moduli.some((modulus, i) => modulus !== expected[i])) return false;
  return form === "sum" || (parts === 2 && slots >= 1 && slots <= parameters.maximumSlots);
}

async function readHead(
  read: (bytes: Uint8Array) => Promise<void>,
  path: string,
): Promise<{ entries: Entry[]; bytes: number }> {
  const start = Buffer.alloc(magic.length);
  await read(start);
  if (start.toString() !== magic) throw damaged(path);
  let digits = "";
  for (const byte = Buffer.alloc(1); ; digits += byte.toString()) {
    await read(byte);
    if (byte[0] === 10) break;
    if (digits.length > 15) throw damaged(path);
  }
  const length = Number(digits);
  if (!/^\d+$/.test(digits) || length > mostHeadBytes) throw damaged(path);
  const head = Buffer.alloc(length);
  await read(head);
  let json: unknown;
  try {
    json = JSON.parse(head.toString());
  } catch (cause) {
    throw damaged(path, cause);
  }
  const parsed = z.array(entrySchema).safeParse(json);
  if (!parsed.success) throw damaged(path, parsed.error);
  return { entries: parsed.data, bytes: magic.length + digits.length + 1 + length };
}

function damaged(path: string, cause?: unknown): AegisError {
  const details = { hint: damagedHint, ...(cause === undefined ? {} : { cause }) };
  return new AegisError("format", `${path}: damaged: not a device's state`, details);
}

function bitsOf(value: number): [number, number] {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  return [words[0] as number, words[1] as number];
}

function fromBits(words: readonly [number, number]): number {
  return new Float64Array(Uint32Array.from(words).buffer)[0] as number;
}
