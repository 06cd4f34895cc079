/** Blocks of a region against a plain list of what is in use, under random placing and leaving. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leaveBlock, Region } from "./region.ts";

const start = 64;
const words = 2048;

describe("Region", () => {
  it("places blocks that never overlap, within its bounds, and finds all its room again", () => {
    const step = fc.record({ words: fc.integer({ min: 0, max: 400 }), readers: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.nat()), (steps, choices) => {
        const arena = new Uint32Array(new SharedArrayBuffer(4 * (start + words + 64)));
        const region = new Region(arena, start, words);
        const live: { address: number; words: number; readers: number }[] = [];
        for (const { words: length, readers } of steps) {
          const block = region.place(length, readers);
          if (block === undefined) {
            const [victim] = live.splice(choices.next().value % live.length, 1);
            for (let reader = 1; reader <= victim.readers; reader++) {
              expect(leaveBlock(arena, victim.address)).toBe(reader === victim.readers);
            }
            continue;
          }
          expect(block.payload.length).toBe(length);
          expect(block.address).toBeGreaterThanOrEqual(start);
          expect(block.address + 16 + length).toBeLessThanOrEqual(start + words);
          for (const other of live) {
            const before = block.address + 16 + length <= other.address;
            expect(before || other.address + 16 + other.words <= block.address).toBe(true);
          }
          live.push({ address: block.address, words: length, readers });
        }
        for (const { address, readers } of live) for (let i = 0; i < readers; i++) leaveBlock(arena, address);
        expect(region.place(words - 16, 1)?.address).toBe(start);
      }),
      { seed: 1 },
    );
  });

  it("holds two payloads of the largest size", () => {
    for (const size of [64, 80, 1008, 1024]) {
      const region = new Region(new Uint32Array(new SharedArrayBuffer(4 * size)), 0, size);
      expect(region.largestPayload).toBeGreaterThan(0);
      expect(region.place(region.largestPayload, 1)).toBeDefined();
      expect(region.place(region.largestPayload, 1)).toBeDefined();
      expect(region.place(region.largestPayload, 1)).toBeUndefined();
    }
  });
});
