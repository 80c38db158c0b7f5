/** Sets an own property. `__proto__` is a key as any other, and sets no prototype. */
export function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: true });
  } else {
    target[key] = value;
  }
}
