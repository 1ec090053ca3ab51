// The part of the V1 terminal interface's plugin API that is used; everything else of it may be missing.
import type { Child, Element } from "@opentui/solid"

type Route = { name: string; params?: Record<string, unknown> }
export interface HostCommand {
  namespace?: "palette"
  name: string
  title: string
  category: string
  slashName?: string
  /** False leaves it to the next command of that name. */
  run(): void | false
}
/** The host's prompt, where it has the focus; or another field, which does not stand pasted text for its mark. */
export interface Editor {
  readonly plainText: string
  getClipboardText?(text: string): string
}
export interface Layer {
  /** Of commands of one name the one of the highest layer is tried first. */
  priority?: number
  /** Only while no dialog is open. */
  mode?: "base"
  commands?: HostCommand[]
  bindings?: { key: string; cmd: () => void }[]
}

export interface TuiApi {
  client: { tui: { publish(event: { directory: string; body: { type: "tui.command.execute"; properties: { command: string } } }): Promise<unknown> } }
  keymap: {
    registerLayer(layer: Layer): () => void
    dispatchCommand(name: string): { ok: boolean }
  }
  renderer: { readonly currentFocusedEditor?: Editor | null }
  route: {
    readonly current: Route
    register(routes: { name: string; render(input: { params?: Record<string, unknown> }): Child }[]): unknown
    navigate(name: string, params?: Record<string, unknown>): void
  }
  state: {
    path: { directory: string }
    session: {
      get(session: string): { parentID?: string } | undefined
      status(session: string): { type: string } | undefined
    }
  }
  theme: { readonly current: Record<string, unknown> }
  slots: { register(plugin: { order: number; slots: { sidebar_content(context: unknown, props: { session_id: string }): Child } }): unknown }
  ui: {
    toast(toast: { variant: "info" | "success" | "warning" | "error"; title: string; message: string }): void
    dialog: { replace(render: () => Element, onClose?: () => void): void; clear(): void }
    DialogAlert(props: { title: string; message: string; onConfirm?: () => void }): unknown
    DialogPrompt(props: { title: string; placeholder?: string; onConfirm?: (value: string) => void; onCancel?: () => void }): unknown
    DialogConfirm(props: { title: string; message: string; onConfirm?: () => void; onCancel?: () => void }): unknown
    DialogSelect(props: {
      title: string
      options: { title: string; description: string; value: string }[]
      onSelect?: (option: { value: string }) => void
    }): unknown
  }
  attention?: {
    notify(notice: { title: string; message: string; notification: { when: "blurred" }; sound: { name: string; when: "always" } }): unknown
  }
  event: { on(type: "session.status", handler: () => void): unknown }
  lifecycle: { onDispose(end: () => void): unknown }
}
