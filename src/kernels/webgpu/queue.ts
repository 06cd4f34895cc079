/** The calling thread's end of the shared memory: writes commands, waits for answers. */
import { AegisError } from "../../base/errors.ts";
import { control, failed, operations, ringWords, running, type SharedArea } from "./protocol.ts";

/** Waits are cut into pieces of this many milliseconds, after each of which the worker's heartbeat is looked at. */
const patience = 250;

export class CommandQueue {
  /** The ring; {@link begin} says where a command goes. */
  readonly words: Uint32Array;
  readonly #shared: SharedArea;
  readonly #device: string;
  /** Milliseconds without a heartbeat after which the worker counts as dead. */
  readonly timeout: number;
  /** Called a few times a second while this thread waits for a worker that lives. */
  onWait: () => void = () => undefined;
  #head = 0;
  #pending = 0;
  #closed = false;

  /**
   * @param device name of the device for messages
   * @param timeout milliseconds without a heartbeat after which the worker counts as dead
   */
  constructor(shared: SharedArea, device: string, timeout: number) {
    this.words = shared.ring;
    this.#shared = shared;
    this.#device = device;
    this.timeout = timeout;
  }

  /** Words written so far, modulo 2^32: changes with every command. */
  get head(): number {
    return this.#head;
  }

  /** Throws what the worker recorded, if anything. */
  check(): void {
    if (this.#closed) throw new AegisError("internal", "the backend was disposed and is used again");
    if (Atomics.load(this.#shared.control, control.state) !== running) throw this.#error();
  }

  #error(): AegisError {
    if (Atomics.load(this.#shared.control, control.state) !== failed) {
      return new AegisError("device", `${this.#device}: its thread has ended`, { device: this.#device });
    }
    const { code, message, hint } = this.#shared.error();
    return new AegisError(code, message, { device: this.#device, ...(hint === undefined ? {} : { hint }) });
  }

  /**
   * Room for a command of `length` words, both head words included; returns where it starts. The
   * caller writes what follows the head words and calls {@link publish}.
   */
  begin(operation: number, length: number): number {
    this.check();
    let at = this.#head % ringWords;
    if (at + length > ringWords) {
      const rest = ringWords - at;
      this.#room(rest);
      this.words[at] = operations.pad;
      if (rest > 1) this.words[at + 1] = rest;
      this.#pending = rest;
      this.publish();
      at = 0;
    }
    this.#room(length);
    this.words[at] = operation;
    this.words[at + 1] = length;
    this.#pending = length;
    return at;
  }

  /** Hands the command over that was begun last. */
  publish(): void {
    this.#head = (this.#head + this.#pending) >>> 0;
    Atomics.store(this.#shared.control, control.head, this.#head | 0);
    Atomics.notify(this.#shared.control, control.head);
  }

  #room(length: number): void {
    for (;;) {
      const tail = Atomics.load(this.#shared.control, control.tail);
      if (ringWords - ((this.#head - tail) >>> 0) >= length) return;
      this.#wait(control.tail, tail);
    }
  }

  /** Hands a command over that is answered and waits for the answer, which it returns. */
  ask(): number {
    const { control: words } = this.#shared;
    const before = Atomics.load(words, control.answers);
    Atomics.store(words, control.waiting, 1);
    this.publish();
    try {
      while (Atomics.load(words, control.answers) === before) this.#wait(control.answers, before);
    } finally {
      Atomics.store(words, control.waiting, 0);
    }
    return Atomics.load(words, control.answer);
  }

  /** Waits until a control word differs from `seen`. Throws a recorded error, or `device` when the worker is dead. */
  #wait(index: number, seen: number): void {
    const { control: words } = this.#shared;
    Atomics.store(words, control.waiting, 1);
    let beat = Atomics.load(words, control.heartbeat);
    for (let silent = 0; ; ) {
      const woken = Atomics.wait(words, index, seen, patience);
      if (Atomics.load(words, index) !== seen) return;
      if (Atomics.load(words, control.state) !== running) throw this.#error();
      if (woken !== "timed-out") continue;
      const now = Atomics.load(words, control.heartbeat);
      silent = now === beat ? silent + patience : 0;
      if (silent === 0) this.onWait();
      beat = now;
      if (silent < this.timeout) continue;
      this.#shared.fail({
        code: "device",
        message: `${this.#device} has not answered for ${this.timeout / 1000} s`,
        hint: "its driver hangs or its thread has died; make a new backend, on another adapter if it happens again",
      });
      throw this.#error();
    }
  }

  /** Ends the use; later commands throw. */
  close(): void {
    this.#closed = true;
  }
}
