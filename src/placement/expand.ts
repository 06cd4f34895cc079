/**
 * From a mode for every operation to the steps of a plan: operations in parts and chunks, transfers
 * where something is read that is not there. The one place where collectives come from.
 *
 * With overlap, what a device makes is sent as soon as it is made, chunk by chunk, and sums of one
 * chunk travel while the next is computed. Without, transfers stand right before what asks for them.
 * The bytes are the same.
 */
import { AegisError } from "../base/errors.ts";
import type { CollectiveName, ShardingName } from "../kernels/index.ts";
import { allOf, type Operation, type Part, type Program, type Tensor } from "../program/index.ts";
import { type ChunkOptions, chunksOf } from "./chunking.ts";
import { type DeviceNeeds, type Needs, needsOf } from "./needs.ts";
import { layoutOf, type Move, type Phase, type Step } from "./plan.ts";
import { type Chunk, type Parts, Sharing } from "./sharing.ts";
import { ciphertextBytes, shareBytes, sumBytes } from "./sizes.ts";
import { type Mode, shardingOfMode } from "./strategies.ts";
import type { PlanCosts } from "./timeline.ts";

export interface ExpandOptions extends ChunkOptions {
  readonly devices: number;
  /** Lowest level that bootstrapping takes: all that is sent for one. */
  readonly bootstrapInput: number;
  /** Every tensor that is read is brought to every device. */
  readonly everywhere?: boolean;
  /** Bytes of operations on ciphertexts that are cut; absent where no mode cuts. */
  readonly costs?: Pick<PlanCosts, "cut">;
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
  /** The first of them. */
  readonly number: number;
  /** Where their numbers go: one list for each first operation and level. */
  readonly lists: readonly number[][];
}

interface Reader {
  readonly device: number;
  readonly first: number;
  readonly level: number;
}

