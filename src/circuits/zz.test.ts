import { describe, expect, it } from "vitest";
import { Context, Decryptor, Encoder, Encryptor, Evaluator, KeyGenerator, KeyStore, preset } from "../ckks/index.ts";
import { createBackend } from "../kernels/index.ts";
import { Bootstrapper } from "./bootstrapping/bootstrapper.ts";
import { bootstrappingKeys } from "./bootstrapping/keys.ts";
import { evaluateChebyshev } from "./polynomial.ts";

describe("boot", () => {
  it("wasm", async () => {
    const backend = await createBackend("wasm");
    const ctx = new Context({ ...preset("insecure-test").spec, logN: Number(process.env.LOGN ?? 11) }, backend);
    const kg = new KeyGenerator(ctx);
    const sk = kg.secretKey();
    const enc = new Encoder(ctx);
    const p = ctx.parameters;
    console.log(p.logQP, p.digits.map((d) => d.join("-")).join(" "), p.maximumLevel, p.primes.length);
    const keys = new KeyStore(ctx);
    const ev = new Evaluator(ctx, keys);
    const dec = new Decryptor(ctx, sk);
    const e = new Encryptor(ctx, sk);
    for (const slots of [p.maximumSlots, p.maximumSlots / 2]) {
      const b = new Bootstrapper(ctx, slots);
      let t = performance.now();
      for (const k of bootstrappingKeys(ctx, kg, sk, b.rotations())) keys.add(k);
      console.log(
        slots,
        "keys",
        b.rotations().length,
        performance.now() - t,
        b.bytes / 1e6,
        keys.memory().stored / 1e6,
      );
      const x = Float64Array.from({ length: slots }, (_, i) => Math.sin(i));
      const y = Float64Array.from({ length: slots }, (_, i) => Math.cos(i * i));
      const err = (c: any, f: (i: number) => [number, number]) => {
        const d = dec.decrypt(c);
        let m = 0,
          s = 0;
        for (let i = 0; i < slots; i++) {
          const [r, im] = f(i);
          const v = Math.max(Math.abs(d.real[i]! - r), Math.abs(d.imaginary[i]! - im));
          m = Math.max(m, v);
          s -= Math.log2(v) / slots;
        }
        return `worst ${Math.log2(m).toFixed(1)} mean ${s.toFixed(1)}`;
      };
      const a = e.encrypt(enc.encode({ real: x, imaginary: y }, { level: 1 }));
      console.log(
        "cheb",
        err(
          evaluateChebyshev(
            ev,
            e.encrypt(enc.encode(x, { level: 11 })),
            [0.1, 0.2, 0, 0.3, 0.5, 0, 0.1, 0, 0, 0, 0, 0.2],
          ),
          (i) => {
            const th = Math.acos(x[i]!);
            return [
              0.1 +
                0.2 * Math.cos(th) +
                0.3 * Math.cos(3 * th) +
                0.5 * Math.cos(4 * th) +
                0.1 * Math.cos(6 * th) +
                0.2 * Math.cos(11 * th),
              0,
            ];
          },
        ),
      );
      t = performance.now();
      const r = b.bootstrap(ev, a);
      console.log(
        slots,
        "boot ms",
        performance.now() - t,
        "level",
        r.level,
        "scale",
        Math.log2(r.scale),
        err(r, (i) => [x[i]!, y[i]!]),
      );
      const [u, v] = b.bootstrapPair(
        ev,
        e.encrypt(enc.encode(x, { level: 0 })),
        e.encrypt(enc.encode(y, { level: 0 })),
      );
      console.log(
        "pair",
        u.scale,
        err(u, (i) => [x[i]!, 0]),
        err(v, (i) => [y[i]!, 0]),
        backend.memory(),
      );
    }
    expect(1).toBe(1);
  }, 600000);
});
