import type { LifecycleEvent, WorkflowDefinition, WorkflowHost } from "@wfe/core";
import type { Terminal } from "../terminal.ts";
import { gitHubView } from "./github-view.ts";
import { liveView } from "./live-view.ts";
import { plainView } from "./plain-view.ts";
import { StepBoard } from "./step-board.ts";
import type { View } from "./view.ts";

/** A run that is shown. */
export interface Following {
  /** Says which workflow it is. What it has done since `follow` was called is shown too. */
  show(id: string): Promise<void>;
  /** Shows how it stands now, for the last time. */
  end(): Promise<void>;
}

/**
 * Shows a workflow's steps until `end` is called. To be called before the workflow is begun: its first steps may have ended when it is
 * known which one it is. It listens in the host's own calls, since what a step writes may come faster than an iterator is read.
 */
export function follow(host: WorkflowHost, terminal: Terminal, definitions: readonly WorkflowDefinition[]): Following {
  let shown: { readonly id: string; readonly board: StepBoard; readonly view: View } | undefined;
  let early: LifecycleEvent[] = [];
  const tell = (event: LifecycleEvent): void => {
    if (shown === undefined) early.push(event);
    else if (event.workflowId === shown.id) shown.view.tell(event, shown.board.tell(event), shown.board);
  };
  const stop = host.on("*", tell);
  return {
    show: async (id) => {
      const details = await host.getWorkflow(id);
      const board = new StepBoard(
        definitions.find((each) => each.id === details?.definitionId && each.version === details.version),
      );
      const own = early.filter((event) => event.workflowId === id);
      // What was heard of a step may be newer than what the store said of it.
      const heard = new Set(own.map(({ stepId }) => stepId));
      if (details !== undefined) board.read({ ...details, steps: details.steps.filter((step) => !heard.has(step.id)) });
      shown = { id, board, view: viewFor(terminal) };
      early = [];
      for (const event of own) tell(event);
    },
    end: async () => {
      stop();
      if (shown === undefined) return;
      // What could not be heard of can be seen in the store.
      const details = await host.getWorkflow(shown.id).catch(() => undefined);
      if (details !== undefined) shown.board.read(details);
      shown.view.end(shown.board);
    },
  };
}

function viewFor(terminal: Terminal): View {
  if (terminal.isGitHub) return gitHubView(terminal);
  return terminal.isLive ? liveView(terminal) : plainView(terminal);
}
