/**
 * Kernel work of operations of the long layout without running them ciphertext by ciphertext: what
 * they are made of (rotations, products, key switches) is run once for each level on the null backend,
 * and counted by formulas that follow the operators' loops.
 */
import type { Bootstrapper } from "../circuits/index.ts";
import {
  Ciphertext,
  type Context,
  Evaluator,
  type ExtendedCiphertext,
  type KeySource,
  Multiplier,
  TensorAccumulator,
} from "../ckks/index.ts";
import { emptyWork, type KernelWork, kernelNames } from "../kernels/index.ts";
import {
  bootstrapPairs,
  ciphertextsOf,
  diagonalAt,
  diagonalCount,
  type LinearOperation,
  type Operation,
  type Part,
  type Program,
  range,
  readsOf,
  type Tensor,
} from "../program/index.ts";
import { Environment } from "./operators/environment.ts";
import { type Constants, executeOperation, finishSum, isSumming, sumShape } from "./operators/execute.ts";
import { giantsOf, splitLinear } from "./operators/long/linear.ts";
import { byBlocks } from "./operators/long/scores.ts";
import { PartialSum } from "./operators/sum.ts";

export type Phase = "whole" | "sums" | "finish";

/** What is measured before and after a unit: kernel work, or bytes sent. */
export type Meter = () => KernelWork;

type Counts = Map<string, number>;

export class UnitCosts {
  readonly #context: Context;
  readonly #meter: Meter;
  readonly #environment: Environment;
  readonly #program: Pick<Program, "tensors" | "geometry" | "length">;
  readonly #constants: Constants;
  readonly #known = new Map<string, KernelWork>();
  readonly #units: Readonly<Record<string, (level: number) => () => void>>;

  constructor(
    context: Context,
    meter: Meter,
    keys: KeySource,
    program: Pick<Program, "tensors" | "geometry" | "length">,
    constants: Constants,
    bootstrapper?: Bootstrapper,
  ) {
    this.#context = context;
    this.#meter = meter;
    this.#program = program;
    this.#constants = constants;
    this.#environment = new Environment(new Evaluator(context, keys), program.geometry, program.length, bootstrapper);
    this.#units = this.#snippets();
  }

