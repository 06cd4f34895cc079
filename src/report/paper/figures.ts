/** The drawings of the report on the paper. */
import * as Plot from "@observablehq/plot";
import { describeOperation, type Operation, type Program } from "../../program/index.ts";
import type { Played } from "../../simulator/index.ts";
import { figure } from "../drawing.ts";
import type { Figure } from "../svg.ts";
import type { PaperStudy } from "./study.ts";

const gibibyte = 2 ** 30;

/** Memory of GPUs that the paper or its readers have, in bytes. */
const capacities = [
  { name: "A100 40 GB", bytes: 40e9 },
  { name: "A6000 48 GB", bytes: 48e9 },
];

const memoryParts = ["keys", "ciphertexts", "workspace"] as const;

export function memoryFigure({ memory }: PaperStudy): Figure {
  const bars = memory.flatMap(({ tokens, devices, keys, activations, workspace }) => {
    const common = { tokens: String(tokens), devices: devices === 1 ? "one device" : `each of ${devices}` };
    return [
      { ...common, part: "keys", bytes: keys / gibibyte },
      { ...common, part: "ciphertexts", bytes: activations / gibibyte },
      { ...common, part: "workspace", bytes: workspace / gibibyte },
    ];
  });
  return figure({
    name: "memory",
    title: "Memory by what fills it, against the length of the text",
    description: "GiB of the fullest device; dashed lines are the memories of GPUs",
    legend: memoryParts,
    height: 320,
    marginLeft: 52,
    x: { domain: [...new Set(bars.map(({ tokens }) => tokens))], label: "tokens" },
    fx: { label: null, domain: [...new Set(bars.map(({ devices }) => devices))] },
    y: { label: "GiB", labelAnchor: "center", grid: true },
    marks: [
      Plot.barY(bars, { x: "tokens", y: "bytes", fx: "devices", fill: "part" }),
      Plot.ruleY(capacities, { y: ({ bytes }) => bytes / gibibyte, strokeDasharray: "4 3" }),
      Plot.text(capacities, {
        y: ({ bytes }) => bytes / gibibyte,
        text: "name",
        frameAnchor: "right",
        dy: -6,
        textAnchor: "end",
        fx: () => "one device",
      }),
      Plot.ruleY([0]),
    ],
  });
}

export function matrixFigure({ matrix }: PaperStudy): Figure {
  const bars = matrix.flatMap(({ strategy, compute, exposed }) => [
    { strategy, part: "computing", milliseconds: 1000 * compute },
    { strategy, part: "waiting for communication", milliseconds: 1000 * exposed },
  ]);
  return figure({
    name: "matrix-product",
    title: "One matrix product on two GPUs with NVLink, by strategy",
    description: "Milliseconds of the product after attention in the second layer, on the slower device",
    legend: ["computing", "waiting for communication"],
    height: 44 + 30 * matrix.length,
    marginLeft: 96,
    x: { label: "ms", grid: true },
    y: { domain: matrix.map(({ strategy }) => strategy), label: null },
    marks: [Plot.barX(bars, { y: "strategy", x: "milliseconds", fill: "part" }), Plot.ruleX([0])],
  });
}

export function bytesFigure({ strategies }: PaperStudy): Figure {
  const modules = ["feed-forward", "self-attention"] as const;
  const sending = strategies.filter(({ bytes }) => bytes.total > 0);
  const bars = sending
    .flatMap(({ strategy, bytes }) => [
      { strategy, module: modules[0] as string, gibibytes: bytes.feedForward / gibibyte },
      { strategy, module: modules[1] as string, gibibytes: bytes.selfAttention / gibibyte },
    ])
    .filter(({ gibibytes }) => gibibytes > 0);
  const sizes = bars.map(({ gibibytes }) => gibibytes);
  const least = 10 ** Math.floor(Math.log10(Math.min(...sizes)));
  const most = Math.max(...sizes);
  return figure({
    name: "bytes",
    title: "What travels, by strategy",
    description: "GiB that all four devices send for one text, on a logarithmic scale",
    legend: modules,
    height: 70 + 34 * sending.length,
    marginLeft: 104,
    x: { type: "log", label: "GiB", grid: true, domain: [least, 2.5 * most], tickFormat: "~s" },
    y: { axis: null, domain: [...modules] },
    fy: { domain: sending.map(({ strategy }) => strategy), label: null, axis: "left" },
    marks: [
      Plot.barX(bars, { fy: "strategy", y: "module", x1: least, x2: "gibibytes", fill: "module" }),
      Plot.text(bars, {
        fy: "strategy",
        y: "module",
        x: "gibibytes",
        text: ({ gibibytes }) => gibibytes.toFixed(gibibytes < 10 ? 2 : 0),
        textAnchor: "start",
        dx: 4,
      }),
    ],
  });
}

