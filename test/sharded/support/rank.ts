/** The thread of one rank, see `ranks.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import type { RankResult, RankStart, Task } from "./ranks.ts";
import { SharedCommunicator } from "./shared-communicator.ts";

const { rank, size, shared, module, task, argument } = workerData as RankStart;
let result: RankResult;
try {
  const tasks = (await import(module)) as Record<string, Task<unknown, unknown>>;
  result = { value: await tasks[task](new SharedCommunicator(rank, size, shared), argument) };
} catch (error) {
  result = { error: String((error as Error).stack) };
}
parentPort?.postMessage(result);
