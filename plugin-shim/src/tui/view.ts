// The full-screen view: the mission looked at once a second, and keys for as long as it is on the screen.
import type { Child } from "@opentui/solid"
import { createSignal, onCleanup } from "solid-js"
import type { MissionDetail, MissionViewResult } from "../generated/types"
import { reasonOf } from "../errors"
import type { Door } from "./door"
import { column } from "./draw"
import { openAsk } from "./lines"
import type { Orders } from "./orders"
import { allowed, entries, placeOf, screen, steered } from "./screen"
import type { Terminal } from "./terminal"

const EVERY_MS = 1_000
/** At an ended mission; somebody may order a retry elsewhere. */
const SELDOM_MS = 5_000

/** `heard` is told what each look has shown. */
export function missionView(terminal: Terminal, door: Door, orders: Orders, mission: string, heard: (detail: MissionDetail) => void): Child {
  const [view, show] = createSignal<MissionViewResult | undefined>(undefined)
  const [now, tick] = createSignal(Date.now())
  /** The id of the chosen task, for its place changes with the plan; nothing for the mission itself. */
  const [selected, select] = createSignal<string | undefined>(undefined)
  let timer: NodeJS.Timeout | undefined
  let gone = false

  const look = async (): Promise<void> => {
    clearTimeout(timer)
    try {
      const found = await door.look("mission/view", { directory: terminal.directory(), mission })
      if (found) {
        tick(Date.now())
        show(found)
        heard(found.detail)
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
  const place = () => placeOf(all(), selected())
  const move = (by: number) => select(all()[Math.max(0, Math.min(all().length - 1, place() + by))]?.node?.task.id)
  const chosen = () => all()[place()]
  const size = terminal.size()
  /** A key whose order the state does not allow does nothing. */
  const order = (key: string) => () => {
    const found = view()
    if (!found) return
    const what = allowed(found, chosen(), size()).find(([k]) => k === key)?.[1]
    const ask = openAsk(found.detail)
    const orderOf: Record<string, (mission: string) => Promise<void>> = {
      "accept plan": orders.approve,
      "another plan": (id) => orders.refuse(id),
      allow: async (id) => ask && orders.answer(id, ask, "allow"),
      refuse: async (id) => ask && orders.answer(id, ask, "deny"),
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
  return () => column(terminal, screen(view(), { ...size(), selected: place(), now: now() }))
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
