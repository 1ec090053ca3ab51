// The half of the plugin that runs in the host's terminal interface: a panel beside the conversation that has a mission, and
// commands that need no model. Where there is no mission, nothing is drawn.
import { createMemo, createSignal } from "solid-js"
import { type Child, createElement, insert, setProp } from "@opentui/solid"
import type { MissionDetail } from "../generated/types"
import { log } from "../log"
import { messageOf } from "../errors"
import type { TuiApi } from "./api"
import { commands } from "./commands"
import { Door } from "./door"
import { lines } from "./lines"

const EVERY_MS = 1_000
/** Among the host's own parts of the sidebar: after the context, before servers and files. */
const ORDER = 150

type Shown = { session: string; detail: MissionDetail; at: number }

const plugin = {
  id: "opencode-gantry",
  tui: async (api: TuiApi): Promise<void> => {
    const door = new Door()
    const [shown, show] = createSignal<Shown | undefined>(undefined)
    let asking = false

    const look = async (): Promise<void> => {
      const { current } = api.route
      const session = current.name === "session" ? current.params?.sessionID : undefined
      if (session === undefined || asking) return
      asking = true
      try {
        const known = shown()
        const detail = await door.ask("mission/status", { directory: api.state.path.directory, parentSession: session })
        if (detail) {
          // One that has ended is drawn once more and then stays as it is.
          if (!(known?.detail.mission.id === detail.mission.id && known.detail.mission.endedAt !== undefined && detail.mission.endedAt !== undefined)) {
            show({ session, detail, at: Date.now() })
          }
        } else if (known && known.session !== session) show(undefined)
      } catch (error) {
        log(`panel: ${messageOf(error)}`)
      } finally {
        asking = false
      }
    }

    const timer = setInterval(() => void look(), EVERY_MS)
    api.lifecycle.onDispose(() => {
      clearInterval(timer)
      door.dispose()
    })
    api.slots.register({
      order: ORDER,
      slots: { sidebar_content: (_, props) => panel(api, createMemo(() => (shown()?.session === props.session_id ? shown() : undefined))) },
    })
    api.command?.register(() => commands(api, door, () => void look()))
  },
}

function panel(api: TuiApi, shown: () => Shown | undefined): Child {
  return () => {
    const { detail, at } = shown() ?? {}
    if (!detail || at === undefined) return undefined
    const box = createElement("box")
    setProp(box, "flexDirection", "column")
    for (const line of lines(detail, at)) {
      const text = createElement("text")
      setProp(text, "fg", api.theme.current[line.colour])
      insert(text, line.text)
      insert(box, text)
    }
    return box
  }
}

export default plugin
