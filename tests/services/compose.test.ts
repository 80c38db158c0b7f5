import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

interface Service {
  readonly image: string;
  readonly ports: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[]; readonly retries: number };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const file = new URL("../../docker-compose.yml", import.meta.url);
const { services, volumes } = parse(readFileSync(file, "utf8"), { uniqueKeys: true }) as Compose;

describe("docker-compose.yml", () => {
  it.each([
    { name: "postgres", image: "postgres:17", port: "127.0.0.1:5433:5432" },
    { name: "valkey", image: "valkey/valkey:8", port: "127.0.0.1:6379:6379" },
    { name: "opensearch", image: "opensearchproject/opensearch:2", port: "127.0.0.1:9200:9200" },
  ])("has $image at $port", ({ name, image, port }) => {
    expect(services[name]).toMatchObject({ image, ports: [port] });
  });

  it("has these services and no others", () => {
    expect(Object.keys(services).sort()).toEqual(["opensearch", "postgres", "valkey"]);
  });

  it.each(Object.entries(services))("tells whether %s is ready", (_, { healthcheck }) => {
    expect(["CMD", "CMD-SHELL"]).toContain(healthcheck?.test[0]);
    expect(healthcheck?.test.length).toBeGreaterThan(1);
    expect(healthcheck?.retries).toBeGreaterThan(0);
  });

  it.each(Object.entries(services))("mounts nothing of this machine into %s", (_, { volumes: mounts = [] }) => {
    for (const mount of mounts) {
      const [name = ""] = mount.split(":");
      expect(name).toMatch(/^[a-z]+$/u);
      expect(Object.keys(volumes)).toContain(name);
    }
  });
});
