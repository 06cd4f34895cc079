/**
 * Plays a plan against costs: a compute and a communication stream for every device. Devices follow
 * the plan's order; a computation waits for what it reads, a transfer for its data and its sender's
 * stream.
 */
import { type Part, type Program, readsOf } from "../program/index.ts";
import type { CutStep, Phase, Plan, TransferStep } from "./plan.ts";

/** What steps cost. */
export interface PlanCosts {
  /** Seconds of a part on one device. */
  compute(operation: number, phase: Phase, part: Part): number;
  /**
   * Seconds of a step on cut ciphertexts, on the device that computes most and on the one that sends
   * most. Its collectives stand between kernels that wait for them, so the two add up.
   */
  cut(step: CutStep, devices: number): { readonly compute: number; readonly communication: number };
  readonly link: Link;
}

/** Between any two devices, one direction. */
export interface Link {
  readonly bytesPerSecond: number;
  readonly latencySeconds: number;
}

/** Seconds of one device. */
export interface DeviceTime {
  /** Computing. */
  compute: number;
  /** Waiting for what others send. */
  exposed: number;
  /** When it is done with all. */
  end: number;
}

export interface Timeline {
  readonly seconds: number;
  readonly devices: readonly DeviceTime[];
  /** Seconds of each operation: the most that a device computes for it. */
  readonly operations: readonly number[];
}

/** When each device has each ciphertext of a tensor. */
type Arrivals = Map<string, Map<number, number>[]>;

export function playPlan(program: Program, plan: Plan, costs: PlanCosts): Timeline {
  const devices = Array.from({ length: plan.devices }, (): DeviceTime => ({ compute: 0, exposed: 0, end: 0 }));
  const streams = new Float64Array(plan.devices);
  const arrivals: Arrivals = new Map();
  const sums = new Map<string, number>();
  const operations = program.operations.map(() => new Float64Array(plan.devices));
  const at = (name: string, device: number): Map<number, number> => {
    const byDevice = arrivals.get(name) ?? devices.map(() => new Map<number, number>());
    arrivals.set(name, byDevice);
    return byDevice[device] as Map<number, number>;
  };
  const work = (device: number, operation: number, ready: number, seconds: number): number => {
    const time = devices[device] as DeviceTime;
    const start = Math.max(time.end, ready);
    time.exposed += start - time.end;
    time.compute += seconds;
    time.end = start + seconds;
    (operations[operation] as Float64Array)[device] += seconds;
    return time.end;
  };
  for (const step of plan.steps) {
    if (step.kind === "compute") {
      const operation = program.operations[step.operation] as Program["operations"][number];
      for (const [device, part] of step.parts.entries()) {
        if (part === null) continue;
        let ready = 0;
        if (step.phase === "finish") {
          for (const [o, indices] of part.outputs.entries())
            for (const number of indices)
              ready = Math.max(ready, sums.get(`${operation.outputs[o]} ${number} ${device}`) ?? 0);
        } else {
          for (const [i, numbers] of readsOf(program, operation, part).entries()) {
            const have = at(operation.inputs[i] as string, device);
            for (const number of numbers) ready = Math.max(ready, have.get(number) ?? 0);
          }
        }
        const end = work(device, step.operation, ready, costs.compute(step.operation, step.phase, part));
        for (const [o, name] of operation.outputs.entries()) {
          for (const number of part.outputs[o] as readonly number[]) {
            if (step.phase === "sums") sums.set(`${name} ${number} ${device}`, end);
            else at(name, device).set(number, end);
          }
        }
      }
    } else if (step.kind === "cut") {
      const start = Math.max(...devices.map(({ end }) => end));
      const { compute, communication } = costs.cut(step, plan.devices);
      for (const [device] of devices.entries()) {
        work(device, step.operation, start, compute);
        work(device, step.operation, (devices[device] as DeviceTime).end + communication, 0);
      }
    } else if (plan.overlap) transfer(step, at, sums, streams, costs.link);
    else {
      const start = Math.max(...devices.map(({ end }) => end));
      streams.fill(start);
      const end = transfer(step, at, sums, streams, costs.link);
      for (const [device] of devices.entries()) work(device, step.operation, end, 0);
    }
  }
  return {
    seconds: Math.max(...devices.map(({ end }) => end)),
    devices,
    operations: operations.map((seconds) => Math.max(...seconds)),
  };
}

/** Moves one after another on their sender's stream; returns when the last has arrived. */
function transfer(
  step: TransferStep,
  at: (name: string, device: number) => Map<number, number>,
  sums: Map<string, number>,
  streams: Float64Array,
  link: Link,
): number {
  let last = 0;
  for (const { from, to, indices } of step.moves) {
    let ready = streams[from] as number;
    for (const number of indices) {
      const made =
        step.form === "sums" ? sums.get(`${step.tensor} ${number} ${from}`) : at(step.tensor, from).get(number);
      ready = Math.max(ready, made ?? 0);
    }
    const duration = link.latencySeconds + (indices.length * to.length * step.unitBytes) / link.bytesPerSecond;
    const end = ready + duration;
    streams[from] = end;
    for (const device of to) {
      for (const number of indices) {
        if (step.form === "sums") {
          const key = `${step.tensor} ${number} ${device}`;
          sums.set(key, Math.max(end, sums.get(key) ?? 0));
        } else at(step.tensor, device).set(number, end);
      }
    }
    last = Math.max(last, end);
  }
  return last;
}
