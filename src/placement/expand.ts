/**
 * From a mode for every operation to the steps of a plan: operations in parts and chunks, transfers
 * where something is read that is not there. The one place where collectives come from.
 *
 * With overlap, what a device makes is sent as soon as it is made, chunk by chunk, and sums of one
 * chunk travel while the next is computed. Without, transfers stand right before what asks for them.
 * The bytes are the same.
 */
import type { CollectiveName } from "../kernels/index.ts";
import { type Operation, type Part, type Program, range, type Tensor } from "../program/index.ts";
import { chunkSize, cutResults } from "../transformer/index.ts";
import { type Needs, needsOf, type OperationParts, partsOf, workPart } from "./needs.ts";
import type { ComputeStep, Move, Phase, Step, TransferStep } from "./plan.ts";
import { ciphertextBytes, type RingSizes, sumBytes } from "./sizes.ts";
import type { Mode } from "./strategies.ts";

export interface ExpandOptions {
  readonly devices: number;
  readonly overlap: boolean;
  readonly ring: RingSizes;
  /** Lowest level that bootstrapping takes: all that is sent for one. */
  readonly bootstrapInput: number;
  /** Bytes of workspace that a chunk of one operation may take on a device. */
  readonly chunkBytes: number;
  /** Every tensor that is read is brought to every device. */
  readonly everywhere?: boolean;
}

/** Steps in the order that all devices follow. */
export function expand(program: Program, modes: readonly Mode[], options: ExpandOptions): Step[] {
  return new Expansion(program, modes, options).run();
}

class Expansion {
  readonly #program: Program;
  readonly #modes: readonly Mode[];
  readonly #options: ExpandOptions;
  readonly #needs: Needs;
  readonly #steps: Step[] = [];
  /** Holders that made a ciphertext: tensor → number → devices. */
  readonly #made = new Map<string, Map<number, number[]>>();
  /** Operations that were run as part of the chunks of another. */
  readonly #fused = new Set<number>();

  constructor(program: Program, modes: readonly Mode[], options: ExpandOptions) {
    this.#program = program;
    this.#modes = modes;
    this.#options = options;
    this.#needs = needsOf(program, modes, options.devices, options.bootstrapInput, options.everywhere);
  }

