/**
 * Plans: modes are searched (or given by the strategy), expanded to steps, played and weighed. The
 * `aegis` strategy searches with rising prices of a byte and takes the plan that sends least among
 * those that are no slower than the other strategies on whole ciphertexts, and than cutting all of them
 * where that comes near.
 */
import { AegisError } from "../base/errors.ts";
import { integerIn } from "../base/validate.ts";
import type { Parameters } from "../ckks/index.ts";
import { checkRanks, type ShardingName } from "../kernels/index.ts";
import { type Operation, type Program, range } from "../program/index.ts";
import { defaultChunkBytes } from "../transformer/index.ts";
import type { ChunkSize } from "./chunking.ts";
import { expand } from "./expand.ts";
import { type DeviceMemory, leastMemory, planMemory } from "./memory.ts";
import { bytesOf, type ModuleName, moduleOf, type Plan, type Step } from "./plan.ts";
import type { Samples } from "./samples.ts";
import { Search } from "./search.ts";
import { isCut, type Mode, type StrategyName, shardingsOf } from "./strategies.ts";
import { type PlanCosts, playPlan, type Timeline } from "./timeline.ts";

/** Most devices of a plan. */
export const maximumDevices = 64;

/** How much longer than the fastest plan one may take that sends less, by default. */
export const defaultSlack = 0.06;

/**
 * What a plan that is a little slower may spare: bytes on their way, or memory of the fullest device. Links
 * between machines are scarce; between threads of one host bytes are copies, and all share its memory.
 */
export const spares = ["bytes", "memory"] as const;

export type Spare = (typeof spares)[number];

export const defaultSpare: Spare = "bytes";

/** What a device may work with is spared no further: of what one device alone would, so much more than an even share. */
const evenShare = 1.125;

/** Plans whose memory differs by less are told apart by what they send. */
const hardlyMore = 1.01;

/** Cutting all ciphertexts of a program is tried when it is expected to take less than this times the best. */
const near = 1.05;

/** How many plans are tried: plans for many devices take seconds each. */
interface Effort {
  /** How many that send less but take too long, for a part of the model and for some of the layers. */
  readonly mixtures: number;
  /** Prices of a byte to search with, in multiples of the time that a link takes for it. */
  readonly prices: readonly number[];
  /** Whether some layers may be lean and others fast. */
  readonly byLayer: boolean;
}

const thorough: Effort = { mixtures: 4, prices: [0.2, 0.5, 1, 2, 4, 8], byLayer: true };
const brief: Effort = { mixtures: 1, prices: [1], byLayer: false };

/** Operations times devices from which on the search is brief. */
const many = 20_000;

/** Seconds that a byte may cost not to be sent. */
type Prices = Readonly<Record<ModuleName, number>>;

const free: Prices = { feedForward: 0, selfAttention: 0, other: 0 };
const bytesAlone: Prices = { feedForward: 1, selfAttention: 1, other: 1 };

/** What a planner knows of the machine and the program besides the program itself. */
export interface PlanSetting {
  readonly parameters: Parameters;
  readonly samples: Samples;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput: number;
  readonly costs: PlanCosts;
  /** SHA-256 of the program. */
  readonly digest: string;
}

export interface PlanOptions {
  readonly devices: number;
  readonly strategy: StrategyName;
  /**
   * Whether transfers travel beside computing. By default they do, but where memory is spared plans without it are
   * candidates too: sums on their way take memory beside the next ones, which then are made in smaller chunks.
   */
  readonly overlap?: boolean | undefined;
  /** By what share of its time the fastest plan may be exceeded by one that spares something and is ahead of all rivals. */
  readonly slack?: number;
  /** What the slack is spent on; by default {@link defaultSpare}. */
  readonly spare?: Spare;
  /** Bytes of sums that an operation may work on at a time; by default what the memory allows. */
  readonly chunkBytes?: number;
  /** Memory of a device, or of each; plans that need more are taken only where none needs less. */
  readonly memoryBytes?: number | readonly number[];
}

