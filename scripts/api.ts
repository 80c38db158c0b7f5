// Writes each package's public surface to packages/<name>/api/<entry>.api.md, for a change of it to be read in review.
// With --check it only compares, and fails where they differ. Reads what `npm run build` made.
import { existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

const check = process.argv.includes("--check");
let differing = 0;

for (const manifestFile of globSync("packages/*/package.json").toSorted()) {
  const packageFolder = join(process.cwd(), dirname(manifestFile));
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest;

  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    const report = entry === "." ? "index" : entry.slice("./".length).replaceAll("/", "-");
    if (!sameAsReported(packageFolder, report, join(packageFolder, target.types))) {
      console.log(`${manifest.name} ${entry}: ${check ? "differs from its report; run `npm run api`" : "written"}`);
      differing += 1;
    }
  }
}
process.exitCode = check && differing > 0 ? 1 : 0;

/** Unless checking, the report is brought up to date as well. */
function sameAsReported(packageFolder: string, report: string, mainEntryPointFilePath: string): boolean {
  const reportFolder = join(packageFolder, "api");
  if (!check && !existsSync(reportFolder)) mkdirSync(reportFolder);

  const quiet = { default: { logLevel: ExtractorLogLevel.None } };
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: packageFolder,
      mainEntryPointFilePath,
      compiler: { tsconfigFilePath: join(packageFolder, "tsconfig.json") },
      apiReport: {
        enabled: true,
        reportFileName: report,
        reportFolder,
        reportTempFolder: join(packageFolder, "temp"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      messages: { compilerMessageReporting: quiet, extractorMessageReporting: quiet, tsdocMessageReporting: quiet },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(packageFolder, "package.json"),
  });
  return !Extractor.invoke(config, { localBuild: !check, messageCallback: (message) => (message.handled = true) })
    .apiReportChanged;
}
