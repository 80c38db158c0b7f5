import { describe, expect, it } from "vitest";
import { cappedText } from "../../src/processes/capped-text.ts";
import { splitLines } from "../../src/processes/line-splitter.ts";

function lines(chunks: readonly Buffer[], limit?: number): string[] {
  const seen: string[] = [];
  const splitter = splitLines((line) => seen.push(line), limit);
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return seen;
}

describe("lines", () => {
  it("are whole, wherever the chunks end", () => {
    const text = "one\ntwö\n\n🔑 four\r\nlast";
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(lines(chunks)).toEqual(["one\n", "twö\n", "\n", "🔑 four\r\n", "last"]);
    }
  });

  it("longer than the limit come in pieces, cut between characters", () => {
    const text = `${"é🔑".repeat(100)}\nend`;
    const pieces = lines([Buffer.from(text)], 64);
    expect(pieces.join("")).toBe(text);
    for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(65);
    expect(
      lines(
        [...Buffer.from(text)].map((byte) => Buffer.from([byte])),
        64,
      ).join(""),
    ).toBe(text);
  });

  it("of bytes that are no text are given all the same", () => {
    expect(lines([Buffer.from([0xff, 0xfe, 10, 0x80, 0, 10])])).toEqual(["\ufffd\ufffd\n", "\ufffd\0\n"]);
    expect(lines([Buffer.alloc(200, 0x80)], 64).join("")).toBe("\ufffd".repeat(200));
  });
});

describe("a capped text", () => {
  it("is whole up to its limit", () => {
    const text = cappedText(100);
    for (let at = 0; at < 10; at++) text.add("123456789\n");
    expect(text.text()).toBe("123456789\n".repeat(10));
    expect(text.cut).toBe(false);
  });

  it("keeps beginning and end, and says what is missing", () => {
    const text = cappedText(100);
    for (let at = 0; at < 10_000; at++) text.add(`line ${at}\n`);
    expect(text.cut).toBe(true);
    expect(text.text()).toMatch(
      /^line 0\nline 1\n[^]*line 6\n\[\.\.\. \d+ characters are left out here; .*\]\n[^]*line 9999\n$/,
    );
    expect(text.text().length).toBeLessThan(250);
  });

  it("cuts a single piece that is too long, between characters", () => {
    const text = cappedText(10);
    text.add("🔑".repeat(50));
    expect(text.text()).toMatch(/left out/);
    expect(text.text()).toMatch(/\n(🔑){2}$/);
  });
});
