/** Which ciphertexts of a tensor belong to which device. Depends on sizes alone. */
import { diagonalAt, type Geometry, type Tensor } from "../program/index.ts";
import type { Mode } from "./strategies.ts";

/** Places 0 … count − 1 in runs of almost equal length, one a device. */
export function contiguous(count: number, devices: number): number[][] {
  return Array.from({ length: devices }, (_, d) => {
    const from = Math.floor((d * count) / devices);
    const to = Math.floor(((d + 1) * count) / devices);
    return Array.from({ length: to - from }, (_, i) => from + i);
  });
}

/**
 * Places along a tensor's axis by device. Diagonals go by whole giant steps (of all blocks of
 * keys), dealt out in turn: sums are rounded by giant step, and chunks of them are shared evenly.
 */
export function axisShares(geometry: Geometry, tensor: Pick<Tensor, "axis" | "count">, devices: number): number[][] {
  if (tensor.axis !== "diagonal" || geometry.layout === "short") return contiguous(tensor.count, devices);
  const shares: number[][] = Array.from({ length: devices }, () => []);
  for (let place = 0; place < tensor.count; place++)
    (shares[diagonalAt(geometry, place).giant % devices] as number[]).push(place);
  return shares;
}

/** Numbers of the ciphertexts of output `o` that each device owns under a mode. */
export function owned(geometry: Geometry, tensor: Tensor, o: number, mode: Mode, devices: number): number[][] {
  const { blocks, count } = tensor;
  const all = Array.from({ length: blocks * count }, (_, i) => i);
  switch (mode) {
    case "single":
    case "summed-single":
      return Array.from({ length: devices }, (_, d) => (d === 0 ? all : []));
    case "outputs":
      return Array.from({ length: devices }, (_, d) => (d === o % devices ? all : []));
    case "axis":
    case "summed-axis":
      return axisShares(geometry, tensor, devices).map((places) =>
        Array.from({ length: blocks }, (_, block) => places.map((place) => block * count + place)).flat(),
      );
    case "block":
    case "summed-block":
      return contiguous(blocks, devices).map((mine) =>
        mine.flatMap((block) => Array.from({ length: count }, (_, i) => block * count + i)),
      );
    default: // on all, whole or in shares
      return Array.from({ length: devices }, () => all);
  }
}
