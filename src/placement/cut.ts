/**
 * Plans on ciphertexts that are cut: the chunks of one device, each run by all devices on their shares
 * of every polynomial. What a step sends and takes is counted on null backends, one for each rank.
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
import { type Operation, type Part, type Program, range, slotsOf, workOf } from "../program/index.ts";
import { type KernelTimes, OperationCosts } from "../transformer/index.ts";
import { expand } from "./expand.ts";
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

/** One rank's counters. */
interface Rank {
  readonly costs: OperationCosts;
  /** Of the meter's figures. */
  bytes(operation: Operation, part: Part): number[];
}

/** Costs of parts of one program's operations under one sharding. */
export class CutCosts {
  readonly #setting: CutSetting;
  readonly #sharding: ShardingName;
  readonly #devices: number;
  readonly #ranks: Rank[] = [];
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
    const key = `${workOf(this.#setting.program, operation)} ${part.outputs.map(runsOf).join(" / ")}`;
    let cost = this.#known.get(key);
    if (cost === undefined) {
      cost = this.#measure(operation, part);
      this.#known.set(key, cost);
    }
    return cost;
  }

  #measure(operation: Operation, part: Part): CutCost {
    // Distributed coefficients are the same work everywhere, and blocks change rank all together or not at all.
    const alike = this.#sharding === "coefficient";
    const counted = range(alike ? 1 : this.#devices).map((rank) => this.#rank(rank));
    const meters = counted.map((rank) => rank.bytes(operation, part));
    const sums = collectiveNames.map((_, i) =>
      meters.reduce((sum, meter) => sum + (meter[i] as number) * (alike ? this.#devices : 1), 0),
    );
    const sent = meters.map((meter) => collectiveNames.reduce((sum, _, i) => sum + (meter[i] as number), 0));
    const { times, link } = this.#setting;
    // Every rank takes part in every collective.
    const collectives = meters[0]?.[collectiveNames.length] as number;
    return {
      bytes: Object.fromEntries(
        collectiveNames.map((name, i) => [name, sums[i] as number] as const).filter(([, bytes]) => bytes > 0),
      ),
      compute: Math.max(...counted.map(({ costs }) => costs.seconds(operation, "whole", part, times))),
      communication: collectives * link.latencySeconds + Math.max(...sent) / link.bytesPerSecond,
    };
  }

  #rank(number: number): Rank {
    let rank = this.#ranks[number];
    if (rank !== undefined) return rank;
    const { program, parameters, bootstrapper } = this.#setting;
    const communicator = new CountingCommunicator(number, this.#devices);
    const inner = new NullBackend();
    const context = new Context(
      parameters,
      shardedBackend(inner, communicator, { name: this.#sharding, chain: parameters }),
    );
    const own = bootstrapper && new Bootstrapper(context, slotsOf(program.geometry), bootstrapper);
    const meter = (): number[] => {
      const calls = collectiveNames.reduce((sum, name) => sum + communicator.calls[name], 0);
      return [...collectiveNames.map((name) => communicator.bytes[name]), calls];
    };
    const costs = new OperationCosts(context, inner, program, own, { meter });
    rank = { costs, bytes: (operation, part) => costs.bytes(operation, "whole", part) };
    this.#ranks[number] = rank;
    return rank;
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
