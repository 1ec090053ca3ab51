// What the host gives to the half of the plugin that runs in its terminal interface, as far as it is used. The two modules are
// the host's own; it puts them in place of these names when it loads the file.
declare module "solid-js" {
  export function createSignal<T>(value: T): [() => T, (value: T) => void]
  export function createMemo<T>(compute: () => T): () => T
  export function onCleanup(end: () => void): void
}

declare module "@opentui/solid" {
  export type Element = { readonly element: unique symbol }
  export type Child = Element | string | undefined | (() => Child) | Child[]
  export function createElement(tag: "box" | "text" | "span"): Element
  export function createComponent<P>(component: (props: P) => unknown, props: P): Element
  export function insert(parent: Element, child: Child): void
  export function setProp(element: Element, name: string, value: unknown): void
  export function useTerminalDimensions(): () => { width: number; height: number }
}
