// What the panel, the view and the commands need of the host's terminal interface, in one form for both host lines.
import type { Child } from "@opentui/solid"

export type Colour = "text" | "textMuted" | "success" | "warning" | "error" | "info" | "primary" | "border"
export type Kind = "info" | "success" | "warning" | "error"

export interface Command {
  /** After the slash. */
  name: string
  title: string
  /** With what was typed behind it. */
  run(words: string): Promise<void>
}

/** Keys by the host's names for them. */
export type Keys = Record<string, () => void>

export interface Choice {
  title: string
  about: string
  value: string
}

export interface Terminal {
  directory(): string
  /** The conversation on the screen; that of the user when it is one of an agent. */
  session(): string | undefined
  /** Whether a turn of it runs, as far as the host says. */
  busy(session: string): boolean
  colour(name: Colour): unknown
  /** Columns and rows; called once where they are drawn, and the answer follows the screen. */
  size(): () => { width: number; height: number }
  toast(kind: Kind, message: string, title?: string): void
  /** Whether the host lets no plugin but this half show toasts, so that those of the sidecar have to be fetched. */
  readonly fetchesNotices: boolean
  /** The host's own notification and sound, as the user has set them up. */
  notify(title: string, message: string, sound: "done" | "question" | "error"): void
  /** Answers when it is closed. */
  say(title: string, message: string): void
  /** Nothing when the user turns away. */
  ask(title: string, placeholder: string): Promise<string | undefined>
  confirm(title: string, message: string): Promise<boolean>
  choose(title: string, choices: Choice[]): Promise<string | undefined>
  /** The mission in the place of the conversation. */
  openView(mission: string): void
  /** Back to what was on the screen before the view. */
  leaveView(): void
  openSession(session: string): void
  /** While the view is on the screen and no dialog is before it. Answers what takes the keys away again. */
  keys(keys: Keys): () => void
  registerPanel(draw: (session: string) => Child): void
  registerView(draw: (mission: string) => Child): void
  /** As they are chosen from a list, and as they are typed. */
  registerCommands(commands: Command[]): void
  /** Has the other half start the process that serves the directory; whether it does, shows at its door. False where there is no way. */
  wake(): Promise<boolean>
  /** A turn of some conversation began or ended. */
  onTurn(tell: () => void): void
  onDispose(end: () => void): void
}
