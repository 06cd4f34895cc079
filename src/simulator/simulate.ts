/**
 * Discrete events over a plan: every device has a stream that computes and one that sends, tasks begin when
 * what they read is there and their stream is free, and transfers share the links of a topology.
 */
import { AegisError } from "../base/errors.ts";
import type { Plan, PlanCosts } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import { Flows } from "./flows.ts";
import { Heap } from "./heap.ts";
import { type Task, tasksOf } from "./tasks.ts";
import type { Topology } from "./topology.ts";

/** A task with its times. */
export interface Event extends Pick<Task, "step" | "operation" | "kind" | "phase" | "devices" | "stream" | "flows"> {
  readonly begin: number;
  /** When computing is done, and what follows is communication that nothing hides. */
  readonly computed: number;
  readonly end: number;
}

export interface SimulatedDevice {
  /** Seconds of computing. */
  readonly compute: number;
  /** Seconds in which it waits for others, or for collectives inside operations. */
  readonly exposed: number;
  /** Seconds in which it sends. */
  readonly sending: number;
  /** When it is done with all. */
  readonly end: number;
}

export interface Simulation {
  readonly seconds: number;
  readonly devices: readonly SimulatedDevice[];
  /** In the order in which they begin. */
  readonly events: readonly Event[];
}

/** @param costs seconds of computing, and of collectives inside operations on cut ciphertexts */
export function simulate(program: Program, plan: Plan, costs: PlanCosts, topology: Topology): Simulation {
  const tasks = tasksOf(program, plan, costs);
  const run = new Run(tasks, topology);
  run.all();
  return run.result(plan.devices);
}

/** What happens at a time: a task's transfers begin, or it ends. */
interface Due {
  readonly time: number;
  readonly task: number;
  readonly what: "send" | "end";
}

class Run {
  readonly #tasks: readonly Task[];
  readonly #topology: Topology;
  readonly #flows: Flows;
  readonly #due = new Heap<Due>();
  readonly #begins: Float64Array;
  readonly #ends: Float64Array;
  /** Tasks that each one still waits for. */
  readonly #waits: Int32Array;
  /** Transfers of each task that are still under way. */
  readonly #left: Int32Array;
  /** Task of each transfer. */
  readonly #owners: number[] = [];
  readonly #order: number[] = [];

  constructor(tasks: readonly Task[], topology: Topology) {
    this.#tasks = tasks;
    this.#topology = topology;
    this.#flows = new Flows(topology);
    this.#begins = new Float64Array(tasks.length).fill(-1);
    this.#ends = new Float64Array(tasks.length).fill(-1);
    this.#left = new Int32Array(tasks.length);
    this.#waits = Int32Array.from(tasks, ({ waitsFor }) => waitsFor);
  }

  all(): void {
    for (const [index, { waitsFor }] of this.#tasks.entries()) if (waitsFor === 0) this.#begin(index, 0);
    for (;;) {
      const due = this.#due.least;
      const flow = this.#flows.next;
      if (due === undefined && flow === undefined) break;
      if (due !== undefined && (flow === undefined || due.time <= flow)) {
        this.#due.take();
        if (due.what === "end") this.#end(due.task, due.time);
        else this.#send(due.task, due.time);
        continue;
      }
      for (const id of this.#flows.end(flow as number)) {
        const task = this.#owners[id] as number;
        const left = (this.#left[task] as number) - 1;
        this.#left[task] = left;
        if (left === 0) this.#end(task, flow as number);
      }
    }
    const stuck = this.#ends.indexOf(-1);
    if (stuck >= 0) throw new AegisError("internal", `task ${stuck} of ${this.#tasks.length} never began`);
  }

  result(devices: number): Simulation {
    const compute = new Float64Array(devices);
    const sending = new Float64Array(devices);
    const ends = new Float64Array(devices);
    for (const [index, { devices: mine, stream, seconds }] of this.#tasks.entries()) {
      const end = this.#ends[index] as number;
      for (const device of mine) {
        if (stream === "send") sending[device] = (sending[device] as number) + end - (this.#begins[index] as number);
        else {
          compute[device] = (compute[device] as number) + seconds;
          ends[device] = Math.max(end, ends[device] as number);
        }
      }
    }
    // There may be a million: they are the tasks themselves.
    const events = this.#order.map((index): Event => {
      const task = this.#tasks[index] as Task;
      const begin = this.#begins[index] as number;
      return Object.assign(task, { begin, computed: begin + task.seconds, end: this.#ends[index] as number });
    });
    return {
      seconds: this.#ends.reduce((most, end) => Math.max(most, end), 0),
      devices: Array.from(compute, (seconds, device) => ({
        compute: seconds,
        // Until everybody is done.
        exposed: (ends[device] as number) - seconds,
        sending: sending[device] as number,
        end: ends[device] as number,
      })),
      events,
    };
  }

  #begin(index: number, time: number): void {
    const { seconds, collectiveSeconds, flows } = this.#tasks[index] as Task;
    this.#begins[index] = time;
    this.#order.push(index);
    const computed = time + seconds + collectiveSeconds;
    if (flows.length === 0) {
      this.#due.add({ time: computed, task: index, what: "end" });
      return;
    }
    const latency = flows.reduce(
      (most, { from, to }) => Math.max(most, this.#topology.path(from, to).latencySeconds),
      0,
    );
    this.#due.add({ time: computed + latency, task: index, what: "send" });
  }

  #send(index: number, time: number): void {
    const { flows } = this.#tasks[index] as Task;
    this.#left[index] = flows.length;
    for (const { from, to, bytes } of flows) {
      const id = this.#owners.length;
      this.#owners.push(index);
      this.#flows.begin(time, id, this.#topology.path(from, to).links, bytes);
    }
  }

  #end(index: number, time: number): void {
    this.#ends[index] = time;
    for (const next of (this.#tasks[index] as Task).next) {
      const waits = (this.#waits[next] as number) - 1;
      this.#waits[next] = waits;
      if (waits === 0) this.#begin(next, time);
    }
  }
}
