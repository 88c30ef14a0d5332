/**
 * A server without a model, for tests that kill it: answers a stream of rows, has them judged, and retrains. Arguments: its
 * folder.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { retrainer } from "../../../plugins/monitor/mod.ts"
import { fakeTarget, optionsIn, qualityOf, streamed } from "./fake_retrain.ts"

const [folder] = Deno.args
const target = fakeTarget()
const options = optionsIn(folder, target)
const slow = (file: string) => Effect.andThen(Effect.sleep("300 millis"), options.train(file))

const program = Effect.gen(function* () {
  const one = yield* retrainer({ ...options, train: slow })
  console.log(`serves ${target.serving}`)
  yield* one.advance
  for (let i = one.rows.length; i < 60; i++) {
    const { name, folder } = one.state().serving
    const row = streamed(i, name, qualityOf(folder))
    // 60 rows last longer than the latest moment of a first kill, on the quickest machine too.
    yield* Effect.sleep("15 millis")
    yield* one.collect([row])
    console.log(`row ${i}`)
    if (i >= 20 && one.state().retrains === 0 && one.state().asked === undefined) yield* one.ask("drift")
    yield* one.advance
  }
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
