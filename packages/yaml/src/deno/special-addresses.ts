/** A block of IPv4 addresses: the first one as a number, and how many bits it has in common. */
interface Block {
  readonly first: number;
  readonly bits: number;
}

/** Addresses of this machine, of private networks and the like (RFC 6890): out of reach unless granted by name. */
const special: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/**
 * What `--deny-net` takes to keep a script from special addresses, but for those given.
 *
 * Whole ranges, because a single denied `127.0.0.1` is passed by `0.0.0.0`. Of IPv6, Deno takes no ranges: only the two addresses of
 * this machine are named; mapped IPv4 addresses (`::ffff:10.0.0.1`) count as IPv4.
 */
export function deniedAddresses(granted: readonly string[]): readonly string[] {
  const addresses = granted.flatMap((address) => numberOf(address) ?? []);
  const blocks = special.flatMap((text) => {
    let kept = [blockOf(text)];
    for (const address of addresses) kept = kept.flatMap((block) => without(block, address));
    return kept;
  });
  const six = ["::1", "::"].filter((address) => !granted.includes(address));
  return [...blocks.map(textOf), ...six.map((address) => `[${address}]`)];
}

/** Whether an IPv4 address, or one of the IPv6 ones above, is special. */
export function isSpecialAddress(address: string): boolean {
  const number = numberOf(address);
  if (number === undefined) {
    return /^(::1?|fe[89ab][0-9a-f]:.*|f[cd][0-9a-f]{2}:.*|ff[0-9a-f]{2}:.*|64:ff9b:.*|::ffff:.*)$/i.test(address);
  }
  return special.some((text) => contains(blockOf(text), number));
}

function blockOf(text: string): Block {
  const [address = "", bits = "32"] = text.split("/");
  return { first: numberOf(address) ?? 0, bits: Number(bits) };
}

function numberOf(address: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (match === null) return undefined;
  const parts = match.slice(1).map(Number);
  return parts.some((part) => part > 255) ? undefined : parts.reduce((sum, part) => sum * 256 + part, 0);
}

function contains({ first, bits }: Block, address: number): boolean {
  const size = 2 ** (32 - bits);
  return address >= first && address < first + size;
}

/** The block in pieces that leave the address out. */
function without(block: Block, address: number): Block[] {
  if (!contains(block, address)) return [block];
  if (block.bits === 32) return [];
  const bits = block.bits + 1;
  const halves: Block[] = [
    { first: block.first, bits },
    { first: block.first + 2 ** (32 - bits), bits },
  ];
  return halves.flatMap((half) => without(half, address));
}

function textOf({ first, bits }: Block): string {
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
  return `${parts.join(".")}/${bits}`;
}
