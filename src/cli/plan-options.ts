/** Options that commands which make plans share. */
import { checkStrategy, defaultSlack, type StrategyName, strategyNames } from "../placement/index.ts";
import { parseBytes, parseInteger } from "./arguments.ts";

export const strategyHelp = `${strategyNames.join(", ")}, or all of them`;
export const defaultSlackPercent = String(100 * defaultSlack);

const mostSlackPercent = 100;
const mostMemory = 2 ** 44;

/** One strategy, or all. */
export function parseStrategies(name: string): readonly StrategyName[] {
  return name === "all" ? strategyNames : [checkStrategy(name)];
}

/** Share of a plan's time, from percent. */
export function parseSlack(percent: string): number {
  return parseInteger("--slack", percent, 0, mostSlackPercent) / 100;
}

/** Bytes of a device. */
export function parseMemory(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : parseBytes("--memory", text, mostMemory);
}
