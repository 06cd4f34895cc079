/**
 * The planner: the shortest path over the operations of a program and the modes of running them. A
 * state is who holds which ciphertexts of the tensors that are still to be read; an edge costs the
 * compute time of the slowest device plus what communication is expected to be exposed. Tensors, not
 * ciphertexts, are decided on, and operations of one shape are weighed once.
 */
import { AegisError } from "../base/errors.ts";
import { describeOperation, type Operation, type Program, type Tensor } from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { type Holding, Holdings, shapeOf } from "./holdings.ts";
import { workPart } from "./needs.ts";
import { ciphertextBytes, type RingSizes, sumBytes } from "./sizes.ts";
import type { Mode, StrategyName } from "./strategies.ts";
import type { PlanCosts } from "./timeline.ts";

export interface SearchOptions {
  readonly devices: number;
  readonly strategy: StrategyName;
  readonly overlap: boolean;
  readonly ring: RingSizes;
  readonly bootstrapInput: number;
  readonly costs: PlanCosts;
  /** Modes that an operation must take, by index: what explanations compare with. */
  readonly forced?: ReadonlyMap<number, Mode>;
}

export interface SearchResult {
  readonly modes: readonly Mode[];
  /** Seconds by the search's own estimate. */
  readonly cost: number;
}

/** Share of communication that is charged for although it may travel beside computation. */
const exposedShare = 0.25;
/** States that are kept after each operation. */
const beam = 48;

interface State {
  readonly held: ReadonlyMap<string, Holding>;
  readonly cost: number;
  readonly mode: Mode;
  readonly previous: State | undefined;
}

export function searchModes(program: Program, options: SearchOptions): SearchResult {
  const holdings = new Holdings(program, options.devices);
  const work = new Map<string, number>();
  const last = lastReads(program);
  let states: State[] = [{ held: new Map(), cost: 0, mode: "replicated", previous: undefined }];
  for (const [index, operation] of program.operations.entries()) {
    const forced = options.forced?.get(index);
    const modes = forced === undefined ? modesFor(program, operation, options) : [forced];
    const next = new Map<string, State>();
    for (const mode of modes) {
      const compute = computeSeconds(program, holdings, work, index, operation, mode, options);
      const summing = sumSeconds(program, holdings, operation, mode, options);
      for (const state of states) {
        let cost = state.cost + compute + summing;
        const held = new Map(state.held);
        for (const [i, name] of operation.inputs.entries()) {
          const have = held.get(name);
          if (have === undefined || operation.kind === "output") continue; // the client gives the input to whoever reads it
          const fetch = holdings.fetch(operation, mode, i, have);
          cost += fetchSeconds(operation, fetch.most, options);
          held.set(name, fetch.holding);
        }
        if (operation.kind !== "input")
          for (const [o, name] of operation.outputs.entries()) held.set(name, holdings.made(operation, mode, o));
        for (const name of operation.inputs) if (last.get(name) === index) held.delete(name);
        const key = [...held].map(([name, { key }]) => `${name} ${key}`).join();
        const present = next.get(key);
        if (present === undefined || cost < present.cost) next.set(key, { held, cost, mode, previous: state });
      }
    }
    states = [...next.values()].sort((a, b) => a.cost - b.cost).slice(0, beam);
    if (states.length === 0)
      throw new AegisError(
        "plan",
        `${describeOperation(operation)}: no way to run it under strategy ${options.strategy}`,
      );
  }
  const best = states[0] as State;
  const modes: Mode[] = [];
  for (let state: State | undefined = best; state?.previous !== undefined; state = state.previous)
    modes.unshift(state.mode);
  return { modes, cost: best.cost };
}

