/**
 * Kernel work of operations, or parts of them, without running them ciphertext by ciphertext. Sums of the
 * long layout: units of the operators' code are measured once for each level, and counted by formulas
 * that follow the operators' loops. All else is traced once, and its calls are priced at each level.
 */
import { AegisError } from "../../base/errors.ts";
import { invariant } from "../../base/validate.ts";
import { Bootstrapper } from "../../circuits/index.ts";
import { type Ciphertext, type Context, Evaluator, type KeyName, reducedSteps } from "../../ckks/index.ts";
import {
  type CountsByPrime,
  countsByPrime,
  emptyWork,
  type KernelWork,
  kernelNames,
  type NullBackend,
} from "../../kernels/index.ts";
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
  slotsOf,
  type Tensor,
} from "../../program/index.ts";
import { refresh } from "../operators/bootstrap.ts";
import { Environment } from "../operators/environment.ts";
import { executeOperation, finishSum, isSumming, sumShape } from "../operators/execute.ts";
import { splitLinear, sumLevel } from "../operators/long/linear-split.ts";
import { babyStep, giantStep } from "../operators/long/scores.ts";
import { PartialSum } from "../operators/sum.ts";
import { originOf } from "../schedule.ts";
import { uncountedKeys } from "./blank-keys.ts";
import { emptyWeights } from "./empty-weights.ts";
import { LinearCounts } from "./linear-counts.ts";
import { meterOf, Prices, wholePrices } from "./prices.ts";
import { type KernelTimes, referenceTimes } from "./times.ts";
import { stepClasses, type Trace } from "./trace.ts";
import { Traces } from "./traces.ts";
import { type ExtendedForm, fake, fakeExtended, type Meter, UnitCache, type UnitName, unit } from "./units.ts";

/** All of an operation, its partial sums alone, or what follows the totals. */
export type OperationPhase = "whole" | "sums" | "finish";

export interface OperationCostsOptions {
  /** Of a rank: further counters beside kernel work, such as bytes sent; see {@link OperationCosts.bytes}. */
  readonly meter?: Meter;
  /** Of a device alone: times of the seconds by prime, see {@link OperationCosts.byPrime}; of the reference by default. */
  readonly times?: KernelTimes;
  /** Costs on the same context, for a program whose geometry differs in baby steps alone. */
  readonly like?: OperationCosts | undefined;
  /** Of the same program; those of `like`, or fresh ones, by default. */
  readonly traces?: Traces;
}

/** Makes operands, and returns what works on them. */
type Prepared = (environment: Environment, operand: (level: number) => Ciphertext) => () => void;

/** Operations' programs: what is needed of them. */
export type CostedProgram = Pick<Program, "tensors" | "geometry" | "classes" | "output" | "length">;

export class OperationCosts {
  readonly #program: CostedProgram;
  readonly #environment: Environment;
  readonly traces: Traces;
  /** Of calls; undefined where these depend on where they are made, and operators have to run. */
  readonly prices: Prices | undefined;
  readonly #units: UnitCache;
  readonly #priced = new Map<string, Float64Array>();
  readonly #metered: boolean;
  readonly #linear = new Map<string, LinearCounts>();
  readonly #shapes = new Map<string, string>();
  readonly #size: number;

  /**
   * @param context over `backend`, or over a sharded one that counts on it
   * @param bootstrapper of fresh traces, see there
   */
  constructor(
    context: Context,
    backend: NullBackend,
    program: CostedProgram,
    bootstrapper?: Bootstrapper,
    { meter, like, times = referenceTimes, traces }: OperationCostsOptions = {},
  ) {
    this.#program = program;
    this.#metered = meter !== undefined;
    this.traces = traces ?? like?.traces ?? new Traces(program, context.parameters, bootstrapper);
    if (like !== undefined) {
      this.#size = like.#size;
      this.#units = like.#units;
      this.prices = like.prices;
    } else {
      const work = (): number[] => kernelNames.map((name) => backend.work[name]);
      const counted: Meter = meter === undefined ? meterOf(context, backend, times) : () => [...work(), ...meter()];
      this.#size = counted().length;
      this.#units = new UnitCache(counted);
      if (meter === undefined) this.prices = wholePrices(context.parameters, times);
      else if (Prices.apply(context)) this.prices = new Prices(context, backend, counted);
    }
    const evaluator = new Evaluator(context, uncountedKeys(context, backend));
    this.#environment = new Environment(evaluator, program.geometry, program.length, this.#bootstrapperOn(context));
  }

