/**
 * How modes share out operations over devices. All of it follows from shapes, so that it is kept: layers
 * repeat, and parts of one shape are the same objects in every plan.
 */
import { type Operation, type Part, type Program, range, readsOf, shapeOf, type Tensor } from "../program/index.ts";
import { cutResults, isSumming } from "../transformer/index.ts";
import { bootstrapShares } from "./pair-shares.ts";
import type { Move } from "./plan.ts";
import { axisShares, evenPaces, owned, type Paces } from "./shares.ts";
import type { Mode } from "./strategies.ts";

/** The parts of an operation by device; `summed` in sums, absent in whole parts. */
export interface OperationParts {
  /** Numbers owned of each output, by device: [device][output]. */
  readonly results: readonly (readonly (readonly number[])[])[];
  /** Terms that each device sums, where sums meet afterwards. */
  readonly summed: readonly (readonly number[])[] | undefined;
}

/** A part for every device, null where it has nothing to do. */
export type Parts = readonly (Part | null)[];

/** Some of an operation's results, made together. */
export interface Chunk {
  /** What each device owns of them. */
  readonly owned: Parts;
  /** Partial sums of all of them, on every device that has terms; undefined where nothing is summed. */
  readonly sums: Parts | undefined;
  /** Numbers of each output, ascending. */
  readonly numbers: readonly (readonly number[])[];
}

/** In how many steps sums are finished whose results travel. */
const mostPieces = 8;

export class Sharing {
  readonly program: Program;
  readonly devices: number;
  readonly #paces: Paces;
  readonly #parts = new Map<string, OperationParts>();
  readonly #whole = new Map<string, Chunk>();
  readonly #chunks = new Map<string, readonly Chunk[]>();
  readonly #pieces = new Map<Chunk, readonly Chunk[]>();
  readonly #moves = new Map<Chunk, Move[][]>();
  readonly #lists = new Map<string, readonly number[]>();
  readonly #reads = new Map<string, readonly (readonly (readonly number[])[])[]>();
  readonly #makers = new Map<string, readonly (readonly (readonly number[])[])[]>();

  /** @param paces by which shares are cut: see {@link PlanCosts.paces} */
  constructor(program: Program, devices: number, paces: Paces = evenPaces(devices)) {
    this.program = program;
    this.devices = devices;
    this.#paces = paces;
  }

  parts(operation: Operation, mode: Mode): OperationParts {
    return kept(this.#parts, this.#key(operation, mode), () => this.#share(operation, mode));
  }

  /** All of an operation as one chunk. */
  whole(operation: Operation, mode: Mode): Chunk {
    return kept(this.#whole, this.#key(operation, mode), () => {
      const parts = this.parts(operation, mode);
      return this.#chunk(operation, parts, parts.results);
    });
  }

