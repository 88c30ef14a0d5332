import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { fit } from "../../../../core/training/fit.ts"
import * as Lora from "../../../../plugins/lora/mod.ts"
import { run } from "../../../support/model_layer.ts"
import { fullAt, inDirectory, names } from "../../formats/support.ts"
import { classifier, texts, tokenizer } from "../support.ts"

/** Trains into `run/` and saves the adapter there; gives the failure. */
const attempt = (directory: string, writes: number) =>
  run(
    Effect.gen(function* () {
      const model = yield* classifier()
      const done = yield* fit(model, { train: texts(24) }, {
        maxSteps: 3,
        saveEvery: 1,
        runFolder: `${directory}/run`,
        tokenizer,
      })
      yield* done.summarize({})
      yield* done.save(`${directory}/run/adapter`)
    }).pipe((effect) => fullAt(writes, effect), Effect.flip, Effect.catch(() => Effect.succeed(undefined))),
    Lora.layer({ r: 2 }),
  )

Deno.test("a full disk, at whichever write, is a typed error and leaves nothing half-written", async () => {
  let ended = false
  for (let writes = 1; !ended; writes += 3) {
    await inDirectory(async (directory) => {
      const error = await attempt(directory, writes)
      ended = error === undefined
      if (error !== undefined) {
        assertEquals([error._tag, (error as { reason?: string }).reason], ["StorageError", "NoSpace"], error.message)
        assertStringIncludes(error.message, `"${directory}/run`)
      }
      const files = names(`${directory}/run`)
      assertEquals(files.filter((name) => name.includes(".tmp-")), [])
      if (files.includes("config.json")) JSON.parse(Deno.readTextFileSync(`${directory}/run/config.json`))
      for (const name of files.includes("checkpoints") ? names(`${directory}/run/checkpoints`) : []) {
        assert(/^step-\d$/.test(name), name)
        assertEquals(names(`${directory}/run/checkpoints/${name}`), ["state.safetensors", "trainer_state.json"])
      }
      if (!files.includes("adapter")) return
      assertEquals(names(`${directory}/run/adapter`), ["adapter_config.json", "adapter_model.safetensors"])
    })
    assert(writes < 1000)
  }
})
