import { expect, test } from "vitest";
import { CountingCommunicator, placeholderWords } from "./counting.ts";

test("counts what is sent, once for every receiver, and nothing that stays", () => {
  const communicator = new CountingCommunicator(1, 3);
  expect(communicator.moves).toBe(false);
  const never = (): never => {
    throw new Error("nothing moves");
  };
  communicator.allGather([7, 5, 9], never, never);
  const pieces = [placeholderWords(2), placeholderWords(100), placeholderWords(4)];
  communicator.allToAll(pieces, [1, 100, 1], "all-to-all", [3, 6, 2]);
  const summands = [placeholderWords(1), placeholderWords(0), placeholderWords(0)];
  communicator.allToAll(summands, [0, 0, 0], "reduce-scatter", [0, 1, 0]);
  communicator.broadcast(0, placeholderWords(6), 6);
  communicator.broadcast(1, placeholderWords(6), 6);
  expect(communicator.bytes).toEqual({
    "all-gather": 4 * 5 * 2,
    "reduce-scatter": 4,
    "all-reduce": 0,
    broadcast: 4 * 6 * 2,
    "all-to-all": 4 * (2 + 4),
    send: 0,
  });
  expect(communicator.total).toBe(40 + 4 + 48 + 24);
  expect(communicator.bytesOfAll).toEqual({
    "all-gather": 4 * (7 + 5 + 9) * 2,
    "reduce-scatter": 4,
    "all-reduce": 0,
    broadcast: 2 * 4 * 6 * 2,
    "all-to-all": 4 * (3 + 6 + 2),
    send: 0,
  });
  expect([...communicator.bytesByRank]).toEqual([4 * (14 + 3 + 12), communicator.total, 4 * (18 + 2)]);
  expect(communicator.calls).toMatchObject({ "all-gather": 1, "all-to-all": 1, "reduce-scatter": 1, broadcast: 2 });
  expect(() => communicator.allToAll(pieces, [1, 100, 1], "all-to-all", [3, 7, 2])).toThrow("sends 6 words, not 7");
});
