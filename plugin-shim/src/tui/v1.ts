// The terminal interface of the V1 line behind the port.
import { type Child, createComponent, useTerminalDimensions } from "@opentui/solid"
import { log } from "../log"
import { messageOf, reasonOf } from "../errors"
import { WAKE } from "../wake"
import type { TuiApi } from "./api"
import { typed } from "./commands"
import type { Choice, Colour, Command, Keys, Kind, Terminal } from "./terminal"

const VIEW = "gantry.mission"
/** Among the host's own parts of the sidebar: after the context, before servers and files. */
const ORDER = 150

export class V1Terminal implements Terminal {
  readonly fetchesNotices = false
  /** What was on the screen before the view. */
  private before: { name: string; params?: Record<string, unknown> } = { name: "home" }

  constructor(private readonly api: TuiApi) {}

  directory(): string {
    return this.api.state.path.directory
  }

  session(): string | undefined {
    const { name, params } = this.api.route.current
    const session = params?.sessionID
    if (name !== "session" || typeof session !== "string") return undefined
    return this.api.state.session.get(session)?.parentID ?? session
  }

  busy(session: string): boolean {
    const status = this.api.state.session.status(session)
    return status !== undefined && status.type !== "idle"
  }

  colour(name: Colour): unknown {
    return this.api.theme.current[name]
  }

  size(): () => { width: number; height: number } {
    return useTerminalDimensions()
  }

  toast(kind: Kind, message: string, title = "Gantry"): void {
    this.api.ui.toast({ variant: kind, title, message })
  }

  notify(title: string, message: string, sound: "done" | "question" | "error"): void {
    const notice = { title, message, notification: { when: "blurred" }, sound: { name: sound, when: "always" } } as const
    Promise.resolve(this.api.attention?.notify(notice)).catch((error) => log(`attention: ${messageOf(error)}`))
  }

  say(title: string, message: string): void {
    const { dialog, DialogAlert } = this.api.ui
    dialog.replace(() => createComponent(DialogAlert, { title, message, onConfirm: () => dialog.clear() }))
  }

  ask(title: string, placeholder: string): Promise<string | undefined> {
    const { dialog, DialogPrompt } = this.api.ui
    return new Promise((resolve) => {
      const end = (value?: string) => (resolve(value), dialog.clear())
      dialog.replace(() => createComponent(DialogPrompt, { title, placeholder, onConfirm: end, onCancel: () => end() }), () => resolve(undefined))
    })
  }

  confirm(title: string, message: string): Promise<boolean> {
    const { dialog, DialogConfirm } = this.api.ui
    return new Promise((resolve) => {
      const end = (yes: boolean) => (resolve(yes), dialog.clear())
      dialog.replace(() => createComponent(DialogConfirm, { title, message, onConfirm: () => end(true), onCancel: () => end(false) }), () => resolve(false))
    })
  }

  choose(title: string, choices: Choice[]): Promise<string | undefined> {
    const { dialog, DialogSelect } = this.api.ui
    const options = choices.map(({ title, about, value }) => ({ title, description: about, value }))
    return new Promise((resolve) => {
      const onSelect = ({ value }: { value: string }) => (resolve(value), dialog.clear())
      dialog.replace(() => createComponent(DialogSelect, { title, options, onSelect }), () => resolve(undefined))
    })
  }

  openView(mission: string): void {
    const { current } = this.api.route
    if (current.name !== VIEW) this.before = { name: current.name, ...(current.params ? { params: current.params } : {}) }
    this.api.route.navigate(VIEW, { mission })
  }

  leaveView(): void {
    this.api.route.navigate(this.before.name, this.before.params)
  }

  openSession(session: string): void {
    this.api.route.navigate("session", { sessionID: session })
  }

  keys(keys: Keys): () => void {
    const bindings = Object.entries(keys).map(([key, cmd]) => ({ key, cmd }))
    return this.api.keymap.registerLayer({ mode: "base", bindings })
  }

  registerPanel(draw: (session: string) => Child): void {
    this.api.slots.register({ order: ORDER, slots: { sidebar_content: (_, props) => draw(props.session_id) } })
  }

  registerView(draw: (mission: string) => Child): void {
    this.api.route.register([{ name: VIEW, render: ({ params }) => draw(String(params?.mission)) }])
  }

  registerCommands(commands: Command[]): void {
    this.api.keymap.registerLayer({
      commands: commands.map((command) => ({
        namespace: "palette",
        name: `gantry.${command.name}`,
        title: command.title,
        category: "Gantry",
        slashName: command.name,
        run: () => {
          // A command that is chosen in the host's list leaves that list open.
          this.api.ui.dialog.clear()
          this.run(command, "")
        },
      })),
    })
    // The host knows a typed command with words only as one of its own, each of which begins a turn.
    this.api.keymap.registerLayer({
      mode: "base",
      priority: 1,
      commands: [{ name: "input.submit", title: "Submit", category: "Gantry", run: () => this.take(commands) }],
    })
  }

  /** Enter in the prompt; what is no command of ours goes the host's way. */
  private take(commands: Command[]): void | false {
    const editor = this.api.renderer.currentFocusedEditor
    if (!editor?.getClipboardText || !typed(editor.plainText, commands)) return false
    // What an input method has composed comes in after the key, as the host says.
    setTimeout(() => setTimeout(() => {
      const found = typed(editor.getClipboardText?.(editor.plainText) ?? "", commands)
      if (!found) return
      // Empties the prompt, and keeps what was typed in its history.
      this.api.keymap.dispatchCommand("prompt.clear")
      this.run(found.command, found.words)
    }))
  }

  private run(command: Command, words: string): void {
    command.run(words).catch((error) => this.toast("warning", reasonOf(error)))
  }

  async wake(): Promise<boolean> {
    // There no process opens a door.
    if (process.platform === "win32") return false
    await this.api.client.tui.publish({ directory: this.directory(), body: { type: "tui.command.execute", properties: { command: WAKE } } })
    return true
  }

  onTurn(tell: () => void): void {
    this.api.event.on("session.status", tell)
  }

  onDispose(end: () => void): void {
    this.api.lifecycle.onDispose(end)
  }
}
