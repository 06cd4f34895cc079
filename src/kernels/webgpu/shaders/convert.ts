/**
 * Base conversion, coefficient domain (Halevi–Polyakov–Shoup, eprint 2018/117, §2). A workgroup takes
 * {@link convertValues} coefficients, a thread each, and some targets. A thread's words y_i lie in workgroup memory, where
 * they can be indexed; nobody else reads them. v is one more source whose factor is −Q.
 *
 * Parameters: (dst, src, degree, stride), (sources, targets, table, targets of a workgroup). The table (in
 * the arena, `../conversion.ts`): for each source (q, inverse, its quotient, floor(2^56/q)); for each target q,
 * q^-1 mod 2^32, interval, foldBy, steps and the factors of the sources and of v times 2^32. Workgroups: blocks of
 * coefficients, groups of targets.
 */
import { lazySums } from "./sums.ts";

/** Coefficients of a workgroup. */
export const convertValues = 64;
/** Most sources of a conversion. */
export const maximumSources = 24;

export const convert = `${lazySums}
var<workgroup> ys: array<u32, ${convertValues * maximumSources}>;

@compute @workgroup_size(${convertValues})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let head = parameters.words[0];
  let shape = parameters.words[1];
  let sources = shape.x;
  let i = group.x * ${convertValues}u + local.x;
  if (i >= head.z) { return; }
  // Each term is below 2^56: the sum stays below 2^61.
  var fraction = Wide(0u, 1u << 23u);
  for (var k = 0u; k < sources; k++) {
    let c = shape.z + 4u * k;
    let q = fetch(c);
    let x = fetch(head.y + k * head.w + i);
    let y = reduceOnce(multiplyConstant(x, fetch(c + 1u), fetch(c + 2u), q), q);
    ys[k * ${convertValues}u + local.x] = y;
    accumulate(&fraction, y, fetch(c + 3u));
  }
  let v = fraction.high >> 24u;
  let end = min(shape.y, (group.y + 1u) * shape.w);
  for (var j = group.y * shape.w; j < end; j++) {
    let row = shape.z + 4u * sources + j * (6u + sources);
    let interval = fetch(row + 2u);
    let foldBy = fetch(row + 3u);
    var sum = Wide(0u, 0u);
    var rest = interval;
    for (var k = 0u; k < sources; k++) {
      if (rest == 0u) {
        rest = interval;
        sum.high = min(sum.high, sum.high - foldBy);
      }
      rest--;
      accumulate(&sum, ys[k * ${convertValues}u + local.x], fetch(row + 5u + k));
    }
    if (rest == 0u) { sum.high = min(sum.high, sum.high - foldBy); }
    accumulate(&sum, v, fetch(row + 5u + sources));
    put(head.x + j * head.w + i, reduceSum(sum, fetch(row), fetch(row + 1u), fetch(row + 4u)));
  }
}
`;
