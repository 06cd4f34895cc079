/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import { ciphertextsOf, type Operation, type Part, type Program, range, type Tensor } from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { cutSizes, type HeldSizes, wholeSizes } from "./held-sizes.ts";
import type { Phase, Plan, TransferStep } from "./plan.ts";
import type { Sample, Samples } from "./samples.ts";
import { isCut } from "./strategies.ts";
import { type Uses, usesOf } from "./uses.ts";

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
  // On ciphertexts that are cut, all devices read the same ones.
  const same = isCut(plan.strategy) ? usesOf(program, plan.steps, 0) : undefined;
  return range(plan.devices).map((device) => {
    const sizes = cutSizes(program, plan, parameters, device) ?? wholeSizes(program, parameters);
    return new Ledger(program, plan, sizes, samples, device).result(same ?? usesOf(program, plan.steps, device));
  });
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
  readonly #sizes: HeldSizes;
  readonly #samples: Samples;
  readonly #device: number;
  readonly #alive: Held;
  readonly #sums: Held;
  readonly #keys = new Map<KeyName, number>();
  #best = { activations: 0, workspace: 0, operation: 0 };

  constructor(program: Program, plan: Plan, sizes: HeldSizes, samples: Samples, device: number) {
    this.#program = program;
    this.#plan = plan;
    this.#sizes = sizes;
    this.#samples = samples;
    this.#device = device;
    const size = (tensor: string): number => ciphertextsOf(program.tensors[tensor] as Tensor);
    this.#alive = new Held(size);
    this.#sums = new Held(size);
  }

  result({ last, ended }: Uses): DeviceMemory {
    const { input } = this.#program;
    for (const [number, step] of (last.get(input) ?? []).entries())
      if (step !== -1) this.#alive.enter(input, [number], this.#bytes(input));
    for (const [index, step] of this.#plan.steps.entries()) {
      if (step.kind === "transfer") this.#transfer(step);
      else if (step.kind === "cut") this.#compute(step.operation, "whole", step.part);
      else {
        const part = step.parts[this.#device];
        if (part !== null && part !== undefined) this.#compute(step.operation, step.phase, part);
      }
      for (const { tensor, numbers } of ended[index] as (typeof ended)[number]) this.#alive.leave(tensor, numbers);
    }
    const sizes = [...this.#keys.values()].map((level) => this.#sizes.key(level));
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
      if (phase === "sums") this.#sums.enter(name, numbers, this.#sizes.sum(operation, o));
      else {
        this.#sums.leave(name, numbers);
        this.#alive.enter(name, numbers, this.#bytes(name));
      }
    }
    const workspace =
      this.#sizes.workspace(operation, sample.workspace) +
      (phase === "whole" ? this.#sumsBeside(operation, part, sample) : 0);
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
      else this.#alive.enter(tensor, indices, this.#sizes.ciphertext(level));
    }
  }

  #bytes(tensor: string): number {
    return this.#sizes.ciphertext((this.#program.tensors[tensor] as Tensor).level as number);
  }

  /** Sums of a part that are alive together before the first is finished, beside those that the sample has. */
  #sumsBeside(operation: Operation, part: Part, { results }: Sample): number {
    if (!isSumming(this.#program, operation)) return 0;
    return part.outputs.reduce(
      (bytes, numbers, o) =>
        bytes + Math.max(0, numbers.length - (results[o] as number)) * this.#sizes.sum(operation, o),
      0,
    );
  }
}
