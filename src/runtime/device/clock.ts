/** Where a device's time goes: computing, by operation, and communication that it cannot compute beside. */
import type { Recorder } from "./recorder.ts";

export class Clock {
  /** Seconds of computing by operation. */
  readonly operations: Float64Array;
  /** Notes everything that is timed, where there is one. */
  readonly recorder: Recorder | undefined;
  readonly #waited: () => number;
  #compute = 0;
  #exposed = 0;
  #communicating = false;

  /** @param waited seconds that the device's endpoint has waited so far: collectives inside operations wait, too */
  constructor(operations: number, waited: () => number, recorder?: Recorder) {
    this.operations = new Float64Array(operations);
    this.recorder = recorder;
    this.#waited = waited;
  }

  /** Seconds in operations. */
  get compute(): number {
    return this.#compute;
  }

  /** Seconds of waiting for others, and of copying what is sent and received. */
  get exposed(): number {
    return this.#exposed;
  }

  /** Runs an operation or a part of it. What {@link communicating} takes meanwhile is not computing. */
  computing<T>(operation: number, body: () => T): T {
    const exposed = this.#exposed;
    const waited = this.#waited();
    const start = performance.now();
    try {
      return body();
    } finally {
      const all = (performance.now() - start) / 1000;
      this.#exposed += this.#waited() - waited;
      const seconds = all - (this.#exposed - exposed);
      this.#compute += seconds;
      this.operations[operation] = (this.operations[operation] as number) + seconds;
      this.recorder?.note("compute", operation, start, this.#waited() - waited);
    }
  }

  /** Runs what waits or copies; must not wait when called within {@link computing}. Within itself it counts once. */
  communicating<T>(body: () => T): T {
    if (this.#communicating) return body();
    this.#communicating = true;
    const start = performance.now();
    try {
      return body();
    } finally {
      this.#exposed += (performance.now() - start) / 1000;
      this.#communicating = false;
      this.recorder?.note("communicate", this.recorder.operation, start);
    }
  }
}
