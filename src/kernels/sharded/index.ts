/** One program on several devices, each with its share of every polynomial. */
export { shardedBackend } from "./backend.ts";
export { type CollectiveName, type Communicator, collectiveNames } from "./communicator.ts";
export { CountingCommunicator } from "./counting.ts";
export { type Exchanges, isSharded, noExchanges, type ShardedKernels } from "./exchanges.ts";
export { maximumRanks } from "./layout.ts";
export { Repeats } from "./repeats.ts";
export { checkRanks, type PrimeChain, placement, type Sharding, type ShardingName, shardingNames } from "./sharding.ts";
export { RankShare } from "./shares.ts";
