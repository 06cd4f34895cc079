/**
 * Who holds which ciphertexts of a tensor while a planner decides, and what it takes to bring them to
 * who reads them. Answers depend on shapes only and are kept: layers repeat.
 */
import { type Operation, type Program, readsOf, type Tensor } from "../program/index.ts";
import { type OperationParts, partsOf, workPart } from "./needs.ts";
import type { Mode } from "./strategies.ts";

/** Which device holds which numbers: [device][number], 0 or 1. */
export interface Holding {
  readonly key: string;
  readonly sets: readonly Uint8Array[];
}

/** What a reader asks of others. */
export interface Fetch {
  /** Ciphertexts sent, once for every receiver. */
  readonly ciphertexts: number;
  /** The most that one device sends. */
  readonly most: number;
  /** Who holds what afterwards. */
  readonly holding: Holding;
}

export class Holdings {
  readonly #program: Program;
  readonly #devices: number;
  readonly #interned = new Map<string, Holding>();
  readonly #fetches = new Map<string, Fetch>();
  readonly #parts = new Map<string, OperationParts>();
  readonly #reads = new Map<string, Holding[]>();

  constructor(program: Program, devices: number) {
    this.#program = program;
    this.#devices = devices;
  }

  /** Parts of an operation under a mode. */
  parts(operation: Operation, mode: Mode): OperationParts {
    const key = `${this.#shape(operation)} ${mode}`;
    let parts = this.#parts.get(key);
    if (parts === undefined) {
      parts = partsOf(this.#program, operation, mode, this.#devices);
      this.#parts.set(key, parts);
    }
    return parts;
  }

  /** Who holds output `o` right after the operation. */
  made(operation: Operation, mode: Mode, o: number): Holding {
    const tensor = this.#tensor(operation.outputs[o] as string);
    const { results } = this.parts(operation, mode);
    return this.#intern(
      tensor,
      results.map((mine) => mine[o] as readonly number[]),
    );
  }

  /** What input `i` of the operation takes when it is held so. */
  fetch(operation: Operation, mode: Mode, i: number, held: Holding): Fetch {
    const key = `${this.#shape(operation)} ${mode} ${i} ${held.key}`;
    let fetch = this.#fetches.get(key);
    if (fetch === undefined) {
      fetch = this.#count(this.read(operation, mode, i), held);
      this.#fetches.set(key, fetch);
    }
    return fetch;
  }

  /** What the devices read of input `i`. */
  read(operation: Operation, mode: Mode, i: number): Holding {
    const key = `${this.#shape(operation)} ${mode}`;
    let reads = this.#reads.get(key);
    if (reads === undefined) {
      const parts = this.parts(operation, mode);
      const outputs = operation.outputs.map((name) => this.#tensor(name));
      const byDevice = Array.from({ length: this.#devices }, (_, d) =>
        readsOf(this.#program, operation, workPart(parts, outputs, d)),
      );
      reads = operation.inputs.map((name, input) =>
        this.#intern(
          this.#tensor(name),
          byDevice.map((mine) => mine[input] as number[]),
        ),
      );
      this.#reads.set(key, reads);
    }
    return reads[i] as Holding;
  }

  #count(wanted: Holding, held: Holding): Fetch {
    let ciphertexts = 0;
    const sent = new Float64Array(this.#devices);
    const after = held.sets.map((set) => set.slice());
    for (let number = 0; number < (held.sets[0] as Uint8Array).length; number++) {
      const holders = held.sets.flatMap((set, d) => (set[number] === 1 ? [d] : []));
      const from = holders[number % Math.max(1, holders.length)];
      for (const [device, set] of wanted.sets.entries()) {
        if (set[number] === 0 || after[device]?.[number] === 1) continue;
        (after[device] as Uint8Array)[number] = 1;
        ciphertexts++;
        if (from !== undefined) sent[from] = (sent[from] as number) + 1;
      }
    }
    return { ciphertexts, most: Math.max(...sent), holding: this.#internSets(after) };
  }

  #intern(tensor: Tensor, byDevice: readonly (readonly number[])[]): Holding {
    const size = tensor.blocks * tensor.count;
    return this.#internSets(
      byDevice.map((numbers) => {
        const set = new Uint8Array(size);
        for (const number of numbers) set[number] = 1;
        return set;
      }),
    );
  }

  #internSets(sets: readonly Uint8Array[]): Holding {
    const text = sets.map((set) => Buffer.from(set.buffer, set.byteOffset, set.length).toString("latin1")).join("|");
    let holding = this.#interned.get(text);
    if (holding === undefined) {
      holding = { key: String(this.#interned.size), sets };
      this.#interned.set(text, holding);
    }
    return holding;
  }

  #tensor(name: string): Tensor {
    return this.#program.tensors[name] as Tensor;
  }

  /** Operations of one shape are shared out alike. */
  #shape(operation: Operation): string {
    return shapeOf(this.#program, operation);
  }
}

const shapes = new WeakMap<Operation, string>();

/** Kind and layout of everything that an operation reads and makes, without its level. */
export function shapeOf(program: Program, operation: Operation): string {
  let shape = shapes.get(operation);
  if (shape === undefined) {
    const describe = (name: string): string => {
      const { content, axis, blocks, count, features } = program.tensors[name] as Tensor;
      return `${content} ${axis} ${blocks}×${count} ${features ?? ""}`;
    };
    shape = `${operation.kind}: ${operation.inputs.map(describe).join(", ")} → ${operation.outputs.map(describe).join(", ")}`;
    shapes.set(operation, shape);
  }
  return shape;
}
