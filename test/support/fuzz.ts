/** Damages serialised bytes in every way that fast-check can think of and watches the readers. */
import fc from "fast-check";
import { AegisError } from "../../src/base/errors.ts";
import { same } from "../../src/ckks/wire/header.ts";
import { type Container, concatenate, reseal } from "./containers.ts";

type Damage =
  | { readonly kind: "flip"; readonly bits: readonly number[] }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "extend"; readonly more: Uint8Array }
  | { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "splice"; readonly other: number; readonly at: number; readonly from: number };

const anywhere = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const nearTheStart = fc.oneof(
  anywhere,
  fc.nat(160).map((byte) => byte / 1e6),
);

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), bits: fc.array(nearTheStart, { minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant("cut" as const), at: nearTheStart }),
  fc.record({ kind: fc.constant("extend" as const), more: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  fc.record({
    kind: fc.constant("write" as const),
    at: nearTheStart,
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 16 }),
      fc.constantFrom(new Uint8Array(4), new Uint8Array(8).fill(255), Uint8Array.of(0, 0, 0, 128)),
    ),
  }),
  fc.record({ kind: fc.constant("splice" as const), other: fc.nat(), at: anywhere, from: anywhere }),
);

/** Positions below 160/1e6 mean that byte, others a fraction of the length. */
function place(position: number, length: number): number {
  return position <= 160e-6 ? Math.min(Math.round(position * 1e6), length) : Math.floor(position * length);
}

function apply(bytes: Uint8Array, change: Damage, all: readonly Container[]): Uint8Array {
  const copy = bytes.slice();
  if (change.kind === "flip") {
    for (const bit of change.bits) {
      const at = Math.min(place(bit, copy.length), copy.length - 1);
      copy[at] ^= 1 << (Math.round(bit * 1e6) & 7);
    }
    return copy;
  }
  if (change.kind === "cut") return copy.slice(0, place(change.at, copy.length));
  if (change.kind === "extend") return concatenate([copy, change.more]);
  if (change.kind === "write") {
    const written = change.bytes.subarray(0, copy.length);
    copy.set(written, Math.min(place(change.at, copy.length), copy.length - written.length));
    return copy;
  }
  const other = all[change.other % all.length].bytes;
  return concatenate([
    copy.subarray(0, place(change.at, copy.length)),
    other.subarray(place(change.from, other.length)),
  ]);
}

/** What happened to the damaged bytes. */
export interface FuzzCounts {
  refused: number;
  /** Damage that changed nothing, or that was sealed again and is a valid object. */
  read: number;
}

/**
 * Runs `cases` damages through the readers. Each must refuse with an AegisError, or give an
 * object that serialises to exactly the bytes that were read. `sealed` makes checksums right.
 */
export async function fuzz(
  list: readonly Container[],
  cases: number,
  seed: number,
  sealed: boolean,
): Promise<FuzzCounts> {
  const counts: FuzzCounts = { refused: 0, read: 0 };
  const property = fc.asyncProperty(
    fc.nat(list.length - 1),
    fc.array(damage, { minLength: 1, maxLength: 3 }),
    async (which, changes) => {
      const container = list[which];
      let bytes = container.bytes as Uint8Array;
      for (const change of changes) bytes = bytes.length === 0 ? bytes : apply(bytes, change, list);
      if (sealed) bytes = reseal(concatenate([bytes, new Uint8Array(Math.max(0, 128 - bytes.length))]));
      const start = performance.now();
      try {
        const again = await container.read(bytes);
        if (!same(again, bytes)) throw new Error(`${container.name}: was read, but is written otherwise`);
        if (!sealed && !same(bytes, container.bytes) && !list.some((other) => same(other.bytes, bytes))) {
          throw new Error(`${container.name}: damage was not found`);
        }
        counts.read++;
      } catch (error) {
        if (!(error instanceof AegisError) || error.code === "internal") throw error;
        if (error.message.length > 300) throw new Error(`a message of ${error.message.length} characters`);
        counts.refused++;
      }
      if (performance.now() - start > 2000) throw new Error(`${container.name}: took ${performance.now() - start} ms`);
    },
  );
  await fc.assert(property, { numRuns: cases, seed });
  return counts;
}
