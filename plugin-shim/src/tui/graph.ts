// The graph of tasks as a list: each task stands below one that it waits for, and names the others; parts of a task, and tries
// at it, stand below that.
import type { TaskDetail } from "../generated/types"

export interface Node {
  task: TaskDetail
  /** What is drawn before it. */
  stem: string
  /** What it waits for besides the task it stands below. */
  also: string[]
}

/** Every task once, in an order that has no task before one that it waits for, as far as the plan has such an order. */
export function tree(tasks: TaskDetail[]): Node[] {
  const place = new Map(tasks.map((task, at) => [task.id, at]))
  const below = new Map<string | undefined, TaskDetail[]>()
  for (const task of tasks) {
    const parent = parentOf(task, place)
    const list = below.get(parent) ?? []
    list.push(task)
    below.set(parent, list)
  }
  const nodes: Node[] = []
  const walk = (parent: string | undefined, indent: string) => {
    const children = below.get(parent) ?? []
    children.forEach((task, at) => {
      const last = at === children.length - 1
      const stem = parent === undefined ? "" : `${indent}${last ? "└─" : "├─"}`
      nodes.push({ task, stem, also: task.dependsOn.filter((id) => id !== parent && place.has(id)) })
      walk(task.id, parent === undefined ? "" : `${indent}${last ? "  " : "│ "}`)
    })
  }
  walk(undefined, "")
  return nodes
}

/** What it is a part of where it waits for no other part, else the last of those it waits for that come before it: a plan lists what comes first, first, and so none is its own ancestor. */
function parentOf(task: TaskDetail, place: Map<string, number>): string | undefined {
  const own = place.get(task.id) ?? 0
  const before = task.dependsOn.map((id) => place.get(id)).filter((at): at is number => at !== undefined && at < own)
  const last = Math.max(-1, ...before)
  const whole = task.partOf !== undefined && (place.get(task.partOf) ?? own) < own ? task.partOf : undefined
  return task.dependsOn.find((id) => place.get(id) === last) ?? whole
}
