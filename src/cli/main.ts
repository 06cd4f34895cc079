#!/usr/bin/env node
/** The aegis command as a process. */
import "./engine.ts";
import { runCommandLine } from "./command.ts";

// Whoever reads may stop reading, as `| head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await runCommandLine(process.argv.slice(2));
