/** A worker that runs kernels in a loop: transforms and products over as many limbs as real work has. */

import { Context, preset } from "../src/ckks/index.ts";
import { createWasmBackend } from "../src/kernels/index.ts";
import { type Device, serve } from "../src/runtime/threads/serve.ts";

const limbs = 32;

serve({
  /** Rounds a second. */
  pace: async (seconds: number, { data, endpoint }: Device): Promise<number> => {
    const { spec } = preset("insecure-test");
    const context = new Context({ ...spec, logN: data as number }, await createWasmBackend());
    const { ring, backend } = context;
    const moduli = Array.from({ length: limbs }, (_, i) => i);
    const [a, b, c] = [0, 1, 2].map(() => ring.zero(moduli, "ntt"));
    const start = performance.now();
    let rounds = 0;
    while (performance.now() - start < 1000 * seconds) {
      ring.kernels.inverseNtt(a);
      ring.kernels.forwardNtt(a);
      for (let i = 0; i < 4; i++) ring.kernels.multiply(c, a, b);
      rounds++;
      endpoint.beat();
    }
    backend.dispose();
    return (1000 * rounds) / (performance.now() - start);
  },
});
