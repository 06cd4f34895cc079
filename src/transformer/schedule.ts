/**
 * Where to bootstrap: the shortest path through the levels. Operations are taken in order; a state is
 * the level of every tensor that is still to be read; before each operation any of its inputs may be
 * refreshed to any level up to that of bootstrapping (less is cheaper for what follows). Costs are
 * seconds of the machine at hand, and count every ciphertext of a tensor.
 */
import { AegisError } from "../base/errors.ts";
import {
  bootstrapBound,
  bootstrapCount,
  describeOperation,
  type Operation,
  type Program,
  type Tensor,
} from "../program/index.ts";
import type { UnscheduledProgram } from "./graph/index.ts";

/** What operations cost. */
export interface CostModel {
  /** Seconds of an operation at a level. */
  operation(operation: Operation, level: number): number;
  /** Seconds of one bootstrapping (of one ciphertext or of a pair). */
  bootstrap(): number;
}

export interface ScheduleOptions {
  readonly preset: string;
  /** Level after bootstrapping; also the highest level of the input. */
  readonly bootstrapLevel: number;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput: number;
  readonly logScale: number;
}

/** What was done before an operation. */
interface Decision {
  readonly refreshed: readonly string[];
  readonly target: number;
  /** Level the operation runs at. */
  readonly level: number;
}

interface State {
  readonly levels: ReadonlyMap<string, number>;
  readonly cost: number;
  readonly previous: State | undefined;
  readonly decision: Decision | undefined;
}

/** A program with levels and bootstraps, of least total cost. Throws `program` when none fits. */
export function schedule(program: UnscheduledProgram, costs: CostModel, options: ScheduleOptions): Program {
  const reads = lastReads(program);
  let states: State[] = [{ levels: new Map(), cost: 0, previous: undefined, decision: undefined }];
  for (const [index, operation] of program.operations.entries()) {
    const next = new Map<string, State>();
    for (const state of states) {
      for (const decision of decisions(program, operation, state, options)) {
        const cost = state.cost + refreshCost(program, decision, costs) + costs.operation(operation, decision.level);
        const levels = apply(operation, decision, state.levels, reads, index);
        const key = [...levels].map(([name, level]) => `${name}:${level}`).join(" ");
        const present = next.get(key);
        if (present === undefined || cost < present.cost) next.set(key, { levels, cost, previous: state, decision });
      }
    }
    states = withoutDominated([...next.values()]);
    if (states.length === 0) {
      throw new AegisError(
        "program",
        `${describeOperation(operation)}: needs ${operation.depth} levels, bootstrapping gives ${options.bootstrapLevel}`,
        {
          hint: "use parameters with more levels after bootstrapping",
        },
      );
    }
  }
  const best = states.reduce((a, b) => (b.cost < a.cost ? b : a));
  return emit(program, best, options);
}

/** Mark of a refreshed tensor, after its name. */
const refreshMark = "*";

/** Name in the graph of a tensor that may have been refreshed. */
export function originOf(name: string): string {
  return name.endsWith(refreshMark) ? originOf(name.slice(0, -1)) : name;
}

function decisions(
  program: UnscheduledProgram,
  operation: Operation,
  state: State,
  options: ScheduleOptions,
): Decision[] {
  const found: Decision[] = [];
  const inputs = [...new Set(operation.inputs)];
  if (inputs.length === 0) {
    for (let level = Math.max(1, operation.depth); level <= options.bootstrapLevel; level++)
      found.push({ refreshed: [], target: 0, level });
    return found;
  }
  for (let subset = 0; subset < 2 ** inputs.length; subset++) {
    const refreshed = inputs.filter((_, i) => subset & (1 << i));
    const refreshable = (name: string): boolean =>
      (program.tensors[name] as Tensor).magnitude <= bootstrapBound &&
      (state.levels.get(name) as number) >= options.bootstrapInput;
    if (!refreshed.every(refreshable)) continue;
    const others = inputs.filter((name) => !refreshed.includes(name)).map((name) => state.levels.get(name) as number);
    const targets = refreshed.length === 0 ? [0] : Array.from({ length: options.bootstrapLevel }, (_, i) => i + 1);
    for (const target of targets) {
      const level = Math.min(...others, ...(refreshed.length === 0 ? [] : [target]));
      if (level < operation.depth) continue;
      if (refreshed.length > 0 && refreshed.every((name) => (state.levels.get(name) as number) >= target)) continue;
      found.push({ refreshed, target, level });
    }
  }
  return found;
}

function refreshCost(program: UnscheduledProgram, decision: Decision, costs: CostModel): number {
  return bootstrapCount(decision.refreshed.map((name) => program.tensors[name] as Tensor)) * costs.bootstrap();
}

function apply(
  operation: Operation,
  decision: Decision,
  levels: ReadonlyMap<string, number>,
  reads: ReadonlyMap<string, number>,
  index: number,
): Map<string, number> {
  const result = new Map(levels);
  for (const name of decision.refreshed) result.set(name, decision.target);
  for (const name of operation.outputs) result.set(name, decision.level - operation.depth);
  for (const name of [...result.keys()]) if ((reads.get(name) ?? -1) <= index) result.delete(name);
  return result;
}

/** Index of the last operation that reads each tensor. */
function lastReads(program: UnscheduledProgram): Map<string, number> {
  const reads = new Map<string, number>();
  for (const [index, operation] of program.operations.entries())
    for (const name of operation.inputs) reads.set(name, index);
  return reads;
}

/** Drops states that another beats in cost and in every level. */
function withoutDominated(states: State[]): State[] {
  const sorted = states.sort((a, b) => a.cost - b.cost);
  const kept: State[] = [];
  for (const state of sorted) {
    const dominated = kept.some((better) =>
      [...state.levels].every(([name, level]) => (better.levels.get(name) as number) >= level),
    );
    if (!dominated) kept.push(state);
  }
  return kept;
}

function emit(program: UnscheduledProgram, end: State, options: ScheduleOptions): Program {
  const chain: State[] = [];
  for (let state: State | undefined = end; state?.previous !== undefined; state = state.previous) chain.unshift(state);
  const operations: Operation[] = [];
  const tensors: Record<string, Tensor> = {};
  const current = new Map<string, string>(); // name in the graph → name after refreshes
  const declare = (tensor: Tensor, level: number): void => {
    tensors[tensor.name] = { ...tensor, level, logScale: options.logScale };
  };
  for (const [index, operation] of program.operations.entries()) {
    const { refreshed, target, level } = (chain[index] as State).decision as Decision;
    if (refreshed.length > 0) {
      const inputs = refreshed.map((name) => current.get(name) as string);
      const outputs = inputs.map((name) => `${name}${refreshMark}`);
      for (const [i, name] of refreshed.entries()) {
        declare({ ...(program.tensors[name] as Tensor), name: outputs[i] as string }, target);
        current.set(name, outputs[i] as string);
      }
      const lowest = Math.min(...inputs.map((name) => (tensors[name] as Tensor).level as number));
      operations.push({
        id: operations.length,
        kind: "bootstrap",
        path: operation.path,
        inputs,
        outputs,
        depth: 0,
        level: lowest,
        target,
      });
    }
    for (const name of operation.outputs) {
      declare(program.tensors[name] as Tensor, level - operation.depth);
      current.set(name, name);
    }
    operations.push({
      ...operation,
      id: operations.length,
      level,
      inputs: operation.inputs.map((name) => current.get(name) as string),
    } as Operation);
  }
  return { ...program, preset: options.preset, tensors, operations, output: current.get(program.output) as string };
}
