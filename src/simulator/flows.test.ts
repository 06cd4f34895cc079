/** Transfers over shared links: rates that can be worked out by hand. */
import { expect, test } from "vitest";
import { Flows } from "./flows.ts";

const links = (...rates: number[]) => ({ links: rates.map((bytesPerSecond, i) => ({ name: `${i}`, bytesPerSecond })) });

/** Ends of transfers, in their order. */
function ends(flows: Flows): [number, number][] {
  const found: [number, number][] = [];
  for (let time = flows.next; time !== undefined; time = flows.next)
    for (const id of flows.end(time)) found.push([id, time]);
  return found;
}

test("one transfer takes its bytes over the slowest link of its path", () => {
  const flows = new Flows(links(10, 4));
  flows.begin(1, 0, [0, 1], 40);
  expect(ends(flows)).toEqual([[0, 11]]);
});

test("transfers share a link evenly, and the rest of them goes on faster when one has ended", () => {
  const flows = new Flows(links(10));
  flows.begin(0, 0, [0], 10);
  flows.begin(0, 1, [0], 30);
  expect(ends(flows)).toEqual([
    [0, 2],
    [1, 4],
  ]);
});

test("what a transfer cannot use for a link further on is left to the others", () => {
  // The first is held to 1 by its second link; the second has the other 9 of the first link.
  const flows = new Flows(links(10, 1));
  flows.begin(0, 0, [0, 1], 5);
  flows.begin(0, 1, [0], 18);
  expect(ends(flows)).toEqual([
    [1, 2],
    [0, 5],
  ]);
});

test("a transfer that begins later slows those under way", () => {
  const flows = new Flows(links(10));
  flows.begin(0, 0, [0], 30);
  expect(flows.next).toBe(3);
  flows.begin(2, 1, [0], 20);
  expect(ends(flows)).toEqual([
    [0, 4],
    [1, 5],
  ]);
});

test("many alike end together", () => {
  const flows = new Flows(links(64));
  for (let id = 0; id < 64; id++) flows.begin(0, id, [0], 1);
  const all = ends(flows);
  expect(all).toHaveLength(64);
  for (const [, time] of all) expect(time).toBeCloseTo(1, 9);
});

test("nothing to send, or nowhere to go, is over at once", () => {
  const flows = new Flows(links(1));
  flows.begin(5, 0, [0], 0);
  flows.begin(5, 1, [], 100);
  expect(ends(flows).map(([, time]) => time)).toEqual([5, 5]);
});
