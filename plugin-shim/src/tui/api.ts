// The part of the terminal interface's plugin API that is used; everything else of it may be missing.
import type { Child, Element } from "@opentui/solid"

export type Colour = "text" | "textMuted" | "success" | "warning" | "error" | "info" | "primary"
export type Toast = { variant: "info" | "success" | "warning" | "error"; title: string; message: string; duration?: number }

export interface Command {
  title: string
  value: string
  category: string
  slash: { name: string }
  onSelect(): void
}

export interface TuiApi {
  command?: { register(commands: () => Command[]): () => void }
  route: { readonly current: { name: string; params?: { sessionID?: string } } }
  state: { path: { directory: string } }
  theme: { readonly current: Record<Colour, unknown> }
  slots: { register(plugin: { order: number; slots: { sidebar_content(context: unknown, props: { session_id: string }): Child } }): unknown }
  ui: {
    toast(toast: Toast): void
    dialog: { replace(render: () => Element): void; clear(): void }
    DialogAlert(props: { title: string; message: string; onConfirm?: () => void }): unknown
    DialogPrompt(props: { title: string; placeholder?: string; onConfirm?: (value: string) => void; onCancel?: () => void }): unknown
    DialogConfirm(props: { title: string; message: string; onConfirm?: () => void; onCancel?: () => void }): unknown
  }
  lifecycle: { onDispose(end: () => void): unknown }
}
