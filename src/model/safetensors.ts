/**
 * Reader of the safetensors container: u64 header length, JSON header, tensor bytes, all little
 * endian. The file is taken for hostile: every length is checked against the bytes that are
 * there before anything is allocated, and tensors must tile the data part without hole, overlap
 * or rest. Bytes stay as they are until {@link readFloat32} asks for a tensor.
 */
import { z } from "zod";
import { fileError, firstIssue, parseJson, quote } from "./issues.ts";

/** Header bytes accepted. BERT-Large needs about 50,000. */
export const maximumHeaderBytes = 8 * 2 ** 20;
const maximumTensors = 65_536;

// biome-ignore format: a table
const elementBytes: Readonly<Record<string, number>> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1,
};

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/** Where one tensor lies: `start` and `end` are bytes from the beginning of the file. */
export interface TensorEntry {
  readonly name: string;
  /** `F32`, `F16`, `BF16`, `I64`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** A checked container. */
export interface Safetensors {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly entries: ReadonlyMap<string, TensorEntry>;
}

const refetch = "the file is damaged or incomplete; fetch it again";

/**
 * Checks the container in `bytes`; nothing is copied. `file` is the name used in messages.
 * Throws a `format` error for anything that is not a complete, consistent safetensors file.
 */
export function parseSafetensors(bytes: Uint8Array, file = "model.safetensors"): Safetensors {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 23));
  if (start === "version https://git-lfs") {
    throw fileError(
      "format",
      file,
      "a Git LFS pointer, not the tensors",
      "run `git lfs pull` in the model's repository",
    );
  }
  if (bytes.length < 10) {
    throw fileError("format", file, `expected at least 10 bytes, got ${bytes.length}`, refetch);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getBigUint64(0, true);
  const headerLimit = Math.min(maximumHeaderBytes, bytes.length - 8);
  if (headerBytes < 2n || headerBytes > BigInt(headerLimit)) {
    throw fileError("format", file, `header length: expected 2 to ${headerLimit} bytes, got ${headerBytes}`, refetch);
  }
  const dataStart = 8 + Number(headerBytes);
  if (bytes[8] !== 0x7b) throw fileError("format", file, "the header does not start with {", refetch);
  const header = parseJson(bytes.subarray(8, dataStart), `${file} header`);
  const rows = Object.entries(header as Record<string, unknown>).filter(([name]) => name !== "__metadata__");
  if (rows.length > maximumTensors) {
    throw fileError("format", file, `expected at most ${maximumTensors} tensors, got ${rows.length}`);
  }
  const list = rows.map(([name, value]) => entry(file, name, value, dataStart, bytes.length));
  list.sort((a, b) => a.start - b.start || a.end - b.end);
  let position = dataStart;
  for (const tensor of list) {
    if (tensor.start !== position) {
      const what = tensor.start < position ? "overlaps the tensor before it" : "leaves a hole before it";
      throw fileError(
        "format",
        file,
        `tensor ${quote(tensor.name)} ${what}: expected offset ${position - dataStart}, got ${tensor.start - dataStart}`,
        refetch,
      );
    }
    position = tensor.end;
  }
  if (position !== bytes.length) {
    throw fileError("format", file, `${bytes.length - position} bytes after the last tensor`, refetch);
  }
  return { file, bytes, entries: new Map(list.map((tensor) => [tensor.name, tensor])) };
}

function entry(file: string, name: string, value: unknown, dataStart: number, fileBytes: number): TensorEntry {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) throw fileError("format", file, `tensor ${quote(name)}: ${firstIssue(parsed.error)}`, refetch);
  const { dtype, shape } = parsed.data;
  const [from, to] = parsed.data.data_offsets;
  const size = Object.hasOwn(elementBytes, dtype) ? elementBytes[dtype] : undefined;
  if (size === undefined) {
    throw fileError(
      "format",
      file,
      `tensor ${quote(name)}: unknown dtype ${quote(dtype)}`,
      "save the model as F32, F16 or BF16",
    );
  }
  if (to < from)
    throw fileError("format", file, `tensor ${quote(name)}: offsets end before they start (${from}, ${to})`, refetch);
  if (to > fileBytes - dataStart) {
    throw fileError(
      "format",
      file,
      `truncated: tensor ${quote(name)} ends at byte ${dataStart + to}, the file has ${fileBytes}`,
      refetch,
    );
  }
  // Above 2^53 the product is inexact, but then it cannot equal a byte count inside the file.
  const expected = shape.reduce((product, n) => product * n, size);
  if (expected !== to - from) {
    throw fileError(
      "format",
      file,
      `tensor ${quote(name)}: ${dtype} [${shape.join(", ")}] takes ${expected} bytes, got ${to - from}`,
      refetch,
    );
  }
  return { name, dtype, shape, start: dataStart + from, end: dataStart + to };
}

/**
 * The elements of one tensor in row-major order as f32: F32 as a view of the file where the
 * alignment allows it, F16 and BF16 converted exactly. Throws a `model` error when the tensor is
 * missing or of another type.
 */
export function readFloat32(container: Safetensors, name: string): Float32Array {
  const tensor = container.entries.get(name);
  if (tensor === undefined) throw fileError("model", container.file, `tensor ${quote(name)} is missing`);
  const bytes = container.bytes.subarray(tensor.start, tensor.end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (tensor.dtype) {
    case "F32":
      if (littleEndian && bytes.byteOffset % 4 === 0) {
        return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      }
      return fill(bytes.length / 4, (i) => view.getFloat32(4 * i, true));
    case "F16":
      return fill(bytes.length / 2, (i) => halfToNumber(view.getUint16(2 * i, true)));
    case "BF16": {
      const word = new DataView(new ArrayBuffer(4));
      return fill(bytes.length / 2, (i) => {
        word.setUint16(2, view.getUint16(2 * i, true), true);
        return word.getFloat32(0, true);
      });
    }
    default:
      throw fileError(
        "model",
        container.file,
        `tensor ${quote(name)}: expected F32, F16 or BF16, got ${tensor.dtype}`,
        "save the model as F32, F16 or BF16; quantised weights are not supported",
      );
  }
}

function fill(length: number, value: (i: number) => number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = value(i);
  return values;
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
