/** The verifier: what must hold of a program before anything runs. */
import { AegisError } from "../base/errors.ts";
import { checkGeometry, diagonalCount, expandedCount, type Geometry, scoreCount, sequenceOf } from "./layout.ts";
import { describeOperation, type Operation, type Program, type Tensor } from "./program.ts";

/** What the verifier needs to know of the parameters. */
export interface Capabilities {
  readonly maximumSlots: number;
  readonly maximumLevel: number;
  /** Level after bootstrapping; undefined where there is none. */
  readonly bootstrapLevel?: number;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput?: number;
}

/** Largest stored magnitude that may be bootstrapped. */
export const bootstrapBound = 4;

/** Throws a `program` error that names the operation when levels, layouts or order are wrong. */
export function verifyProgram(program: Program, capabilities: Capabilities): void {
  checkGeometry(program.geometry, capabilities.maximumSlots);
  const sequence = sequenceOf(program.geometry);
  if (program.length < 1 || program.length > sequence) {
    throw new AegisError("program", `length: expected 1 to ${sequence} tokens, got ${program.length}`);
  }
  const made = new Set<string>();
  for (const operation of program.operations) {
    const fail = (message: string): never => {
      throw new AegisError("program", `${describeOperation(operation)}: ${message}`, { operation: operation.kind });
    };
    const tensor = (name: string): Tensor => program.tensors[name] ?? fail(`tensor ${name} is not declared`);
    for (const name of operation.inputs) if (!made.has(name)) fail(`reads ${name} before it is made`);
    for (const name of operation.outputs) {
      tensor(name);
      if (made.has(name)) fail(`makes ${name} a second time`);
      made.add(name);
    }
    checkContents(operation, program.geometry, tensor, fail);
    checkCounts(operation, program.geometry, tensor, fail);
    checkLevels(operation, tensor, capabilities, fail);
  }
  if (!made.has(program.output)) throw new AegisError("program", `output ${program.output} is never made`);
}

type Contents = Partial<Record<Operation["kind"], readonly (readonly Tensor["content"][])[]>>;

/** What each input may hold; operations that are not here take anything. */
const expectedContents: Record<Geometry["layout"], Contents> = {
  short: {
    replicate: [["single"]],
    linear: [["replicated", "wide"]],
    scores: [["single"], ["single"]],
    expand: [["scores"]],
    denominators: [["expanded"]],
    context: [["expanded"], ["single"]],
    "square-sum": [["single"]],
    offset: [[]],
    mask: [[]],
  },
  long: {
    replicate: [[]],
    linear: [["wide", "grouped"]],
    mask: [["single"]],
    offset: [["single"]],
    // With one group of lanes there is nothing to offset.
    scores: [["replicated"], ["offset", "single"]],
    expand: [[]],
    denominators: [["diagonals"]],
    context: [["diagonals"], ["offset", "single"]],
    "square-sum": [["wide"]],
  },
};

function checkContents(
  operation: Operation,
  { layout }: Geometry,
  tensor: (name: string) => Tensor,
  fail: (message: string) => never,
): void {
  for (const [i, allowed] of (expectedContents[layout][operation.kind] ?? []).entries()) {
    if (allowed.length === 0) fail(`has no meaning in the ${layout} layout`);
    const { content } = tensor(operation.inputs[i] as string);
    if (!allowed.includes(content))
      fail(`input ${operation.inputs[i]} is ${content}, expected ${allowed.join(" or ")}`);
  }
}

/** Ciphertexts of a tensor follow from its content; a refreshed tensor has as many as before. */
function checkCounts(
  operation: Operation,
  geometry: Geometry,
  tensor: (name: string) => Tensor,
  fail: (message: string) => never,
): void {
  for (const [o, name] of operation.outputs.entries()) {
    const { count, blocks } = tensor(name);
    const expected = expectedCount(geometry, tensor(name));
    if (count !== expected) fail(`${name} has ${count} ciphertexts, ${tensor(name).content} values take ${expected}`);
    if (blocks !== geometry.blocks && blocks !== 1)
      fail(`${name} has ${blocks} token blocks, the program has ${geometry.blocks}`);
    const sources = operation.kind === "bootstrap" ? operation.inputs.slice(o, o + 1) : operation.inputs;
    for (const input of sources) {
      // Heads of models read the first block only; keys and values are read from all blocks.
      if (tensor(input).blocks < blocks) fail(`makes ${blocks} blocks of ${name} from ${tensor(input).blocks}`);
    }
  }
  if (operation.kind === "linear" && operation.weights.length !== operation.outputs.length) {
    fail(`${operation.weights.length} layers make ${operation.outputs.length} tensors`);
  }
  if (operation.kind !== "bootstrap") return;
  if (operation.inputs.length !== operation.outputs.length)
    fail(`takes ${operation.inputs.length} tensors and gives ${operation.outputs.length}`);
  for (const [i, name] of operation.inputs.entries()) {
    const from = tensor(name);
    const to = tensor(operation.outputs[i] as string);
    if (from.count !== to.count || from.blocks !== to.blocks || from.content !== to.content)
      fail(`${to.name} has another layout than ${name}`);
  }
}

function expectedCount(geometry: Geometry, { content, axis, count }: Tensor): number {
  switch (content) {
    case "scores":
      return scoreCount(geometry);
    case "expanded":
      return expandedCount(geometry);
    case "diagonals":
      return diagonalCount(geometry);
    case "wide":
      return count;
    default:
      return axis === "dimension" ? geometry.headSize : 1;
  }
}

function checkLevels(
  operation: Operation,
  tensor: (name: string) => Tensor,
  capabilities: Capabilities,
  fail: (message: string) => never,
): void {
  const level = operation.level ?? fail("has no level: the program is not scheduled");
  if (operation.kind === "bootstrap") {
    const top = capabilities.bootstrapLevel ?? fail("the parameters cannot bootstrap");
    if (operation.target > top) fail(`asks for level ${operation.target}, bootstrapping gives ${top}`);
    for (const name of operation.inputs) {
      const have = tensor(name).level ?? -1;
      const floor = capabilities.bootstrapInput ?? 0;
      if (have < floor) fail(`${name} is at level ${have}, bootstrapping takes ${floor} or higher`);
      if (tensor(name).magnitude > bootstrapBound)
        fail(`${name} may reach ${tensor(name).magnitude.toFixed(1)}, at most ${bootstrapBound} can be bootstrapped`);
    }
    for (const name of operation.outputs) {
      const have = tensor(name).level ?? -1;
      if (have !== operation.target) fail(`gives level ${operation.target}, ${name} is declared at ${have}`);
    }
    return;
  }
  if (level < operation.depth || level > capabilities.maximumLevel)
    fail(`level ${level} with depth ${operation.depth}`);
  for (const name of operation.inputs) {
    const have = tensor(name).level ?? -1;
    if (have < level) fail(`needs ${name} at level ${level}, it is at ${have}`);
  }
  for (const name of operation.outputs) {
    const have = tensor(name).level ?? -1;
    const given = level - operation.depth;
    // Outputs of linear layers may be dropped to lower levels one by one.
    const kept = operation.kind === "linear" && have >= 0 ? Math.min(have, given) : given;
    if (have !== kept) fail(`gives level ${given}, ${name} is declared at ${have}`);
  }
}
