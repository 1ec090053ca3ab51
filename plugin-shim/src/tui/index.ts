// The half of the plugin that runs in the host's terminal interface: a panel beside the conversation that has a mission, a view
// of the mission on the whole screen, and commands that need no model. Where there is no mission, nothing is drawn.
import type { TuiApi } from "./api"
import { commands } from "./commands"
import { Door } from "./door"
import { Orders } from "./orders"
import { Panel } from "./panel"
import type { Terminal } from "./terminal"
import { V1Terminal } from "./v1"
import { V2Terminal, type V2TuiContext } from "./v2"
import { missionView } from "./view"

export function start(terminal: Terminal): void {
  const door = new Door()
  const panel = new Panel(terminal, door)
  const orders = new Orders(terminal, door, () => void panel.look())
  terminal.onDispose(() => door.dispose())
  terminal.registerPanel((session) => panel.draw(session))
  terminal.registerView((mission) => missionView(terminal, door, orders, mission, panel.heard))
  terminal.registerCommands(commands(terminal, orders))
}

export default {
  id: "opencode-gantry",
  tui: async (api: TuiApi): Promise<void> => start(new V1Terminal(api)),
  setup: (context: V2TuiContext): (() => void) => {
    const terminal = new V2Terminal(context)
    start(terminal)
    return () => terminal.end()
  },
}
