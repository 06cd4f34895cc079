/**
 * Plans of one program on one machine, made and played: what commands and reports ask for, strategy by strategy
 * and by number of devices.
 */
import { AegisError } from "../base/errors.ts";
import type { Parameters } from "../ckks/index.ts";
import {
  type DeviceMemory,
  leastMemory,
  type ModuleName,
  makePlan,
  moduleOf,
  type Plan,
  type PlanSetting,
  planSettingOn,
  type StrategyName,
} from "../placement/index.ts";
import type { Operation, Program } from "../program/index.ts";
import type { KernelTimes } from "../transformer/index.ts";
import type { KernelSetting } from "./kernel-seconds.ts";
import { machineOf } from "./machine.ts";
import { type MemoryTimeline, memoryTimelines } from "./memory-timeline.ts";
import type { Profile } from "./profile.ts";
import { type Simulation, simulate } from "./simulate.ts";
import { topologyOf } from "./topology.ts";

/** What plans are made and played with. */
export interface StudySetting {
  readonly program: Program;
  /** SHA-256 of the program. */
  readonly digest: string;
  readonly parameters: Parameters;
  readonly profile: Profile;
  readonly kernels: KernelSetting;
  /** Of a device. */
  readonly memoryBytes: number;
  readonly overlap?: boolean;
  readonly slack?: number;
  /** Kernels that take other times than the profile says. */
  readonly times?: (times: KernelTimes) => KernelTimes;
}

/** A plan and how it went. */
export interface Played {
  readonly plan: Plan;
  readonly simulation: Simulation;
  readonly memory: readonly DeviceMemory[];
  readonly bytes: Readonly<Record<ModuleName | "total", number>>;
  readonly breakdown: Breakdown;
  /** Whether every device has the memory. */
  readonly fits: boolean;
  readonly planSeconds: number;
  readonly simulateSeconds: number;
}

/** Seconds of the device that is done last. */
export interface Breakdown {
  readonly device: number;
  readonly computeByModule: Readonly<Record<ModuleName, number>>;
  readonly computeByOperation: Readonly<Record<string, number>>;
  /** Waiting for what others send, and for collectives inside operations. */
  readonly exposed: number;
}

/** A plan beside that of one device. */
export type Comparison = ReturnType<typeof compared>;

export class Study {
  readonly setting: StudySetting;
  readonly #settings = new Map<number, PlanSetting>();
  readonly #played = new Map<string, Played>();

  constructor(setting: StudySetting) {
    this.setting = setting;
  }

  /** Plans and plays; what is asked for twice is played once. Throws `plan` where there is none. */
  play(strategy: StrategyName, devices: number): Played {
    // On one device there is nothing to choose.
    const key = devices === 1 ? "1" : `${strategy} ${devices}`;
    let played = this.#played.get(key);
    if (played === undefined) this.#played.set(key, (played = this.#play(devices === 1 ? "aegis" : strategy, devices)));
    return played;
  }

  /** The same, or undefined where there is no plan. */
  tryPlay(strategy: StrategyName, devices: number): Played | undefined {
    try {
      return this.play(strategy, devices);
    } catch (error) {
      if (error instanceof AegisError && error.code === "plan") return undefined;
      throw error;
    }
  }

  /** Beside one device. */
  compare(strategy: StrategyName, devices: number): Comparison {
    const many = this.play(strategy, devices);
    return compared(strategy, many, this.play("aegis", 1), devices);
  }

  /** What each device's memory holds over the time of a plan. */
  memory(strategy: StrategyName, devices: number): MemoryTimeline[] {
    const { plan, simulation } = this.play(strategy, devices);
    const { program, parameters } = this.setting;
    return memoryTimelines(program, plan, parameters, this.planSetting(devices), simulation);
  }

