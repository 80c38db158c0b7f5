import type { SearchQuery } from "../../../search/query.ts";
import { dayMs, firstAt, type Specimen } from "./corpus.ts";

/** A query, and what it is to find, said without words, terms or an index. */
export interface QueryCase {
  readonly query: string | SearchQuery;
  readonly finds: (of: Specimen) => boolean;
}

type Finds = QueryCase["finds"];

const customer =
  (name: string): Finds =>
  (of) =>
    customerOf(of).name === name;
const errorWith =
  (part: string): Finds =>
  ({ errorMessage }) =>
    errorMessage?.includes(part) === true;
const both =
  (...all: readonly Finds[]): Finds =>
  (of) =>
    all.every((one) => one(of));
const failed: Finds = ({ status }) => status === "failed";
const isVip: Finds = ({ tags }) => tags.includes("vip");
const isOrder: Finds = ({ definitionId }) => definitionId === "order";
const hasSku =
  (sku: string): Finds =>
  ({ data }) =>
    (data["items"] as readonly { readonly sku: string }[]).some((item) => item.sku === sku);
const note =
  (text: string): Finds =>
  ({ data }) =>
    data["note"] === text;
const clash =
  (matches: (value: unknown) => boolean): Finds =>
  ({ data }) =>
    matches(data["clash"]);
const day = (n: number): Date => new Date(firstAt + n * dayMs);

function customerOf({ data }: Specimen): { readonly name: string; readonly id: number } {
  return data["customer"] as { readonly name: string; readonly id: number };
}

