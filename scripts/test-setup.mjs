/** Vitest global setup: the tests load the compiled kernels from dist. */
import { tryNative } from "./build-native.mjs";
import { ensureKernels } from "./kernels.mjs";
import { chooseSoftwareAdapter } from "./software-adapter.mjs";

export function setup() {
  chooseSoftwareAdapter();
  try {
    ensureKernels();
  } catch (error) {
    // Tests that do not need the kernels still run; those that do fail on the missing file.
    console.error(`kernels: ${error.message}`);
  }
  // Tests of native kernels are skipped where there are none, and say so.
  const { missing } = tryNative();
  if (missing !== undefined) console.error(`native kernels: ${missing}`);
}
