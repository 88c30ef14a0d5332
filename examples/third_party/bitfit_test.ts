import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Model, Task } from "@espalier/espalier"
import * as BitFit from "./bitfit.ts"
import { run, testdata } from "./testdata/support.ts"

const config = (family: string) => JSON.parse(readFileSync(testdata(`${family}/model/config.json`), "utf8"))
const task = Task.classification(["no", "yes"])

Deno.test("BitFit trains biases and the head, and reads again what it wrote", async () => {
  const files = new Map<string, Uint8Array>()
  const first = await run(
    Effect.gen(function* () {
      const model = yield* Model.initialize(config("bert"), { task })
      const values = yield* Model.readParameters(model)
      yield* Model.writeParameters(
        model,
        values.map(({ parameter, data }) => ({ parameter, data: data.map(() => 0.5) })),
      )
      yield* Model.saveAdapters(model, "saved")
      return values.map(({ parameter: { key } }) => key)
    }),
    BitFit.layer,
    files,
  )
  // A new model's head trains whole.
  const head = /^(bert\.pooler\.dense|classifier)\./
  assert.equal(first.filter((key) => head.test(key)).length, 4)
  for (const key of first) assert(key.endsWith(".bias") || head.test(key), key)
  // Two layers of eight biases (six Linear, two norms), and that of the embeddings' norm.
  assert.equal(first.filter((key) => !head.test(key)).length, 17)

  const again = await run(
    Effect.flatMap(Model.initialize(config("bert"), { task, seed: 5 }), (model) => Model.readParameters(model)),
    BitFit.fromDirectory("saved"),
    files,
  )
  for (const { parameter: { key }, data } of again) assert(data.every((value) => value === 0.5), key)
})

Deno.test("a model without biases, and a folder without the file, are errors", async () => {
  const llama = Model.initialize(config("llama"), { task: Task.causalLM() })
  await assert.rejects(run(llama, BitFit.layer), /bitfit\/default: no module matches/)
  const bert = Model.initialize(config("bert"), { task })
  const files = new Map([["saved/other", new Uint8Array()]])
  await assert.rejects(run(bert, BitFit.fromDirectory("saved"), files), /there is no bitfit\.safetensors/)
})
