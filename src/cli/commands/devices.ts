/** `aegis devices`: what is here to run on, checked and measured. */
import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import { describeDevice, listDevices } from "../../kernels/index.ts";
import { emphasise, formatBytes, printJson, printLine, table, withStatus } from "../output.ts";

export function devicesCommand(): Command {
  return new Command("devices")
    .description("list the devices that are here, with their speed and memory")
    .option("--json", "print a JSON list")
    .action(async ({ json }: { json?: boolean }) => {
      const devices = await withStatus("checking devices", listDevices);
      if (json === true) {
        printJson(devices);
        return;
      }
      printLine(`${cpus()[0]?.model.trim() ?? "unknown processor"}, ${availableParallelism()} cores`);
      const rows = devices.map(({ kind, name, memoryBytes, nttNsPerCoefficientBit, selfCheck }) => [
        kind === "wasm" ? kind : describeDevice({ kind, name }).slice(0, 60),
        nttNsPerCoefficientBit === null ? "–" : nttNsPerCoefficientBit.toFixed(4),
        formatBytes(memoryBytes),
        selfCheck === "passed" ? "passed" : emphasise("red", selfCheck),
      ]);
      printLine(table(["--device", "NTT, ns a coefficient and bit", "memory", "self-check"], rows));
      if (!devices.some(({ kind }) => kind === "native"))
        printLine("native kernels were not built: install a C++ compiler (Debian: g++) and run npm rebuild");
      printLine("the first that passes is the default");
    });
}
