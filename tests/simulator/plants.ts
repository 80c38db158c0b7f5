/** A fault in our own code, made by replacing a piece of a source file when it is loaded. */
export interface Plant {
  readonly name: string;
  /** Under packages/core/src. */
  readonly file: string;
  /** Each piece is there exactly once; where the code has changed, the plant has to be made anew. */
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
  /** One that breaks the journal: it is to be caught within the schedules of an everyday run. */
  readonly journal?: true;
}

const one = (find: string, replace: string): Plant["edits"] => [{ find, replace }];

/** Every fault that the simulator is known to see. */
export const plants: readonly Plant[] = [
  {
    name: "skips the check of seq",
    file: "testing/memory/commit.ts",
    edits: one(
      `  if (stored !== undefined) return { outcome: "conflict", turn: stored.turn };
  if (turn.seq !== instance.turns.length) return { outcome: "hole" };`,
      ``,
    ),
    journal: true,
  },
  {
    name: "ignores the fence",
    file: "testing/memory/commit.ts",
    edits: one(
      `if (instance === undefined || instance.claim !== claim) return false;`,
      `if (instance === undefined) return false;`,
    ),
  },
  {
    name: "acknowledges a turn before it is committed",
    file: "host/runner/committer.ts",
    edits: one(
      `results = await this.#persistence.commit(batch.items.map((item) => item.turn));`,
      `const turns = batch.items.map((item) => item.turn);
      void this.#persistence.commit(turns).catch(() => {});
      results = turns.map(({ row }) => ({ outcome: "applied" as const, rowWritten: row !== undefined, signals: 0, behind: false, ...(row?.release ? { dueAt: row.dueAt } : {}) }));`,
    ),
    journal: true,
  },
  {
    name: "begins the successor before the commit",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `    this.#prepared = undefined;
    this.#flight = flight;`,
      `    this.#prepared = undefined;
    this.#flight = flight;
    this.#state = flight.state;
    this.#work = flight.work;
    this.#runBodies();
    this.#busy = true;`,
    ),
    journal: true,
  },
  {
    name: "takes a foreign turn for its own",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `if (result.turn === flight.turn.turn) return this.#applied(flight,`,
      `if (flight.turn.turn !== "") return this.#applied(flight,`,
    ),
  },
  {
    name: "decides anew after an unknown outcome",
    file: "host/runner/committer.ts",
    edits: one(
      `for (const items of parts) this.#retryLater({ items, tries, firstFailedAt });`,
      `const anew = (error as StoreError).outcome !== "unknown" ? 0 : 1;
      const again = (item: Attempted): Attempted => ({ ...item, turn: { ...item.turn, turn: item.turn.turn + "+".repeat(anew), seq: item.turn.seq + anew } });
      for (const items of parts) this.#retryLater({ items: items.map(again), tries, firstFailedAt });`,
    ),
    journal: true,
  },
  {
    name: "acknowledges an event before it is stored",
    file: "host/client/store-calls.ts",
    edits: one(
      `return this.#send(this.#events, (events) => events.add(event));`,
      `void this.#send(this.#events, (events) => events.add(event)).catch(() => {});
    return Promise.resolve({ number: null, duplicate: false });`,
    ),
  },
  {
    name: "repeats a publish under a new id",
    file: "host/client/store-calls.ts",
    edits: one(
      `return this.#send(this.#events, (events) => events.add(event));`,
      `let tries = 0;
    return this.#send(this.#events, (events) => events.add({ ...event, eventId: event.eventId + "+".repeat(tries++) }));`,
    ),
  },
  {
    name: "repeats a call under a new id",
    file: "host/client/store-calls.ts",
    edits: one(
      `return this.#send(this.#deliveries, (deliveries) => deliveries.add(delivery));`,
      `let tries = 0;
    return this.#send(this.#deliveries, (deliveries) => deliveries.add({ ...delivery, deliveryId: delivery.deliveryId + "+".repeat(tries++) }));`,
    ),
  },
  {
    name: "subscribes outside the transaction",
    file: "testing/memory/commit.ts",
    edits: one(
      `const behind = moveSubscriptions(store, instance, turn);`,
      `const postponed: (() => void)[] = ((globalThis as any).postponed ??= []);
  for (const later of postponed.splice(0)) later();
  const { subscribe, ...rest } = turn;
  const behind = moveSubscriptions(store, instance, rest);
  if (subscribe !== undefined) postponed.push(() => void moveSubscriptions(store, instance, { ...rest, subscribe }));`,
    ),
  },
  {
    name: "subscribes without a look at what has come",
    file: "testing/memory/store.ts",
    edits: one(`return stream.last > after;`, `return false;`),
  },
  {
    name: "loses signals when it parks",
    file: "testing/memory/commit.ts",
    edits: one(`row.release && (instance.signals > row.notedSignals || behind)`, `row.release && behind`),
  },
  {
    name: "publishes and wakes nobody beyond the first batch",
    file: "testing/memory/streams.ts",
    edits: one(`if (fanOut.next < fanOut.runs.length) this.#fanOuts.push(fanOut);`, ``),
  },
  {
    name: "drops what is unread with what is read",
    file: "testing/memory/store.ts",
    edits: one(`inbox.unread.delete(read.number);`, `inbox.unread.clear();`),
  },
  {
    name: "consumes an event twice",
    file: "engine/evolve.ts",
    edits: one(
      `draft.mergeCursors(draft.lineOf(entry.pointer), { [streamKey(entry.name, entry.key)]: entry.number });`,
      ``,
    ),
    journal: true,
  },
  {
    name: "compensates forwards",
    file: "engine/undo.ts",
    edits: one(
      `  if (known.inner != null) {`,
      `  if (previous !== null && known.own && known.inner == null) {
    turn.emit({ kind: "undo-entered", pointer: id, step: saga.step, record: { ...known, inner: previous }, resume: null });
    return stepUndo(turn, id);
  }
  if (known.inner != null) {`,
    ),
    journal: true,
  },
  {
    name: "does not tell the parent of its child's end",
    file: "host/runner/turn-commit.ts",
    edits: one(
      `|| workflow.parent === null) return children.deliver;`,
      `|| workflow.parent !== null) return children.deliver;`,
    ),
  },
  {
    name: "claims without a limit",
    file: "host/runner/host-runner.ts",
    edits: one(`freeSlots: () => core.options.concurrency - this.#hand.size,`, `freeSlots: () => 500,`),
  },
  {
    name: "forgets its lease when it stops",
    file: "host/runner/host-runner.ts",
    edits: one(`await this.#lease.close();`, ``),
  },
  {
    name: "leaves what it owns and nobody has in hand",
    file: "host/runner/host-runner.ts",
    edits: one(`stray: (origin) => this.#bring(origin),`, `stray: () => {},`),
  },
  {
    name: "renews a dead lease",
    file: "testing/memory/lock.ts",
    edits: one(
      `    if (lease === undefined) return false;
    lease.expiresAt`,
      `    if (lease === undefined) return leases.set(id, { ttlMs, expiresAt: opened().clock.now() + ttlMs }).has(id);
    lease.expiresAt`,
    ),
  },
  {
    name: "judges leases by a host's wall clock",
    file: "testing/memory/lock.ts",
    edits: one(
      `(leases.get(id)?.expiresAt ?? Number.NEGATIVE_INFINITY) > opened().clock.now();`,
      `(leases.get(id)?.expiresAt ?? Number.NEGATIVE_INFINITY) > opened().runtime.clock.now();`,
    ),
  },
  {
    name: "relies on a lease whose renewal was long in coming",
    file: "host/runner/lease-keeper.ts",
    edits: one(`return this.#core.runtime.clock.monotonic() - askedAt >= this.#doubtAfterMs;`, `return askedAt < 0;`),
  },
  {
    name: "does not stop itself when its lease cannot be renewed",
    file: "host/runner/lease-keeper.ts",
    edits: [
      {
        find: `if (this.#core.runtime.clock.monotonic() - this.#renewedAt < this.#doubtAfterMs) return true;`,
        replace: `if (this.#renewedAt >= 0) return true;`,
      },
      { find: `  #fence(): void {`, replace: `  #fence(): void {\n    if (this.#renewedAt >= 0) return;` },
    ],
  },
  {
    name: "robs hosts that are alive",
    file: "host/runner/sweeper.ts",
    edits: one(`const dead = await lock.reap(others);`, `await lock.reap(others);\n    const dead = others;`),
  },
  {
    name: "takes over without a word",
    file: "host/runner/intake.ts",
    edits: one(`else if (orphaned) this.#takeOver(row, headSeq);`, ``),
  },
  {
    name: "waits in hand by a raw setTimeout",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `this.#timer = core.runtime.clock.setTimer(Math.max(1, due`,
      `const raw = { setTimer: (ms: number, run: () => void) => { const timeout = setTimeout(run, ms).unref(); return { cancel: () => clearTimeout(timeout) }; } };
    this.#timer = raw.setTimer(Math.max(1, due`,
    ),
  },
  {
    name: "times bodies by a raw setTimeout",
    file: "host/runner/body.ts",
    edits: one(
      `this.#timer = this.core.runtime.clock.setTimer(timeoutMs,`,
      `const raw = { setTimer: (ms: number, run: () => void) => { const timeout = setTimeout(run, ms).unref(); return { cancel: () => clearTimeout(timeout) }; } };
    this.#timer = raw.setTimer(timeoutMs,`,
    ),
  },
  {
    name: "takes the wall clock for engine time",
    file: "host/core/engine-time.ts",
    edits: one(
      `engineNow: () => Math.floor(storeAt + (clock.monotonic() - readAt)),`,
      `engineNow: () => Math.floor(clock.now() + 0 * (storeAt + readAt)),`,
    ),
  },
  {
    name: "makes a key for each attempt",
    file: "host/runner/body-context.ts",
    edits: one(
      `return this.#owner.attempt.idempotencyKey;`,
      `return \`\${this.#owner.attempt.idempotencyKey}.\${this.#owner.attempt.attempt}\`;`,
    ),
  },
  {
    name: "gives executions of the same number one key",
    file: "engine/work.ts",
    edits: one(`return this.executionId;`, `return String(this.#pointer.id);`),
  },
  {
    name: "begins a body that is at work",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `if (this.#bodies.has(pointer) || ended?.has(pointer) === true) continue;`,
      `if (ended?.has(pointer) === true) continue;`,
    ),
  },
  {
    name: "begins a body again that has ended and is not decided",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `if (this.#bodies.has(pointer) || ended?.has(pointer) === true) continue;`,
      `if (this.#bodies.has(pointer)) continue;`,
    ),
  },
  {
    name: "begins every body twice",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `      body.begin();
    }`,
      `      body.begin();
      const nobody = { run: this.run, bodyEnded() {}, bodyTimedOut() {} };
      if (body.mode === "running") new Body(core, nobody, bodies, attempt).begin();
    }`,
    ),
  },
  {
    name: "runs again what was told to end, without asking its onCrash",
    file: "host/runner/workflow-run.ts",
    edits: one(`this.#halfDone.push(body.attempt);`, `this.#halfDone = [];`),
  },
  {
    name: "gives what is attempted again the data of now",
    file: "engine/work.ts",
    edits: one(`return this.#pointer.hasInput ? this.#pointer.input : this.data;`, `return this.data;`),
  },
  {
    name: "writes an effect outside of its transaction",
    file: "testing/simulator/application-table.ts",
    edits: one(`this.#written.push(execution);`, `this.#table.add(execution);`),
  },
  {
    name: "keeps an effect whose turn is refused",
    file: "testing/simulator/store-audit.ts",
    edits: one(`if (result.outcome === "applied") open?.get(turn)?.commit();`, `open?.get(turn)?.commit();`),
  },
  {
    name: "commits what a step has written whose result cannot be stored",
    file: "host/runner/transaction.ts",
    edits: one(`if (input.kind === "attempt-threw") throw new FailsWith(input);`, ``),
  },
  {
    name: "takes a transaction of unknown outcome for committed",
    file: "host/runner/workflow-run.ts",
    edits: one(
      `        this.#uncertain = outcome.flight;
        this.#raw = [{ kind: "attempt-lost", pointer: attempt.pointer }];
        return this.#enqueue();`,
      `        this.#flight = outcome.flight;
        return this.settle({ outcome: "applied", rowWritten: false, signals: 0, behind: false });`,
    ),
  },
  {
    name: "runs a transactional step like any other",
    file: "host/runner/workflow-run.ts",
    edits: [
      { find: `if (transactionalStep in attempt.node.body) continue;`, replace: `` },
      {
        find: `if (!(transactionalStep in attempt.node.body)) continue;`,
        replace: `if (attempt.pointer >= 0) continue;`,
      },
    ],
  },
  {
    name: "deletes workflows that wait",
    file: "testing/memory/store.ts",
    edits: one(
      `if (rests && finalStatuses.includes(instance.status) && instance.completedAt !== null) this.#ended.push(instance);`,
      `if (rests && (instance.status === "waiting" || finalStatuses.includes(instance.status))) this.#ended.push(instance);`,
    ),
  },
  {
    name: "deletes what has ended and is called upon",
    file: "testing/memory/store.ts",
    edits: one(`const rests = instance.owner === null && instance.dueAt === null;`, `const rests = true;`),
  },
  {
    name: "deletes workflows as soon as they have ended",
    file: "host/runner/sweeper.ts",
    edits: one(`{ workflowsBefore: now - retention.workflowsMs }`, `{ workflowsBefore: now }`),
  },
  {
    name: "deletes events as soon as they are there",
    file: "host/runner/sweeper.ts",
    edits: one(`{ eventsBefore: now - retention.eventsMs }`, `{ eventsBefore: now }`),
  },
  {
    name: "passes over events that retention has deleted",
    file: "engine/kinds/wait.ts",
    edits: one(`if (lost !== undefined) {`, `if (lost !== undefined && turn.now < 0) {`),
  },
  {
    name: "claims without a share for each namespace",
    file: "testing/memory/due-index.ts",
    edits: one(`else append(namespaces, namespace, heap);`, `else append(namespaces, "", heap);`),
  },
  {
    name: "finds workflows of other namespaces",
    file: "testing/memory/persistence.ts",
    edits: one(
      `return ids.map((id) => rowOf(rows.find(id)));`,
      `const all = [rows, ...opened().namespaces.values()];
      return ids.map((id) => rowOf(all.map((each) => each.find(id)).find((found) => found !== undefined)));`,
    ),
  },
  {
    name: "reads the events of another namespace",
    file: "testing/memory/persistence.ts",
    edits: one(`store.streams.read(request.namespace, cursor)`, `store.streams.read("default", cursor)`),
  },
  {
    name: "starts children in another namespace",
    file: "host/runner/children.ts",
    edits: one(
      `NewWorkflow => ({
    namespace: parent.namespace,`,
      `NewWorkflow => ({
    namespace: "default",`,
    ),
  },
];
