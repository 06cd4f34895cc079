/** The whole product: an encrypted inference of the sentiment model at 128 bits, start to label. */
import { type InferenceReport, infer } from "../src/cli/inference.ts";

const model = "models/sentiment-bert-tiny";
/** 20 tokens: rows for 32. */
const text = "I really loved the warm and friendly service, what a wonderful place to have dinner with friends.";

export type BertResult = Pick<
  InferenceReport,
  "model" | "tokens" | "label" | "maxError" | "security" | "seconds" | "counts" | "memory"
> & {
  readonly agrees: boolean;
};

export async function benchBert(progress: (what: string) => void): Promise<BertResult> {
  progress("encrypted inference");
  const report = await infer({ model, preset: "bootstrap-16" }, text);
  const { tokens, label, maxError, security, seconds, counts, memory } = report;
  return {
    model,
    tokens,
    label,
    agrees: label === report.reference.label,
    maxError,
    security,
    seconds,
    counts,
    memory,
  };
}

export function showBert(result: BertResult): string {
  const { seconds, counts, memory } = result;
  return [
    `encrypted ${result.model}, ${result.tokens} tokens: ${seconds.total.toFixed(1)} s from start to label`,
    `  keys ${seconds.keys.toFixed(1)} s, inference ${seconds.inference.toFixed(1)} s (forecast ${seconds.expectedInference.toFixed(1)} s), ${counts.bootstraps} bootstraps, ${counts.keySwitches} key switches`,
    `  ${(memory.peakBytes / 2 ** 30).toFixed(2)} GiB at most, label ${result.agrees ? "equals" : "DIFFERS FROM"} the plain model's, largest error of a logit ${result.maxError.toExponential(1)}`,
  ].join("\n");
}
