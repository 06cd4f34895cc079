/**
 * Attention with all pairs of tokens by generalised diagonals: diagonal r pairs token t with key
 * t + r. Spare groups of lanes hold the keys at several token offsets, so that one product covers
 * several diagonals; scores of all diagonals are packed into as few ciphertexts as possible before
 * the softmax, whose polynomials cost per ciphertext.
 */
import { HoistedRotations } from "../../../circuits/index.ts";
import type { Ciphertext, ExtendedCiphertext, Plaintext } from "../../../ckks/index.ts";
import {
  type DenominatorsOperation,
  type ExpandOperation,
  groupsOf,
  type ScoresOperation,
  scoreBlocks,
} from "../../../program/index.ts";
import type { Environment } from "../environment.ts";

/** Products that are summed at a time: bounds the rotated values that are alive. */
const productsAtOnce = 16;

/** `single` → `replicated`. */
export function replicate(environment: Environment, a: Ciphertext): Ciphertext {
  const { lanes, width } = environment.geometry;
  return lanes === width ? environment.evaluator.copy(a) : environment.sumRotations(a, copies(lanes / width, -width));
}

/** Score ciphertexts `wanted`; depth 3: product, packing, mask. */
export function scores(
  environment: Environment,
  operation: ScoresOperation,
  query: Ciphertext,
  key: Ciphertext,
  wanted: readonly number[],
): Ciphertext[] {
  const { evaluator, geometry } = environment;
  const level = operation.level as number;
  using queryAt = environment.at(query, level);
  using queries = replicateGroups(environment, queryAt);
  using keys = offsetCopies(environment, key, level);
  const blocks = scoreBlocks(geometry);
  const size = geometry.headSize / blocks;
  return wanted.map((part) => {
    const products: Ciphertext[] = [];
    {
      using hoisted = evaluator.hoist(keys);
      for (let j = 0; j < blocks; j++) {
        using turned = evaluator.rotateHoisted(hoisted, tokenSteps(environment, part * blocks + j));
        products.push(evaluator.multiplyRescale(queries, turned));
      }
    }
    using packed = pack(environment, products, size);
    for (const product of products) product.dispose();
    using summed = environment.sumWindow(packed, 1, size);
    using clean = environment.multiplyVector(
      summed,
      environment.lanes((lane) => (isUsedLane(environment, lane) && lane % size === 0 ? 1 : 0)),
    );
    return evaluator.addConstant(clean, operation.constant);
  });
}

/** Copies every score to all lanes of its head, one ciphertext per group of diagonals, those `wanted`; depth 1. */
export function expand(
  environment: Environment,
  operation: ExpandOperation,
  packed: readonly Ciphertext[],
  wanted: readonly number[],
): Ciphertext[] {
  const { evaluator, geometry } = environment;
  const level = operation.level as number;
  const { parameters } = evaluator.context;
  const blocks = scoreBlocks(geometry);
  const size = geometry.headSize / blocks;
  return packed.flatMap((a, part) => {
    const here = wanted.filter((number) => Math.floor(number / blocks) === part).map((number) => number % blocks);
    if (here.length === 0) return [];
    using at = environment.at(a, level);
    using filled = environment.sumWindow(at, -1, size);
    using rotations = new HoistedRotations(evaluator, filled, level, environment.slots);
    const scale = (environment.scale * parameters.levelModulus(level)) / filled.scale;
    const masks = Array.from({ length: blocks }, (_, block) =>
      blockMask(environment, block, size, operation.factor, level, scale, true),
    );
    const results = here.map((j, place) => {
      const terms = masks.map((mask, block) => [rotations.get((j - block) * size), mask] as const);
      const [total] = evaluator.plainSums([terms]);
      using sum = total as ExtendedCiphertext;
      const next = here[place + 1] ?? Number.POSITIVE_INFINITY;
      for (let turn = j - blocks + 1; turn <= j && turn < next - blocks + 1; turn++) rotations.release(turn * size); // no later block reads it
      return evaluator.modDownRescale(sum);
    });
    for (const mask of masks) mask.dispose();
    return results;
  });
}

/** factor·Σ over all keys + constant, in the lanes of each head; depth 1. */
export function denominators(
  environment: Environment,
  operation: DenominatorsOperation,
  expanded: readonly Ciphertext[],
): Ciphertext {
  const { evaluator } = environment;
  let sum = environment.at(expanded[0] as Ciphertext, operation.level as number);
  for (const a of expanded.slice(1)) {
    using previous = sum;
    sum = evaluator.add(previous, a);
  }
  using all = sum;
  using total = sumGroups(environment, all);
  using masked = environment.multiplyVector(total, environment.singleMask(operation.factor));
  return environment.addVector(masked, environment.singleMask(operation.constant));
}

