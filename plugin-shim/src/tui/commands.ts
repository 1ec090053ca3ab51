// Commands of the terminal interface. None of them needs a turn of the model.
import { statusText } from "./lines"
import type { Orders } from "./orders"
import { SHORT_ID } from "./screen"
import type { Command, Terminal } from "./terminal"

export function commands(terminal: Terminal, orders: Orders): Command[] {
  const command = (name: string, title: string, run: (mission: string) => Promise<unknown> | void): Command => ({
    name: `task-${name}`,
    title: `Mission: ${title}`,
    run: async () => {
      const mission = await orders.meant()
      if (mission !== undefined) await run(mission)
    },
  })
  return [
    command("view", "all of it on the whole screen", (mission) => terminal.openView(mission)),
    command("status", "where it stands", async (mission) => {
      terminal.say(`Mission ${mission.slice(0, SHORT_ID)}`, statusText(await orders.detail(mission), Date.now()))
    }),
    command("report", "its report", async (mission) => {
      const { report } = await orders.detail(mission)
      if (!report) throw new Error("The mission has not ended yet; /task-status says where it stands.")
      terminal.say(`Mission ${mission.slice(0, SHORT_ID)}`, report)
    }),
    command("allow", "allow what an agent asks for", (mission) => orders.answer(mission, "allow")),
    command("deny", "refuse what an agent asks for", (mission) => orders.answer(mission, "deny")),
    command("approve", "accept its plan", orders.approve),
    command("refuse", "have it planned anew", (mission) => orders.refuse(mission)),
    command("accept", "take a task as done, on your word", (mission) => orders.accept(mission)),
    command("pause", "pause", orders.pause),
    command("suspend", "suspend: end its turns for now", orders.suspend),
    command("resume", "resume", orders.resume),
    command("retry", "retry", orders.retry),
    command("cancel", "cancel", (mission) => orders.cancel(mission)),
    command("rollback", "take back the files it changed", (mission) => orders.rollback(mission)),
    command("steer", "tell its workers something", (mission) => orders.steer(mission)),
  ]
}
