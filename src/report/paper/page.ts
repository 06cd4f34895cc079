/** The report on the paper: every figure beside the paper's, and a sentence where they differ. */
import { formatCalibration, formatFigure, gibibytes, percent, seconds, type Unit } from "../format.ts";
import type { Page, Section, Table } from "../page.ts";
import type { Figure } from "../svg.ts";
import { aims, published } from "./published.ts";
import { bestCut, type PaperStudy, paperDevices } from "./study.ts";

/** A figure that the paper gives or that was aimed for, and what the simulator makes of it. */
export interface Headline {
  readonly what: string;
  readonly ours: number;
  readonly paper: number | null;
  /** What is to be reached; whether more or less is better follows from it. */
  readonly aim: number | null;
  readonly better: "more" | "less";
  readonly reached: boolean | null;
  readonly unit: Unit;
  /** Why it differs. */
  readonly because: string;
}

export function headlines(study: PaperStudy): Headline[] {
  const { strategies, fastest, paperStyle } = study;
  const of = (name: string) => strategies.find(({ strategy }) => strategy === name) as (typeof strategies)[number];
  const [aegis, tensor] = [of("aegis"), of("tensor")];
  const share = (module: "feedForward" | "selfAttention", rival: typeof aegis): number =>
    aegis.bytes[module] / rival.bytes[module];
  const headline = (one: Omit<Headline, "reached">): Headline => {
    const { ours, aim, better } = one;
    return { ...one, reached: aim === null ? null : better === "more" ? ours >= aim : ours <= aim };
  };
  const sends =
    "Plans that send little repeat rotations of what all devices read; the fastest plan sends more, and what a plan may lose in time to send less is a choice (--slack).";
  const rivals = {
    feedForward: bestCut(strategies, "feedForward"),
    selfAttention: bestCut(strategies, "selfAttention"),
  };
  const cutBytes = (module: "feedForward" | "selfAttention", name: string): Headline =>
    headline({
      what: `${name}: bytes beside the best design that cuts every ciphertext (${rivals[module].strategy})`,
      ours: share(module, rivals[module]),
      paper: 1 - (module === "feedForward" ? published.feedForwardReduction : published.selfAttentionReduction),
      aim: aims.bytesShare,
      better: "less",
      unit: "share",
      because:
        "The paper's rivals are its own ports of Cinnamon and Hydra; ours are planned here with the same costs, and few ciphertexts are bootstrapped, which is where cut ciphertexts send most.",
    });
  return [
    headline({
      what: "Efficiency on four devices",
      ours: aegis.efficiency,
      paper: published.efficiency,
      aim: aims.efficiency,
      better: "more",
      unit: "share",
      because: sends,
    }),
    headline({
      what: "Efficiency on four devices, fastest plan",
      ours: fastest.efficiency,
      paper: published.efficiency,
      aim: aims.efficiency,
      better: "more",
      unit: "share",
      because: `It sends ${gibibytes(fastest.bytes.feedForward)} for feed-forward and ${gibibytes(fastest.bytes.selfAttention)} for self-attention.`,
    }),
    headline({
      what: "Times one device, on four",
      ours: aegis.speedup,
      paper: published.speedup,
      aim: aims.speedup,
      better: "more",
      unit: "times",
      because: sends,
    }),
    headline({
      what: "Times one device, on four, fastest plan",
      ours: fastest.speedup,
      paper: published.speedup,
      aim: aims.speedup,
      better: "more",
      unit: "times",
      because: "",
    }),
    headline({
      what: "End to end on four A100 with 40 GB",
      ours: aegis.seconds,
      paper: published.seconds,
      aim: null,
      better: "less",
      unit: "seconds",
      because:
        "Another program and other kernels: no score is bootstrapped or normalised, weights lie in subrings, residues are words of 32 bits, and the kernels are forecast at the pace of the fastest that are published.",
    }),
    cutBytes("feedForward", "Feed-forward"),
    cutBytes("selfAttention", "Self-attention"),
    headline({
      what: "Feed-forward: bytes beside tensor",
      ours: share("feedForward", tensor),
      paper: null,
      aim: aims.tensorShare.feedForward,
      better: "less",
      unit: "share",
      because: "tensor gathers the results of every layer on every device.",
    }),
    headline({
      what: "Self-attention: bytes beside tensor",
      ours: share("selfAttention", tensor),
      paper: null,
      aim: aims.tensorShare.selfAttention,
      better: "less",
      unit: "share",
      because: "",
    }),
    headline({
      what: "Memory of a device, less than one device alone",
      ours: aegis.memoryReduction,
      paper: published.memoryReduction,
      aim: aims.memoryReduction,
      better: "more",
      unit: "share",
      because: `Keys (${gibibytes(aegis.memoryPerDevice.keys)}) are needed on every device and one device alone keeps little alive: without keys it is ${percent(aegis.workReduction)} less.`,
    }),
    ...(paperStyle === undefined
      ? []
      : [
          headline({
            what: "Memory of a device, absolute, against the schedule with dense weights and all scores alive",
            ours: aegis.memoryPerDevice.total,
            paper: null,
            aim: paperStyle.total,
            better: "less",
            unit: "bytes",
            because: `That schedule itself would have ${percent(paperStyle.reduction)} less on each of four devices than on one.`,
          }),
        ]),
  ];
}

