import { transactionalStep } from "../../../src/definition/transactional.ts";
import type { StepFunction } from "../../../src/definition/nodes.ts";
import { StoreError } from "../../../src/providers/index.ts";
import type { CommitResult, Provider, Run, TransactionalTurn, TurnCommit } from "../../../src/providers/index.ts";

/** What a transactional body writes to: what a transaction that was undone wrote is gone. */
export interface Ledger {
  readonly rows: string[];
  /** How often transactions were begun. */
  begun: number;
  /** How many transactional steps came in each call. */
  readonly calls: number[];
}

/** A store in memory that takes transactional steps. `fault` is asked for each transaction, with its number from 1. */
export function withTransactions(
  provider: Provider,
  options: {
    readonly asynchronous?: boolean;
    /** How many transactions the store says that it takes beside one another. */
    readonly atOnce?: number;
    /** Asked before a call is answered, with the runs of its transactional steps. What it throws is the answer; nothing is stored. */
    readonly refuse?: (runs: readonly Run[]) => void;
    readonly fault?: (transaction: number) => "unknown-applied" | "unknown-lost" | undefined;
  } = {},
): { readonly store: Provider; readonly ledger: Ledger } {
  const ledger: Ledger = { rows: [], begun: 0, calls: [] };
  const inner = provider.persistence!;
  const one = async (item: TransactionalTurn): Promise<CommitResult> => {
    const taken = (await inner.turns(item.run, { from: item.seq, to: item.seq, limit: 1 }))[0];
    if (taken !== undefined) return { outcome: "conflict", turn: taken.turn };
    ledger.begun += 1;
    const fault = options.fault?.(ledger.begun);
    const written: string[] = [];
    let turn: TurnCommit;
    try {
      const given = item.execute({ write: (row: string) => written.push(row) });
      if (!options.asynchronous && given instanceof Promise)
        return {
          outcome: "body-failed",
          error: new StoreError("TRANSACTIONAL_STEP", "the body must be synchronous", {
            outcome: "not-applied",
            transient: false,
          }),
        };
      turn = await given;
    } catch (error) {
      return { outcome: "body-failed", error };
    }
    if (fault === "unknown-lost") throw new Error("the connection is lost");
    const [result] = await inner.commit([turn]);
    if (result!.outcome === "applied") ledger.rows.push(...written);
    if (fault === "unknown-applied") throw new Error("the connection is lost");
    return result!;
  };
  const persistence = new Proxy(inner, {
    get(target, name) {
      if (name === "transactionalSteps") return true;
      if (name === "transactionsAtOnce") return options.atOnce;
      if (name !== "commit") return Reflect.get(target, name) as unknown;
      return async (items: readonly (TurnCommit | TransactionalTurn)[]): Promise<readonly CommitResult[]> => {
        const runs = items.filter((item) => "execute" in item).map(({ run }) => run);
        if (runs.length > 0) {
          ledger.calls.push(runs.length);
          options.refuse?.(runs);
        }
        const plain = items.filter((item): item is TurnCommit => !("execute" in item));
        const results = await inner.commit(plain);
        let at = 0;
        const all: CommitResult[] = [];
        for (const item of items) all.push("execute" in item ? await one(item) : results[at++]!);
        return all;
      };
    },
  });
  return { store: { ...provider, persistence }, ledger };
}

export interface Tx {
  write(row: string): void;
}

export function inTransaction(body: (input: any, ctx: any) => unknown): StepFunction {
  return Object.assign((input: unknown, ctx: unknown) => body(input, ctx), { [transactionalStep]: true as const });
}