/** What is sent for an operation, its first reader, at a level. */
interface Transfer {
  readonly first: number;
  readonly level: number;
  readonly moves: Move[];
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
  /** Layouts that the shares of a tensor are in, and undefined where it is whole. */
  readonly #layouts = new Map<string, Set<string | undefined>>();
  /** How the operation that made a tensor was cut. */
  readonly #cuts = new Map<string, ShardingName>();
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
      this.#reshape(index, operation);
      if (shardingOfMode(this.#modes[index] as Mode) === undefined) this.#compute(index, operation);
      else this.#cut(index, operation);
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
    const isSent = overlap && this.#isSent(follower ?? index);
    let waiting: Chunk | undefined;
    for (const chunk of chunksOf(this.#sharing, operation, this.#modes[index] as Mode, this.#options)) {
      if (chunk.sums === undefined) {
        const pieces = isSent ? this.#sharing.pieces(operation, chunk) : [chunk];
        this.#push(index, pieces.length > 1 ? "sums" : "whole", chunk.owned);
        // What is finished first is on its way while the rest is finished.
        for (const piece of pieces) finish(piece);
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

  /** Whether anything that an operation makes is read by a device that does not make it. */
  #isSent(index: number): boolean {
    const { outputs } = this.#program.operations[index] as Operation;
    return outputs.some((name) => {
      const makers = this.#makers.get(name);
      return this.#needs
        .get(name)
        ?.some(({ first }, device) =>
          first.some((at, number) => at !== -1 && makers?.[number]?.includes(device) === false),
        );
    });
  }

  /** All chunks of an operation on ciphertexts that are cut, and of the one that follows it. */
  #cut(index: number, operation: Operation): void {
    const follower = this.#follower(index, operation);
    if (follower !== undefined) this.#fused.add(follower);
    this.#noteMakers(index);
    if (follower !== undefined) this.#noteMakers(follower);
    for (const { owned } of chunksOf(this.#sharing, operation, this.#modes[index] as Mode, this.#options)) {
      const part = owned[0] as Part;
      for (const at of follower === undefined ? [index] : [index, follower]) {
        const step = { operation: at, sharding: shardingOfMode(this.#modes[at] as Mode) as ShardingName, part };
        const { costs, devices } = this.#options;
        if (costs === undefined) throw new AegisError("internal", "what cut ciphertexts send is not known here");
        this.#steps.push({ kind: "cut", ...step, bytes: costs.cut(step, devices).bytes });
      }
    }
  }

  /** Shares of whole ciphertexts where an operation reads shares, and the other way round. */
  #reshape(index: number, { inputs }: Operation): void {
    const sharding = shardingOfMode(this.#modes[index] as Mode);
    const wanted = sharding === undefined ? undefined : layoutOf(sharding);
    for (const name of inputs) {
      let layouts = this.#layouts.get(name);
      if (layouts === undefined) this.#layouts.set(name, (layouts = new Set([undefined]))); // the program's input
      if (layouts.has(wanted)) continue;
      if (!layouts.has(undefined)) this.#pushReshape("gather", index, name, this.#cuts.get(name) as ShardingName);
      if (sharding !== undefined) this.#pushReshape("scatter", index, name, sharding);
      layouts.add(undefined).add(wanted);
    }
  }

  #pushReshape(kind: "scatter" | "gather", operation: number, tensor: string, sharding: ShardingName): void {
    const { devices, ring } = this.#options;
    const numbers = allOf(this.#program.tensors[tensor] as Tensor);
    const level = Math.max(
      ...(this.#needs.get(tensor) as DeviceNeeds[]).flatMap((mine) =>
        numbers.map((number) => mine.level[number] as number),
      ),
    );
    const bytes = kind === "scatter" ? 0 : numbers.length * shareBytes(ring, level) * (devices - 1);
    this.#steps.push({ kind, operation, tensor, sharding, level, numbers, bytes });
  }

  /** The next operation, if it works ciphertext by ciphertext on this one's only result, where it is. */
  #follower(index: number, operation: Operation): number | undefined {
    const next = this.#program.operations[index + 1];
    const name = operation.outputs[0] as string;
    if (next?.kind !== "polynomial" || operation.outputs.length !== 1 || next.inputs[0] !== name) return undefined;
    if (this.#readers.get(name) !== 1) return undefined;
    const layout = (at: number): string | undefined => {
      const sharding = shardingOfMode(this.#modes[at] as Mode);
      return sharding && layoutOf(sharding);
    };
    if (layout(index) !== layout(index + 1)) return undefined;
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
  #sendSums(index: number, operation: Operation, chunk: Chunk): void {
    for (const [o, name] of operation.outputs.entries()) {
      const moves = this.#sharing.sumMoves(chunk, o);
      if (moves.length === 0) continue;
      this.#steps.push({
        kind: "transfer",
        collective: "reduce-scatter",
        operation: index,
        tensor: name,
        form: "sums",
        level: operation.level as number,
        moves,
        unitBytes: sumBytes(this.#options.ring, this.#program, operation, o),
      });
    }
  }

  #noteMakers(index: number): void {
    const operation = this.#program.operations[index] as Operation;
    const makers = this.#sharing.makers(operation, this.#modes[index] as Mode);
    const sharding = shardingOfMode(this.#modes[index] as Mode);
    for (const [o, name] of operation.outputs.entries()) {
      this.#makers.set(name, makers[o] as readonly (readonly number[])[]);
      this.#layouts.set(name, new Set([sharding && layoutOf(sharding)]));
      if (sharding !== undefined) this.#cuts.set(name, sharding);
    }
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

  /** The lists of numbers of what goes this way: one for each first operation and level. */
  #listsOf(transfers: Map<string, Transfer>, from: number, readers: readonly Reader[]): number[][] {
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
      if (transfer === undefined) transfers.set(key, (transfer = { first, level, moves: [] }));
      const to = this.#sharing.list(alike.map(({ device }) => device));
      let move = transfer.moves.find((one) => one.from === from && one.to === to);
      if (move === undefined) transfer.moves.push((move = { from, to, indices: [] }));
      return move.indices as number[];
    });
  }

  /** Ciphertexts from where they were made to where they are read; first readers first. */
  #send(name: string, numbers: readonly number[], only?: number): void {
    const makers = this.#makers.get(name);
    const needs = this.#needs.get(name);
    if (makers === undefined || needs === undefined) return; // the program's input: the client gives it to whoever reads it
    const transfers = new Map<string, Transfer>();
    let route: Route | undefined;
    for (const number of numbers) {
      const holders = makers[number] as readonly number[];
      const from = holders[number % holders.length] as number;
      // Neighbours mostly go the same way.
      if (route === undefined || route.from !== from || !isAlike(needs, makers, route.number, number)) {
        const readers = readersOf(needs, holders, number, only);
        route = { from, number, lists: this.#listsOf(transfers, from, readers) };
      }
      for (const list of route.lists) list.push(number);
    }
    for (const { first, level, moves } of [...transfers.values()].sort((a, b) => a.first - b.first)) {
      this.#steps.push({
        kind: "transfer",
        collective: collectiveOf(moves, this.#options.devices),
        operation: first,
        tensor: name,
        form: "ciphertexts",
        level,
        moves,
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

/** Whether two ciphertexts are made by the same devices, and read by the same at the same levels for the same operations. */
function isAlike(
  needs: readonly DeviceNeeds[],
  makers: readonly (readonly number[])[],
  one: number,
  other: number,
): boolean {
  if (!sameNumbers(makers[one] as readonly number[], makers[other] as readonly number[])) return false;
  for (const { first, level } of needs) if (first[one] !== first[other] || level[one] !== level[other]) return false;
  return true;
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
