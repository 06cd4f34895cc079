/** Runs the aegis command for one list of arguments after another, and tells what each printed and its exit code. */
import { pathToFileURL } from "node:url";

const { runCommandLine } = await import(pathToFileURL(process.argv[2]).href);

/** Everything written to a stream from now on, until `end`. */
function caught(stream) {
  const { write } = stream;
  let text = "";
  stream.write = (chunk, encoding, done) => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
    (typeof encoding === "function" ? encoding : done)?.();
    return true;
  };
  return {
    end() {
      stream.write = write;
      return text;
    },
  };
}

let last = Promise.resolve();
process.on("message", ({ id, args }) => {
  last = last.then(async () => {
    const [stdout, stderr] = [caught(process.stdout), caught(process.stderr)];
    const code = await runCommandLine(args);
    process.send({ id, outcome: { code, stdout: stdout.end(), stderr: stderr.end() } });
    // A process of its own would be gone now, and what waits to be interrupted with it.
    process.removeAllListeners("SIGINT");
  });
});
