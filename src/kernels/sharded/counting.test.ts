import { expect, test } from "vitest";
import { CountingCommunicator, placeholderWords } from "./counting.ts";

test("counts what is sent, once for every receiver, and nothing that stays", () => {
  const communicator = new CountingCommunicator(1, 3);
  expect(communicator.moves).toBe(false);
  communicator.allGather(placeholderWords(5), [7, 5, 9]);
  communicator.allToAll([placeholderWords(2), placeholderWords(100), placeholderWords(4)], [1, 100, 1]);
  communicator.allToAll([placeholderWords(1), placeholderWords(0), placeholderWords(0)], [0, 0, 0], "reduce-scatter");
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
  expect(communicator.calls).toMatchObject({ "all-gather": 1, "all-to-all": 1, "reduce-scatter": 1, broadcast: 2 });
});
