// In the place of the host's two modules in tests: what is drawn is asked for, and then says what it says now.
type Child = Drawn | string | undefined | (() => Child) | Child[]

export class Drawn {
  readonly props: Record<string, unknown> = {}
  readonly children: Child[] = []
  constructor(readonly tag: string) {}

  get text(): string {
    const texts = this.children.map(textOf)
    return this.tag === "box" ? texts.join("\n") : texts.join("")
  }
}

export function textOf(child: Child): string {
  if (child instanceof Drawn) return child.text
  if (Array.isArray(child)) return child.map(textOf).join("")
  return typeof child === "function" ? textOf(child()) : (child ?? "")
}

let cleanups: (() => void)[] = []

/** Runs what `onCleanup` was told since the last time. */
export function leave(): void {
  const all = cleanups
  cleanups = []
  for (const one of all) one()
}

export function createSignal<T>(value: T): [() => T, (value: T) => void] {
  let held = value
  return [() => held, (next) => void (held = next)]
}
export const createMemo = <T>(compute: () => T): (() => T) => compute
export const onCleanup = (end: () => void): void => void cleanups.push(end)
export const createElement = (tag: string): Drawn => new Drawn(tag)
export const createComponent = <P>(component: (props: P) => unknown, props: P): unknown => component(props)
export const insert = (parent: Drawn, child: Child): void => void parent.children.push(child)
export const setProp = (element: Drawn, name: string, value: unknown): void => void (element.props[name] = value)
export const size = { width: 80, height: 24 }
export const useTerminalDimensions = () => () => size
