/**
 * The rival: node-seal, Microsoft SEAL compiled to WebAssembly, which is what a TypeScript user
 * takes today. Its chains have one 60-bit special prime, as its key switching requires; results
 * are written into reused objects, its fastest way.
 */
import { createRequire } from "node:module";
import SEAL from "node-seal";
import { type Operation, operands, type Side } from "./sides.ts";

// The types of node-seal are those of its ES module, what Node loads is its CommonJS one.
const load = SEAL as unknown as typeof SEAL.default;
const { version } = createRequire(import.meta.url)("node-seal/package.json") as { version: string };

/** Bits of the primes, special one last, and of the scale: the usual shapes at each size. */
const chains: Readonly<Record<number, { readonly bits: readonly number[]; readonly logScale: number }>> = {
  13: { bits: [60, 40, 40, 60], logScale: 40 },
  14: { bits: [...new Array<number>(9).fill(42), 60], logScale: 42 },
  15: { bits: [...new Array<number>(20).fill(41), 60], logScale: 41 },
};

export async function sealSide(logN: number): Promise<Side> {
  const seal = await load();
  const chain = chains[logN];
  if (chain === undefined) throw new Error(`no chain for N = 2^${logN}`);
  const degree = 2 ** logN;
  const parameters = seal.EncryptionParameters(seal.SchemeType.ckks);
  parameters.setPolyModulusDegree(degree);
  const primes = seal.CoeffModulus.Create(degree, Int32Array.from(chain.bits));
  const sizes = Array.from(primes.toArray() as ArrayLike<unknown>, (q) => Math.log2(Number(q)));
  parameters.setCoeffModulus(primes);
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128);
  if (!context.parametersSet()) throw new Error(`node-seal refuses its parameters at N = 2^${logN}`);
  const encoder = seal.CKKSEncoder(context);
  const generator = seal.KeyGenerator(context);
  const secret = generator.secretKey();
  const relinearisation = generator.createRelinKeys();
  const galois = generator.createGaloisKeys(Int32Array.of(1));
  const encryptor = seal.Encryptor(context, generator.createPublicKey(), secret);
  const decryptor = seal.Decryptor(context, secret);
  const evaluator = seal.Evaluator(context);
  const scale = 2 ** chain.logScale;
  const [x, y] = operands(degree / 2);
  const plain = seal.PlainText();
  const factor = seal.PlainText();
  const scratch = seal.PlainText();
  const [a, b, out] = [seal.CipherText(), seal.CipherText(), seal.CipherText()];
  encoder.encode(x, scale, plain);
  encoder.encode(y, scale, factor);
  encryptor.encrypt(plain, a);
  encryptor.encrypt(factor, b);

  const bodies: Record<Operation, () => void> = {
    encode: () => encoder.encode(x, scale, scratch),
    encrypt: () => encryptor.encrypt(plain, out),
    "encrypt with the secret key": () => encryptor.encryptSymmetric(plain, out),
    "decrypt and decode": () => {
      decryptor.decrypt(a, scratch);
      encoder.decode(scratch);
    },
    add: () => evaluator.add(a, b, out),
    "multiply-plain": () => evaluator.multiplyPlain(a, factor, out),
    "multiply, relinearise, rescale": () => {
      evaluator.multiply(a, b, out);
      evaluator.relinearize(out, relinearisation, out);
      evaluator.rescaleToNext(out, out);
    },
    rotate: () => evaluator.rotateVector(a, 1, galois, out),
  };
  const owned = [
    a,
    b,
    out,
    plain,
    factor,
    scratch,
    evaluator,
    decryptor,
    encryptor,
    galois,
    relinearisation,
    secret,
    generator,
    encoder,
  ];
  return {
    name: `node-seal ${version}`,
    logQ: sizes.slice(0, -1).reduce((sum, bits) => sum + bits, 0),
    logQP: sizes.reduce((sum, bits) => sum + bits, 0),
    logScale: chain.logScale,
    levels: chain.bits.length - 2,
    run: (operation) => bodies[operation](),
    result(operation) {
      bodies[operation]();
      if (operation === "encode") return encoder.decode(scratch);
      decryptor.decrypt(operation === "decrypt and decode" ? a : out, scratch);
      return encoder.decode(scratch);
    },
    dispose() {
      for (const object of owned) object.delete();
      context.delete();
      parameters.delete();
    },
  };
}
