/** What a device did when: kept only where somebody wants to look at it. */

/** A stretch of time on one device; seconds of its clock. */
export interface Activity {
  /** What it computed, or communicated for. */
  readonly operation: number;
  readonly kind: "compute" | "communicate";
  readonly begin: number;
  readonly end: number;
  /** Seconds in it that were waiting for collectives inside the operation. */
  readonly waited: number;
}

/** Shorter ones are left out: a device looks for messages all the time. */
const shortest = 50e-6;

export class Recorder {
  /** The operation of the step that is being taken. */
  operation = 0;
  readonly activities: Activity[] = [];
  readonly #origin: number;

  /** @param began when the run began, in milliseconds since 1970 */
  constructor(began: number) {
    this.#origin = began - performance.timeOrigin;
  }

  /** @param start as of `performance.now()`; until now */
  note(kind: Activity["kind"], operation: number, start: number, waited = 0): void {
    const end = performance.now();
    if (end - start < 1000 * shortest) return;
    const seconds = (time: number): number => (time - this.#origin) / 1000;
    this.activities.push({ operation, kind, begin: seconds(start), end: seconds(end), waited });
  }
}
