/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import type { ShardingName } from "../kernels/index.ts";
import { ciphertextsOf, type Operation, type Part, type Program, range, type Tensor } from "../program/index.ts";
import { dimensionsAtOnce, isSumming } from "../transformer/index.ts";
import { type HeldSizes, shareSizes, wholeSizes } from "./held-sizes.ts";
import { type Phase, type Plan, type ReshapeStep, sharesOf, type TransferStep } from "./plan.ts";
import { giantsOf, type Sample, type Samples } from "./samples.ts";
import { isCut } from "./strategies.ts";
import { type Uses, usesOf } from "./uses.ts";

export interface DeviceMemory {
  /** Bytes at the fullest moment: ciphertexts and sums that are alive, and workspace. */
  readonly activations: number;
  /** With the plaintexts of bootstrapping's transforms, which lie there throughout. */
  readonly workspace: number;
  /** Bytes of these plaintexts. */
  readonly transforms: number;
  /** Bytes of them, for whole ciphertexts, where the operation of that moment does without them. */
  readonly releasable: number;
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

/**
 * Bytes between blocks that no further block fits in, beside so many bytes of ciphertexts and workspace. A run
 * was seen to stop with 8 % of its memory in such gaps.
 */
export function fragmentation(bytes: number): number {
  return bytes / 8;
}

/**
 * Bytes that a device cannot do without: two keys at a time, the rest are paged in when they are asked for, and
 * transforms of bootstrapping are encoded when there is one.
 */
export function leastMemory({ activations, workspace, releasable, keys, largestKey }: DeviceMemory): number {
  const work = activations + workspace - releasable;
  return work + fragmentation(work) + Math.min(keys, 2 * largestKey);
}

/** Operations that work with most ciphertexts, and with many at once: transforms of bootstrapping may be freed before. */
export function releasesTransforms({ geometry }: Program, { kind }: Operation): boolean {
  return geometry.layout === "long" && (kind === "linear" || kind === "scores" || kind === "context");
}

/** What a step changes on one device, in bytes. */
export interface StepMemory {
  /** Index into the plan's steps; −1 for what is there at the beginning. */
  readonly step: number;
  /** Ciphertexts and sums that are more when it is done, or when they arrive. */
  readonly entered: { readonly ciphertexts: number; readonly sums: number };
  /** Ciphertexts that nothing reads after it. */
  readonly left: number;
  /** Beside them while it runs, without what lies there throughout. */
  readonly workspace: number;
}

/**
 * Memory of each device.
 *
 * @param watch told what every step changes, device by device
 */
export function planMemory(
  program: Program,
  plan: Plan,
  parameters: Parameters,
  samples: Samples,
  watch?: (device: number, change: StepMemory) => void,
): DeviceMemory[] {
  // On ciphertexts that are cut, all devices read the same ones.
  const same = isCut(plan.strategy) ? usesOf(program, plan.steps, 0) : undefined;
  return range(plan.devices).map((device) => {
    const whole = wholeSizes(program, parameters);
    const shares = new Map<ShardingName, HeldSizes>();
    const sizes = (sharding: ShardingName | undefined): HeldSizes => {
      if (sharding === undefined) return whole;
      let cut = shares.get(sharding);
      if (cut === undefined)
        shares.set(sharding, (cut = shareSizes(program, parameters, sharding, plan.devices, device)));
      return cut;
    };
    const ledger = new Ledger(program, plan, sizes, samples, device, watch && ((change) => watch(device, change)));
    return ledger.result(same ?? usesOf(program, plan.steps, device));
  });
}

/** Bytes of each ciphertext (or sum, or share) of a tensor that one device holds. */
class Held {
  readonly #bytes = new Map<string, Float64Array>();
  total = 0;

  enter(tensor: string, size: number, numbers: readonly number[], bytes: number): void {
    let list = this.#bytes.get(tensor);
    if (list === undefined) this.#bytes.set(tensor, (list = new Float64Array(size)));
    for (const number of numbers) {
      this.total += bytes - (list[number] as number);
      list[number] = bytes;
    }
  }

