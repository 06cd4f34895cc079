/** A worker module for the tests of the fabric: ranks that send patterns and check what arrives. */
import { AegisError } from "../../base/errors.ts";
import { type Device, serve } from "../threads/serve.ts";
import type { Endpoint } from "./endpoint.ts";

export interface Flood {
  /** Messages from each rank to each other one, or to all at once. */
  readonly messages: number;
  readonly words: number;
  readonly broadcast: boolean;
  /** Milliseconds for which odd ranks compute, making progress, before they receive anything. */
  readonly delay: number;
}

/** Word `index` of a message: differs between senders, tags and places. */
function pattern(from: number, tag: number, index: number): number {
  return (Math.imul(from + 1, 0x9e3779b1) + Math.imul(tag + 1, 0x85ebca6b) + index) >>> 0;
}

function patternOf(from: number, tag: number, words: number): Uint32Array {
  return Uint32Array.from({ length: words }, (_, index) => pattern(from, tag, index));
}

function check(words: Uint32Array, from: number, tag: number, length: number): void {
  if (words.length !== length) throw new AegisError("internal", `${words.length} words, not ${length}`);
  for (let i = 0; i < length; i++) {
    if (words[i] !== pattern(from, tag, i)) throw new AegisError("internal", `${from}, ${tag}: word ${i} differs`);
  }
}

function send(endpoint: Endpoint, to: readonly number[], tag: number, words: number): void {
  const fill = (into: Uint32Array): void => {
    if (into.length !== words) throw new AegisError("internal", "fill got another length");
    for (let i = 0; i < words; i++) into[i] = pattern(endpoint.rank, tag, i);
  };
  endpoint.send({ to, tag, words, fill, collective: to.length > 1 ? "broadcast" : "send" });
}

function receive(endpoint: Endpoint, from: number, tag: number, words: number): void {
  const ready = (): boolean => endpoint.receive(from, tag, (arrived) => check(arrived, from, tag, words));
  endpoint.wait(ready, `message ${tag} of rank ${from}`);
}

function others(endpoint: Endpoint): number[] {
  return Array.from({ length: endpoint.size }, (_, rank) => rank).filter((rank) => rank !== endpoint.rank);
}

serve({
  /** Everyone sends everything, then takes it, the last tag first. */
  flood: ({ messages, words, broadcast, delay }: Flood, { endpoint }: Device) => {
    endpoint.ledger.module = "flood";
    for (let tag = 0; tag < messages; tag++) {
      if (broadcast) send(endpoint, others(endpoint), tag, words + tag);
      else for (const to of others(endpoint)) send(endpoint, [to], tag, words + tag);
    }
    const end = performance.now() + (endpoint.rank % 2) * delay;
    while (performance.now() < end) endpoint.progress();
    for (let tag = messages - 1; tag >= 0; tag--) {
      for (const from of others(endpoint)) receive(endpoint, from, tag, words + tag);
    }
    endpoint.flush();
    return endpoint.ledger.bytes;
  },
  /** Collectives with unequal lengths, each result checked against what every rank must have sent. */
  collectives: ({ scale, rounds }: { scale: number; rounds: number }, { endpoint }: Device) => {
    const { communicator, rank, size } = endpoint;
    const ranks = Array.from({ length: size }, (_, other) => other);
    const length = (from: number, to: number): number => ((from * 3 + to * 2) % 5) * scale;
    for (let round = 0; round < rounds; round++) {
      endpoint.ledger.module = `round ${round}`;
      const lengths = ranks.map((from) => length(from, 0));
      const came: number[] = [];
      communicator.allGather(
        lengths,
        (into) => into.set(patternOf(rank, round, lengths[rank])),
        (from, words) => {
          came.push(from);
          check(words, from, round, lengths[from]);
        },
      );
      if (came.sort((a, b) => a - b).join() !== others(endpoint).join()) throw new Error(`words came from ${came}`);

      const pieces = ranks.map((to) => patternOf(rank, round * size + to, length(rank, to)));
      const exchanged = communicator.allToAll(
        pieces,
        ranks.map((from) => length(from, rank)),
        round === 0 ? "reduce-scatter" : "all-to-all",
        ranks.map((from) => ranks.reduce((sum, to) => sum + (to === from ? 0 : length(from, to)), 0)),
      );
      for (const from of ranks) check(exchanged[from], from, round * size + rank, length(from, rank));

      const root = round % size;
      const words = rank === root ? patternOf(root, round, scale + 1) : new Uint32Array(0);
      check(communicator.broadcast(root, words, scale + 1), root, round, scale + 1);
    }
    return endpoint.ledger.bytes;
  },
  /** Rank 0 sends while rank 1 sleeps; gives the seconds that rank 1 waited. */
  late: (milliseconds: number, { endpoint }: Device) => {
    if (endpoint.rank === 1) {
      const ready = (): boolean => endpoint.receive(0, 5, (words) => check(words, 0, 5, 3));
      return [endpoint.wait(ready, "a late message"), endpoint.waitedSeconds];
    }
    const end = performance.now() + milliseconds;
    while (performance.now() < end) endpoint.beat();
    send(endpoint, [1], 5, 3);
    return [];
  },
  /** Seconds that it takes to receive messages from rank 0, with a copy at either end. */
  throughput: ({ messages, words }: { messages: number; words: number }, { endpoint }: Device) => {
    const memory = new Uint32Array(words).fill(1);
    endpoint.communicator.allGather(
      [1, 1],
      () => undefined,
      () => undefined,
    );
    const start = performance.now();
    for (let tag = 0; tag < messages; tag++) {
      if (endpoint.rank === 0) {
        endpoint.send({ to: [1], tag, words, fill: (into) => into.set(memory), collective: "send" });
        endpoint.progress();
      } else {
        endpoint.wait(() => endpoint.receive(0, tag, (arrived) => memory.set(arrived)), "a message");
      }
    }
    endpoint.flush();
    return (performance.now() - start) / 1000;
  },
});
