/**
 * Plans on ciphertexts that are cut: the chunks of one device, each run by all devices on their shares
 * of every polynomial. What a step sends and takes is counted on null backends of those ranks that hold most.
 */
import { Bootstrapper } from "../circuits/index.ts";
import { Context, type Parameters } from "../ckks/index.ts";
import {
  type CollectiveName,
  CountingCommunicator,
  checkRanks,
  collectiveNames,
  NullBackend,
  type ShardingName,
  shardedBackend,
  shardingNames,
} from "../kernels/index.ts";
import { type Operation, type Part, type Program, slotsOf } from "../program/index.ts";
import { type KernelTimes, OperationCosts } from "../transformer/index.ts";
import { expand } from "./expand.ts";
import { shapeOf } from "./holdings.ts";
import type { ComputeStep, CutStep } from "./plan.ts";
import type { CutStrategy } from "./strategies.ts";
import type { Link } from "./timeline.ts";

/** A part of an operation on ciphertexts that are cut. */
export interface CutCost {
  /** Bytes that all devices send, by collective; none that is 0. */
  readonly bytes: Readonly<Partial<Record<CollectiveName, number>>>;
  /** Seconds of computing on the device that computes most. */
  readonly compute: number;
  /** Seconds of sending on the device that sends most. */
  readonly communication: number;
}

/** What counts are made of. */
export interface CutSetting {
  readonly program: Program;
  readonly parameters: Parameters;
  /** Seconds of kernel work on a device. */
  readonly times: KernelTimes;
  readonly link: Link;
  /** Transforms of the parameters, from which those of every rank are laid out; absent without bootstraps. */
  readonly bootstrapper: Bootstrapper | undefined;
}

/** Costs of parts of one program's operations under one sharding. */
export class CutCosts {
  readonly #setting: CutSetting;
  readonly #sharding: ShardingName;
  readonly #devices: number;
  readonly #ranks = new Map<number, OperationCosts>();
  /** By shape, level and part: layers repeat. */
  readonly #known = new Map<string, CutCost>();

  /** @throws AegisError `plan` for a number of devices that the sharding cannot have */
  constructor(setting: CutSetting, sharding: ShardingName, devices: number) {
    checkRanks({ name: sharding, chain: setting.parameters }, devices);
    this.#setting = setting;
    this.#sharding = sharding;
    this.#devices = devices;
  }

  of(operation: Operation, part: Part): CutCost {
    const key = `${this.#kindOf(operation)} ${part.outputs.map(runsOf).join(" / ")}`;
    let cost = this.#known.get(key);
    if (cost === undefined) {
      cost = this.#measure(operation, part);
      this.#known.set(key, cost);
    }
    return cost;
  }

