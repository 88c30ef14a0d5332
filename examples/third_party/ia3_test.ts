import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Model, Task } from "@espalier/espalier"
import * as Lora from "@espalier/espalier/lora"
import { decodeTensors } from "@espalier/espalier/plugin"
import * as IA3 from "./ia3.ts"
import { distance, logitsOf, none, run, testdata } from "./testdata/support.ts"

const json = (path: string) => JSON.parse(readFileSync(testdata(path), "utf8"))
const families = {
  llama: { task: Task.causalLM(), config: json("llama/model/config.json") },
  bert: { task: Task.classification(["no", "yes"]), config: json("bert/model/config.json") },
}
const TOKENS = [[3, 7, 1, 12], [8, 2, 2, 15]]
const initial = (
  family: keyof typeof families,
  change = (_: Model.Model): Effect.Effect<unknown, unknown> => Effect.void,
) =>
  Effect.gen(function* () {
    const { task, config } = families[family]
    const model = yield* Model.initialize(config, { task, seed: 3 })
    yield* change(model)
    return { model, logits: yield* logitsOf(model, TOKENS), values: yield* Model.readParameters(model) }
  })

for (const family of ["llama", "bert"] as const) {
  Deno.test(`${family}: IA3 starts as the model itself, and is the model with rescaled weights`, async () => {
    const plain = await run(initial(family), none)
    const ones = await run(initial(family), IA3.layer())
    assert.equal(distance(ones.logits, plain.logits), 0)

    const { logits, values } = await run(initial(family), IA3.layer({ initIa3Weights: false }))
    const own = values.filter(({ parameter: { owner } }) => owner === "ia3/default")
    const vectors = new Map(own.map(({ parameter: { module }, data }) => [module, data]))
    /** Rows by what rescales the output, columns by what rescales the input. */
    const rescaled = (model: Model.Model) =>
      Effect.gen(function* () {
        const all = yield* Model.readParameters(model, model.parameters)
        yield* Model.writeParameters(
          model,
          all.map(({ parameter, data }) => {
            const { module, name, shape: [, columns = 1] } = parameter
            const vector = parameter.owner === "base" ? vectors.get(module) : undefined
            const input = /down_proj|output\.dense/.test(module)
            if (vector === undefined || (input && name === "bias")) {
              return { parameter, data }
            }
            const factor = (i: number) => vector[input ? i % columns : Math.floor(i / columns)]
            return { parameter, data: data.map((value, i) => value * factor(i)) }
          }),
        )
      })
    const expected = await run(initial(family, rescaled), none)
    assert(distance(logits, expected.logits) < 1e-5, `off by ${distance(logits, expected.logits)}`)
    assert(distance(logits, plain.logits) > 1e-2)
  })

  Deno.test(`${family}: a file of PEFT gives its logits, and is written as it was`, async () => {
    const { tokens, logits } = json(`${family}/logits.json`)
    const files = new Map(
      [
        `${family}/model/config.json`,
        `${family}/model/model.safetensors`,
        `${family}/peft/adapter_config.json`,
        `${family}/peft/adapter_model.safetensors`,
      ].map((name) => [name, new Uint8Array(readFileSync(testdata(name)))]),
    )
    const { task } = families[family]
    const found = await run(
      Effect.gen(function* () {
        const model = yield* Model.load(`${family}/model`, { task })
        yield* Model.saveAdapters(model, "saved")
        return yield* logitsOf(model, tokens)
      }),
      IA3.fromPeft(`${family}/peft`),
      files,
    )
    assert(distance(found, logits) < 1e-5, `off by ${distance(found, logits)}`)

    const text = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)))
    const [ours, theirs] = [text("saved/adapter_config.json"), text(`${family}/peft/adapter_config.json`)]
    for (const field of ["peft_type", "task_type", "modules_to_save", "fan_in_fan_out"]) {
      assert.deepEqual(ours[field], theirs[field], field)
    }
    for (const field of ["target_modules", "feedforward_modules"]) {
      assert.deepEqual(ours[field].toSorted(), theirs[field].toSorted(), field)
    }
    const [mine, peft] = ["saved", `${family}/peft`].map((folder) => files.get(`${folder}/adapter_model.safetensors`)!)
    const length = Number(new DataView(peft.buffer).getBigUint64(0, true))
    const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(peft.subarray(8, 8 + length)))
    const shapes = new Map(Object.entries<{ shape: number[] }>(header).map(([name, { shape }]) => [name, shape]))
    assert.deepEqual(decodeTensors(mine, shapes, "ours"), decodeTensors(peft, shapes, "PEFT's"))
  })
}

Deno.test("IA3 and LoRA are one model in any order, and two IA3s are two", async () => {
  const methods = [
    IA3.layer({ initIa3Weights: false }),
    Lora.layer({ r: 2, initLoraWeights: false, targetModules: ["k_proj", "down_proj"] }),
    IA3.layer({ name: "second", initIa3Weights: false, targetModules: ["q_proj"] }),
  ] as const
  const first = await run(initial("llama"), Layer.mergeAll(...methods))
  const other = await run(initial("llama"), Layer.mergeAll(methods[2], methods[1], methods[0]))
  assert.deepEqual(other.logits, first.logits)
  assert.deepEqual(other.values.map(({ parameter: { key } }) => key), first.values.map(({ parameter: { key } }) => key))
  const without = await run(initial("llama"), Layer.mergeAll(methods[0], methods[1]))
  assert(distance(without.logits, first.logits) > 1e-4)
  const names = Effect.flatMap(Effect.service(IA3.IA3), ({ vectors }) => Effect.map(vectors, (all) => [...all.keys()]))
  assert.deepEqual(await run(names, Layer.mergeAll(...methods)), ["default", "second"])
})

Deno.test("what cannot work says so before any weight is read", async () => {
  const cases: ReadonlyArray<readonly [Record<string, unknown>, RegExp]> = [
    [{ targetModule: ["key"] }, /unknown option "targetModule"; the nearest known one is "targetModules"/],
    [{ targetModules: [] }, /targetModules must be a pattern or a list of names, got \[\]/],
    [
      { targetModules: ["k_proj"], feedforwardModules: ["up_proj"] },
      /feedforwardModules must be some of targetModules/,
    ],
    [{ targetModules: ["nothing"] }, /no module matches \["nothing"\]; the model has/],
    [{ targetModules: ["mlp"] }, /IA3 rescales Linear modules; "model\.layers\.0\.mlp" is FeedForward/],
  ]
  for (const [options, message] of cases) {
    await assert.rejects(run(initial("llama"), IA3.layer(options)), (error: Error) => {
      assert.equal(error.name, "PluginError")
      assert.match(error.message, message)
      return true
    })
  }
  const files = (config: string) => new Map([["saved/adapter_config.json", new TextEncoder().encode(config)]])
  for (
    const [config, message] of [
      ["{", /not valid JSON, line 1/],
      [`{ "peft_type": "LORA" }`, /peft_type is "LORA", not "IA3"/],
      [
        `{ "peft_type": "IA3", "feedforward_modules": [] }`,
        /target_modules must be a list of strings, but it is missing/,
      ],
      [`{ "peft_type": "IA3", "target_modules": ["k_proj"], "feedforward_modules": [] }`, /no adapter_model/],
    ] as const
  ) await assert.rejects(run(initial("llama"), IA3.fromPeft("saved"), files(config)), message)
})
