import { readFileSync, existsSync, writeFileSync } from "node:fs";
import { loadCheckpoint, calibrationTexts, referenceForward, RangeRecorder, embed } from "../src/model/index.ts";
import { calibrate, parseCalibration, Twin } from "../src/transformer/index.ts";
import { compile } from "../src/transformer/compile.ts";
import { Environment } from "../src/transformer/operators/environment.ts";
import { executeOperation } from "../src/transformer/operators/execute.ts";
import { foldWeights } from "../src/transformer/weights.ts";
import { printProgram, describeOperation } from "../src/program/index.ts";
import { createBackend, NullBackend } from "../src/kernels/index.ts";
import { RecordingKeys } from "../src/transformer/costs.ts";
import { Context, Parameters, preset, KeyGenerator, KeyStore, Evaluator, Encoder, Encryptor, Decryptor, Ciphertext } from "../src/ckks/index.ts";
import { Bootstrapper, bootstrappingKeys } from "../src/circuits/index.ts";
const dir = "models/sentiment-bert-tiny";
const ck = await loadCheckpoint(dir);
let cal;
if (existsSync("/tmp/cal.json")) cal = parseCalibration(JSON.parse(readFileSync("/tmp/cal.json","utf8")), ck);
else { const texts = await calibrationTexts(dir); const rec = new RangeRecorder(); for (const s of texts) referenceForward(ck, ck.tokenizer.encode(s, {truncate:true}), { observe: rec.observe }); cal = calibrate(ck, rec.ranges(), { texts: texts.length, source: "train" }); writeFileSync("/tmp/cal.json", JSON.stringify(cal)); }
const times = { ntt: 0.29e-9, elementwise: 0.12e-9, product: 0.37e-9, scalarProduct: 0.25e-9, multiplySum: .4e-9, multiplySumPair: .5e-9, automorphism: .15e-9, convert: .16e-9, upload: 1e-9 };
const LOGN = Number(process.env.LOGN ?? 13);
const params = new Parameters({ ...preset(LOGN < 16 ? "insecure-test" : "bootstrap-16").spec, logN: LOGN } as any);
const text = process.argv[2] ?? "I love it";
const ids = ck.tokenizer.encode(text);
const len = ids.length; const T = 2**Math.ceil(Math.log2(len));
const geometry = LOGN < 16 ? { tokens: T, lanes: Number(process.env.LANES ?? 256), width: 128, heads: 2, headSize: 64 } : undefined;
let t = performance.now();
const { program, seconds } = compile(ck.config, cal, params, { length: len, times, ...(geometry ? { geometry } : {}) });
console.log('compile ms', performance.now() - t, 'expected', seconds.reduce((a,b)=>a+b,0), 'boots', program.operations.filter(o=>o.kind==='bootstrap').length);
console.log(program.operations.map((o,i)=>`${describeOperation(o)} ${o.inputs} -> ${o.outputs} @${o.level} ${seconds[i]!.toFixed(2)}`).join('\n'));
if (process.env.DRY) process.exit(0);
const slots = program.geometry.tokens * program.geometry.lanes;
const backend = await createBackend("wasm"); const ctx = new Context(params, backend);
t = performance.now(); const boot = new Bootstrapper(ctx, slots); console.log('bootstrapper ms', performance.now()-t, backend.memory());
// keys
const nb = new NullBackend(); const nctx = new Context(params, nb); const rk = new RecordingKeys(nctx);
const run = (ctx: Context, env: Environment, fake: boolean, keys?: any, dec?: Decryptor) => {
  const tensors = new Map<string, Ciphertext[]>();
  const twinVals = dec ? new Map<string, any>() : undefined; void twinVals;
  for (const op of program.operations) {
    if (op.kind === "input") { const tn = program.tensors[op.outputs[0]!]!; const lv = tn.level!;
      if (fake) { const m = params.moduli(lv); tensors.set(op.outputs[0]!, [new Ciphertext([ctx.ring.poly(m,"ntt"), ctx.ring.poly(m,"ntt")], lv, params.scale, slots)]); }
      else { const e = embed(ck, ids); const v = new Float64Array(slots); for (let tk=0;tk<program.geometry.tokens;tk++) for (let i=0;i<128;i++) v[tk*program.geometry.lanes+i] = e[(tk%len)*128+i]!/tn.norm; tensors.set(op.outputs[0]!, [keys.enc.encrypt(new Encoder(ctx).encode(v,{level:lv}))]); }
      continue; }
    if (op.kind === "output") continue;
    const t0 = performance.now();
    const res = executeOperation(env, program, op, op.inputs.map(n=>tensors.get(n)!), { weights: (o,i) => fake ? { rows: o.outputs[i]!.endsWith('inner') ? 512 : 128, columns: program.tensors[o.inputs[0]!]!.content === 'wide' ? 512 : 128, matrix: new Float64Array(512*512).fill(1), bias: new Float64Array(512) } : foldWeights(o.weights[i]!, ck) });
    op.outputs.forEach((n,i)=>tensors.set(n, res[i]!));
    if (!fake) { let m = 0; const d = dec!.decrypt(res[0]![0]!); for (const x of d.real) m = Math.max(m, Math.abs(x)); console.log(describeOperation(op), op.outputs.join(), 'lvl', res[0]![0]!.level, program.tensors[op.outputs[0]!]!.level, 'ms', (performance.now()-t0).toFixed(0), 'max', m.toFixed(4), 'mem', (backend.memory().used/1e6).toFixed(0));
      const i = program.operations.indexOf(op); for (const n of new Set(op.inputs)) if (!program.operations.slice(i+1).some(o=>o.inputs.includes(n))) { for (const c of tensors.get(n)!) c.dispose(); tensors.delete(n); } }
  }
  return tensors;
};
t = performance.now();
const nboot = new Bootstrapper(nctx, slots);
run(nctx, new Environment(new Evaluator(nctx, rk), program.geometry, len, nboot), true);
console.log('dry ms', performance.now()-t, 'keys', rk.levels.size, [...rk.levels.values()].reduce((s,l)=>s+params.keyBytes(l).expanded,0)/1e9, 'GB peak', nb.memory().peak/1e9);
const kg = new KeyGenerator(ctx); const sk = kg.secretKey(); const ks = new KeyStore(ctx);
t = performance.now();
for (const k of bootstrappingKeys(ctx, kg, sk, [])) if (k.name !== 'relinearisation') ks.add(k);
for (const [name, level] of rk.levels) { if (name === 'relinearisation') ks.add(kg.relinearisationKey(sk, level)); else if (name.startsWith('galois')) ks.add(kg.galoisKey(sk, Number(name.slice(7)), level)); }
console.log('keys ms', performance.now()-t, ks.memory());
const ev = new Evaluator(ctx, ks);
const dec = new Decryptor(ctx, sk);
t = performance.now();
const out = run(ctx, new Environment(ev, program.geometry, len, boot), false, { enc: new Encryptor(ctx, sk) }, dec);
console.log('inference ms', performance.now()-t);
const d = dec.decrypt(out.get(program.output)![0]!); const norm = program.tensors[program.output]!.norm;
console.log('logits', d.real[0]!*norm, d.real[1]!*norm, 'twin', new Twin(ck).run(program, embed(ck, ids)).logits, 'ref', referenceForward(ck, ids).logits, referenceForward(ck, ids).label, backend.memory());
console.log(process.memoryUsage());
