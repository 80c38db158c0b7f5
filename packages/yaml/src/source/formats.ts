import type { Problem } from "./problem.ts";

/** How problems can be written down. */
export type ProblemFormat = "pretty" | "json" | "sarif" | "github";

/** Problems as text: for people, for programs, for code scanning (SARIF 2.1.0), or as workflow commands of GitHub Actions. */
export function formatProblems(problems: readonly Problem[], format: ProblemFormat): string {
  switch (format) {
    case "pretty":
      return formatPretty(problems);
    case "json":
      return `${JSON.stringify(problems, undefined, 2)}\n`;
    case "sarif":
      return `${JSON.stringify(sarifOf(problems), undefined, 2)}\n`;
    case "github":
      return problems.map((problem) => `${githubCommand(problem)}\n`).join("");
  }
}

/** Each problem with its place, its line and a caret under what is wrong. */
export function formatPretty(problems: readonly Problem[]): string {
  return problems.map((problem) => pretty(problem)).join("\n");
}

const widest = 120;

function pretty(problem: Problem): string {
  const { file, line, column, message, hint } = problem;
  // A long line is cut around the caret, so that it stays under what it points to.
  const from = problem.lineText.length > widest ? Math.max(0, column - 1 - widest / 2) : 0;
  const text = visible(problem.lineText.slice(from, from + widest));
  const length = problem.endLine === line ? problem.endColumn - column : problem.lineText.length - column + 1;
  const number = String(line);
  const before = " ".repeat(Math.max(0, column - 1 - from));
  const carets = "^".repeat(Math.max(1, Math.min(length, text.length - before.length)));
  return [
    `${file}:${line}:${column}: ${message}`,
    ` ${number} | ${text}`,
    ` ${" ".repeat(number.length)} | ${before}${carets}`,
    ...(hint === undefined ? [] : [` ${" ".repeat(number.length)} = ${hint}`]),
    "",
  ].join("\n");
}

/** One column per character: tabs and control characters would move the caret, or the terminal's cursor. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}

function withHint({ message, hint }: Problem): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

function sarifOf(problems: readonly Problem[]): unknown {
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "wfe",
            rules: [...new Set(problems.map(({ code }) => code))].map((id) => ({ id })),
          },
        },
        results: problems.map((problem) => ({
          ruleId: problem.code,
          level: "error",
          message: { text: withHint(problem) },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: problem.file.split("/").map(encodeURIComponent).join("/") },
                region: {
                  startLine: problem.line,
                  startColumn: problem.column,
                  endLine: problem.endLine,
                  endColumn: problem.endColumn,
                },
              },
            },
          ],
        })),
      },
    ],
  };
}

/** What GitHub Actions turns into an annotation; the escapes are those of its toolkit. */
function githubCommand(problem: Problem): string {
  const property = (text: string | number): string => data(String(text)).replaceAll(":", "%3A").replaceAll(",", "%2C");
  const data = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const { file, line, column, endLine, endColumn, code } = problem;
  // Columns are taken only where begin and end are on one line.
  const end = endLine === line ? `,endColumn=${endColumn}` : "";
  return `::error file=${property(file)},line=${line},endLine=${endLine},col=${column}${end},title=${property(`wfe ${code}`)}::${data(withHint(problem))}`;
}
