/** `aegis run` on a WebGPU adapter: the digest of the WebAssembly kernels. Minutes on a software adapter. */
import { afterAll, expect, test } from "vitest";
import { buildDist } from "../support/build.ts";
import { aegis, Folders } from "./support.ts";

await buildDist();
const folders = new Folders();
afterAll(() => folders[Symbol.dispose]());

const environment = {
  VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? "",
  LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH ?? "",
};
const listing = await aegis(["devices", "--json"], environment);
const here = (JSON.parse(listing.stdout) as { kind: string }[]).some(({ kind }) => kind === "webgpu");

(here ? test : test.skip)(
  `the same ciphertexts${here ? "" : " (skipped: no WebGPU adapter is here)"}`,
  async () => {
    const model = folders.model();
    const fixed = ["run", "--model", model, "--text", "good film", "--preset", "insecure-test", "--insecure-seed", "1"];
    const digests: string[] = [];
    for (const device of ["wasm", "webgpu"]) {
      const { code, stdout } = await aegis([...fixed, "--json", "--device", device], environment);
      expect(code).toBe(0);
      digests.push((JSON.parse(stdout) as { outputDigest: string }).outputDigest);
    }
    expect(digests[1]).toBe(digests[0]);
  },
  600_000,
);
