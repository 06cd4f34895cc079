/**
 * What a device's memory holds over a simulated run: results are there from the beginning of the step that makes
 * them, what is sent from its arrival, operands until the last step that reads them has ended.
 */
import type { Parameters } from "../ckks/index.ts";
import { type DeviceMemory, type Plan, type PlanSetting, planMemory, type StepMemory } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import type { Event, Simulation } from "./simulate.ts";

/** Bytes from one moment on. */
export interface MemoryMoment {
  readonly seconds: number;
  readonly ciphertexts: number;
  /** Partial sums. */
  readonly sums: number;
  /** Of the operation that runs: rotations, digits, weights while they are used. */
  readonly workspace: number;
}

export interface MemoryTimeline {
  readonly moments: readonly MemoryMoment[];
  /** The fullest of them. */
  readonly peak: MemoryMoment;
  /** Plaintexts of bootstrapping's transforms, there throughout. */
  readonly transforms: number;
  /** Keys that the device uses, all at hand. */
  readonly keys: number;
}

interface Change {
  readonly seconds: number;
  readonly ciphertexts: number;
  readonly sums: number;
  readonly workspace: number;
}

/** By device. */
export function memoryTimelines(
  program: Program,
  plan: Plan,
  parameters: Parameters,
  { samples }: Pick<PlanSetting, "samples">,
  simulation: Simulation,
): MemoryTimeline[] {
  const changes: StepMemory[][] = Array.from({ length: plan.devices }, () => []);
  const devices = planMemory(program, plan, parameters, samples, (device, change) => changes[device]?.push(change));
  const times = stepTimes(plan, simulation.events);
  return devices.map((memory, device) => timeline(memory, changes[device] as StepMemory[], times[device] as StepTimes));
}

/** When a step begins on a device, or arrives there, and when it ends. */
type StepTimes = ReadonlyMap<number, { readonly begin: number; readonly end: number }>;

function stepTimes({ devices }: Plan, events: readonly Event[]): StepTimes[] {
  const times = Array.from({ length: devices }, () => new Map<number, { begin: number; end: number }>());
  const note = (device: number, step: number, begin: number, end: number): void => {
    const known = times[device]?.get(step);
    if (known === undefined) times[device]?.set(step, { begin, end });
    else {
      known.begin = Math.min(known.begin, begin);
      known.end = Math.max(known.end, end);
    }
  };
  for (const { step, stream, devices: mine, flows, begin, end } of events) {
    if (stream === "compute") for (const device of mine) note(device, step, begin, end);
    // What is sent leaves and arrives when it is all there.
    else for (const device of [...mine, ...flows.map(({ to }) => to)]) note(device, step, end, end);
  }
  return times;
}

function timeline({ transforms, keys }: DeviceMemory, steps: readonly StepMemory[], times: StepTimes): MemoryTimeline {
  const changes: Change[] = [];
  let last = 0;
  for (const { step, entered, left, workspace: beside } of steps) {
    // Steps that do not concern the device end with the one before.
    const { begin, end } = times.get(step) ?? { begin: last, end: last };
    if (step >= 0 && times.has(step)) last = Math.max(last, end);
    changes.push({ seconds: begin, ...entered, workspace: beside });
    changes.push({ seconds: end, ciphertexts: -left, sums: 0, workspace: -beside });
  }
  // Of what happens at one moment, what is freed comes first.
  changes.sort((a, b) => a.seconds - b.seconds || a.workspace - b.workspace);
  const moments: MemoryMoment[] = [];
  let now: MemoryMoment = { seconds: 0, ciphertexts: 0, sums: 0, workspace: 0 };
  for (const { seconds, ciphertexts, sums, workspace: beside } of changes) {
    now = {
      seconds,
      ciphertexts: now.ciphertexts + ciphertexts,
      sums: now.sums + sums,
      workspace: now.workspace + beside,
    };
    if (moments.at(-1)?.seconds === seconds) moments.pop();
    moments.push(now);
  }
  const total = (one: MemoryMoment): number => one.ciphertexts + one.sums + one.workspace;
  const peak = moments.reduce((a, b) => (total(b) > total(a) ? b : a));
  return { moments, peak, transforms, keys };
}
