/** What a planner needs to know of a program: costs by units, samples, all on null backends. */
import { Context, type Parameters } from "../ckks/index.ts";
import { NullBackend, type ShardingName } from "../kernels/index.ts";
import { type Operation, type Part, type Program, workOf } from "../program/index.ts";
import { type KernelTimes, OperationCosts, tracesOf } from "../transformer/index.ts";
import { CutCosts } from "./cut.ts";
import type { PlanSetting } from "./planner.ts";
import { Samples } from "./samples.ts";
import { lowestInput } from "./single.ts";
import type { Link } from "./timeline.ts";

/** Copies between threads of one host, measured; both ends copy. */
export const threadLink: Link = { bytesPerSecond: 4e9, latencySeconds: 50e-6 };

/**
 * Collectives inside operations on cut ciphertexts, between threads of one host: limbs are copied at
 * both ends, and all ranks wait for the slowest one. Fitted to few runs, at N = 2^13 and 2^16.
 */
export const threadBarrier: Link = { bytesPerSecond: 1.1e9, latencySeconds: 400e-6 };

/** What devices and what connects them take. */
export interface Machine {
  /** Seconds of kernel work on a device. */
  readonly times: KernelTimes;
  /** Between devices, for what is sent beside computing. */
  readonly link: Link;
  /** Between so many devices, for collectives inside operations. */
  readonly barrier: Link;
  /** Seconds of kernel work on ciphertexts that are cut over so many devices; by default as on whole ones. */
  readonly cutTimes?: (devices: number) => KernelTimes;
  /** Seconds that each kernel takes longer on a limb that is cut. */
  readonly callSeconds: number;
  /** See {@link PlanCosts.paces}. */
  readonly paces?: readonly number[] | undefined;
}

/**
 * Calling a kernel on a limb that is cut takes longer than on one that is not: finding its memory, and what
 * the others hold of it. From profiles.
 */
const threadCallSeconds = 1.7e-6;

/** Threads of one host, some slower than those of `times` where `paces` says so. */
export function threadMachine(times: KernelTimes, paces?: readonly number[]): Machine {
  return { times, link: threadLink, barrier: threadBarrier, callSeconds: threadCallSeconds, paces };
}

/**
 * @param digest SHA-256 of the program
 * @param times seconds of kernel work on a thread of one host
 * @param paces where its devices differ
 */
export function planSetting(
  program: Program,
  parameters: Parameters,
  digest: string,
  times: KernelTimes,
  paces?: readonly number[],
): PlanSetting {
  return planSettingOn(program, parameters, digest, threadMachine(times, paces));
}

/** @param digest SHA-256 of the program */
export function planSettingOn(program: Program, parameters: Parameters, digest: string, machine: Machine): PlanSetting {
  const { times, link } = machine;
  const backend = new NullBackend();
  const context = new Context(parameters, backend);
  const traces = tracesOf(program, parameters);
  const units = new OperationCosts(context, backend, program, undefined, { times, traces });
  const cuts = new Map<string, CutCosts>();
  const setting = { program, parameters, machine, whole: units };
  const cut = (sharding: ShardingName, devices: number): CutCosts => {
    const key = `${sharding} ${devices}`;
    const costs = cuts.get(key) ?? new CutCosts(setting, sharding, devices);
    cuts.set(key, costs);
    return costs;
  };
  const samples = new Samples(program, context, backend, units);
  const known = new WeakMap<Part, Map<string, number>>();
  return {
    parameters,
    samples,
    bootstrapInput: lowestInput(parameters),
    digest,
    costs: {
      paces: machine.paces,
      link,
      cut: ({ operation, sharding, part }, devices) =>
        cut(sharding, devices).of(program.operations[operation] as Operation, part),
      leastOfCut: ({ operation, sharding, part }, devices) =>
        cut(sharding, devices).least(program.operations[operation] as Operation, part),
      compute: (index, phase, part) => {
        const operation = program.operations[index] as Operation;
        const key = `${phase} ${workOf(program, operation)}`;
        let byWork = known.get(part);
        if (byWork === undefined) known.set(part, (byWork = new Map()));
        let seconds = byWork.get(key);
        if (seconds === undefined) byWork.set(key, (seconds = units.seconds(operation, phase, part, times)));
        return seconds;
      },
    },
  };
}