  /** What operators bootstrap with where they have to run. */
  #bootstrapperOn(context: Context): Bootstrapper | undefined {
    const { bootstrapper } = this.prices === undefined ? this.traces : {};
    return bootstrapper && new Bootstrapper(context, bootstrapper.slots, bootstrapper);
  }

  /** Kernel work at `operation.level`. */
  work(operation: Operation, phase: OperationPhase, part: Part): KernelWork {
    return workOfList(this.#count(operation, phase, part));
  }

  /** What the further meter of a rank counts of it. */
  bytes(operation: Operation, phase: OperationPhase, part: Part): number[] {
    return this.#metered ? this.#beyondWork(operation, phase, part) : [];
  }

  /** What a whole part does to limbs modulo each prime, on a device alone. */
  byPrime(operation: Operation, part: Part): CountsByPrime {
    return countsByPrime(this.#beyondWork(operation, "whole", part));
  }

  #beyondWork(operation: Operation, phase: OperationPhase, part: Part): number[] {
    return [...this.#count(operation, phase, part).subarray(kernelNames.length)];
  }

  seconds(operation: Operation, phase: OperationPhase, part: Part, times: KernelWork): number {
    const total = this.#count(operation, phase, part);
    return kernelNames.reduce((sum, name, i) => sum + (total[i] as number) * times[name], 0);
  }

  /** Keys that part of an operation asks for (no sum of the long layout), with the highest level of each, and its most bytes. */
  sample(operation: Operation, part: Part): { keys: Map<KeyName, number>; bytes: number } {
    invariant(this.prices !== undefined, "samples are of whole ciphertexts");
    const level = operation.level as number;
    let key = this.#eachKey(operation, part);
    let levelOf = (_: string): number => level;
    if (operation.kind === "bootstrap") {
      // Pairs are formed at the levels of their ciphertexts, what follows is at levels of its own.
      levelOf = (name) => (this.#program.tensors[name] as Tensor).level ?? level;
      key += `${part.outputs.join(";")} @${operation.inputs.map(levelOf)} → ${operation.target}`;
    }
    const trace = this.#traced(key, level, this.#runOf(operation, part, levelOf));
    const keys = new Map([...trace.keys].map(([name, relative]) => [name, level + relative]));
    return { keys, bytes: this.prices.bytes(trace, level) };
  }

  /** Kernel work of one bootstrapping of one ciphertext or of a pair, at the lowest level that it takes. */
  bootstrap(size: 1 | 2): KernelWork {
    const { bootstrapper } = this.traces;
    if (bootstrapper === undefined) throw new AegisError("parameters", "these parameters cannot bootstrap");
    return workOfList(this.#bootstrap(size, bootstrapper.inputLevel));
  }

  #count(operation: Operation, phase: OperationPhase, part: Part): Float64Array {
    const total = new Float64Array(this.#size);
    if (operation.kind === "input" || operation.kind === "output") return total;
    const origin = this.#origin(operation);
    if (origin.kind === "bootstrap") this.#refresh(total, origin, part);
    else if (!isSumming(this.#program, origin)) this.#each(total, origin, part);
    else {
      if (phase !== "finish") this.#sums(total, origin, part);
      if (phase !== "sums")
        for (const [o, indices] of part.outputs.entries()) this.#finishes(total, origin, o, indices);
    }
    return total;
  }

  #sums(total: Float64Array, operation: Operation, part: Part): void {
    const { geometry } = this.#program;
    const level = operation.level as number;
    const indices = part.outputs[0] as readonly number[];
    const note = (name: UnitName, times: number): void => {
      if (times > 0) add(total, this.#unit(name, level), times);
    };
    const rotate = (name: UnitName, steps: number, times: number): void =>
      add(total, this.#unit(name, level, steps), times);
    /** Rotations of `times` operands by multiples of a step, as `turned` makes them. */
    const turn = (multiples: ReadonlySet<number>, step: number, times: number): void => {
      note("copy", times * (multiples.has(0) ? 2 : 1));
      const others = multiples.size - (multiples.has(0) ? 1 : 0);
      if (others === 0) return;
      note("hoist", times);
      this.#rotations(multiples, step, (steps, count) => rotate("rotate", steps, times * count));
    };
    switch (operation.kind) {
      case "linear": {
        if (part.outputs.every((list) => list.length === 0)) return;
        const counts = this.#linearCounts(operation).of(part);
        const { zeros, terms, byOutput, downs, lifted, operands, rotations, turns, furtherRotations } = counts;
        const narrow = splitLinear(this.#program, operation).basis === "Q";
        note("copy", operands);
        note("hoist", operands);
        if (narrow) {
          note("down", downs);
          for (const [o, { zeros, terms }] of byOutput.entries()) {
            const at = sumLevel(this.#program, operation, o);
            add(total, this.#unit("zero-sum", at), zeros);
            add(total, this.#unit("plain-term-narrow", at), terms);
          }
        } else {
          note("zero-extended", zeros);
          note("plain-term", terms - lifted);
          note(lifted === terms ? "plain-term-lifted-only" : "plain-term-lifted", lifted);
        }
        for (const [steps, times] of rotations)
          if (this.#reduced(steps) !== 0) rotate("rotate-extended", steps, times);
          else if (!narrow) note("extend", times);
        note("hoist-extended", turns);
        for (const [steps, times] of furtherRotations) rotate("rotate-further", steps, times);
        return;
      }
      case "scores": {
        const dimensions = part.summed?.length ?? geometry.headSize;
        for (const { babies, giants, products } of this.#scoreGroups(indices)) {
          turn(babies, babyStep(geometry), dimensions);
          turn(giants, -giantStep(geometry), dimensions);
          note("multiplier", dimensions * giants.size);
          note("product", dimensions * products);
        }
        return;
      }
      case "denominators": {
        const { giants, babies, products } = rowsOf(this.#program, part);
        const times = indices.length;
        note("mask", times * [...babies.values()].reduce((sum, set) => sum + set.size, 0));
        note("masked-term", times * products);
        note("zero-extended", times);
        if (giants.has(0)) {
          note("extend", times);
          note("add-lifted", times);
        }
        this.#rotations(giants, giantStep(geometry), (steps, count) => {
          note("hoist", times * count);
          rotate("rotate-extended", steps, times * count);
          note("add-extended", times * count);
        });
        return;
      }
      case "context": {
        const { giants, babies, products } = rowsOf(this.#program, part);
        const times = indices.length;
        for (const set of babies.values()) {
          turn(set, babyStep(geometry), times);
          note("multiplier", times * set.size);
        }
        note("product", times * products);
        note("relinearise-extended", times * giants.size);
        note("zero-extended", times);
        if (giants.has(0)) note("add-extended", times);
        this.#rotations(giants, giantStep(geometry), (steps, count) =>
          rotate("accumulate-rotated", steps, times * count),
        );
        return;
      }
      default: {
        const input = this.#program.tensors[operation.inputs[0] as string] as Tensor;
        const terms = indices.length * (part.summed?.length ?? input.count);
        note("multiplier", terms);
        note("product", terms);
      }
    }
  }

  /** Calls `each` for rotations by multiples other than 0: one for all, or by classes where bytes are counted. */
  #rotations(multiples: ReadonlySet<number>, step: number, each: (steps: number, count: number) => void): void {
    const classes = new Map<number, number>();
    for (const k of multiples) {
      if (k === 0) continue;
      const kind = this.#metered ? this.#reduced(k * step) % stepClasses : 0;
      classes.set(kind, (classes.get(kind) ?? 0) + 1);
    }
    for (const [kind, count] of classes) each(kind, count);
  }

  #reduced(steps: number): number {
    return reducedSteps(steps, slotsOf(this.#program.geometry));
  }

  /** A unit; rotations by a step other than 0. */
  #unit(name: UnitName, level: number, steps = 0): Float64Array {
    const kind = this.#metered ? this.#reduced(steps) % stepClasses : 0;
    return this.#units.measure(
      `${name} ${kind} @${level}`,
      unit(this.#environment, name, level, kind === 0 ? stepClasses : kind),
    );
  }

  /** Diagonals by query block and key block. */
  #scoreGroups(indices: readonly number[]) {
    const { geometry } = this.#program;
    const count = diagonalCount(geometry);
    const groups = new Map<number, { babies: Set<number>; giants: Set<number>; products: number }>();
    for (const index of indices) {
      const { keyBlock, giant, baby } = diagonalAt(geometry, index % count);
      const key = Math.floor(index / count) * geometry.blocks + keyBlock;
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { babies: new Set(), giants: new Set(), products: 0 }));
      group.babies.add(baby);
      group.giants.add(giant);
      group.products++;
    }
    return groups.values();
  }

  #linearCounts(operation: LinearOperation): LinearCounts {
    const key = `${operation.inputs.join()} → ${operation.outputs.join()}`;
    let counts = this.#linear.get(key);
    if (counts === undefined) {
      counts = new LinearCounts(this.#program, operation);
      this.#linear.set(key, counts);
    }
    return counts;
  }

  /** What follows the sums of output `o`; it differs by place only where a total's layout does. */
  #finishes(total: Float64Array, operation: Operation, o: number, indices: readonly number[]): void {
    if (indices.length === 0) return;
    if (operation.kind === "linear" && this.#metered)
      for (const [kind, list] of this.#linearCounts(operation).byKind(o, indices))
        add(total, this.#finish(operation, o, kind), list.length);
    else add(total, this.#finish(operation, o, 0), indices.length);
  }

  #finish(operation: Operation, o: number, kind: number): Float64Array {
    const level = operation.level as number;
    const kept = (this.#program.tensors[operation.outputs[o] as string] as Tensor).level;
    return this.#units.measure(`finish ${this.#shape(operation)} ${o} ${kind} @${level} → ${kept}`, (keep) => {
      const { ring, parameters } = this.#environment.evaluator.context;
      const { polynomials, extended, level } = sumShape(this.#program, operation, o);
      const parts = extended
        ? this.#forms(operation, o, kind).flatMap((form) => fakeExtended(this.#environment, form, level, keep).parts)
        : range(polynomials).map(() => keep(ring.zero(parameters.moduli(level), "ntt")));
      const sum = new PartialSum(parts, level, this.#environment.scale * parameters.levelModulus(level));
      const constants = this.#constants(operation);
      return () => finishSum(this.#environment, this.#program, operation, o, 0, sum, constants).dispose();
    });
  }

  /** What the sums over QP of one ciphertext are laid out as. */
  #forms(operation: Operation, o: number, kind: number): ExtendedForm[] {
    const { geometry } = this.#program;
    if (operation.kind === "linear") {
      const forms = { rotated: "total", lifted: "lifted-total", none: "zero" } as const;
      return this.#linearCounts(operation)
        .rows(o, kind)
        .map((row) => forms[row]);
    }
    const rotates = operation.kind === "context" || diagonalCount(geometry) > geometry.blocks * geometry.babySteps;
    return [rotates ? "total" : "lifted-total"];
  }

  /** Operations ciphertext by ciphertext; all of the part at once in the short layout. */
  #each(total: Float64Array, operation: Operation, part: Part): void {
    if (part.outputs.every((indices) => indices.length === 0)) return;
    const short = this.#program.geometry.layout === "short";
    const measured = short ? part : { outputs: part.outputs.map((indices) => indices.slice(0, 1)) };
    const times = short ? 1 : Math.max(...part.outputs.map((indices) => indices.length));
    const run = this.#runOf(operation, measured, () => operation.level as number);
    add(total, this.#cost(this.#eachKey(operation, part), operation.level as number, run), times);
  }

  /** @param levelOf of an operation's input */
  #runOf(operation: Operation, part: Part, levelOf: (name: string) => number): Prepared {
    return (environment, operand) => {
      const reads = readsOf(this.#program, operation, part);
      const inputs = operation.inputs.map((name, i) => {
        const list: (Ciphertext | undefined)[] = new Array(ciphertextsOf(this.#program.tensors[name] as Tensor));
        for (const number of reads[i] as number[]) list[number] = operand(levelOf(name));
        return list;
      });
      const constants = this.#constants(operation);
      return () => {
        const results = executeOperation(environment, this.#program, operation, inputs, constants, part);
        for (const a of results.flat()) a.dispose();
      };
    };
  }

  /**
   * What is counted of a body at a level: the prices of its calls, or what it does when it really runs.
   *
   * @param key of what is traced alike at any level
   */
  #cost(key: string, level: number, prepare: Prepared): Float64Array {
    const at = `${key} @${level}`;
    const { prices } = this;
    if (prices === undefined)
      return this.#units.measure(at, (keep) =>
        prepare(this.#environment, (level) => keep(fake(this.#environment, level))),
      );
    let known = this.#priced.get(at);
    if (known === undefined) this.#priced.set(at, (known = prices.total(this.#traced(key, level, prepare), level)));
    return known;
  }

  #traced(key: string, level: number, prepare: Prepared): Trace {
    return this.traces.of(key, level, (environment, evaluator) => {
      const operands: Ciphertext[] = [];
      prepare(environment, (level) => {
        const operand = evaluator.operand(level, environment.slots);
        operands.push(operand);
        return operand;
      })();
      for (const operand of operands) operand.dispose();
    });
  }

  #eachKey(operation: Operation, { outputs, summed }: Part): string {
    const detail = this.#program.geometry.layout === "short" ? `${outputs.join(";")} ${summed ?? ""}` : "";
    return `${this.#shape(operation)} ${detail}`;
  }

  /** Every pair that has a ciphertext in the part; those that are kept are brought to the target. */
  #refresh(total: Float64Array, operation: Extract<Operation, { kind: "bootstrap" }>, part: Part): void {
    const wanted = part.outputs.map((indices) => new Set(indices));
    let kept = 0;
    const sizes = new Map<number, number>();
    for (const pair of bootstrapPairs(operation.inputs.map((name) => this.#program.tensors[name] as Tensor))) {
      const mine = pair.filter(({ tensor, index }) => wanted[tensor]?.has(index)).length;
      if (mine === 0) continue;
      kept += mine;
      sizes.set(pair.length, (sizes.get(pair.length) ?? 0) + 1);
    }
    for (const [size, times] of sizes) this.#refreshPairs(total, size, times, operation.level as number);
    if (kept > 0) add(total, this.#unit("copy", operation.target), kept);
  }

  /** Above the lowest level that bootstrapping takes, only forming the pair is more work. */
  #refreshPairs(total: Float64Array, size: number, times: number, level: number): void {
    const lowest = Math.min(level, this.traces.bootstrapper?.inputLevel ?? level);
    add(total, this.#bootstrap(size, lowest), times);
    if (size === 1 || level === lowest) return;
    add(total, this.#unit("pair", level), times);
    add(total, this.#unit("pair", lowest), -times);
  }

  /** One bootstrapping of one ciphertext or of a pair. */
  #bootstrap(size: number, level: number): Float64Array {
    // Most of it is at levels of its own.
    return this.#cost(`bootstrap ${size} @${level}`, level, (environment, operand) => {
      const { bootstrapper, evaluator } = environment;
      if (bootstrapper === undefined) return () => undefined;
      const [a, b] = [operand(level), operand(level)];
      return () => {
        for (const fresh of refresh(bootstrapper, evaluator, a, size === 1 ? undefined : b)) fresh.dispose();
      };
    });
  }

  #constants(operation: Operation) {
    return { weights: (_: LinearOperation, index: number) => emptyWeights(this.#program, operation, index) };
  }

  /** With the names of tensors in the program at hand: refreshed ones have the shape of their origin. */
  #origin(operation: Operation): Operation {
    const known = (name: string): string => (this.#program.tensors[name] === undefined ? originOf(name) : name);
    if (operation.inputs.every((name) => this.#program.tensors[name] !== undefined)) return operation;
    return { ...operation, inputs: operation.inputs.map(known), outputs: operation.outputs.map(known) } as Operation;
  }

  /** What the cost of one ciphertext depends on besides the level. */
  #shape(operation: Operation): string {
    const names = `${operation.kind} ${operation.inputs.join()} → ${operation.outputs.join()}`;
    let shape = this.#shapes.get(names);
    if (shape === undefined) {
      const list = [...operation.inputs, ...operation.outputs].map((name) => {
        const { content, axis, blocks, count, features } = this.#program.tensors[name] as Tensor;
        return `${content} ${axis} ${blocks}×${count} ${features ?? ""}${name === this.#program.output ? " last" : ""}`;
      });
      shape = `${operation.kind} ${list.join()}`;
      this.#shapes.set(names, shape);
    }
    if (operation.kind !== "polynomial") return shape;
    return `${shape} ${operation.coefficients.map((c) => (c === 0 ? "0" : "x")).join("")} ${operation.mask}`;
  }
}

/** Diagonals that a part sums: giant steps, and baby steps by key block. */
function rowsOf({ geometry }: Pick<Program, "geometry">, part: Part) {
  const giants = new Set<number>();
  const babies = new Map<number, Set<number>>();
  const diagonals = part.summed ?? range(diagonalCount(geometry));
  for (const index of diagonals) {
    const { keyBlock, giant, baby } = diagonalAt(geometry, index);
    giants.add(giant);
    const set = babies.get(keyBlock);
    if (set === undefined) babies.set(keyBlock, new Set([baby]));
    else set.add(baby);
  }
  return { giants, babies, products: diagonals.length };
}

function workOfList(list: Float64Array): KernelWork {
  const work = emptyWork();
  for (const [i, name] of kernelNames.entries()) work[name] = list[i] as number;
  return work;
}

function add(total: Float64Array, amount: Float64Array, times: number): void {
  for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + times * (amount[i] as number);
}
