/**
 * Prints how children of `childRun` end; a program of its own, since Deno asks for all of the environment to start one.
 * @module
 */
import * as Effect from "effect/Effect"
import { childRun } from "../../../plugins/monitor/mod.ts"

const told = (name: string, command: readonly [string, ...ReadonlyArray<string>]) =>
  childRun({ command })("a.json").pipe(
    Effect.match({ onSuccess: () => name, onFailure: ({ reason, message }) => `${reason} ${message}` }),
    Effect.runPromise,
  )

console.log(await told("done", ["sh", "-c", `test "$0" = a.json`]))
console.log(await told("", ["sh", "-c", "echo why >&2; exit 3"]))
console.log(await told("", ["no-such-program"]))

const file = await Deno.makeTempFile()
const left = childRun({ command: ["sh", "-c", `echo $$ > ${file}; exec sleep 60`] })("a.json")
await Effect.runPromise(Effect.timeoutOption(left, "500 millis"))
const pid = Number(await Deno.readTextFile(file))
await Deno.remove(file)
for (let i = 0; i < 100; i++) {
  try {
    Deno.kill(pid, "SIGCONT")
  } catch {
    console.log("interrupted, and its child is gone")
    break
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
}
