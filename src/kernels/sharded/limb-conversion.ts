/** Base conversion between limbs that lie on different ranks, and limbs brought together as words. */
import type { ConversionTable, Limbs } from "../backend.ts";
import { asPartial, contributes, isHeldBy, isPartial, type Layout, sumLayout, whole } from "./layout.ts";
import type { LimbMemory } from "./limb-memory.ts";

/**
 * See `RingKernels.convert`. Source limbs that are cut are gathered, and each rank converts to the
 * limbs it is to hold of the result. What ranks hold of a partial sum each of them converts by
 * itself: the centred representatives of n summands add up to that of the sum but for a multiple of
 * the source modulus, less than n times it.
 */
export function convertLimbs(memory: LimbMemory, dst: Limbs, src: Limbs, table: ConversionTable): void {
  const sources = memory.layouts(src);
  const homes = src.moduli.map(memory.placement.home);
  const sum = sources.some(isPartial)
    ? asPartial(sources.reduce((all, layout, i) => sumLayout(all, layout, homes[i]), sources.find(isPartial) as Layout))
    : undefined;
  const spread = sources.every((layout) => layout === whole);
  const targets = dst.moduli.map((modulus) => sum ?? (spread ? memory.known(modulus) : memory.stored(modulus)));
  memory.lay(dst, targets);
  const own = [...targets.keys()].filter((i) => isHeldBy(targets[i], memory.rank));
  if (sum === undefined && !spread && memory.size > 1) {
    gatherAndConvert(memory, dst, own, src, sources, table);
    return;
  }
  if (own.length === 0) return;
  const counts = sources.map((layout, i) => sum === undefined || contributes(layout, sum, memory.rank, homes[i]));
  const direct = counts.every(Boolean) ? memory.adjacent(src, [...sources.keys()]) : undefined;
  if (direct !== undefined) {
    convertTo(memory, dst, own, direct, table);
    return;
  }
  memory.workspace(src.moduli, (from) => {
    for (const [i, counted] of counts.entries()) {
      const limb = memory.nth(from, i);
      if (counted) memory.inner.copy(limb, memory.limb(src, i));
      else memory.inner.zero(limb);
    }
    convertTo(memory, dst, own, from, table);
  });
}

function gatherAndConvert(
  memory: LimbMemory,
  dst: Limbs,
  own: readonly number[],
  src: Limbs,
  sources: readonly Layout[],
  table: ConversionTable,
): void {
  const items = memory.items(src);
  const cut = [...sources.keys()].filter((i) => sources[i] !== whole);
  const gather = (from: Limbs | undefined): void =>
    memory.exchange.gather(
      cut.map((i) => items[i]),
      (k, words) => {
        if (from !== undefined) memory.put(memory.nth(from, cut[k]), words);
      },
    );
  if (own.length === 0) {
    gather(undefined); // others need what this rank holds
    return;
  }
  memory.workspace(src.moduli, (from) => {
    for (const [i, layout] of sources.entries()) {
      if (isHeldBy(layout, memory.rank)) memory.inner.copy(memory.nth(from, i), memory.limb(src, i));
    }
    gather(from);
    convertTo(memory, dst, own, from, table);
  });
}

/** Converts to the limbs of `dst` with indices `own`, from all sources side by side. */
function convertTo(memory: LimbMemory, dst: Limbs, own: readonly number[], from: Limbs, table: ConversionTable): void {
  const part = partOf(table, own);
  const direct = memory.adjacent(dst, own);
  if (direct !== undefined) {
    memory.inner.convert(direct, from, part);
    return;
  }
  memory.workspace(part.to, (to) => {
    memory.inner.convert(to, from, part);
    for (const [k, i] of own.entries()) memory.inner.copy(memory.limb(dst, i), memory.nth(to, k));
  });
}

/** Backends cache what they make of a table by its identity. */
const parts = new WeakMap<ConversionTable, Map<string, ConversionTable>>();

/** The table of a conversion to some of its targets. */
function partOf(table: ConversionTable, own: readonly number[]): ConversionTable {
  if (own.length === table.to.length) return table;
  const known = parts.get(table) ?? new Map<string, ConversionTable>();
  parts.set(table, known);
  const key = own.join();
  let part = known.get(key);
  if (part === undefined) {
    const width = table.from.length;
    part = {
      ...table,
      to: own.map((j) => table.to[j]),
      factors: Uint32Array.from(own.flatMap((j) => [...table.factors.subarray(j * width, (j + 1) * width)])),
      products: Uint32Array.from(own, (j) => table.products[j]),
    };
    known.set(key, part);
  }
  return part;
}

/** See `ShardedKernels.collect`; parts of partial sums are added up. */
export function collectLimbs(memory: LimbMemory, x: Limbs, root: number | undefined): Uint32Array[] {
  const { inner } = memory;
  const layouts = memory.layouts(x);
  const wanted = root === undefined || root === memory.rank;
  const result = wanted ? x.moduli.map(() => new Uint32Array(inner.degree)) : [];
  memory.exchange.collect(memory.items(x), root, (index, words) => {
    if (words !== undefined) addWords(result[index], words, inner.moduli[x.moduli[index]]);
  });
  if (wanted && memory.moves) {
    for (const [i, layout] of layouts.entries()) if (layout === whole) inner.read(memory.limb(x, i), 0, result[i]);
  }
  return result;
}

function addWords(into: Uint32Array, words: Uint32Array, q: number): void {
  for (let i = 0; i < into.length; i++) {
    const sum = into[i] + words[i]; // below 2^31
    into[i] = sum < q ? sum : sum - q;
  }
}
