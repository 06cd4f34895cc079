/** Runs a task on several ranks at once, each in a thread of its own. */
import { Worker } from "node:worker_threads";
import { abandon, makeShared, type Shared, type SharedCommunicator } from "./shared-communicator.ts";

/** What a module of tasks exports: functions of a communicator and an argument. */
export type Task<A, R> = (communicator: SharedCommunicator, argument: A) => Promise<R>;

export interface RankStart {
  readonly rank: number;
  readonly size: number;
  readonly shared: Shared;
  readonly module: string;
  readonly task: string;
  readonly argument: unknown;
}

export type RankResult = { readonly value: unknown } | { readonly error: string };

/** Words of a rank's outbox: a polynomial of 128 limbs at N = 2^11 for 4 receivers. */
const outboxWords = 2 ** 20;

/**
 * Results by rank. Fails with what the first rank that failed said.
 *
 * @param module URL of a module that exports `task`
 */
export async function runRanks<A, R>(size: number, module: URL, task: string, argument: A): Promise<R[]> {
  const shared = makeShared(size, outboxWords);
  const failures: string[] = [];
  const results = await Promise.all(
    Array.from({ length: size }, async (_, rank) => {
      const start: RankStart = { rank, size, shared, module: module.href, task, argument };
      const worker = new Worker(new URL("./rank.ts", import.meta.url), { workerData: start });
      const result = await new Promise<RankResult>((resolve) => {
        worker.once("message", resolve);
        worker.once("error", (error: Error) => resolve({ error: String(error.stack) }));
      });
      if ("error" in result) {
        failures.push(`rank ${rank}: ${result.error}`);
        abandon(shared);
      }
      await worker.terminate();
      return "value" in result ? result.value : undefined;
    }),
  );
  if (failures.length > 0) throw new Error(failures[0]);
  return results as R[];
}