  leave(tensor: string, numbers: readonly number[]): void {
    const list = this.#bytes.get(tensor);
    if (list === undefined) return;
    for (const number of numbers) {
      this.total -= list[number] as number;
      list[number] = 0;
    }
  }
}

/** Sizes of what is whole, or of shares. */
type Sizes = (sharding: ShardingName | undefined) => HeldSizes;

/** Follows a plan as one device. */
class Ledger {
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #sizes: Sizes;
  readonly #samples: Samples;
  readonly #device: number;
  readonly #watch: ((change: StepMemory) => void) | undefined;
  #last: Uses["last"] = new Map();
  /** Of the step that is being followed. */
  #workspace = 0;
  readonly #alive = new Held();
  readonly #sums = new Held();
  /** Highest level of each key, whole and in shares. */
  readonly #keys = new Map<ShardingName | undefined, Map<KeyName, number>>();
  /** In which forms the device bootstraps. */
  readonly #bootstraps = new Set<ShardingName | undefined>();
  #best = { activations: 0, workspace: 0, operation: 0 };

  constructor(
    program: Program,
    plan: Plan,
    sizes: Sizes,
    samples: Samples,
    device: number,
    watch: ((change: StepMemory) => void) | undefined,
  ) {
    this.#watch = watch;
    this.#program = program;
    this.#plan = plan;
    this.#sizes = sizes;
    this.#samples = samples;
    this.#device = device;
  }

