import { describe, expect, it } from "vitest";
import { hoistValues } from "../../src/shell/hoist-values.ts";

const V = "${{ inputs.x }}";

/** The program text, or what is said about the first problem. */
function hoisted(run: string, shell: readonly string[] = ["sh"]): string {
  const { program, problems } = hoistValues(run, shell);
  return problems.length > 0 ? `refused: ${problems[0]?.message} | ${problems[0]?.hint}` : program.run;
}

describe("a run-time value in a shell program", () => {
  it.each([
    [`echo ${V}`, 'echo "${WFE_VALUE_1}"'],
    [`echo "${V}"`, 'echo "${WFE_VALUE_1}"'],
    [`echo a${V}b'c'`, `echo a"\${WFE_VALUE_1}"b'c'`],
    [`echo 'it'${V}"s"`, `echo 'it'"\${WFE_VALUE_1}""s"`],
    [`echo "it's ${V}"`, `echo "it's \${WFE_VALUE_1}"`],
    [`echo it\\'s ${V} \\"`, `echo it\\'s "\${WFE_VALUE_1}" \\"`],
    [`echo "\\"${V}\\""`, `echo "\\"\${WFE_VALUE_1}\\""`],
    [`echo $$${V}`, 'echo $$"${WFE_VALUE_1}"'],
    [`echo "\\$${V}"`, 'echo "\\$${WFE_VALUE_1}"'],
    [`echo $# '#' a#b ${V}`, `echo $# '#' a#b "\${WFE_VALUE_1}"`],
    [`echo a # it's ${V}\necho ${V}`, `echo a # it's \${WFE_VALUE}\necho "\${WFE_VALUE_1}"`],
    [`x=${V} y="${V}" env`, 'x="${WFE_VALUE_1}" y="${WFE_VALUE_1}" env'],
    [`cat <<EOF\n"${V}'\nEOF\necho 'x'`, `cat <<EOF\n"\${WFE_VALUE_1}'\nEOF\necho 'x'`],
    [
      `cat <<-E <<F\n\t${V}\n\tE\n"\nF\necho ${V}`,
      `cat <<-E <<F\n\t\${WFE_VALUE_1}\n\tE\n"\nF\necho "\${WFE_VALUE_1}"`,
    ],
    [`cat <<'E'\n'\nE\necho ${V}`, `cat <<'E'\n'\nE\necho "\${WFE_VALUE_1}"`],
    [`echo "$(echo '"' "${V}" ')')" ${V}`, `echo "$(echo '"' "\${WFE_VALUE_1}" ')')" "\${WFE_VALUE_1}"`],
    [
      `a=$(case x in (a) echo ;; b|c) echo ')' ;; esac; echo ${V})`,
      `a=$(case x in (a) echo ;; b|c) echo ')' ;; esac; echo "\${WFE_VALUE_1}")`,
    ],
    [
      `a=$(case in in in) echo ${V} ;; esac) b=${V}`,
      `a=$(case in in in) echo "\${WFE_VALUE_1}" ;; esac) b="\${WFE_VALUE_1}"`,
    ],
    [`a=$( # it's )\necho ${V} )`, `a=$( # it's )\necho "\${WFE_VALUE_1}" )`],
    [`f() { echo ${V}; }; (f ${V})`, 'f() { echo "${WFE_VALUE_1}"; }; (f "${WFE_VALUE_1}")'],
    ["echo ${x#*\\}} ${y:-'}'} " + V, "echo ${x#*\\}} ${y:-'}'} \"${WFE_VALUE_1}\""],
    ['echo "${x:-"y"}" `echo \\`date\\`` ' + V, 'echo "${x:-"y"}" `echo \\`date\\`` "${WFE_VALUE_1}"'],
    [`echo $(( 1 + (2 * 3) )) ${V}`, 'echo $(( 1 + (2 * 3) )) "${WFE_VALUE_1}"'],
    [`echo hi > ${V} 2>&1 < "${V}"`, 'echo hi > "${WFE_VALUE_1}" 2>&1 < "${WFE_VALUE_1}"'],
    [`export A=${V}; local b=${V}`, 'export A="${WFE_VALUE_1}"; local b="${WFE_VALUE_1}"'],
    [`[ ${V} = y ] && test -n ${V}`, '[ "${WFE_VALUE_1}" = y ] && test -n "${WFE_VALUE_1}"'],
    [`sh -c 'echo "$1"' sh ${V}`, `sh -c 'echo "$1"' sh "\${WFE_VALUE_1}"`],
    [`sh -e script.sh ${V}`, 'sh -e script.sh "${WFE_VALUE_1}"'],
    [`eval "$code"; echo ${V}`, 'eval "$code"; echo "${WFE_VALUE_1}"'],
    [`echo \${{ 'a}}b' + inputs["x'"] }} '`, 'echo "${WFE_VALUE_1}" \''],
    [`echo \${{ a }} \${{ b }} \${{ a }}`, 'echo "${WFE_VALUE_1}" "${WFE_VALUE_2}" "${WFE_VALUE_1}"'],
  ])("is replaced by a reference that is quoted as its place demands: %s", (run, expected) => {
    expect(hoisted(run)).toBe(expected);
  });

  it.each([
    [
      `[[ $a == ${V} && $b =~ ^(x|y)$ ]] && echo ${V}`,
      '[[ $a == "${WFE_VALUE_1}" && $b =~ ^(x|y)$ ]] && echo "${WFE_VALUE_1}"',
    ],
    [`a=(${V} "${V}"); echo "\${a[@]}" ${V}`, 'a=("${WFE_VALUE_1}" "${WFE_VALUE_1}"); echo "${a[@]}" "${WFE_VALUE_1}"'],
    [`cat <<< ${V}`, 'cat <<< "${WFE_VALUE_1}"'],
    [`diff <(echo ${V}) <(echo ')') &> ${V}`, `diff <(echo "\${WFE_VALUE_1}") <(echo ')') &> "\${WFE_VALUE_1}"`],
    [`echo $'it\\'s' ${V}`, `echo $'it\\'s' "\${WFE_VALUE_1}"`],
    [
      `(( i < 3 )); for ((i = 0; i < 3; i++)); do echo ${V}; done`,
      '(( i < 3 )); for ((i = 0; i < 3; i++)); do echo "${WFE_VALUE_1}"; done',
    ],
    [`declare -r a=${V}`, 'declare -r a="${WFE_VALUE_1}"'],
  ])("is placed in what only bash has: %s", (run, expected) => {
    expect(hoisted(run, ["bash", "-eo", "pipefail"])).toBe(expected);
  });

  it.each([
    ["single quotes", `echo '${V}'`],
    ["single quotes", `sh -c 'echo ${V}'`],
    ["single quotes", `trap 'rm ${V}' EXIT`],
    ["single quotes", `echo $'${V}'`],
    ["backquotes", `echo \`echo ${V}\``],
    ["backquotes", `echo "a \`echo "${V}"\`"`],
    ["quoted tag", `cat <<'EOF'\n${V}\nEOF`],
    ["quoted tag", `cat <<"EOF"\n${V}\nEOF`],
    ["quoted tag", `cat <<\\EOF\n${V}\nEOF`],
    ["quoted tag", `a=$(cat <<-'EOF'\n${V}\nEOF\n)`],
    ["here-document after", `cat <<EOF\n$(date) ${V}\nEOF`],
    ["here-document after", `cat <<EOF\n$(\necho ${V})\nEOF`],
    ["here-document after", `cat <<EOF\n\`echo ${V}\`\nEOF`],
    ["tag of a here-document", `cat <<${V}\nx\n`],
    ["is never closed", `cat <<EOF\n${V}\n`],
    ["is never closed", `echo "${V}`],
    ["is never closed", `echo $(echo ${V}`],
    ["never closed", `(echo ${V}`],
    ["after a backslash", `echo \\${V}`],
    ["after a backslash", `echo "\\${V}"`],
    ["after a backslash", `cat <<EOF\n\\${V}\nEOF`],
    ["right after a `$`", `echo $${V}`],
    ["right after a `$`", `echo "$${V}"`],
    ["inside of `${ }`", `echo \${x:-${V}}`],
    ["inside of `${ }`", `echo "\${x#"${V}"}"`],
    ["inside of `${ }`", `echo "\${x:-$(echo ${V})}"`],
    ["arithmetic", `echo $((${V} + 1))`],
    ["arithmetic", `echo $(( (1) + $(echo ${V}) ))`],
    ["arithmetic", `(( ${V} > 1 ))`],
    ["arithmetic", `for ((i = 0; i < ${V}; i++)); do :; done`],
    ["arithmetic", `a[${V}]=1`],
    ["arithmetic", `a=([${V}]=1)`],
    ["arithmetic", `echo $[ ${V} ]`],
    ["`[[ ]]` with an operator", `[[ ${V} -eq 1 ]]`],
    ["`[[ ]]` with an operator", `[[ -v ${V} ]]`],
    ["`[ -v`", `[ -v ${V} ]`],
    ["argument of `eval`", `eval ${V}`],
    ["argument of `eval`", `x=1 command eval "echo ${V}"`],
    ["argument of `let`", `let x=${V}`],
    ["argument of `trap`", `trap "rm ${V}" EXIT`],
    ["argument of `read`", `read ${V} < file`],
    ["argument of `unset`", `unset ${V}`],
    ["argument of `export`", `export ${V}`],
    ["makes a list, a number", `declare -a x=${V}`],
    ["makes a list, a number", `declare -i x=${V}`],
    ["declared a number", `declare -i x\nx=${V}`],
    ["name of a variable", `printf -v ${V} x`],
    ["program text", `sh -c "echo ${V}"`],
    ["program text", `sudo -u me bash -lc "echo ${V}"`],
    ["program text", `bash -c -o pipefail 2>/dev/null ${V}`],
    ["program text", `python3 -c "print('${V}')"`],
    ["program text", `node --eval ${V}`],
    ["program text", `perl -e"${V}"`],
    ["reads as its program", `bash <<EOF\necho ${V}\nEOF`],
    ["reads as its program", `ssh host <<EOF\necho ${V}\nEOF`],
    ["bash may run what is in it", `echo >& ${V}`],
    ["bash may run what is in it", `cat <&"${V}"`],
    ["reads as its program", `sh <<< "echo ${V}"`],
  ])("is refused, with the way to write it: %s", (message, run) => {
    const answer = hoisted(run, ["bash"]);
    expect(answer).toContain("refused: ");
    expect(answer).toContain(message);
    expect(answer).not.toMatch(/\| $/);
  });

  it.each([
    `echo $'it\\'s' ${V}`,
    `(( 1 << 2 ))\necho ${V}`,
    `cmd &> file eval ${V}`,
    `echo "\${x:-'}'}" ${V}`,
    `alias a="'"\na ${V}`,
    `cat <<EOF\nx\\\nEOF\n${V}\nEOF`,
    `echo )\necho ${V}`,
  ])("is refused where shells differ about what stands before it: %s", (run) => {
    expect(hoisted(run)).toContain("refused: ");
  });

  it("is refused in programs of other shells, which have other quotes", () => {
    for (const shell of ["fish", "python3", "pwsh", "zsh", "/usr/bin/node"]) {
      expect(hoisted(`echo ${V}`, [shell])).toContain("to a variable in `env`");
    }
    expect(hoisted(`echo ${V}`, ["/bin/bash", "-e"])).toBe('echo "${WFE_VALUE_1}"');
  });

  it("names every problem of a text, at its place", () => {
    const run = `echo '${V}' ${V} \`${V}\``;
    const { problems } = hoistValues(run, ["sh"]);
    expect(problems.map(({ offset }) => run.slice(offset, (offset ?? 0) + V.length))).toEqual([V, V]);
    expect(problems.map(({ path }) => path)).toEqual([["run"], ["run"]]);
  });

  it.each(["$(", "${", "$((", '"$(', "`", "((", "'", "$[", "[[ ", "<<E ", "x=(", "case x in "])(
    "is judged quickly after nothing but %s, however often",
    (piece) => {
      const before = performance.now();
      const answer = hoisted(`echo ${V} ${piece.repeat(50_000)}${V}`, ["bash"]);
      expect(answer.startsWith("refused: ") || answer.includes('"${WFE_VALUE_1}"')).toBe(true);
      expect(performance.now() - before).toBeLessThan(5_000);
    },
  );

  it.each([
    "$[1] ",
    "$((1)) ",
    "`a` ",
    "$(a) ",
    "${a} ",
    "a[1]=2 ",
    `x '${V}' `,
    `$((${V})) `,
    "<(a) ",
    "\\",
    `\${{ 'a' }}`,
  ])("is found in time among very many of %s", (piece) => {
    for (const run of [piece.repeat(30_000), `cat <<E\n${`${piece}\n`.repeat(20_000)}E\n${V}`]) {
      const before = performance.now();
      hoistValues(`${run}\n${V}`, ["bash"]);
      expect(performance.now() - before).toBeLessThan(5_000);
    }
  });

  it("takes a text of a megabyte in its stride", () => {
    const run = `echo 'a' "b" ${V} $(c) \${d} # e\ncat <<E\n${V}\nE\n`.repeat(10_000);
    const before = performance.now();
    expect(hoistValues(run, ["sh"]).problems).toEqual([]);
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});
