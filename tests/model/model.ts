import { parseDuration } from "../../packages/core/src/duration.ts";
import type { At } from "../../packages/core/src/definition/step-context.ts";
import type {
  Block,
  DefinitionNode,
  DelayNode,
  FailNode,
  ForEachNode,
  GraphNode,
  IfNode,
  OutputMap,
  DecideNode,
  ParallelNode,
  RunWorkflowNode,
  SagaNode,
  SleepUntilNode,
  StepNode,
  WaitNode,
  WhileNode,
} from "../../packages/core/src/definition/nodes.ts";
import {
  type Ending,
  type Env,
  type EventWait,
  Failed,
  type Frame,
  type Line,
  type Line$,
  type NodeEnding,
  type Order,
  type Saga,
  type Scope,
  Stop,
  type Strand,
  type Stream,
  type Straggler,
  type Task,
  type Undoable,
  type Wait,
  deliverable,
  failureOf,
  flatten,
  outermost,
  streamOf,
} from "./lines.ts";
import { type Answer, type BodyView, type ChildAnswer, type Failure, type PublishedEvent } from "./world.ts";

const givenUp = "the step had failed, and the workflow was terminated before anybody mended that";

/**
 * What a workflow means, written down as naively as can be: a recursive interpreter over the definition's nodes, in which a
 * line of control is a generator, a failure is a thrown `Failed`, and stopping something throws a `Stop` into its line. It
 * knows no journal, no turns to commit, and no way to be put away and loaded again. It was written from the public contract.
 */
export class Model {
  phase: "active" | "suspended" | "completed" | "failed" | "terminated" = "active";
  error: Failure | null = null;
  data: Record<string, unknown>;
  now: number;
  readonly startedAt: number;
  readonly events: PublishedEvent[] = [];
  /** Children that were told to end. */
  readonly stoppedChildren: string[] = [];
  #stragglers: Straggler[] = [];
  #live = new Set<Task>();
  #queue: (() => void)[] = [];
  #after: (() => void)[] = [];
  #frames = new Set<Frame>();
  #serial = 0;
  #turn = 0;
  #ending: Ending | null = null;
  #over = false;
  readonly #root: Task;
  readonly #rootScope: Scope;
  readonly #line: Line = new Map();

  constructor(body: Block, data: Record<string, unknown>, now: number) {
    this.data = { ...data };
    this.now = now;
    this.startedAt = now;
    this.#root = this.#task(0, () => undefined);
    this.#rootScope = this.#root.scope;
    this.#root.gen = this.#workflow(body);
    this.#take(() => this.#start(this.#root), new Map());
  }

  // ---- what the world may ask and do; each call is one turn --------------------------------------------------------------

