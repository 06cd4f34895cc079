/** A device in a thread of its own, with its own backend memory: the module that its worker runs. */

import { withPath } from "../../base/errors.ts";
import {
  type Ciphertext,
  type Context,
  gatherCiphertext,
  KeyStore,
  Parameters,
  scatterCiphertext,
  type WholeCiphertext,
} from "../../ckks/index.ts";
import { type Backend, openDevice } from "../../kernels/index.ts";
import type { Step } from "../../placement/index.ts";
import { weightsOf } from "../../transformer/index.ts";
import { CountingKeys, type KeyUses } from "../counting-keys.ts";
import type { Endpoint } from "../fabric/endpoint.ts";
import { type Device, serve } from "../threads/serve.ts";
import { boundaries } from "./boundaries.ts";
import { restoreState, saveState } from "./checkpoint-state.ts";
import { type Form, openEnvironments } from "./environments.ts";
import type { DeviceInput, DeviceMessage, DeviceResult, DeviceStart } from "./messages.ts";
import { Recorder } from "./recorder.ts";
import { Runner } from "./runner.ts";

const pulseMilliseconds = 2;
const beatMilliseconds = 500;

serve({ run: (input: DeviceInput, device: Device) => run(input, device) });

async function run(input: DeviceInput, { endpoint, data, post }: Device): Promise<DeviceResult> {
  const start = data as DeviceStart;
  endpoint.ledger.counting = false;
  const { device } = start;
  // Adapters take their time to open.
  const beating = setInterval(() => endpoint.beat(), beatMilliseconds);
  const inner = await openDevice(device, { maximumBytes: device.memoryBytes, threads: device.threads }).finally(() =>
    clearInterval(beating),
  );
  try {
    return await runOn(inner, input, start, endpoint, post);
  } finally {
    inner.dispose();
  }
}

async function runOn(
  inner: Backend,
  input: DeviceInput,
  start: DeviceStart,
  endpoint: Endpoint,
  post: Device["post"],
): Promise<DeviceResult> {
  const { program, plan } = start;
  const { ledger } = endpoint;
  const parameters = new Parameters(start.spec);
  let pulse = (): void => endpoint.beat();
  // Inside long operations: the device lives, and what is queued moves on.
  inner.onAllocate(paced(() => pulse()));
  const stores = new Map<Form, KeyStore>();
  // Keys come and go: what is used beside them is largest at some other moment than all together.
  let workBytes = 0;
  inner.onAllocate(() => {
    let used = inner.memory().used;
    for (const keys of stores.values()) used -= keys.residentBytes;
    if (used > workBytes) workBytes = used;
  });
  const counted: CountingKeys[] = [];
  const keysOf = (context: Context, form: Form): CountingKeys => {
    const { names, residentBytes } = start.keyUses.find((uses) => uses.form === form) ?? {
      names: [],
      residentBytes: 0,
    };
    const keys = new KeyStore(context, { residentBytes });
    for (const key of start.keys) keys.add(key);
    keys.expect(names);
    stores.set(form, keys);
    const counting = new CountingKeys(keys);
    counted.push(counting);
    return counting;
  };
  endpoint.beat();
  using environments = openEnvironments({ program, plan, parameters, backend: inner, endpoint, keys: keysOf });
  const runner = new Runner({
    program,
    plan,
    environment: environments.whole,
    constants: weightsOf(start.weights),
    endpoint,
    cuts: environments.cuts,
    releaseTransforms: start.releaseTransforms,
    recorder: start.recording ? new Recorder(start.began) : undefined,
  });
  pulse = (): void => runner.pulse();
  const stops = new Set(input.checkpoint === undefined ? [] : boundaries(program, plan));
  const first = input.resume?.step ?? 0;
  if (input.resume === undefined) {
    for (const [i, number] of input.numbers.entries())
      runner.give(
        number,
        scatterCiphertext(environments.context("whole"), input.ciphertexts[i] as (typeof input.ciphertexts)[number]),
      );
  } else await restoreState(runner, environments, input.resume.path);
  const setupSeconds = (performance.timeOrigin + performance.now() - start.began) / 1000;
  ledger.counting = true;
  for (let index = first; index < plan.steps.length; index++) {
    if (index > first && stops.has(index)) {
      runner.settle();
      ledger.counting = false;
      // The disk may take its time, and the device lives.
      const beating = setInterval(() => endpoint.beat(), beatMilliseconds);
      const saved = await saveState(runner, input.checkpoint as string, index, endpoint.rank).finally(() =>
        clearInterval(beating),
      );
      ledger.counting = true;
      post({ kind: "checkpoint", index, ...saved } satisfies DeviceMessage);
    }
    if (names(plan.steps[index] as Step, endpoint.rank)) post({ kind: "step", index } satisfies DeviceMessage);
    runner.step(index);
  }
  runner.settle();
  ledger.counting = false;
  const numbers: number[] = [];
  const output: WholeCiphertext[] = [];
  for (const { number, ciphertext, shared } of runner.takeOutput()) {
    // The first device puts shares together.
    const words = whole(ciphertext, program.output, shared ? 0 : endpoint.rank);
    if (shared && endpoint.rank !== 0) continue;
    numbers.push(number);
    output.push(words);
  }
  const { peak } = inner.memory();
  runner.dispose();
  return {
    numbers,
    output,
    setupSeconds,
    computeSeconds: runner.clock.compute,
    exposedSeconds: runner.clock.exposed,
    operations: Array.from(runner.clock.operations),
    peakBytes: peak,
    activationBytes: runner.activations.peak,
    workBytes,
    uses: sumOfUses(counted),
    sent: ledger.bytes,
    activities: runner.clock.recorder?.activities ?? [],
  };
}

/** Calls `body` at most once in {@link pulseMilliseconds}: polynomials are allocated thousands of times a second. */
function paced(body: () => void): () => void {
  let next = 0;
  return () => {
    const now = performance.now();
    if (now < next) return;
    next = now + pulseMilliseconds;
    body();
  };
}

/** The words of an output on device `root`, and its memory freed. */
function whole(ciphertext: Ciphertext, name: string, root: number) {
  using a = ciphertext;
  return withPath(name, () => gatherCiphertext(a, root));
}

function sumOfUses(keys: readonly CountingKeys[]): KeyUses {
  const sum = (pick: (uses: KeyUses) => number): number => keys.reduce((total, { uses }) => total + pick(uses), 0);
  return {
    keySwitches: sum(({ keySwitches }) => keySwitches),
    multiplications: sum(({ multiplications }) => multiplications),
    rotations: sum(({ rotations }) => rotations),
  };
}

/** Whether a step has work for a device. */
function names(step: Step, rank: number): boolean {
  if (step.kind === "compute") return step.parts[rank] !== null;
  return step.kind !== "transfer" || step.moves.some(({ from, to }) => from === rank || to.includes(rank));
}
