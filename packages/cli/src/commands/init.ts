import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { NotFoundError, UsageError } from "../exit-codes.ts";
import type { Surroundings } from "../program.ts";

const starter = `# Run it: wfe run workflow.yaml
workflow:
  id: hello
  version: 1
  inputs:
    name: string?
  steps:
    - name: greet
      run: |
        echo "Hello, \${NAME:-world}"
        echo "##wfe[output greeted=true]"

    - name: checks
      parallel:
        - name: lint
          run: echo "nothing to complain about"
        - name: test
          run: echo "all green"
          retry: { max_retries: 2, interval: 1s }

    - name: report
      when: { field: .outputs.greeted, equals: true }
      run: echo "done"
      ensure:
        name: clean up
        run: echo "this runs in any case"
`;

/** `wfe init`: a first file to start from. */
export function addInit(program: Command, { terminal }: Surroundings): void {
  program
    .command("init")
    .description("write a first workflow to start from")
    .argument("[file]", "where to", "workflow.yaml")
    .action((file: string) => {
      if (existsSync(file)) throw new UsageError(`${file} is there already: name another file`);
      if (!existsSync(dirname(file))) throw new NotFoundError(`there is no folder ${dirname(file)}: make it first`);
      writeFileSync(file, starter, { flag: "wx" });
      terminal.say(`wrote ${file}; run it: wfe run ${file}`);
    });
}
