/** The script as Deno calls it: a URL that holds the whole text, or its beginning and end. */
const scriptUrl = /data:(?:application\/typescript|text\/javascript);base64,[A-Za-z0-9+/=.]*/g;

/** A text of Deno's with the script called by its name, and without the lines of the bootstrap. */
export function withScriptName(text: string, name: string): string {
  return text
    .replace(scriptUrl, () => name)
    .split("\n")
    .filter((line) => !/^\s+at (async )?(<anonymous> \()?file:.*\/deno\/bootstrap\.[jt]s:/.test(line))
    .join("\n");
}

/** The first place in the script that a stack names: `script:3:7`. */
export function firstPosition(stack: string, name: string): string | undefined {
  for (const line of stack.split("\n")) {
    const at = line.indexOf(`${name}:`);
    const place = at === -1 ? null : /^:\d+:\d+/.exec(line.slice(at + name.length));
    if (place !== null) return `${name}${place[0]}`;
  }
  return undefined;
}