/** What is drawn, in the order of the page. What draws takes long to load: only those who draw wait for it. */
export async function figuresOf(study: PaperStudy): Promise<Figure[]> {
  const figures = await import("./figures.ts");
  return [
    figures.memoryFigure(study),
    figures.matrixFigure(study),
    figures.bytesFigure(study),
    figures.scalingFigure(study),
    figures.ablationFigure(study),
    figures.timelineFigure(study.program, study.timeline),
  ];
}

export function pageOf(study: PaperStudy, drawn: readonly Figure[]): Page {
  const figure = (name: string): Figure[] => drawn.filter((one) => one.name === name);
  const reached = headlines(study).filter((one) => one.reached !== null);
  const count = reached.filter((one) => one.reached === true).length;
  return {
    title: "AEGIS, reproduced by simulation",
    lead: [
      `Encrypted BERT-Base on texts of up to ${study.program.length} tokens, spread over several GPUs: what this project's plans are forecast to take, beside what the AEGIS paper reports (${published.source}).`,
      `Nothing here was measured on a GPU. Plans are those that run on real devices; their kernels are forecast by a model that was fitted to published figures, and the last section says what it is worth. Of ${reached.length} aims ${count} are reached.`,
    ],
    sections: [
      summary(study),
      parametersSection(study),
      memorySection(study, figure("memory")),
      {
        title: "One matrix product on two GPUs",
        text: [
          "Where ciphertexts are cut, every rotation waits for the others; where they stay whole, devices work alone until results are exchanged.",
        ],
        figures: figure("matrix-product"),
        notes: [
          "The paper breaks the latency of one product down in the same way, without figures in its text. Its GPUs are the same, two RTX A6000 with NVLink.",
        ],
      },
      bytesSection(study, figure("bytes")),
      scalingSection(study, figure("scaling")),
      ablationSection(study, figure("ablation")),
      {
        title: "What devices do",
        text: ["The second layer on four A100: two streams a device, one that computes and one that sends."],
        figures: figure("timeline"),
        notes: ["aegis simulate --trace writes the whole of it for Perfetto, with the memory of every device."],
      },
      elsewhereSection(study),
      calibrationSection(study),
    ],
  };
}

