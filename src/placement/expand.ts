/**
 * From a mode for every operation to the steps of a plan: operations in parts and chunks, transfers
 * where something is read that is not there. The one place where collectives come from.
 *
 * With overlap, what a device makes is sent as soon as it is made, chunk by chunk, and sums of one
 * chunk travel while the next is computed. Without, transfers stand right before what asks for them.
 * The bytes are the same.
 */
import type { CollectiveName } from "../kernels/index.ts";
import { type Operation, type Program, range } from "../program/index.ts";
import { type ChunkOptions, chunksOf } from "./chunking.ts";
import { type DeviceNeeds, type Needs, needsOf } from "./needs.ts";
import type { Move, Phase, Step } from "./plan.ts";
import { type Chunk, type Parts, Sharing } from "./sharing.ts";
import { ciphertextBytes, sumBytes } from "./sizes.ts";
import type { Mode } from "./strategies.ts";

export interface ExpandOptions extends ChunkOptions {
  readonly devices: number;
  /** Lowest level that bootstrapping takes: all that is sent for one. */
  readonly bootstrapInput: number;
  /** Every tensor that is read is brought to every device. */
  readonly everywhere?: boolean;
}

/** Steps in the order that all devices follow. */
export function expand(
  program: Program,
  modes: readonly Mode[],
  options: ExpandOptions,
  sharing = new Sharing(program, options.devices),
): Step[] {
  return new Expansion(sharing, modes, options).run();
}

/** Ciphertexts that the same devices will read first for the same operations. */
interface Route {
  readonly from: number;
  readonly readers: readonly Reader[];
  /** Where their numbers go: one list for each first operation and level. */
  readonly lists: readonly number[][];
}

interface Reader {
  readonly device: number;
  readonly first: number;
  readonly level: number;
}

class Expansion {
  readonly #sharing: Sharing;
  readonly #program: Program;
  readonly #modes: readonly Mode[];
  readonly #options: ExpandOptions;
  readonly #needs: Needs;
  readonly #steps: Step[] = [];
  /** Devices that make each ciphertext: tensor → number → devices. */
  readonly #makers = new Map<string, readonly (readonly number[])[]>();
  /** Operations that were run as part of the chunks of another. */
  readonly #fused = new Set<number>();
  /** How many operations read a tensor. */
  readonly #readers = new Map<string, number>();