  result({ last, ended }: Uses): DeviceMemory {
    this.#last = last;
    const { input } = this.#program;
    for (const [number, step] of (last.get(input) ?? []).entries())
      if (step !== -1) this.#enter(input, undefined, [number]);
    this.#watch?.({ step: -1, entered: { ciphertexts: this.#alive.total, sums: 0 }, left: 0, workspace: 0 });
    for (const [index, step] of this.#plan.steps.entries()) {
      const [ciphertexts, sums] = [this.#alive.total, this.#sums.total];
      this.#workspace = 0;
      if (step.kind === "transfer") this.#transfer(step);
      else if (step.kind === "scatter" || step.kind === "gather") this.#reshape(step);
      else if (step.kind === "cut") this.#compute(step.operation, "whole", step.part, step.sharding);
      else {
        const part = step.parts[this.#device];
        if (part !== null && part !== undefined) this.#compute(step.operation, step.phase, part);
      }
      const held = this.#alive.total;
      for (const { tensor, numbers } of ended[index] as (typeof ended)[number]) this.#alive.leave(tensor, numbers);
      this.#watch?.({
        step: index,
        entered: { ciphertexts: held - ciphertexts, sums: this.#sums.total - sums },
        left: held - this.#alive.total,
        workspace: this.#workspace,
      });
    }
    const names = new Map<KeyName, number>();
    const sizes: number[] = [];
    for (const [sharding, keys] of this.#keys) {
      for (const [name, level] of keys) {
        sizes.push(this.#sizes(sharding).key(level));
        names.set(name, Math.max(level, names.get(name) ?? 0));
      }
    }
    const keys = sizes.reduce((sum, bytes) => sum + bytes, 0);
    const { activations, operation } = this.#best;
    let { workspace } = this.#best;
    let transforms = 0;
    for (const sharding of this.#bootstraps)
      transforms += this.#samples.transformBytes / (sharding === undefined ? 1 : this.#plan.devices);
    workspace += transforms;
    const released = releasesTransforms(this.#program, this.#program.operations[operation] as Operation);
    return {
      activations,
      workspace,
      transforms,
      releasable: released && this.#bootstraps.has(undefined) ? this.#samples.transformBytes : 0,
      operation,
      keys,
      largestKey: Math.max(0, ...sizes),
      keyNames: names,
      total: activations + workspace + keys,
    };
  }

  #compute(index: number, phase: Phase, part: Part, sharding?: ShardingName): void {
    const operation = this.#program.operations[index] as Operation;
    const sample = this.#samples.of(operation);
    if (operation.kind === "bootstrap") this.#bootstraps.add(sharding);
    let keys = this.#keys.get(sharding);
    if (keys === undefined) this.#keys.set(sharding, (keys = new Map()));
    for (const [name, level] of sample.keys) keys.set(name, Math.max(level, keys.get(name) ?? 0));
    const sizes = this.#sizes(sharding);
    for (const [o, name] of operation.outputs.entries()) {
      const numbers = part.outputs[o] as readonly number[];
      if (phase === "sums") this.#sums.enter(name, this.#count(name), numbers, sizes.sum(operation, o));
      else {
        this.#sums.leave(name, numbers);
        this.#enter(name, sharding, numbers);
      }
    }
    let workspace = sizes.workspace(operation, sample.workspace);
    if (operation.kind === "scores" && phase !== "finish")
      workspace += this.#queriesBeside(operation, part, sample, sizes);
    if (phase === "whole" && isSumming(this.#program, operation))
      workspace = Math.max(0, workspace + this.#sumsBeside(operation, part, sample, sizes));
    this.#workspace = workspace;
    const activations = this.#alive.total + this.#sums.total;
    if (activations + workspace > this.#best.activations + this.#best.workspace)
      this.#best = { activations, workspace, operation: index };
  }

  #transfer({ tensor, form, level, moves, unitBytes }: TransferStep): void {
    const isSum = form === "sums";
    for (const { from, to, indices } of moves) {
      if (isSum && from === this.#device) this.#sums.leave(tensor, indices);
      if (!to.includes(this.#device)) continue;
      if (isSum) this.#sums.enter(tensor, this.#count(tensor), indices, unitBytes);
      else this.#enter(tensor, undefined, indices, level);
    }
  }

  #reshape({ kind, tensor, sharding, level, numbers }: ReshapeStep): void {
    this.#enter(tensor, kind === "scatter" ? sharding : undefined, numbers, level);
  }

  #enter(tensor: string, sharding: ShardingName | undefined, numbers: readonly number[], level?: number): void {
    const at = level ?? ((this.#program.tensors[tensor] as Tensor).level as number);
    const name = sharding === undefined ? tensor : sharesOf(tensor, sharding);
    // What the device never reads nor sends, it does not keep.
    const uses = this.#last.get(name);
    const isKept = (number: number): boolean => uses !== undefined && uses[number] !== -1;
    const kept = tensor === this.#program.output || numbers.every(isKept) ? numbers : numbers.filter(isKept);
    this.#alive.enter(name, this.#count(tensor), kept, this.#sizes(sharding).ciphertext(at));
  }

  #count(tensor: string): number {
    return ciphertextsOf(this.#program.tensors[tensor] as Tensor);
  }

  /** Queries of giant steps that the sample has not. */
  #queriesBeside(operation: Operation, { outputs }: Part, { giants }: Sample, sizes: HeldSizes): number {
    const { geometry } = this.#program;
    const more = Math.max(0, giantsOf(geometry, outputs[0] as readonly number[]) - giants);
    return more * Math.min(dimensionsAtOnce, geometry.headSize) * sizes.ciphertext(operation.level as number);
  }

  /**
   * Sums of a part that are alive together before the first is finished, beside those that the sample
   * has. Results, which count as alive, take the place of their sums one by one.
   */
  #sumsBeside(operation: Operation, part: Part, { results }: Sample, sizes: HeldSizes): number {
    return part.outputs.reduce((bytes, numbers, o) => {
      const { level } = this.#program.tensors[operation.outputs[o] as string] as Tensor;
      const sums = Math.max(0, numbers.length - (results[o] as number)) * sizes.sum(operation, o);
      return bytes + sums - numbers.length * sizes.ciphertext(level as number);
    }, 0);
  }
}