/** BERT-Base with 128 tokens, as published: seconds of one inference. */
const elsewhere = [
  ["THOR (CCS 2025)", "A100", "602 to 626 s"],
  ["MOAI (ICLR 2026), 256 texts at once", "A100", "284 s for each"],
  ["Cerium (arXiv 2512.11269)", "B200", "28.3 s"],
  ["Cerium (arXiv 2512.11269)", "8 × B200", "8.8 s"],
] as const;

function elsewhereSection({ memory, machines }: PaperStudy): Section {
  const ours = memory.filter(({ tokens }) => tokens === 128);
  const { title } = machines.at(-1) as PaperStudy["machines"][number];
  const rows = ours.map((one) => ["here, simulated", `${one.devices} × ${title}`, seconds(one.seconds)]);
  return {
    title: "BERT-Base with 128 tokens elsewhere",
    text: ["Other programs, parameters and kernels: for orientation, not to calibrate with."],
    tables: [{ head: ["", "machine", "one inference"], rows: [...elsewhere, ...rows] }],
  };
}

function summary(study: PaperStudy): Section {
  const all = headlines(study);
  return {
    title: "In short",
    text: [],
    tables: [
      {
        head: ["", "here", "paper", "aim", ""],
        rows: all.map(({ what, ours, paper, aim, better, reached, unit }) => [
          what,
          formatFigure(ours, unit),
          paper === null ? "–" : formatFigure(paper, unit),
          aim === null ? "–" : `${better === "more" ? "≥" : "≤"} ${formatFigure(aim, unit)}`,
          reached === null ? "" : reached ? "reached" : "missed",
        ]),
      },
    ],
    notes: reasons(all),
  };
}

/** Each reason once, after all that it explains. */
function reasons(all: readonly Headline[]): string[] {
  const explained = new Map<string, string[]>();
  for (const { what, because } of all) {
    if (because === "") continue;
    const known = explained.get(because);
    if (known === undefined) explained.set(because, [what]);
    else known.push(what);
  }
  return [...explained].map(([because, whats]) => `${whats.join("; ")}. ${because}`);
}

function parametersSection({ parameters, program }: PaperStudy): Section {
  const { geometry } = program;
  const bootstrapping = parameters.maximumLevel - Math.max(...Object.values(program.tensors).map((t) => t.level ?? 0));
  const rows = [
    ["N", `2^${parameters.logN}`, `2^${published.parameters.logN}`],
    [
      "primes",
      `${parameters.primes.length - parameters.specialCount} and ${parameters.specialCount} special, words of 32 bits`,
      published.parameters.primes,
    ],
    ["log₂ QP", parameters.logQP.toFixed(0), "not given; 1747 is the limit for 128 bits"],
    ["levels that bootstrapping takes", String(bootstrapping), String(published.parameters.bootstrappingDepth)],
    ["security", "128 bits, uniform ternary secret", published.parameters.security],
    ["layout", `${geometry.blocks} × ${geometry.tokens} tokens of ${geometry.lanes} lanes`, "not given"],
  ];
  return {
    title: "Parameters",
    text: [],
    tables: [{ head: ["", "here", "paper"], rows }],
    notes: ["Words of 32 bits take about twice as many primes for the same bits; the bytes of a ciphertext are alike."],
  };
}

function memorySection({ memory, paperStyle }: PaperStudy, drawn: readonly Figure[]): Section {
  const rows = memory.map(({ tokens, devices, keys, activations, workspace, total, fits }) => [
    String(tokens),
    String(devices),
    ...[keys, activations, workspace, total].map(gibibytes),
    fits ? "" : "does not fit",
  ]);
  return {
    title: "Memory against the length of the text",
    text: [
      "Of the fullest device: evaluation keys, ciphertexts, and what operations work with (rotations, digits, sums, plaintexts).",
    ],
    figures: drawn,
    tables: [{ head: ["tokens", "devices", "keys", "ciphertexts", "workspace", "in all", ""], rows }],
    notes: [
      "Weights do not show: at 2048 tokens a plaintext has 32 coefficients, and is made when it is used.",
      ...(paperStyle === undefined
        ? []
        : [
            `With plaintexts for every slot and all scores of a layer alive, one of four devices would hold ${gibibytes(paperStyle.total)} (${gibibytes(paperStyle.activations)} of ciphertexts and, for one output ciphertext at a time, ${gibibytes(paperStyle.weights)} of plaintexts; those of all layers at once would be ${(paperStyle.allWeights / 1e12).toFixed(0)} TB).`,
          ]),
    ],
  };
}

