/**
 * How devices are connected: links that transfers share. Every device has a port into each network that it
 * is part of, one for either direction; a path between two devices is the ports that it passes.
 */
import type { Profile } from "./profile.ts";

/** One direction of a port, shared by all that passes it. */
export interface PortLink {
  readonly name: string;
  readonly bytesPerSecond: number;
}

export interface Path {
  /** Indices into {@link Topology.links}. */
  readonly links: readonly number[];
  readonly latencySeconds: number;
}

export interface Topology {
  readonly devices: number;
  readonly links: readonly PortLink[];
  path(from: number, to: number): Path;
}

interface Wire {
  readonly bandwidth: { readonly value: number };
  readonly latency: { readonly value: number };
}

type NetworkName = "link" | "pcie" | "network" | "copies";

/** So many devices as the profile connects them: hosts are filled one after another. */
export function topologyOf(profile: Profile, devices: number): Topology {
  const links: PortLink[] = [];
  const ports = new Map<string, number>();
  const port = (device: number, network: NetworkName, direction: "out" | "in", bytesPerSecond: number): number => {
    const name = `device ${device} ${network} ${direction}`;
    let index = ports.get(name);
    if (index === undefined) {
      ports.set(name, (index = links.length));
      links.push({ name, bytesPerSecond });
    }
    return index;
  };
  const over = (network: NetworkName, { bandwidth, latency }: Wire, from: number, to: number): Path => ({
    links: [port(from, network, "out", bandwidth.value), port(to, network, "in", bandwidth.value)],
    latencySeconds: latency.value,
  });
  const hostOf = (device: number): number => Math.floor(device / profile.devicesPerHost.value);
  const connect = (from: number, to: number): Path => {
    if (hostOf(from) !== hostOf(to)) return over("network", profile.network, from, to);
    if (profile.kind === "measured") return over("copies", profile.copies, from, to);
    const { link, pcie } = profile;
    const linked = link.kind === "switch" || (link.kind === "pairs" && from >> 1 === to >> 1);
    return linked ? over("link", link, from, to) : over("pcie", pcie, from, to);
  };
  const paths = Array.from({ length: devices }, (_, from) =>
    Array.from(
      { length: devices },
      (_, to): Path => (from === to ? { links: [], latencySeconds: 0 } : connect(from, to)),
    ),
  );
  return { devices, links, path: (from, to) => (paths[from] as Path[])[to] as Path };
}

/**
 * The slowest way between any two of the devices: what a collective that all take part in waits for. Between one
 * device and none everything takes no time.
 */
export function slowestPath({ devices, links, path }: Topology): { bytesPerSecond: number; latencySeconds: number } {
  let bytesPerSecond = Number.POSITIVE_INFINITY;
  let latencySeconds = 0;
  for (let from = 0; from < devices; from++) {
    for (let to = 0; to < devices; to++) {
      if (from === to) continue;
      const one = path(from, to);
      latencySeconds = Math.max(latencySeconds, one.latencySeconds);
      for (const link of one.links) bytesPerSecond = Math.min(bytesPerSecond, links[link]?.bytesPerSecond as number);
    }
  }
  return { bytesPerSecond, latencySeconds };
}
