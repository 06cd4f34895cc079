/** Bootstrapping on a WebGPU adapter; software adapters take a minute for it. */
import { expect, test } from "vitest";
import { Bootstrapper, bootstrappingKeys } from "../../src/circuits/index.ts";
import { Context, preset } from "../../src/ckks/index.ts";
import { type Backend, createWasmBackend } from "../../src/kernels/index.ts";
import { Fixture, randomVector, wordsOf } from "../support/ckks.ts";
import { webgpuForTests } from "./support.ts";

function bootstrapped(backend: Backend): number[][] {
  const f = new Fixture(new Context(preset("insecure-test").spec, backend), 5);
  const bootstrapper = new Bootstrapper(f.context, 16);
  for (const key of bootstrappingKeys(f.context, f.generator, f.secret, bootstrapper.rotations())) f.keys.add(key);
  return wordsOf(bootstrapper.bootstrap(f.evaluator, f.encrypt(randomVector(16, 3), bootstrapper.inputLevel)));
}

const webgpu = await webgpuForTests(2 ** 25);
if (typeof webgpu === "string") test.skip(`webgpu: ${webgpu}`, () => undefined);
else {
  test("bootstrapping on an adapter gives the bytes of the CPU", { timeout: 600_000 }, async () => {
    const wasm = await createWasmBackend();
    expect(bootstrapped(webgpu)).toEqual(bootstrapped(wasm));
    wasm.dispose();
    webgpu.dispose();
  });
}
