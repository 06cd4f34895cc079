/** What one rotation key of the bootstrapping parameters costs: to make, to page in, to store. */
import { Context, KeyGenerator, KeyStore, preset, rotationElement } from "../src/ckks/index.ts";
import { createBackend } from "../src/kernels/index.ts";
import { once } from "./measure.ts";

export interface KeyCosts {
  readonly preset: string;
  readonly logN: number;
  readonly logQP: number;
  readonly digits: number;
  /** Median milliseconds. */
  readonly generateMs: number;
  /** From ordinary memory into the backend's, with the expansion of the uniform half. */
  readonly loadMs: number;
  /** Bytes as stored: half of the key is a seed. */
  readonly bytes: number;
}

const repetitions = 7;

export async function benchKeys(report: (what: string) => void = () => {}): Promise<KeyCosts> {
  const name = "bootstrap-16";
  const backend = await createBackend("wasm");
  try {
    const context = new Context(preset(name).spec, backend);
    const { parameters } = context;
    const generator = new KeyGenerator(context);
    const secret = generator.secretKey();
    const generate: number[] = [];
    const load: number[] = [];
    for (let i = 1; i <= repetitions; i++) {
      report(`rotation key ${i} of ${repetitions}`);
      const made = once(() => generator.galoisKey(secret, rotationElement(i, parameters.degree)));
      using keys = new KeyStore(context);
      keys.add(made.result);
      generate.push(made.ms);
      load.push(once(() => keys.key(made.result.name, parameters.maximumLevel)).ms);
    }
    return {
      preset: name,
      logN: parameters.logN,
      logQP: parameters.logQP,
      digits: parameters.digits.length,
      generateMs: median(generate),
      loadMs: median(load),
      bytes: parameters.keyBytes(parameters.maximumLevel).compressed,
    };
  } finally {
    backend.dispose();
  }
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}
