import { copy } from "../../packages/core/src/codec/index.ts";
import { ExecutionResult } from "../../packages/core/src/definition/execution-result.ts";
import { FatalError } from "../../packages/core/src/errors.ts";
import {
  attemptOf,
  awaitedStreams,
  decodeEntries,
  decodeState,
  encodeEntries,
  evolveTurn,
  emptySummary,
  initialState,
  isFinal,
  journalNeeded,
  needsBegin,
  nextDueAt,
  readyPointers,
  storeError,
  wantsContinue,
  type Delivery,
  type Entry,
  type Input,
} from "../../packages/core/src/engine/index.ts";
import { encodeState } from "../../packages/core/src/engine/records.ts";
import { Driver } from "../../packages/core/test/engine/driver.ts";
import { startAt, type Program } from "./generate.ts";
import { checkJournal, type Consumed } from "./invariants.ts";
import { streamOf, type Order } from "./lines.ts";
import { Model } from "./model.ts";
import type { Answer, BodyView, ChildAnswer } from "./world.ts";

/** Thrown where model and engine part. */
class Difference extends Error {}

const mostRounds = 600;

/**
 * Drives model and engine through the same world, one turn after the other: the same bodies end in the same order, the same events,
 * child ends, control calls and crashes come. After each turn both must stand at the same place with the same data.
 */
export class Lockstep {
  readonly model: Model;
  readonly driver: Driver;
  readonly program: Program;
  readonly story: string[] = [];
  readonly consumed: Consumed[] = [];
  #choices: number[];
  #calls = new Map<string, number>();
  /** Paths of all pointers that have been live. */
  #paths = new Map<number, string>();
  #childIds = new Map<number, string>();
  #deliveries = 0;
  #published = 0;
  #controls = 0;
  #retries = 0;
  #resumes = 0;

  constructor(program: Program, choices: readonly number[]) {
    this.program = program;
    this.#choices = [...choices];
    this.driver = new Driver(program.definition);
    this.driver.now = startAt;
    this.model = new Model(program.definition.body, {}, startAt);
  }

  /** Until the end. Gives the number of rounds. */
  run(): number {
    this.#engine(() => this.driver.start({}));
    this.#settle();
    this.#compare();
    for (let round = 0; round < mostRounds; round++) {
      if (this.#over) {
        checkJournal(this.driver, this.consumed);
        return round;
      }
      const action = this.#choose();
      if (action === undefined) throw new Difference("active, and nothing it could wait for");
      this.story.push(action.name);
      action.run();
      this.#settle();
      this.#compare();
    }
    throw new Difference("does not come to an end");
  }

