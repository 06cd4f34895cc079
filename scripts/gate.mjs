/**
 * The layer and cycle gate: fails on an import that does not point to a lower layer, on a cycle, and
 * on the other rules of .dependency-cruiser.cjs. `node scripts/gate.mjs [folder]`
 */
import { importGraph, layerOf, ranks } from "./imports.mjs";

function describe({ from, to, cycle }) {
  if (cycle !== undefined) return [from, ...cycle.map((step) => step.name)].join(" → ");
  return from === to ? from : `${from} imports ${to}`;
}

function order() {
  return ranks.map((rank) => rank.join(", ")).join(" < ");
}

const { modules, summary } = importGraph(process.argv[2]);
const seen = new Set();
const violations = summary.violations.filter((violation) => {
  if (violation.rule.severity !== "error") return false;
  // A cycle is reported once for each of its files.
  const key = violation.cycle
    ? violation.cycle
        .map((step) => step.name)
        .sort()
        .join()
    : describe(violation);
  return !seen.has(key) && seen.add(key);
});

const comments = new Map();
for (const { name, comment } of summary.ruleSetUsed?.forbidden ?? []) comments.set(name, comment);

for (const violation of violations) {
  console.error(`error ${violation.rule.name}\n  ${describe(violation)}`);
  const comment = comments.get(violation.rule.name);
  if (comment) console.error(`  ${comment}`);
}
if (violations.length > 0) {
  console.error(
    `\n${violations.length} forbidden ${violations.length === 1 ? "import" : "imports"}. Layers, lowest first:\n  ${order()}`,
  );
  process.exit(1);
}
const files = modules.filter((module) => layerOf(module.source) !== undefined);
console.log(
  `${files.length} files in ${new Set(files.map((file) => layerOf(file.source))).size} layers, all imports point down`,
);
