/**
 * The adapter's side: takes commands from the ring, records them and gives them to the device in
 * batches. A batch is one command buffer with few compute passes; while one is being worked on, the next
 * collects what comes, so that a fast caller makes few submissions.
 */
import { AegisError } from "../../base/errors.ts";
import { Arena } from "./arena.ts";
import { bufferUsage, mapMode } from "./constants.ts";
import { pause, yieldTask } from "./pause.ts";
import {
  type AdapterDescription,
  closed,
  control,
  faults,
  operations,
  parameterWords,
  ringWords,
  running,
  type SharedArea,
  stageWords,
  statisticsFields,
  targets,
} from "./protocol.ts";
import { softwareThreads, transformThreads } from "./shaders/transform.ts";

/** Staging buffers: one is filled, one is being read, one waits. */
const stagingBuffers = 3;
/** Bytes of parameters and of uploads in a batch. */
const parameterBytes = 2 ** 19;
const uploadBytes = 2 ** 22;
/** Kernels of a batch when the adapter is idle, and when it is not. */
const [shortBatch, longBatch] = [16, 512];

interface Staging {
  readonly buffer: GPUBuffer;
  words: Uint32Array;
}

interface Batch {
  readonly staging: Staging;
  readonly encoder: GPUCommandEncoder;
  pass: GPUComputePassEncoder | undefined;
  kernel: number;
  dispatches: number;
  /** Words used of each part of the staging buffer. */
  parameters: number;
  uploads: number;
}

type Statistic = (typeof statisticsFields)[number];

export class Engine {
  readonly #device: GPUDevice;
  readonly #shared: SharedArea;
  readonly #name: string;
  readonly #arena: Arena;
  readonly #parameters: GPUBuffer;
  readonly #stage: GPUBuffer;
  readonly #answer: GPUBuffer;
  readonly #free: Staging[] = [];
  #batch: Batch | undefined;
  #inFlight = 0;
  #tail = 0;
  /** What the error scopes of batches say, as far as it is not known. */
  readonly #checks = new Set<Promise<unknown>>();
  /** Promises of the device that are open. */
  readonly #open = new Set<Promise<unknown>>();
  #loss: Promise<void> | undefined;
  #ended = false;

