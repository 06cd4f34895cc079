/** How fast threads of this host exchange words: what is sent is copied into shared memory and out of it again. */

const words = 2 ** 22;
const rounds = 9;

/** Bytes a second that arrive, of one thread sending to another while neither does anything else: the median of several rounds. */
export function measureCopies(): number {
  const from = new Uint32Array(words).fill(1);
  const shared = new Uint32Array(new SharedArrayBuffer(4 * words));
  const into = new Uint32Array(words);
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now();
    shared.set(from);
    into.set(shared);
    // Memory is touched for the first time in the first round.
    if (round > 0) seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((a, b) => a - b);
  return (4 * words) / (seconds[rounds >> 1] as number);
}
