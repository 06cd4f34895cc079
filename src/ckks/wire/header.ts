/**
 * The container that every serialised object is in. Little-endian, format 1:
 *
 * | bytes | what |
 * |---|---|
 * | 0–7   | magic: 0x89 `AEGIS` 0x0D 0x0A (a transfer in text mode changes it) |
 * | 8–9   | format version |
 * | 10–11 | type tag |
 * | 12–15 | XXH32 of bytes 16 to the end, its seed version + 2^16·tag |
 * | 16–23 | length of the whole container |
 * | 24–39 | digest of the parameters |
 * | 40–55 | key id |
 * | 56–63 | zero |
 * | 64–95 | fields of the type |
 * | 96–127 | seed of the uniform part, or zero |
 * | 128–  | residues, u32, limb after limb |
 *
 * Readers check in this order, and take memory only for lengths that the parameters confirm.
 */
import { AegisError, type ErrorCode } from "../../base/errors.ts";
import type { Parameters } from "../parameters.ts";
import { Checksum } from "./checksum.ts";

/** Version of the container that is written; readers take this one only. */
export const wireVersion = 1;

/** Bytes before the residues. */
export const headerBytes = 128;

/** Bytes of a key id. */
export const keyIdBytes = 16;

/** What a container holds. */
export const typeTags = {
  ciphertext: 1,
  "public key": 2,
  "evaluation key": 3,
  "key set": 4,
  "end of key set": 5,
} as const;
export type WireType = keyof typeof typeTags;

const magic = Uint8Array.of(0x89, 0x41, 0x45, 0x47, 0x49, 0x53, 0x0d, 0x0a);
const seedOffset = 96;
const damaged = "the bytes are damaged or incomplete: fetch or send them again";

if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1) {
  throw new AegisError("internal", "the wire format needs a little-endian platform");
}

/** A fresh id for a secret key: it names the key on the wire and says nothing about it. */
export function randomKeyId(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(keyIdBytes));
}

/** An error about serialised bytes: `what: problem`, with a hint. */
export function wireError(
  what: string,
  problem: string,
  hint: string = damaged,
  code: ErrorCode = "format",
): AegisError {
  return new AegisError(code, `${what}: ${problem}`, { operation: "deserialize", hint });
}

/** A container under construction: header fields set, residues to be filled in. */
export interface Draft {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** The residues. */
  readonly words: Uint32Array;
}

/**
 * The header of a container and room for `roomWords` residues.
 * @param wordCount residues that the length speaks of
 */
export function draft(
  type: WireType,
  parameters: Parameters,
  keyId: Uint8Array,
  seed: Uint8Array | undefined,
  wordCount: number,
  roomWords: number = wordCount,
): Draft {
  if (keyId.length !== keyIdBytes) throw new RangeError(`keyId: expected ${keyIdBytes} bytes, got ${keyId.length}`);
  const bytes = new Uint8Array(headerBytes + 4 * roomWords);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint16(8, wireVersion, true);
  view.setUint16(10, typeTags[type], true);
  view.setBigUint64(16, BigInt(headerBytes + 4 * wordCount), true);
  bytes.set(parameters.digest, 24);
  bytes.set(keyId, 40);
  if (seed !== undefined) bytes.set(seed, seedOffset);
  return { bytes, view, words: new Uint32Array(bytes.buffer, headerBytes) };
}

/** Writes the checksum; `more` are residues that follow without being copied. */
export function seal(
  type: WireType,
  { bytes, view }: Draft,
  more: readonly Uint32Array[] = [],
): Uint8Array<ArrayBuffer> {
  const checksum = checksumOf(type, new Uint32Array(bytes.buffer, 16));
  for (const words of more) checksum.update(words);
  view.setUint32(12, checksum.digest(), true);
  return bytes;
}

/** The checksum of a container from byte 16 on, to be continued with its residues. */
export function checksumOf(type: WireType, words: Uint32Array): Checksum {
  return new Checksum(wireVersion + 2 ** 16 * typeTags[type]).update(words);
}