/** A plan and what is expected of it. */
export interface Planned {
  readonly plan: Plan;
  readonly modes: readonly Mode[];
  readonly timeline: Timeline;
  readonly memory: readonly DeviceMemory[];
  readonly bytes: Readonly<Record<ModuleName | "total", number>>;
  /** Bytes of sums that an operation works on at a time. */
  readonly chunks: ChunkSize;
}

export function makePlan(program: Program, setting: PlanSetting, options: PlanOptions): Planned {
  const devices = integerIn("devices", options.devices, 1, maximumDevices);
  if (isCut(options.strategy))
    for (const name of shardingsOf(options.strategy)) checkRanks({ name, chain: setting.parameters }, devices);
  const planner = new Planner(program, setting, options);
  return planner.finish(
    options.strategy === "aegis" && devices > 1 ? planner.best() : planner.follow(options.strategy),
  );
}

/** The plan that given modes lead to. */
export function planWith(
  program: Program,
  setting: PlanSetting,
  options: PlanOptions,
  modes: readonly Mode[],
): Planned {
  const planner = new Planner(program, setting, options);
  return planner.finish(planner.with(options.strategy, modes));
}

/** A plan with its time and bytes. */
type Candidate = Omit<Planned, "memory">;

function least<T>(values: readonly T[], of: (value: T) => number): T {
  const sizes = values.map(of);
  return values[sizes.indexOf(Math.min(...sizes))] as T;
}

function bytesSent({ bytes }: Candidate): number {
  return bytes.total;
}

/** What is said of other numbers of devices is of no use for this one. */
function pacesOf({ paces }: PlanCosts, devices: number): readonly number[] | undefined {
  return paces?.length === devices ? paces : undefined;
}

/** Searches of one program, kept for all that is planned with one setting. */
const searches = new WeakMap<PlanSetting, Map<number, Search>>();

function searchOf(program: Program, setting: PlanSetting, devices: number): Search {
  const known = searches.get(setting) ?? new Map<number, Search>();
  searches.set(setting, known);
  const search = known.get(devices) ?? new Search(program, devices, pacesOf(setting.costs, devices));
  known.set(devices, search);
  return search;
}

/** Plans of one program for so many devices. */
class Planner {
  readonly #program: Program;
  readonly #setting: PlanSetting;
  readonly #options: PlanOptions;
  readonly #search: Search;
  readonly #effort: Effort;
  /** Chunk sizes to try, largest first. */
  #sizes: readonly ChunkSize[];
  readonly #memories = new WeakMap<Plan, readonly DeviceMemory[]>();
  /** What modes lead to, by modes and chunks. */
  readonly #expanded = new Map<string, Candidate>();
  #overlap: boolean;
  /** The sharding that any ciphertext may be cut by, if one comes near the best on its own. */
  #everywhere: readonly ShardingName[] = [];

  constructor(program: Program, setting: PlanSetting, options: PlanOptions) {
    this.#program = program;
    this.#setting = setting;
    this.#options = options;
    this.#search = searchOf(program, setting, options.devices);
    this.#effort = program.operations.length * options.devices < many ? thorough : brief;
    const sizes = chunkSizes(options);
    // No operation of the short layout is taken in chunks.
    this.#sizes = program.geometry.layout === "short" ? sizes.slice(0, 1) : sizes;
    this.#overlap = options.overlap ?? true;
  }

