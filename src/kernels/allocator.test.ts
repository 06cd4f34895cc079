import { describe, expect, test } from "vitest";
import { Allocator } from "./allocator.ts";

const grow = (): boolean => true;

describe("Allocator", () => {
  test("gives aligned, disjoint blocks and takes them back", () => {
    const allocator = new Allocator(100, 2 ** 20, grow);
    expect(allocator.report()).toEqual({ used: 128, peak: 128, limit: 2 ** 20 });
    const first = allocator.allocate(1);
    const second = allocator.allocate(65);
    expect([first, second]).toEqual([128, 192]);
    expect(allocator.report().used).toBe(128 + 64 + 128);
    allocator.release(first, 1);
    allocator.release(second, 65);
    expect(allocator.report()).toEqual({ used: 128, peak: 320, limit: 2 ** 20 });
    expect(allocator.allocate(1000)).toBe(128);
  });

  test("joins neighbours in any order of release", () => {
    for (const order of ["abc", "acb", "bac", "bca", "cab", "cba"]) {
      const allocator = new Allocator(0, 2 ** 20, grow);
      const blocks = new Map([..."abc"].map((name) => [name, allocator.allocate(640)]));
      const guard = allocator.allocate(64);
      for (const name of order) allocator.release(blocks.get(name)!, 640);
      expect(allocator.allocate(1920)).toBe(0);
      allocator.release(guard, 64);
    }
  });

  test("prefers free blocks to new memory and grows in order", () => {
    const ends: number[] = [];
    const allocator = new Allocator(0, 2 ** 32, (end) => ends.push(end) > 0);
    const hole = allocator.allocate(6400);
    allocator.allocate(64);
    allocator.release(hole, 6400);
    expect(allocator.allocate(3200)).toBe(0);
    expect(allocator.allocate(3200)).toBe(3200);
    expect(allocator.allocate(3200)).toBe(6464);
    expect(ends).toEqual([6400, 6464, 9664]);
  });

  test("refuses what does not fit, what the system refuses and what is not live", () => {
    const allocator = new Allocator(0, 2 ** 32, (end) => end <= 2 ** 30);
    expect(() => allocator.allocate(2 ** 32 + 64)).toThrow("wanted 4096.0 MiB, 0.0 MiB of 4096.0 MiB are in use");
    expect(() => allocator.allocate(2 ** 31)).toThrow(expect.objectContaining({ code: "memory" }));
    const address = allocator.allocate(2 ** 30);
    expect(() => allocator.release(address + 64, 64)).toThrow("no such block");
    expect(() => allocator.release(address, 64)).toThrow("no such block");
    allocator.release(address, 2 ** 30);
    expect(() => allocator.release(address, 2 ** 30)).toThrow("no such block");
  });

  test("reaches addresses up to 4 GiB", () => {
    const allocator = new Allocator(0, 2 ** 32, grow);
    const blocks = Array.from({ length: 4 }, () => allocator.allocate(2 ** 30));
    expect(blocks).toEqual([0, 2 ** 30, 2 ** 31, 3 * 2 ** 30]);
    expect(() => allocator.allocate(1)).toThrow("out of backend memory");
    for (const block of blocks) allocator.release(block, 2 ** 30);
    expect(allocator.allocate(2 ** 32)).toBe(0);
  });

  test("tells of every allocation before it is made; what the watcher throws ends it", () => {
    const allocator = new Allocator(0, 2 ** 20, grow);
    const seen: number[] = [];
    const stop = allocator.onAllocate(() => seen.push(allocator.report().used));
    const first = allocator.allocate(64);
    allocator.allocate(128);
    expect(seen).toEqual([0, 64]);
    const refuse = allocator.onAllocate(() => {
      throw new Error("enough");
    });
    expect(() => allocator.allocate(64)).toThrow("enough");
    expect(allocator.report().used).toBe(192);
    refuse();
    stop();
    allocator.release(first, 64);
    allocator.allocate(64);
    expect(seen.length).toBe(3);
  });

  test("keeps blocks inside segments and gives the ends of segments to smaller ones", () => {
    const ends: number[] = [];
    const allocator = new Allocator(64, 4096, (end) => ends.push(end) > 0, 1024);
    const first = allocator.allocate(640);
    const second = allocator.allocate(640);
    expect([first, second]).toEqual([64, 1024]);
    expect(allocator.allocate(320)).toBe(704);
    expect(allocator.allocate(384)).toBe(1664);
    const third = allocator.allocate(1024);
    expect(third).toBe(2048);
    expect(() => allocator.allocate(1025)).toThrow("one block may have 0.0 MiB at most");
    // Neighbours on two sides of a boundary are not one block.
    allocator.release(1664, 384);
    allocator.release(second, 640);
    allocator.release(704, 320);
    allocator.release(first, 640);
    expect(allocator.allocate(1000)).toBe(1024);
    allocator.release(1024, 1000);
    allocator.release(third, 1024);
    expect(allocator.report().used).toBe(64);
    expect(allocator.allocate(960)).toBe(64);
    expect(ends).toEqual([704, 1664, 2048, 3072, 1024]);
  });

  test.each([Number.POSITIVE_INFINITY, 2 ** 18])(
    "stays consistent under a long random use, segments of %d",
    (segment) => {
      const allocator = new Allocator(64, 2 ** 24, grow, segment);
      const live: { address: number; size: number }[] = [];
      let state = 12345;
      const random = (below: number): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      let used = 64;
      for (let step = 0; step < 5000; step++) {
        if (live.length > 40 || (live.length > 0 && random(3) === 0)) {
          const [{ address, size }] = live.splice(random(live.length), 1);
          allocator.release(address, size);
          used -= Math.ceil(size / 64) * 64;
        } else {
          const size = 1 + random(2 ** (6 + random(12)));
          const address = allocator.allocate(size);
          expect(Math.floor(address / segment)).toBe(Math.floor((address + size - 1) / segment));
          for (const other of live) {
            expect(address + size <= other.address || other.address + other.size <= address).toBe(true);
          }
          live.push({ address, size });
          used += Math.ceil(size / 64) * 64;
        }
        expect(allocator.report().used).toBe(used);
      }
      for (const { address, size } of live) allocator.release(address, size);
      const largest = Math.min(2 ** 24, segment) - 64;
      expect(allocator.allocate(largest)).toBe(64);
    },
  );
});
