import { closeSync, constants, openSync, readSync } from "node:fs";
import { isWithin } from "./path-grants.ts";
import type { NetGrant } from "./net-grants.ts";
import { isSpecialAddress } from "./special-addresses.ts";

/** An access that was asked for and not granted. */
export interface DeniedAccess {
  readonly permission: string;
  /** What of it: a path, a host, a variable...; undefined: all of it. */
  readonly value: string | undefined;
}

/** What was granted, as it was passed to Deno. */
export interface Grants {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly NetGrant[];
  readonly env: readonly string[];
  readonly run: boolean;
  /** Hosts of modules that were fetched. */
  readonly importHosts: readonly string[];
}

const maxBytes = 1024 * 1024;
const maxDenied = 100;

/** The accesses in Deno's audit file that were not granted, each once, at most 100. */
export function deniedAccesses(file: string, grants: Grants): readonly DeniedAccess[] {
  const denied = new Map<string, DeniedAccess>();
  for (const line of textOf(file).split("\n")) {
    const access = parse(line);
    if (access === undefined || isGranted(access, grants) || denied.size >= maxDenied) continue;
    denied.set(`${access.permission} ${access.value ?? ""}`, access);
  }
  return [...denied.values()];
}

function textOf(file: string): string {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return "";
  }
  try {
    const bytes = Buffer.allocUnsafe(maxBytes);
    return bytes.toString("utf8", 0, readSync(handle, bytes, 0, maxBytes, 0));
  } finally {
    closeSync(handle);
  }
}

function parse(line: string): DeniedAccess | undefined {
  try {
    const { permission, value } = JSON.parse(line) as { permission?: unknown; value?: unknown };
    if (typeof permission !== "string") return undefined;
    if (typeof value !== "string") return { permission, value: undefined };
    return { permission, value: (permission === "net" ? hostOf(value) : value).slice(0, 1_000) };
  } catch {
    // The last line may be cut.
    return undefined;
  }
}

/** Of a URL its host and port, of anything else itself. */
function hostOf(value: string): string {
  if (!/^\w+:\/\//.test(value) || !URL.canParse(value)) return value;
  const { protocol, host, port } = new URL(value);
  return port === "" ? `${host}:${/^(https|wss):$/.test(protocol) ? 443 : 80}` : host;
}

function isGranted({ permission, value }: DeniedAccess, grants: Grants): boolean {
  switch (permission) {
    case "read":
    case "write":
      return value !== undefined && grants[permission].some((path) => isWithin(value, path));
    case "env":
      return value !== undefined && grants.env.includes(value);
    case "import":
      return value !== undefined && grants.importHosts.some((host) => value === host || value === `${host}:443`);
    case "run":
      return grants.run;
    case "net":
      return value !== undefined && isGrantedHost(value, grants.net);
    default:
      return false;
  }
}

function isGrantedHost(value: string, grants: readonly NetGrant[]): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(value);
  const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  // The address of a granted name is asked for as well: only special ones are ever denied then.
  const isResolved = /^[\d.]+$|:/.test(host) && grants.length > 0 && !isSpecialAddress(host);
  return (
    isResolved ||
    grants.some(
      (grant) =>
        (grant.port === undefined || port === undefined || grant.port === port) &&
        (grant.host === host || (grant.host.startsWith("*.") && host.endsWith(grant.host.slice(1)))),
    )
  );
}