  /**
   * Of all plans that are no slower than any rival and hardly slower than the fastest, the one that
   * sends least, or that leaves the fullest device most memory.
   */
  best(): Candidate {
    const sizes = this.#sizes;
    // Rivals in the chunks that are fastest, whether they fit or not.
    this.#sizes = sizes.slice(0, 1);
    const rivals = (["megatron", "tensor", "data"] as const).map((strategy) => this.#rival(strategy));
    const { spare = defaultSpare } = this.#options;
    return spare === "memory" ? this.#roomiest(sizes, rivals) : this.#leanest(sizes, rivals);
  }

  /** A rival's plan. In brief, without what it sends needlessly: no slower, and quicker to make. */
  #rival(strategy: StrategyName): Candidate {
    if (this.#effort === thorough) return this.follow(strategy);
    return this.#fitting("aegis", (chunks) => this.#modes(strategy, chunks));
  }

  /** Of the largest chunks with which it fits, the plan that sends least. */
  #leanest(sizes: readonly ChunkSize[], rivals: readonly Candidate[]): Candidate {
    let tightest: Candidate | undefined;
    for (const size of sizes) {
      const fast = this.#fastest(size);
      const best = this.#leaner(fast, rivals);
      if (this.#fits(best)) return best;
      if (this.#fits(fast)) return fast;
      tightest = best;
    }
    return tightest as Candidate;
  }

  /** Of chunks of any size, the fastest plan whose fullest device works with an even share; if there is none, with least. */
  #roomiest(sizes: readonly ChunkSize[], rivals: readonly Candidate[]): Candidate {
    const found: Candidate[] = [];
    let rival = Number.POSITIVE_INFINITY;
    let before: Candidate | undefined;
    // Smaller chunks of scores are slower still.
    const slow = new Set<number>();
    for (const size of sizes) {
      if (slow.has(size.chunkBytes)) continue;
      const fast = this.#fastest(size);
      // All of it was in one chunk already.
      if (fast.timeline.seconds === before?.timeline.seconds && fast.plan.steps.length === before.plan.steps.length)
        continue;
      before = fast;
      const fitting = found.filter((candidate) => this.#fits(candidate));
      if (fitting.length > 0 && fast.timeline.seconds > this.#limit(found, rival)) {
        slow.add(size.chunkBytes);
        continue;
      }
      const variants = this.#variants(fast, rivals);
      found.push(...variants.candidates);
      rival = Math.min(rival, variants.rival);
    }
    const roomiest = this.#roomiestOf(found, rival);
    if (this.#options.overlap !== undefined) return roomiest;
    this.#overlap = false;
    for (const size of sizes) {
      this.#sizes = [size];
      found.push(this.with("aegis", roomiest.modes));
    }
    return this.#roomiestOf(found, rival);
  }

  /** Of candidates, the fastest whose fullest device works with an even share; if there is none, one with least. */
  #roomiestOf(found: readonly Candidate[], rival: number): Candidate {
    const limit = this.#limit(found, rival);
    const fitting = found.filter((candidate) => this.#fits(candidate));
    const possible = fitting.filter(({ timeline }) => timeline.seconds <= limit);
    const even = this.#evenBytes();
    const shared = possible.filter((candidate) => this.#workBytes(candidate) <= even);
    if (shared.length > 0) return least(shared, ({ timeline }) => timeline.seconds);
    if (possible.length > 0) {
      const smallest = Math.min(...possible.map((candidate) => this.#workBytes(candidate)));
      // What is sent is waited for sooner or later: it decides where memory does not.
      return least(
        possible.filter((candidate) => this.#workBytes(candidate) <= hardlyMore * smallest),
        bytesSent,
      );
    }
    if (fitting.length > 0) return least(fitting, ({ timeline }) => timeline.seconds);
    return least(found, (candidate) => this.#workBytes(candidate));
  }

  /** The fastest plan in chunks of one size. */
  #fastest(size: ChunkSize): Candidate {
    this.#sizes = [size];
    this.#everywhere = [];
    return this.follow("aegis");
  }

  /** Seconds that a plan may take among others: hardly more than the fastest, and no more than a rival. */
  #limit(candidates: readonly Candidate[], rival: number): number {
    const { slack = defaultSlack } = this.#options;
    const fastest = Math.min(...candidates.map(({ timeline }) => timeline.seconds));
    return Math.max(fastest, Math.min(rival, fastest * (1 + slack)));
  }

  /** Plans in the same chunks as the fastest, and the time of the best among those that it has to be ahead of. */
  #variants(fast: Candidate, rivals: readonly Candidate[]): { candidates: Candidate[]; rival: number } {
    // Rivals' modes without what they send needlessly are candidates too.
    const others = new Map(rivals.map(({ modes }) => [modes.join(), modes]));
    const nearest = this.#nearCut(fast);
    if (nearest !== undefined) this.#everywhere = [nearest];
    const cuts = this.#everywhere.map((sharding) => {
      const modes = this.#program.operations.map(
        ({ kind }): Mode => (kind === "input" || kind === "output" ? "replicated" : sharding),
      );
      return this.with("aegis", modes);
    });
    const candidates = [fast, ...cuts, ...[...others.values()].map((modes) => this.with("aegis", modes))];
    if (cuts.length > 0) candidates.push(this.follow("aegis"));
    const rival = Math.min(...[...rivals, ...cuts].map(({ timeline }) => timeline.seconds));
    // Bytes as dear as time allows; dearer ones only make plans slower.
    const { bytesPerSecond } = this.#setting.costs.link;
    for (const price of this.#effort.prices) {
      const perByte = price / bytesPerSecond;
      const dear = { feedForward: perByte, selfAttention: perByte, other: perByte };
      const candidate = this.#fitting("aegis", (chunks) => this.#modes("aegis", chunks, dear));
      candidates.push(candidate);
      if (candidate.timeline.seconds > this.#limit(candidates, rival)) break;
    }
    return { candidates, rival };
  }

  /** In the same chunks as the fastest plan, the one that sends least in time: of its variants, and of mixtures of them. */
  #leaner(fast: Candidate, rivals: readonly Candidate[]): Candidate {
    const { candidates, rival } = this.#variants(fast, rivals);
    const most = this.#limit(candidates, rival);
    const possible = candidates.filter(({ timeline }) => timeline.seconds <= most);
    const exchanged = this.#exchanged(least(possible, bytesSent), candidates, most);
    if (!this.#effort.byLayer) return exchanged;
    const leaner = candidates
      .filter(({ bytes }) => bytes.total < exchanged.bytes.total)
      .sort((a, b) => b.bytes.total - a.bytes.total);
    const mixed = leaner.slice(0, this.#effort.mixtures).flatMap((lean) => this.#between(lean, exchanged, most));
    return least([exchanged, ...mixed], bytesSent);
  }

  /** Feed-forward or self-attention as another plan has it, where that sends less in time. All that is tried is a candidate. */
  #exchanged(base: Candidate, candidates: Candidate[], limit: number): Candidate {
    const { operations } = this.#program;
    let best = base;
    for (const name of ["selfAttention", "feedForward"] as const) {
      const others = candidates
        .filter(({ bytes }) => bytes[name] < best.bytes[name])
        .sort((a, b) => a.bytes[name] - b.bytes[name]);
      for (const other of others.slice(-this.#effort.mixtures)) {
        const modes = best.modes.map((mode, i) =>
          moduleOf((operations[i] as Operation).path) === name ? (other.modes[i] as Mode) : mode,
        );
        const candidate = this.#fitting("aegis", () => modes);
        candidates.push(candidate);
        if (candidate.timeline.seconds > limit || candidate.bytes.total >= best.bytes.total) continue;
        best = candidate;
        break;
      }
    }
    return best;
  }

  /** The sharding under which the whole program comes nearest to the fastest plan, or ahead of it; undefined if none is near. */
  #nearCut({ timeline, chunks }: Candidate): ShardingName | undefined {
    const { devices } = this.#options;
    const options = this.#searchOptions("aegis", chunks, free);
    let limit = near * timeline.seconds;
    let nearest: ShardingName | undefined;
    const possible = cutting.filter((sharding) => canCut(sharding, this.#setting.parameters, devices));
    for (const sharding of possible) {
      // Distributed coefficients, which come last and take longest to weigh, are no faster than limbs anywhere.
      if (sharding === "coefficient" && possible.length > 1 && nearest === undefined) continue;
      const seconds = this.#search.cutSeconds(sharding, limit, options);
      if (seconds === undefined) continue;
      nearest = sharding;
      limit = seconds;
    }
    return nearest;
  }

  /** Plans that are lean up to some layer and fast from there on: layers are alike, so prices move all of them at once. */
  #between(lean: Candidate, fast: Candidate, limit: number): Candidate[] {
    const { operations } = this.#program;
    const layers = range(operations.length).filter(
      (i) => i > 0 && operations[i]?.path[0] !== operations[i - 1]?.path[0],
    );
    const found: Candidate[] = [];
    const { seconds: most } = lean.timeline;
    const { seconds: fewest } = fast.timeline;
    let [low, high] = [-1, layers.length];
    // Layers are alike, so that time grows evenly with those that are lean.
    const share = most > fewest ? (limit - fewest) / (most - fewest) : 1;
    let middle = Math.floor(share * layers.length) - 1;
    while (high - low > 1) {
      middle = Math.min(Math.max(middle, low + 1), high - 1);
      const from = layers[middle] as number;
      const modes = [...lean.modes.slice(0, from), ...fast.modes.slice(from)];
      const candidate = this.#fitting("aegis", () => modes);
      if (candidate.timeline.seconds <= limit) {
        found.push(candidate);
        low = middle++;
      } else high = middle--;
    }
    return found;
  }

  /** The plan of a strategy's fastest modes. */
  follow(strategy: StrategyName): Candidate {
    return this.#fitting(strategy, (chunks) => this.#modes(strategy, chunks));
  }

  /** The plan that given modes lead to. */
  with(strategy: StrategyName, modes: readonly Mode[]): Candidate {
    return this.#fitting(strategy, () => modes);
  }

  finish(candidate: Candidate): Planned {
    return { ...candidate, memory: this.#memory(candidate) };
  }

  /**
   * The plan with the largest chunks that the memory has room for, beside keys that are paged: chunks
   * rotate operands anew, which costs more than paging. What does not fit in the smallest chunks does
   * not fit at all.
   */
  #fitting(strategy: StrategyName, modesOf: (chunks: ChunkSize) => readonly Mode[]): Candidate {
    let candidate: Candidate | undefined;
    for (const chunks of this.#sizes) {
      candidate = this.#expand(strategy, modesOf(chunks), chunks);
      if (this.#sizes.length === 1 || this.#fits(candidate)) break;
    }
    return candidate as Candidate;
  }

  #fits(candidate: Candidate): boolean {
    const { memoryBytes = Number.POSITIVE_INFINITY } = this.#options;
    const of = (device: number): number =>
      typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[device] ?? Number.POSITIVE_INFINITY);
    return this.#memory(candidate).every((memory, device) => leastMemory(memory) <= of(device));
  }

  /** Bytes of ciphertexts and workspace on the fullest device. */
  #workBytes(candidate: Candidate): number {
    return Math.max(...this.#memory(candidate).map(({ activations, workspace }) => activations + workspace));
  }

  /** An even share of what one device alone would work with. */
  #evenBytes(): number {
    const alone = makePlan(this.#program, this.#setting, { ...this.#options, devices: 1 });
    const [{ activations, workspace }] = alone.memory as [DeviceMemory];
    return (evenShare * (activations + workspace)) / this.#options.devices;
  }

  #memory(candidate: Candidate): readonly DeviceMemory[] {
    const { parameters, samples } = this.#setting;
    let memory = this.#memories.get(candidate.plan);
    if (memory === undefined) {
      memory = planMemory(this.#program, candidate.plan, parameters, samples);
      this.#memories.set(candidate.plan, memory);
    }
    return memory;
  }

  #expand(strategy: StrategyName, modes: readonly Mode[], chunks: ChunkSize): Candidate {
    const { devices } = this.#options;
    const overlap = this.#overlap;
    const { parameters: ring, bootstrapInput, costs } = this.#setting;
    const everywhere = strategy === "tensor";
    const key = `${modes.join()} ${chunks.chunkBytes} ${chunks.scoreBytes ?? ""} ${everywhere} ${overlap}`;
    const known = this.#expanded.get(key);
    if (known?.plan.strategy === strategy) return known;
    if (known !== undefined) return { ...known, plan: { ...known.plan, strategy } };
    const options = { devices, overlap, ring, bootstrapInput, ...chunks, everywhere, costs };
    const steps = expand(this.#program, modes, options, this.#search.sharing);
    const weighed = weigh(this.#program, this.#setting, { devices, strategy, overlap }, modes, steps);
    const candidate = { ...weighed, chunks };
    this.#expanded.set(key, candidate);
    return candidate;
  }

  #modes(strategy: StrategyName, chunks: ChunkSize, prices: Prices = free): readonly Mode[] {
    const memoryBytes = smallest(this.#options.memoryBytes);
    const options = this.#searchOptions(strategy, chunks, prices);
    if (memoryBytes === undefined) return this.#search.run(options).modes;
    try {
      return this.#search.run({ ...options, heldBytes: memoryBytes }).modes;
    } catch (error) {
      // Whoever asked says what fills the memory.
      if (error instanceof AegisError && error.code === "plan") return this.#search.run(options).modes;
      throw error;
    }
  }

  #searchOptions(strategy: StrategyName, chunks: ChunkSize, prices: Prices) {
    const { devices } = this.#options;
    const { parameters: ring, bootstrapInput, costs } = this.#setting;
    return {
      devices,
      strategy,
      overlap: this.#overlap,
      ring,
      ...chunks,
      bootstrapInput,
      costs,
      // Where ciphertexts are few throughout, one sharding is found first.
      shardings: this.#program.geometry.layout === "short" ? this.#everywhere : shardingsFor(ring, devices),
      everywhere: this.#everywhere,
      // A bound on bytes is what that strategy stands for.
      prices: strategy === "limb-merged" ? bytesAlone : prices,
    };
  }
}

/**
 * Shardings that `aegis` may use: results are the same to the last bit as on whole ciphertexts, which those
 * of output aggregation are not.
 */
const cutting: readonly ShardingName[] = ["limb", "limb-ib", "coefficient"];
/** Those among them for single operations: one sends less, the other is faster. */
const where: readonly ShardingName[] = ["limb", "limb-ib"];

/** Shardings that single operations of `aegis` may take on so many devices. */
export function shardingsFor(parameters: Parameters, devices: number): ShardingName[] {
  return where.filter((name) => canCut(name, parameters, devices));
}

function canCut(name: ShardingName, chain: Parameters, devices: number): boolean {
  try {
    checkRanks({ name, chain }, devices);
    return true;
  } catch {
    return false;
  }
}

/** Memory of the device that has least. */
function smallest(memory: PlanOptions["memoryBytes"]): number | undefined {
  return memory === undefined || typeof memory === "number" ? memory : Math.min(...memory);
}

/** Chunk sizes to try, largest first. */
function chunkSizes({ chunkBytes, memoryBytes: memory, spare = defaultSpare }: PlanOptions): ChunkSize[] {
  const memoryBytes = smallest(memory);
  if (chunkBytes !== undefined) return [{ chunkBytes }];
  if (memoryBytes === undefined) return [{ chunkBytes: defaultChunkBytes }];
  const sizes = [4, 16, 32, 64].map((part) => memoryBytes / part).concat(defaultChunkBytes);
  const descending = [...new Set(sizes.filter((size) => size <= memoryBytes / 4))].sort((a, b) => b - a);
  if (spare === "bytes") return descending.map((chunkBytes) => ({ chunkBytes }));
  return descending.flatMap((chunkBytes) =>
    [1, 2, 4, 8, 16].map((part) => ({ chunkBytes, scoreBytes: chunkBytes / part })),
  );
}

function weigh(
  program: Program,
  { digest, costs }: PlanSetting,
  fields: { devices: number; strategy: StrategyName; overlap: boolean },
  modes: readonly Mode[],
  steps: readonly Step[],
): Omit<Candidate, "chunks"> {
  const plan: Plan = { format: 1, ...fields, program: digest, preset: program.preset, steps };
  return { plan, modes, timeline: playPlan(program, plan, costs), bytes: planBytes(program, plan) };
}

/** Bytes that all devices send, by module. */
export function planBytes(program: Program, plan: Plan): Record<ModuleName | "total", number> {
  const bytes = { total: 0, feedForward: 0, selfAttention: 0, other: 0 };
  for (const step of plan.steps) {
    const sent = bytesOf(step);
    bytes[moduleOf((program.operations[step.operation] as Operation).path)] += sent;
    bytes.total += sent;
  }
  return bytes;
}
