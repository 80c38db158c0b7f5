import type { StepView } from "../../../engine/step-summary.ts";
import { recordFormat, type SearchDocument, type WaitingFor, type WorkflowStatus } from "../../../providers/index.ts";
import { searchDocument } from "../../../search/document.ts";

/** A workflow as the cases think of it: queries are judged by this, never by what is indexed of it. */
export interface Specimen {
  readonly run: number;
  readonly namespace: string;
  readonly id: string;
  readonly definitionId: string;
  readonly version: number;
  readonly status: WorkflowStatus;
  readonly tags: readonly string[];
  readonly createdAt: number;
  readonly completedAt: number | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly errorMessage: string | undefined;
  readonly steps: readonly StepView[];
  readonly waitingFor: readonly WaitingFor[];
}

export const firstAt: number = Date.UTC(2026, 0, 1);
export const dayMs = 86_400_000;

const statuses = ["runnable", "waiting", "suspended", "completed", "failed", "terminated"] as const;
const customers = ["Ann", "Bob", "Çelik", "Δημήτρης", "Иван", "李雷", "O'Neil", "straße 7", "ﬁnn", "José"];
const errors = [
  "card declined: insufficient funds",
  "ECONNREFUSED 10.0.0.7:5432",
  "status:failed is only text here",
  "Zeitüberschreitung beim Aufruf",
];
/** Of these one comes after another by code points and before it by UTF-16 units. */
const oddIds = ["\u{1f600} smile", "\uffe6 won", "Zebra", "zebra", "é", "a b", 'q"uote', "x_y=z"];

/** 120 workflows, made without chance, several of each time. */
export const corpus: readonly Specimen[] = Array.from({ length: 120 }, (_, n) => specimen(n));

function specimen(n: number): Specimen {
  const status = statuses[n % statuses.length] ?? "runnable";
  const hasEnded = n % 6 >= 3;
  const createdAt = firstAt + Math.floor(n / 4) * dayMs;
  const stepStatus = status === "failed" ? "failed" : status === "waiting" ? "waiting" : "completed";
  return {
    run: n + 1,
    namespace: "default",
    // Not in the order of creation.
    id: oddIds[n] ?? `wf-${String((n * 37) % 120).padStart(3, "0")}`,
    definitionId: n % 3 === 0 ? "order" : n % 3 === 1 ? "refund" : "Order Audit",
    version: 1 + (n % 2),
    status,
    tags: [...(n % 2 === 0 ? ["vip"] : []), ...(n % 5 === 0 ? ["big spender"] : []), ...(n === 7 ? ["VIP"] : [])],
    createdAt,
    completedAt: hasEnded ? createdAt + 5_000 : null,
    data: {
      customer: { name: customers[n % customers.length], id: n % 10 },
      amount: n * 10,
      items: Array.from({ length: n % 4 }, (_, i) => ({ sku: `sku-${(n + i) % 9}`, qty: i })),
      // The same key with another type in every other one.
      clash: [n, `text ${n}`, new Date(firstAt + n * dayMs), { deeper: n }, [n, "x"], true, null][n % 7],
      note: n % 11 === 0 ? "Ready to RUN, running; ran" : n % 13 === 0 ? "the quick brown fox" : "lazy dog",
    },
    errorMessage: status === "failed" || status === "suspended" ? errors[n % errors.length] : undefined,
    steps: [
      { id: "charge", status: "completed", attempt: 1, runs: 1 },
      ...(n % 2 === 0 ? [{ id: "ship parcel", status: stepStatus, attempt: 1, runs: 1 } as const] : []),
    ],
    waitingFor: status === "waiting" ? [{ event: n % 4 === 1 ? "order.approved" : "paid", key: `o-${n % 5}` }] : [],
  };
}

/** The document of a specimen. */
export function documentOf(of: Specimen): SearchDocument {
  const { errorMessage } = of;
  return searchDocument({
    row: {
      run: of.run,
      namespace: of.namespace,
      id: of.id,
      uid: `uid-${of.run}`,
      definitionId: of.definitionId,
      version: of.version,
      definitionHash: `hash-${recordFormat}`,
      status: of.status,
      priority: 0,
      tags: of.tags,
      createdAt: of.createdAt,
      updatedAt: of.createdAt,
      completedAt: of.completedAt,
      dueAt: null,
      owner: null,
      claim: 0,
      signals: 0,
      parent: null,
      startText: "{}",
      resultText: null,
      errorText: null,
      waitingFor: of.waitingFor,
    },
    error: errorMessage === undefined ? undefined : { name: "Error", message: errorMessage, code: "E_TEST" },
    reason: undefined,
    data: of.data,
    steps: of.steps,
    definition: undefined,
  });
}
