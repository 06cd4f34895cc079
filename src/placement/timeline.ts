/**
 * Plays a plan against costs: a compute and a communication stream for every device. Devices follow
 * the plan's order; a computation waits for what it reads, a transfer for its data, its sender's stream and
 * what its receiver is already being sent.
 */
import { ciphertextsOf, type Operation, type Part, type Program, readsOf, type Tensor } from "../program/index.ts";
import type { CutCost } from "./cut.ts";
import type { ComputeStep, CutStep, Phase, Plan, ReshapeStep, TransferStep } from "./plan.ts";
import type { Paces } from "./shares.ts";

/** What steps cost. */
export interface PlanCosts {
  /** Seconds of a part on one device. */
  compute(operation: number, phase: Phase, part: Part): number;
  /**
   * Seconds of a step on cut ciphertexts, on the device that computes most and on the one that sends
   * most. Its collectives stand between kernels that wait for them, so the two add up.
   */
  cut(step: CutWork, devices: number): CutCost;
  /** No more seconds than `cut` says, computing and sending together, told without counting the step. */
  leastOfCut(step: CutWork, devices: number): number;
  readonly link: Link;
  /** Seconds that each device takes for what costs one here, where devices differ; 1 for each by default. */
  readonly paces?: Paces | undefined;
}

/** What a step on cut ciphertexts computes. */
export type CutWork = Pick<CutStep, "operation" | "sharding" | "part">;

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
  /** Seconds that devices wait for what an operation reads: the most that one does. */
  readonly waits: readonly number[];
}

export function playPlan(program: Program, plan: Plan, costs: PlanCosts): Timeline {
  const player = new Player(program, plan, costs);
  const ended = lastUses(program, plan);
  for (const [index, step] of plan.steps.entries()) {
    if (step.kind === "compute") player.compute(step);
    else if (step.kind === "cut") player.cut(step);
    else if (step.kind === "scatter" || step.kind === "gather") player.reshape(step);
    else player.transfer(step);
    player.forget(ended[index] as readonly string[]);
  }
  return player.timeline();
}

/** Tensors that no step after this one touches. */
function lastUses(program: Program, { steps }: Plan): string[][] {
  const last = new Map<string, number>();
  for (const [index, step] of steps.entries()) {
    const { inputs, outputs } = program.operations[step.operation] as Operation;
    for (const name of inputs) last.set(name, index);
    for (const name of outputs) last.set(name, index);
    if ("tensor" in step) last.set(step.tensor, index);
  }
  const ended: string[][] = steps.map(() => []);
  for (const [name, index] of last) ended[index]?.push(name);
  return ended;
}

/** When each device has each ciphertext of a tensor: [device][number]. */
type Times = Map<string, readonly Float64Array[]>;

class Player {
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #costs: PlanCosts;
  readonly #devices: DeviceTime[];
  readonly #streams: Float64Array;
  /** When each device has received what was sent to it so far. */
  readonly #ports: Float64Array;
  readonly #arrivals: Times = new Map();
  readonly #sums: Times = new Map();
  /** Arrays of tensors that are not touched any more, by their size: for many devices they are large. */
  readonly #spare = new Map<number, (readonly Float64Array[])[]>();
  readonly #operations: readonly Float64Array[];
  readonly #waits: readonly Float64Array[];

  constructor(program: Program, plan: Plan, costs: PlanCosts) {
    this.#program = program;
    this.#plan = plan;
    this.#costs = costs;
    this.#devices = Array.from({ length: plan.devices }, () => ({ compute: 0, exposed: 0, end: 0 }));
    this.#streams = new Float64Array(plan.devices);
    this.#ports = new Float64Array(plan.devices);
    this.#operations = program.operations.map(() => new Float64Array(plan.devices));
    this.#waits = program.operations.map(() => new Float64Array(plan.devices));
  }

  timeline(): Timeline {
    return {
      seconds: Math.max(...this.#devices.map(({ end }) => end)),
      devices: this.#devices,
      operations: this.#operations.map((seconds) => Math.max(...seconds)),
      waits: this.#waits.map((seconds) => Math.max(...seconds)),
    };
  }

  compute({ operation: index, phase, parts }: ComputeStep): void {
    const operation = this.#program.operations[index] as Operation;
    for (const [device, part] of parts.entries()) {
      if (part === null) continue;
      const ready = phase === "finish" ? this.#summed(operation, part, device) : this.#read(operation, part, device);
      const seconds = this.#costs.compute(index, phase, part) * this.#pace(device);
      const end = this.#work(device, index, ready, seconds);
      for (const [o, name] of operation.outputs.entries()) {
        const times = this.#of(phase === "sums" ? this.#sums : this.#arrivals, name)[device] as Float64Array;
        for (const number of part.outputs[o] as readonly number[]) times[number] = end;
      }
    }
  }

  #pace(device: number): number {
    return this.#costs.paces?.[device] ?? 1;
  }

