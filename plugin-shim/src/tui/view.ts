// The full-screen view: the mission looked at once a second, and keys for as long as it is on the screen.
import type { Child } from "@opentui/solid"
import { createSignal, onCleanup } from "solid-js"
import type { MissionViewResult } from "../generated/types"
import { reasonOf } from "../errors"
import type { Door } from "./door"
import { column } from "./draw"
import type { Orders } from "./orders"
import { allowed, entries, screen, steered } from "./screen"
import type { Terminal } from "./terminal"

const EVERY_MS = 1_000
/** At an ended mission; somebody may order a retry elsewhere. */
const SELDOM_MS = 5_000

export function missionView(terminal: Terminal, door: Door, orders: Orders, mission: string): Child {
  const [view, show] = createSignal<MissionViewResult | undefined>(undefined)
  const [now, tick] = createSignal(Date.now())
  const [selected, select] = createSignal(0)
  let timer: NodeJS.Timeout | undefined
  let gone = false

  const look = async (): Promise<void> => {
    clearTimeout(timer)
    try {
      const found = await door.ask("mission/view", { directory: terminal.directory(), mission })
      if (found) {
        tick(Date.now())
        show(found)
      }
    } catch (error) {
      terminal.toast("warning", reasonOf(error))
    } finally {
      clearTimeout(timer)
      const ended = view()?.detail.mission.endedAt !== undefined
      if (!gone) timer = setTimeout(() => void look(), ended ? SELDOM_MS : EVERY_MS)
    }
  }
  const all = () => entries(view() ?? EMPTY)
  const move = (by: number) => select(Math.max(0, Math.min(all().length - 1, selected() + by)))
  const chosen = () => all()[selected()]
  /** A key whose order the state does not allow does nothing. */
  const order = (key: string) => () => {
    const found = view()
    if (!found) return
    const what = allowed(found, chosen()).find(([k]) => k === key)?.[1]
    const orderOf: Record<string, (mission: string) => Promise<void>> = {
      "accept plan": orders.approve,
      "another plan": (id) => orders.refuse(id),
      allow: (id) => orders.answer(id, "allow"),
      refuse: (id) => orders.answer(id, "deny"),
      pause: orders.pause,
      suspend: orders.suspend,
      resume: orders.resume,
      steer: (id) => orders.steer(id, steered(chosen())),
      cancel: (id) => orders.cancel(id),
      "take as done": (id) => orders.accept(id, chosen()?.node?.task.id),
      retry: orders.retry,
    }
    const run = what === undefined ? undefined : orderOf[what]
    if (run) orders.tell(run(mission).then(look))
  }
  const keys = Object.fromEntries(["a", "x", "y", "n", "p", "u", "s", "c", "t", "r"].map((key) => [key, order(key)]))
  const release = terminal.keys({
    ...keys,
    up: () => move(-1),
    down: () => move(1),
    return: () => {
      const session = chosen()?.session
      if (session !== undefined) terminal.openSession(session)
    },
    escape: () => terminal.leaveView(),
    q: () => terminal.leaveView(),
  })
  onCleanup(() => {
    gone = true
    clearTimeout(timer)
    release()
  })
  void look()
  const size = terminal.size()
  return () => column(terminal, screen(view(), { ...size(), selected: selected(), now: now() }))
}

const EMPTY: MissionViewResult = {
  detail: {
    mission: { id: "", title: "", state: "", parentSession: "", directory: "", done: 0, running: 0, waiting: 0, failed: 0, total: 0, createdAt: 0 },
    tasks: [],
    tokens: 0,
    cost: 0,
    awaitsApproval: false,
    asks: [], checkpoints: [],
  },
  attempts: [],
  findings: [],
  log: [],
}
