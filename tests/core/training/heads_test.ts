/**
 * Several tasks with heads of their own over one trunk.
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import type { Batch } from "../../../core/data/batches/batches.ts"
import { collate } from "../../../core/data/batches/batches.ts"
import type { Data } from "../../../core/data/data.ts"
import { encode } from "../../../core/data/encode.ts"
import {
  initialize,
  load,
  loadAdapters,
  type Model,
  readParameters,
  saveAdapters,
  saveCheckpoint,
  writeParameters,
} from "../../../core/model/mod.ts"
import { generate } from "../../../core/inference/mod.ts"
import { ModelError } from "../../../core/model/model_error.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { embed } from "../../../core/training/embed.ts"
import { evaluate, predict } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import type { TrainingData } from "../../../core/training/loop/training_data.ts"
import { sgd } from "../../../core/training/optimizers/sgd.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { run } from "../../support/model_layer.ts"
import { inDirectory, logits as logitsOf, shapesIn } from "../../plugins/files.ts"
import { config, singleBackend, texts, tokenizer, weightsOf } from "./support.ts"

/** What a text is about, and a score for its length. */
const tasks = { topic: Task.classification(["food", "sky"]), size: Task.regression() }
const lora = Lora.layer({ r: 2, initLoraWeights: false })
const data = {
  topic: texts(7),
  size: fromRows(texts(11).rows.slice(4).map(({ text }) => ({ text, score: text.length / 40 })), {
    text: "text",
    scores: ["score"],
  }),
}
type Name = keyof typeof tasks

/** The first rows of a task as a micro-batch. */
function batchOf(task: Name, count: number): Batch {
  const own: Data = data[task]
  const { examples } = encode(own, tokenizer, { maxLength: 32, vocabSize: 300, task: tasks[task] as Task })
  const rows = Int32Array.from({ length: count }, (_, i) => i)
  const length = Math.max(...examples.slice(0, count).map(({ tokens }) => tokens.length))
  return collate(examples, { task, rows, length }, tasks[task])
}

/** Changes of all trained parameters by one step of plain descent, by key. */
async function changes(
  model: Model,
  batches: ReadonlyArray<Batch>,
): Promise<ReadonlyMap<string, Float64Array>> {
  const read = async () => {
    const values = await Effect.runPromise(readParameters(model))
    return new Map(values.map(({ parameter: { key }, data }) => [key, Float64Array.from(data)]))
  }
  const before = await read()
  const session = await makeSession(model, { optimizer: sgd(), maxGradNorm: 0 })
  await session.post({ batches }, 1)
  await session.drain()
  const after = await read()
  await session.dispose()
  return new Map([...before].map(([key, own]) => [key, own.map((value, i) => after.get(key)![i] - value)]))
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))

Deno.test("a step of two tasks moves the trunk by the mean of what each would, and each head by its half", () =>
  run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { tasks, seed: 1 })
      const start = yield* readParameters(model, model.parameters)
      const both = yield* Effect.promise(() => changes(model, [batchOf("topic", 4), batchOf("size", 7)]))
      assertEquals([...both.keys()].filter((key) => key.startsWith("heads")), [
        "heads.topic.score.weight",
        "heads.size.score.weight",
      ])
      const alone = new Map<Name, ReadonlyMap<string, Float64Array>>()
      for (const name of ["topic", "size"] as const) {
        // A model of the task alone, with the same values.
        const single = yield* initialize(config, { task: tasks[name], seed: 2 })
        const values = new Map(start.map(({ parameter: { key }, data }) => [key.replace(`heads.${name}.`, ""), data]))
        yield* writeParameters(
          single,
          single.parameters.map((parameter) => ({ parameter, data: values.get(parameter.key)! })),
        )
        const batch = { ...batchOf(name, name === "topic" ? 4 : 7), task: "default" }
        alone.set(name, yield* Effect.promise(() => changes(single, [batch])))
      }
      for (const [key, change] of both) {
        const [, task, own] = /^heads\.(\w+)\.(.*)$/.exec(key) ?? []
        const parts = task === undefined
          ? [...alone.values()].map((changes) => changes.get(key)!)
          : [alone.get(task as Name)!.get(own)!]
        const expected = change.map((_, i) => parts.reduce((sum, part) => sum + part[i] / 2, 0))
        assert(norm(expected) > 0, key)
        assert(norm(change.map((value, i) => value - expected[i])) < 1e-6 * norm(expected), key)
      }
    }),
    lora,
  ))

