/** A rotation in a ring of bootstrapping size, and a further one that shares its ModUp. */
import {
  Context,
  Encoder,
  Encryptor,
  Evaluator,
  KeyGenerator,
  KeyStore,
  type ParametersSpec,
  rotationElement,
} from "../src/ckks/index.ts";
import { createBackend } from "../src/kernels/index.ts";
import { measure } from "./measure.ts";

/** log Q 1180 in three digits: what published figures of native libraries are for. */
const spec: ParametersSpec = {
  name: "rotation-16",
  logN: 16,
  logBase: 87,
  logLevels: new Array<number>(19).fill(57.5),
  logSpecial: new Array<number>(14).fill(29),
  logScale: 50,
  secret: { kind: "ternary" },
};

export interface RotationResult {
  readonly logN: number;
  readonly logQ: number;
  readonly logQP: number;
  readonly digits: number;
  /** Median milliseconds of a rotation, key in place. */
  readonly rotateMs: number;
  /** Of a further rotation of the same ciphertext over QP, as linear transforms use it. */
  readonly hoistedMs: number;
  /** The same with a ModDown of its own. */
  readonly hoistedDownMs: number;
}

export async function benchRotation(report: (what: string) => void = () => {}): Promise<RotationResult> {
  const backend = await createBackend("wasm");
  try {
    report("rotation at N = 2^16");
    const context = new Context(spec, backend);
    const { parameters } = context;
    const generator = new KeyGenerator(context);
    using secret = generator.secretKey();
    using keys = new KeyStore(context);
    keys.add(generator.galoisKey(secret, rotationElement(1, parameters.degree)));
    const evaluator = new Evaluator(context, keys);
    using plain = new Encoder(context).encode([1, 2, 3, 4]);
    using a = new Encryptor(context, secret).encrypt(plain);
    using full = a.view({ slots: parameters.maximumSlots });
    using hoisted = evaluator.hoist(full);
    const [rotate, extended, down] = measure(
      [
        () => evaluator.rotate(full, 1).dispose(),
        () => evaluator.rotateExtended(hoisted, 1)[Symbol.dispose](),
        () => evaluator.rotateHoisted(hoisted, 1).dispose(),
      ],
      { rounds: 5, roundMs: 300 },
    ).map(({ median }) => median) as [number, number, number];
    return {
      logN: parameters.logN,
      logQ: parameters.logQ,
      logQP: parameters.logQP,
      digits: parameters.digits.length,
      rotateMs: rotate,
      hoistedMs: extended,
      hoistedDownMs: down,
    };
  } finally {
    backend.dispose();
  }
}

export function showRotation(result: RotationResult): string {
  return [
    `rotation at N = 2^${result.logN}, log Q = ${result.logQ.toFixed(0)}, ${result.digits} digits: ${result.rotateMs.toFixed(1)} ms`,
    `  a further one of the same ciphertext: ${result.hoistedMs.toFixed(1)} ms over QP (as transforms use it), ${result.hoistedDownMs.toFixed(1)} ms with its own ModDown`,
  ].join("\n");
}
