/**
 * Several tasks as a package from outside would use them, against the public exports alone: a mixture by temperature, a
 * transform that sees the gradients of both tasks, an adapter for one of them. Losses, changes and what the transform sees
 * are those of models of one task each.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import {
  type BatchSource,
  Dataset,
  Model,
  ops,
  type PluginError,
  Plugins,
  type Step,
  Task,
  type Tokenizer,
  Trainer,
  type TrainStep,
} from "@espalier/espalier"
import * as Lora from "@espalier/espalier/lora"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { config, exactLayer, type Method, provided } from "./support.ts"

const A = "a".charCodeAt(0)
/** A token a letter. */
const tokenizer: Tokenizer.Tokenizer = {
  vocabSize: config.vocab_size,
  addsSpecialTokens: false,
  encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0) - A),
  decode: (ids) => String.fromCharCode(...Array.from(ids, (id) => id + A)),
  token: (id) => String.fromCharCode(id + A),
  id: (token) => token.charCodeAt(0) - A,
}
const words = ["apple", "fig", "lemon", "melon", "plum", "oak", "alder", "elm", "rowan", "beech", "pine", "ash"]
const data = {
  kind: Dataset.fromRows(words.map((text, i) => ({ text, label: i < 5 ? "fruit" : "tree" })), {
    text: "text",
    label: "label",
  }),
  next: Dataset.fromRows(words.slice(0, 4).map((text) => ({ text })), { text: "text" }),
}
const tasks = { kind: Task.classification(["fruit", "tree"]), next: Task.causalLM() }
type Name = keyof typeof tasks

/** Draws two micro-batches a step; a task's chance is its number of rows to the power of 1 / temperature. */
function byTemperature(next: BatchSource, temperature: number, drawn: Array<Step>): BatchSource {
  const names = Object.keys(next.tasks)
  const shares = names.map((name) => next.tasks[name].length ** (1 / temperature))
  const total = shares.reduce((sum, share) => sum + share, 0)
  const pick = (x: number) => names.find((_, i) => (x -= shares[i] / total) < 0) ?? names[0]
  let count = 0
  const number = () => (Math.imul(++count, 0x9e3779b1) >>> 0) / 2 ** 32
  return {
    tasks: next.tasks,
    steps: () => 20,
    next: () =>
      Effect.sync(() => {
        const microBatches = [0, 1].map(() => {
          const task = pick(number())
          const rows = Int32Array.from([0, 1], () => Math.floor(number() * next.tasks[task].length))
          return { task, rows, length: Math.max(...Array.from(rows, (row) => next.tasks[task][row])) }
        })
        drawn.push({ microBatches })
        return { microBatches }
      }),
    state: { save: () => count, restore: (state) => void (count = state as number) },
  }
}

interface Multitask {
  readonly "~seams/Multitask": "~seams/Multitask"
}
const Multitask: Context.Service<Multitask, "multitask"> = Context.Service<Multitask, "multitask">("seams/Multitask")

/** Mixes by temperature; weighs the tasks' gradients, and keeps the cosine between them where a step has both. */
const mixing = (weights: Readonly<Record<string, number>>, drawn: Array<Step>, seen: Set<string>): Method =>
  Plugins.plugin(
    Multitask,
    Effect.succeed(["multitask", {
      id: "multitask/default",
      batches: (next) => byTemperature(next, 5, drawn),
      gradients: {
        task: {
          init: () => ({ cosine: { shape: [] } }),
          update: (byTask, _, { weights: terms }) => {
            for (const name of byTask.keys()) seen.add(name)
            const [a, b] = [...byTask.values()]
            const dot = (x: typeof a, y: typeof a) =>
              [...x].map(([key, own]) => ops.sum(ops.mul(own, y.get(key)!))).reduce((one, more) => ops.add(one, more))
            const both = [...terms.values()].reduce((one, more) => ops.mul(one, more))
            const cosine = ops.div(dot(a, b), ops.sqrt(ops.max(ops.mul(dot(a, a), dot(b, b)), 1e-30)))
            const scaled = [...byTask].map(([name, gradients]) =>
              [name, new Map([...gradients].map(([key, own]) => [key, ops.mul(own, weights[name])]))] as const
            )
            return [new Map(scaled), { cosine: ops.where(ops.less(0, both), cosine, 0) }]
          },
        },
      },
    }]),
  )

/** Plugins of a layer at work for some tasks alone. */
const onlyFor = <I>(
  names: ReadonlyArray<string>,
  layer: Layer.Layer<I, PluginError, Plugins.Plugins>,
): Layer.Layer<I, PluginError, Plugins.Plugins> => {
  const narrowed = Layer.effect(
    Plugins.Plugins,
    Effect.map(Effect.service(Plugins.Plugins), (all): Plugins.PluginsService => ({
      ...all,
      register: (contribution) => all.register({ ...contribution, tasks: names }),
    })),
  )
  return Layer.provide(layer, narrowed)
}

type Values = ReadonlyMap<string, Float64Array>
const valuesOf = (model: Model.Model): Effect.Effect<Values> =>
  Effect.promise(async () => {
    const all = new Map<string, Float64Array>()
    for (const { key, slot } of model.parameters) all.set(key, Float64Array.from(await model.backend.read(slot)))
    return all
  })

