/** State shared by the rings of one WebGPU backend, on the calling thread: commands, memory, tables. */
import { AegisError } from "../../base/errors.ts";
import { Allocator } from "../allocator.ts";
import { type ModulusConstants, modulusConstants, multiplyModulo, powerModulo, smallestGenerator } from "../modulus.ts";
import { operations, type SharedArea, statisticsFields, targets, type WebgpuStatistics } from "./protocol.ts";
import type { CommandQueue } from "./queue.ts";
import { type Kernel, kernelNumbers } from "./shaders/kernels.ts";
import { transformThreads } from "./shaders/transform.ts";

/** Words of a dispatch before its parameters. */
const dispatchHead = 6;
const uploadHead = 4;
/** Most milliseconds that the end of a thread is waited for. */
const endPatience = 5000;

export class WebgpuCore {
  readonly queue: CommandQueue;
  readonly allocator: Allocator;
  readonly #shared: SharedArea;
  readonly #chunkBytes: number;
  #chunks = 1;
  /** What the answer area holds: these words, as of this end of the ring. */
  #readHead = -1;
  #readFirst = 0;
  #readEnd = 0;
  readonly #moduli = new Map<number, ModulusConstants>();
  readonly #twiddles = new Map<string, number>();

  constructor(shared: SharedArea, queue: CommandQueue, chunkBytes: number, maximumBytes: number) {
    this.#shared = shared;
    this.queue = queue;
    this.#chunkBytes = chunkBytes;
    // Address 0 is kept free, as in the other backends.
    this.allocator = new Allocator(64, maximumBytes, (end) => this.#grow(end), chunkBytes);
    // Whoever watches allocations is told that long work goes on.
    queue.onWait = () => this.allocator.stir();
  }

  #grow(end: number): boolean {
    const chunks = Math.ceil(end / this.#chunkBytes);
    if (chunks > this.#chunks) {
      const at = this.queue.begin(operations.grow, 3);
      this.queue.words[at + 2] = chunks;
      if (this.queue.ask() !== 1) return false;
      this.#chunks = chunks;
    }
    return true;
  }

  allocate(bytes: number): number {
    this.queue.check();
    return this.allocator.allocate(bytes);
  }

  /**
   * Begins a dispatch; returns the place of its first parameter in `queue.words`, which are all the caller's to
   * write. `queue.publish` ends it.
   */
  dispatch(kernel: Kernel, x: number, y: number, z: number, parameters: number): number {
    const at = this.queue.begin(operations.dispatch, dispatchHead + parameters);
    const { words } = this.queue;
    words[at + 2] = kernelNumbers[kernel];
    words[at + 3] = x;
    words[at + 4] = y;
    words[at + 5] = z;
    return at + dispatchHead;
  }

  /** Writes words at a byte address of the arena, or at the start of the stage. */
  upload(target: "arena" | "stage", address: number, data: Uint32Array): void {
    const at = this.queue.begin(operations.upload, uploadHead + data.length);
    const { words } = this.queue;
    words[at + 2] = targets[target];
    words[at + 3] = address / 4;
    words.set(data, at + uploadHead);
    this.queue.publish();
  }

  /**
   * Reads words from a byte address of the arena. `behind` more words are brought along while nothing else
   * happens: who reads one limb mostly reads the next, and what costs is the way there and back.
   */
  read(address: number, into: Uint32Array, count: number, behind: number): void {
    const { queue } = this;
    const word = address / 4;
    if (queue.head !== this.#readHead || word < this.#readFirst || word + count > this.#readEnd) {
      const at = queue.begin(operations.read, 4);
      queue.words[at + 2] = word;
      queue.words[at + 3] = count + behind;
      queue.ask();
      this.#readHead = queue.head;
      this.#readFirst = word;
      this.#readEnd = word + count + behind;
    } else queue.check();
    const start = word - this.#readFirst;
    into.set(this.#shared.answer.subarray(start, start + count));
  }

  /** Waits until everything so far is done. */
  finish(): void {
    this.queue.begin(operations.finish, 2);
    this.queue.ask();
  }

  /** What was done so far; waits for it. */
  statistics(): WebgpuStatistics {
    this.finish();
    const values = statisticsFields.map((name, i) => [name, this.#shared.statistics[i]]);
    return Object.fromEntries(values) as unknown as WebgpuStatistics;
  }

  modulus(q: number): ModulusConstants {
    let constants = this.#moduli.get(q);
    if (constants === undefined) {
      constants = modulusConstants(q);
      this.#moduli.set(q, constants);
    }
    return constants;
  }

  /** Address of the twiddle table of a prime. */
  twiddles(logN: number, q: number): number {
    const key = `${logN} ${q}`;
    let address = this.#twiddles.get(key);
    if (address === undefined) {
      const n = 2 ** logN;
      const { qInverse, radix } = this.modulus(q);
      address = this.allocate(8 * n);
      const at = this.dispatch("makeTwiddles", Math.ceil(n / transformThreads), 1, 1, 12 + logN);
      const { words } = this.queue;
      words.fill(0, at, at + 8);
      words[at] = logN;
      words[at + 8] = q;
      words[at + 9] = qInverse;
      words[at + 10] = address / 4;
      words[at + 11] = radix;
      let power = powerModulo(smallestGenerator(q), (q - 1) / (2 * n), q);
      for (let k = 0; k < logN; k++) {
        words[at + 12 + k] = multiplyModulo(power, radix, q);
        power = multiplyModulo(power, power, q);
      }
      this.queue.publish();
      this.#twiddles.set(key, address);
    }
    return address;
  }

  /** Makes the adapter misbehave, for tests. */
  fault(how: number): void {
    const at = this.queue.begin(operations.fault, 3);
    this.queue.words[at + 2] = how;
    this.queue.publish();
  }

  /**
   * Lets the adapter finish and closes it.
   *
   * @returns whether its thread is done; a thread that is not must not be terminated: open promises of a device take
   *   the process down
   */
  dispose(): boolean {
    try {
      this.queue.begin(operations.close, 2);
      this.queue.ask();
    } catch (error) {
      // It is gone already.
      if (!(error instanceof AegisError)) throw error;
    }
    this.queue.close();
    this.#twiddles.clear();
    return this.#shared.ended(Math.min(endPatience, this.queue.timeout));
  }
}
