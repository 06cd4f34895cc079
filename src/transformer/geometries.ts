/** How a model and a text may lie in ciphertexts: the geometries that a compiler chooses from. */
import type { ModelConfig } from "../model/index.ts";
import { type Geometry, groupsOf, slotsOf } from "../program/index.ts";

/** Powers of two at or above. */
export function powerAtLeast(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}

/**
 * Slots for a text: tokens rounded up to a power of two, and as many lanes a token as the wide layers
 * can use while real and imaginary parts still share one bootstrapping (half of the slots), if there
 * is room for that.
 */
export function chooseGeometry(config: ModelConfig, length: number, maximumSlots: number): Geometry {
  const width = powerAtLeast(config.hiddenSize);
  const tokens = powerAtLeast(Math.max(length, 2));
  const most = Math.max(width, powerAtLeast(config.intermediateSize));
  let lanes = Math.max(width, Math.min(most, maximumSlots / 2 / tokens));
  if (lanes * tokens > maximumSlots) lanes = width;
  return {
    layout: "short",
    blocks: 1,
    tokens,
    lanes,
    width,
    heads: config.heads,
    headSize: config.headSize,
    babySteps: 1,
  };
}

/**
 * Slots for a long text: as many tokens in a ciphertext as there are, or as many as leave a lane for
 * every head; lanes that the heads do not need hold further groups of diagonals.
 */
export function longGeometry(config: ModelConfig, length: number, slots: number, mostTokens = slots): Geometry {
  const width = Math.max(2, powerAtLeast(config.heads));
  const tokens = Math.min(powerAtLeast(Math.max(length, 2)), slots / width, mostTokens);
  const lanes = slots / tokens;
  const diagonals = tokens / Math.min(lanes / width, tokens);
  return {
    layout: "long",
    blocks: Math.ceil(length / tokens),
    tokens,
    lanes,
    width,
    heads: config.heads,
    headSize: config.headSize,
    babySteps: 2 ** Math.floor(Math.log2(diagonals) / 2),
  };
}

/**
 * The same with other baby steps: all that diagonals allow, but far more than their square root, which devices
 * that share diagonals out would all repeat.
 */
export function otherSteps(geometry: Geometry): Geometry[] {
  if (geometry.layout === "short") return [];
  const most = Math.min(2 * geometry.babySteps, geometry.tokens / groupsOf(geometry));
  const steps: number[] = [];
  for (let babySteps = 1; babySteps <= most; babySteps *= 2)
    if (babySteps !== geometry.babySteps) steps.push(babySteps);
  return steps.map((babySteps) => ({ ...geometry, babySteps }));
}

/** Texts from this many tokens on are tried in the long layout as well. */
export const longTokens = 128;

/** Long texts are tried in one to this many times the fewest blocks: fewer tokens a ciphertext, more lanes. */
const mostSplit = 4;

/**
 * Geometries to choose from: the short layout where it fits, the long one for long texts, with fewer
 * and with more tokens in a ciphertext. The first of each layout is the one with fewest ciphertexts.
 */
export function candidateGeometries(
  config: ModelConfig,
  length: number,
  slots: number,
  layout?: Geometry["layout"],
): Geometry[] {
  const first = chooseGeometry(config, length, slots);
  const fits = slotsOf(first) <= slots && Number.isInteger(Math.log2(config.headSize));
  const short = fits && layout !== "long" ? [first, ...wider(config, first, slots)] : [];
  if (layout === "short" || (layout === undefined && fits && length < longTokens))
    return short.length > 0 ? short : [first];
  const long = longGeometry(config, length, slots);
  const blocked: Geometry[] = [];
  for (let split = 2; split <= mostSplit && long.tokens / split >= longTokens; split *= 2)
    blocked.push(longGeometry(config, length, slots, long.tokens / split));
  return [...short, long, ...blocked];
}

/** Twice the lanes where they still fit: fewer ciphertexts against dearer bootstraps. */
function wider(config: ModelConfig, first: Geometry, slots: number): Geometry[] {
  const wider = { ...first, lanes: 2 * first.lanes };
  return wider.lanes <= powerAtLeast(config.intermediateSize) && slotsOf(wider) <= slots ? [wider] : [];
}
