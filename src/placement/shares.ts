/** Which ciphertexts of a tensor belong to which device. Depends on sizes alone. */
import { diagonalAt, type Geometry, type Tensor } from "../program/index.ts";
import type { Mode } from "./strategies.ts";

/** Seconds that each device takes for what another takes one for. */
export type Paces = readonly number[];

/** So many devices of one kind. */
export function evenPaces(devices: number): Paces {
  return new Array<number>(devices).fill(1);
}

/** Places 0 … count − 1 in runs, one a device, as long as devices are fast. */
export function contiguous(count: number, paces: Paces): number[][] {
  const total = paces.reduce((sum, pace) => sum + 1 / pace, 0);
  const even = paces.every((pace) => pace === paces[0]);
  // Exact where devices are alike.
  let before = 0;
  const ends = paces.map((pace, d) => {
    before += 1 / pace;
    return even ? Math.floor(((d + 1) * count) / paces.length) : Math.round((before * count) / total);
  });
  return ends.map((to, d) => {
    const from = d === 0 ? 0 : (ends[d - 1] as number);
    return Array.from({ length: to - from }, (_, i) => from + i);
  });
}

/** The device of each of `count` things that are dealt out in turn, more often to the fast: each goes to whoever would be done first. */
function dealt(count: number, paces: Paces): number[] {
  const busy = paces.map(() => 0);
  return Array.from({ length: count }, () => {
    let next = 0;
    for (const [d, pace] of paces.entries()) {
      if ((busy[d] as number) + pace < (busy[next] as number) + (paces[next] as number)) next = d;
    }
    busy[next] = (busy[next] as number) + (paces[next] as number);
    return next;
  });
}

/** The fastest device, the first among equals. */
export function fastestOf(paces: Paces): number {
  return paces.indexOf(Math.min(...paces));
}

/**
 * Places along a tensor's axis by device. Diagonals go by whole giant steps (of all blocks of
 * keys), dealt out in turn: sums are rounded by giant step, and chunks of them are shared evenly.
 */
export function axisShares(geometry: Geometry, tensor: Pick<Tensor, "axis" | "count">, paces: Paces): number[][] {
  if (tensor.axis !== "diagonal" || geometry.layout === "short") return contiguous(tensor.count, paces);
  const shares: number[][] = paces.map(() => []);
  const giants = Array.from({ length: tensor.count }, (_, place) => diagonalAt(geometry, place).giant);
  const device = dealt(Math.max(...giants) + 1, paces);
  for (const [place, giant] of giants.entries()) (shares[device[giant] as number] as number[]).push(place);
  return shares;
}

/** Numbers of the ciphertexts of output `o` that each device owns under a mode. */
export function owned(geometry: Geometry, tensor: Tensor, o: number, mode: Mode, paces: Paces): number[][] {
  const { blocks, count } = tensor;
  const devices = paces.length;
  const first = fastestOf(paces);
  const all = Array.from({ length: blocks * count }, (_, i) => i);
  switch (mode) {
    case "single":
    case "summed-single":
      return Array.from({ length: devices }, (_, d) => (d === first ? all : []));
    case "outputs":
      return paces.map((_, d) => (d === dealt(o + 1, paces)[o] ? all : []));
    case "axis":
    case "summed-axis":
      return axisShares(geometry, tensor, paces).map((places) =>
        Array.from({ length: blocks }, (_, block) => places.map((place) => block * count + place)).flat(),
      );
    case "block":
    case "summed-block":
      return contiguous(blocks, paces).map((mine) =>
        mine.flatMap((block) => Array.from({ length: count }, (_, i) => block * count + i)),
      );
    default: // on all, whole or in shares
      return Array.from({ length: devices }, () => all);
  }
}
