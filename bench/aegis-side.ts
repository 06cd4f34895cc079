/** This library's side of the comparison: the presets `compute-13`, `compute-14`, `compute-15`. */
import {
  type Ciphertext,
  Context,
  Decryptor,
  Encoder,
  Encryptor,
  Evaluator,
  KeyGenerator,
  KeyStore,
  preset,
  rotationElement,
} from "../src/ckks/index.ts";
import { createBackend } from "../src/kernels/index.ts";
import { type Operation, operands, type Side } from "./sides.ts";

export async function aegisSide(logN: number): Promise<Side> {
  const backend = await createBackend("wasm");
  const context = new Context(preset(`compute-${logN}`).spec, backend);
  const { parameters } = context;
  const generator = new KeyGenerator(context);
  const secret = generator.secretKey();
  const keys = new KeyStore(context);
  keys.add(generator.relinearisationKey(secret));
  keys.add(generator.galoisKey(secret, rotationElement(1, parameters.degree)));
  const encoder = new Encoder(context);
  const encryptor = new Encryptor(context, generator.publicKey(secret));
  const withSecret = new Encryptor(context, secret);
  const decryptor = new Decryptor(context, secret);
  const evaluator = new Evaluator(context, keys);
  const [x, y] = operands(parameters.maximumSlots);
  const plain = encoder.encode(x);
  const factor = encoder.encode(y, { use: "product" });
  const a = encryptor.encrypt(plain);
  const b = encryptor.encrypt(encoder.encode(y));

  const ciphertexts: Record<Exclude<Operation, "encode" | "decrypt and decode">, () => Ciphertext> = {
    encrypt: () => encryptor.encrypt(plain),
    "encrypt with the secret key": () => withSecret.encrypt(plain),
    add: () => evaluator.add(a, b),
    "multiply-plain": () => evaluator.multiplyPlain(a, factor),
    "multiply, relinearise, rescale": () => evaluator.multiplyRescale(a, b),
    rotate: () => evaluator.rotate(a, 1),
  };
  return {
    name: "aegis",
    logQ: parameters.logQ,
    logQP: parameters.logQP,
    logScale: Math.log2(parameters.scale),
    levels: parameters.maximumLevel,
    run(operation) {
      if (operation === "encode") encoder.encode(x).dispose();
      else if (operation === "decrypt and decode") decryptor.decrypt(a);
      else ciphertexts[operation]().dispose();
    },
    result(operation) {
      if (operation === "encode") {
        using encoded = encoder.encode(x);
        return encoder.decode(encoded).real;
      }
      using result = operation === "decrypt and decode" ? a.clone() : ciphertexts[operation]();
      return decryptor.decrypt(result).real;
    },
    dispose: () => backend.dispose(),
  };
}
