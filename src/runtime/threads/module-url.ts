/** Finds modules that run in workers: `.ts` in the sources, `.js` in the built package. */
import { extname } from "node:path";

/**
 * URL of the module `name` relative to the module that asks.
 *
 * @param base `import.meta.url` of the module that asks
 * @param name without extension, such as `./device`
 */
export function moduleUrl(base: string, name: string): URL {
  return new URL(`${name}${extname(new URL(base).pathname)}`, base);
}