/** Loads a model, from what is given here or from a directory. */
const initialized = (seed = 1) => initialize(config, { tasks, seed })
const splits = {
  topic: { train: texts(20), validation: texts(8) },
  size: { train: data.size, validation: data.size },
}
const options = {
  tokenizer,
  epochs: 2,
  batchSize: 4,
  learningRate: 1e-2,
  saveEvery: 3,
  evaluateEvery: 4,
} as const
const own = {
  train: { topic: splits.topic.train, size: splits.size.train },
  validation: { topic: splits.topic.validation, size: splits.size.validation },
}

Deno.test("a run over two tasks: shares of the steps, metrics by task, early stopping by one of them, and a resumed run", () =>
  inDirectory(async (directory) => {
    const train = (folder: string, more: TrainOptions = {}, rows = own.train) => {
      const events: Array<TrainEvent> = []
      const observe = (event: TrainEvent) =>
        Effect.suspend(() => {
          events.push(event)
          return more.observe?.(event) ?? Effect.void
        })
      const effect = Effect.gen(function* () {
        const model = yield* initialized()
        yield* fit(model, { ...own, train: rows }, {
          ...options,
          runFolder: `${directory}/${folder}`,
          ...more,
          observe,
        })
        const before = yield* Effect.promise(() => weightsOf(model))
        return { events, weights: before }
      })
      return run(effect, lora, singleBackend())
    }
    const whole = await train("whole", { earlyStopping: { metric: "topic.accuracy" } })
    // 20 and 7 rows by fours: 5 and 2 steps an epoch.
    assertEquals(whole.events.filter(({ type }) => type === "step").length, 14)
    const [first] = whole.events.filter((event) => event.type === "evaluation")
    assertEquals(Object.keys(first.metrics), [
      "loss",
      ...["loss", "accuracy", "macroF1", "matthews"].map((name) => `topic.${name}`),
      ...["loss", "mse", "mae", "pearson", "spearman"].map((name) => `size.${name}`),
    ])
    assertEquals(first.metrics.loss, (first.metrics["topic.loss"] + first.metrics["size.loss"]) / 2)

    const stop = (event: TrainEvent) => event.type === "step" && event.step === 7 ? Effect.interrupt : Effect.void
    const early = { metric: "topic.accuracy" }
    await assertRejects(() => train("resumed", { observe: stop, earlyStopping: early }))
    const resumed = await train("resumed", { resume: true, earlyStopping: early })
    assertEquals(resumed.weights, whole.weights)
    const turned = Object.fromEntries(Object.entries(own.train).reverse()) as typeof own.train
    assertEquals((await train("turned", { earlyStopping: early }, turned)).weights, whole.weights)
  }))

Deno.test("a task whose rows are only retained keeps its head, whatever the weight decay", () =>
  run(
    Effect.gen(function* () {
      const model = yield* initialized()
      const weights = Effect.promise(() => Promise.all(model.parameters.map(({ slot }) => model.backend.read(slot))))
      const before = yield* weights
      const retain = { size: data.size }
      const result = yield* fit(model, { train: { topic: own.train.topic } }, { ...options, weightDecay: 0.1, retain })
      const after = yield* weights
      const changed = model.parameters.filter((_, i) => `${before[i]}` !== `${after[i]}`).map(({ key }) => key)
      assert(changed.some((key) => key.includes("heads.topic")) && changed.some((key) => !key.includes("heads")))
      assertEquals(changed.filter((key) => key.includes("heads.size")), [])
      assert(result.forgetting!.size.before.loss !== result.forgetting!.size.after.loss)
    }),
  ))

