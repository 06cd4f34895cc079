/**
 * What operations cost, from running them on the null backend: the real code counts its own kernel
 * work, keys and memory. Operations of equal shape are counted once.
 */
import { AegisError } from "../base/errors.ts";
import { type Bootstrapper, ephemeralSpecialCount } from "../circuits/index.ts";
import {
  Ciphertext,
  type Context,
  Evaluator,
  type KeyName,
  type KeySource,
  type KeyUse,
  keyModuli,
  type LoadedKey,
} from "../ckks/index.ts";
import { emptyWork, type KernelWork, kernelNames, type NullBackend } from "../kernels/index.ts";
import type { Operation, Tensor } from "../program/index.ts";
import { chunksOf } from "./chunks.ts";
import { emptyWeights } from "./costs/empty-weights.ts";
import { OperationCosts } from "./costs/operation-costs.ts";
import type { UnscheduledProgram } from "./graph/index.ts";
import { Environment } from "./operators/environment.ts";
import { executeOperation } from "./operators/execute.ts";
import { type CostModel, originOf } from "./schedule.ts";

export { emptyWeights };

/** Seconds per unit of each kind of kernel work. */
export type KernelTimes = KernelWork;

/**
 * Times of one core of a 2024 server processor (AMD Zen 5, 4 GHz, WebAssembly). Schedules are made
 * with these, whatever the machine, so that a model compiles to the same program everywhere.
 */
export const referenceTimes: KernelTimes = {
  ntt: 0.26e-9,
  elementwise: 0.11e-9,
  product: 0.36e-9,
  scalarProduct: 0.25e-9,
  multiplySum: 0.35e-9,
  multiplySumPair: 0.42e-9,
  automorphism: 0.16e-9,
  convert: 0.15e-9,
  upload: 0.5e-9,
};

/** Σ work · times. */
export function secondsOf(work: KernelWork, times: KernelTimes): number {
  return kernelNames.reduce((sum, name) => sum + work[name] * times[name], 0);
}

/** Gives out keys without content and notes the highest level each was asked for. */
export class RecordingKeys implements KeySource {
  readonly levels = new Map<KeyName, number>();
  /** Every use, in order. */
  readonly sequence: KeyUse[] = [];
  /** Backend memory that the stand-ins take. */
  bytes = 0;
  readonly context: Context;
  readonly #loaded = new Map<string, LoadedKey>();

  constructor(context: Context) {
    this.context = context;
  }

  key(name: KeyName, level: number): LoadedKey {
    this.sequence.push({ name, level });
    this.levels.set(name, Math.max(level, this.levels.get(name) ?? 0));
    const { parameters, ring } = this.context;
    const specialCount = name === "dense-to-sparse" ? ephemeralSpecialCount : parameters.specialCount;
    const shape = `${level} ${specialCount}`;
    let loaded = this.#loaded.get(shape);
    if (loaded === undefined) {
      const moduli = keyModuli(this.context, level, specialCount);
      const half = parameters.digitsAt(level).map(() => ring.poly(moduli, "ntt"));
      this.bytes += half.reduce((sum, poly) => sum + poly.bytes, 0);
      loaded = { level, specialCount, a: half, b: half };
      this.#loaded.set(shape, loaded);
    }
    return loaded;
  }
}

/** Counts the work of operations of one program on a null backend. */
export class NullCosts {
  readonly keys: RecordingKeys;
  readonly #backend: NullBackend;
  readonly #context: Context;
  readonly #environment: Environment;
  readonly #program: UnscheduledProgram;
  readonly #seen = new Map<string, KernelWork>();
  readonly #units: OperationCosts;
  #bootstrap: KernelWork | undefined;