export function scalingFigure({ scaling, machines }: PaperStudy): Figure {
  const points = scaling.map(({ profile, comparison }) => ({ profile, ...comparison }));
  const most = Math.max(...points.map(({ devices }) => devices));
  return figure({
    name: "scaling",
    title: "Times one device, by number of devices",
    description:
      "The dashed line is as many times as there are devices; from nine devices on they are on several hosts",
    legend: machines.map(({ name }) => name),
    height: 340,
    marginLeft: 52,
    marginRight: 44,
    x: { type: "log", base: 2, label: "devices", tickFormat: "d" },
    y: { type: "log", base: 2, label: "times one device", labelAnchor: "center", grid: true, tickFormat: "d" },
    marks: [
      Plot.line(
        [1, most].map((n) => ({ n })),
        { x: "n", y: "n", strokeDasharray: "4 3" },
      ),
      Plot.line(points, { x: "devices", y: "speedup", stroke: "profile" }),
      Plot.dot(points, { x: "devices", y: "speedup", fill: "profile", r: 4 }),
      Plot.text(
        points.filter(({ devices, profile }) => devices > 1 && profile === machines.at(-1)?.name),
        { x: "devices", y: "speedup", text: ({ speedup }) => `${speedup.toFixed(2)}×`, dy: 14, dx: 12 },
      ),
    ],
  });
}

export function ablationFigure({ ablation }: PaperStudy): Figure {
  const bars = ablation.map(({ name, comparison }) => ({ name, seconds: comparison.seconds }));
  return figure({
    name: "ablation",
    title: "What each part of the design gains",
    description: "Seconds on four devices, each part added to those above it",
    height: 44 + 36 * bars.length,
    marginLeft: 130,
    marginRight: 50,
    x: { label: "s", grid: true },
    y: { domain: bars.map(({ name }) => name), label: null },
    marks: [
      Plot.barX(bars, { y: "name", x: "seconds", fill: "#0072b2" }),
      Plot.text(bars, {
        y: "name",
        x: "seconds",
        text: ({ seconds }) => `${seconds.toFixed(1)} s`,
        textAnchor: "start",
        dx: 4,
      }),
      Plot.ruleX([0]),
    ],
  });
}

/** Slices shorter than this share of what is shown are not drawn. */
const shortest = 1e-4;

/** What devices do in one layer: streams that compute and that send. */
export function timelineFigure(program: Program, { simulation }: Played, layer = "layer 1"): Figure {
  const { events, devices } = simulation;
  const mine = events.filter(({ operation }) => program.operations[operation]?.path[0] === layer);
  const from = Math.min(...mine.map(({ begin }) => begin));
  const to = Math.max(...mine.map(({ end }) => end));
  const kinds = ["computing", "collectives inside operations", "sending", "waiting"] as const;
  const bars: { stream: string; x1: number; x2: number; kind: string; title: string }[] = [];
  const free = new Float64Array(devices.length).fill(from);
  const add = (stream: string, begin: number, end: number, kind: (typeof kinds)[number], title: string): void => {
    if (end - begin > shortest * (to - from)) bars.push({ stream, x1: begin - from, x2: end - from, kind, title });
  };
  for (const { operation, stream, devices: who, begin, computed, end } of mine) {
    const title = describeOperation(program.operations[operation] as Operation);
    for (const device of who) {
      if (stream === "send") {
        add(`device ${device} sends`, begin, end, "sending", title);
        continue;
      }
      add(`device ${device}`, free[device] as number, begin, "waiting", `waiting for ${title}`);
      add(`device ${device}`, begin, computed, "computing", title);
      add(`device ${device}`, computed, end, "collectives inside operations", title);
      free[device] = end;
    }
  }
  const streams = devices.flatMap((_, device) => [`device ${device}`, `device ${device} sends`]);
  return figure({
    name: "timeline",
    title: "One layer on four devices",
    description:
      "Streams that compute and streams that send, over seconds; operations are named where one points at them",
    legend: kinds,
    width: 900,
    height: 70 + 26 * streams.length,
    marginLeft: 110,
    x: { label: "s", domain: [0, to - from], grid: true },
    y: { domain: streams, label: null },
    marks: [
      Plot.rectX(bars, { y: "stream", x1: "x1", x2: "x2", fill: "kind", title: "title", insetTop: 1, insetBottom: 1 }),
    ],
  });
}
