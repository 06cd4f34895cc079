/**
 * Negacyclic transforms (Cooley–Tukey forward, Gentleman–Sande inverse) through workgroup memory,
 * one pass over all limbs for up to {@link tileLog} stages: two passes make rings up to 2^17.
 *
 * A pass does `stages` stages from stage `first` on (stage 0 has distance N/2). The ring falls
 * into 2^first blocks that do not meet any more; a block is a matrix of 2^stages rows, and a tile is
 * some columns of one block. Three stages at a time are done in registers. Values are below 4q on the way forward,
 * below 2q on the way back, between stages and between passes; the last pass gives canonical residues.
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
/**
 * The same where the adapter is software: there every few threads pay for a barrier that they wait at and gain nothing
 * from each other. Kernels are kept short there too: compilers of software take minutes over what hardware's do at once.
 */
export const softwareThreads = 4;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * `count` stages in registers: a unit is the 2^count rows of one column that meet in them, value e in `v<e>`.
 * Rows of a unit are 2^low apart, low being the log of the smallest distance; `group` is what units above share.
 */
function unit(count: number, low: string, butterflies: string): string {
  const size = 2 ** count;
  return `
    for (var u = thread; u < (tileSize >> ${count}u); u += threads) {
      let row = u >> columnLog;
      let group = row >> (${low});
      let at = (((group << (${low} + ${count}u)) + (row & ((1u << (${low})) - 1u))) << columnLog) + (u & (columns - 1u));
      let step = 1u << (${low} + columnLog);
${range(size)
  .map((e) => `      var v${e} = tile[at + ${e}u * step];`)
  .join("\n")}
${butterflies}
${range(size)
  .map((e) => `      tile[at + ${e}u * step] = v${e};`)
  .join("\n")}
    }
    workgroupBarrier();`;
}

/** Pairs of a unit that differ in bit `bit`, by the lower value's number, with what its upper bits are. */
function pairs(count: number, bit: number): { e: number; other: number; upper: number }[] {
  return range(2 ** count)
    .filter((e) => ((e >> bit) & 1) === 0)
    .map((e) => ({ e, other: e + 2 ** bit, upper: e >> (bit + 1) }));
}

/** Loads a twiddle factor and its quotient. */
function twiddle(name: string, word: string): string {
  return `let ${name} = fetch(${word}); let ${name}q = fetch(${word} + n);`;
}

/** Lines of all butterflies on one bit of a unit; pairs with equal upper bits share their factor. */
function butterflies(count: number, bit: number, word: (upper: number) => string, lines: Butterfly): string[] {
  return range(2 ** (count - 1 - bit)).flatMap((upper) => [
    `{ ${twiddle("w", word(upper))}`,
    ...pairs(count, bit)
      .filter((pair) => pair.upper === upper)
      .map(({ e, other }) => `{ ${lines(`v${e}`, `v${other}`)} }`),
    "}",
  ]);
}

type Butterfly = (x: string, y: string) => string;

/** Stages `done` to `done` + count of the pass. */
function forwardUnit(count: number): string {
  const lines = range(count).flatMap((t) => [
    `let entry${t} = limb.y + (1u << (first + done + ${t}u)) + (block << (done + ${t}u)) + (group << ${t}u);`,
    ...butterflies(
      count,
      count - 1 - t,
      (upper) => `entry${t} + ${upper}u`,
      (x, y) =>
        `let a = min(${x}, ${x} - 2u * q); let b = multiplyConstant(${y}, w, wq, q); ${x} = a + b; ${y} = a - b + 2u * q;`,
    ),
  ]);
  return unit(count, `stages - done - ${count}u`, lines.map((line) => `      ${line}`).join("\n"));
}

/** The last `done` + count to `done` stages of the pass, backwards. */
function inverseUnit(count: number): string {
  const lines = range(count).flatMap((bit) => [
    `let stage${bit} = stages - 1u - done - ${bit}u;`,
    `let entry${bit} = limb.y + (2u << (first + stage${bit})) - 1u - (block << stage${bit}) - (group << ${count - 1 - bit}u);`,
    ...butterflies(
      count,
      bit,
      (upper) => `entry${bit} - ${upper}u`,
      (x, y) =>
        `let a = ${x}; let b = ${y}; ${x} = min(a + b, a + b - 2u * q); ${y} = multiplyConstant(b - a + 2u * q, w, wq, q);`,
    ),
  ]);
  return unit(count, "done", lines.map((line) => `      ${line}`).join("\n"));
}

/** All stages of a pass: three at a time, then the rest; on software one at a time. */
function allStages(units: (count: number) => string, threads: number): string {
  if (threads === softwareThreads)
    return `
  for (var done = 0u; done < stages; done++) {${units(1)}
  }`;
  return `
  var done = 0u;
  for (; done + 3u <= stages; done += 3u) {${units(3)}
  }
  if (done + 2u == stages) {${units(2)}
  } else if (done + 1u == stages) {${units(1)}
  }`;
}

/** WGSL of a transform, without the prelude. */
export function transform(kernel: "forwardNtt" | "inverseNtt", threads: number): string {
  const forward = kernel === "forwardNtt";
  return `
const threads = ${threads}u;
var<workgroup> tile: array<u32, ${2 ** tileLog}>;

@compute @workgroup_size(threads)
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
  let tileSize = 1u << (stages + columnLog);
  // Distance between rows, and the tile's place.
  let rowLog = head.y - first - stages;
  let tilesLog = rowLog - columnLog;
  let block = group_id.x >> tilesLog;
  let start = head.x + group_id.y * shape.x + (block << (rowLog + stages))
    + ((group_id.x & ((1u << tilesLog) - 1u)) << columnLog);
  for (var u = thread; u < tileSize; u += threads) {
    tile[u] = fetch(start + ((u >> columnLog) << rowLog) + (u & (columns - 1u)));
  }
  workgroupBarrier();
${allStages(forward ? forwardUnit : inverseUnit, threads)}
  for (var u = thread; u < tileSize; u += threads) {
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
