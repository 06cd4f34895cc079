/**
 * Negacyclic transforms (Cooley–Tukey forward, Gentleman–Sande inverse) through workgroup memory,
 * one pass over all limbs for up to {@link tileLog} stages: two passes make rings up to 2^17.
 *
 * A pass does `stages` stages from stage `first` on (stage 0 has distance N/2). The ring falls
 * into 2^first blocks that do not meet any more; a block is a matrix of 2^stages rows, and a tile is
 * some columns of one block. Values are below 4q on the way forward, below 2q on the way back, between
 * stages and between passes; the last pass gives canonical residues.
 *
 * Twiddles of a prime: words ψ^bitrev(k) for k in [0, N), then their quotients floor(w·2^32/q). The inverse of entry k
 * in [m, 2m) is minus entry 3m − 1 − k, since ψ^N = −1, so that both ways share one table.
 *
 * Parameters: (x, log N, first, stages), (stride, log2 of columns of a tile, 0, 0), then for each limb
 * (q, twiddles, scale, floor(scale·2^32/q)); scale is 1/N, used by the last pass of the inverse.
 * Workgroups: tiles, limbs.
 */

/** log2 of the values of a tile: 8 KiB of workgroup memory, half of what every adapter has. */
export const tileLog = 11;
/** Threads of a workgroup. */
export const transformThreads = 256;

const forwardStages = `
  for (var stage = 0u; stage < stages; stage++) {
    let log = stages - 1u - stage;
    let entry = (1u << (first + stage)) + (block << stage);
    for (var u = thread; u < pairs; u += ${transformThreads}u) {
      let row = u >> columnLog;
      let group = row >> log;
      let at = (((group << (log + 1u)) + (row & ((1u << log) - 1u))) << columnLog) + (u & (columns - 1u));
      let other = at + (1u << (log + columnLog));
      let w = limb.y + entry + group;
      let x = tile[at];
      let low = min(x, x - 2u * q);
      let high = multiplyConstant(tile[other], fetch(w), fetch(w + n), q);
      tile[at] = low + high;
      tile[other] = low - high + 2u * q;
    }
    workgroupBarrier();
  }`;

const inverseStages = `
  for (var log = 0u; log < stages; log++) {
    let stage = stages - 1u - log;
    let m = 1u << (first + stage);
    let entry = 2u * m - 1u - (block << stage);
    for (var u = thread; u < pairs; u += ${transformThreads}u) {
      let row = u >> columnLog;
      let group = row >> log;
      let at = (((group << (log + 1u)) + (row & ((1u << log) - 1u))) << columnLog) + (u & (columns - 1u));
      let other = at + (1u << (log + columnLog));
      let w = limb.y + entry - group;
      let x = tile[at];
      let y = tile[other];
      tile[at] = min(x + y, x + y - 2u * q);
      tile[other] = multiplyConstant(y - x + 2u * q, fetch(w), fetch(w + n), q);
    }
    workgroupBarrier();
  }`;

/** WGSL of a transform, without the prelude. */
export function transform(kernel: "forwardNtt" | "inverseNtt"): string {
  const forward = kernel === "forwardNtt";
  return `
var<workgroup> tile: array<u32, ${2 ** tileLog}>;

@compute @workgroup_size(${transformThreads})
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let head = parameters.words[0];
  let shape = parameters.words[1];
  let limb = parameters.words[2u + group_id.y];
  let q = limb.x;
  let n = 1u << head.y;
  let first = head.z;
  let stages = head.w;
  let columnLog = shape.y;
  let columns = 1u << columnLog;
  let pairs = 1u << (stages + columnLog - 1u);
  // Distance between rows, and the tile's place.
  let rowLog = head.y - first - stages;
  let tilesLog = rowLog - columnLog;
  let block = group_id.x >> tilesLog;
  let start = head.x + group_id.y * shape.x + (block << (rowLog + stages))
    + ((group_id.x & ((1u << tilesLog) - 1u)) << columnLog);
  for (var u = thread; u < 2u * pairs; u += ${transformThreads}u) {
    tile[u] = fetch(start + ((u >> columnLog) << rowLog) + (u & (columns - 1u)));
  }
  workgroupBarrier();
${forward ? forwardStages : inverseStages}
  for (var u = thread; u < 2u * pairs; u += ${transformThreads}u) {
    var value = tile[u];
    ${
      forward
        ? "if (first + stages == head.y) { value = reduceOnce(min(value, value - 2u * q), q); }"
        : "if (first == 0u) { value = reduceOnce(multiplyConstant(value, limb.z, limb.w, q), q); }"
    }
    put(start + ((u >> columnLog) << rowLog) + (u & (columns - 1u)), value);
  }
}
`;
}

/**
 * Fills twiddle tables. Parameters: (log N, 0, 0, 0), 0, then for the prime (q, q^-1 mod 2^32, table, 2^32 mod q)
 * and words ψ^(2^k)·2^32 mod q for k < log N. Workgroups: blocks of {@link transformThreads} entries.
 */
export const makeTwiddles = `
@compute @workgroup_size(${transformThreads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let logN = parameters.words[0].x;
  let prime = parameters.words[2];
  let i = id.x;
  let n = 1u << logN;
  if (i >= n) { return; }
  // Bit k of i stands for 2^(log N - 1 - k) in the exponent.
  var power = prime.w;
  for (var k = 0u; k < logN; k++) {
    if (((i >> k) & 1u) == 1u) { power = multiplyReduced(power, parameter(12u + logN - 1u - k), prime.x, prime.y); }
  }
  put(prime.z + i, multiplyReduced(power, 1u, prime.x, prime.y));
  // w·2^32 = quotient·q + power, exactly.
  put(prime.z + n + i, (0u - power) * prime.y);
}
`;