/** What every type has in its header. */
export interface Header {
  readonly type: WireType;
  /** All 128 bytes, aligned. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** Length that the header states, in bytes, header included. */
  readonly length: number;
  readonly checksum: number;
  readonly keyId: Uint8Array;
  readonly seed: Uint8Array;
}

/** What a reader expects of a container. */
export interface ReadOptions {
  /** The id of the key that the object must belong to; any when left out. */
  readonly keyId?: Uint8Array;
  /** Most bytes that are read. Default: what the largest such object of the parameters takes. */
  readonly maximumBytes?: number;
}

/**
 * Checks the first 128 bytes of a container against its type, the parameters and the key id.
 * Throws `format`, `parameters` or `key`.
 */
export function parseHeader(
  start: Uint8Array,
  types: readonly WireType[],
  parameters: Parameters,
  options: ReadOptions,
): Header {
  const what = types[0] as string;
  if (start.length < headerBytes) {
    throw wireError(what, `ends after ${start.length} bytes, within its header of ${headerBytes}`);
  }
  const bytes = new Uint8Array(start.subarray(0, headerBytes));
  const view = new DataView(bytes.buffer);
  if (!same(bytes.subarray(0, 8), magic)) throw wireError(what, "these are not serialised Aegis data (bytes 0 to 7)");
  const version = view.getUint16(8, true);
  if (version !== wireVersion) {
    throw wireError(
      what,
      `format ${version}, this version reads format ${wireVersion}`,
      "convert it with the version that wrote it",
    );
  }
  const tag = view.getUint16(10, true);
  const type = types.find((name) => typeTags[name] === tag);
  if (type === undefined) {
    const got = Object.entries(typeTags).find(([, value]) => value === tag)?.[0] ?? `an unknown type ${tag}`;
    throw wireError(what, `expected ${types.join(" or ")}, got ${got}`, "pass it to the reader of its type");
  }
  if (!same(bytes.subarray(24, 40), parameters.digest)) {
    throw wireError(
      type,
      `made with other parameters than ${parameters.name}`,
      "use the parameters it was made with",
      "parameters",
    );
  }
  const keyId = bytes.slice(40, 56);
  if (options.keyId !== undefined && !same(keyId, options.keyId)) {
    const problem = `belongs to key ${hex(keyId)}, expected key ${hex(options.keyId)}`;
    throw wireError(type, problem, "use data and keys of one client and session", "key");
  }
  if (view.getBigUint64(56, true) !== 0n) throw wireError(type, "bytes 56 to 63 are not zero");
  const length = Number(view.getBigUint64(16, true));
  const seed = bytes.slice(seedOffset, headerBytes);
  return { type, bytes, view, length, checksum: view.getUint32(12, true), keyId, seed };
}

/** Throws `format` unless the header states exactly this length and the cap allows it. */
export function requireLength(header: Header, wordCount: number, maximumBytes: number): void {
  const expected = headerBytes + 4 * wordCount;
  if (header.length !== expected) {
    throw wireError(header.type, `states a length of ${header.length} bytes, expected ${expected}`);
  }
  if (expected > maximumBytes) {
    throw wireError(
      header.type,
      `${expected} bytes, at most ${maximumBytes} are accepted`,
      "raise maximumBytes if this is wanted",
    );
  }
}

/** Throws `format` unless the bytes at hand are exactly the stated length. */
export function requireWhole(header: Header, available: number): void {
  if (available < header.length) throw wireError(header.type, `ends after ${available} of ${header.length} bytes`);
  if (available > header.length)
    throw wireError(header.type, `${available - header.length} bytes follow its end at ${header.length}`);
}

/** Throws `format` when the checksum of all that was read is not the stated one. */
export function requireChecksum(header: Header, checksum: Checksum): void {
  if (checksum.digest() !== header.checksum) throw wireError(header.type, "the checksum does not fit the bytes");
}

/** Whether two byte strings are equal. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