  constructor(device: GPUDevice, shared: SharedArea, { name, fallback }: AdapterDescription, chunkBytes: number) {
    this.#device = device;
    this.#shared = shared;
    this.#name = name;
    const { storage, uniform, copySource, copyTarget, mapWrite, mapRead } = bufferUsage;
    const buffer = (size: number, usage: number, mappedAtCreation = false): GPUBuffer =>
      device.createBuffer({ size, usage, mappedAtCreation });
    this.#parameters = buffer(parameterBytes + 4 * parameterWords, uniform | copyTarget);
    this.#stage = buffer(4 * stageWords, storage | copyTarget);
    this.#answer = buffer(4 * 2 ** 17, mapRead | copyTarget);
    for (let i = 0; i < stagingBuffers; i++) {
      const staging = buffer(parameterBytes + uploadBytes, mapWrite | copySource, true);
      this.#free.push({ buffer: staging, words: new Uint32Array(staging.getMappedRange()) });
    }
    this.#arena = new Arena(
      device,
      chunkBytes,
      this.#parameters,
      this.#stage,
      fallback ? softwareThreads : transformThreads,
    );
  }

  /** Makes the first chunk, and watches for the loss of the device from then on. Throws `memory`. */
  async open(): Promise<void> {
    this.#loss = this.#watchLoss();
    if (!(await this.#arena.grow(1))) {
      throw new AegisError("memory", `${this.#name} has no room for the first chunk of memory`, {
        hint: "lower the memory limit of the backend",
      });
    }
  }

  /** Works until the backend is closed or has failed. */
  async run(): Promise<void> {
    const { control: words } = this.#shared;
    const beat = setInterval(() => Atomics.add(words, control.heartbeat, 1), 50);
    try {
      while (!this.#ended && Atomics.load(words, control.state) === running) {
        Atomics.add(words, control.heartbeat, 1);
        await this.#step();
      }
    } catch (error) {
      this.fail("internal", (error as Error).message, "this is a bug in the library");
    } finally {
      clearInterval(beat);
      this.#batch?.pass?.end();
      await this.#destroy();
      this.#shared.end();
    }
  }

  /**
   * Destroys the device and waits until nothing of it is left to come: the Node binding ends the process when a thread
   * ends that has open promises of a device, or is in the middle of asking one of its objects.
   */
  async #destroy(): Promise<void> {
    this.#device.destroy();
    while (this.#open.size > 0) await Promise.allSettled(this.#open);
    await this.#loss;
  }

  /** Ends when the device is lost and the calling thread was told, or when it is destroyed. */
  async #watchLoss(): Promise<void> {
    const { message, reason } = await this.#device.lost;
    if (this.#ended) return;
    this.fail(
      "device",
      `the device was lost (${reason || "unknown"}): ${message}`,
      "the driver was reset or the adapter removed: make a new backend; smaller parameters if it happens again",
    );
  }

  /** A promise of the device, which is kept in mind until it is settled. */
  #opened<T>(promise: Promise<T>): Promise<T> {
    this.#open.add(promise);
    const done = (): void => void this.#open.delete(promise);
    promise.then(done, done);
    return promise;
  }

  /** Records an error of the device for the calling thread. */
  fail(code: "device" | "memory" | "internal", message: string, hint: string): void {
    this.#shared.fail({ code, message: `${this.#name}: ${message}`, hint });
  }

  async #step(): Promise<void> {
    const head = Atomics.load(this.#shared.control, control.head) >>> 0;
    if (head === this.#tail) {
      const urgent = this.#inFlight === 0 || Atomics.load(this.#shared.control, control.waiting) === 1;
      if (this.#batch !== undefined && urgent) return this.#submit();
      const idle = this.#inFlight === 0 && this.#checks.size === 0;
      return pause(this.#shared.control, control.head, head | 0, idle);
    }
    while (this.#tail !== head && !this.#ended) {
      const at = this.#tail % ringWords;
      const operation = this.#shared.ring[at];
      // A pad of one word has no length.
      const length = operation === operations.pad ? ringWords - at : this.#shared.ring[at + 1];
      if (operation === operations.dispatch || operation === operations.upload) {
        if (!this.#record(operation, at, length)) {
          this.#submit();
          while (this.#free.length === 0 && !this.#lost()) await yieldTask();
          return;
        }
      } else if (operation !== operations.pad) {
        await this.#command(operation, at);
      }
      this.#tail = (this.#tail + length) >>> 0;
      Atomics.store(this.#shared.control, control.tail, this.#tail | 0);
      Atomics.notify(this.#shared.control, control.tail);
      const limit = this.#inFlight === 0 ? shortBatch : longBatch;
      if (this.#batch !== undefined && this.#batch.dispatches >= limit) {
        this.#submit();
        // The device's own work wants its turns.
        await yieldTask();
        return;
      }
    }
  }

  #lost(): boolean {
    return Atomics.load(this.#shared.control, control.state) !== running;
  }

  #count(name: Statistic, by: number): void {
    this.#shared.statistics[statisticsFields.indexOf(name)] += by;
  }

  /** Records a dispatch or an upload; false when the batch is full. */
  #record(operation: number, at: number, length: number): boolean {
    const { ring } = this.#shared;
    const batch = (this.#batch ??= this.#begin());
    if (batch === undefined) return false;
    if (operation === operations.upload) {
      const data = ring.subarray(at + 4, at + length);
      if (batch.uploads + data.length > uploadBytes / 4) return false;
      batch.pass?.end();
      batch.pass = undefined;
      const from = parameterBytes / 4 + batch.uploads;
      batch.staging.words.set(data, from);
      batch.uploads += data.length;
      const word = ring[at + 3];
      const [target, offset] = ring[at + 2] === targets.stage ? [this.#stage, 4 * word] : this.#arena.locate(word);
      batch.encoder.copyBufferToBuffer(batch.staging.buffer, 4 * from, target, offset, 4 * data.length);
      this.#count("uploadedBytes", 4 * data.length);
      return true;
    }
    const parameters = ring.subarray(at + 6, at + length);
    if (batch.parameters + parameters.length > parameterBytes / 4) return false;
    batch.staging.words.set(parameters, batch.parameters);
    if (batch.pass === undefined) {
      batch.pass = batch.encoder.beginComputePass();
      batch.kernel = -1;
    }
    const kernel = ring[at + 2];
    if (kernel !== batch.kernel) batch.pass.setPipeline(this.#arena.pipeline(kernel));
    batch.kernel = kernel;
    batch.pass.setBindGroup(0, this.#arena.group, [4 * batch.parameters]);
    batch.pass.dispatchWorkgroups(ring[at + 3], ring[at + 4], ring[at + 5]);
    batch.parameters = this.#aligned(batch.parameters + parameters.length);
    batch.dispatches++;
    this.#count("dispatches", 1);
    this.#count("uploadedBytes", 4 * parameters.length);
    return true;
  }

  /** Words up to the next place where a binding may begin. */
  #aligned(words: number): number {
    const step = this.#device.limits.minUniformBufferOffsetAlignment / 4;
    return Math.ceil(words / step) * step;
  }

  #begin(): Batch | undefined {
    const staging = this.#free.pop();
    if (staging === undefined) return undefined;
    this.#device.pushErrorScope("validation");
    this.#device.pushErrorScope("out-of-memory");
    const encoder = this.#device.createCommandEncoder();
    return { staging, encoder, pass: undefined, kernel: -1, dispatches: 0, parameters: 0, uploads: 0 };
  }

  #submit(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    batch.pass?.end();
    const { staging } = batch;
    staging.buffer.unmap();
    const buffers = [batch.encoder.finish()];
    if (batch.parameters > 0) {
      // Parameters of all kernels go ahead of them.
      const ahead = this.#device.createCommandEncoder();
      ahead.copyBufferToBuffer(staging.buffer, 0, this.#parameters, 0, 4 * batch.parameters);
      buffers.unshift(ahead.finish());
    }
    this.#device.queue.submit(buffers);
    this.#count("submits", 1);
    this.#inFlight++;
    this.#watchScopes();
    this.#opened(staging.buffer.mapAsync(mapMode.write)).then(
      () => {
        staging.words = new Uint32Array(staging.buffer.getMappedRange());
        this.#free.push(staging);
        this.#inFlight--;
      },
      (error: Error) => this.fail("device", error.message, "the device is gone: make a new backend"),
    );
  }

  /** Closes the two error scopes and fails when they caught something. */
  #watchScopes(): void {
    const device = this.#device;
    const scopes = [device.popErrorScope(), device.popErrorScope()].map((scope) => this.#opened(scope));
    const check = Promise.all(scopes).then(
      ([memory, validation]) => {
        if (memory !== null) this.fail("memory", memory.message, "lower the memory limit of the backend");
        if (validation !== null) this.fail("device", validation.message, "this is a bug in the library or the driver");
      },
      (error: Error) => this.fail("device", error.message, "the device is gone: make a new backend"),
    );
    this.#checks.add(check);
    void check.then(() => this.#checks.delete(check));
  }

  /** Runs a command that is answered. */
  async #command(operation: number, at: number): Promise<void> {
    this.#submit();
    const { ring } = this.#shared;
    let answer = 0;
    switch (operation) {
      case operations.read:
        await this.#read(ring[at + 2], ring[at + 3]);
        break;
      case operations.grow:
        answer = (await this.#arena.grow(ring[at + 2])) ? 1 : 0;
        break;
      case operations.finish:
        await this.#finish();
        break;
      case operations.close:
        await this.#finish();
        this.#ended = true;
        Atomics.store(this.#shared.control, control.state, closed);
        break;
      case operations.fault:
        return this.#break(ring[at + 2]);
      default:
        throw new Error(`unknown operation ${operation}`);
    }
    // Nobody is told that all is well before it is known.
    if (this.#lost() && !this.#ended) return;
    Atomics.store(this.#shared.control, control.answer, answer);
    Atomics.add(this.#shared.control, control.answers, 1);
    Atomics.notify(this.#shared.control, control.answers);
  }

  async #read(word: number, count: number): Promise<void> {
    const device = this.#device;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const encoder = device.createCommandEncoder();
    const [buffer, offset] = this.#arena.locate(word);
    encoder.copyBufferToBuffer(buffer, offset, this.#answer, 0, 4 * count);
    device.queue.submit([encoder.finish()]);
    this.#watchScopes();
    await Promise.all([this.#opened(this.#answer.mapAsync(mapMode.read, 0, 4 * count)), ...this.#checks]);
    this.#shared.answer.set(new Uint32Array(this.#answer.getMappedRange(0, 4 * count)));
    this.#answer.unmap();
    this.#count("downloadedBytes", 4 * count);
    this.#count("readBacks", 1);
  }

  async #finish(): Promise<void> {
    await this.#opened(this.#device.queue.onSubmittedWorkDone());
    await Promise.all(this.#checks);
    while (this.#inFlight > 0 && !this.#lost()) await yieldTask();
  }

  #break(how: number): void {
    if (how === faults.loseDevice) this.#device.destroy();
    else if (how === faults.endThread) {
      // As a thread that died: nobody is told.
      this.#ended = true;
    } else {
      this.#device.pushErrorScope("validation");
      this.#device.pushErrorScope("out-of-memory");
      this.#device.createBuffer({ size: 16, usage: bufferUsage.mapRead | bufferUsage.storage });
      this.#watchScopes();
    }
  }
}
