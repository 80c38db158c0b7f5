import type {
  ClaimedWorkflow,
  ClaimRequest,
  PersistenceProvider,
  PullRequest,
  PullResult,
  WorkflowRow,
} from "../../providers/index.ts";
import type { Verdict } from "./verdict.ts";

/** Watches what goes to and fro between namespaces, which is nothing. */
export class NamespaceAudit {
  readonly #verdict: Verdict;

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  /** What was asked of one namespace and given is its own. */
  given(namespace: string, rows: readonly (WorkflowRow | undefined)[]): void {
    const foreign = rows.find((row) => row !== undefined && row.namespace !== namespace);
    if (foreign !== undefined)
      this.#fail(`\`${namespace}\` was given workflow ${foreign.id} of \`${foreign.namespace}\``);
  }

  /** Every payload says where it was published. */
  pulled(requests: readonly PullRequest[], results: readonly PullResult[]): void {
    for (const [index, { namespace, run }] of requests.entries()) {
      for (const { payloadText, eventId } of results[index]?.events.flatMap(({ events }) => events) ?? []) {
        const { namespace: published } = JSON.parse(payloadText) as { namespace: string };
        if (published !== namespace)
          this.#fail(`run ${run} of \`${namespace}\` was given event ${eventId} of \`${published}\``);
      }
    }
  }

  /** A turn starts and tells workflows of its own namespace only. */
  reaches(namespace: string, what: string, other: string | undefined): void {
    if (other !== undefined && other !== namespace) this.#fail(`a turn in \`${namespace}\` ${what} in \`${other}\``);
  }

  /** Of two namespaces with work none is passed over: neither gets two more than one that has some left. */
  async claim(
    { real, due }: { readonly real: PersistenceProvider; readonly due: () => Promise<readonly WorkflowRow[]> },
    request: ClaimRequest,
  ): Promise<readonly ClaimedWorkflow[]> {
    const before = await due();
    const claimed = await real.claim(request);
    const taken = new Set(claimed.map(({ row }) => row.run));
    const left = new Set(before.filter(({ run }) => !taken.has(run)).map(({ namespace }) => namespace));
    const times = Map.groupBy(claimed, ({ row }) => row.namespace);
    for (const namespace of left) {
      const own = times.get(namespace)?.length ?? 0;
      for (const [other, { length }] of times)
        if (length > own + 1)
          this.#verdict.fail(
            "each namespace gets its share",
            `of ${claimed.length} workflows ${length} are of \`${other}\` and ${own} of \`${namespace}\`, which has more`,
          );
    }
    return claimed;
  }

  #fail(message: string): void {
    this.#verdict.fail("namespaces do not see each other", message);
  }
}
