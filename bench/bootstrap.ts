/** One bootstrapping of a full ciphertext at 128 bits, with its keys made in the same process. */
import { Bootstrapper } from "../src/circuits/bootstrapping/bootstrapper.ts";
import { bootstrappingKeys } from "../src/circuits/bootstrapping/keys.ts";
import {
  Context,
  Decryptor,
  Encoder,
  Encryptor,
  Evaluator,
  KeyGenerator,
  KeyStore,
  type PresetName,
  preset,
} from "../src/ckks/index.ts";
import { createBackend } from "../src/kernels/index.ts";
import { once } from "./measure.ts";

export interface BootstrapResult {
  readonly preset: string;
  readonly logN: number;
  readonly logQP: number;
  readonly slots: number;
  /** Seconds of one bootstrapping, keys and transforms in place; the fastest of the repetitions. */
  readonly seconds: number;
  /** −log2 of the error of a slot: mean over all slots, and the worst. */
  readonly meanBits: number;
  readonly minBits: number;
  /** Levels for use between two bootstrappings. */
  readonly levelsAfter: number;
  readonly keys: number;
  /** Bytes of the keys as they are stored. */
  readonly keyBytes: number;
  /** Seconds to make all keys, and to encode the transforms. */
  readonly keySeconds: number;
  readonly setupSeconds: number;
  /** Largest resident memory of the process so far. */
  readonly peakBytes: number;
}

/** @param report told what is being done */
export async function benchBootstrap(
  report: (what: string) => void = () => {},
  name: PresetName = "bootstrap-16",
  repetitions = 2,
): Promise<BootstrapResult> {
  const backend = await createBackend("wasm");
  try {
    const context = new Context(preset(name).spec, backend);
    const { parameters } = context;
    const slots = parameters.maximumSlots;
    report(`transforms of ${name}`);
    const { ms: setupMs, result: bootstrapper } = once(() => new Bootstrapper(context, slots));
    const generator = new KeyGenerator(context);
    const secret = generator.secretKey();
    const keys = new KeyStore(context, { residentBytes: 2.5 * 2 ** 30 }); // all of them
    const started = performance.now();
    for (const key of bootstrappingKeys(context, generator, secret, bootstrapper.rotations())) {
      keys.add(key);
      report(`${keys.list().length} keys of ${name}`);
    }
    const keySeconds = (performance.now() - started) / 1000;
    const encoder = new Encoder(context);
    const evaluator = new Evaluator(context, keys);
    const decryptor = new Decryptor(context, secret);
    const real = Float64Array.from({ length: slots }, (_, j) => Math.sin(1 + 7 * j));
    const imaginary = Float64Array.from({ length: slots }, (_, j) => Math.cos(3 * j));
    using plain = encoder.encode({ real, imaginary }, { level: bootstrapper.inputLevel });
    using exhausted = new Encryptor(context, secret).encrypt(plain);
    let seconds = Number.POSITIVE_INFINITY;
    let meanBits = 0;
    let minBits = Number.POSITIVE_INFINITY;
    let levelsAfter = 0;
    for (let repetition = 0; repetition < repetitions; repetition++) {
      report(`bootstrapping ${repetition + 1} of ${repetitions}`);
      const { ms, result } = once(() => bootstrapper.bootstrap(evaluator, exhausted));
      seconds = Math.min(seconds, ms / 1000);
      levelsAfter = result.level - bootstrapper.inputLevel;
      const decrypted = decryptor.decrypt(result);
      result.dispose();
      let sum = 0;
      let worst = 0;
      for (let j = 0; j < slots; j++) {
        const error = Math.hypot(
          (decrypted.real[j] as number) - (real[j] as number),
          (decrypted.imaginary[j] as number) - (imaginary[j] as number),
        );
        sum -= Math.log2(error);
        worst = Math.max(worst, error);
      }
      meanBits = sum / slots;
      minBits = Math.min(minBits, -Math.log2(worst));
    }
    return {
      preset: name,
      logN: parameters.logN,
      logQP: parameters.logQP,
      slots,
      seconds,
      meanBits,
      minBits,
      levelsAfter,
      keys: keys.list().length,
      keyBytes: keys.memory().stored,
      keySeconds,
      setupSeconds: setupMs / 1000,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    };
  } finally {
    backend.dispose();
  }
}