/** Σ over all keys of expanded scores times values; depth 1. Lanes beyond the first group are undefined. */
export function context(
  environment: Environment,
  level: number,
  expanded: readonly Ciphertext[],
  value: Ciphertext,
): Ciphertext {
  const { evaluator } = environment;
  using values = offsetCopies(environment, value, level);
  using hoisted = evaluator.hoist(values);
  let sum: Ciphertext | undefined;
  for (let first = 0; first < expanded.length; first += productsAtOnce) {
    const factors = expanded.slice(first, first + productsAtOnce);
    const turned = factors.map((_, j) => evaluator.rotateHoisted(hoisted, tokenSteps(environment, first + j)));
    const products = evaluator.tensorSum(factors.map((a, j) => [a, turned[j] as Ciphertext] as const));
    for (const a of turned) a.dispose();
    if (sum === undefined) sum = products;
    else {
      using previous = sum;
      using part = products;
      sum = evaluator.add(previous, part);
    }
  }
  using products = sum as Ciphertext;
  using rescaled = evaluator.relineariseRescale(products);
  return sumGroups(environment, rescaled);
}

/** Which slots of a `scores` ciphertext hold a real key, times the head's factor. */
export function keyMask(environment: Environment, part: number, headFactors: readonly number[]): Float64Array {
  const { tokens, lanes, width, headSize } = environment.geometry;
  const groups = groupsOf(environment.geometry);
  const blocks = scoreBlocks(environment.geometry);
  const size = headSize / blocks;
  const mask = new Float64Array(tokens * lanes);
  for (let lane = 0; lane < lanes; lane++) {
    if (!isUsedLane(environment, lane) || lane % size !== 0) continue;
    const group = Math.floor(lane / width);
    const head = Math.floor((lane % width) / headSize);
    const block = Math.floor((lane % headSize) / size);
    const diagonal = group + groups * (block + part * blocks);
    for (let token = 0; token < tokens; token++)
      if ((token + diagonal) % tokens < environment.length) mask[token * lanes + lane] = headFactors[head] as number;
  }
  return mask;
}

/**
 * Products j, each to be summed over its head's lanes, into block j of one ciphertext: blocks of
 * `size` lanes are summed into each other, the last sum over `size` lanes is left.
 */
function pack(environment: Environment, products: readonly Ciphertext[], size: number): Ciphertext {
  const { evaluator } = environment;
  const { parameters } = evaluator.context;
  const blocks = products.length;
  const first = products[0] as Ciphertext;
  const { level } = first;
  const scale = (environment.scale * parameters.levelModulus(level)) / first.scale;
  const masks = Array.from({ length: blocks }, (_, block) =>
    blockMask(environment, block, size, 1, level, scale, false),
  );
  using total = environment.zeroExtended(level, first.scale * scale);
  for (let turn = 1 - blocks; turn < blocks; turn++) {
    // Block j takes what stands in block j + turn of product j.
    const used = products.map((_, j) => j).filter((j) => j + turn >= 0 && j + turn < blocks);
    using inner = evaluator.plainSum(
      used.map((j) => [products[j] as Ciphertext, masks[j + turn] as Plaintext] as const),
    );
    if (turn === 0) {
      using lifted = evaluator.extend(inner);
      evaluator.addExtended(total, lifted);
      continue;
    }
    using hoisted = evaluator.hoist(inner);
    using rotated = evaluator.rotateExtended(hoisted, turn * size);
    evaluator.addExtended(total, rotated);
  }
  for (const mask of masks) mask.dispose();
  return evaluator.modDownRescale(total);
}

/** `factor` in block `block` of every head of every group. */
function blockMask(
  environment: Environment,
  block: number,
  size: number,
  factor: number,
  level: number,
  scale: number,
  extended: boolean,
): Plaintext {
  const { headSize } = environment.geometry;
  const values = environment.lanes((lane) =>
    isUsedLane(environment, lane) && Math.floor((lane % headSize) / size) === block ? factor : 0,
  );
  return environment.evaluator.encode(values, { level, scale, use: "product", extended });
}

/** Group g holds the features of token t + g; 1 level-preserving sum of rotations. */
function offsetCopies(environment: Environment, a: Ciphertext, level: number): Ciphertext {
  const { lanes, width } = environment.geometry;
  using at = environment.at(a, level);
  const groups = groupsOf(environment.geometry);
  return groups === 1 ? environment.evaluator.copy(at) : environment.sumRotations(at, copies(groups, lanes - width));
}

/** The same features in every group that is used. */
function replicateGroups(environment: Environment, a: Ciphertext): Ciphertext {
  const groups = groupsOf(environment.geometry);
  return groups === 1
    ? environment.evaluator.copy(a)
    : environment.sumRotations(a, copies(groups, -environment.geometry.width));
}

/** Sums the groups into the first; others are undefined. */
function sumGroups(environment: Environment, a: Ciphertext): Ciphertext {
  return environment.sumWindow(a, environment.geometry.width, groupsOf(environment.geometry));
}

function copies(count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => i * step);
}

/** Slots that turn the tokens by the j-th group of diagonals. */
function tokenSteps(environment: Environment, j: number): number {
  return j * groupsOf(environment.geometry) * environment.geometry.lanes;
}

function isUsedLane(environment: Environment, lane: number): boolean {
  const { width, heads, headSize } = environment.geometry;
  return lane < groupsOf(environment.geometry) * width && lane % width < heads * headSize;
}