  get #over(): boolean {
    const { state } = this.driver;
    return isFinal(state) && state.stuckUndo === null;
  }

  // ---- the world's choices -----------------------------------------------------------------------------------------------

  #next(below: number): number {
    const choice = this.#choices.shift() ?? 0;
    return below <= 1 ? 0 : choice % below;
  }

  #choose(): Action | undefined {
    const sensible = this.#sensible();
    if (this.#choices.length === 0) return sensible[0];
    const others = this.#others();
    const all = [...sensible.flatMap((one) => [one, one, one, one, one, one]), ...others];
    return all[this.#next(all.length)];
  }

  /** What moves the workflow forward; the first of them brings it to an end by and by. */
  #sensible(): Action[] {
    const { model } = this;
    if (model.phase === "suspended" && this.#resumes++ > 6) return [this.#terminates(false)];
    if (model.phase === "suspended")
      return [this.#control("resume", { kind: "resume" }, (order) => model.resume(order))];
    if (model.phase === "failed" && this.#retries++ > 5) return [this.#terminates(false)];
    if (model.phase === "failed") return [this.#control("retry", { kind: "retry" }, (order) => model.retryUndo(order))];
    const actions: Action[] = [];
    const ready = [...model.ready().keys()];
    if (ready.length > 0) actions.push({ name: "bodies", run: () => this.#bodies(ready) });
    const readable = [...model.awaited().keys()].filter((path) => model.canRead(path));
    if (readable.length > 0)
      actions.push({ name: "read", run: () => this.#read(readable[this.#next(readable.length)] ?? "") });
    const children = [
      ...model.children(),
      ...model.stragglers().flatMap((one) => (one.until === null ? [one.path] : [])),
    ];
    if (children.length > 0)
      actions.push({ name: "child", run: () => this.#child(children[this.#next(children.length)] ?? "") });
    const late = model.stragglers().filter((one) => one.until !== null);
    if (late.length > 0)
      actions.push({ name: "straggler", run: () => this.#straggler(late[this.#next(late.length)]?.path ?? "") });
    const awaited = [...model.awaited().values()].flatMap(({ streams }) => streams);
    if (awaited.length > 0)
      actions.push({
        name: "publish",
        run: () => this.#publish((awaited[this.#next(awaited.length)] ?? "").split("/")[0]),
      });
    const due = model.nextDueAt();
    if (due !== null) {
      const time = { name: "time", run: (): void => this.#due(Math.max(due, model.now)) };
      if (due <= model.now) actions.unshift(time);
      else actions.push(time);
    }
    return actions;
  }

  #others(): Action[] {
    const { model } = this;
    const others: Action[] = [
      { name: "a while passes", run: () => this.#pass([1, 250, 1100, 31_000][this.#next(4)] ?? 1) },
    ];
    if (this.#published < 12) others.push({ name: "publish", run: () => this.#publish(["e", "f"][this.#next(2)]) });
    if (model.phase === "suspended") others.push({ name: "late bodies", run: () => this.#lateBodies() });
    if (this.#controls > 8) return others;
    others.push(
      this.#control("suspend", { kind: "suspend" }, () => model.suspend()),
      { name: "crash", run: () => this.#crash() },
      { name: "set-data", run: () => this.#setData() },
    );
    if (this.#next(8) === 7) {
      others.push(this.#terminates(this.#next(2) === 0));
    }
    return others;
  }

  #terminates(compensate: boolean): Action {
    const inModel = (order: Order): boolean => this.model.terminate(compensate, order);
    return this.#control("terminate", { kind: "terminate", compensate }, inModel);
  }

  #control(name: string, delivery: Delivery, inModel: (order: Order) => boolean): Action {
    return {
      name: `${name}${"compensate" in delivery ? ` ${String(delivery.compensate)}` : ""}`,
      run: () => {
        this.#controls++;
        this.#deliver(delivery, inModel);
      },
    };
  }

  #deliver(delivery: Delivery, inModel: (order: Order) => boolean): void {
    const accepted = inModel(this.#order());
    let seen: Entry | undefined;
    this.#engine(() => {
      const before = this.driver.journal.length;
      this.driver.feed({ kind: "delivery", number: ++this.#deliveries, delivery });
      seen = this.driver.journal
        .slice(before)
        .flatMap((turn) => decodeEntries(turn.text))
        .find((entry) => entry.kind === "delivery-applied" || entry.kind === "delivery-refused");
    });
    if ((seen?.kind === "delivery-applied") !== accepted)
      throw new Difference(
        `${delivery.kind}: engine ${seen?.kind ?? "silent"}, model ${accepted ? "applies" : "refuses"}`,
      );
  }

  /** Some of the bodies end together, in some order. */
  #bodies(ready: string[]): void {
    const left = [...ready];
    const ends: string[] = [];
    const count = 1 + this.#next(left.length);
    while (ends.length < (this.#choices.length === 0 ? ready.length : count))
      ends.push(...left.splice(this.#next(left.length), 1));
    this.#answer(ends);
  }

  /** A body that ran when the workflow was suspended may still end. */
  #lateBodies(): void {
    const running = this.#ready(true);
    const path = [...running.keys()][this.#next(running.size)];
    if (path !== undefined) this.#answer([path]);
  }

  #answer(paths: readonly string[]): void {
    const ready = this.#ready(true);
    const answers = paths.map((path) => ({ path, answer: this.#script(path, ready.get(path)?.view.data) }));
    this.story.push(...answers.map(({ path, answer }) => `  ${path} ${JSON.stringify(answer)}`));
    this.model.answers(answers, this.#order());
    const inputs = answers.map(({ path, answer }): Input => {
      const { pointer = -1, view } = ready.get(path) ?? {};
      const at = { pointer, attempt: view?.attempt ?? 0 };
      if (answer.kind !== "throw") return { kind: "attempt-returned", ...at, value: resultOf(answer) };
      const thrown = answer.fatal === true ? new FatalError(answer.message) : new Error(answer.message);
      const stepId = path.slice(path.lastIndexOf("/") + 1);
      const error = storeError(thrown, { stepId, attempt: at.attempt });
      return { kind: "attempt-threw", ...at, thrown, error, stillRuns: answer.stillRuns === true };
    });
    this.#engine(() => this.driver.feed(...inputs));
  }

  /** What an execution's next call answers. */
  #script(path: string, data: unknown): Answer {
    const id = path.slice(path.lastIndexOf("/") + 1);
    const script = this.program.scripts.get(id);
    const call = this.#callOf(path);
    if (script?.counter !== undefined)
      return { kind: "value", value: Number((data as Record<string, unknown>)[script.counter] ?? 0) + 1 };
    const applies = script?.only === undefined || path.includes(`[${script.only}]`);
    return (applies ? script?.answers[call] : undefined) ?? { kind: "value", value: (id.length + call) % 4 };
  }

  /** The number of calls before; those of a saga that began again go on counting. */
  #callOf(path: string): number {
    const place = path.replaceAll(/#\d+/g, "");
    const call = this.#calls.get(place) ?? 0;
    this.#calls.set(place, call + 1);
    return call;
  }

  #read(path: string): void {
    this.model.read(path, this.#order());
    const pointer = this.#pointerAt(path);
    const streams = awaitedStreams(this.driver.state).filter((stream) => stream.pointer === pointer);
    if (pointer === undefined) throw new Difference(`the engine does not wait at ${path}`);
    this.#engine(() =>
      this.driver.feed({
        kind: "events",
        pointer,
        streams: streams.map(({ label, name, key, after, since }) => ({
          label,
          expiredThrough: 0,
          expiredAt: 0,
          events: this.model.events
            .filter((event) => event.name === name && event.key === key && event.number > after && event.at >= since)
            .map((event) => ({ ...event, eventId: "" })),
        })),
      }),
    );
  }

  #publish(name = "e"): void {
    this.#published++;
    const { events } = this.model;
    const number = events.filter((event) => event.name === name).length + 1;
    this.#setNow(this.model.now + (this.#choices.length === 0 ? 400 : 1));
    events.push({ number, at: this.model.now, name, key: "k", payload: number });
  }

  #child(path: string): void {
    const id = path.slice(path.lastIndexOf("/") + 1);
    const call = this.#callOf(path);
    const answer: ChildAnswer = this.program.scripts.get(id)?.children?.[call] ?? {
      status: "completed",
      data: { n: 1 },
    };
    this.story.push(`  ${path} ${JSON.stringify(answer)}`);
    const { pointers, stragglers } = this.driver.state;
    const at = (id: number): boolean => this.#paths.get(id) === path;
    const stopped = [...stragglers.values()].find((one) => one.until === null && !one.ended && at(one.pointer));
    const waiting = [...pointers.values()].find((one) => one.status === "waiting" && at(one.id));
    const pointer = waiting?.id ?? stopped?.pointer ?? -1;
    const childId = this.#childIds.get(pointer);
    if (childId === undefined) throw new Difference(`the engine did not start the child of ${path}`);
    const error = answer.status === "failed" ? { error: storeError(new Error(answer.message)) } : {};
    const { status } = answer;
    const data = answer.status === "completed" ? { data: copy(answer.data) } : {};
    this.#deliver({ kind: "child-ended", pointer, childId, status, ...data, ...error }, (order) => {
      this.model.childEnded(path, answer, order);
      return true;
    });
  }

  #straggler(path: string): void {
    const pointer = [...this.driver.state.stragglers.values()].find(
      (one) => this.#paths.get(one.pointer) === path && !one.ended && one.until !== null,
    )?.pointer;
    if (pointer === undefined) throw new Difference(`the engine has no straggler ${path}`);
    const returned = this.#next(2) === 1;
    this.model.stragglerEnded(path, returned, returned ? "late" : undefined, this.#order());
    this.#engine(() =>
      this.driver.feed({ kind: "straggler-ended", pointer, returned, ...(returned ? { output: "late" } : {}) }),
    );
  }

  /** What was published in time is read before a deadline is judged. */
  #due(now: number): void {
    this.#setNow(now);
    for (let path = this.#readable(); path !== undefined; path = this.#readable()) {
      this.#read(path);
      this.#settle();
      this.#compare();
    }
    if (this.#over) return;
    this.model.due(this.#order());
    this.#engine(() => this.driver.feed({ kind: "due" }));
  }

  #readable(): string | undefined {
    return [...this.model.awaited().keys()].find((path) => this.model.canRead(path));
  }

  #pass(ms: number): void {
    this.#setNow(this.model.now + ms);
    const due = this.model.nextDueAt();
    const graceIsOver = this.model.stragglers().some(({ until }) => until !== null && until <= this.model.now);
    if (graceIsOver || (due !== null && due <= this.model.now)) this.#due(this.model.now);
  }

  #setNow(now: number): void {
    this.model.now = now;
    this.driver.now = now;
  }

  #setData(): void {
    this.#controls++;
    const patch = { [["a", "b", "c"][this.#next(3)] ?? "a"]: this.#next(4) };
    this.story.push(`  ${JSON.stringify(patch)}`);
    this.#deliver({ kind: "set-data", patch }, (order) => this.model.setData(patch, order));
  }

  /** All that is in memory is lost. The next host takes over, with a checkpoint of some turn and the turns after it. */
  #crash(): void {
    this.#controls++;
    const { driver } = this;
    this.model.crash(this.#order());
    driver.journal.push({ seq: driver.state.seq + 1, text: encodeEntries([{ kind: "taken-over" }]) });
    const checkpointAt = this.#next(driver.journal.length);
    let state = initialState();
    for (const { seq, text } of driver.journal) {
      state = evolveTurn(state, { seq, entries: decodeEntries(text) });
      if (seq === checkpointAt) ({ state } = decodeState(encodeState(state, emptySummary())));
    }
    driver.state = state;
  }

  // ---- the engine --------------------------------------------------------------------------------------------------------

  /** What the engine does by itself. */
  #settle(): void {
    const { driver } = this;
    for (let rounds = 0; rounds < 10_000; rounds++) {
      this.#observe();
      const [needed] = journalNeeded(driver.state);
      if (wantsContinue(driver.state, 3)) this.#engine(() => driver.feed({ kind: "continue" }));
      else if (needed !== undefined) {
        const entries = decodeEntries(driver.journal[needed.seq]?.text ?? "[]");
        this.#engine(() => driver.feed({ kind: "journal", ...needed, entries }));
      } else break;
    }
    for (const id of readyPointers(driver.state))
      if (needsBegin(driver.current, driver.state, id)) driver.feed({ kind: "begin", pointer: id });
    if (driver.state.phase === "active") this.model.begin();
    this.#observe();
  }

  /** Does something to the engine and takes note of what it reads and starts. */
  #engine(act: () => void): void {
    const { driver } = this;
    const { state } = driver;
    const turns = driver.journal.length;
    const children = driver.children.length;
    act();
    this.#observe();
    for (const turn of driver.journal.slice(turns)) {
      for (const entry of decodeEntries(turn.text)) {
        if (entry.kind !== "event-consumed") continue;
        const line = state.branches.get(state.pointers.get(entry.pointer)?.branch ?? -1)?.line ?? -1;
        this.consumed.push({ line, stream: streamOf(entry.name, entry.key), number: entry.number });
      }
    }
    for (const { pointer, childId } of driver.children.slice(children)) {
      if ([...this.#childIds.values()].includes(childId)) throw new Difference(`a second child has the id ${childId}`);
      this.#childIds.set(pointer, childId);
    }
  }

  #observe(): void {
    for (const id of this.driver.state.pointers.keys())
      if (id !== 0 && !this.#paths.has(id)) this.#paths.set(id, this.#path(id));
  }

  #path(id: number): string {
    const { branches, pointers } = this.driver.state;
    const pointer = pointers.get(id);
    const branch = branches.get(pointer?.branch ?? -1);
    if (pointer === undefined || branch === undefined) return "?";
    const owner = pointers.get(branch.owner);
    const outer = branch.owner === 0 ? "" : this.#path(branch.owner);
    if (branch.undoing !== null) return `${outer}!undo(${branch.ownerStep})/${pointer.step}`;
    if (branch.owner === 0) return `/${pointer.step}`;
    const index = branch.index === null ? "" : `[${branch.index}]`;
    const attempt = owner?.kind === "saga" && branch.slot === "body" ? `#${owner.attempt}` : "";
    return `${outer}:${branch.slot}${index}${attempt}/${pointer.step}`;
  }

  #pointerAt(path: string): number | undefined {
    return [...this.driver.state.pointers.keys()].find((id) => this.#paths.get(id) === path);
  }

  #order(): Order {
    const ids = [...this.driver.state.pointers.keys()].sort((a, b) => a - b);
    return new Map(ids.map((id, place) => [this.#paths.get(id) ?? "", place]));
  }

  /** Bodies that may run; `also` those that a suspended workflow had begun. */
  #ready(also = false): Map<string, { pointer: number; view: BodyView }> {
    const { state } = this.driver;
    const active = also && state.phase === "suspended" ? { ...state, phase: "active" as const } : state;
    return new Map(
      readyPointers(active).map((pointer) => {
        const { attempt, input, data, item, index, persisted, event, undoing } = attemptOf(
          this.driver.current,
          active,
          pointer,
        );
        const view: BodyView = {
          attempt,
          input,
          data,
          item,
          index,
          persisted,
          event: event?.payload,
          undoing:
            undoing === null
              ? null
              : undoing.error === undefined
                ? { output: undoing.output }
                : { error: wordsOf(undoing.error) },
        };
        return [this.#paths.get(pointer) ?? "?", { pointer, view }];
      }),
    );
  }

  // ---- comparing ---------------------------------------------------------------------------------------------------------

  #compare(): void {
    const { model, driver } = this;
    const { state } = driver;
    const same = (what: string, engine: unknown, expected: unknown): void => {
      const [one, other] = [canonical(engine), canonical(expected)];
      if (one !== other) throw new Difference(`${what}: the engine has ${one}, the model ${other}`);
    };
    same("phase", state.phase, model.phase);
    same("data", state.data, model.data);
    same("step of the error", state.error?.stepId, model.error?.stepId);
    if (!(state.error?.message ?? "").includes(model.error?.message ?? ""))
      same("error", state.error?.message, model.error?.message);
    const engineReady = new Map([...this.#ready()].map(([path, { view }]) => [path, view] as const));
    const modelReady = model.ready();
    for (const [path, view] of modelReady) {
      const error = engineReady.get(path)?.undoing?.error;
      if (error !== undefined && view.undoing?.error !== undefined && error.includes(view.undoing.error))
        modelReady.set(path, { ...view, undoing: { error } });
    }
    same("ready bodies", engineReady, modelReady);
    if (this.#over) {
      same("live pointers", [...state.pointers.keys()], []);
      return;
    }
    same(
      "stragglers",
      [...state.stragglers.values()]
        .filter((one) => !one.ended)
        .map((one) => `${this.#paths.get(one.pointer)} ${one.until}`)
        .sort(),
      model
        .stragglers()
        .map((one) => `${one.path} ${one.until}`)
        .sort(),
    );
    same("next due", nextDueAt(state), model.nextDueAt());
    const waiting = [...state.pointers.values()].filter(
      (pointer) => pointer.wait !== null && pointer.status === "waiting",
    );
    const awaited = waiting.map((pointer) => {
      const open =
        pointer.wait?.streams.filter((stream) => !Object.hasOwn(pointer.wait?.got ?? {}, stream.label)) ?? [];
      const streams = open.map((stream) => streamOf(stream.name, stream.key));
      return [this.#paths.get(pointer.id) ?? "?", { streams, until: pointer.wait?.until ?? null }] as const;
    });
    same("awaited events", new Map(awaited), model.awaited());
    const children = [...state.pointers.values()].filter(
      (one) => one.kind === "run-workflow" && one.status === "waiting",
    );
    same("children", children.map((one) => this.#paths.get(one.id)).sort(), model.children().sort());
    same("stopped children", driver.stopped.length, model.stoppedChildren.length);
  }
}

interface Action {
  readonly name: string;
  readonly run: () => void;
}

function resultOf(answer: Exclude<Answer, { kind: "throw" }>): unknown {
  switch (answer.kind) {
    case "value":
      return copy(answer.value);
    case "outcome":
      return ExecutionResult.outcome(answer.value);
    case "persist":
      return ExecutionResult.persist(answer.data);
    case "sleep":
      return ExecutionResult.sleep(answer.ms, answer.data);
    case "wait-for-event":
      return ExecutionResult.waitForEvent(answer.name, answer.key, answer.data);
  }
}

/** What the model says of an error; the engine says more. */
const knownWords = [
  "came in time",
  "may have been running",
  "was terminated",
  "child boom",
  "ran longer",
  "cannot judge",
];

function wordsOf({ message }: Error): string {
  return knownWords.find((words) => message.includes(words)) ?? message;
}

/** Text that is equal for equal values: keys in order, what is undefined left out, errors by their words. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, one: unknown) => {
      if (one instanceof Error) return { error: wordsOf(one) };
      const record = one instanceof Map ? Object.fromEntries(one) : one;
      if (typeof record !== "object" || record === null || Array.isArray(record)) return record;
      return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? "undefined"
  );
}
