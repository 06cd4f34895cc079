/**
 * What operations on ciphertexts that are cut send and take: every device runs them on its share of
 * every polynomial. Counted on null backends, one for each rank.
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
} from "../kernels/index.ts";
import { type Operation, type Part, type Program, range, slotsOf, workOf } from "../program/index.ts";
import { type KernelTimes, OperationCosts } from "../transformer/index.ts";
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
    // Distributed coefficients are the same work everywhere, and blocks change rank all together or not at all.
    return this.#kept(operation, part, this.#sharding === "coefficient" ? 1 : this.#devices);
  }

  /** By the first rank alone, as if all sent as much: exact for `coefficient`, a limb's difference for the others. */
  nearly(operation: Operation, part: Part): CutCost {
    return this.#kept(operation, part, 1);
  }

  #kept(operation: Operation, part: Part, ranks: number): CutCost {
    const key = `${workOf(this.#setting.program, operation)} ${part.outputs.map(runsOf).join(" / ")} ${ranks}`;
    let cost = this.#known.get(key);
    if (cost === undefined) this.#known.set(key, (cost = this.#measure(operation, part, ranks)));
    return cost;
  }

  /** @param ranks how many of them are counted, the rest are taken to be like them */
  #measure(operation: Operation, part: Part, ranks: number): CutCost {
    const counted = range(ranks).map((rank) => this.#rank(rank));
    const meters = counted.map((rank) => rank.bytes(operation, part));
    const sums = collectiveNames.map(
      (_, i) => (meters.reduce((sum, meter) => sum + (meter[i] as number), 0) * this.#devices) / ranks,
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
