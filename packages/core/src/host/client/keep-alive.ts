/**
 * Keeps the process alive while somebody waits for an answer that only background timers will bring: whoever awaits a result
 * must not see the process end instead.
 *
 * It does nothing else and is never waited for, which is why it may bypass the runtime.
 */
export class KeepAlive {
  #timer: NodeJS.Timeout | undefined;

  hold(): void {
    this.#timer ??= setInterval(() => {}, 2 ** 30);
  }

  release(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
