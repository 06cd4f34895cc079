/** The endpoint of a worker thread, over memory that the threads of a process share. */
import { AegisError } from "../../base/errors.ts";
import { integerIn } from "../../base/validate.ts";
import { EndpointCommunicator } from "./communicator.ts";
import type { Control } from "./control.ts";
import type { Endpoint, Message } from "./endpoint.ts";
import type { Inbox } from "./inbox.ts";
import { Ledger } from "./ledger.ts";
import type { Outbox } from "./outbox.ts";

const wordBytes = 4;

export class ThreadEndpoint implements Endpoint {
  readonly rank: number;
  readonly size: number;
  readonly communicator: EndpointCommunicator;
  readonly ledger = new Ledger();
  #waitedSeconds = 0;
  readonly #control: Control;
  readonly #outbox: Outbox;
  /** By sender; none for the own rank. */
  readonly #inboxes: readonly (Inbox | undefined)[];

  constructor(rank: number, control: Control, outbox: Outbox, inboxes: readonly (Inbox | undefined)[]) {
    this.rank = rank;
    this.size = control.size;
    this.#control = control;
    this.#outbox = outbox;
    this.#inboxes = inboxes;
    this.communicator = new EndpointCommunicator(this);
  }

  get waitedSeconds(): number {
    return this.#waitedSeconds;
  }

  get aborted(): boolean {
    return this.#control.aborted;
  }

  send(message: Message): void {
    integerIn("tag", message.tag, 0, Number.MAX_SAFE_INTEGER);
    integerIn("words", message.words, 0, 2 ** 32 - 1);
    for (const receiver of message.to) this.#checkPeer("to", receiver);
    if (message.to.length === 0) {
      message.sent?.();
      return;
    }
    this.ledger.count(message.collective, message.words * wordBytes * message.to.length);
    this.#outbox.enqueue(message);
    this.#outbox.progress();
  }

  receive(from: number, tag: number, take: (words: Uint32Array) => void): boolean {
    this.#checkPeer("from", from);
    const taken = (this.#inboxes[from] as Inbox).take(tag, take);
    if (taken) this.#control.countMove(this.rank);
    return taken;
  }

  progress(): boolean {
    let moved = this.#outbox.progress();
    for (const inbox of this.#inboxes) if (inbox?.progress()) moved = true;
    return moved;
  }

  wait(ready: () => boolean, what: string): number {
    if (ready()) return 0;
    const start = performance.now();
    for (;;) {
      const seen = this.#control.wakes(this.rank);
      if (ready()) {
        const seconds = (performance.now() - start) / 1000;
        this.#waitedSeconds += seconds;
        return seconds;
      }
      if (this.aborted) {
        throw new AegisError("aborted", `the wait for ${what} ended: the run was called off`, { operation: "wait" });
      }
      if (!this.progress()) this.#control.sleep(this.rank, seen, what);
    }
  }

  flush(): number {
    return this.wait(() => this.#outbox.empty, "room for what is still to be sent");
  }

  beat(operation?: number): void {
    if (operation !== undefined) this.#control.setOperation(this.rank, operation);
    this.#control.beat(this.rank);
  }

  #checkPeer(name: string, rank: number): void {
    integerIn(name, rank, 0, this.size - 1);
    if (rank === this.rank) throw new RangeError(`${name}: expected another rank than ${rank}, the device's own`);
  }
}
