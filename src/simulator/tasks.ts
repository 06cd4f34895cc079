/**
 * A plan as tasks that wait for one another: what each device computes and sends, in the plan's order, and
 * what every task reads. The same rules as the planner's timeline (`playPlan`), without times.
 */

import type { Phase, Plan, PlanCosts, ReshapeStep, Step, TransferStep } from "../placement/index.ts";
import { ciphertextsOf, type Operation, type Part, type Program, readsOf, type Tensor } from "../program/index.ts";

/** What a device's compute stream, or the one that it sends on, is taken up with. */
export interface Task {
  /** Index into the plan's steps. */
  readonly step: number;
  /** Index into the program's operations. */
  readonly operation: number;
  readonly kind: "compute" | "cut" | "scatter" | "gather" | "send";
  readonly phase: Phase | undefined;
  /** Devices whose stream it occupies: all for what is done together. */
  readonly devices: readonly number[];
  readonly stream: "compute" | "send";
  /** Of computing. */
  readonly seconds: number;
  /** Of communicating between kernels, after computing: inside operations on cut ciphertexts. */
  readonly collectiveSeconds: number;
  /** Sent, each to one device, when what is computed is done. */
  readonly flows: readonly { readonly from: number; readonly to: number; readonly bytes: number }[];
  /** Tasks that wait for this one. */
  readonly next: readonly number[];
  /** How many tasks it waits for. */
  readonly waitsFor: number;
  /** When it begins, when it has computed, and when it has sent: once it has been played. */
  readonly begin: number;
  readonly computed: number;
  readonly end: number;
}

/** A task that is being put together. */
type Draft = Omit<Task, "next" | "waitsFor"> & { readonly next: number[]; waitsFor: number };

/** All tasks of a plan, in its order. */
export function tasksOf(program: Program, plan: Plan, costs: PlanCosts): Task[] {
  const builder = new Builder(program, plan, costs);
  for (const [index, step] of plan.steps.entries()) builder.add(index, step);
  return builder.tasks;
}

/** Which tasks made what lies on a device: by number of a ciphertext or a sum. */
type Makers = (readonly number[] | undefined)[];

const none: readonly number[] = [];

class Builder {
  readonly tasks: Draft[] = [];
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #costs: PlanCosts;
  readonly #everybody: readonly number[];
  readonly #single: readonly (readonly number[])[];
  readonly #flows = new Map<string, Task["flows"]>();
  readonly #ciphertexts = new Map<string, readonly Makers[]>();
  readonly #sums = new Map<string, readonly Makers[]>();
  /** Last task of each stream, -1 at first. */
  readonly #streams: { readonly compute: number[]; readonly send: number[] };
  /** The last task that each task is known to wait for. */
  readonly #seen: number[] = [];
  #step = 0;

  constructor(program: Program, plan: Plan, costs: PlanCosts) {
    this.#program = program;
    this.#plan = plan;
    this.#costs = costs;
    this.#everybody = Array.from({ length: plan.devices }, (_, device) => device);
    this.#single = this.#everybody.map((device) => [device]);
    this.#streams = { compute: this.#everybody.map(() => -1), send: this.#everybody.map(() => -1) };
  }

