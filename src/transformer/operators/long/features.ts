/** Which features the lanes of ciphertexts hold, in the long layout. */
import type { Geometry, Tensor } from "../../../program/index.ts";

/** Feature that a lane of a ciphertext holds; undefined when it holds none, or when it is not to be written. */
export type FeatureAt = (index: number, lane: number) => number | undefined;

export function inputFeatures(geometry: Geometry, tensor: Tensor): FeatureAt {
  return tensor.axis === "dimension" ? headFeatures(geometry, false) : wideFeatures(geometry, tensor);
}

export function outputFeatures(geometry: Geometry, tensor: Tensor): FeatureAt {
  return tensor.axis === "dimension"
    ? headFeatures(geometry, tensor.content === "single")
    : wideFeatures(geometry, tensor);
}

/** Lanes that hold a feature in one of `count` ciphertexts at least. */
export function laneSet(lanes: number, count: number, feature: FeatureAt): number[] {
  const used: number[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    for (let index = 0; index < count; index++) {
      if (feature(index, lane) === undefined) continue;
      used.push(lane);
      break;
    }
  }
  return used;
}

function wideFeatures({ lanes }: Geometry, { features = Number.POSITIVE_INFINITY }: Tensor): FeatureAt {
  return (index, lane) => {
    const feature = index * lanes + lane;
    return feature < features ? feature : undefined;
  };
}

function headFeatures({ width, heads, headSize }: Geometry, firstGroupOnly: boolean): FeatureAt {
  return (index, lane) => {
    const head = lane % width;
    return head >= heads || (firstGroupOnly && lane >= width) ? undefined : head * headSize + index;
  };
}
