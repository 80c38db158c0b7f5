import type { WorkflowDefinition, WorkflowHandle, WorkflowHost } from "@wfe/core";
import type { Terminal } from "../terminal.ts";
import { gitHubView } from "./github-view.ts";
import { liveView } from "./live-view.ts";
import { plainView } from "./plain-view.ts";
import { StepBoard } from "./step-board.ts";
import type { View } from "./view.ts";

/** A run that is shown. */
export interface Following {
  readonly board: StepBoard;
  /** Shows how it stands now, for the last time. */
  end(): Promise<void>;
}

/** Shows a workflow's steps until `end` is called. */
export async function follow(
  host: WorkflowHost,
  handle: WorkflowHandle,
  terminal: Terminal,
  definitions: readonly WorkflowDefinition[],
): Promise<Following> {
  const { definitionId, version } = (await host.getWorkflow(handle.id)) ?? {};
  const board = new StepBoard(definitions.find((each) => each.id === definitionId && each.version === version));
  const view = viewFor(terminal);
  const events = handle.events();
  const told = (async () => {
    for await (const event of events) view.tell(event, board.tell(event), board);
  })();
  // What cannot be heard of can be seen in the store at the end.
  told.catch(() => {});
  const read = async (): Promise<void> => {
    const details = await host.getWorkflow(handle.id);
    if (details !== undefined) board.read(details);
  };
  await read();
  return {
    board,
    end: async () => {
      await events.return?.();
      await read().catch(() => {});
      view.end(board);
    },
  };
}

function viewFor(terminal: Terminal): View {
  if (terminal.isGitHub) return gitHubView(terminal);
  return terminal.isLive ? liveView(terminal) : plainView(terminal);
}
