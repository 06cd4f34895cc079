/**
 * What operations on ciphertexts that are cut send and take: every device runs them on its share of
 * every polynomial. Counted on null backends of those ranks that hold most.
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
import { type Operation, type Part, type Program, slotsOf, workOf } from "../program/index.ts";
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
    return this.#kept(operation, part, this.#fullest());
  }

  /** The same with the computing of the first rank, which has as much to do as any but for a limb. */
  nearly(operation: Operation, part: Part): CutCost {
    return this.#kept(operation, part, [0]);
  }

  #kept(operation: Operation, part: Part, ranks: readonly number[]): CutCost {
    const key = `${workOf(this.#setting.program, operation)} ${part.outputs.map(runsOf).join(" / ")} ${ranks}`;
    let cost = this.#known.get(key);
    if (cost === undefined) this.#known.set(key, (cost = this.#measure(operation, part, ranks)));
    return cost;
  }

  #measure(operation: Operation, part: Part, ranks: readonly number[]): CutCost {
    const counted = ranks.map((rank) => this.#rank(rank));
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
