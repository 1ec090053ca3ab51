// The terminal interface of the V2 line (2.0.22 and later) behind the port. It loads this half by itself with the plugin of
// opencode.json, so nothing has to be registered for it.
import { type Child, useTerminalDimensions } from "@opentui/solid"
import { log } from "../log"
import { messageOf, reasonOf } from "../errors"
import type { Choice, Colour, Command, Keys, Kind, Terminal } from "./terminal"

type Route = { type: "home" } | { type: "session"; sessionID: string } | { type: "plugin"; id: string; name: string; data?: Record<string, unknown> }
type Destination = Route | { type: "plugin"; name: string; data?: Record<string, unknown> }
type Tone = { default: unknown }

/** The part of the context that is used. */
export interface V2TuiContext {
  location?: { directory: string }
  data: {
    on(type: string, handler: () => void): () => void
    session: { root(session: string): string; status(session: string): "idle" | "running" }
    location: { default(): { directory: string } }
  }
  attention: {
    notify(notice: { title: string; message: string; notification: { when: "blurred" }; sound: { name: string; when: "always" } }): Promise<unknown>
  }
  theme: {
    text: { default: unknown; subdued: unknown; action: { primary: Tone }; feedback: Record<"success" | "warning" | "error" | "info", Tone> }
    border: Tone
  }
  keymap: {
    layer(layer: () => { mode?: string; commands: { id?: string; title?: string; group?: string; bind?: string; palette?: true; slash?: { name: string }; run(): void }[] }): void
  }
  ui: {
    toast: { show(toast: { title: string; message: string; variant: Kind }): void }
    dialog: {
      alert(dialog: { title: string; message: string }): Promise<void>
      confirm(dialog: { title: string; message: string }): Promise<boolean | undefined>
      prompt(dialog: { title: string; placeholder: string }): Promise<string | undefined>
      select(dialog: { title: string; options: { title: string; description: string; value: string }[] }): Promise<string | undefined>
    }
    router: {
      register(page: { name: string; render(input: { data?: Record<string, unknown> }): Child }): () => void
      navigate(to: Destination): void
      current(): Route
    }
    slot(claim: { append: "sidebar.content"; render(input: { sessionID: string }): Child }): () => void
  }
}

const VIEW = "mission"
const TURNS = ["session.execution.started", "session.execution.succeeded", "session.execution.failed", "session.execution.interrupted"]
const GROUP = "Gantry"

export class V2Terminal implements Terminal {
  readonly fetchesNotices = true
  private readonly ends: (() => void)[] = []
  private before: Destination = { type: "home" }

  constructor(private readonly context: V2TuiContext) {}

  /** Undoes all that was registered. */
  end(): void {
    for (const end of this.ends.splice(0)) end()
  }

  directory(): string {
    return (this.context.location ?? this.context.data.location.default()).directory
  }

  session(): string | undefined {
    const route = this.context.ui.router.current()
    return route.type === "session" ? this.context.data.session.root(route.sessionID) : undefined
  }

  busy(session: string): boolean {
    return this.context.data.session.status(session) === "running"
  }

  colour(name: Colour): unknown {
    const { text, border } = this.context.theme
    if (name === "text") return text.default
    if (name === "textMuted") return text.subdued
    if (name === "border") return border.default
    return name === "primary" ? text.action.primary.default : text.feedback[name].default
  }

  size(): () => { width: number; height: number } {
    return useTerminalDimensions()
  }

  toast(kind: Kind, message: string, title = GROUP): void {
    this.context.ui.toast.show({ title, message, variant: kind })
  }

  notify(title: string, message: string, sound: "done" | "question" | "error"): void {
    const notice = { title, message, notification: { when: "blurred" }, sound: { name: sound, when: "always" } } as const
    this.context.attention.notify(notice).catch((error) => log(`attention: ${messageOf(error)}`))
  }

  say(title: string, message: string): void {
    this.context.ui.dialog.alert({ title, message }).catch((error) => log(`dialog: ${messageOf(error)}`))
  }

  ask(title: string, placeholder: string): Promise<string | undefined> {
    return this.context.ui.dialog.prompt({ title, placeholder })
  }

  async confirm(title: string, message: string): Promise<boolean> {
    return (await this.context.ui.dialog.confirm({ title, message })) === true
  }

  choose(title: string, choices: Choice[]): Promise<string | undefined> {
    const options = choices.map(({ title, about, value }) => ({ title, description: about, value }))
    return this.context.ui.dialog.select({ title, options })
  }

  openView(mission: string): void {
    const { router } = this.context.ui
    const current = router.current()
    if (current.type !== "plugin") this.before = current
    router.navigate({ type: "plugin", name: VIEW, data: { mission } })
  }

  leaveView(): void {
    this.context.ui.router.navigate(this.before)
  }

  openSession(session: string): void {
    this.context.ui.router.navigate({ type: "session", sessionID: session })
  }

  /** The layer belongs to the view that is being drawn, and goes with it. */
  keys(keys: Keys): () => void {
    const commands = Object.entries(keys).map(([bind, run]) => ({ bind, run }))
    this.context.keymap.layer(() => ({ mode: "base", commands }))
    return () => {}
  }

  registerPanel(draw: (session: string) => Child): void {
    this.ends.push(this.context.ui.slot({ append: "sidebar.content", render: ({ sessionID }) => draw(sessionID) }))
  }

  registerView(draw: (mission: string) => Child): void {
    this.ends.push(this.context.ui.router.register({ name: VIEW, render: ({ data }) => draw(String(data?.mission)) }))
  }

  registerCommands(commands: Command[]): void {
    const layer = commands.map(({ name, title, run }) => ({
      id: `gantry.${name}`,
      title,
      group: GROUP,
      palette: true as const,
      slash: { name },
      run: () => {
        run("").catch((error) => this.toast("warning", reasonOf(error)))
      },
    }))
    this.context.keymap.layer(() => ({ commands: layer }))
  }

  /** No way to the other half is known on this line; its own commands start the process. */
  async wake(): Promise<boolean> {
    return false
  }

  onTurn(tell: () => void): void {
    for (const type of TURNS) this.ends.push(this.context.data.on(type, tell))
  }

  onDispose(end: () => void): void {
    this.ends.push(end)
  }
}
