/**
 * What operations on ciphertexts that are cut send and take: every device runs them on its share of
 * every polynomial. Counted on the null backend of one rank, which knows what the
 * others send.
 */
import { Context, type Parameters } from "../ckks/index.ts";
import {
  type CollectiveName,
  CountingCommunicator,
  checkRanks,
  collectiveNames,
  NullBackend,
  Repeats,
  type ShardingName,
  shardedBackend,
} from "../kernels/index.ts";
import { type Operation, type Part, type Program, workOf } from "../program/index.ts";
import { OperationCosts } from "../transformer/index.ts";
import { LeastCut } from "./least-cut.ts";
import type { Machine } from "./setting.ts";

/** A part of an operation on ciphertexts that are cut. */
export interface CutCost {
  /** Bytes that all devices send, by collective; none that is 0. */
  readonly bytes: Readonly<Partial<Record<CollectiveName, number>>>;
  /** Seconds of computing on a device. */
  readonly compute: number;
  /** Seconds of sending on the device that sends most. */
  readonly communication: number;
}

/** What counts are made of. */
export interface CutSetting {
  readonly program: Program;
  readonly parameters: Parameters;
  readonly machine: Machine;
  /** Costs of whole ciphertexts. */
  readonly whole: OperationCosts;
}

/** Costs of parts of one program's operations under one sharding. */
export class CutCosts {
  readonly #setting: CutSetting;
  readonly #sharding: ShardingName;
  readonly #devices: number;
  /** By shape, level and part: layers repeat. */
  readonly #known = new Map<string, CutCost>();

  #rank: OperationCosts | undefined;
  #least: LeastCut | undefined;

  /** @throws AegisError `plan` for a number of devices that the sharding cannot have */
  constructor(setting: CutSetting, sharding: ShardingName, devices: number) {
    checkRanks({ name: sharding, chain: setting.parameters }, devices);
    this.#setting = setting;
    this.#sharding = sharding;
    this.#devices = devices;
  }

  /** A part of an operation. */
  of(operation: Operation, part: Part): CutCost {
    const key = `${workOf(this.#setting.program, operation)} ${part.outputs.map(runsOf).join(" / ")}`;
    let cost = this.#known.get(key);
    if (cost === undefined) this.#known.set(key, (cost = this.#measure(operation, part)));
    return cost;
  }

  /** Seconds, computing and sending, that a part takes at least. */
  least(operation: Operation, part: Part): number {
    const { parameters, machine, whole } = this.#setting;
    this.#least ??= new LeastCut(this.#sharding, parameters, this.#devices, machine);
    return this.#least.of(whole.byPrime(operation, part));
  }

  #measure(operation: Operation, part: Part): CutCost {
    const costs = this.#first();
    const { times, cutTimes, callSeconds, barrier } = this.#setting.machine;
    // Every rank takes part in every collective, and knows what each of the others sends.
    const meter = costs.bytes(operation, "whole", part);
    const bytes = collectiveNames.map((name, i) => [name, meter[i] as number] as const).filter(([, sent]) => sent > 0);
    const [calls, collectives, ...byRank] = meter.slice(collectiveNames.length) as [number, number, ...number[]];
    return {
      bytes: Object.fromEntries(bytes),
      compute: costs.seconds(operation, "whole", part, cutTimes?.(this.#devices) ?? times) + calls * callSeconds,
      communication: collectives * barrier.latencySeconds + Math.max(...byRank) / barrier.bytesPerSecond,
    };
  }

  /**
   * The first rank, which has most to do, but for a limb: limbs are dealt out in turn, and those over the
   * extended basis begin with it. Distributed coefficients are the same work everywhere.
   */
  #first(): OperationCosts {
    if (this.#rank !== undefined) return this.#rank;
    const { program, parameters, whole } = this.#setting;
    const communicator = new CountingCommunicator(0, this.#devices);
    const inner = new NullBackend();
    const sharding = { name: this.#sharding, chain: parameters };
    const repeats = new Repeats(inner, communicator);
    const context = new Context(parameters, shardedBackend(inner, communicator, sharding, { repeats }));
    const meter = (): number[] => {
      const { bytesOfAll, bytesByRank, calls } = communicator;
      const collectives = collectiveNames.reduce((sum, name) => sum + calls[name], 0);
      return [...collectiveNames.map((name) => bytesOfAll[name]), inner.calls, collectives, ...bytesByRank];
    };
    this.#rank = new OperationCosts(context, inner, program, undefined, { meter, traces: whole.traces });
    return this.#rank;
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
