/** The fabric between real threads: much at once, little room, unequal collectives, exact counts. */
import { afterEach, describe, expect, it } from "vitest";
import { moduleUrl } from "../threads/module-url.ts";
import { ThreadPool } from "../threads/pool.ts";
import type { Flood } from "./exchange.fixture.ts";
import type { SentBytes } from "./ledger.ts";
import { createThreadFabric, type FabricOptions } from "./threads.ts";

const module = moduleUrl(import.meta.url, "./exchange.fixture");
let pool: ThreadPool;

function start(size: number, fabric: FabricOptions): void {
  pool = new ThreadPool({ size, module, fabric, stallSeconds: 20 });
}

afterEach(() => pool.terminate());

const timeout = 30_000;

/** Bytes of messages of words, words + 1, … */
function floodBytes({ messages, words }: Flood): number {
  return 4 * (messages * words + (messages * (messages - 1)) / 2);
}

describe("messages between threads", () => {
  const cases: [string, number, FabricOptions, Flood][] = [
    ["with ample room", 2, {}, { messages: 50, words: 10_000, broadcast: false, delay: 0 }],
    ["to several receivers", 4, {}, { messages: 30, words: 5_000, broadcast: true, delay: 0 }],
    [
      "far more than the arena",
      4,
      { arenaBytes: 2 ** 18 },
      { messages: 60, words: 5_000, broadcast: false, delay: 200 },
    ],
    [
      "broadcasts of far more than the arena",
      3,
      { arenaBytes: 2 ** 18 },
      { messages: 60, words: 9_000, broadcast: true, delay: 200 },
    ],
    [
      "each larger than the arena",
      3,
      { arenaBytes: 2 ** 14 },
      { messages: 4, words: 50_000, broadcast: true, delay: 0 },
    ],
    [
      "with rings of one entry",
      3,
      { arenaBytes: 2 ** 14, ringEntries: 1 },
      { messages: 100, words: 700, broadcast: true, delay: 50 },
    ],
    ["of no words", 2, { arenaBytes: 2 ** 12 }, { messages: 1, words: 0, broadcast: false, delay: 0 }],
  ];
  for (const [name, size, fabric, flood] of cases) {
    it(
      `arrive whole, ${name}`,
      async () => {
        start(size, fabric);
        const ledgers = await pool.callAll<SentBytes>("flood", () => flood);
        const total = floodBytes(flood) * (size - 1);
        for (const bytes of ledgers) {
          expect(bytes.total).toBe(total);
          expect(bytes.byModule).toEqual({ flood: total });
          expect(bytes.byCollective[flood.broadcast && size > 2 ? "broadcast" : "send"]).toBe(total);
        }
      },
      timeout,
    );
  }

  it("are waited for, and the wait is measured", async () => {
    start(2, {});
    await pool.callAll("late", () => 0);
    const [, [waited, sum]] = await pool.callAll<number[]>("late", () => 400);
    expect(waited).toBeGreaterThan(0.3);
    expect(waited).toBeLessThan(5);
    expect(sum).toBeGreaterThanOrEqual(waited);
  });
});

describe("collectives between threads", () => {
  it.each([
    ["ample room", 3, {}, 1000],
    ["little room", 4, { arenaBytes: 2 ** 13 }, 3000],
    ["a single rank", 1, {}, 10],
  ] as const)(
    "give every rank its pieces: %s",
    async (_, size, fabric, scale) => {
      start(size, fabric);
      const rounds = 5;
      const ledgers = await pool.callAll<SentBytes>("collectives", () => ({ scale, rounds }));
      for (const [rank, bytes] of ledgers.entries()) {
        const length = (to: number): number => ((rank * 3 + to * 2) % 5) * scale;
        const peers = [0, 1, 2, 3].slice(0, size).filter((to) => to !== rank);
        const exchanged = 4 * peers.reduce((sum, to) => sum + length(to), 0);
        const broadcasts = [0, 1, 2, 3, 4].filter((round) => round % size === rank).length;
        expect(bytes.byCollective).toEqual({
          "all-gather": rounds * 4 * length(0) * peers.length,
          "all-to-all": (rounds - 1) * exchanged,
          "reduce-scatter": exchanged,
          broadcast: broadcasts * 4 * (scale + 1) * peers.length,
          "all-reduce": 0,
          send: 0,
        });
        const modules = Object.values(bytes.byModule).reduce((sum, count) => sum + count, 0);
        expect(modules).toBe(bytes.total);
      }
    },
    timeout,
  );
});

describe("createThreadFabric", () => {
  it("refuses sizes and arenas that cannot work", () => {
    expect(() => createThreadFabric(0)).toThrow(/size/);
    expect(() => createThreadFabric(4, { arenaBytes: 512 })).toThrow(/arenaBytes/);
    expect(() => createThreadFabric(2, { ringEntries: 0 })).toThrow(/ringEntries/);
  });
});