  planSetting(devices: number): PlanSetting {
    const { program, parameters, digest, profile, kernels, times = (same) => same } = this.setting;
    let setting = this.#settings.get(devices);
    if (setting === undefined) {
      const machine = machineOf(profile, kernels, parameters, devices);
      const { cutTimes } = machine;
      setting = planSettingOn(program, parameters, digest, {
        ...machine,
        times: times(machine.times),
        ...(cutTimes && { cutTimes: (ranks: number) => times(cutTimes(ranks)) }),
      });
      this.#settings.set(devices, setting);
    }
    return setting;
  }

  #play(strategy: StrategyName, devices: number): Played {
    const { program, profile, memoryBytes, overlap = true, slack } = this.setting;
    const start = performance.now();
    const setting = this.planSetting(devices);
    const options = { devices, strategy, memoryBytes, overlap, ...(slack !== undefined && { slack }) };
    const { plan, memory, bytes } = makePlan(program, setting, options);
    const planned = performance.now();
    const simulation = simulate(program, plan, setting.costs, topologyOf(profile, devices));
    return {
      plan,
      simulation,
      memory,
      bytes,
      breakdown: breakdownOf(program, simulation),
      fits: memory.every((one) => leastMemory(one) <= memoryBytes),
      planSeconds: (planned - start) / 1000,
      simulateSeconds: (performance.now() - planned) / 1000,
    };
  }
}

function compared(strategy: StrategyName, many: Played, one: Played, devices: number) {
  const { seconds, devices: times } = many.simulation;
  const speedup = one.simulation.seconds / seconds;
  const [fullest, alone] = [fullestOf(many.memory), fullestOf(one.memory)];
  const work = ({ activations, workspace }: DeviceMemory): number => activations + workspace;
  return {
    strategy,
    devices,
    seconds,
    speedup,
    efficiency: speedup / devices,
    oneDeviceSeconds: one.simulation.seconds,
    memoryPerDevice: bytesOf(fullest),
    oneDeviceMemory: bytesOf(alone),
    memoryReduction: 1 - fullest.total / alone.total,
    /** Without keys, which every device has that uses them. */
    workReduction: 1 - work(fullest) / work(alone),
    fits: many.fits,
    bytes: many.bytes,
    exposedCommFraction: Math.max(...times.map(({ exposed }) => exposed)) / seconds,
    breakdown: many.breakdown,
    planSeconds: many.planSeconds,
    simulateSeconds: many.simulateSeconds,
  };
}

function fullestOf(memory: readonly DeviceMemory[]): DeviceMemory {
  return memory.reduce((a, b) => (b.total > a.total ? b : a));
}

function bytesOf({ activations, workspace, keys, total }: DeviceMemory) {
  return { activations, workspace, keys, total };
}

/** The fullest moment of the fullest device. */
export function memoryPeak(timelines: readonly MemoryTimeline[]) {
  const peaks = timelines.map(({ peak, keys, transforms }, device) => {
    const total = peak.ciphertexts + peak.sums + peak.workspace + transforms + keys;
    return { device, ...peak, transforms, keys, total };
  });
  return peaks.reduce((a, b) => (b.total > a.total ? b : a));
}

function breakdownOf(program: Program, { devices, events }: Simulation): Breakdown {
  const ends = devices.map(({ end }) => end);
  const device = ends.indexOf(Math.max(...ends));
  const computeByModule: Record<ModuleName, number> = { feedForward: 0, selfAttention: 0, other: 0 };
  const computeByOperation: Record<string, number> = {};
  for (const { operation: index, stream, devices: mine, begin, computed } of events) {
    if (stream !== "compute" || !mine.includes(device)) continue;
    const { kind, path } = program.operations[index] as Operation;
    const seconds = computed - begin;
    computeByModule[moduleOf(path)] += seconds;
    if (seconds > 0) computeByOperation[kind] = (computeByOperation[kind] ?? 0) + seconds;
  }
  return { device, computeByModule, computeByOperation, exposed: devices[device]?.exposed ?? 0 };
}
