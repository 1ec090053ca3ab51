// Commands of the terminal interface. None of them needs a turn of the model.
import { createComponent } from "@opentui/solid"
import type { ControlAction, MissionDetail } from "../generated/types"
import { messageOf } from "../errors"
import type { Command, TuiApi } from "./api"
import type { Door } from "./door"
import { statusText } from "./lines"

export function commands(api: TuiApi, door: Door, changed: () => void): Command[] {
  const warn = (error: unknown) => api.ui.toast({ variant: "warning", title: "Gantry", message: messageOf(error) })
  const ask = (title: string, placeholder: string, then: (text: string) => Promise<void>) =>
    api.ui.dialog.replace(() =>
      createComponent(api.ui.DialogPrompt, {
        title,
        placeholder,
        onConfirm: (text: string) => {
          api.ui.dialog.clear()
          if (text.trim() !== "") then(text).catch(warn)
        },
        onCancel: () => api.ui.dialog.clear(),
      }),
    )
  const command = (name: string, title: string, run: () => Promise<void>): Command => ({
    title,
    value: `gantry.${name}`,
    category: "Gantry",
    slash: { name: `task-${name}` },
    onSelect: () => {
      run().catch(warn)
    },
  })
  const control = async (action: ControlAction, done: string, text?: string, about: { task?: string; ask?: string } = {}) => {
    const { mission } = await meant(api, door)
    const params = { directory: mission.directory, mission: mission.id, action, ...(text === undefined ? {} : { text }), ...about }
    if (!(await door.ask("mission/control", params))) throw new Error("The mission is not in memory of any process; open its project and try again.")
    api.ui.toast({ variant: "success", title: "Gantry", message: done })
    changed()
  }
  /** The oldest ask: the one whose notice was first. */
  const answer = async (action: "allow" | "deny", done: string) => {
    const { asks } = await meant(api, door)
    const ask = asks.find((one) => one.allowed === undefined)
    if (!ask) throw new Error("No agent of this mission waits for a permission.")
    await control(action, `${done}: ${ask.permission} (${ask.patterns.join(", ")})`, undefined, { ask: ask.id })
  }
  return [
    command("status", "Mission: where it stands", async () => {
      const detail = await meant(api, door)
      say(api, `Mission ${detail.mission.id.slice(0, 8)}`, statusText(detail, Date.now()))
    }),
    command("report", "Mission: its report", async () => {
      const detail = await meant(api, door)
      if (!detail.report) throw new Error("The mission has not ended yet; /task-status says where it stands.")
      say(api, `Mission ${detail.mission.id.slice(0, 8)}`, detail.report)
    }),
    command("allow", "Mission: allow what an agent asks for", () => answer("allow", "Allowed")),
    command("deny", "Mission: refuse what an agent asks for", () => answer("deny", "Refused")),
    command("approve", "Mission: accept its plan", () => control("approve", "The work begins.")),
    command("refuse", "Mission: have it planned anew", async () => {
      const { awaitsApproval } = await meant(api, door)
      if (!awaitsApproval) throw new Error("No plan waits for your word.")
      ask("What is to be different in the plan?", "Fewer tasks, and leave the tests alone", (text) => control("refuse", "It is planned anew.", text))
    }),
    command("accept", "Mission: take a task as done, on your word", async () => {
      await meant(api, door)
      ask("Which task, and why? It will be in the report.", "T3 I have checked it by hand", async (text) => {
        const [task = "", ...why] = text.trim().split(/\s+/)
        const reason = why.join(" ")
        if (reason === "") throw new Error("Say why as well, as in: T3 I have checked it by hand")
        await control("accept", `${task} counts as done.`, reason, task === "whole" ? {} : { task })
      })
    }),
    command("pause", "Mission: pause", () => control("pause", "The mission is paused.")),
    command("resume", "Mission: resume", () => control("resume", "The mission goes on.")),
    command("retry", "Mission: retry", () => control("retry", "The mission is tried again.")),
    command("cancel", "Mission: cancel", async () => {
      const { mission } = await meant(api, door)
      api.ui.dialog.replace(() =>
        createComponent(api.ui.DialogConfirm, {
          title: "Cancel the mission?",
          message: mission.title,
          onConfirm: () => {
            control("cancel", "The mission is cancelled.").catch(warn)
          },
        }),
      )
    }),
    command("steer", "Mission: tell its workers something", async () => {
      await meant(api, door)
      ask("What should the workers know?", "Use the existing date helper", (text) => control("steer", "The workers are told.", text))
    }),
  ]
}

/** The mission of the conversation on the screen, else the newest of the directory. */
async function meant(api: TuiApi, door: Door): Promise<MissionDetail> {
  const directory = api.state.path.directory
  const parentSession = api.route.current.params?.sessionID
  const own = parentSession === undefined ? undefined : await door.ask("mission/status", { directory, parentSession })
  const found = own ?? (await door.ask("mission/status", { directory }))
  if (!found) throw new Error("No mission is at work here. One begins with /task followed by what is to be done.")
  return found
}

function say(api: TuiApi, title: string, message: string): void {
  api.ui.dialog.replace(() => createComponent(api.ui.DialogAlert, { title, message, onConfirm: () => api.ui.dialog.clear() }))
}
