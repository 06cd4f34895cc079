/**
 * Draws docs/architecture.svg from the imports of src: one row per layer, highest first, and one lane
 * per imported layer, with a dot in the row of each importer. `--check` only compares.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./files.mjs";
import { contents, importGraph, layerOf, ranks } from "./imports.mjs";

const output = "docs/architecture.svg";
const rowHeight = 40;
const boxHeight = 30;
const boxWidth = 500;
const nameWidth = 120;
const laneWidth = 20;
const margin = 20;

/** Map from a layer to the set of layers that its shipped files import; layers without files are left out. */
function layerImports() {
  const imports = new Map();
  for (const { source, dependencies } of importGraph().modules) {
    const layer = layerOf(source);
    if (layer === undefined || source.endsWith(".test.ts")) continue;
    if (!imports.has(layer)) imports.set(layer, new Set());
    for (const { resolved } of dependencies) {
      const target = layerOf(resolved);
      if (target !== undefined && target !== layer) imports.get(layer).add(target);
    }
  }
  return imports;
}

const style = `
    text { font: 14px system-ui, sans-serif; fill: #24292f; }
    .name { font: 600 14px ui-monospace, monospace; }
    .note { font-size: 12px; fill: #57606a; }
    rect { fill: #f6f8fa; stroke: #8c959f; }
    path { fill: none; stroke: #8c959f; stroke-width: 1.2; }
    circle, .head { fill: #0969da; stroke: none; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .note { fill: #9198a1; }
      rect { fill: #161b22; stroke: #656c76; }
      path { stroke: #656c76; }
      circle, .head { fill: #58a6ff; }
    }`;

function draw(imports) {
  const rows = ranks
    .flat()
    .filter((name) => imports.has(name))
    .reverse();
  const importersOf = (name) => rows.filter((row) => imports.get(row).has(name));
  const lanes = rows.filter((name) => importersOf(name).length > 0);
  const right = margin + boxWidth;
  const laneX = (name) => right + laneWidth * (lanes.indexOf(name) + 1.2);
  const top = (name) => margin + rows.indexOf(name) * rowHeight;
  const exit = (name) => top(name) + boxHeight / 2 - 6;
  const entry = (name) => top(name) + boxHeight / 2 + 6;

  const lines = [];
  const dots = [];
  for (const name of rows) {
    lines.push(
      `<rect x="${margin}" y="${top(name)}" width="${boxWidth}" height="${boxHeight}" rx="5"/>`,
      `<text class="name" x="${margin + 12}" y="${top(name) + 20}">${name}</text>`,
      `<text class="note" x="${margin + nameWidth}" y="${top(name) + 20}">${contents[name]}</text>`,
    );
    const used = lanes.filter((lane) => imports.get(name).has(lane)).map(laneX);
    if (used.length > 0) lines.push(`<path d="M${right} ${exit(name)}H${Math.max(...used)}"/>`);
  }
  for (const lane of lanes) {
    const x = laneX(lane);
    const importers = importersOf(lane);
    lines.push(`<path d="M${x} ${exit(importers[0])}V${entry(lane)}H${right + 7}"/>`);
    dots.push(`<path class="head" d="M${right + 1} ${entry(lane)}l8 -4v8z"/>`);
    for (const importer of importers) dots.push(`<circle cx="${x}" cy="${exit(importer)}" r="3.5"/>`);
  }
  const width = Math.round(right + laneWidth * (lanes.length + 1.2) + margin);
  const height = margin * 2 + rows.length * rowHeight + 14;
  const caption = "A dot on the line of a layer means: it imports the layer that the dot's lane leads down to.";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Layers of Aegis and their imports">
  <style>${style}
  </style>
  ${[...lines, ...dots].join("\n  ")}
  <text class="note" x="${margin}" y="${height - margin}">${caption}</text>
</svg>
`;
}

const path = join(root, output);
const picture = draw(layerImports());
if (!process.argv.includes("--check")) {
  writeFileSync(path, picture);
  console.log(`wrote ${output}`);
} else if (existsSync(path) && readFileSync(path, "utf8") === picture) {
  console.log(`${output} is current`);
} else {
  console.error(`error ${output} does not show the layers as they are now: run \`npm run picture\` and commit it`);
  process.exit(1);
}