/** Modes that make a difference for an operation, among those of the strategy. */
export function modesFor(program: Program, operation: Operation, { strategy, devices }: SearchOptions): Mode[] {
  if (operation.kind === "input" || operation.kind === "output") return ["replicated"];
  if (devices === 1 || strategy === "data") return ["single"];
  const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
  const spread = outputs.some(({ count }) => count > 1);
  const blocks = outputs.some((tensor) => tensor.blocks > 1);
  const many: Mode[] = spread ? ["axis"] : outputs.length > 1 ? ["outputs"] : [];
  if (strategy === "tensor") return many.length > 0 ? many : blocks ? ["block"] : ["replicated"];
  const modes: Mode[] = ["single", "replicated", ...many];
  const input = program.tensors[operation.inputs[0] as string] as Tensor;
  // Sums over what attention or a layer couples stay on one device in Megatron's blocks, but for the
  // second half of each: the product with the values and the output projection.
  const sums =
    isSumming(program, operation) && input.count > 1 && (strategy !== "megatron" || operation.kind !== "scores");
  if (sums) modes.push("summed-single", ...(spread ? (["summed-axis"] as const) : []));
  if (strategy === "megatron") return modes;
  if (blocks) modes.push("block");
  if (blocks && sums) modes.push("summed-block");
  return modes;
}

/** Seconds of the slowest device. */
function computeSeconds(
  program: Program,
  holdings: Holdings,
  known: Map<string, number>,
  index: number,
  operation: Operation,
  mode: Mode,
  { devices, costs }: SearchOptions,
): number {
  if (operation.kind === "input" || operation.kind === "output") return 0;
  const key = `${shapeOf(program, operation)} @${operation.level} ${detail(operation)} ${mode}`;
  let seconds = known.get(key);
  if (seconds === undefined) {
    const parts = holdings.parts(operation, mode);
    const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
    seconds = 0;
    for (let d = 0; d < devices; d++) {
      const results = { outputs: parts.results[d] as number[][] };
      const empty = results.outputs.every((list) => list.length === 0);
      let mine = 0;
      if (parts.summed === undefined) mine = empty ? 0 : costs.compute(index, "whole", results);
      else {
        if ((parts.summed[d] as number[]).length > 0) mine += costs.compute(index, "sums", workPart(parts, outputs, d));
        if (!empty) mine += costs.compute(index, "finish", results);
      }
      seconds = Math.max(seconds, mine);
    }
    known.set(key, seconds);
  }
  return seconds;
}

/** What else than shapes and level an operation's work depends on. */
function detail(operation: Operation): string {
  if (operation.kind === "polynomial")
    return operation.coefficients.map((c) => (c === 0 ? "0" : "x")).join("") + operation.mask;
  return operation.kind === "bootstrap" ? String(operation.target) : "";
}

/** Exposed seconds of partial sums on their way. */
function sumSeconds(
  program: Program,
  holdings: Holdings,
  operation: Operation,
  mode: Mode,
  { ring, devices, overlap, costs }: SearchOptions,
): number {
  const { results, summed } = holdings.parts(operation, mode);
  if (summed === undefined) return 0;
  let most = 0;
  for (let from = 0; from < devices; from++) {
    if ((summed[from] as number[]).length === 0) continue;
    let bytes = 0;
    for (const [o] of operation.outputs.entries()) {
      const sent = results.reduce(
        (sum, mine, to) => sum + (to === from ? 0 : (mine[o] as readonly number[]).length),
        0,
      );
      bytes += sent * sumBytes(ring, program, operation, o);
    }
    most = Math.max(most, bytes);
  }
  return exposed(most, overlap, costs);
}

function fetchSeconds(
  operation: Operation,
  most: number,
  { ring, bootstrapInput, overlap, costs }: SearchOptions,
): number {
  if (most === 0) return 0;
  const level = operation.kind === "bootstrap" ? bootstrapInput : (operation.level as number);
  return exposed(most * ciphertextBytes(ring, level), overlap, costs);
}

function exposed(bytes: number, overlap: boolean, { link }: PlanCosts): number {
  if (bytes === 0) return 0;
  return link.latencySeconds + (overlap ? exposedShare : 1) * (bytes / link.bytesPerSecond);
}

/** Index of the last operation that reads each tensor. */
function lastReads(program: Program): Map<string, number> {
  const last = new Map<string, number>();
  for (const [index, { inputs }] of program.operations.entries()) for (const name of inputs) last.set(name, index);
  return last;
}
