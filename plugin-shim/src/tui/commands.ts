// Commands of the terminal interface. None of them needs a turn of the model.
import type { Command as Order } from "../generated/types"
import { statusText } from "./lines"
import type { Orders } from "./orders"
import { SHORT_ID } from "./screen"
import type { Command, Terminal } from "./terminal"

export function commands(terminal: Terminal, orders: Orders): Command[] {
  /** What is typed behind a command is read by the sidecar, unless `run` takes it. */
  const command = (name: Order, title: string, run: (mission: string) => Promise<unknown>): Command => ({
    name: `task-${name}`,
    title: `Mission: ${title}`,
    run: async (words) => {
      if (words !== "") return orders.carryOut(name, words)
      const mission = await orders.meant()
      if (mission !== undefined) await run(mission)
    },
  })
  const worded = (name: string, title: string, run: (mission: string, words: string) => Promise<unknown> | void): Command => ({
    name: `task-${name}`,
    title: `Mission: ${title}`,
    run: async (words) => {
      const { mission, rest } = await orders.named(words)
      if (mission !== undefined) await run(mission, rest)
    },
  })
  return [
    worded("view", "all of it on the whole screen", (mission, words) => {
      if (words !== "") throw new Error(`No mission of this project is "${words}"; /task-view alone shows that of the conversation.`)
      terminal.openView(mission)
    }),
    command("status", "where it stands", async (mission) => {
      terminal.say(`Mission ${mission.slice(0, SHORT_ID)}`, statusText(await orders.detail(mission), Date.now()))
    }),
    command("report", "its report", async (mission) => {
      const { report } = await orders.detail(mission)
      if (!report) throw new Error("The mission has not ended yet; /task-status says where it stands.")
      terminal.say(`Mission ${mission.slice(0, SHORT_ID)}`, report)
    }),
    worded("allow", "allow what an agent asks for", (mission, words) => orders.answerOne(mission, "allow", words)),
    worded("deny", "refuse what an agent asks for", (mission, words) => orders.answerOne(mission, "deny", words)),
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

/** A command as it is typed, with what stands behind it. */
export function typed(text: string, all: Command[]): { command: Command; words: string } | undefined {
  const [, name, words = ""] = /^\/(\S+)(?:\s+([^]*))?$/.exec(text) ?? []
  const command = all.find((one) => one.name === name)
  return command && { command, words: words.trim() }
}
