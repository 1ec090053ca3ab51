// Toasts on the V1 line. Its terminal interface shows none before it is drawn, and what it does not show is lost; so those of
// the first seconds of a directory are held, and shown as one: two at a time would cover each other.
import { messageOf } from "../errors"
import { log } from "../log"
import type { Toast } from "./port"

const DRAWN_AFTER_MS = 3_000

export class V1Toasts {
  private held: Toast[] = []
  private timer: NodeJS.Timeout | undefined
  private drawnAt: number

  constructor(
    private readonly show: (toast: Toast) => Promise<void>,
    drawnAfter = DRAWN_AFTER_MS,
  ) {
    this.drawnAt = Date.now() + drawnAfter
  }

  async tell(toast: Toast): Promise<void> {
    const wait = this.drawnAt - Date.now()
    if (wait <= 0) return this.show(toast)
    this.held.push(toast)
    this.timer ??= setTimeout(() => this.release(), wait).unref()
  }

  /** Who types sees what is drawn. */
  drawn(): void {
    this.drawnAt = 0
    this.release()
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.held = []
  }

  private release(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    // The newest says how it is, the others how that came.
    const [newest, ...earlier] = this.held.reverse()
    this.held = []
    if (!newest) return
    const message = [newest.message, ...earlier.map((one) => `${one.title}: ${one.message}`)].join("\n")
    const duration = Math.max(newest.duration, ...earlier.map((one) => one.duration))
    this.show({ ...newest, message, duration }).catch((error) => log(`toast: ${messageOf(error)}`))
  }
}
