// Starts a server of its own and asks for the shared one, tells both addresses, and stays until it is killed.
import { sharedPostgres, startPostgres } from "../postgres.ts";

const [own, shared] = await Promise.all([startPostgres(), sharedPostgres()]);
process.send?.({ own: own.url, shared: shared.url });
setInterval(() => {}, 1_000);
