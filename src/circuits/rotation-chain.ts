/**
 * Rotations of one ciphertext in two levels, by j·step + r: it is turned by `step` again and again,
 * either way, and every turn is hoisted anew for rotations by r. Keys of ±step and of the r suffice.
 *
 * A turn is made from its neighbour nearer to 0, so that it has the same bytes whichever others are
 * asked for. Part 0 stays over QP from turn to turn: one costs a rotation, a ModDown of part 1 and a
 * ModUp, and has the noise of one more key switch.
 */
import { type Ciphertext, type Evaluator, ExtendedCiphertext, type Hoisted } from "../ckks/index.ts";

/** The ciphertext turned by a multiple of the step, hoisted. */
export class Turn implements Disposable {
  readonly #evaluator: Evaluator;
  readonly #operand: Ciphertext | ExtendedCiphertext;
  readonly #hoisted: Hoisted;
  #extended: ExtendedCiphertext | undefined;
  #down: Ciphertext | undefined;

  /** @param operand owned from here on */
  constructor(evaluator: Evaluator, operand: Ciphertext | ExtendedCiphertext) {
    this.#evaluator = evaluator;
    this.#operand = operand;
    if (operand instanceof ExtendedCiphertext) {
      this.#hoisted = evaluator.hoistExtended(operand);
      this.#extended = operand;
    } else this.#hoisted = evaluator.hoist(operand);
  }

  /** Whether it is a rotation; the ciphertext itself where the chain begins. */
  get isRotation(): boolean {
    return this.#operand instanceof ExtendedCiphertext;
  }

  /** Itself over QP, until {@link Turn.settle}; owned by this object. */
  get extended(): ExtendedCiphertext {
    this.#extended ??= this.#evaluator.extend(this.#operand as Ciphertext);
    return this.#extended;
  }

  /** Itself over Q, until {@link Turn.settle}; owned by this object. */
  get ciphertext(): Ciphertext {
    if (!(this.#operand instanceof ExtendedCiphertext)) return this.#operand;
    this.#down ??= this.#evaluator.modDown(this.#operand);
    return this.#down;
  }

  /** Rotated by `steps` from here, other than 0; the caller disposes of it. */
  rotate(steps: number): ExtendedCiphertext {
    return this.#evaluator.rotateExtended(this.#hoisted, steps);
  }

  /** {@link rotate} for several of one level. */
  static rotateTogether(turns: readonly Turn[], steps: number): ExtendedCiphertext[] {
    const [first] = turns;
    if (first === undefined) return [];
    return first.#evaluator.rotateTogether(
      turns.map((turn) => turn.#hoisted),
      steps,
    );
  }

  /** As {@link Turn.rotateTogether}, over Q. */
  static rotateOverQ(turns: readonly Turn[], steps: number): Ciphertext[] {
    const [first] = turns;
    if (first === undefined) return [];
    return first.#evaluator.rotateHoistedTogether(
      turns.map((turn) => turn.#hoisted),
      steps,
    );
  }

  /** Frees what rotations from here do not need. */
  settle(): void {
    this.#down?.dispose();
    this.#down = undefined;
    if (this.#extended === this.#operand) this.#extended?.parts[1].dispose();
    else this.#extended?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#down?.dispose();
    this.#extended?.[Symbol.dispose]();
    this.#hoisted[Symbol.dispose]();
    this.#operand[Symbol.dispose]();
  }
}

export class RotationChain implements Disposable {
  readonly #evaluator: Evaluator;
  readonly #step: number;
  readonly #turns = new Map<number, Turn>();

  /**
   * @param level to work at, at most a.level
   * @param slots that rotations are modulo, at least a.slots
   */
  constructor(evaluator: Evaluator, a: Ciphertext, level: number, slots: number, step: number) {
    this.#evaluator = evaluator;
    this.#step = step;
    this.#turns.set(0, new Turn(evaluator, evaluator.dropLevel(a, level).view({ slots })));
  }

  /** The turn by j·step; owned by this object. */
  at(j: number): Turn {
    let turn = this.#turns.get(j);
    if (turn === undefined) {
      const sign = Math.sign(j);
      turn = new Turn(this.#evaluator, this.at(j - sign).rotate(sign * this.#step));
      this.#turns.set(j, turn);
    }
    return turn;
  }

  /** Frees all turns but those that others are made from; none of these has been made yet. */
  keepFor(others: readonly number[]): void {
    const made = [...this.#turns.keys()];
    const kept = new Set<number>();
    if (others.some((j) => j > 0)) kept.add(Math.max(...made));
    if (others.some((j) => j < 0)) kept.add(Math.min(...made));
    for (const [j, turn] of this.#turns) {
      if (kept.has(j)) continue;
      turn[Symbol.dispose]();
      this.#turns.delete(j);
    }
  }

  [Symbol.dispose](): void {
    this.keepFor([]);
  }
}