function bytesSection({ strategies }: PaperStudy, drawn: readonly Figure[]): Section {
  const rows = strategies.map((one) => [
    one.strategy,
    seconds(one.seconds),
    `${one.speedup.toFixed(2)}×`,
    percent(one.exposedCommFraction),
    gibibytes(one.bytes.feedForward),
    gibibytes(one.bytes.selfAttention),
    gibibytes(one.memoryPerDevice.total),
  ]);
  const table: Table = {
    head: ["", "time", "times one", "waiting", "feed-forward", "self-attention", "memory"],
    rows,
  };
  return {
    title: `Strategies on ${paperDevices} × A100 with 40 GB`,
    text: ["Each is planned by the same planner, with the same kernels and the same overlap."],
    figures: drawn,
    tables: [table],
    notes: [
      "The paper: 57.9 % less in feed-forward and 81.3 % less in self-attention than the best of the earlier designs. limb-merged is a bound that favours its design; it cannot be run.",
    ],
  };
}

function scalingSection({ scaling }: PaperStudy, drawn: readonly Figure[]): Section {
  const rows = scaling.map(({ profile, comparison }) => [
    profile,
    String(comparison.devices),
    seconds(comparison.seconds),
    `${comparison.speedup.toFixed(2)}×`,
    percent(comparison.efficiency),
    gibibytes(comparison.memoryPerDevice.total),
    comparison.fits ? "" : "does not fit",
  ]);
  return {
    title: "Scaling",
    text: ["One text on 1 to 64 devices. The paper reports 3.86 times one device, 96.62 % of four, on A100."],
    figures: drawn,
    tables: [{ head: ["machine", "devices", "time", "times one", "efficiency", "memory", ""], rows }],
    notes: [
      "Hosts have eight devices; between hosts every device has one port of 200 Gb/s, a twelfth of NVLink, and one text has 48 ciphertexts of features: from 16 devices on communication decides.",
    ],
  };
}

function ablationSection({ ablation }: PaperStudy, drawn: readonly Figure[]): Section {
  const rows = ablation.map(({ name, comparison }) => [
    name,
    seconds(comparison.seconds),
    percent(comparison.exposedCommFraction),
    gibibytes(comparison.bytes.feedForward),
    gibibytes(comparison.bytes.selfAttention),
  ]);
  return {
    title: "What each part gains",
    text: [
      "Placement alone; ciphertexts computed and sent with the limbs that their readers need (slice reduction); communication beside computation (reordering); weights in subrings instead of with a coefficient for every slot.",
    ],
    figures: drawn,
    tables: [{ head: ["", "time", "waiting", "feed-forward", "self-attention"], rows }],
    notes: [
      "The paper's ablation ends with reordering. Every step is planned anew, so that one that makes sending cheaper may lead to a plan that sends more. Encoding dense plaintexts is not counted: they are taken as ready in memory, where those of all layers would not fit.",
    ],
  };
}

function calibrationSection({ calibration }: PaperStudy): Section {
  const rows = calibration.map((row) => {
    const { simulated, reference, error } = formatCalibration(row);
    return [row.what, simulated, reference, error, row.role, row.source];
  });
  return {
    title: "What the forecasts are worth",
    text: [
      "The simulator beside what others have published, and beside this project's own runs. Parameters were fitted to rows that say fit.",
    ],
    tables: [{ head: ["", "simulated", "reference", "error", "role", "source"], rows }],
  };
}
