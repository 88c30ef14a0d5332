/**
 * Runs of several tasks over every kind of method: the same for any order of layers and after a resume, saved and loaded.
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { initialize, load, loadAdapters, type Model } from "../../../core/model/mod.ts"
import { fit } from "../../../core/training/fit.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as Multitask from "../../../plugins/multitask/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import { config, singleBackend, texts, tokenizer } from "../../core/training/support.ts"
import { type Base, failure, run } from "../../support/model_layer.ts"
import { inDirectory, logits } from "../files.ts"
import { data, initialized, tasks, trained } from "./support.ts"

type Method = Layer.Layer<never, PluginError, Base>

const mixture = Multitask.layer({ mixing: "equal", lossWeights: "uncertainty", gradientSurgery: "pcgrad" }) as Method
const methods: Readonly<Record<string, ReadonlyArray<Method>>> = {
  "all of the model": [],
  "LoRA": [Lora.layer({ r: 2, loraDropout: 0.1 }) as Method],
  "LoRA, shared and own": [
    Lora.layer({ r: 2 }) as Method,
    Multitask.forTasks(["topic"], Lora.layer({ name: "topic", r: 1 })) as Method,
    Multitask.forTasks(["size"], Lora.layer({ name: "size", r: 1 })) as Method,
  ],
  "adapters": [Adapters.layer({ config: "seq_bn", reductionFactor: 4 }) as Method],
  "prompt tuning": [PromptTuning.layer({ numVirtualTokens: 3 }) as Method],
}

const merged = ([first, ...more]: ReadonlyArray<Method>) => Layer.mergeAll(first, ...more) as Method
const variances = (model: Model) =>
  Effect.promise(async () => {
    const own = model.parameters.filter(({ owner }) => owner === "multitask/default")
    return await Promise.all(own.map(async ({ key, slot }) => [key, (await model.backend.read(slot))[0]] as const))
  })

for (const [name, own] of Object.entries(methods)) {
  Deno.test(`${name}: any order of layers is the same run, a resumed one too; saved, it loads`, () =>
    inDirectory(async (directory) => {
      const backend = singleBackend()
      const all = [mixture, ...own]
      await run(
        Effect.gen(function* () {
          const whole = yield* trained({ maxSteps: 5, runFolder: `${directory}/whole` })
          const learned = yield* variances(whole.model)
          assertEquals(learned.map(([key]) => key), [
            "multitask/default:objective.logVariance.topic",
            "multitask/default:objective.logVariance.size",
          ])
          assert(learned.every(([, value]) => value !== 0))
          const reversed = yield* Effect.promise(() =>
            run(trained({ maxSteps: 5 }), merged(all.toReversed()), singleBackend())
          )
          assertEquals(reversed.weights, whole.weights)

          const stop = (event: TrainEvent) => event.type === "step" && event.step === 3 ? Effect.interrupt : Effect.void
          yield* Effect.promise(() =>
            assertRejects(() =>
              run(trained({ maxSteps: 5, runFolder: `${directory}/part`, observe: stop }), merged(all), singleBackend())
            )
          )
          const resumed = yield* trained({ maxSteps: 5, runFolder: `${directory}/part`, resume: true })
          assertEquals(resumed.weights, whole.weights)

          yield* whole.run.save(`${directory}/saved`)
          const again = own.length === 0 ? yield* load(`${directory}/saved`, { tasks }) : yield* initialized()
          if (own.length > 0) yield* loadAdapters(again, `${directory}/saved`)
          for (const task of ["topic", "size"]) {
            const [expected, found] = [whole.model, again].map((model) => logits(model.view({ task }), backend))
            assertEquals(found, expected)
          }
          if (own.length > 0) assertEquals(yield* variances(again), learned)
        }),
        merged(all),
        backend,
      )
    }))
}

Deno.test("a method for one task leaves the other alone; surgery leaves such a method alone", () =>
  run(
    Effect.gen(function* () {
      const model = yield* initialized()
      const reaching = new Map(model.parameters.map(({ key, tasks }) => [key, tasks]))
      assertEquals(reaching.get("heads.topic.score.weight"), ["topic"])
      assertEquals(reaching.get("multitask/default:objective.logVariance.size"), ["size"])
      for (const [key, tasks] of reaching) {
        const own = /^lora\/(topic|size):/.exec(key)?.[1]
        if (own !== undefined) assertEquals(tasks, [own])
        if (/^(lora\/default|model)/.test(key)) assertEquals(tasks, undefined)
      }
      assertEquals(model.view({ task: "size" }).contributions.map(({ id }) => id), [
        "lora/default",
        "lora/size",
        "multitask/default",
      ])
    }),
    merged([mixture, ...methods["LoRA, shared and own"]]),
  ))

Deno.test("without mixing, the steps are those without the plugin", async () => {
  const steps = async (plugins: ReadonlyArray<Method>) =>
    (await run(trained({ maxSteps: 3 }), merged(plugins), singleBackend())).weights
  const plain = await steps(methods["LoRA"])
  assertEquals(await steps([Multitask.layer({ mixing: "none" }) as Method, ...methods["LoRA"]]), plain)
})

/** Notes the tasks of each step. */
const noting = (seen: Array<string>) =>
  Layer.effectDiscard(
    Effect.flatMap(Effect.service(Plugins), ({ register }) =>
      register({
        id: "noting/default",
        after: ["multitask"],
        batches: (next) => ({
          ...next,
          next: (position, feedback) =>
            Effect.map(next.next(position, feedback), (step) => {
              seen.push([...new Set(step?.microBatches.map(({ task }) => task))].join())
              return step
            }),
        }),
      })),
  ) as Method

