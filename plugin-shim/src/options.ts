// The plugin entry's options. The sidecar judges them all, with those of the other layers, when a mission is asked for:
// a second table here would be a second opinion.

export interface Options {
  /** Path of the sidecar; what is no path is left to the sidecar that is found without it. */
  bin: string | undefined
  /** As the entry has them, `bin` with them. */
  given: Record<string, unknown>
}

export function readOptions(given: unknown): Options {
  // Both lines of the host take an object or nothing.
  const options = given !== null && typeof given === "object" ? (given as Record<string, unknown>) : {}
  const bin = options.bin
  return { bin: typeof bin === "string" && bin !== "" ? bin : undefined, given: options }
}
