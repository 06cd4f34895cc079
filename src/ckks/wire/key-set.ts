/**
 * Key sets: a stream of evaluation keys, written and read key by key, so that gigabytes of keys
 * never have to be in memory at once. The stream is a `key set` header, the containers of the
 * keys, and an `end of key set` container with their number in field 64 (u32).
 */
import { throwIfAborted } from "../../base/errors.ts";
import { finite } from "../../base/validate.ts";
import type { Context } from "../context.ts";
import type { EvaluationKey } from "../keys.ts";
import { ByteSource, type ByteStream } from "./byte-source.ts";
import { type KeyHeader, parseKeyHeader, serializeKeyHeader } from "./evaluation-key.ts";
import {
  checksumOf,
  draft,
  type Header,
  headerBytes,
  hex,
  parseHeader,
  type ReadOptions,
  requireChecksum,
  requireLength,
  same,
  seal,
  type WireType,
  wireError,
} from "./header.ts";
import { requireLimbs } from "./residues.ts";

/** Most bytes of a key set by default: 16 GiB. */
export const maximumKeySetBytes = 16 * 2 ** 30;

export interface KeySetOptions extends ReadOptions {
  readonly signal?: AbortSignal;
}

/**
 * Writes keys as they come. Chunks may be views of the keys' own memory: they must be used or
 * copied before the key changes.
 */
export async function* writeKeySet(
  context: Context,
  keys: Iterable<EvaluationKey> | AsyncIterable<EvaluationKey>,
  keyId: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield seal("key set", draft("key set", context.parameters, keyId, undefined, 0));
  let count = 0;
  for await (const key of keys) {
    yield serializeKeyHeader(context, key, keyId);
    for (const half of key.b) yield new Uint8Array(half.buffer, half.byteOffset, half.byteLength);
    count++;
  }
  const end = draft("end of key set", context.parameters, keyId, undefined, 0);
  end.view.setUint32(64, count, true);
  yield seal("end of key set", end);
}

/**
 * Reads a key set key by key; memory is taken digit by digit as the bytes arrive. A key is
 * yielded when its checksum fits; the whole set is complete when the generator returns.
 * Throws `format`, `parameters`, `key` or `aborted`.
 */
export async function* readKeySet(
  context: Context,
  stream: ByteStream,
  options: KeySetOptions = {},
): AsyncGenerator<EvaluationKey, void, undefined> {
  const source = new ByteSource(stream, options.signal);
  const cap = finite("maximumBytes", options.maximumBytes ?? maximumKeySetBytes);
  try {
    const first = await readHeader(context, source, ["key set"], options);
    requireEmpty(first);
    const expected = { ...options, keyId: first.keyId };
    const names = new Set<string>();
    for (;;) {
      throwIfAborted(options.signal);
      const header = await readHeader(context, source, ["evaluation key", "end of key set"], expected);
      if (header.type === "end of key set") {
        await finish(source, header, names.size);
        return;
      }
      const parsed = parseKeyHeader(context, header, cap - source.consumed + headerBytes);
      if (names.has(parsed.name)) throw wireError("key set", `holds ${parsed.name} twice`);
      names.add(parsed.name);
      yield await readKey(context, source, parsed);
    }
  } finally {
    await source.cancel();
  }
}

/** The id of the secret key that a key set belongs to, from its first 128 bytes. */
export function keySetId(context: Context, start: Uint8Array): Uint8Array {
  return parseHeader(start, ["key set"], context.parameters, {}).keyId;
}

async function readKey(context: Context, source: ByteSource, parsed: KeyHeader): Promise<EvaluationKey> {
  const { header, moduli, name } = parsed;
  const checksum = checksumOf("evaluation key", new Uint32Array(header.bytes.buffer, 16));
  const b: Uint32Array[] = [];
  for (let d = 0; d < parsed.digits; d++) {
    const words = new Uint32Array(moduli.length * context.parameters.degree);
    const got = await source.read(new Uint8Array(words.buffer));
    if (got < words.byteLength) {
      throw wireError("key set", `ends after ${source.consumed} bytes, within digit ${d} of key ${name}`);
    }
    checksum.update(words);
    requireLimbs(header, words, context.parameters, moduli, `digit ${d} of key ${name}`);
    b.push(words);
  }
  requireChecksum(header, checksum);
  return { name, level: parsed.level, specialCount: parsed.specialCount, seed: header.seed, b };
}

async function readHeader(
  context: Context,
  source: ByteSource,
  types: readonly WireType[],
  options: ReadOptions,
): Promise<Header> {
  const bytes = new Uint8Array(headerBytes);
  const got = await source.read(bytes);
  if (got < headerBytes) {
    throw wireError("key set", `ends after ${source.consumed} bytes, before its end mark`, "send or fetch it again");
  }
  return parseHeader(bytes, types, context.parameters, options);
}

async function finish(source: ByteSource, header: Header, keys: number): Promise<void> {
  const count = header.view.getUint32(64, true);
  if (count !== keys) throw wireError("key set", `holds ${keys} keys, its end mark says ${count}`);
  requireEmpty(header, 68);
  if (!(await source.atEnd())) throw wireError("key set", `bytes follow its end at ${source.consumed}`);
}

/** A header without residues, its fields from byte `from` on zero. */
function requireEmpty(header: Header, from = 64): void {
  requireLength(header, 0, Number.POSITIVE_INFINITY);
  const rest = header.bytes.subarray(from);
  if (!same(rest, new Uint8Array(rest.length)))
    throw wireError(header.type, `bytes ${from} to ${headerBytes - 1} are not zero: ${hex(rest)}`);
  requireChecksum(header, checksumOf(header.type, new Uint32Array(header.bytes.buffer, 16)));
}
