import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** What commits: functions of WFE that write, and the end of transactions. Statements are sent as texts. */
const commits = /wfe_(?:commit|create|publish|deliver|write_rows|claim)\b|\bCOMMIT\b/u;
/** A text may come in two pieces. */
const keptBytes = 64;

/** Stands before a PostgreSQL server and, now and then, cuts the line between a COMMIT and its answer. */
export class CuttingProxy implements AsyncDisposable {
  /** How often the line was cut. */
  cuts = 0;
  /** Of so many commits, one has no answer. 0: all have. */
  oneOf = 0;
  readonly #server: Server;
  readonly #target: URL;
  readonly #random: () => number;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(target: URL, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(postgresUrl: string, random: () => number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(postgresUrl), random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port) });
    client.setNoDelay(true);
    server.setNoDelay(true);
    const ends = [client, server];
    const close = (): void => {
      for (const socket of ends) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of ends) {
      this.#sockets.add(socket);
      socket.on("close", close);
      socket.on("error", close);
    }
    let tail = "";
    let isDoomed = false;
    client.on("data", (bytes) => {
      const text = tail + bytes.toString("latin1");
      tail = text.slice(-keptBytes);
      if (commits.test(text)) {
        tail = "";
        isDoomed ||= this.oneOf > 0 && this.#random() < 1 / this.oneOf;
      }
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      // It answers, so it is done.
      if (isDoomed) {
        this.cuts += 1;
        close();
      } else client.write(bytes);
    });
  }
}
