/**
 * Prints how children of `childRun` end; a program of its own, since Deno asks for all of the environment to start one.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { childRun } from "../../../plugins/monitor/mod.ts"

const told = (name: string, command: readonly [string, ...ReadonlyArray<string>]) =>
  childRun({ command })("a.json").pipe(
    Effect.match({ onSuccess: () => name, onFailure: ({ reason, message }) => `${reason} ${message}` }),
    Effect.runPromise,
  )

console.log(await told("done", ["sh", "-c", `test "$0" = a.json`]))
console.log(await told("", ["sh", "-c", "echo why >&2; exit 3"]))
console.log(await told("", ["no-such-program"]))

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const file = await Deno.makeTempFile()
const fiber = Effect.runFork(childRun({ command: ["sh", "-c", `echo $$ > ${file}; exec sleep 60`] })("a.json"))
let pid = ""
while (!pid.endsWith("\n")) {
  await wait(20)
  pid = await Deno.readTextFile(file)
}
await Deno.remove(file)
await Effect.runPromise(Fiber.interrupt(fiber))
for (let i = 0; i < 400; i++) {
  try {
    Deno.kill(Number(pid), "SIGCONT")
  } catch {
    console.log("interrupted, and its child is gone")
    break
  }
  await wait(20)
}