  constructor(sharing: Sharing, modes: readonly Mode[], options: ExpandOptions) {
    this.#sharing = sharing;
    this.#program = sharing.program;
    this.#modes = modes;
    this.#options = options;
    this.#needs = needsOf(sharing, modes, options.bootstrapInput, options.everywhere === true);
    for (const { inputs } of this.#program.operations)
      for (const name of inputs) this.#readers.set(name, 1 + (this.#readers.get(name) ?? 0));
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
    const { overlap } = this.#options;
    const follower = this.#follower(index, operation);
    if (follower !== undefined) this.#fused.add(follower);
    this.#noteMakers(index);
    if (follower !== undefined) this.#noteMakers(follower);
    // Sums of a chunk travel while the next chunk is summed: finishing lags one behind.
    const finish = ({ owned, sums, numbers }: Chunk): void => {
      if (sums !== undefined) this.#push(index, "finish", owned);
      this.#announce(operation, numbers);
      if (follower === undefined) return;
      this.#push(follower, "whole", owned);
      this.#announce(this.#program.operations[follower] as Operation, numbers);
    };
    let waiting: Chunk | undefined;
    for (const chunk of chunksOf(this.#sharing, operation, this.#modes[index] as Mode, this.#options)) {
      if (chunk.sums === undefined) {
        this.#push(index, "whole", chunk.owned);
        finish(chunk);
        continue;
      }
      this.#push(index, "sums", chunk.sums);
      this.#sendSums(index, operation, chunk);
      if (waiting !== undefined) finish(waiting);
      waiting = chunk;
      if (overlap) continue;
      finish(chunk);
      waiting = undefined;
    }
    if (waiting !== undefined) finish(waiting);
  }

  /** The next operation, if it works ciphertext by ciphertext on this one's only result, where it is. */
  #follower(index: number, operation: Operation): number | undefined {
    const next = this.#program.operations[index + 1];
    const name = operation.outputs[0] as string;
    if (next?.kind !== "polynomial" || operation.outputs.length !== 1 || next.inputs[0] !== name) return undefined;
    if (this.#readers.get(name) !== 1) return undefined;
    const results = (at: number): readonly (readonly (readonly number[])[])[] =>
      this.#sharing.parts(this.#program.operations[at] as Operation, this.#modes[at] as Mode).results;
    const [mine, others] = [results(index), results(index + 1)];
    const alike = mine.every((outputs, d) => sameNumbers(outputs[0] as number[], others[d]?.[0] as number[]));
    return alike ? index + 1 : undefined;
  }

  #push(index: number, phase: Phase, parts: Parts): void {
    if (parts.every((part) => part === null)) return;
    this.#steps.push({ kind: "compute", operation: index, phase, parts });
  }

  /** Partial sums of a chunk's results on their way to the owners. */
  #sendSums(index: number, operation: Operation, { owned, sums }: Chunk): void {
    const { devices, ring } = this.#options;
    const workers = range(devices).filter((d) => sums?.[d] !== null);
    for (const [o, name] of operation.outputs.entries()) {
      const moves: Move[] = [];
      for (const from of workers) {
        for (const to of range(devices)) {
          const indices = owned[to]?.outputs[o] ?? [];
          if (to !== from && indices.length > 0) moves.push({ from, to: [to], indices });
        }
      }
      if (moves.length === 0) continue;
      this.#steps.push({
        kind: "transfer",
        collective: "reduce-scatter",
        operation: index,
        tensor: name,
        form: "sums",
        level: operation.level as number,
        moves,
        unitBytes: sumBytes(ring, this.#program, operation, o),
      });
    }
  }

  #noteMakers(index: number): void {
    const operation = this.#program.operations[index] as Operation;
    const makers = this.#sharing.makers(operation, this.#modes[index] as Mode);
    for (const [o, name] of operation.outputs.entries())
      this.#makers.set(name, makers[o] as readonly (readonly number[])[]);
  }

  /** With overlap new results are sent on to whoever will read them. */
  #announce(operation: Operation, numbers: readonly (readonly number[])[]): void {
    if (!this.#options.overlap) return;
    for (const [o, name] of operation.outputs.entries()) this.#send(name, numbers[o] as readonly number[]);
  }

  /** Without overlap: everything that this operation is the first to ask for. */
  #sendWhatIsAsked(index: number): void {
    for (const name of new Set((this.#program.operations[index] as Operation).inputs)) {
      const asked = new Set<number>();
      for (const { first } of this.#needs.get(name) ?? [])
        for (const [number, operation] of first.entries()) if (operation === index) asked.add(number);
      this.#send(
        name,
        [...asked].sort((a, b) => a - b),
        index,
      );
    }
  }

  /** Ciphertexts from where they were made to where they are read; first readers first. */
  #send(name: string, numbers: readonly number[], only?: number): void {
    const makers = this.#makers.get(name);
    const needs = this.#needs.get(name);
    if (makers === undefined || needs === undefined) return; // the program's input: the client gives it to whoever reads it
    const transfers = new Map<string, { first: number; level: number; moves: Map<string, Move> }>();
    let route: Route | undefined;
    for (const number of numbers) {
      const holders = makers[number] as readonly number[];
      const from = holders[number % holders.length] as number;
      const readers = readersOf(needs, holders, number, only);
      if (readers.length === 0) continue;
      // Neighbours mostly go the same way.
      if (route === undefined || route.from !== from || !sameReaders(route.readers, readers))
        route = { from, readers, lists: listsOf(transfers, from, readers) };
      for (const list of route.lists) list.push(number);
    }
    for (const { first, level, moves } of [...transfers.values()].sort((a, b) => a.first - b.first)) {
      const list = [...moves.values()];
      this.#steps.push({
        kind: "transfer",
        collective: collectiveOf(list, this.#options.devices),
        operation: first,
        tensor: name,
        form: "ciphertexts",
        level,
        moves: list,
        unitBytes: ciphertextBytes(this.#options.ring, level),
      });
    }
  }
}

/** Devices that read a ciphertext and do not make it. */
function readersOf(needs: readonly DeviceNeeds[], holders: readonly number[], number: number, only?: number): Reader[] {
  const readers: Reader[] = [];
  for (let device = 0; device < needs.length; device++) {
    const { first: firsts, level: levels } = needs[device] as DeviceNeeds;
    const first = firsts[number] as number;
    if (first === -1 || (only !== undefined && first !== only) || holders.includes(device)) continue;
    readers.push({ device, first, level: levels[number] as number });
  }
  return readers;
}

function sameReaders(a: readonly Reader[], b: readonly Reader[]): boolean {
  return (
    a.length === b.length &&
    a.every((reader, i) => {
      const other = b[i] as Reader;
      return reader.device === other.device && reader.first === other.first && reader.level === other.level;
    })
  );
}

/** The lists of numbers of what goes this way: one for each first operation and level. */
function listsOf(
  transfers: Map<string, { first: number; level: number; moves: Map<string, Move> }>,
  from: number,
  readers: readonly Reader[],
): number[][] {
  const groups = new Map<string, Reader[]>();
  for (const reader of readers) {
    const key = `${reader.first} ${reader.level}`;
    const alike = groups.get(key);
    if (alike === undefined) groups.set(key, [reader]);
    else alike.push(reader);
  }
  return [...groups].map(([key, alike]) => {
    const { first, level } = alike[0] as Reader;
    let transfer = transfers.get(key);
    if (transfer === undefined) transfers.set(key, (transfer = { first, level, moves: new Map() }));
    const to = alike.map(({ device }) => device);
    const way = `${from} ${to.join()}`;
    let move = transfer.moves.get(way);
    if (move === undefined) transfer.moves.set(way, (move = { from, to, indices: [] }));
    return move.indices as number[];
  });
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((number, i) => number === b[i]));
}

/** What a pattern of moves is called. */
function collectiveOf(moves: readonly Move[], devices: number): CollectiveName {
  const toAll = moves.every(({ to }) => to.length === devices - 1);
  const sources = new Set(moves.map(({ from }) => from)).size;
  if (toAll) return sources === 1 && devices > 2 ? "broadcast" : "all-gather";
  return sources === devices ? "all-to-all" : "send";
}
