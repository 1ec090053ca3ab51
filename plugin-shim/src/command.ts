// `/task`: the mission is on disk before the Commander's turn starts, and every failure ends as one sentence for the user.
import { randomUUID } from "node:crypto"
import { sentenceOf } from "./errors"
import type { Command, MissionCreateResult } from "./generated/types"
import { logFile } from "./log"
import { COMMAND, ORDERS } from "./roles"

export const USAGE = "Say what is to be done, for example: /task add a dark mode and test it."

/** What the Commander's turn is to start with. */
export type Opening =
  | { mission: string; text: string; instruction: string }
  /** No mission: the sentence is for the user, the instruction keeps the model from doing anything else. */
  | { mission: undefined; sentence: string; instruction: string }

export async function openMission(
  given: string,
  create: (text: string, key: string) => Promise<MissionCreateResult>,
): Promise<Opening> {
  const text = unquoted(given)
  if (text === "") return refusal(USAGE)
  try {
    const { mission, queuedBehind } = await create(text, randomUUID())
    return { mission: mission.id, text, instruction: briefing(mission.id, queuedBehind.length) }
  } catch (error) {
    return refusal(sentenceOf(error, logFile(), "Gantry did not accept the mission because it cannot write its store"))
  }
}

/** The host puts the words of a headless call into quotes and a backslash before each quote inside, and no other. */
export function unquoted(given: string): string {
  const text = given.trim()
  const inner = /^"([\s\S]*)"$/.exec(text)?.[1]
  if (inner === undefined || /(^|[^\\])"/.test(inner)) return text
  return inner.replaceAll('\\"', '"').trim()
}

function briefing(mission: string, ahead: number): string {
  const queue = ahead > 0 ? ` It starts after ${ahead === 1 ? "the mission" : `the ${ahead} missions`} before it.` : ""
  return [
    `Mission ${mission} has been accepted for the request above.${queue}`,
    "Call the tool `mission` once, now: `brief` from the request and what this conversation has settled, `acceptance` and `constraints` as far as the user has named any.",
    "When it returns, repeat its report to the user plainly. Do no other work on the request yourself.",
  ].join("\n")
}

/** What a command that needs no model answers; a failure is a sentence too. */
export async function answerOf(given: string, run: (text: string) => Promise<string>): Promise<string> {
  try {
    return await run(unquoted(given))
  } catch (error) {
    return sentenceOf(error, logFile(), "Gantry cannot read its store")
  }
}

/** `status` of `task-status`. */
export function orderOf(name: string): Command | undefined {
  const order = name.startsWith(`${COMMAND}-`) ? name.slice(COMMAND.length + 1) : ""
  return order in ORDERS ? (order as Command) : undefined
}

/** This line of the host begins a turn with every command; it is to be as short as one can be. */
export const ANSWERED = 'The user has just been shown the answer above. Call no tool. Answer with exactly: "Done."'

/** An order that came as a message: the host knows no command of that name here, or has a text pasted behind it. */
export function orderTyped(text: unknown): { order: Command; words: string } | undefined {
  const [, name = "", words = ""] = (typeof text === "string" && /^\/(\S+)(?:\s+([^]*))?$/.exec(unquoted(text))) || []
  const order = orderOf(name)
  return order && { order, words }
}

/** The turn that such a message begins, or comes into the middle of, is not to be about it. */
export const OBEYED =
  'The user has given Gantry an order, which has been carried out and answered without you. Say nothing about it: go on with what you were doing, and if that is finished call no tool and answer with exactly: "Done."'

function refusal(sentence: string): Opening {
  return {
    mission: undefined,
    sentence,
    instruction: 'No mission was started, and the user has just been told why. Call no tool. Answer with exactly: "No mission was started."',
  }
}