Deno.test("a task stops by itself where its loss no longer improves, and a resumed run knows it", () =>
  inDirectory(async (directory) => {
    const seen: Array<string> = []
    const plugins = merged([
      Multitask.layer({ mixing: "equal", patience: 1 }) as Method,
      noting(seen),
      ...methods["LoRA"],
    ])
    const options = { maxSteps: 14, learningRate: 0.1, evaluateEvery: 2, saveEvery: 2 } as const
    const train = (folder: string, more = {}) =>
      run(trained({ ...options, runFolder: `${directory}/${folder}`, ...more }), plugins, singleBackend())
    const whole = await train("whole")
    /** The step after whose evaluation a task is done: the first that is no better than the best before. */
    const lastOf = (task: string) => {
      const losses = whole.events.flatMap((one) => one.type === "evaluation" ? [one.metrics[`${task}.loss`]] : [])
      const at = losses.findIndex((loss, i) => i > 0 && loss >= Math.min(...losses.slice(0, i)))
      return at < 0 ? Infinity : 2 * (at + 1)
    }
    const lasts = { topic: lastOf("topic"), size: lastOf("size") }
    const last = Math.min(lasts.topic, lasts.size)
    assert(last < 12, `no task stopped: ${JSON.stringify(lasts)}`)
    seen.forEach((task, step) =>
      assert(task === "" ? step >= Math.max(lasts.topic, lasts.size) : step < lasts[task as "topic"], `${task} ${step}`)
    )
    assertEquals(new Set(seen.slice(0, last)), new Set(["topic", "size"]))
    const stop = (event: TrainEvent) =>
      event.type === "step" && event.step === last + 1 ? Effect.interrupt : Effect.void
    await assertRejects(() => train("part", { observe: stop }))
    assertEquals((await train("part", { resume: true })).weights, whole.weights)
  }))

Deno.test("patience without an evaluation that counts is an error before the first step", async () => {
  const patient = merged([Multitask.layer({ mixing: "equal", patience: 1 }) as Method, ...methods["LoRA"]])
  const withoutRows = Effect.flatMap(initialized(), (model) => fit(model, { train: data }, { tokenizer, maxSteps: 1 }))
  const never = trained({ evaluateEvery: "never" })
  for (const training of [Effect.asVoid(never), Effect.asVoid(withoutRows)]) {
    const { message } = await failure(training, patient, singleBackend())
    assertStringIncludes(message, "patience counts evaluations of validation rows")
  }
})

Deno.test("tasks that do not fit say so before any weight is loaded", async () => {
  const lora = Lora.layer({ r: 2 }) as Method
  const message = async (options: Multitask.MultitaskOptions, given: Parameters<typeof initialize>[1]) =>
    (await failure(initialize(config, given), merged([Multitask.layer(options) as Method, lora]))).message
  assertStringIncludes(
    await message({}, { tasks: { topic: tasks.topic } }),
    'multitask/default: the model has one task, ["topic"]: give it two or more, or leave the plugin out',
  )
  assertStringIncludes(
    await message({ lossWeights: { tone: 2 } }, { tasks }),
    'lossWeights are for ["tone"]; the model has ["topic","size"]: name those',
  )
  for (const lossWeights of [{ topic: 2 }, "uncertainty"] as const) {
    assertStringIncludes(
      await message({ lossWeights }, { task: tasks.topic }),
      "lossWeights are by task, and the model has one task without a name: name its tasks",
    )
  }
  assertStringIncludes(await message({ temperature: -1, mixing: "temperature" }, { tasks }), "above 0, got -1")
  const training = async (given: Parameters<typeof initialize>[1], train: Parameters<typeof fit>[1]["train"]) => {
    const effect = Effect.flatMap(initialize(config, given), (model) => fit(model, { train }, { tokenizer }))
    return await failure(effect, merged([Multitask.layer() as Method, lora]))
  }
  const alone = await training({ task: tasks.topic }, data.topic)
  assertEquals([alone._tag, alone.reason], ["TrainingError", "Options"])
  assertStringIncludes(
    alone.message,
    'the training split has one, "default": give the rows of each task under its name',
  )
  assertStringIncludes((await training({ tasks }, { topic: data.topic })).message, 'has no rows of ["size"]')
  // One head may learn from several sets of data.
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task: tasks.topic, seed: 1 })
      const train = { one: texts(8), other: texts(4) }
      const { steps } = yield* fit(model, { train }, { tokenizer, epochs: 1, batchSize: 2 })
      assertEquals(steps, 6)
    }),
    merged([Multitask.layer({ mixing: "equal" }) as Method, lora]),
  )
})
