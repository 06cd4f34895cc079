/**
 * The layer gate. Folders of src are layers; an import may only point to a lower layer.
 * The order of layers is in scripts/layers.json, lowest first; layers on one line have equal rank.
 */
const ranks = require("./scripts/layers.json").map(Object.keys);

const anyOf = (names) => `^src/(?:${names.join("|")})/`;
const testFile = "\\.test\\.ts$";
const everyLayer = ranks.flat();

/** Each layer may not reach a higher layer, nor another layer of its own rank, nor the package root. */
const downward = ranks.flatMap((rank, index) =>
  rank.map((layer) => {
    const above = ranks.slice(index + 1).flat();
    const beside = rank.filter((other) => other !== layer);
    return {
      name: `downward-imports-only: ${layer}`,
      comment: `src/${layer} may import lower layers only. See "Layers" in CONTRIBUTING.md.`,
      severity: "error",
      from: { path: anyOf([layer]) },
      to: { path: [...(above.length + beside.length > 0 ? [anyOf([...above, ...beside])] : []), "^src/[^/]+\\.ts$"] },
    };
  }),
);

module.exports = {
  forbidden: [
    ...downward,
    {
      name: "no-cycles",
      comment: "Files that import each other in a circle cannot be loaded one at a time. (`import type` may go round.)",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "known-layer",
      comment: "Every folder of src is a layer listed in scripts/layers.json.",
      severity: "error",
      from: {},
      to: { path: "^src/[^/]+/", pathNot: anyOf(everyLayer) },
    },
    {
      name: "known-layer-source",
      comment: "Every folder of src is a layer listed in scripts/layers.json.",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: anyOf(everyLayer) },
      to: {},
    },
    {
      name: "no-import-from-outside-src",
      comment: "The shipped code may not use tests, benchmarks or scripts.",
      severity: "error",
      from: { path: "^src/", pathNot: testFile },
      to: { path: "^(?:test|bench|scripts)/" },
    },
    {
      name: "no-import-of-tests",
      comment: "A test file is imported by nobody.",
      severity: "error",
      from: {},
      to: { path: testFile },
    },
    {
      name: "declared-dependencies-only",
      comment: "The shipped code may only use packages under `dependencies`.",
      severity: "error",
      from: { path: "^src/", pathNot: testFile },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "npm-optional", "npm-peer"] },
    },
    {
      name: "resolvable",
      comment: "The imported file or package does not exist.",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ["node_modules", "^dist/"] },
    exclude: { path: ["^src/kernels/wasm/assembly/"] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json", ".d.ts"],
    },
  },
};
