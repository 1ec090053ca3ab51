// The graph of tasks as a list: each task stands below one that it waits for, or is a part of, and names the others.
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

/** The task that it is a part or a try of (`T3` of `T3.1` and `T3.r2`), else the last of those it waits for. Only what comes before
 * it counts, which both do, and so none is its own ancestor. */
function parentOf(task: TaskDetail, place: Map<string, number>): string | undefined {
  const own = place.get(task.id) ?? 0
  const whole = task.id.slice(0, Math.max(0, task.id.lastIndexOf(".")))
  if ((place.get(whole) ?? own) < own) return whole
  const before = task.dependsOn.map((id) => place.get(id)).filter((at): at is number => at !== undefined && at < own)
  const last = Math.max(-1, ...before)
  return task.dependsOn.find((id) => place.get(id) === last)
}
