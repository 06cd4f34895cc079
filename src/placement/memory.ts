/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import { limbPadding } from "../kernels/index.ts";
import { ciphertextsOf, type Operation, type Part, type Program, type Tensor, wholePart } from "../program/index.ts";
import type { Phase, Plan, TransferStep } from "./plan.ts";
import type { Samples } from "./samples.ts";
import { sumBytes } from "./sizes.ts";
import { usesOf } from "./uses.ts";

export interface DeviceMemory {
  /** Bytes at the fullest moment: ciphertexts and sums that are alive, and workspace. */
  readonly activations: number;
  readonly workspace: number;
  /** The operation of that moment. */
  readonly operation: number;
  /** Keys that the device uses, expanded, each up to its highest level. */
  readonly keys: number;
  /** The largest of them. */
  readonly largestKey: number;
  readonly keyNames: ReadonlyMap<KeyName, number>;
  /** With all keys at hand. */
  readonly total: number;
}

/** Bytes that a device cannot do without: two keys at a time, the rest are paged in when they are asked for. */
export function leastMemory({ activations, workspace, keys, largestKey }: DeviceMemory): number {
  return activations + workspace + Math.min(keys, 2 * largestKey);
}

export function planMemory(program: Program, plan: Plan, parameters: Parameters, samples: Samples): DeviceMemory[] {
  return Array.from({ length: plan.devices }, (_, device) =>
    new Ledger(program, plan, parameters, samples, device).result(),
  );
}

/** Bytes of a ciphertext in backend memory. */
export function residentBytes(parameters: Pick<Parameters, "limbs" | "degree">, level: number): number {
  return 2 * parameters.limbs(level) * (4 * parameters.degree + limbPadding);
}

/** Bytes of each ciphertext (or sum) of a tensor that one device holds. */
class Held {
  readonly #size: (tensor: string) => number;
  readonly #bytes = new Map<string, Float64Array>();
  total = 0;

  constructor(size: (tensor: string) => number) {
    this.#size = size;
  }

  enter(tensor: string, numbers: readonly number[], bytes: number): void {
    const list = this.#list(tensor);
    for (const number of numbers) {
      this.total += bytes - (list[number] as number);
      list[number] = bytes;
    }
  }

  leave(tensor: string, numbers: readonly number[]): void {
    const list = this.#list(tensor);
    for (const number of numbers) {
      this.total -= list[number] as number;
      list[number] = 0;
    }
  }

  #list(tensor: string): Float64Array {
    let list = this.#bytes.get(tensor);
    if (list === undefined) this.#bytes.set(tensor, (list = new Float64Array(this.#size(tensor))));
    return list;
  }
}

/** Follows a plan as one device. */
class Ledger {
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #parameters: Parameters;
  readonly #samples: Samples;
  readonly #device: number;
  /** Devices that share every ciphertext. */
  readonly #share: number;
  readonly #alive: Held;
  readonly #sums: Held;
  readonly #keys = new Map<KeyName, number>();
  #best = { activations: 0, workspace: 0, operation: 0 };

  constructor(program: Program, plan: Plan, parameters: Parameters, samples: Samples, device: number) {
    this.#program = program;
    this.#plan = plan;
    this.#parameters = parameters;
    this.#samples = samples;
    this.#device = device;
    this.#share = plan.steps.some(({ kind }) => kind === "cut") ? plan.devices : 1;
    const size = (tensor: string): number => ciphertextsOf(program.tensors[tensor] as Tensor);
    this.#alive = new Held(size);
    this.#sums = new Held(size);
  }

  result(): DeviceMemory {
    const { input, operations } = this.#program;
    const { last, ended } = usesOf(this.#program, this.#plan.steps, this.#device);
    for (const [number, step] of (last.get(input) ?? []).entries())
      if (step !== -1) this.#alive.enter(input, [number], this.#bytes(input));
    for (const [index, step] of this.#plan.steps.entries()) {
      const operation = operations[step.operation] as Operation;
      if (step.kind === "transfer") this.#transfer(step);
      else if (step.kind === "cut") this.#compute(step.operation, "whole", wholePart(this.#program, operation));
      else {
        const part = step.parts[this.#device];
        if (part !== null && part !== undefined) this.#compute(step.operation, step.phase, part);
      }
      for (const { tensor, numbers } of ended[index] as (typeof ended)[number]) this.#alive.leave(tensor, numbers);
    }
    const sizes = [...this.#keys.values()].map((level) => this.#parameters.keyBytes(level).expanded / this.#share);
    const keys = sizes.reduce((sum, bytes) => sum + bytes, 0);
    const { activations, workspace } = this.#best;
    return {
      ...this.#best,
      keys,
      largestKey: Math.max(0, ...sizes),
      keyNames: this.#keys,
      total: activations + workspace + keys,
    };
  }

  #compute(index: number, phase: Phase, part: Part): void {
    const operation = this.#program.operations[index] as Operation;
    const sample = this.#samples.of(operation);
    for (const [name, level] of sample.keys) this.#keys.set(name, Math.max(level, this.#keys.get(name) ?? 0));
    for (const [o, name] of operation.outputs.entries()) {
      const numbers = part.outputs[o] as readonly number[];
      if (phase === "sums") this.#sums.enter(name, numbers, sumBytes(this.#parameters, this.#program, operation, o));
      else {
        this.#sums.leave(name, numbers);
        this.#alive.enter(name, numbers, this.#bytes(name));
      }
    }
    const workspace = sample.workspace / this.#share;
    const activations = this.#alive.total + this.#sums.total;
    if (activations + workspace > this.#best.activations + this.#best.workspace)
      this.#best = { activations, workspace, operation: index };
  }

  #transfer({ tensor, form, level, moves, unitBytes }: TransferStep): void {
    const isSum = form === "sums";
    for (const { from, to, indices } of moves) {
      if (isSum && from === this.#device) this.#sums.leave(tensor, indices);
      if (!to.includes(this.#device)) continue;
      if (isSum) this.#sums.enter(tensor, indices, unitBytes);
      else this.#alive.enter(tensor, indices, residentBytes(this.#parameters, level));
    }
  }

  #bytes(tensor: string): number {
    return residentBytes(this.#parameters, (this.#program.tensors[tensor] as Tensor).level as number) / this.#share;
  }
}
