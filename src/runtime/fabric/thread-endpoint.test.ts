/** Endpoints that share one thread: every step of a message can be looked at. */
import { beforeEach, describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { firstCollectiveTag } from "./endpoint.ts";
import type { ThreadEndpoint } from "./thread-endpoint.ts";
import { createThreadFabric, openEndpoint, type ThreadFabric } from "./threads.ts";

/** Words of each rank's region. */
const regionWords = 1024;
let fabric: ThreadFabric;
let ends: ThreadEndpoint[];

beforeEach(() => {
  fabric = createThreadFabric(3, { arenaBytes: 3 * 4 * regionWords, ringEntries: 8 });
  ends = fabric.states.map(openEndpoint);
});

/** Sends `words` equal words; gives the log of calls of `fill` and `sent`. */
function send(from: number, to: number[], tag: number, words: number, value: number, log: string[] = []): string[] {
  ends[from].send({
    to,
    tag,
    words,
    collective: to.length > 1 ? "broadcast" : "send",
    fill: (into) => {
      expect(into.length).toBe(words);
      into.fill(value);
      log.push(`fill ${value}`);
    },
    sent: () => void log.push(`sent ${value}`),
  });
  return log;
}

/** The message, if it has arrived: its words and whether they lie in shared memory. */
function receive(at: number, from: number, tag: number): { words: number[]; shared: boolean } | undefined {
  let got: { words: number[]; shared: boolean } | undefined;
  ends[at].receive(from, tag, (words) => {
    got = { words: [...words], shared: words.buffer instanceof SharedArrayBuffer };
  });
  return got;
}

describe("messages", () => {
  it("are taken by tag in any order, equal tags in order of sending", () => {
    for (const [index, tag] of [4, 9, 4, firstCollectiveTag + 4].entries()) send(0, [1], tag, 2, index);
    expect(receive(1, 0, 5)).toBeUndefined();
    expect(receive(1, 2, 4)).toBeUndefined();
    expect(receive(2, 0, 4)).toBeUndefined();
    expect(receive(1, 0, firstCollectiveTag + 4)?.words).toEqual([3, 3]);
    expect(receive(1, 0, 9)?.words).toEqual([1, 1]);
    expect(receive(1, 0, 4)?.words).toEqual([0, 0]);
    expect(receive(1, 0, 4)?.words).toEqual([2, 2]);
    expect(receive(1, 0, 4)).toBeUndefined();
  });

  it("are filled once, within send, and read by all receivers where they were written", () => {
    expect(send(0, [1, 2], 1, 450, 7)).toEqual(["fill 7", "sent 7"]);
    expect(receive(1, 0, 1)).toEqual({ words: Array(450).fill(7), shared: true });
    expect(receive(2, 0, 1)).toEqual({ words: Array(450).fill(7), shared: true });
  });

  it("wait for room, which is free when the last receiver has taken what is there", () => {
    send(0, [1, 2], 1, 400, 1);
    send(0, [1, 2], 2, 400, 2);
    const log = send(0, [1], 3, 400, 3);
    expect(log).toEqual([]);
    expect(receive(1, 0, 1)?.words[0]).toBe(1);
    expect(ends[0].progress()).toBe(false);
    expect(receive(2, 0, 1)?.words[0]).toBe(1);
    expect(ends[0].progress()).toBe(true);
    expect(log).toEqual(["fill 3", "sent 3"]);
    expect(receive(1, 0, 3)?.words[399]).toBe(3);
    expect(ends[0].flush()).toBe(0);
  });

  it("move to ordinary memory when their sender needs the room", () => {
    send(0, [1], 1, 400, 1);
    send(0, [1], 2, 400, 2);
    expect(ends[1].progress()).toBe(true);
    expect(ends[1].progress()).toBe(false);
    const log = send(0, [2], 3, 400, 3);
    expect(ends[1].progress()).toBe(true);
    expect(ends[0].progress()).toBe(true);
    expect(log).toEqual(["fill 3", "sent 3"]);
    expect(receive(1, 0, 2)).toEqual({ words: Array(400).fill(2), shared: false });
    expect(receive(2, 0, 3)).toEqual({ words: Array(400).fill(3), shared: true });
  });

  it("larger than a region come in pieces", () => {
    const log = send(0, [1], 1, 5000, 1);
    send(0, [1], 2, 10, 2);
    expect(log).toEqual(["fill 1"]);
    expect(receive(1, 0, 1)).toBeUndefined();
    while (ends[0].progress() || ends[1].progress());
    expect(log).toEqual(["fill 1", "sent 1"]);
    expect(receive(1, 0, 2)?.words).toEqual(Array(10).fill(2));
    expect(receive(1, 0, 1)).toEqual({ words: Array(5000).fill(1), shared: false });
  });

  it("may be sent while another is filled or sent, and leave after it", () => {
    const log: string[] = [];
    ends[0].send({
      to: [1],
      tag: 1,
      words: 1,
      collective: "send",
      fill: (into) => {
        send(0, [1], 1, 1, 2, log);
        into[0] = 1;
      },
      sent: () => void send(0, [1], 1, 1, 3, log),
    });
    expect(log).toEqual(["fill 2", "sent 2", "fill 3", "sent 3"]);
    expect([1, 2, 3].map(() => receive(1, 0, 1)?.words[0])).toEqual([1, 2, 3]);
  });

  it("whose filling or taking fails leave no trace", () => {
    const fail = (): void => {
      throw new Error("no");
    };
    for (let i = 0; i < 50; i++) {
      expect(() => ends[0].send({ to: [1], tag: 1, words: 400, collective: "send", fill: fail })).toThrow("no");
      send(0, [1], 2, 400, i);
      expect(() => ends[1].receive(0, 2, fail)).toThrow("no");
    }
    expect(receive(1, 0, 1)).toBeUndefined();
    expect(receive(1, 0, 2)).toBeUndefined();
  });

  it("to nobody are not filled", () => {
    expect(send(0, [], 1, 10, 1)).toEqual(["sent 1"]);
    expect(ends[0].ledger.bytes.total).toBe(0);
  });

  it("count once for each receiver, by collective and module", () => {
    const { ledger } = ends[0];
    ledger.module = "attention";
    send(0, [1, 2], 1, 100, 1);
    ledger.module = "feedForward";
    send(0, [1], 1, 3000, 1);
    expect(ledger.bytes.total).toBe(800 + 12000);
    expect(ledger.bytes.byCollective).toMatchObject({ broadcast: 800, send: 12000, "all-gather": 0 });
    expect(ledger.bytes.byModule).toEqual({ attention: 800, feedForward: 12000 });
    ledger.reset();
    expect(ledger.bytes.total).toBe(0);
    expect(ledger.bytes.byModule).toEqual({});
    expect(ends[1].ledger.bytes.total).toBe(0);
  });

  it("are refused with impossible peers, tags and lengths", () => {
    const fill = (): void => undefined;
    const base = { to: [1], tag: 0, words: 1, collective: "send", fill } as const;
    expect(() => ends[0].send({ ...base, to: [0] })).toThrow(/another rank/);
    expect(() => ends[0].send({ ...base, to: [3] })).toThrow(RangeError);
    expect(() => ends[0].send({ ...base, tag: -1 })).toThrow(/tag/);
    expect(() => ends[0].send({ ...base, words: 1.5 })).toThrow(/words/);
    expect(() => ends[0].receive(0, 1, fill)).toThrow(/from/);
    expect(ends[0].ledger.bytes.total).toBe(0);
  });
});

describe("wait", () => {
  it("costs nothing when ready", () => {
    expect(ends[0].wait(() => true, "nothing")).toBe(0);
    expect(ends[0].waitedSeconds).toBe(0);
  });

  it("makes progress, beats the heart and says what it waits for", () => {
    const { control } = fabric;
    const before = control.beats(0);
    let looks = 0;
    expect(ends[0].wait(() => ++looks === 4, "tag 5 of rank 1")).toBeGreaterThan(0.05);
    expect(control.beats(0)).toBeGreaterThan(before);
    expect(control.awaited(0)).toBe("tag 5 of rank 1");
    expect(control.status(0)).toBe("running");
  });

  it("ends with an error when the run is called off", () => {
    fabric.control.abort();
    expect(ends[1].aborted).toBe(true);
    const wait = (): number => ends[1].wait(() => false, "tag 5");
    expect(wait).toThrow(AegisError);
    expect(wait).toThrow(/tag 5/);
  });
});

describe("beat", () => {
  it("shows life and the operation", () => {
    const { control } = fabric;
    expect(control.operation(2)).toBeUndefined();
    ends[2].beat(0);
    ends[2].beat();
    expect(control.operation(2)).toBe(0);
    expect(control.beats(2)).toBe(2);
    expect(control.beats(1)).toBe(0);
  });

  it("is described in whole characters, however long a wait's text", () => {
    const { control } = fabric;
    control.sleep(1, control.wakes(1) + 1, "é".repeat(500));
    expect(control.awaited(1)).toMatch(/^é{50,}$/);
  });
});
