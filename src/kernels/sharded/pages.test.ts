import { expect, test } from "vitest";
import { NullBackend } from "../null/backend.ts";
import { hold, PageTable } from "./pages.ts";

test("addresses are the same on every rank, memory is where pages are held", () => {
  const backends = [new NullBackend(), new NullBackend()];
  const addresses = backends.map((backend, rank) => {
    const ring = backend.ring(4, [97]);
    const table = new PageTable();
    const first = table.allocate(ring, 4, 40);
    const pages = [0, 1, 2, 3].map((i) => table.at(first + 40 * i));
    hold(pages.filter((_, i) => i % 2 === rank || i === 0));
    expect(backend.memory().used).toBe((rank === 0 ? 2 : 3) * ring.limbStride);
    table.release(first);
    expect(backend.memory().used).toBe(0);
    expect(() => table.at(first)).toThrow("virtual address");
    return [first, table.allocate(ring, 1, 40)];
  });
  expect(addresses[0]).toEqual(addresses[1]);
});

test("pages that are held together lie side by side; a block goes with its last page", () => {
  const backend = new NullBackend();
  const ring = backend.ring(4, [97]);
  const table = new PageTable();
  const first = table.allocate(ring, 3, 1);
  const pages = [0, 1, 2].map((i) => table.at(first + i));
  hold(pages);
  hold(pages);
  expect(pages.map(({ address }) => address - pages[0].address)).toEqual([0, ring.limbStride, 2 * ring.limbStride]);
  pages[0].drop();
  pages[2].drop();
  pages[2].drop();
  expect(backend.memory().used).toBe(3 * ring.limbStride);
  pages[1].drop();
  expect(backend.memory().used).toBe(0);
  table.release(first);
});