  /** Shares of cut ciphertexts are equal, whatever devices are: the slowest is waited for. */
  cut(step: CutStep): void {
    const start = this.#latest();
    const { compute, communication } = this.#costs.cut(step, this.#plan.devices);
    for (const device of this.#devices.keys()) this.#work(device, step.operation, start, compute * this.#pace(device));
    const end = this.#latest() + communication;
    for (const device of this.#devices.keys()) this.#work(device, step.operation, end, 0);
  }

  /** A scatter waits for what is whole; a gather is an all-gather that everybody waits for. */
  reshape({ kind, operation, tensor, numbers, bytes }: ReshapeStep): void {
    const times = this.#of(this.#arrivals, tensor);
    if (kind === "scatter") {
      for (const [device, arrivals] of times.entries()) {
        const ready = numbers.reduce((latest, number) => Math.max(latest, arrivals[number] as number), 0);
        this.#work(device, operation, ready, 0);
      }
      return;
    }
    const { bytesPerSecond, latencySeconds } = this.#costs.link;
    const end = this.#latest() + latencySeconds + bytes / this.#plan.devices / bytesPerSecond;
    for (const [device, arrivals] of times.entries()) {
      this.#work(device, operation, end, 0);
      for (const number of numbers) arrivals[number] = end;
    }
  }

  /** Moves one after another on their sender's stream; without overlap, everybody waits for them. */
  transfer(step: TransferStep): void {
    if (!this.#plan.overlap) this.#streams.fill(this.#latest());
    const end = this.#move(step);
    if (this.#plan.overlap) return;
    for (const device of this.#devices.keys()) this.#work(device, step.operation, end, 0);
  }

  /** When the last has arrived. */
  #move(step: TransferStep): number {
    const { bytesPerSecond, latencySeconds } = this.#costs.link;
    const times = this.#of(step.form === "sums" ? this.#sums : this.#arrivals, step.tensor);
    let last = 0;
    for (const { from, to, indices } of step.moves) {
      const made = times[from] as Float64Array;
      let ready = this.#streams[from] as number;
      for (const number of indices) ready = Math.max(ready, made[number] as number);
      const seconds = (indices.length * step.unitBytes) / bytesPerSecond;
      const sent = ready + latencySeconds + seconds * to.length;
      this.#streams[from] = sent;
      for (const device of to) {
        // What several send to one device comes in one after another.
        const received = Math.max(ready + latencySeconds, this.#ports[device] as number) + seconds;
        this.#ports[device] = received;
        const end = Math.max(sent, received);
        const arrive = times[device] as Float64Array;
        // Of sums the last to come counts.
        if (step.form === "sums")
          for (const number of indices) arrive[number] = Math.max(end, arrive[number] as number);
        else for (const number of indices) arrive[number] = end;
        last = Math.max(last, end);
      }
    }
    return last;
  }

  #work(device: number, operation: number, ready: number, seconds: number): number {
    const time = this.#devices[device] as DeviceTime;
    const start = Math.max(time.end, ready);
    time.exposed += start - time.end;
    const waited = this.#waits[operation] as Float64Array;
    waited[device] = (waited[device] as number) + start - time.end;
    time.compute += seconds;
    time.end = start + seconds;
    const spent = this.#operations[operation] as Float64Array;
    spent[device] = (spent[device] as number) + seconds;
    return time.end;
  }

  #read(operation: Operation, part: Part, device: number): number {
    let ready = 0;
    for (const [i, numbers] of readsOf(this.#program, operation, part).entries()) {
      const have = this.#of(this.#arrivals, operation.inputs[i] as string)[device] as Float64Array;
      for (const number of numbers) ready = Math.max(ready, have[number] as number);
    }
    return ready;
  }

  #summed(operation: Operation, part: Part, device: number): number {
    let ready = 0;
    for (const [o, indices] of part.outputs.entries()) {
      const have = this.#of(this.#sums, operation.outputs[o] as string)[device] as Float64Array;
      for (const number of indices) ready = Math.max(ready, have[number] as number);
    }
    return ready;
  }

  forget(names: readonly string[]): void {
    for (const times of [this.#arrivals, this.#sums]) {
      for (const name of names) {
        const list = times.get(name);
        if (list === undefined) continue;
        times.delete(name);
        const size = (list[0] as Float64Array).length;
        const spare = this.#spare.get(size);
        if (spare === undefined) this.#spare.set(size, [list]);
        else spare.push(list);
      }
    }
  }

  #of(times: Times, name: string): readonly Float64Array[] {
    let list = times.get(name);
    if (list !== undefined) return list;
    const size = ciphertextsOf(this.#program.tensors[name] as Tensor);
    list = this.#spare.get(size)?.pop();
    if (list !== undefined) for (const one of list) one.fill(0);
    else {
      const all = new Float64Array(size * this.#devices.length);
      list = this.#devices.map((_, d) => all.subarray(d * size, (d + 1) * size));
    }
    times.set(name, list);
    return list;
  }

  #latest(): number {
    return Math.max(...this.#devices.map(({ end }) => end));
  }
}
