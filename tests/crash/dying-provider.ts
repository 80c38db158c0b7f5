import { tell } from "../processes/support/serve.ts";
import type { CommitResult, PersistenceProvider, Provider, TurnCommit } from "@wfe/core/providers";

/** A moment in the work of a host at which its process is killed or frozen. */
export interface Moment {
  /** A method of the provider's `persistence`, `lock` or `queue`. */
  readonly call: string;
  /**
   * `before`: the store has not been asked. `during`: inside of a transactional step's transaction, when its body has written.
   * `after`: the store has done it, and the host has not heard of it.
   */
  readonly when: "before" | "during" | "after";
  /** Only commits with such an entry. */
  readonly saying?: string;
  /** Only commits that do this. */
  readonly doing?: "parking" | "checkpoint" | "children" | "deliver" | "subscribe" | "read";
  /** The how-manieth such call, or turn of a transactional step, from 1. Default 1. */
  readonly nth?: number;
  /** Whether the process dies (the default), or is frozen until somebody thaws it and then goes on as if nothing had been. */
  readonly how?: "dies" | "freezes";
}

/** The same provider, in whose middle the process dies as by `kill -9`, or is frozen. */
export function dyingAt(provider: Provider, moment: Moment): Provider {
  let left = moment.nth ?? 1;
  const strike = (): void => (moment.how === "freezes" ? freeze() : die());
  /** Whether this is the moment: the nth of its kind. */
  const isNow = (matches: boolean): boolean => {
    if (matches) left -= 1;
    return matches && left === 0;
  };

  const commit = async (
    call: (items: Items) => Promise<readonly CommitResult[]>,
    items: Items,
  ): Promise<readonly CommitResult[]> => {
    const plain = items.filter((item) => !("execute" in item)) as readonly TurnCommit[];
    const isPlain = isNow(moment.when !== "during" && plain.some((turn) => matches(moment, turn)));
    if (isPlain && moment.when === "before") strike();
    let isAfter = isPlain && moment.when === "after";
    // What a transactional step's turn holds is known only when its body has returned.
    const made = (turn: TurnCommit): TurnCommit => {
      if (!isNow(matches(moment, turn))) return turn;
      if (moment.when !== "after") strike();
      isAfter = true;
      return turn;
    };
    const results = await call(
      items.map((item) => {
        if (!("execute" in item)) return item;
        const execute = (tx: unknown): TurnCommit | Promise<TurnCommit> => {
          const turn = item.execute(tx);
          return turn instanceof Promise ? turn.then(made) : made(turn);
        };
        return { ...item, execute };
      }),
    );
    if (isAfter) strike();
    if (isPlain) tell("answered", [...new Set(results.map(({ outcome }) => outcome))]);
    return results;
  };

  const watch = <Service extends object>(service: Service): Service =>
    new Proxy(service, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function" || !isCall(moment, key)) return member;
        const call = (...args: unknown[]): any => Reflect.apply(member, target, args);
        if (key === "commit") return (items: Items) => commit(call, items);
        return async (...args: unknown[]) => {
          if (moment.when === "before" && isNow(true)) strike();
          const result: unknown = await call(...args);
          // A claim that has found nothing is none.
          if (moment.when === "after" && isNow(!foundNothing(result))) strike();
          return result;
        };
      },
    });

  const { persistence, lock, queue } = provider;
  return {
    ...provider,
    ...(persistence === undefined ? {} : { persistence: watch(persistence) }),
    ...(lock === undefined ? {} : { lock: watch(lock) }),
    ...(queue === undefined ? {} : { queue: watch(queue) }),
  };
}

/** Ends this process at once: nothing is flushed, nothing is let go of. */
export function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal comes when this thread returns to its loop, at the latest: nothing may happen until then.
  for (;;);
}

/** Stops this process, until somebody thaws it. */
function freeze(): void {
  tell("frozen", process.pid);
  // What was told has to be sent before.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  process.kill(process.pid, "SIGSTOP");
  // The signal may be dealt with by another thread: nothing may happen here before.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
}

type Items = Parameters<PersistenceProvider["commit"]>[0];

function matches({ saying, doing }: Moment, turn: TurnCommit): boolean {
  return (doing === undefined || does(turn, doing)) && (saying === undefined || turn.entriesText.includes(saying));
}

function does(turn: TurnCommit, doing: NonNullable<Moment["doing"]>): boolean {
  switch (doing) {
    case "parking":
      return turn.row?.release === true;
    case "checkpoint":
      return turn.checkpoint !== undefined;
    case "children":
      return (turn.create?.length ?? 0) > 0;
    case "deliver":
      return (turn.deliver?.length ?? 0) > 0;
    case "subscribe":
      return (turn.subscribe?.length ?? 0) > 0;
    case "read":
      return (turn.read?.length ?? 0) > 0;
  }
}

/** A claim goes to the store, or to the queue that is the store. */
function isCall({ call }: Moment, key: string | symbol): boolean {
  return key === call || (call === "claim" && key === "pull");
}

function foundNothing(result: unknown): boolean {
  if (Array.isArray(result)) return result.length === 0;
  return (
    typeof result === "object" && result !== null && "claimed" in result && (result.claimed as unknown[]).length === 0
  );
}
