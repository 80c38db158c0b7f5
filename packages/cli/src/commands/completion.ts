import { Argument, type Command } from "commander";
import type { Surroundings } from "../program.ts";

type Shell = "bash" | "zsh" | "fish";

/** `wfe completion`: a script that completes commands and options in a shell. */
export function addCompletion(program: Command, { terminal }: Surroundings): void {
  program
    .command("completion")
    .description("print a script that completes commands in your shell: source <(wfe completion bash)")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .action((shell: Shell) => terminal.data(scripts[shell](wordsOf(program))));
}

interface Words {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
}

function wordsOf(program: Command): readonly Words[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => ({
    name: command.name(),
    description: command.description().replaceAll(/['"`$\\[\]:]/g, ""),
    options: help.visibleOptions(command).map((option) => ({
      flag: option.long ?? option.short ?? "",
      description: option.description.replaceAll(/['"`$\\[\]:]/g, ""),
    })),
  }));
}

const scripts: Readonly<Record<Shell, (commands: readonly Words[]) => string>> = {
  bash: (commands) => `_wfe() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$word"))
  elif [[ "$word" == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${commands.map(({ name, options }) => `      ${name}) COMPREPLY=($(compgen -W "${options.map(({ flag }) => flag).join(" ")}" -- "$word")) ;;`).join("\n")}
    esac
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _wfe wfe
`,
  zsh: (commands) => `#compdef wfe
_wfe() {
  local -a commands
  commands=(
${commands.map(({ name, description }) => `    '${name}:${description}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${commands.map(({ name, options }) => `    ${name}) _arguments ${options.map(({ flag, description }) => `'${flag}[${description}]'`).join(" ")} '*:file:_files' ;;`).join("\n")}
  esac
}
compdef _wfe wfe
`,
  fish: (commands) =>
    commands
      .flatMap(({ name, description, options }) => [
        `complete -c wfe -n __fish_use_subcommand -f -a ${name} -d '${description}'`,
        ...options.map(
          (option) =>
            `complete -c wfe -n '__fish_seen_subcommand_from ${name}' -l ${option.flag.replace(/^--/, "")} -d '${option.description}'`,
        ),
      ])
      .join("\n") + "\n",
};
