/**
 * The size report: lines per layer, files over the limits, bytes of the built package.
 *
 * Limits: 250 lines is the aim. A file over 600 says why in its header comment, in a line that
 * begins with `Long:`. Over 1000 fails. `--files` lists every file.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { filesBelowIfAny, root } from "./files.mjs";
import { layerOf, ranks } from "./imports.mjs";

const aim = 250;
const explained = 600;
const limit = 1000;

const read = (path) => readFileSync(join(root, path));
const isTest = (path) => /\.(test|fixture)\.ts$/.test(path);

/** The comment that a file opens with, or "". */
function header(text) {
  return /^(?:#!.*\n)?\s*(\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/.exec(text)?.[1] ?? "";
}

function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  for (const row of cells) {
    console.log(
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    );
  }
}

const files = ["src", "test", "bench", "scripts"]
  .flatMap(filesBelowIfAny)
  .filter((path) => /\.(?:ts|mjs|cjs)$/.test(path) && !path.startsWith("test/vectors/"))
  .map((path) => {
    const text = read(path).toString();
    return { path, text, group: layerOf(path) ?? path.split("/")[0], lines: text.split("\n").length - 1 };
  });

const order = [...ranks.flat(), "src", "test", "bench", "scripts"];
const sum = (list) => list.reduce((total, file) => total + file.lines, 0);
function row(name, members) {
  const shipped = members.filter((file) => !isTest(file.path));
  const lines = shipped.map((file) => file.lines).sort((a, b) => a - b);
  const median = lines[Math.floor((lines.length - 1) / 2)] ?? 0;
  return [name, shipped.length, sum(shipped), median, lines.at(-1) ?? 0, sum(members) - sum(shipped)];
}
const groups = order
  .map((name) => [name, files.filter((file) => file.group === name)])
  .filter(([, list]) => list.length > 0);
table(
  ["layer", "files", "lines", "median", "longest", "test lines"],
  [...groups.map(([name, members]) => row(name, members)), row("total", files)],
);

const long = files.filter((file) => file.lines > aim).sort((a, b) => b.lines - a.lines);
const problems = [];
if (long.length > 0) console.log(`\nover ${aim} lines:`);
for (const { path, text, lines } of long) {
  const reason = /^[\s*/]*Long:\s*(.*)$/m.exec(header(text))?.[1];
  console.log(`  ${String(lines).padStart(5)}  ${path}${reason === undefined ? "" : `  (${reason})`}`);
  if (lines > limit) problems.push(`${path} has ${lines} lines; ${limit} is the limit: split it`);
  else if (lines > explained && reason === undefined) {
    problems.push(`${path} has ${lines} lines; over ${explained}, its header comment needs a line "Long: why"`);
  }
}
if (process.argv.includes("--files")) {
  console.log("");
  table(
    ["file", "lines"],
    files.map((file) => [file.path, file.lines]),
  );
}

const built = filesBelowIfAny("dist").filter((path) => !/\/\.[^/]*$/.test(path));
if (built.length > 0) {
  const kinds = [
    ["JavaScript", /\.m?js$/],
    ["declarations", /\.d\.ts$/],
    ["WebAssembly", /\.wasm$/],
  ];
  console.log("");
  table(
    ["dist", "files", "bytes", "gzip"],
    kinds.map(([name, pattern]) => {
      const chosen = built.filter((path) => pattern.test(path));
      const bytes = chosen.reduce((total, path) => total + statSync(join(root, path)).size, 0);
      return [name, chosen.length, bytes, chosen.reduce((total, path) => total + gzipSync(read(path)).length, 0)];
    }),
  );
} else if (!existsSync(join(root, "dist"))) console.log("\ndist is not built");

for (const problem of problems) console.error(`\nerror ${problem}`);
if (problems.length > 0) process.exit(1);