  /** An operation in `count` chunks, as even as rows allow. */
  chunks(operation: Operation, mode: Mode, count: number): readonly Chunk[] {
    if (count === 1) return [this.whole(operation, mode)];
    return kept(this.#chunks, `${this.#key(operation, mode)} ${count}`, () => {
      const parts = this.parts(operation, mode);
      const byDevice = parts.results.map((mine) => cutResults(this.program, operation, mine, count));
      return range(count).map((chunk) =>
        this.#chunk(
          operation,
          parts,
          byDevice.map((chunks) => chunks[chunk] as number[][]),
        ),
      );
    });
  }

  /** Results of a chunk of sums that are whole, a few at a time, for being finished one after another. */
  pieces(operation: Operation, chunk: Chunk): readonly Chunk[] {
    if (!isSumming(this.program, operation)) return [chunk];
    let pieces = this.#pieces.get(chunk);
    if (pieces === undefined) {
      const count = Math.min(mostPieces, ...chunk.owned.map((part) => part?.outputs.flat().length ?? mostPieces));
      const byDevice = chunk.owned.map((part) =>
        cutResults(this.program, operation, part?.outputs ?? operation.outputs.map(() => []), count),
      );
      pieces = range(count).map((i) => {
        const results = byDevice.map((lists) => lists[i] as number[][]);
        return { ...this.#chunk(operation, { results, summed: undefined }, results), sums: chunk.owned };
      });
      if (count < 2) pieces = [chunk];
      this.#pieces.set(chunk, pieces);
    }
    return pieces;
  }

  /**
   * Partial sums of output `o` of a chunk, from everybody who has some to the owners of the results: each sends to its
   * next neighbour first, so that no two send to one device at the same time.
   */
  sumMoves(chunk: Chunk, o: number): readonly Move[] {
    let byOutput = this.#moves.get(chunk);
    if (byOutput === undefined) this.#moves.set(chunk, (byOutput = []));
    let moves = byOutput[o];
    if (moves === undefined) {
      moves = [];
      for (const [from, sums] of (chunk.sums ?? []).entries()) {
        if (sums === null) continue;
        for (let step = 1; step < this.devices; step++) {
          const to = (from + step) % this.devices;
          const indices = chunk.owned[to]?.outputs[o] ?? [];
          if (indices.length > 0) moves.push({ from, to: [to], indices });
        }
      }
      byOutput[o] = moves;
    }
    return moves;
  }

  /** The one list of these numbers: plans keep many of the same. */
  list(numbers: readonly number[]): readonly number[] {
    return kept(this.#lists, numbers.join(), () => numbers);
  }

  /** Devices that make each ciphertext: [output][number]. */
  makers(operation: Operation, mode: Mode): readonly (readonly (readonly number[])[])[] {
    return kept(this.#makers, this.#key(operation, mode), () => {
      const { results } = this.parts(operation, mode);
      return this.#outputs(operation).map(({ blocks, count }, o) => {
        const makers = range(blocks * count).map((): number[] => []);
        for (const [device, mine] of results.entries())
          for (const number of mine[o] as readonly number[]) makers[number]?.push(device);
        return makers;
      });
    });
  }

  /** Numbers that each device reads of each input: [device][input]. */
  reads(operation: Operation, mode: Mode): readonly (readonly (readonly number[])[])[] {
    return kept(this.#reads, this.#key(operation, mode), () => {
      const { owned, sums } = this.whole(operation, mode);
      return (sums ?? owned).map((part) =>
        part === null ? operation.inputs.map(() => []) : readsOf(this.program, operation, part),
      );
    });
  }

  #share(operation: Operation, mode: Mode): OperationParts {
    const { geometry, tensors } = this.program;
    const { devices } = this;
    const paces = this.#paces;
    const byOutput =
      operation.kind === "bootstrap" && mode === "axis"
        ? bootstrapShares(
            operation.inputs.map((name) => tensors[name] as Tensor),
            paces,
          )
        : this.#outputs(operation).map((tensor, o) => owned(geometry, tensor, o, mode, paces));
    const results = range(devices).map((d) => byOutput.map((shares) => shares[d] as number[]));
    if (!mode.startsWith("summed") || !isSumming(this.program, operation)) return { results, summed: undefined };
    return { results, summed: axisShares(geometry, tensors[operation.inputs[0] as string] as Tensor, paces) };
  }

  #chunk(operation: Operation, { summed }: OperationParts, results: OperationParts["results"]): Chunk {
    const numbers = operation.outputs.map((_, o) =>
      [...new Set(results.flatMap((mine) => mine[o] as readonly number[]))].sort((a, b) => a - b),
    );
    const owned = results.map((outputs): Part | null =>
      outputs.every((list) => list.length === 0) ? null : { outputs },
    );
    if (summed === undefined) return { owned, sums: undefined, numbers };
    const sums = summed.map((terms): Part | null => (terms.length === 0 ? null : { outputs: numbers, summed: terms }));
    return { owned, sums, numbers };
  }

  #outputs({ outputs }: Operation): Tensor[] {
    return outputs.map((name) => this.program.tensors[name] as Tensor);
  }

  #key(operation: Operation, mode: Mode): string {
    return `${shapeOf(this.program, operation)} ${mode}`;
  }
}

function kept<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}
