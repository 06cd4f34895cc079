/** File walks shared by the scripts. */
import { readdirSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Directory of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Paths of all files below `folder`, relative to the root, with `/`, sorted. */
export function filesBelow(folder) {
  const start = join(root, folder);
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

/** Like {@link filesBelow}, but none when the folder does not exist. */
export function filesBelowIfAny(folder) {
  return statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory() ? filesBelow(folder) : [];
}

/** Latest modification time of some files, in milliseconds; 0 for none. */
export function newest(paths) {
  return Math.max(0, ...paths.map((path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0));
}