  /** What costs depend on besides the part. */
  #kindOf(operation: Operation): string {
    const { program } = this.#setting;
    const shape = `${shapeOf(program, operation)} @${operation.level}`;
    if (operation.kind === "polynomial") return `${shape} ${operation.coefficients.map(Boolean)} ${operation.mask}`;
    if (operation.kind === "bootstrap") return `${shape} to ${operation.target}`;
    return `${shape} ${operation.outputs.includes(program.output)}`;
  }

  #measure(operation: Operation, part: Part): CutCost {
    const counted = this.#fullest().map((rank) => this.#rank(rank));
    const { times, link } = this.#setting;
    // Every rank takes part in every collective, and knows what each of the others sends.
    const meter = (counted[0] as OperationCosts).bytes(operation, "whole", part);
    const bytes = collectiveNames.map((name, i) => [name, meter[i] as number] as const).filter(([, sent]) => sent > 0);
    const [collectives, ...byRank] = meter.slice(collectiveNames.length) as [number, ...number[]];
    return {
      bytes: Object.fromEntries(bytes),
      compute: Math.max(...counted.map((costs) => costs.seconds(operation, "whole", part, times))),
      communication: collectives * link.latencySeconds + Math.max(...byRank) / link.bytesPerSecond,
    };
  }

  /**
   * The ranks with most work. Limbs are dealt out in turn: those over the extended basis begin at rank 0,
   * those of ciphertexts after the special primes. The first digit is never shorter than another by
   * dropped levels. Distributed coefficients are the same work everywhere.
   */
  #fullest(): number[] {
    const dealt = this.#sharding === "limb" || this.#sharding === "limb-ib";
    return dealt ? [...new Set([0, this.#setting.parameters.specialCount % this.#devices])] : [0];
  }

  #rank(number: number): OperationCosts {
    let costs = this.#ranks.get(number);
    if (costs !== undefined) return costs;
    const { program, parameters, bootstrapper } = this.#setting;
    const communicator = new CountingCommunicator(number, this.#devices);
    const inner = new NullBackend();
    const sharding = { name: this.#sharding, chain: parameters };
    const context = new Context(parameters, shardedBackend(inner, communicator, sharding));
    const own = bootstrapper && new Bootstrapper(context, slotsOf(program.geometry), bootstrapper);
    const meter = (): number[] => {
      const { bytesOfAll, bytesByRank, calls } = communicator;
      const collectives = collectiveNames.reduce((sum, name) => sum + calls[name], 0);
      return [...collectiveNames.map((name) => bytesOfAll[name]), collectives, ...bytesByRank];
    };
    costs = new OperationCosts(context, inner, program, own, { meter });
    this.#ranks.set(number, costs);
    return costs;
  }
}

export interface CutOptions {
  readonly strategy: CutStrategy;
  readonly devices: number;
  /** Bytes of workspace that a chunk of one operation may take on a device. */
  readonly chunkBytes: number;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput: number;
  readonly costs: (sharding: ShardingName) => CutCosts;
}

/**
 * Shardings that a strategy may run an operation under.
 *
 * `limb-merged` stands for Cerium's schedule (arXiv 2512.11269), which merges output aggregation and the
 * input broadcast that follows it into one all-reduce. Here every operation is run under that of the
 * two which sends less, and going over from one to the other between operations sends nothing: no
 * schedule that chooses operation by operation sends less. It is a bound to compare with, in favour of
 * that design, and cannot be run, since limbs would have to move between the two layouts.
 */
export function shardingsOf(strategy: CutStrategy): readonly ShardingName[] {
  if (strategy === "limb-merged") return ["limb-ib", "limb-oa"];
  return shardingNames.filter((name) => name === strategy);
}

/** The steps of a plan on ciphertexts that are cut. */
export function cutSteps(program: Program, ring: Parameters, options: CutOptions): CutStep[] {
  const { strategy, devices, chunkBytes, bootstrapInput } = options;
  const candidates = shardingsOf(strategy).map((name) => ({ name, costs: options.costs(name) }));
  const whole = program.operations.map(() => "single" as const);
  // Sums that every rank has a summand of are not smaller for being shared.
  const shares = strategy === "limb-oa" ? 1 : devices;
  const chunks = expand(program, whole, {
    devices: 1,
    overlap: true,
    ring,
    bootstrapInput,
    chunkBytes: chunkBytes * shares,
  }) as ComputeStep[];
  const parts = chunks.map(({ operation, parts: [part] }) => ({ operation, part: part as Part }));
  const sent = (costs: CutCosts, at: number): number =>
    parts
      .filter(({ operation }) => operation === at)
      .reduce(
        (sum, { operation, part }) => sum + totalOf(costs.of(program.operations[operation] as Operation, part)),
        0,
      );
  const chosen = program.operations.map((_, at) =>
    candidates.length === 1
      ? candidates[0]
      : candidates.reduce((a, b) => (sent(b.costs, at) < sent(a.costs, at) ? b : a)),
  );
  return parts.map(({ operation, part }): CutStep => {
    const { name, costs } = chosen[operation] as (typeof candidates)[number];
    const { bytes } = costs.of(program.operations[operation] as Operation, part);
    return { kind: "cut", operation, sharding: name, part, bytes };
  });
}

function totalOf({ bytes }: CutCost): number {
  return Object.values(bytes).reduce((sum, n) => sum + n, 0);
}

/** Ascending numbers in few characters. */
function runsOf(numbers: readonly number[]): string {
  const runs: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    const first = i;
    while (numbers[++i] === (numbers[first] as number) + i - first);
    runs.push(`${numbers[first]}+${i - first}`);
  }
  return runs.join();
}