  /** Bodies that want to run, by path; none while it is suspended or has ended. */
  ready(): Map<string, BodyView> {
    const ready = new Map<string, BodyView>();
    if (this.phase === "active")
      for (const wait of this.#waits("body")) ready.set(wait.frame.path, this.#view(wait.frame));
    return ready;
  }

  /** Bodies that were asked to run in a phase that lets them; they may also answer while the workflow is suspended. */
  begin(): void {
    for (const wait of this.#waits("body")) wait.frame.begun = true;
  }

  answers(answers: readonly { readonly path: string; readonly answer: Answer }[], order: Order): void {
    const ordered = [
      ...answers.filter(({ answer }) => answer.kind !== "throw"),
      ...answers.filter(({ answer }) => answer.kind === "throw"),
    ];
    this.#take(() => {
      for (const { path, answer } of ordered) {
        const wait = this.#waits("body").find((one) => one.frame.path === path);
        if (wait !== undefined && !this.#final) this.#resume(wait.frame.env.task, (gen) => gen.next(answer));
        // An undoing has failed for good: what it gave is lost, and its `onCrash` is asked when the workflow is retried.
        else if (wait !== undefined && wait.frame.begun && (wait.frame.node.onCrash ?? "retry") !== "retry")
          Object.assign(wait.frame, { crashed: true, begun: false });
        this.#drain();
      }
    }, order);
  }

  /** Waits of children, by path. */
  children(): string[] {
    return this.#waits("workflow").map((wait) => wait.frame.path);
  }

  childEnded(path: string, answer: ChildAnswer, order: Order): void {
    const straggler = this.#stragglers.find((one) => one.path === path && one.until === null && !one.ended);
    const wait = this.#waits("workflow").find((one) => one.frame.path === path);
    if (wait !== undefined) this.#take(() => this.#resume(wait.frame.env.task, (gen) => gen.next(answer)), order);
    else if (straggler !== undefined) this.#take(() => this.#stragglerEnded(straggler, false, undefined), order);
  }

  /** Bodies and children that were stopped and may still be at it. */
  stragglers(): { readonly path: string; readonly until: number | null }[] {
    return this.#stragglers.filter((one) => !one.ended);
  }

  stragglerEnded(path: string, returned: boolean, output: unknown, order: Order): void {
    const straggler = this.#stragglers.find((one) => one.path === path && !one.ended && one.until !== null);
    if (straggler !== undefined) this.#take(() => this.#stragglerEnded(straggler, returned, output), order);
  }

  /** Waits for events, by path, with the streams still wanted and the deadline. */
  awaited(): Map<string, { readonly streams: string[]; readonly until: number | null }> {
    const awaited = new Map<string, { streams: string[]; until: number | null }>();
    for (const wait of this.#waits("event")) {
      const open = wait.streams.filter((stream) => !Object.hasOwn(wait.got, stream.label));
      awaited.set(wait.frame.path, { streams: open.map((one) => streamOf(one.name, one.key)), until: wait.until });
    }
    return awaited;
  }

  /** Whether a wait would take something of what was published. */
  canRead(path: string): boolean {
    const wait = this.#waits("event").find((one) => one.frame.path === path);
    return this.phase === "active" && wait !== undefined && this.#firstEvent(wait) !== undefined;
  }

  read(path: string, order: Order): void {
    const wait = this.#waits("event").find((one) => one.frame.path === path);
    if (wait === undefined || this.phase !== "active") return;
    this.#take(() => {
      for (let found = this.#firstEvent(wait); found !== undefined; found = this.#firstEvent(wait)) {
        const { stream, event } = found;
        wait.frame.env.line.set(streamOf(stream.name, stream.key), event.number);
        wait.got[stream.label] = event.payload;
        const all = wait.mode === "all" && wait.streams.some(({ label }) => !Object.hasOwn(wait.got, label));
        if (all) continue;
        return this.#resume(wait.frame.env.task, (gen) => gen.next(stream));
      }
    }, order);
  }

  /** The next moment at which time moves the workflow. */
  nextDueAt(): number | null {
    if (this.phase !== "active") return null;
    const times = [
      ...this.#waits("timer").map((wait) => wait.dueAt),
      ...this.#waits("event").flatMap((wait) => [wait.until, wait.remindAt]),
      ...this.#waits("workflow").map((wait) => wait.until),
      ...this.#openSagas().map(({ deadline }) => deadline?.at ?? null),
      ...this.#stragglers.filter((one) => !one.ended).map((one) => one.until),
    ].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Everything due happens, in order of time; among equals in the order given. */
  due(order: Order): void {
    this.#take(() => {
      if (this.phase === "active") this.#timersCame(order);
      for (const straggler of this.#stragglers)
        if (!straggler.ended && straggler.until !== null && straggler.until <= this.now)
          this.#stragglerEnded(straggler, false, undefined);
    }, order);
  }

  #timersCame(order: Order): void {
    const waits = [...this.#waits("timer"), ...this.#waits("event"), ...this.#waits("workflow")];
    const due = [
      ...waits.map((wait) => ({
        frame: wait.frame,
        at: (wait.kind === "timer" ? wait.dueAt : wait.until) ?? Infinity,
        come: () => this.#timeCame(wait),
      })),
      ...this.#openSagas().map((frame) => ({
        frame,
        at: frame.deadline?.at ?? Infinity,
        come: () => this.#sagaTimedOut(frame),
      })),
    ]
      .filter(({ at }) => at <= this.now)
      .sort((a, b) => a.at - b.at || this.#before(order, a.frame, b.frame));
    for (const { come } of due) {
      if (this.#final) continue;
      come();
      this.#drain();
    }
    for (const wait of this.#waits("event")) this.#remind(wait);
  }

  #timeCame(wait: Wait & { readonly frame: Frame }): void {
    const { task } = wait.frame.env;
    if (task.wait !== wait) return;
    if (wait.kind !== "workflow") return this.#resume(task, (gen) => gen.next("timeout"));
    // It is waited for: what it undoes is undone first.
    Object.assign(wait, { isLate: true, until: null });
    this.stoppedChildren.push(wait.frame.path);
  }

  /** Sagas whose body runs, and that nothing from outside has told to end. */
  #openSagas(): Frame[] {
    return [...this.#frames].filter(({ deadline, env: { task }, depth }) => {
      const inside = [...this.#frames].filter((frame) => frame.env.task === task && frame.depth > depth);
      const around = task.shields.filter((one) => one.depth < depth);
      // A stop that waits for what ends around it has not reached it.
      const pending = task.pending.filter(({ target }) => around.every((one) => one.depth < target.depth));
      const stops = [...pending, ...inside.map(({ stoppedBy }) => stoppedBy)];
      return deadline !== null && stops.every((stop) => stop === null || stop.target.depth > depth);
    });
  }

  #sagaTimedOut(frame: Frame): void {
    const { deadline } = frame;
    if (deadline === null || !this.#openSagas().includes(frame)) return;
    frame.deadline = null;
    this.#beginEnding(frame);
    this.#stop(frame.env.task, new Stop(deadline.inside));
  }

  /** False: refused. */
  suspend(): boolean {
    if (this.phase !== "active") return false;
    this.#turn++;
    this.phase = "suspended";
    this.error = null;
    return true;
  }

  resume(order: Order): boolean {
    if (this.phase !== "suspended") return false;
    this.#take(() => {
      this.#activate(order);
    }, order);
    return true;
  }

  terminate(compensate: boolean, order: Order): boolean {
    const stuck = this.#waits("stuck").length > 0;
    if (this.#final && !stuck) return false;
    this.#take(() => {
      const ending: Ending = { kind: "terminated", compensate };
      if (stuck || (this.#ending !== null && !compensate)) this.#finalize(ending);
      else this.#endRoot(ending, true);
    }, order);
    return true;
  }

  /** Repeats the undoing that failed. */
  retryUndo(order: Order): boolean {
    const [stuck] = this.#waits("stuck");
    if (stuck === undefined) return false;
    this.#take(() => {
      this.phase = "active";
      // The workflow had failed with it: what else there is ends too, and is undone.
      if (stuck.saga.error !== undefined) {
        const ending: Ending = { kind: "failed", error: stuck.saga.error };
        if (this.#ending?.kind === "completed") this.#ending = ending;
        else this.#endRoot(ending);
      }
      this.#activate(order);
      this.#resume(stuck.task, (gen) => gen.next());
    }, order);
    return true;
  }

  setData(patch: Record<string, unknown>, order: Order): boolean {
    if (this.phase === "completed" || this.phase === "terminated") return false;
    this.#take(() => Object.assign(this.data, patch), order);
    // What is held waits for a correction.
    for (const { frame } of this.#waits("held")) frame.mapped = false;
    return true;
  }

  /** The host died: bodies may have been running, and those that had begun ask their `onCrash`. */
  crash(order: Order): void {
    const mayJudge = (frame: Frame): boolean => frame.begun && (frame.node.onCrash ?? "retry") !== "retry";
    if (this.phase === "suspended") {
      // They are judged when it is resumed.
      for (const { frame } of this.#waits("body").filter(({ frame }) => mayJudge(frame)))
        Object.assign(frame, { crashed: true, begun: false });
    }
    if (this.phase !== "active") return;
    this.#take(() => {
      const running = this.#sorted(this.#waits("body"), order);
      for (const { frame } of running) {
        frame.crashed = mayJudge(frame);
        frame.begun = false;
        if (!frame.crashed) frame.attempt++;
      }
      this.#judgeCrashed(order);
    }, order);
  }

  #judgeCrashed(order: Order): void {
    for (const wait of this.#sorted(this.#waits("body"), order)) {
      const { frame } = wait;
      if (!frame.crashed || frame.env.task.wait !== wait || this.#final) continue;
      frame.crashed = false;
      const failure = { message: "may have been running", stepId: frame.node.id };
      const does = frame.node.onCrash === "suspend" ? "suspend" : "fail";
      this.#resume(frame.env.task, (gen) => gen.throw(new Failed(failure, does)));
      this.#drain();
    }
  }

  // ---- nodes -------------------------------------------------------------------------------------------------------------

  *#workflow(body: Block): Line$<void> {
    const root = this.#root;
    const saga: Saga = { log: [] };
    const env: Env = {
      task: root,
      depth: 0,
      path: "",
      line: this.#line,
      layer: null,
      saga,
      place: { item: undefined, index: undefined, items: undefined },
      undoing: null,
      hook: null,
    };
    try {
      yield* this.#block(body, env);
    } catch (thrown) {
      if (thrown instanceof Failed) this.#ending ??= { kind: "failed", error: thrown.failure };
      else if (!(thrown instanceof Stop)) throw thrown;
    }
    const ending = this.#ending ?? { kind: "completed" };
    root.shields.push({ depth: -1 });
    const undoes = ending.kind === "failed" || (ending.kind === "terminated" && ending.compensate);
    if (undoes && (saga.log.length > 0 || this.#atIt(saga, false))) yield* this.#undo(env, saga, []);
    this.#finalize(ending);
  }

  /** Gives the last output; a node that was cancelled without `proceed` ends the block. */
  *#block(block: Block, env: Env): Line$ {
    let last: unknown;
    for (const node of block.nodes) {
      yield { kind: "next" };
      const { output, over } = yield* this.#node(node, env, last);
      if (over) return undefined;
      last = output;
    }
    yield { kind: "next" };
    return last;
  }

  *#node(node: DefinitionNode, env: Env, last: unknown): Generator<Wait, { output: unknown; over: boolean }, any> {
    if (this.#cancels(node, env)) return { output: undefined, over: node.cancelWhen?.proceed !== true };
    const frame = this.#frame(node, env);
    const { task } = env;
    let ending: NodeEnding;
    try {
      ending = yield* this.#attempts(frame, last);
    } catch (thrown) {
      if (!(thrown instanceof Stop)) throw thrown;
      ending = { kind: "stopped", stop: thrown };
      frame.stoppedBy = thrown;
      this.#stopped(frame);
    }
    this.#beginEnding(frame);
    ending = yield* this.#hooks(frame, ending);
    this.#endEnding(frame);
    this.#frames.delete(frame);
    if (ending.kind === "failed" && ending.behavior === "terminate")
      yield { kind: "terminate", env, failure: ending.failure };
    const stop = outermost(this.#takePending(task), ending.kind === "stopped" ? ending.stop : null);
    if (stop !== null && stop.target !== frame) throw stop;
    if (ending.kind === "failed" && ending.behavior === "fail") throw new Failed(ending.failure);
    if (ending.kind === "stopped") return { output: undefined, over: node.cancelWhen?.proceed !== true };
    return { output: ending.kind === "completed" ? ending.output : undefined, over: false };
  }

  /** Tries until it has completed, or failed for good. */
  *#attempts(frame: Frame, last: unknown): Generator<Wait, NodeEnding, any> {
    const { node, env } = frame;
    const { onError = "fail" } = node;
    for (;;) {
      let failed: Failed;
      let over: Failure | undefined;
      try {
        const output = yield* this.#run(frame, last);
        this.#completed(frame, output);
        return { kind: "completed", output };
      } catch (thrown) {
        failed = failureOf(thrown, node);
      }
      let { failure } = failed;
      this.#endEnding(frame);
      const stopping = env.task.pending.some((stop) => deliverable(env.task, stop));
      const retry = typeof onError === "object" ? onError : undefined;
      const again = retry !== undefined && frame.retries < retry.maxRetries && failure.fatal !== true;
      let accepted = !stopping && again && failed.does === undefined;
      try {
        accepted &&= retry?.when?.(new Error(failure.message)) ?? true;
      } catch (thrown) {
        accepted = false;
        failure = { ...failure, message: (thrown as Error).message };
      }
      if (accepted && retry !== undefined) {
        const full = Math.min(retry.intervalMs * retry.backoff ** frame.retries, retry.maxIntervalMs);
        frame.retries++;
        frame.attempt++;
        yield { kind: "timer", frame, dueAt: this.now + Math.round(retry.jitter ? full * 0.75 : full) };
        continue;
      }
      const forGood = failed.does === "fail for good";
      const behavior = forGood ? "fail" : (retry?.then ?? (onError as Exclude<typeof onError, object>));
      if ((behavior === "suspend" || failed.does === "suspend") && !stopping) {
        if (!this.#final) Object.assign(this, { phase: "suspended", error: failure });
        over = yield { kind: "held", frame };
        if (over === undefined) continue;
      }
      const final = behavior === "suspend" || over !== undefined ? "fail" : behavior;
      if (final === "fail") {
        const error = over?.message ?? failure.message;
        const record = node.kind === "saga" ? undefined : this.#record(frame, { error });
        if (failed.stillRuns && over === undefined && env.inUndoing !== true)
          this.#straggles(frame, env.saga, this.now + 30_000, record);
      }
      if (node.kind === "saga" && (final === "ignore" || final === "compensate"))
        this.#put(frame, { ok: false, error: new Error(failure.message) });
      return { kind: "failed", failure: over ?? failure, behavior: final, stillRuns: failed.stillRuns };
    }
  }

  *#hooks(frame: Frame, before: NodeEnding): Generator<Wait, NodeEnding, any> {
    const { node } = frame;
    let ending = before;
    if (ending.kind === "failed" && ending.behavior === "compensate" && node.kind !== "saga") {
      const undoing = yield* this.#afterItsBody(frame, ending);
      const failure = yield* this.#hook(frame, node.compensation, `!undo(${node.id})`, undoing);
      if (failure !== null) ending = { kind: "failed", failure, behavior: "fail" };
    }
    if (ending.kind === "failed") yield* this.#hook(frame, node.onFailure, ":onFailure", null);
    const failure = yield* this.#hook(frame, node.ensure, ":ensure", null);
    if (
      failure === null ||
      (ending.kind === "failed" && (ending.behavior === "fail" || ending.behavior === "terminate"))
    )
      return ending;
    if (ending.kind === "stopped" && (ending.stop.target !== frame || node.cancelWhen?.proceed !== true)) return ending;
    return { kind: "failed", failure, behavior: "fail" };
  }

  /** Gives why it failed. `endWorkflow` in it ends it. */
  *#hook(
    frame: Frame,
    block: Block | undefined,
    name: string,
    undoing: Env["undoing"],
  ): Generator<Wait, Failure | null, any> {
    if (block === undefined) return null;
    const hook: Scope = { task: frame.env.task, depth: frame.depth + 1 };
    const env = {
      ...frame.env,
      depth: hook.depth,
      path: `${frame.path}${name}`,
      hook,
      undoing: undoing ?? frame.env.undoing,
      inUndoing: undoing !== null || frame.env.inUndoing === true,
    };
    try {
      yield* this.#block(block, env);
      return null;
    } catch (thrown) {
      if (thrown instanceof Failed) return thrown.failure;
      if (thrown instanceof Stop && thrown.target === hook) return null;
      throw thrown;
    }
  }

  #run(frame: Frame, last: unknown): Line$ {
    const { node } = frame;
    switch (node.kind) {
      case "step":
        return this.#step(frame, node);
      case "if":
      case "decide":
        return this.#branching(frame, node, last);
      case "while":
      case "do-while":
        return this.#loop(frame, node);
      case "for-each":
        return this.#forEach(frame, node);
      case "parallel":
        return this.#parallel(frame, node);
      case "graph":
        return this.#graph(frame, node);
      case "saga":
        return this.#saga(frame, node);
      case "wait":
        return this.#wait(frame, node);
      case "delay":
      case "sleep-until":
        return this.#timer(frame, node);
      case "run-workflow":
        return this.#child(frame, node);
      case "end":
        return this.#end(frame, { kind: "completed" });
      case "fail":
        return this.#fail(frame, node);
    }
  }

  *#step(frame: Frame, node: StepNode): Line$ {
    if (node.input !== undefined && !frame.mapped) frame.input = this.#call(node.input, frame.env);
    frame.mapped = node.input !== undefined;
    for (;;) {
      frame.begun = false;
      const answer: Answer = yield { kind: "body", frame };
      if (answer.kind === "value" || answer.kind === "outcome") return answer.value;
      if (answer.kind === "throw") {
        const fatal = answer.fatal === true ? { fatal: true } : {};
        const failed = new Failed({ message: answer.message, stepId: node.id, ...fatal });
        throw Object.assign(failed, { stillRuns: answer.stillRuns === true });
      }
      frame.event = undefined;
      if (answer.kind === "persist" || answer.data !== undefined) frame.persisted = answer.data;
      if (answer.kind === "sleep") yield { kind: "timer", frame, dueAt: this.now + answer.ms };
      if (answer.kind === "wait-for-event") {
        const { name, key } = answer;
        const wait = this.#eventWait(frame, "one", [{ label: "", name, key, since: this.startedAt }], null, null);
        yield wait;
        frame.event = wait.got[""];
      }
    }
  }

  *#branching(frame: Frame, node: IfNode | DecideNode, last: unknown): Line$ {
    let chosen: readonly [string, Block | undefined];
    if (node.kind === "if") {
      const yes = Boolean(this.#call(node.condition, frame.env));
      chosen = yes ? ["then", node.then] : ["otherwise", node.otherwise];
    } else {
      const text = String(node.value === undefined ? last : this.#call(node.value, frame.env));
      const found = node.cases.get(text);
      chosen = found === undefined ? ["otherwise", node.otherwise] : [`case:${text}`, found];
    }
    if (chosen[1] !== undefined) return yield* this.#block(chosen[1], this.#inner(frame, `:${chosen[0]}`));
    yield { kind: "next" };
    return undefined;
  }

  *#loop(frame: Frame, node: WhileNode): Line$ {
    let output: unknown;
    const holds = (index: number): boolean => {
      const place = { ...frame.env.place, index };
      return Boolean(this.#call(node.condition, { ...frame.env, place }));
    };
    let again = node.kind === "do-while" || holds(0);
    if (!again) yield { kind: "next" };
    for (let index = 0; again; index++) {
      const env = this.#inner(frame, `:body[${index}]`);
      output = yield* this.#block(node.body, { ...env, place: { ...env.place, index } });
      again = holds(index + 1);
    }
    return output;
  }

  *#forEach(frame: Frame, node: ForEachNode): Line$ {
    const items = [...(this.#call(node.items, frame.env) as Iterable<unknown>)];
    if (items.length === 0) yield { kind: "next" };
    const results = items.map((): unknown => undefined);
    let next = 0;
    yield* this.#overlap(frame, node.concurrency, node.onBranchFailure, () => {
      if (next >= items.length) return undefined;
      const index = next++;
      const layer = { values: {}, outer: frame.env.layer };
      const place = { item: items[index], index, items };
      return {
        name: `:body[${index}]`,
        block: node.body,
        env: { layer, place, ...(node.concurrency === 1 ? { line: frame.env.line } : {}) },
        ended: (output) => (results[index] = output),
      };
    });
    return node.as === undefined ? undefined : results;
  }

  *#parallel(frame: Frame, node: ParallelNode): Line$<void> {
    let next = 0;
    if (node.branches.length === 0) yield { kind: "next" };
    yield* this.#overlap(frame, Infinity, node.onBranchFailure, () => {
      const block = node.branches[next];
      return block === undefined ? undefined : { name: `:branch:${next++}`, block, env: {} };
    });
  }

  *#graph(frame: Frame, node: GraphNode): Line$<void> {
    yield { kind: "next" };
    const begun = new Set<string>();
    const ended = new Set<string>();
    yield* this.#overlap(frame, node.concurrency, node.onBranchFailure, () => {
      const vertex = node.vertices.find((one) => !begun.has(one.node.id) && one.needs.every((need) => ended.has(need)));
      if (vertex === undefined) return undefined;
      const { id } = vertex.node;
      begun.add(id);
      return { name: `:vertex:${id}`, block: { nodes: [vertex.node] }, env: {}, ended: () => ended.add(id) };
    });
  }

  /** Lines that overlap, as many at a time as allowed; gives up, or waits for the others, when one fails. */
  *#overlap(frame: Frame, atATime: number, onFailure: "cancel" | "wait", next: () => Strand | undefined): Line$<void> {
    const { env } = frame;
    const open = new Map<Task, Strand>();
    const ended: Task[] = [];
    const joined: Line = new Map();
    let failure: Failure | undefined;
    const openMore = (): void => {
      while (open.size < atATime) {
        const strand = next();
        if (strand === undefined) return;
        const line = strand.env.line ?? new Map(env.line);
        const task = this.#task(frame.depth + 1, (over) => {
          ended.push(over);
          if (env.task.wait?.kind === "strand" && env.task.wait.frame === frame)
            this.#resume(env.task, (gen) => gen.next());
        });
        const inner = { ...this.#inner(frame, strand.name), ...strand.env, line, task };
        task.gen = this.#block(strand.block, inner);
        task.line = line;
        open.set(task, strand);
        this.#start(task);
      }
    };
    const oneEnded = function* (): Generator<Wait, Task, any> {
      if (ended.length === 0) yield { kind: "strand", frame };
      const task = ended.shift() as Task;
      for (const [stream, number] of task.line) joined.set(stream, Math.max(number, joined.get(stream) ?? 0));
      return task;
    };
    try {
      openMore();
      while (open.size > 0) {
        const task = yield* oneEnded();
        const strand = open.get(task);
        open.delete(task);
        if (task.thrown instanceof Failed) {
          failure ??= task.thrown.failure;
          if (onFailure === "cancel") throw task.thrown;
        } else strand?.ended?.(task.output);
        openMore();
      }
      if (failure !== undefined) throw new Failed(failure);
    } catch (thrown) {
      this.#beginEnding(frame);
      if (thrown instanceof Stop) frame.stoppedBy = thrown;
      for (const task of open.keys()) this.#stop(task, new Stop(task.scope));
      while (open.size > 0) open.delete(yield* oneEnded());
      throw thrown;
    } finally {
      for (const [stream, number] of joined) env.line.set(stream, Math.max(number, env.line.get(stream) ?? 0));
    }
  }

  *#saga(frame: Frame, node: SagaNode): Line$ {
    const saga: Saga = { log: [] };
    frame.saga = saga;
    const env = { ...this.#inner(frame, `:body#${frame.attempt}`), saga };
    const inside: Scope = { task: frame.env.task, depth: frame.depth + 1 };
    if (node.timeoutMs !== undefined) frame.deadline = { at: this.now + node.timeoutMs, inside };
    try {
      yield* this.#block(node.body, env);
      frame.deadline = null;
      return { ok: true };
    } catch (raised) {
      frame.deadline = null;
      const isTime = raised instanceof Stop && raised.target === inside;
      const thrown = isTime ? new Failed({ message: "ran longer", stepId: node.id }) : raised;
      if (!(thrown instanceof Failed)) throw thrown;
      this.#beginEnding(frame);
      saga.error = thrown.failure;
      const own = node.compensation === undefined ? [] : [this.#recordOf(frame, { error: thrown.failure.message })];
      yield* this.#undo({ ...frame.env, path: frame.path, depth: frame.depth + 1, saga }, saga, own);
      frame.saga = null;
      // What is still at it is waited for around it.
      for (const one of this.#stragglers) if (one.saga === saga) one.saga = frame.env.saga;
      if (saga.failed === true) throw new Failed(thrown.failure, "fail for good");
      throw thrown;
    }
  }

  *#wait(frame: Frame, node: WaitNode): Line$ {
    const { env } = frame;
    const every = node.remind === undefined ? null : parseDuration(this.#value(node.remind.every, env) as number);
    const until =
      node.timeout === undefined ? null : this.now + parseDuration(this.#value(node.timeout, env) as number);
    const { asOf } = node;
    const since = asOf === "start" ? this.startedAt : asOf === "now" ? this.now : asOf === "beginning" ? 0 : +asOf;
    const streams = node.events.map(({ label, name, key }) => ({
      label,
      name,
      key: String(this.#value(key, env)),
      since,
    }));
    const wait = this.#eventWait(frame, node.mode, streams, until, every);
    try {
      const came: { label: string } | "timeout" = yield wait;
      if (came !== "timeout") {
        if (node.mode === "one") return wait.got[""];
        return node.mode === "all" ? wait.got : { which: came.label, payload: wait.got[came.label] };
      }
    } finally {
      if (frame.reminder !== null) this.#stop(frame.reminder, new Stop(frame.reminder.scope));
    }
    if (node.onTimeout === undefined) throw new Failed({ message: "came in time", stepId: node.id });
    yield* this.#block(node.onTimeout, this.#inner(frame, ":onTimeout"));
    return undefined;
  }

  *#timer(frame: Frame, node: DelayNode | SleepUntilNode): Line$<void> {
    const dueAt =
      node.kind === "delay"
        ? this.now + parseDuration(this.#value(node.duration, frame.env) as number)
        : Number(this.#value(node.date, frame.env));
    yield { kind: "timer", frame, dueAt };
  }

  *#child(frame: Frame, node: RunWorkflowNode): Line$ {
    if (node.input !== undefined) frame.input = this.#call(node.input, frame.env);
    const until = node.timeoutMs === undefined ? null : this.now + node.timeoutMs;
    const wait: Wait = { kind: "workflow", frame, since: this.#turn, until, isLate: false };
    const answer: ChildAnswer = yield wait;
    if (answer.status === "completed") return answer.data;
    const why = answer.status === "failed" ? answer.message : "was terminated";
    const message = wait.isLate ? "ran longer" : why;
    throw new Failed({ message, stepId: node.id });
  }

  *#end(frame: Frame, ending: Ending): Line$<void> {
    yield { kind: "end", env: frame.env, ending };
  }

  *#fail(frame: Frame, node: FailNode): Line$<void> {
    const error = { message: String(this.#value(node.message, frame.env)), stepId: node.id };
    // Of an undoing, or once the workflow is ending, only what it stands in can fail.
    if (frame.env.inUndoing === true || (this.#ending !== null && frame.env.hook !== null)) throw new Failed(error);
    yield* this.#end(frame, { kind: "failed", error });
  }

  // ---- undoing -----------------------------------------------------------------------------------------------------------

  /** Newest first. A completed saga counts as one: what is in it, then its own. */
  *#undo(env: Env, saga: Saga, own: Undoable[]): Line$<void> {
    const flat = (records: readonly Undoable[]): Undoable[] =>
      records
        .toReversed()
        .flatMap((one) => [...flat(one.inner), ...(one.node.compensation === undefined ? [] : [one])]);
    const records = [...flat(saga.log), ...own];
    for (let record = records.shift(); ; record = records.shift()) {
      // What ends together with the failure is taken first; what ends a saga follows at once.
      if (record !== undefined && record.inner.length === 0 && !own.includes(record)) yield { kind: "after" };
      for (;;) {
        if (this.phase === "suspended") yield { kind: "paused", task: env.task };
        else if (this.#atIt(saga, record !== undefined)) yield { kind: "stragglers", task: env.task, saga };
        else break;
      }
      if (record === undefined) break;
      yield* this.#undoOne(env, record);
    }
  }

  /** Whether what was stopped in a saga is still at it. With nothing to undo, only children are waited for. */
  #atIt(saga: Saga, undoes: boolean): boolean {
    return this.#stragglers.some((one) => one.saga === saga && !one.ended && (undoes || one.until === null));
  }

  *#undoOne(around: Env, record: Undoable): Line$ {
    const late = record.straggler?.returned === true;
    const undoing = late
      ? { output: record.straggler?.output }
      : record.error === undefined
        ? { output: record.output }
        : { error: record.error };
    for (;;) {
      const hook: Scope = { task: around.task, depth: around.depth + 1 };
      const env: Env = {
        ...around,
        depth: hook.depth,
        path: `${around.path}!undo(${record.node.id})`,
        layer: record.layer === null ? around.layer : { values: { ...record.layer }, outer: around.layer },
        place: record.place.index === undefined ? around.place : { ...record.place, items: undefined },
        hook,
        undoing,
        inUndoing: true,
      };
      try {
        yield* this.#block(record.node.compensation as Block, env);
        return;
      } catch (thrown) {
        if (thrown instanceof Stop && thrown.target === hook) return;
        if (!(thrown instanceof Failed)) throw thrown;
        this.phase = "failed";
        this.error = { message: thrown.failure.message, stepId: record.node.id };
        yield { kind: "stuck", task: env.task, saga: around.saga };
        around.saga.failed = true;
      }
    }
  }

  #record(frame: Frame, how: Pick<Undoable, "output" | "error">): Undoable | undefined {
    const { env, node } = frame;
    const inner = frame.saga?.log ?? [];
    if (env.inUndoing === true || (node.compensation === undefined && inner.length === 0)) return undefined;
    const record = { ...this.#recordOf(frame, how), inner };
    env.saga.log.push(record);
    return record;
  }

  #recordOf(frame: Frame, how: Pick<Undoable, "output" | "error">): Undoable {
    const { node, env } = frame;
    return { node, place: env.place, layer: env.layer === null ? null : flatten(env.layer), inner: [], ...how };
  }

  /** A live node was stopped: it began and did not end. */
  #stopped(frame: Frame): void {
    const { env, node, wait } = frame;
    if (frame.saga !== null) for (const one of this.#stragglers) if (one.saga === frame.saga) one.saga = env.saga;
    if (frame.openedIn >= this.#turn && frame.attempt === 1) return;
    const undone = node.kind === "saga" && frame.saga === null;
    const record = undone ? undefined : this.#record(frame, { error: "was stopped" });
    const body = wait?.kind === "body";
    // A child that is stopped in the turn that was to begin it is not begun.
    const child = wait?.kind === "workflow" && wait.since < this.#turn;
    if (child) this.stoppedChildren.push(frame.path);
    if (!body && !child) return;
    this.#straggles(frame, env.saga, body ? this.now + 30_000 : null, record);
  }

  /** Its body, or its child, is still at it. */
  #straggles({ path }: Frame, saga: Saga, until: number | null, record: Undoable | undefined): Straggler {
    const straggler: Straggler = { path, saga, until, ended: false, returned: false, output: undefined };
    this.#stragglers.push(straggler);
    if (record !== undefined) record.straggler = straggler;
    return straggler;
  }

  /** Its own compensation waits for its body. Gives what that knows then. */
  *#afterItsBody(frame: Frame, { failure, stillRuns }: NodeEnding & { kind: "failed" }): Line$<BodyView["undoing"]> {
    if (stillRuns !== true || frame.node.compensation === undefined) return { error: failure.message };
    const saga: Saga = { log: [] };
    const straggler = this.#straggles(frame, saga, this.now + 30_000, undefined);
    while (!straggler.ended) yield { kind: "stragglers", task: frame.env.task, saga };
    return straggler.returned ? { output: straggler.output } : { error: failure.message };
  }

  #stragglerEnded(straggler: Straggler, returned: boolean, output: unknown): void {
    Object.assign(straggler, { ended: true, returned, output });
    for (const wait of this.#waits("stragglers"))
      if (wait.saga === straggler.saga) this.#resume(wait.task, (gen) => gen.next());
  }

  // ---- data --------------------------------------------------------------------------------------------------------------

  #completed(frame: Frame, output: unknown): void {
    const { node, env } = frame;
    if (node.output === undefined) this.#put(frame, output);
    else this.#reduce(frame, output, node.output);
    if (frame.saga !== null) for (const one of this.#stragglers) if (one.saga === frame.saga) one.saga = env.saga;
    this.#record(frame, { output });
  }

  /** The body is not run again for an output map that throws. */
  #reduce({ node, env }: Frame, output: unknown, map: OutputMap): void {
    try {
      Object.assign(this.data, map(this.#dataAt(env), output, this.#at(env)));
    } catch (thrown) {
      throw new Failed(failureOf(thrown, node).failure, "fail");
    }
  }

  /** `.as` is local to an item. */
  #put({ node, env }: Frame, output: unknown): void {
    if (node.as !== undefined) (env.layer?.values ?? this.data)[node.as] = output;
  }

  #dataAt(env: Env): Record<string, unknown> {
    return { ...this.data, ...(env.layer === null ? {} : flatten(env.layer)) };
  }

  #at({ place }: Env): At {
    const workflow = { id: "w", definitionId: "w", version: 1, namespace: "default", tags: [] };
    return { item: place.item, index: place.index as number, items: place.items ?? [], workflow, now: this.now };
  }

  #call(fn: (data: any, at: At) => unknown, env: Env): unknown {
    return fn(this.#dataAt(env), this.#at(env));
  }

  #value(value: unknown, env: Env): unknown {
    return typeof value === "function" ? this.#call(value as (data: any, at: At) => unknown, env) : value;
  }

  #cancels(node: DefinitionNode, env: Env): boolean {
    return node.cancelWhen !== undefined && this.#call(node.cancelWhen.condition, env) === true;
  }

  #view(frame: Frame): BodyView {
    const { attempt, env, persisted, event, node } = frame;
    const data = this.#dataAt(env);
    const input = node.kind === "step" && node.input !== undefined ? frame.input : data;
    return {
      attempt,
      input,
      data,
      item: env.place.item,
      index: env.place.index,
      persisted,
      event,
      undoing: env.undoing,
    };
  }

  // ---- events and reminders ----------------------------------------------------------------------------------------------

  #eventWait(frame: Frame, mode: "one" | "any" | "all", streams: Stream[], until: number | null, every: number | null) {
    const wait: EventWait = {
      kind: "event",
      frame,
      mode,
      streams,
      until,
      every,
      remindAt: every === null ? null : this.now + every,
      got: {},
    };
    return wait;
  }

  /** The next that a wait takes: in order, never one before its line's cursor; the oldest of several wins `any`. */
  #firstEvent(wait: EventWait): { stream: Stream; event: PublishedEvent } | undefined {
    const firsts = wait.streams.flatMap((stream) => {
      if (Object.hasOwn(wait.got, stream.label)) return [];
      const cursor = wait.frame.env.line.get(streamOf(stream.name, stream.key)) ?? 0;
      const event = this.events.find(
        ({ name, key, number, at }) =>
          name === stream.name &&
          key === stream.key &&
          number > cursor &&
          (cursor > 0 || at >= stream.since) &&
          at <= (wait.until ?? Infinity),
      );
      return event === undefined ? [] : [{ stream, event }];
    });
    return (wait.mode === "any" ? firsts.sort((a, b) => a.event.at - b.event.at) : firsts)[0];
  }

  #remind(wait: EventWait): void {
    const { frame, every } = wait;
    const { env, node } = frame;
    if (wait.remindAt === null || every === null || wait.remindAt > this.now || node.kind !== "wait") return;
    while (wait.remindAt <= this.now) wait.remindAt += every;
    if (frame.reminder !== null) return;
    const task = this.#task(frame.depth + 1, (over) => {
      frame.reminder = null;
      if (over.thrown instanceof Failed && env.task.wait === wait)
        this.#resume(env.task, (gen) => gen.throw(over.thrown));
    });
    frame.reminder = task;
    const line = new Map(env.line);
    task.gen = this.#block(node.remind?.do as Block, { ...this.#inner(frame, ":remind"), task, line });
    this.#start(task);
  }

  // ---- lines of control --------------------------------------------------------------------------------------------------

  #task(depth: number, onEnd: Task["onEnd"]): Task {
    const task = { gen: null, wait: null, shields: [], pending: [], line: new Map(), onEnd } as unknown as Task;
    task.scope = { task, depth };
    return task;
  }

  #start(task: Task): void {
    this.#resume(task, (gen) => gen.next());
  }

  #resume(task: Task, step: (gen: Line$) => IteratorResult<Wait, unknown>): void {
    if (this.#over) return;
    if (task.wait !== null && "frame" in task.wait) task.wait.frame.wait = task.wait;
    task.wait = null;
    let result: IteratorResult<Wait, unknown>;
    try {
      result = step(task.gen);
    } catch (thrown) {
      if (!(thrown instanceof Failed) && !(thrown instanceof Stop)) throw thrown;
      task.thrown = thrown;
      this.#live.delete(task);
      return task.onEnd(task);
    }
    if (result.done === true) {
      task.output = result.value;
      this.#live.delete(task);
      return task.onEnd(task);
    }
    const wait = result.value;
    this.#live.add(task);
    task.wait = wait;
    if ("frame" in wait) wait.frame.wait = wait;
    const unlessMoved = (job: () => void) => (): void => {
      if (task.wait === wait && !this.#over) job();
    };
    if (wait.kind === "next") this.#queue.push(unlessMoved(() => this.#resume(task, (gen) => gen.next())));
    if (wait.kind === "after") this.#after.push(unlessMoved(() => this.#resume(task, (gen) => gen.next())));
    if (wait.kind === "end") this.#queue.push(unlessMoved(() => this.#endHere(wait.ending, wait.env, task, wait)));
    if (wait.kind === "terminate") {
      const ending: Ending = { kind: "terminated", compensate: false, error: wait.failure };
      const finalizes = this.#ending !== null || wait.env.inUndoing === true;
      this.#queue.unshift(
        unlessMoved(() => (finalizes ? this.#finalize(ending) : this.#endHere(ending, wait.env, task, wait))),
      );
    }
  }

  /** Ends the workflow from a line; a hook that the line stands in is over too. */
  #endHere(ending: Ending, env: Env, task: Task, wait: Wait): void {
    this.#endRoot(ending);
    if (env.hook !== null && task.wait === wait) this.#stop(env.hook.task, new Stop(env.hook));
    // It was told to stop before, and had only this to end.
    if (task.wait === wait) this.#resume(task, (gen) => gen.next());
  }

  /** `byHand`: what an error holds in a hook has failed. What it holds in an undoing begins again. */
  #endRoot(ending: Ending, byHand = false): void {
    const { error } = this;
    if (this.#ending === null) {
      this.#ending = ending;
      this.#stop(this.#root, new Stop(this.#rootScope));
    }
    // To terminate is also to resume.
    if (ending.kind !== "terminated" || this.phase !== "suspended") return;
    this.phase = "active";
    for (const wait of byHand ? this.#sorted(this.#waits("held"), new Map()) : []) {
      const { env, node } = wait.frame;
      const failure = error?.stepId === node.id ? error : { message: givenUp, stepId: node.id };
      if (env.inUndoing !== true && env.task.wait === wait) this.#resume(env.task, (gen) => gen.next(failure));
    }
    if (!this.#over) this.#activate(new Map());
  }

  /** What was held by an error begins again, with a new count of retries; what crashed in the meantime asks its `onCrash`. */
  #activate(order: Order): void {
    this.phase = "active";
    this.error = null;
    this.#after.push(() => this.#judgeCrashed(order));
    const held = this.#sorted(this.#waits("held"), order);
    for (const { task } of this.#waits("paused")) this.#after.push(() => this.#resume(task, (gen) => gen.next()));
    for (const { frame } of held) {
      frame.attempt++;
      frame.retries = 0;
      this.#resume(frame.env.task, (gen) => gen.next());
    }
  }

  #finalize(ending: Ending): void {
    this.phase = ending.kind;
    this.error = ending.kind === "completed" ? null : (ending.error ?? null);
    for (const { frame, since } of this.#waits("workflow"))
      if (since < this.#turn) this.stoppedChildren.push(frame.path);
    this.#over = true;
    this.#live.clear();
    this.#frames.clear();
    this.#stragglers = [];
  }

  /** What is ending already is let: it hears of it when it has ended. */
  #stop(task: Task, stop: Stop): void {
    if (!this.#live.has(task)) return;
    if (deliverable(task, stop)) this.#resume(task, (gen) => gen.throw(stop));
    else task.pending.push(stop);
  }

  #takePending(task: Task): Stop | null {
    const ready = task.pending.filter((stop) => deliverable(task, stop));
    const taken = ready.reduce<Stop | null>(outermost, null);
    // What is inside of it ends with it.
    if (taken !== null) task.pending = task.pending.filter(({ target }) => target.depth < taken.target.depth);
    return taken;
  }

  #beginEnding(frame: Frame): void {
    frame.ending = true;
    if (!frame.env.task.shields.includes(frame)) frame.env.task.shields.push(frame);
  }

  #endEnding(frame: Frame): void {
    frame.ending = false;
    frame.env.task.shields = frame.env.task.shields.filter((one) => one !== frame);
  }

  #frame(node: DefinitionNode, env: Env): Frame {
    const frame: Frame = {
      node,
      env,
      depth: env.depth + 1,
      path: `${env.path}/${node.id}`,
      serial: this.#serial++,
      openedIn: this.#turn,
      attempt: 1,
      retries: 0,
      ending: false,
      begun: false,
      crashed: false,
      mapped: false,
      input: undefined,
      persisted: undefined,
      event: undefined,
      saga: null,
      reminder: null,
      deadline: null,
      stoppedBy: null,
      wait: null,
    };
    this.#frames.add(frame);
    return frame;
  }

  #inner(frame: Frame, name: string): Env {
    return { ...frame.env, depth: frame.depth + 1, path: `${frame.path}${name}` };
  }

  get #final(): boolean {
    return this.phase !== "active" && this.phase !== "suspended";
  }

  #waits<Kind extends Wait["kind"]>(kind: Kind): Extract<Wait, { kind: Kind }>[] {
    return [...this.#live].flatMap(({ wait }) => (wait?.kind === kind ? [wait as Extract<Wait, { kind: Kind }>] : []));
  }

  #before(order: Order, a: Frame, b: Frame): number {
    const place = (frame: Frame): number => order.get(frame.path) ?? order.size + frame.serial;
    return place(a) - place(b);
  }

  #sorted<W extends { readonly frame: Frame }>(waits: W[], order: Order): W[] {
    return waits.sort((a, b) => this.#before(order, a.frame, b.frame));
  }

  #take(what: () => void, order: Order): void {
    let job: (() => void) | undefined = what;
    for (; job !== undefined; job = this.#after.shift()) {
      this.#turn++;
      job();
      this.#drain();
      this.#cancelWhereAsked(order);
    }
  }

  #cancelWhereAsked(order: Order): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const frame of [...this.#frames].sort((a, b) => this.#before(order, a, b))) {
        if (!this.#frames.has(frame) || frame.ending || this.#final || !this.#cancels(frame.node, frame.env)) continue;
        frame.ending = true;
        this.#stop(frame.env.task, new Stop(frame));
        this.#drain();
        changed = true;
      }
    }
  }

  #drain(): void {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) job();
  }
}