Deno.test("the model of one task answers, is judged and embeds; several at once say which to take", () =>
  run(
    Effect.gen(function* () {
      const model = yield* initialized()
      yield* fit(model, { train: own.train }, { ...options, epochs: 12, saveEvery: "never" })
      const [topic, size] = [model.view({ task: "topic" }), model.view({ task: "size" })]
      assertEquals(topic, model.view({ task: "topic" }))
      assertEquals(topic.parameters.at(-1)!.key.includes("heads"), false)
      assertEquals((yield* evaluate(topic, splits.topic.validation, { tokenizer })).metrics.accuracy, 1)
      assert((yield* evaluate(size, data.size, { tokenizer })).metrics.pearson > 0.8)
      const [said] = yield* predict(topic, ["sun moon star"], { tokenizer })
      assertEquals(said.label, "sky")
      assertEquals(Object.keys((yield* predict(size, ["sun moon star"], { tokenizer }))[0]), [
        "text",
        "label",
        "scores",
      ])
      assertEquals(
        yield* embed(topic, ["sun moon"], { tokenizer }),
        yield* embed(size, ["sun moon"], { tokenizer }),
      )
      for (
        const [refused, what] of [
          [evaluate(model, own.train.topic, { tokenizer }), "evaluate"],
          [predict(model, ["sun"], { tokenizer }), "predict"],
          [embed(model, ["sun"], { tokenizer }), "embed"],
          [generate(model, "sun", { tokenizer }), "generate"],
        ] as const
      ) {
        const { message } = yield* Effect.flip(refused as Effect.Effect<unknown, Error, FileSystem.FileSystem>)
        assertEquals(
          message,
          `${what} is for one task, and the model has ["topic","size"]: give it model.view({ task: "topic" })`,
        )
      }
      const wrong = (train: TrainingData["train"]) =>
        Effect.map(Effect.flip(fit(model, { train }, { tokenizer, maxSteps: 1 })), ({ message }) => message)
      assertStringIncludes(yield* wrong(own.train.topic), 'there is no task "default"; the model has ["topic","size"]')
      assertStringIncludes(
        yield* wrong({ topic: own.train.topic }),
        'has no rows of ["size"]: give some, train a view',
      )
      assertStringIncludes(yield* wrong({ topic: own.train.size, size: own.train.size }), "holds regression data, but")
      const validation = { size: own.validation.size }
      const early = { earlyStopping: { metric: "topic.accuracy" } }
      const unjudged = yield* Effect.flip(fit(model, { train: own.train, validation }, { tokenizer, ...early }))
      assertStringIncludes(unjudged.message, '"topic.accuracy", but the validation split has no rows of "topic"')
      const streamed = {
        ...own.train.topic,
        rows: undefined,
        chunks: { async *[Symbol.asyncIterator]() {} },
        window: 8,
      }
      assertStringIncludes(yield* wrong(streamed), "is a stream, of rows of one task: train a view of it")
      assertStringIncludes(
        yield* wrong({ ...own.train, topic: streamed as unknown as Data }),
        'data of "topic" is a stream; streamed rows can only be the whole training split',
      )
      const judged = yield* Effect.flip(evaluate(topic, streamed as unknown as Data, { tokenizer }))
      assertStringIncludes(judged.message, "the data to evaluate is a stream")
      assertThrows(
        () => model.view({ task: "tone" }),
        ModelError,
        'there is no task "tone"; the model has ["topic","size"]',
      )
      const odd = (given: Parameters<typeof initialize>[1]) =>
        Effect.map(Effect.flip(initialize(config, given)), ({ message }) => message)
      assertStringIncludes(yield* odd({}), "either task or tasks must be given")
      assertStringIncludes(yield* odd({ tasks: {} }), "tasks must hold one task or more")
      assertStringIncludes(yield* odd({ tasks: { "a.b": tasks.size } }), 'digits, _ and -, got "a.b"')
    }),
    lora,
  ))

