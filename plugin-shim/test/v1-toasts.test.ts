// Toasts of the V1 line before its terminal interface is drawn.
import assert from "node:assert/strict"
import { test } from "node:test"
import { setTimeout as sleep } from "node:timers/promises"
import type { Toast } from "../src/host/port"
import { V1Toasts } from "../src/host/v1-toasts"

const toast = (title: string, duration = 1): Toast => ({ title, message: `about ${title}`, variant: "info", duration })

function toasts(drawnAfter: number) {
  const shown: Toast[] = []
  return { shown, toasts: new V1Toasts(async (one) => void shown.push(one), drawnAfter) }
}

test("what comes before the screen is drawn is held and shown as one, the newest first", async () => {
  const { shown, toasts: all } = toasts(60)
  await all.tell(toast("resumed", 9))
  await all.tell(toast("failed"))
  assert.deepEqual(shown, [])
  await sleep(100)
  assert.deepEqual(shown, [{ ...toast("failed", 9), message: "about failed\nresumed: about resumed" }])
  await all.tell(toast("completed"))
  assert.deepEqual(shown.map(({ title }) => title), ["failed", "completed"], "later ones go at once")
  await sleep(80)
  assert.equal(shown.length, 2)
})

test("who types sees the screen: what was held is shown then, once", async () => {
  const { shown, toasts: all } = toasts(60)
  await all.tell(toast("resumed"))
  all.drawn()
  await all.tell(toast("started"))
  await sleep(100)
  assert.deepEqual(shown.map(({ title }) => title), ["resumed", "started"])
})

test("what was held for a directory goes with it", async () => {
  const { shown, toasts: all } = toasts(30)
  await all.tell(toast("resumed"))
  all.dispose()
  await sleep(60)
  assert.deepEqual(shown, [])
})