  add(index: number, step: Step): void {
    this.#step = index;
    if (step.kind === "compute") {
      for (const [device, part] of step.parts.entries())
        if (part !== null) this.#compute(step.operation, step.phase, part, device);
    } else if (step.kind === "transfer") this.#transfer(step);
    else if (step.kind === "cut") {
      const { compute, communication } = this.#costs.cut(step, this.#plan.devices);
      this.#push(
        {
          operation: step.operation,
          kind: "cut",
          devices: this.#everybody,
          seconds: compute,
          collectiveSeconds: communication,
        },
        none,
      );
    } else this.#reshape(step);
  }

  #compute(index: number, phase: Phase, part: Part, device: number): void {
    const operation = this.#program.operations[index] as Operation;
    const waits: number[] = [];
    const wait = (table: readonly Makers[], numbers: readonly number[]): void => {
      const makers = table[device] as Makers;
      for (const number of numbers) for (const maker of makers[number] ?? none) waits.push(maker);
    };
    if (phase === "finish")
      for (const [o, numbers] of part.outputs.entries())
        wait(this.#table(this.#sums, operation.outputs[o] as string), numbers);
    else
      for (const [i, numbers] of readsOf(this.#program, operation, part).entries())
        wait(this.#table(this.#ciphertexts, operation.inputs[i] as string), numbers);
    const seconds = this.#costs.compute(index, phase, part);
    const made = [
      this.#push({ operation: index, kind: "compute", phase, devices: this.#alone(device), seconds }, waits),
    ];
    for (const [o, name] of operation.outputs.entries()) {
      const table = this.#table(phase === "sums" ? this.#sums : this.#ciphertexts, name);
      const makers = table[device] as Makers;
      for (const number of part.outputs[o] as readonly number[]) makers[number] = made;
    }
  }

  #transfer({ operation, tensor, form, moves, unitBytes }: TransferStep): void {
    const table = this.#table(form === "sums" ? this.#sums : this.#ciphertexts, tensor);
    const { overlap } = this.#plan;
    // Without overlap devices stop until all of it has arrived.
    const before = overlap ? none : this.#streams.compute.filter((task) => task >= 0);
    const sent: number[] = [];
    for (const { from, to, indices } of moves) {
      const waits = [...before];
      for (const number of indices) for (const maker of table[from]?.[number] ?? none) waits.push(maker);
      const flows = this.#flowsTo(from, to, indices.length * unitBytes);
      const task = this.#push({ operation, kind: "send", devices: this.#alone(from), stream: "send", flows }, waits);
      sent.push(task);
      const arrived = [task];
      for (const device of to) {
        const makers = table[device] as Makers;
        for (const number of indices)
          makers[number] = form === "sums" && makers[number] !== undefined ? [...makers[number], task] : arrived;
      }
    }
    if (overlap) return;
    for (const device of this.#everybody) this.#push({ operation, kind: "send", devices: [device] }, sent);
  }

  /** The same transfers occur in every layer. */
  #flowsTo(from: number, to: readonly number[], bytes: number): Task["flows"] {
    const key = `${from} ${to.join()} ${bytes}`;
    let flows = this.#flows.get(key);
    if (flows === undefined) this.#flows.set(key, (flows = to.map((device) => ({ from, to: device, bytes }))));
    return flows;
  }

  #alone(device: number): readonly number[] {
    return this.#single[device] as readonly number[];
  }

  /** A scatter waits for what is whole; a gather is an all-gather that everybody waits for. */
  #reshape({ kind, operation, tensor, numbers, bytes }: ReshapeStep): void {
    const table = this.#table(this.#ciphertexts, tensor);
    if (kind === "scatter") {
      for (const device of this.#everybody) {
        const waits = numbers.flatMap((number) => table[device]?.[number] ?? none);
        this.#push({ operation, kind, devices: [device] }, waits);
      }
      return;
    }
    const { devices } = this.#plan;
    const flows = this.#everybody.flatMap((from) =>
      this.#everybody.filter((to) => to !== from).map((to) => ({ from, to, bytes: bytes / devices / (devices - 1) })),
    );
    const made = [this.#push({ operation, kind, devices: this.#everybody, flows }, none)];
    for (const makers of table) for (const number of numbers) makers[number] = made;
  }

  /** Adds a task that waits for others and for the streams that it occupies. */
  #push(task: Partial<Task> & Pick<Task, "operation" | "kind" | "devices">, waits: readonly number[]): number {
    const index = this.tasks.length;
    const stream = task.stream ?? "compute";
    const added: Draft = {
      step: this.#step,
      phase: undefined,
      seconds: 0,
      collectiveSeconds: 0,
      flows: [],
      ...task,
      stream,
      next: [],
      waitsFor: 0,
      begin: 0,
      computed: 0,
      end: 0,
    };
    this.tasks.push(added);
    this.#seen.push(-1);
    const wait = (before: number): void => {
      if (before < 0 || this.#seen[before] === index) return;
      this.#seen[before] = index;
      this.tasks[before]?.next.push(index);
      added.waitsFor++;
    };
    for (const device of task.devices) {
      wait(this.#streams[stream][device] as number);
      this.#streams[stream][device] = index;
    }
    for (const before of waits) wait(before);
    return index;
  }

  #table(known: Map<string, readonly Makers[]>, name: string): readonly Makers[] {
    let table = known.get(name);
    if (table === undefined) {
      const size = ciphertextsOf(this.#program.tensors[name] as Tensor);
      table = this.#everybody.map((): Makers => new Array(size));
      known.set(name, table);
    }
    return table;
  }
}
