/**
 * What a device holds between two steps, as a file: a head of JSON and the words of every ciphertext and
 * sum. Written whole or not at all; its digest stands in the manifest of the checkpoint.
 */
import { createHash } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { AegisError } from "../../base/errors.ts";
import { Ciphertext, type Context } from "../../ckks/index.ts";
import type { Poly } from "../../ring/poly.ts";
import { PartialSum } from "../../transformer/index.ts";
import type { Runner } from "./runner.ts";

const magic = "aegis checkpoint 1\n";

interface Entry {
  readonly key: string;
  readonly form: "ciphertext" | "sum";
  readonly level: number;
  /** The exact scale: a double's bits as two words. */
  readonly scale: readonly [number, number];
  readonly slots: number;
  readonly moduli: readonly number[];
  readonly parts: number;
}

/** Writes the state before step `index`; the file's name in the directory and its SHA-256. */
export async function saveState(
  runner: Runner,
  directory: string,
  index: number,
  rank: number,
): Promise<{ file: string; digest: string }> {
  const file = `step-${index}-device-${rank}.bin`;
  const path = join(directory, file);
  const values = [
    ...runner.tensors
      .keys()
      .map((key) => ({ key, form: "ciphertext" as const, value: runner.tensors.get(key) as Ciphertext })),
    ...runner.sums.keys().map((key) => ({ key, form: "sum" as const, value: runner.sums.get(key) as PartialSum })),
  ];
  const entries = values.map(
    ({ key, form, value }): Entry => ({
      key,
      form,
      level: value.level,
      scale: bitsOf(value.scale),
      slots: value instanceof Ciphertext ? value.slots : 0,
      moduli: (value.parts[0] as Poly).moduli,
      parts: value.parts.length,
    }),
  );
  const hash = createHash("sha256");
  const handle = await open(`${path}.tmp`, "w", 0o600);
  const write = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    await handle.write(bytes);
  };
  try {
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
        runner.beat();
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.tmp`, path);
  return { file, digest: hash.digest("hex") };
}

/** Puts back what {@link saveState} wrote; the file's digest was checked before. Throws `format`. */
export async function restoreState(runner: Runner, context: Context, path: string): Promise<void> {
  const bytes = await readFile(path);
  const end = bytes.indexOf(10, magic.length);
  if (bytes.subarray(0, magic.length).toString() !== magic || end < 0) throw damaged(path);
  const headLength = Number(bytes.subarray(magic.length, end).toString());
  const entries = JSON.parse(bytes.subarray(end + 1, end + 1 + headLength).toString()) as Entry[];
  let at = end + 1 + headLength;
  const { ring } = context;
  const words = new Uint32Array(ring.degree);
  for (const { key, form, level, scale, slots, moduli, parts: count } of entries) {
    const parts = Array.from({ length: count }, () => {
      const poly = ring.poly(moduli, "ntt");
      for (let limb = 0; limb < moduli.length; limb++) {
        if (at + words.byteLength > bytes.length) throw damaged(path);
        new Uint8Array(words.buffer).set(bytes.subarray(at, at + words.byteLength));
        ring.kernels.write(poly, limb, words);
        at += words.byteLength;
      }
      return poly;
    });
    const exact = fromBits(scale);
    if (form === "ciphertext") runner.tensors.set(key, new Ciphertext(parts, level, exact, slots));
    else runner.sums.set(key, new PartialSum(parts, level, exact));
    runner.beat();
  }
}

function damaged(path: string): AegisError {
  return new AegisError("format", `${path}: not a device's state`, { hint: "delete the checkpoint and begin anew" });
}

function bitsOf(value: number): [number, number] {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  return [words[0] as number, words[1] as number];
}

function fromBits(words: readonly [number, number]): number {
  return new Float64Array(Uint32Array.from(words).buffer)[0] as number;
}