/** More than sixty queries. */
export const queryCases: readonly QueryCase[] = [
  // Everything, in both orders.
  { query: "", finds: () => true },
  { query: { sort: "oldest" }, finds: () => true },
  { query: { words: " " }, finds: () => true },

  // A text without a word is in no document: it finds nothing, whatever else is asked.
  { query: "   ...  !?", finds: () => false },
  { query: "---", finds: () => false },
  { query: '"🙂"', finds: () => false },
  { query: { words: "*" }, finds: () => false },
  { query: { words: "?", sort: "oldest", data: { amount: { from: 0 } } }, finds: () => false },
  { query: "status:failed --", finds: () => false },
  { query: "fox --", finds: note("the quick brown fox") },

  // Words.
  { query: "fox", finds: note("the quick brown fox") },
  { query: "FOX quick", finds: note("the quick brown fox") },
  { query: "fox dog", finds: () => false },
  { query: "quick fox quick", finds: note("the quick brown fox") },
  { query: "running", finds: note("Ready to RUN, running; ran") },
  { query: "runs", finds: () => false },
  { query: "run", finds: note("Ready to RUN, running; ran") },
  { query: "fo", finds: () => false },
  { query: "ann", finds: customer("Ann") },
  { query: "ÇELIK", finds: customer("Çelik") },
  { query: "celik", finds: () => false },
  { query: "ΔΗΜΉΤΡΗΣ", finds: customer("Δημήτρης") },
  { query: "иван", finds: customer("Иван") },
  { query: "李雷", finds: customer("李雷") },
  { query: "李", finds: () => false },
  { query: "o'neil", finds: customer("O'Neil") },
  { query: "neil O", finds: customer("O'Neil") },
  { query: "STRASSE 7", finds: customer("straße 7") },
  { query: "Straße", finds: customer("straße 7") },
  { query: "finn", finds: customer("ﬁnn") },
  { query: "jose\u0301", finds: customer("José") },
  { query: "declined card", finds: errorWith("card declined") },
  { query: "10.0.0.7:5432 econnrefused", finds: errorWith("ECONNREFUSED") },
  { query: "zeitüberschreitung", finds: errorWith("Zeitüberschreitung") },
  { query: "e_test", finds: ({ errorMessage }) => errorMessage !== undefined },
  { query: '"status:failed"', finds: errorWith("status:failed") },
  { query: "big spender", finds: ({ tags }) => tags.includes("big spender") },
  { query: "parcel", finds: ({ steps }) => steps.some(({ id }) => id === "ship parcel") },
  { query: "approved", finds: ({ waitingFor }) => waitingFor.some(({ event }) => event === "order.approved") },
  { query: "audit", finds: ({ definitionId }) => definitionId === "Order Audit" },
  { query: "smile", finds: ({ id }) => id.includes("smile") },
  { query: "long".repeat(100), finds: () => false },
  { query: "AND OR NOT NEAR * ^ ( \" ' ; --", finds: () => false },

  // Filters, as text and as objects.
  { query: "status:failed", finds: failed },
  {
    query: "status:failed,terminated",
    finds: ({ status }) => status === "failed" || status === "terminated",
  },
  { query: { status: ["runnable", "waiting"] }, finds: ({ status }) => status === "runnable" || status === "waiting" },
  { query: "definition:order", finds: isOrder },
  { query: 'definition:"Order Audit"', finds: ({ definitionId }) => definitionId === "Order Audit" },
  { query: "definition:Order", finds: () => false },
  { query: "definition:order version:2", finds: both(isOrder, ({ version }) => version === 2) },
  { query: "tag:vip", finds: isVip },
  { query: "tag:VIP", finds: ({ tags }) => tags.includes("VIP") },
  { query: 'tag:vip tag:"big spender"', finds: both(isVip, ({ tags }) => tags.includes("big spender")) },
  { query: 'step:"ship parcel"', finds: ({ steps }) => steps.some(({ id }) => id === "ship parcel") },
  {
    query: { step: "ship parcel", stepStatus: "failed" },
    finds: ({ steps }) => steps.some(({ id, status }) => id === "ship parcel" && status === "failed"),
  },
  { query: "waiting:paid", finds: ({ waitingFor }) => waitingFor.some(({ event }) => event === "paid") },
  {
    query: "waiting:paid key:o-2",
    finds: ({ waitingFor }) => waitingFor.some(({ event, key }) => event === "paid" && key === "o-2"),
  },
  { query: "created>2026-01-10", finds: ({ createdAt }) => createdAt > firstAt + 9 * dayMs },
  {
    query: { createdAfter: day(3), createdBefore: day(9), sort: "oldest" },
    finds: ({ createdAt }) => createdAt > firstAt + 3 * dayMs && createdAt < firstAt + 9 * dayMs,
  },
  {
    query: "completed<2026-01-10T00:00:05Z",
    finds: ({ completedAt }) => completedAt !== null && completedAt < firstAt + 9 * dayMs + 5_000,
  },

  // Data: equal as text, whatever the type, and between two ends where it is a number or a date.
  { query: "data.customer.id:7", finds: (of) => customerOf(of).id === 7 },
  { query: { data: { "items.sku": "sku-3" } }, finds: hasSku("sku-3") },
  { query: { data: { clash: true } }, finds: clash((value) => value === true) },
  {
    query: { data: { amount: { from: 300, to: 600 } } },
    finds: ({ run }) => (run - 1) * 10 >= 300 && (run - 1) * 10 <= 600,
  },
  {
    query: { data: { clash: { from: day(10), to: day(60) } }, sort: "oldest" },
    finds: clash((value) => value instanceof Date && value >= day(10) && value <= day(60)),
  },

  // All together.
  {
    query: 'declined status:failed tag:vip step:"ship parcel" created>2026-01-02 sort:oldest',
    finds: both(failed, isVip, errorWith("card declined"), ({ createdAt }) => createdAt > firstAt + dayMs),
  },
  {
    query: { words: "lazy", status: ["completed", "failed"], tag: ["vip"], data: { "customer.id": 4 } },
    finds: both(
      note("lazy dog"),
      isVip,
      (of) => customerOf(of).id === 4,
      ({ status }) => status === "completed" || status === "failed",
    ),
  },
];
