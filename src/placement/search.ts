/**
 * The planner: the shortest path over the operations of a program and the modes of running them. A
 * state is who holds which ciphertexts of the tensors that are still to be read; an edge costs the
 * compute time of the slowest device, what communication is expected to be exposed, and a price for
 * every byte that is sent. Tensors, not ciphertexts, are decided on, and operations of one shape are
 * weighed once.
 */
import { AegisError } from "../base/errors.ts";
import type { ShardingName } from "../kernels/index.ts";
import {
  bootstrapCount,
  ciphertextsOf,
  describeOperation,
  type Operation,
  type Part,
  type Program,
  type Tensor,
  workOf,
} from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { type ChunkOptions, chunkBytesOf, chunksOf } from "./chunking.ts";
import { residentBytes } from "./held-sizes.ts";
import { type Holding, Holdings } from "./holdings.ts";
import { type ModuleName, moduleOf } from "./plan.ts";
import type { Paces } from "./shares.ts";
import { Sharing } from "./sharing.ts";
import { ciphertextBytes, type RingSizes, sumBytes } from "./sizes.ts";
import { isCut, type Mode, type StrategyName, shardingOfMode, shardingsOf } from "./strategies.ts";
import type { PlanCosts } from "./timeline.ts";

export interface SearchOptions extends ChunkOptions {
  readonly devices: number;
  readonly strategy: StrategyName;
  readonly bootstrapInput: number;
  readonly costs: PlanCosts;
  /** Shardings that `aegis` may cut ciphertexts by where there are few; none by default. */
  readonly shardings?: readonly ShardingName[];
  /** Those among them that it may cut any ciphertexts by. */
  readonly everywhere?: readonly ShardingName[];
  /** Seconds that a byte may cost not to be sent, by the part of the model that it is sent for; 0 by default. */
  readonly prices?: Readonly<Record<ModuleName, number>>;
  /** Bytes of ciphertexts that a device may hold between operations; without limit by default. */
  readonly heldBytes?: number;
  /** Modes that an operation must take, by index: what explanations compare with. */
  readonly forced?: ReadonlyMap<number, Mode>;
}

export interface SearchResult {
  readonly modes: readonly Mode[];
  /** Seconds by the search's own estimate, bytes at their price among them. */
  readonly cost: number;
}

/** Share of communication that is charged for although it may travel beside computation. */
const exposedShare = 0.25;
/** States that are kept after each operation. */
const beam = 32;

interface State {
  /** Who holds the tensors that are still to be read, in their order. */
  readonly held: readonly Holding[];
  readonly cost: number;
  readonly mode: Mode;
  readonly previous: State | undefined;
}

/** Searches many times over one program and number of devices: with other prices, other strategies. */
export class Search {
  readonly sharing: Sharing;
  readonly #program: Program;
  readonly #holdings: Holdings;
  /** By the work of an operation and its mode. */
  readonly #seconds = new Map<string, number>();
  readonly #cuts = new Map<string, { seconds: number; bytes: number }>();
  /** Tensors that are still to be read, before each operation and after the last. */
  readonly #live: readonly (readonly string[])[];
  /** How many operations read a tensor. */
  readonly #readers = new Map<string, number>();

  constructor(program: Program, devices: number, paces?: Paces) {
    this.#program = program;
    this.sharing = new Sharing(program, devices, paces);
    this.#holdings = new Holdings(this.sharing);
    this.#live = liveTensors(program);
    for (const { inputs } of program.operations)
      for (const name of new Set(inputs)) this.#readers.set(name, 1 + (this.#readers.get(name) ?? 0));
  }