/** Gradient of a task's mean loss over micro-batches, by the keys of a model of several: from a step of a model of one. */
const alone = (
  name: Name,
  values: Values,
  steps: ReadonlyArray<{ readonly rows: Int32Array; readonly length: number }>,
) =>
  Effect.gen(function* () {
    const model = yield* Model.initialize(config, { task: tasks[name], seed: 1 })
    const inModel = (key: string) => values.has(key) ? key : key.replace(/^(.*:)?(.*)$/, `$1heads.${name}.$2`)
    for (const { key, slot } of model.parameters) {
      const own = values.get(inModel(key))
      if (own !== undefined) yield* Effect.promise(() => model.backend.write(slot, own as unknown as Float32Array))
    }
    const { examples } = yield* Effect.sync(() => encoded(name))
    const session = yield* Trainer.session(model, { optimizer: Trainer.sgd(), maxGradNorm: 0 })
    const before = yield* valuesOf(model)
    const batches = steps.map((one) => Trainer.collate(examples, { ...one, task: "default" }, tasks[name]))
    const [{ loss }] = yield* Effect.promise(async () => [
      ...await session.post({ batches }, 1),
      ...await session.drain(),
    ])
    const after = yield* valuesOf(model)
    const gradient = [...before].map(([key, own]) =>
      [inModel(key), own.map((value, i) => value - after.get(key)![i])] as const
    )
    return { loss, gradient: new Map(gradient) }
  })

/** Examples as the tasks make them: letters, with a label or the letters that follow. */
const encoded = (name: Name): { readonly examples: ReadonlyArray<Trainer.Example> } => ({
  examples: data[name].rows.map((row, index) => {
    const tokens = tokenizer.encode(row.text)
    const labels = "label" in row ? [row.label] : [...tokens.subarray(1), -100]
    return { tokens, fields: { labels }, index, row: row.row }
  }),
})

const near = (a: Float64Array, b: Float64Array): boolean => {
  const size = Math.hypot(...b)
  return Math.hypot(...a.map((value, i) => value - b[i])) <= 1e-6 * Math.max(size, 1e-12)
}

Deno.test("a package mixes tasks by temperature, weighs their gradients, and has an adapter for one of them", async () => {
  const drawn: Array<Step> = [], seen = new Set<string>(), losses: Array<number> = []
  const weights = { kind: 1, next: 0.25 }
  const lora = Lora.layer({ r: 2, initLoraWeights: false })
  const own = onlyFor(["next"], Lora.layer({ name: "own", r: 2, targetModules: ["o_proj"], initLoraWeights: false }))
  const learningRate = 0.5
  const train = Effect.gen(function* () {
    const model = yield* Model.initialize(config, { tasks, seed: 1 })
    const states: Array<Values> = [yield* valuesOf(model)]
    const observe = (event: { readonly type: string }) =>
      event.type === "step"
        ? Effect.andThen(
          Effect.sync(() => void losses.push((event as TrainStep).loss)),
          Effect.map(valuesOf(model), (values) => void states.push(values)),
        )
        : Effect.void
    // The source takes its time, so that a step is reported before the next begins.
    yield* Trainer.fit(model, { train: data }, {
      tokenizer,
      maxSteps: 20,
      optimizer: "sgd",
      schedule: "constant",
      maxGradNorm: 0,
      learningRate,
      paddingFree: false,
      evaluateEvery: "never",
      observe,
    })
    return { model, states }
  })
  const { states } = await provided(
    train.pipe(Effect.provide(NodeFileSystem.layer)),
    [lora as Method, own as Method, mixing(weights, drawn, seen)],
    exactLayer(),
  )
  assertEquals([...seen], ["kind", "next"])
  const counts = (name: Name) => drawn.flatMap((step) => step.microBatches).filter(({ task }) => task === name).length
  // 12 and 4 rows: 3 to 1 by rows, 1.25 to 1 at temperature 5.
  assert(counts("next") > 10 && counts("kind") > 10, `${counts("kind")} and ${counts("next")}`)
  const kinds = new Set(drawn.map(({ microBatches }) => microBatches.map(({ task }) => task).sort().join()))
  assertEquals(kinds.size, 3)

  for (const step of [0, 1, 2, 3, 4, 5]) {
    const parts = new Map<Name, Effect.Success<ReturnType<typeof alone>>>()
    for (const name of ["kind", "next"] as const) {
      const micro = drawn[step].microBatches.filter(({ task }) => task === name)
      if (micro.length === 0) continue
      const methods = name === "next" ? [lora, Lora.layer({ name: "own", r: 2, targetModules: ["o_proj"] })] : [lora]
      parts.set(name, await provided(alone(name, states[step], micro), methods as ReadonlyArray<Method>, exactLayer()))
    }
    const mean = [...parts.values()].reduce((sum, { loss }) => sum + loss / parts.size, 0)
    assert(Math.abs(losses[step] - mean) < 1e-6 * mean, `step ${step}: loss ${losses[step]} for ${mean}`)
    for (const [key, before] of states[step]) {
      const change = before.map((value, i) => (value - states[step + 1].get(key)![i]) / learningRate)
      const expected = before.map((_, i) =>
        [...parts].reduce((sum, [name, { gradient }]) => sum + weights[name] * (gradient.get(key)?.[i] ?? 0), 0) /
        parts.size
      )
      assert(near(change, expected), `step ${step}: ${key}`)
    }
  }
})

Deno.test("a plugin for a task that is not there says so", async () => {
  const own = onlyFor(["tone"], Lora.layer({ r: 2 })) as Method
  const message = (given: Parameters<typeof Model.initialize>[1]) =>
    provided(Effect.map(Effect.flip(Model.initialize(config, given)), ({ message }) => message), [own], exactLayer())
  assertStringIncludes(await message({ tasks }), 'lora/default is for the task "tone"; the model has ["kind","next"]')
  assertStringIncludes(await message({ task: tasks.kind }), '"tone"; the model has one task without a name')
})
