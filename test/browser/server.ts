/**
 * Serves the built package and the tests' modules to a browser, cross-origin isolated: modules of src
 * become those of dist, tests are compiled as they are asked for, packages are found in node_modules.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = new URL("../../", import.meta.url);
const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".ts": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

function compiled(text: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

/** A worker has no import map: names of packages become paths. */
function withPaths(text: string): string {
  return text.replace(/from "(@noble\/[^"]*)"/g, 'from "/node_modules/$1"');
}

/** The server, listening on a free port of this machine. */
export function serve(): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer(({ url = "/" }, response) => {
    const path = new URL(url, "http://localhost").pathname;
    const module = /^\/src\/(.*)\.ts$/.exec(path);
    if (module !== null) return response.writeHead(302, { location: `/dist/${module[1]}.js` }).end();
    const file = fileURLToPath(new URL(`.${path}`, root));
    const known = /^\/(dist|test|node_modules\/@noble)\//.test(path) && existsSync(file);
    if (!known) return response.writeHead(404).end();
    const extension = extname(path);
    const bytes = readFileSync(file);
    const body =
      extension === ".ts" ? compiled(bytes.toString()) : extension === ".js" ? withPaths(bytes.toString()) : bytes;
    return response
      .writeHead(200, {
        "content-type": types[extension] ?? "application/octet-stream",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-origin",
      })
      .end(body);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      resolve({ server, origin: `http://127.0.0.1:${port}` });
    });
  });
}