  /** Throws `plan` when no modes keep within the memory. */
  run(options: SearchOptions): SearchResult {
    let states: State[] = [{ held: [], cost: 0, mode: "replicated", previous: undefined }];
    const dearest = this.#dearest(options);
    for (const [index, operation] of this.#program.operations.entries()) {
      const forced = options.forced?.get(index);
      const modes = forced === undefined ? modesFor(this.#program, operation, options) : [forced];
      const next = new Map<string, State>();
      for (const mode of modes) this.#extend(states, index, operation, mode, options, next);
      states = [...next.values()].sort((a, b) => a.cost - b.cost);
      // From the best, whatever another holds is had for less than it is dearer.
      const most = (states[0]?.cost ?? 0) + dearest(index + 1);
      states = states.slice(0, beam).filter(({ cost }) => cost <= most);
      if (states.length === 0)
        throw new AegisError(
          "plan",
          `${describeOperation(operation)}: no way to run it under strategy ${options.strategy}`,
        );
    }
    const best = states[0] as State;
    const modes: Mode[] = [];
    for (let state: State | undefined = best; state?.previous !== undefined; state = state.previous)
      modes.push(state.mode);
    return { modes: modes.reverse(), cost: best.cost };
  }

  /**
   * Seconds of all operations on ciphertexts cut by one sharding, or undefined as soon as it is clear that they are
   * more than `limit`: from what they take at least, or after the heaviest, which are weighed first.
   */
  cutSeconds(sharding: ShardingName, limit: number, options: SearchOptions): number | undefined {
    const { costs, devices } = options;
    const works = new Map<string, { index: number; operation: Operation; times: number; least: number }>();
    for (const [index, operation] of this.#program.operations.entries()) {
      if (operation.kind === "input" || operation.kind === "output") continue;
      const known = works.get(workOf(this.#program, operation));
      if (known !== undefined) known.times++;
      else {
        const part = this.sharing.whole(operation, "single").owned.find((mine) => mine !== null) as Part;
        const least = costs.leastOfCut({ operation: index, sharding, part }, devices);
        works.set(workOf(this.#program, operation), { index, operation, times: 1, least });
      }
    }
    const heaviest = [...works.values()].sort((a, b) => b.times * b.least - a.times * a.least);
    let seconds = heaviest.reduce((sum, { times, least }) => sum + times * least, 0);
    if (seconds > limit) return undefined;
    for (const { index, operation, times, least } of heaviest) {
      seconds += times * (this.#cut(index, operation, sharding, options, 0) - least);
      if (seconds > limit) return undefined;
    }
    return seconds;
  }

  /**
   * By index of an operation: what it may cost at most, from there on, that tensors are not held as they might be; all
   * of it is brought to all devices. Without limit where these might not have the memory.
   */
  #dearest(options: SearchOptions): (index: number) => number {
    const { devices, ring, bootstrapInput, heldBytes = Number.POSITIVE_INFINITY } = options;
    const price = Math.max(...Object.values(options.prices ?? { other: 0 }));
    const seconds = new Map<string, number>();
    let fits = true;
    for (const names of this.#live) {
      let bytes = 0;
      for (const name of names) {
        const tensor = this.#program.tensors[name] as Tensor;
        const level = tensor.level as number;
        // Whole, and in as many layouts of shares as there are.
        bytes += 2 * ciphertextsOf(tensor) * residentBytes(ring, level);
        if (seconds.has(name)) continue;
        const sent = ciphertextsOf(tensor) * (devices - 1) * ciphertextBytes(ring, Math.max(level, bootstrapInput));
        const { latencySeconds } = options.costs.link;
        const others = (this.#readers.get(name) as number) - 1;
        seconds.set(name, communication(sent, sent, options, price) + others * latencySeconds);
      }
      fits &&= bytes <= heldBytes;
    }
    const sums = this.#live.map((names) => names.reduce((sum, name) => sum + (seconds.get(name) as number), 0));
    return (index) => (fits ? (sums[index] as number) : Number.POSITIVE_INFINITY);
  }

  #extend(
    states: readonly State[],
    index: number,
    operation: Operation,
    mode: Mode,
    options: SearchOptions,
    next: Map<string, State>,
  ): void {
    const before = this.#live[index] as readonly string[];
    const after = this.#live[index + 1] as readonly string[];
    const price = options.prices?.[moduleOf(operation.path)] ?? 0;
    const own =
      shardingOfMode(mode) === undefined
        ? this.#compute(index, operation, mode, options) + this.#sums(operation, mode, options, price)
        : this.#cut(index, operation, mode, options, price);
    const made = operation.kind === "input" ? [] : this.#holdings.made(operation, mode);
    const places = operation.inputs.map((name) => before.indexOf(name));
    // Where each tensor that lives on comes from: an output, or a place before.
    const sources = after.map((name) => {
      const o = operation.outputs.indexOf(name);
      return o >= 0 ? -1 - o : before.indexOf(name);
    });
    for (const state of states) {
      let cost = state.cost + own;
      const held = [...state.held];
      for (const [i, place] of places.entries()) {
        // The client gives the input to whoever reads it, and takes the output from whoever has it.
        if (place < 0 || operation.kind === "output") continue;
        const fetch = this.#holdings.fetch(operation, mode, i, held[place] as Holding);
        cost += fetchSeconds(operation, fetch.most, fetch.ciphertexts, options, price);
        held[place] = fetch.holding;
      }
      const remaining = sources.map((source) => (source < 0 ? made[-1 - source] : held[source]) as Holding);
      if (options.heldBytes !== undefined && this.#bytes(after, remaining, options.ring) > options.heldBytes) continue;
      const key = remaining.map(({ id }) => id).join();
      const present = next.get(key);
      if (present === undefined || cost < present.cost) next.set(key, { held: remaining, cost, mode, previous: state });
    }
  }

  /** Bytes that the fullest device holds, at most. */
  #bytes(names: readonly string[], held: readonly Holding[], ring: RingSizes): number {
    return held.reduce((sum, { most }, i) => {
      const { level } = this.#program.tensors[names[i] as string] as Tensor;
      return sum + most * residentBytes(ring, level as number);
    }, 0);
  }

  /** Seconds of the slowest device, chunk by chunk as it will run. */
  #compute(index: number, operation: Operation, mode: Mode, options: SearchOptions): number {
    if (operation.kind === "input" || operation.kind === "output") return 0;
    const { costs, overlap } = options;
    const key = `${workOf(this.#program, operation)} ${mode} ${chunkBytesOf(operation, options)} ${overlap}`;
    let seconds = this.#seconds.get(key);
    if (seconds === undefined) {
      const devices = new Float64Array(options.devices);
      const of = (phase: "whole" | "sums" | "finish", part: Part | null | undefined): number =>
        part === null || part === undefined ? 0 : costs.compute(index, phase, part);
      for (const { owned, sums } of chunksOf(this.sharing, operation, mode, options)) {
        for (const [d, part] of owned.entries())
          devices[d] =
            (devices[d] as number) +
            (sums === undefined ? of("whole", part) : of("sums", sums[d]) + of("finish", part));
      }
      seconds = Math.max(...devices.map((own, d) => own * (costs.paces?.[d] ?? 1)));
      this.#seconds.set(key, seconds);
    }
    return seconds;
  }

  /** An operation on ciphertexts that are cut, chunk by chunk; what it sends stands between its kernels. */
  #cut(index: number, operation: Operation, mode: Mode, options: SearchOptions, price: number): number {
    const { costs, devices } = options;
    const key = `${workOf(this.#program, operation)} ${mode} ${chunkBytesOf(operation, options)}`;
    let cost = this.#cuts.get(key);
    if (cost === undefined) {
      cost = { seconds: 0, bytes: 0 };
      for (const { owned } of chunksOf(this.sharing, operation, mode, options)) {
        const part = owned[0] as Part;
        const step = { operation: index, sharding: shardingOfMode(mode) as ShardingName, part };
        const { compute, communication, bytes } = costs.cut(step, devices);
        cost.seconds += compute * Math.max(1, ...(costs.paces ?? [])) + communication;
        for (const sent of Object.values(bytes)) cost.bytes += sent;
      }
      this.#cuts.set(key, cost);
    }
    return cost.seconds + price * cost.bytes;
  }

  /** What partial sums cost on their way. */
  #sums(operation: Operation, mode: Mode, options: SearchOptions, price: number): number {
    const { owned, sums } = this.sharing.whole(operation, mode);
    if (sums === undefined) return 0;
    let most = 0;
    let total = 0;
    for (const [from, part] of sums.entries()) {
      if (part === null) continue;
      let bytes = 0;
      for (const o of operation.outputs.keys()) {
        const sent = owned.reduce((sum, mine, to) => sum + (to === from ? 0 : (mine?.outputs[o]?.length ?? 0)), 0);
        bytes += sent * sumBytes(options.ring, this.#program, operation, o);
      }
      most = Math.max(most, bytes);
      total += bytes;
    }
    // The sums of the last chunk travel alone.
    const chunks = chunksOf(this.sharing, operation, mode, options).length;
    return communication(most, total, options, price, Math.max(exposedShare, 1 / chunks));
  }
}

/** Modes that make a difference for an operation, among those of the strategy. */
export function modesFor(
  program: Program,
  operation: Operation,
  {
    strategy,
    devices,
    shardings = [],
    everywhere = [],
  }: Pick<SearchOptions, "strategy" | "devices" | "shardings" | "everywhere">,
): readonly Mode[] {
  if (operation.kind === "input" || operation.kind === "output") return ["replicated"];
  if (isCut(strategy)) return shardingsOf(strategy);
  if (devices === 1 || strategy === "data") return ["single"];
  const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
  const spread = outputs.some(({ count }) => count > 1);
  const blocks = outputs.some((tensor) => tensor.blocks > 1);
  const many: Mode[] = spread ? ["axis"] : outputs.length > 1 ? ["outputs"] : [];
  if (strategy === "tensor") return many.length > 0 ? many : blocks ? ["block"] : ["replicated"];
  const sums = isSumming(program, operation) && (program.tensors[operation.inputs[0] as string] as Tensor).count > 1;
  if (strategy === "megatron" && sums && operation.kind === "linear") {
    // Columns first; rows where a block ends, with the one reduction of the block.
    if (operation.inputs[0] === program.input || operation.weights.some(({ inputNorm }) => inputNorm !== null))
      return many.length > 0 ? many : ["single", "replicated"];
    return spread ? ["summed-axis"] : ["summed-single"];
  }
  const modes: Mode[] = ["single", "replicated", ...many];
  // Scores are sums over the heads' dimensions, which stay together in Megatron's blocks.
  if (sums && (strategy !== "megatron" || operation.kind !== "scores"))
    modes.push("summed-single", ...(spread ? (["summed-axis"] as const) : []));
  if (strategy === "megatron") return modes;
  if (blocks) modes.push("block");
  if (blocks && sums) modes.push("summed-block");
  modes.push(...(isFew(program, operation, devices) ? shardings : everywhere));
  return modes;
}

/** Whether an operation has fewer ciphertexts than there are devices, so that some would be idle. */
function isFew({ geometry, tensors }: Program, { kind, inputs, outputs }: Operation, devices: number): boolean {
  if (geometry.layout === "short") return true;
  const of = (names: readonly string[]): Tensor[] => names.map((name) => tensors[name] as Tensor);
  if (kind === "bootstrap") return bootstrapCount(of(inputs)) < devices;
  return of([...inputs, ...outputs]).every((tensor) => ciphertextsOf(tensor) < devices);
}

function fetchSeconds(
  operation: Operation,
  most: number,
  ciphertexts: number,
  options: SearchOptions,
  price: number,
): number {
  if (ciphertexts === 0) return 0;
  const level = operation.kind === "bootstrap" ? options.bootstrapInput : (operation.level as number);
  const unit = ciphertextBytes(options.ring, level);
  return communication(most * unit, ciphertexts * unit, options, price);
}

/**
 * @param most bytes that one device sends
 * @param total bytes that all send
 */
function communication(
  most: number,
  total: number,
  { overlap, costs: { link } }: SearchOptions,
  price: number,
  exposed = exposedShare,
): number {
  if (total === 0) return 0;
  return link.latencySeconds + (overlap ? exposed : 1) * (most / link.bytesPerSecond) + price * total;
}

/** Names of the tensors that are still to be read, before each operation and after the last; never the input. */
function liveTensors(program: Program): string[][] {
  const last = new Map<string, number>();
  for (const [index, { inputs }] of program.operations.entries()) for (const name of inputs) last.set(name, index);
  const live: string[][] = [[]];
  for (const [index, operation] of program.operations.entries()) {
    const names = (live[index] as string[]).filter((name) => (last.get(name) as number) > index);
    if (operation.kind !== "input")
      for (const name of operation.outputs) if ((last.get(name) ?? -1) > index) names.push(name);
    live.push(names);
  }
  return live;
}