  /** Kernel work of a part at `operation.level`. */
  work(operation: Operation, phase: Phase, part: Part): KernelWork {
    const total = emptyWork();
    const level = operation.level as number;
    if (!isSumming(this.#program, operation)) return this.#pointwise(operation, part);
    if (phase !== "finish") {
      for (const [unit, count] of this.#sums(operation, part))
        add(
          total,
          this.#unit(`${unit} @${level}`, () => (this.#units[unit] as (level: number) => () => void)(level)),
          count,
        );
    }
    if (phase !== "sums") {
      for (const [o, indices] of part.outputs.entries())
        if (indices.length > 0) add(total, this.#finish(operation, o), indices.length);
    }
    return total;
  }

  /** How often each unit occurs in partial sums. */
  #sums(operation: Operation, part: Part): Counts {
    const counts: Counts = new Map();
    const note = (unit: string, times: number): void => void counts.set(unit, (counts.get(unit) ?? 0) + times);
    const { geometry, tensors } = this.#program;
    const input = tensors[operation.inputs[0] as string] as Tensor;
    const indices = part.outputs[0] as readonly number[];
    const nonZero = (values: ReadonlySet<number>): number => values.size - (values.has(0) ? 1 : 0);
    switch (operation.kind) {
      case "linear":
        this.#linear(operation, input, part, note);
        break;
      case "scores": {
        const dimensions = part.summed?.length ?? geometry.headSize;
        for (const { at } of byBlocks(geometry, indices)) {
          const places = at.map((i) => diagonalAt(geometry, (indices[i] as number) % diagonalCount(geometry)));
          const babies = new Set(places.map(({ baby }) => baby));
          const giants = new Set(places.map(({ giant }) => giant));
          note("hoist", dimensions * ((nonZero(babies) > 0 ? 1 : 0) + (nonZero(giants) > 0 ? 1 : 0)));
          note("rotate", dimensions * (nonZero(babies) + nonZero(giants)));
          note("multiplier", dimensions * giants.size);
          note("product", dimensions * places.length);
        }
        break;
      }
      case "context":
      case "denominators": {
        const diagonals = part.summed ?? range(diagonalCount(geometry));
        const places = diagonals.map((index) => diagonalAt(geometry, index));
        const giants = new Set(places.map(({ giant }) => giant));
        const babies = new Set(places.map(({ keyBlock, baby }) => keyBlock * 2 ** 16 + baby));
        const turns = places.some(({ giant }) => giant === 0) ? giants.size - 1 : giants.size;
        const times = indices.length;
        note("zero-extended", times);
        if (operation.kind === "denominators") {
          note("mask", times * babies.size);
          note("masked-term", times * places.length);
          note("hoist", times * turns);
          note("rotate-extended", times * turns);
          note("add-extended", times * giants.size);
          break;
        }
        const blocks = new Set(places.map(({ keyBlock }) => keyBlock)).size;
        const turned = [...babies].filter((key) => key % 2 ** 16 !== 0).length;
        note("hoist", times * blocks);
        note("rotate", times * turned);
        note("multiplier", times * babies.size);
        note("product", times * places.length);
        note("relinearise-extended", times * giants.size);
        note("accumulate-rotated", times * turns);
        break;
      }
      case "square-sum":
        note("multiplier", indices.length * (part.summed?.length ?? input.count));
        note("product", indices.length * (part.summed?.length ?? input.count));
        break;
      default:
        break;
    }
    return counts;
  }

  #linear(operation: LinearOperation, input: Tensor, part: Part, note: (unit: string, times: number) => void): void {
    const split = splitLinear(this.#program, operation);
    const terms = part.summed?.length ?? input.count;
    const blocks = new Set<number>();
    const babies = new Set<number>();
    for (const [o, indices] of part.outputs.entries()) {
      if (indices.length === 0) continue;
      const { count } = this.#program.tensors[operation.outputs[o] as string] as Tensor;
      for (const index of indices) blocks.add(Math.floor(index / count));
      const shifts = split.shifts[o] as readonly number[];
      for (const k of shifts)
        babies.add(split.babySteps === 0 ? k : k - Math.floor(k / split.babySteps) * split.babySteps);
      note("zero-extended", indices.length * giantsOf(split, o).length);
      note("plain-term", indices.length * terms * shifts.length);
    }
    note("hoist", blocks.size * terms);
    note("rotate-extended", blocks.size * terms * babies.size);
  }

  /** What follows the sum of one ciphertext of output `o`. */
  #finish(operation: Operation, o: number): KernelWork {
    const level = operation.level as number;
    const { ring, parameters } = this.#context;
    const { polynomials, extended } = sumShape(this.#program, operation, o);
    return this.#unit(`finish ${operation.kind} ${operation.outputs[o]?.replace(/^layer\d+/, "")} @${level}`, () => {
      const moduli = extended ? parameters.extendedModuli(level) : parameters.moduli(level);
      const parts = range(polynomials).map(() => ring.zero(moduli, "ntt"));
      const sum = new PartialSum(parts, level, this.#environment.scale * parameters.levelModulus(level));
      return () => {
        finishSum(this.#environment, this.#program, operation, o, 0, sum, this.#constants).dispose();
        sum[Symbol.dispose]();
      };
    });
  }

  /** Operations ciphertext by ciphertext: one is run, the others cost the same. */
  #pointwise(operation: Operation, part: Part): KernelWork {
    const total = emptyWork();
    if (operation.kind === "bootstrap") {
      const tensors = operation.inputs.map((name) => this.#program.tensors[name] as Tensor);
      const wanted = part.outputs.map((indices) => new Set(indices));
      const sizes = new Map<number, number>();
      for (const pair of bootstrapPairs(tensors)) {
        if (pair.some(({ tensor, index }) => wanted[tensor]?.has(index)))
          sizes.set(pair.length, (sizes.get(pair.length) ?? 0) + 1);
      }
      for (const [size, times] of sizes) add(total, this.bootstrap(size), times);
      return total;
    }
    const outputs = part.outputs.map((indices) => indices.slice(0, 1));
    const times = Math.max(...part.outputs.map((indices) => indices.length));
    if (times <= 0) return total;
    const detail =
      operation.kind === "polynomial"
        ? operation.coefficients.map((c) => (c === 0 ? 0 : 1)).join("") + operation.mask
        : "";
    const shape = operation.inputs.map((name) => this.#program.tensors[name.replace(/\*+$/, "")]?.count).join();
    const key = `${operation.kind} ${detail} ${shape} @${operation.level}`;
    add(
      total,
      this.#unit(key, () => this.#prepared(operation, { outputs })),
      times,
    );
    return total;
  }

  /** Work of refreshing a pair, or one ciphertext. */
  bootstrap(size: number): KernelWork {
    return this.#unit(`bootstrap ${size}`, () => {
      const { bootstrapper, evaluator } = this.#environment;
      if (bootstrapper === undefined) return () => undefined;
      const a = this.#fake(bootstrapper.inputLevel);
      const b = this.#fake(bootstrapper.inputLevel);
      return () => {
        if (size === 1) bootstrapper.bootstrap(evaluator, a).dispose();
        else for (const fresh of bootstrapper.bootstrapPair(evaluator, a, b)) fresh.dispose();
        a.dispose();
        b.dispose();
      };
    });
  }

  #prepared(operation: Operation, part: Part): () => void {
    const reads = readsOf(this.#program, operation, part);
    const inputs = operation.inputs.map((name, i) => {
      const list: (Ciphertext | undefined)[] = new Array(ciphertextsOf(this.#program.tensors[name] as Tensor));
      for (const number of reads[i] as number[]) list[number] = this.#fake(operation.level as number);
      return list;
    });
    return () => {
      const results = executeOperation(this.#environment, this.#program, operation, inputs, this.#constants, part);
      for (const a of [...results, ...inputs].flat()) a?.dispose();
    };
  }

  #snippets(): Record<string, (level: number) => () => void> {
    const { evaluator } = this.#environment;
    const context = this.#context;
    const extended = (level: number): ExtendedCiphertext => this.#environment.zeroExtended(level, 1);
    const step = this.#environment.geometry.lanes;
    return {
      hoist: (level) => () => {
        using a = this.#fake(level);
        evaluator.hoist(a);
      },
      rotate: (level) => {
        const hoisted = evaluator.hoist(this.#fake(level));
        return () => evaluator.rotateHoisted(hoisted, step).dispose();
      },
      "rotate-extended": (level) => {
        const hoisted = evaluator.hoist(this.#fake(level));
        return () => evaluator.rotateExtended(hoisted, step)[Symbol.dispose]();
      },
      "zero-extended": (level) => () => extended(level)[Symbol.dispose](),
      "add-extended": (level) => {
        const [a, b] = [extended(level), extended(level)];
        return () => this.#environment.addExtended(a, b);
      },
      "accumulate-rotated": (level) => {
        const [a, b] = [extended(level), extended(level)];
        return () => evaluator.accumulateRotated(a, b, step);
      },
      "relinearise-extended": (level) => {
        const moduli = context.parameters.moduli(level);
        const a = new Ciphertext(
          range(3).map(() => context.ring.zero(moduli, "ntt")),
          level,
          1,
          this.#environment.slots,
        );
        return () => evaluator.relineariseExtended(a)[Symbol.dispose]();
      },
      multiplier: (level) => {
        const a = this.#fake(level);
        return () => new Multiplier(context, a, level)[Symbol.dispose]();
      },
      product: (level) => {
        const a = this.#fake(level);
        const factor = new Multiplier(context, a, level);
        const sum = new TensorAccumulator(context, level);
        return () => sum.add([factor], [a]);
      },
      "plain-term": (level) => {
        const [a, b] = [extended(level), extended(level)];
        return () => {
          const values = new Float64Array(step).fill(1);
          using plaintext = this.#environment.encoder.encode(values, { level, use: "product", extended: true });
          context.ring.kernels.multiplySumPair(
            a.parts[0],
            a.parts[1],
            [plaintext.poly],
            [b.parts[0]],
            [b.parts[1]],
            true,
            plaintext.logRun,
          );
        };
      },
      mask: (level) => () =>
        this.#environment.encoder
          .encode(new Float64Array(this.#environment.slots).fill(1), { level, use: "product" })
          .dispose(),
      "masked-term": (level) => {
        const [a, b, c] = [this.#fake(level), this.#fake(level), this.#fake(level)];
        const part = (x: Ciphertext, k: number) => x.parts[k] as (typeof x.parts)[0];
        return () =>
          context.ring.kernels.multiplySumPair(
            part(a, 0),
            part(a, 1),
            [part(c, 0)],
            [part(b, 0)],
            [part(b, 1)],
            true,
            0,
          );
      },
    };
  }

  #fake(level: number): Ciphertext {
    return this.#environment.evaluator.zero(level, this.#environment.scale, this.#environment.slots);
  }

  /** Runs what `prepare` gives once and keeps what the meter says. */
  #unit(key: string, prepare: () => () => void): KernelWork {
    let work = this.#known.get(key);
    if (work === undefined) {
      const run = prepare();
      const before = { ...this.#meter() };
      run();
      const after = this.#meter();
      work = emptyWork();
      for (const name of kernelNames) work[name] = after[name] - before[name];
      this.#known.set(key, work);
    }
    return work;
  }
}

function add(total: KernelWork, work: KernelWork, times: number): void {
  for (const name of kernelNames) total[name] += times * work[name];
}