  /** @param like costs on the same context of a program whose geometry differs in baby steps alone */
  constructor(
    context: Context,
    backend: NullBackend,
    program: UnscheduledProgram,
    bootstrapper: Bootstrapper | undefined,
    like?: NullCosts,
  ) {
    this.#backend = backend;
    this.#context = context;
    this.#program = program;
    this.keys = new RecordingKeys(context);
    this.#environment = new Environment(
      new Evaluator(context, this.keys),
      program.geometry,
      program.length,
      bootstrapper,
    );
    this.#units = new OperationCosts(context, backend, program, bootstrapper, like && { units: like.#units.units });
    if (like !== undefined) this.#bootstrap = like.#bootstrap;
  }

  /** What operations cost when kernels take these times. */
  model(times: KernelTimes): CostModel {
    const bootstrap = secondsOf(this.bootstrap(), times);
    return {
      operation: (operation, level) => secondsOf(this.operation(operation, level), times),
      bootstrap: () => bootstrap,
    };
  }

  /** Kernel work of an operation (not of bootstrapping) at a level. */
  operation(operation: Operation, level: number): KernelWork {
    const shape = this.#shape(operation, level);
    let work = this.#seen.get(shape);
    if (work === undefined) {
      work = this.#count(operation, level);
      this.#seen.set(shape, work);
    }
    return work;
  }

  /** Kernel work of one bootstrapping. */
  bootstrap(): KernelWork {
    if (this.#bootstrap === undefined) {
      const { bootstrapper } = this.#environment;
      if (bootstrapper === undefined) throw new AegisError("parameters", "these parameters cannot bootstrap");
      const before = { ...this.#backend.work };
      using a = this.#fake(bootstrapper.inputLevel);
      bootstrapper.bootstrap(this.#environment.evaluator, a).dispose();
      this.#bootstrap = difference(this.#backend.work, before);
    }
    return this.#bootstrap;
  }

  #count(operation: Operation, level: number): KernelWork {
    if (this.#program.geometry.layout === "long" && operation.kind !== "input" && operation.kind !== "output") {
      const origin = { ...operation, level, inputs: operation.inputs.map(originOf) } as Operation;
      const total = emptyWork();
      for (const part of chunksOf(this.#program, origin, this.#context.parameters)) {
        const work = this.#units.work(origin, "whole", part);
        for (const name of kernelNames) total[name] += work[name];
      }
      return total;
    }
    const before = { ...this.#backend.work };
    const inputs = operation.inputs.map((name) => {
      const { blocks, count } = this.#tensor(name);
      return Array.from({ length: blocks * count }, () => this.#fake(level));
    });
    const at = { ...operation, level } as Operation;
    const named = { ...at, inputs: at.inputs.map(originOf) } as Operation;
    const results = executeOperation(this.#environment, this.#program, named, inputs, {
      weights: (_, index) => emptyWeights(this.#program, named, index),
    });
    for (const a of [...inputs.flat(), ...results.flat()]) a.dispose();
    return difference(this.#backend.work, before);
  }

  #fake(level: number): Ciphertext {
    const { parameters, ring } = this.#context;
    const moduli = parameters.moduli(level);
    return new Ciphertext(
      [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")],
      level,
      parameters.scale,
      this.#environment.slots,
    );
  }

  /** A tensor of the graph; refreshed ones have the shape of their origin. */
  #tensor(name: string): Tensor {
    return this.#program.tensors[originOf(name)] as Tensor;
  }

  #shape(operation: Operation, level: number): string {
    const contents = [...operation.inputs, ...operation.outputs].map((name) => {
      const { content, axis, blocks, count, features } = this.#tensor(name);
      return `${content} ${axis} ${blocks}×${count} ${features ?? ""}`;
    });
    const detail =
      operation.kind === "polynomial"
        ? operation.coefficients.map((c) => (c === 0 ? "0" : "x")).join("") + operation.mask
        : "";
    return `${operation.kind} ${contents.join()} ${detail} @${level}`;
  }
}

function difference(after: KernelWork, before: KernelWork): KernelWork {
  const result = emptyWork();
  for (const name of kernelNames) result[name] = after[name] - before[name];
  return result;
}
