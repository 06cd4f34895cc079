/**
 * Plans in the trace event format (JSON object form) that Perfetto and chrome://tracing open: a process for each
 * device. Simulated ones have a thread that computes and one that sends, and what memory holds; real ones a thread
 * that computes and one in which the device waits and copies. Times are microseconds, memory is MiB.
 */
import { describeOperation, type Operation, type Program } from "../program/index.ts";
import type { DeviceReport } from "../runtime/index.ts";
import type { Event, MemoryTimeline, Simulation } from "../simulator/index.ts";

interface Slice {
  readonly name: string;
  /** What it is: `compute`, `collective`, `wait` or `send`; of a real run `compute` or `communicate`. */
  readonly cat: string;
  /** Complete event. */
  readonly ph: "X";
  /** Begin and duration. */
  readonly ts: number;
  readonly dur: number;
  /** Device, and which of its streams. */
  readonly pid: number;
  readonly tid: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

interface Label {
  readonly name: "process_name" | "thread_name";
  readonly ph: "M";
  readonly pid: number;
  readonly tid?: number;
  readonly args: { readonly name: string };
}

/** What is drawn as areas one on another. */
interface Counter {
  readonly name: string;
  readonly ph: "C";
  readonly ts: number;
  readonly pid: number;
  readonly args: Readonly<Record<string, number>>;
}

export interface Trace {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly (Slice | Label | Counter)[];
}

const streams = ["compute", "send"] as const;

/** Waits shorter than this are rounding. */
const shortest = 1e-9;

/** @param memory of each device; left out where it is not given */
export function traceOf(
  program: Program,
  { devices, events }: Simulation,
  memory: readonly MemoryTimeline[] = [],
): Trace {
  const slices: (Slice | Label | Counter)[] = [];
  for (const pid of devices.keys()) {
    slices.push({ name: "process_name", ph: "M", pid, args: { name: `device ${pid}` } });
    for (const [tid, name] of streams.entries())
      slices.push({ name: "thread_name", ph: "M", pid, tid, args: { name } });
  }
  const free = devices.map(() => 0);
  for (const event of events) {
    const { operation: index, devices: mine, stream } = event;
    const name = nameOf(program.operations[index] as Operation, event);
    for (const pid of mine) {
      const tid = streams.indexOf(stream);
      const add = (what: string, cat: string, from: number, to: number, args?: Slice["args"]): void => {
        if (to - from > shortest)
          slices.push({
            name: what,
            cat,
            ph: "X",
            ts: 1e6 * from,
            dur: 1e6 * (to - from),
            pid,
            tid,
            ...(args && { args }),
          });
      };
      if (stream === "send") {
        add(name, "send", event.begin, event.end, sendArguments(event));
        continue;
      }
      add("wait", "wait", free[pid] as number, event.begin, { for: name });
      add(name, "compute", event.begin, event.computed);
      add(`${name}: collectives`, "collective", event.computed, event.end);
      free[pid] = event.end;
    }
  }
  for (const [pid, { moments, keys, transforms }] of memory.entries()) {
    for (const { seconds, ciphertexts, sums, workspace } of moments) {
      const args = { keys, transforms, ciphertexts, sums, workspace };
      const mebibytes = Object.fromEntries(Object.entries(args).map(([name, bytes]) => [name, bytes / 2 ** 20]));
      slices.push({ name: "memory", ph: "C", ts: 1e6 * seconds, pid, args: mebibytes });
    }
  }
  return { displayTimeUnit: "ms", traceEvents: slices };
}

/** What devices of a real run did when. */
export function traceOfRun(program: Program, devices: readonly Pick<DeviceReport, "activities" | "device">[]): Trace {
  const events: (Slice | Label)[] = [];
  const threads = ["compute", "communicate"] as const;
  for (const [pid, { device, activities }] of devices.entries()) {
    events.push({ name: "process_name", ph: "M", pid, args: { name: `device ${pid} (${device})` } });
    for (const [tid, name] of threads.entries())
      events.push({ name: "thread_name", ph: "M", pid, tid, args: { name } });
    for (const { operation, kind, begin, end, waited } of activities) {
      events.push({
        name: describeOperation(program.operations[operation] as Operation),
        cat: kind,
        ph: "X",
        ts: 1e6 * begin,
        dur: 1e6 * (end - begin),
        pid,
        tid: threads.indexOf(kind),
        ...(waited > 0 && { args: { "waiting for collectives, s": waited } }),
      });
    }
  }
  return { displayTimeUnit: "ms", traceEvents: events };
}

function nameOf(operation: Operation, { kind, phase }: Event): string {
  const name = describeOperation(operation);
  if (phase !== undefined && phase !== "whole") return `${name}: ${phase}`;
  return kind === "compute" || kind === "cut" ? name : `${name}: ${kind}`;
}

function sendArguments({ flows }: Event): Slice["args"] {
  return {
    to: flows.map(({ to }) => to).join(", "),
    bytes: flows.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
