/** What programs, plans and results are known by. */
import { createHash } from "node:crypto";
import type { WholeCiphertext } from "../ckks/index.ts";

/** SHA-256 of a plain object as JSON. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** SHA-256 of everything that ciphertexts consist of. */
export function digestOfCiphertexts(ciphertexts: readonly WholeCiphertext[]): string {
  const hash = createHash("sha256");
  for (const { parts, level, scale, slots } of ciphertexts) {
    hash.update(JSON.stringify([level, scale, slots]));
    for (const words of parts.flat()) hash.update(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }
  return hash.digest("hex");
}