  run(): Step[] {
    for (const [index, operation] of this.#program.operations.entries()) {
      if (operation.kind === "input" || operation.kind === "output" || this.#fused.has(index)) continue;
      if (!this.#options.overlap) this.#sendWhatIsAsked(index);
      this.#compute(index, operation);
    }
    return this.#steps;
  }

  /** All chunks of an operation, and of the one that follows it where chunks can pass right on. */
  #compute(index: number, operation: Operation): void {
    const { devices, overlap } = this.#options;
    const parts = partsOf(this.#program, operation, this.#modes[index] as Mode, devices);
    const follower = this.#follower(index, operation);
    if (follower !== undefined) this.#fused.add(follower);
    const chunks = this.#chunks(operation, parts);
    // Sums of a chunk travel while the next chunk is summed: finishing lags one behind.
    const finish = (results: OperationParts["results"]): void => {
      if (parts.summed !== undefined) this.#push(index, "finish", results);
      this.#announce(operation, results);
      if (follower === undefined) return;
      this.#push(follower, "whole", results);
      this.#announce(this.#program.operations[follower] as Operation, results);
    };
    let waiting: OperationParts["results"] | undefined;
    for (const results of chunks) {
      if (parts.summed === undefined) {
        this.#push(index, "whole", results);
        finish(results);
        continue;
      }
      this.#pushSums(index, operation, parts, results);
      if (waiting !== undefined) finish(waiting);
      waiting = results;
      if (overlap) continue;
      finish(results);
      waiting = undefined;
    }
    if (waiting !== undefined) finish(waiting);
  }

  /** The next operation, if it works ciphertext by ciphertext on this one's only result, where it is. */
  #follower(index: number, operation: Operation): number | undefined {
    const { operations } = this.#program;
    const next = operations[index + 1];
    const name = operation.outputs[0] as string;
    if (next?.kind !== "polynomial" || operation.outputs.length !== 1 || next.inputs[0] !== name) return undefined;
    if (operations.filter(({ inputs }) => inputs.includes(name)).length !== 1) return undefined;
    const results = (at: number) =>
      JSON.stringify(
        partsOf(this.#program, operations[at] as Operation, this.#modes[at] as Mode, this.#options.devices).results,
      );
    return results(index) === results(index + 1) ? index + 1 : undefined;
  }

  /** Results by device and output, a chunk at a time. */
  #chunks(operation: Operation, parts: OperationParts): OperationParts["results"][] {
    const { devices, ring, chunkBytes, overlap } = this.#options;
    // Sums of all devices' results are alive on each, and those of two chunks when one travels.
    const share = parts.summed === undefined ? 1 : devices * (overlap ? 2 : 1);
    const size = Math.max(1, Math.floor(chunkSize(this.#program, operation, ring, chunkBytes) / share));
    const most = Math.max(...parts.results.map((mine) => mine.reduce((sum, list) => sum + list.length, 0)));
    const count = Math.max(1, Math.ceil(most / size));
    const byDevice = parts.results.map((mine) => cutResults(this.#program, operation, mine, count));
    return range(count).map((chunk) => byDevice.map((chunks) => chunks[chunk] as number[][]));
  }

  #push(index: number, phase: Phase, results: OperationParts["results"]): void {
    const parts = results.map((outputs): Part | null =>
      outputs.every((list) => list.length === 0) ? null : { outputs },
    );
    if (parts.every((part) => part === null)) return;
    const step: ComputeStep = { kind: "compute", operation: index, phase, parts };
    this.#steps.push(step);
  }

  /** Partial sums of a chunk's results on every device that has terms, and their way to the owners. */
  #pushSums(index: number, operation: Operation, parts: OperationParts, results: OperationParts["results"]): void {
    const { devices, ring } = this.#options;
    const chunk = operation.outputs.map((_, o) => results.flatMap((mine) => mine[o] as number[]).sort((a, b) => a - b));
    const outputs = operation.outputs.map((name) => this.#program.tensors[name] as Tensor);
    const { summed = [] } = parts;
    const workers = range(devices).filter((d) => (summed[d] ?? []).length > 0);
    this.#steps.push({
      kind: "compute",
      operation: index,
      phase: "sums",
      parts: range(devices).map((d) =>
        workers.includes(d) ? { ...workPart(parts, outputs, d), outputs: chunk } : null,
      ),
    });
    for (const [o, tensor] of outputs.entries()) {
      const moves: Move[] = [];
      for (const from of workers) {
        for (const to of range(devices)) {
          const indices = results[to]?.[o] as number[];
          if (to !== from && indices.length > 0) moves.push({ from, to: [to], indices });
        }
      }
      if (moves.length === 0) continue;
      this.#steps.push({
        kind: "transfer",
        collective: "reduce-scatter",
        operation: index,
        tensor: tensor.name,
        form: "sums",
        level: operation.level as number,
        moves,
        unitBytes: sumBytes(ring, this.#program, operation, o),
      });
    }
  }

  /** Notes who holds new results; with overlap they are sent on to whoever will read them. */
  #announce(operation: Operation, results: OperationParts["results"]): void {
    for (const [o, name] of operation.outputs.entries()) {
      const made = this.#made.get(name) ?? new Map<number, number[]>();
      this.#made.set(name, made);
      for (const [device, mine] of results.entries())
        for (const number of mine[o] as number[]) made.set(number, [...(made.get(number) ?? []), device]);
      if (this.#options.overlap)
        this.#send(
          name,
          results.flatMap((mine) => mine[o] as number[]),
        );
    }
  }

  /** Without overlap: everything that this operation is the first to ask for. */
  #sendWhatIsAsked(index: number): void {
    for (const name of new Set((this.#program.operations[index] as Operation).inputs)) {
      const asked = new Set<number>();
      for (const needs of this.#needs.get(name) ?? [])
        for (const [number, { first }] of needs) if (first === index) asked.add(number);
      this.#send(name, [...asked], index);
    }
  }

  /** Ciphertexts from where they were made to where they are read; first readers first. */
  #send(name: string, numbers: readonly number[], only?: number): void {
    const made = this.#made.get(name);
    if (made === undefined) return; // the program's input: the client gives it to whoever reads it
    const needs = this.#needs.get(name) ?? [];
    const groups = new Map<string, { first: number; level: number; from: number; to: number[]; indices: number[] }>();
    for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
      const holders = made.get(number) as number[];
      const from = holders[number % holders.length] as number;
      const readers = new Map<string, { first: number; level: number; to: number[] }>();
      for (const [device, mine] of needs.entries()) {
        const need = holders.includes(device) ? undefined : mine.get(number);
        if (need === undefined || (only !== undefined && need.first !== only)) continue;
        const key = `${need.first} ${need.level}`;
        const alike = readers.get(key) ?? { ...need, to: [] };
        alike.to.push(device);
        readers.set(key, alike);
      }
      for (const { first, level, to } of readers.values()) {
        const key = `${first} ${level} ${from} ${to.join()}`;
        const group = groups.get(key) ?? { first, level, from, to, indices: [] };
        group.indices.push(number);
        groups.set(key, group);
      }
    }
    const byTransfer = new Map<string, { first: number; level: number; moves: Move[] }>();
    for (const { first, level, from, to, indices } of groups.values()) {
      const key = `${first} ${level}`;
      const transfer = byTransfer.get(key) ?? { first, level, moves: [] };
      transfer.moves.push({ from, to, indices });
      byTransfer.set(key, transfer);
    }
    for (const { first, level, moves } of [...byTransfer.values()].sort((a, b) => a.first - b.first)) {
      const step: TransferStep = {
        kind: "transfer",
        collective: collectiveOf(moves, this.#options.devices),
        operation: first,
        tensor: name,
        form: "ciphertexts",
        level,
        moves,
        unitBytes: ciphertextBytes(this.#options.ring, level),
      };
      this.#steps.push(step);
    }
  }
}

/** What a pattern of moves is called. */
function collectiveOf(moves: readonly Move[], devices: number): CollectiveName {
  const toAll = moves.every(({ to }) => to.length === devices - 1);
  const sources = new Set(moves.map(({ from }) => from)).size;
  if (toAll) return sources === 1 && devices > 2 ? "broadcast" : "all-gather";
  return sources === devices ? "all-to-all" : "send";
}