Deno.test("adapters of several tasks: a folder each, as PEFT has it; all of them or one load again", () =>
  inDirectory((directory) => {
    const backend = singleBackend()
    return run(
      Effect.gen(function* () {
        const model = yield* initialized()
        yield* fit(model, { train: own.train }, { ...options, saveEvery: "never" })
        const expected = (["topic", "size"] as const).map((task) => logitsOf(model.view({ task }), backend))
        yield* saveAdapters(model, `${directory}/adapters`)
        const saved = JSON.parse(Deno.readTextFileSync(`${directory}/adapters/size/adapter_config.json`))
        assertEquals([saved.task_type, saved.modules_to_save], ["SEQ_CLS", ["classifier", "score"]])
        const names = Object.keys(shapesIn(`${directory}/adapters/size/adapter_model.safetensors`))
        assertEquals(names.at(-1), "base_model.model.score.weight")
        assert(names.every((name) => !name.includes("heads")))

        const again = yield* initialized()
        yield* loadAdapters(again, `${directory}/adapters`)
        assertEquals((["topic", "size"] as const).map((task) => logitsOf(again.view({ task }), backend)), expected)
        const single = yield* initialize(config, { task: tasks.size, seed: 1 })
        yield* loadAdapters(single, `${directory}/adapters/size`)
        assertEquals(logitsOf(single, backend), expected[1])

        // Two runs of their own do not make one trunk.
        const other = yield* initialized()
        yield* fit(other, { train: own.train }, { ...options, saveEvery: "never", seed: 8 })
        yield* saveAdapters(other.view({ task: "size" }), `${directory}/other`)
        Deno.renameSync(`${directory}/adapters/topic`, `${directory}/mixed.topic`)
        Deno.mkdirSync(`${directory}/mixed`)
        Deno.renameSync(`${directory}/mixed.topic`, `${directory}/mixed/topic`)
        Deno.renameSync(`${directory}/other`, `${directory}/mixed/size`)
        const { message } = yield* Effect.flip(loadAdapters(again, `${directory}/mixed`))
        assertStringIncludes(message, "they were not saved together")
      }),
      lora,
      backend,
    )
  }))

Deno.test("a whole model of several tasks: one file, of which all heads, one, or one task's model load again", () =>
  inDirectory((directory) => {
    const backend = singleBackend()
    const both = ["topic", "size"] as const
    return run(
      Effect.gen(function* () {
        const model = yield* initialized()
        yield* fit(model, { train: own.train }, { ...options, saveEvery: "never" })
        const expected = both.map((task) => logitsOf(model.view({ task }), backend))
        yield* saveCheckpoint(model, `${directory}/all`)
        const saved = JSON.parse(Deno.readTextFileSync(`${directory}/all/config.json`))
        assertEquals(saved.architectures, ["LlamaModel"])
        assertEquals(saved.espalier_tasks, {
          topic: {
            architectures: ["LlamaForSequenceClassification"],
            problem_type: "single_label_classification",
            id2label: { 0: "food", 1: "sky" },
            label2id: { food: 0, sky: 1 },
          },
          size: {
            architectures: ["LlamaForSequenceClassification"],
            problem_type: "regression",
            id2label: { 0: "score" },
            label2id: { score: 0 },
          },
        })
        const again = yield* load(`${directory}/all`, { tasks, seed: 9 })
        assertEquals(again.notes, [])
        assertEquals(both.map((task) => logitsOf(again.view({ task }), backend)), expected)
        // One of the heads beside a new one, and the trunk for another task.
        const more = yield* load(`${directory}/all`, {
          tasks: { size: tasks.size, tone: Task.classification(["a", "b"]) },
        })
        assertEquals(more.notes, ["not in the files, so new and trained: heads.tone.score.weight"])
        assertEquals(logitsOf(more.view({ task: "size" }), backend), expected[1])
        const trunk = yield* load(`${directory}/all`, { task: Task.classification(["a", "b", "c"]) })
        assertEquals(trunk.notes, ["not in the files, so new and trained: score.weight"])
        const wrong = yield* Effect.flip(
          load(`${directory}/all`, { tasks: { topic: Task.classification(["a", "b"]) } }),
        )
        assertStringIncludes(wrong.message, 'the head knows the labels ["food","sky"], the task has ["a","b"]')

        yield* saveCheckpoint(model.view({ task: "topic" }), `${directory}/topic`)
        const single = yield* load(`${directory}/topic`, { task: tasks.topic })
        assertEquals(logitsOf(single, backend), expected[0])
        assertEquals(single.config.architectures, ["LlamaForSequenceClassification"])
      }),
      undefined,
      backend,
    )
  }))
