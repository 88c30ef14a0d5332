/**
 * What a model cannot read is an error at every door, before any work: transformers raises an IndexError, a backend would
 * give numbers all the same.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Step } from "../../../core/contracts/batch_source.ts"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { fromRows, type LabeledData, type TaggedData } from "../../../core/tasks/dataset/dataset.ts"
import { MASKED } from "../../../core/data/encode.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { engine, generate, initialize, load, type Model } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { embed } from "../../../core/training/embed.ts"
import { evaluate, predict } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import { session } from "../../../core/training/session.ts"
import * as Prompt from "../../../plugins/prompt_tuning/mod.ts"
import * as Prefix from "../../../plugins/prefix_tuning/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"
import { classifier, languageModel, plainTexts, texts, tokenizer } from "./support.ts"

/** The tokenizer with one token more than the model has: "<|tool|>", id 300. */
const larger: Tokenizer = (() => {
  const { model, config } = trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 })
  const content = "<|tool|>"
  const added = [...model.added_tokens, { ...model.added_tokens[0], id: 300, content }]
  return tokenizerOf({ ...model, added_tokens: added }, { ...config, pad_token: content })
})()
const BEYOND = "the model's token ids must be from 0 to 299"

type Failed = { readonly _tag: string; readonly reason?: string; readonly message: string; readonly rows?: unknown }
/** The error of what is done with a model, which must fail without running anything. */
const refused = async <A, E>(
  model: ReturnType<typeof classifier>,
  use: (model: Model) => Effect.Effect<A, E, never>,
): Promise<Failed> => {
  const backend = memoryBackend()
  let compiled = 0
  const counted = {
    ...backend,
    compile: (...given: Parameters<typeof backend.compile>) => (compiled++, backend.compile(...given)),
  }
  const error = await failure(Effect.flatMap(model, use), undefined, counted)
  assertEquals(compiled, 0, "nothing is run before the check")
  return error as Failed
}
// deno-lint-ignore no-explicit-any
const any = (effect: Effect.Effect<any, any, any>) => effect as Effect.Effect<unknown, Failed, never>

Deno.test("a token beyond the embedding: evaluate, predict, embed and generate name it and its rows", async () => {
  const labeled = fromRows([{ t: "sun moon", l: "sky" }, { t: "milk <|tool|> rice", l: "food" }], {
    text: "t",
    label: "l",
  })
  const plain = fromRows([{ t: "sun <|tool|>" }, { t: "moon" }], { text: "t" })
  const doors: ReadonlyArray<
    readonly [ReturnType<typeof classifier>, (model: Model) => ReturnType<typeof any>, unknown]
  > = [
    [classifier(), (model) => any(evaluate(model, labeled, { tokenizer: larger })), [2]],
    [languageModel(), (model) => any(evaluate(model, plain, { tokenizer: larger })), [1]],
    [classifier(), (model) => any(predict(model, ["sun", "a", "<|tool|>"], { tokenizer: larger })), [3]],
    [languageModel(), (model) => any(embed(model, ["<|tool|>"], { tokenizer: larger })), [1]],
  ]
  for (const [model, use, rows] of doors) {
    const error = await refused(model, use)
    assertEquals([error._tag, error.reason, error.rows], ["DataError", "Tokenizer", rows])
    assertStringIncludes(error.message, `"<|tool|>" in row`)
    assertStringIncludes(error.message, BEYOND)
  }
  const error = await refused(
    languageModel(),
    (model) => any(generate(model, larger.encode("sun <|tool|>"), { maxNewTokens: 4 })),
  )
  assertEquals(error._tag, "ModelError")
  assertStringIncludes(error.message, BEYOND)
})

Deno.test("a tokenizer with more tokens than the model is taken where none of them occurs, also for padding; fit refuses it", async () => {
  const rows = ["sun moon star sky cloud rain", "milk"]
  const [small, large] = await run(Effect.gen(function* () {
    const model = yield* classifier()
    return [yield* predict(model, rows, { tokenizer }), yield* predict(model, rows, { tokenizer: larger })]
  }))
  assertEquals(large, small)
  const error = await refused(
    languageModel(),
    (model) => any(fit(model, { train: plainTexts(4) }, { tokenizer: larger })),
  )
  assertStringIncludes(error.message, "the tokenizer has 301 tokens, the model 300")
})

Deno.test("ids given by hand: negative, beyond, not whole, not numbers", async () => {
  for (const id of [-1, 300, 1.5, NaN, Infinity, undefined]) {
    const ids = [3, id] as unknown as Int32Array
    for (
      const use of [
        (model: Model) => generate(model, ids, { maxNewTokens: 4 }),
        (model: Model) => generate(model, Int32Array.of(3), { maxNewTokens: 4, stop: [...ids] }),
      ]
    ) {
      const error = await refused(languageModel(), (model) => any(use(model)))
      assertEquals(error._tag, "ModelError")
      assertStringIncludes(error.message, `token id ${id}: ${BEYOND}`)
    }
    const text = [3, id] as ReadonlyArray<number>
    const prompt = failure(languageModel(), Prompt.layer({ promptTuningInitText: text, numVirtualTokens: 2 }))
    const prefix = failure(languageModel(), Prefix.layer({ initText: text, numVirtualTokens: 2 }))
    for (const { _tag, message } of [await prompt, await prefix]) {
      assertEquals(_tag, "PluginError")
      assertStringIncludes(
        message,
        Number.isInteger(id)
          ? `has the token ${id}; the model's go up to 299`
          : `[1] must be a whole number, got ${id}`,
      )
    }
  }
})

Deno.test("a mask token that the model does not have", async () => {
  const own = { ...tokenizer, maskId: 32 }
  const error = await failure(
    Effect.flatMap(
      load(fixture("bert/masked"), { task: Task.maskedLM() }),
      (model) =>
        evaluate(model, fromRows([{ t: "a" }], { text: "t" }), {
          tokenizer: {
            ...own,
            encode: () => Int32Array.of(1, 2),
          },
        }),
    ),
  )
  assertStringIncludes(
    error.message,
    "the tokenizer's mask token has the token id 32: the model's token ids must be from 0 to 31",
  )
})

Deno.test("label ids out of range are refused in fit and evaluate; without a label is for evaluate and for words", async () => {
  const good = texts(4)
  const relabeled = (label: number): LabeledData => ({
    ...good,
    rows: good.rows.map((row, i) => i === 2 ? { ...row, label } : row),
  })
  for (const label of [2, -1, 0.5, NaN]) {
    const doors = [
      (model: Model) => evaluate(model, relabeled(label), { tokenizer }),
      (model: Model) => fit(model, { train: relabeled(label) }, { tokenizer }),
      (model: Model) => fit(model, { train: good, validation: relabeled(label) }, { tokenizer }),
    ]
    for (const use of doors) {
      const error = await refused(classifier(), (model) => any(use(model)))
      assertEquals([error._tag, error.reason, error.rows], ["DataError", "Label", [3]])
      assertStringIncludes(error.message, "label ids must be from 0 to 1")
    }
  }
  const unlabeled = await refused(classifier(), (model) => any(fit(model, { train: relabeled(MASKED) }, { tokenizer })))
  assertEquals(unlabeled.rows, [3])
  const { predictions } = await run(
    Effect.flatMap(classifier(), (model) => evaluate(model, relabeled(MASKED), { tokenizer })),
  )
  assertEquals(predictions.length, 4)
  const tagged: TaggedData = fromRows([{ w: ["a", "b"], t: ["x", "y"] }], { words: "w", tags: "t" })
  const words = { ...tokenizer, encode: (text: string) => Int32Array.of(text.length) }
  const judge = (labels: ReadonlyArray<number>) =>
    Effect.flatMap(
      load(fixture("bert/backbone"), { task: Task.tokenClassification(["x", "y"]) }),
      (model) =>
        evaluate(model, { ...tagged, rows: tagged.rows.map((row) => ({ ...row, labels })) }, { tokenizer: words }),
    )
  for (const labels of [[0, 2], [0], [-1, 0]]) {
    assertStringIncludes(
      (await failure(judge(labels))).message,
      "label ids must be from 0 to 1, one for each word (-100",
    )
  }
  assertEquals((await run(judge([MASKED, 1]))).classification!.perClass.map(({ support }) => support), [0, 1])
})

Deno.test("batches that a plugin writes: rows, tasks and lengths that are not there", async () => {
  const drawing = (step: (own: Step) => Step) =>
    Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => {
      const own: Contribution = {
        id: "drawn/default",
        batches: (next) => ({
          ...next,
          next: (position, feedback) => Effect.map(next.next(position, feedback), (own) => step(own!)),
        }),
      }
      return plugins.register(own)
    }))
  const changed =
    (change: (own: Step["microBatches"][number]) => Step["microBatches"][number]) => (own: Step): Step => ({
      microBatches: own.microBatches.map(change),
    })
  const cases: ReadonlyArray<readonly [(own: Step) => Step, string]> = [
    [changed((own) => ({ ...own, rows: Int32Array.of(0, 4) })), `row 4 of "default" must be from 0 to 3, or -1`],
    [changed((own) => ({ ...own, rows: Int32Array.of(-2) })), `row -2 of "default"`],
    [changed((own) => ({ ...own, task: "other" })), `there is no task "other"; there are ["default"]`],
    [changed((own) => ({ ...own, length: 2 })), 'a micro-batch of "default" is 2 tokens long'],
    [changed((own) => ({ ...own, length: NaN })), "is NaN tokens long"],
  ]
  for (const [step, message] of cases) {
    const trained = Effect.flatMap(classifier(), (model) => fit(model, { train: texts(4) }, { tokenizer, epochs: 1 }))
    const error = await failure(trained, drawing(step))
    assertEquals([error._tag, error.reason], ["TrainingError", "Batches"])
    assertStringIncludes(error.message, message)
  }
})

Deno.test("texts and lengths beyond the model's positions", async () => {
  const text = Array(40).fill("sun moon").join(" ")
  const plain = fromRows([{ t: text }], { text: "t" })
  const doors = [
    (model: Model, maxLength?: number) => any(evaluate(model, plain, { tokenizer, ...given(maxLength) })),
    (model: Model, maxLength?: number) => any(embed(model, [text], { tokenizer, ...given(maxLength) })),
    (model: Model, maxLength?: number) => any(fit(model, { train: plain }, { tokenizer, ...given(maxLength) })),
  ]
  const given = (maxLength?: number) => maxLength === undefined ? {} : { maxLength }
  for (const door of doors) {
    assertEquals((await refused(languageModel(), (model) => door(model))).reason, "TooLong")
    assertStringIncludes((await refused(languageModel(), (model) => door(model, 33))).message, "has 32 positions")
    assertStringIncludes((await refused(languageModel(), (model) => door(model, NaN))).message, "maxLength must be")
  }
  const made = await refused(languageModel(), (model) => any(generate(model, tokenizer.encode(text))))
  assertStringIncludes(made.message, "must be 1 to 32 positions")
  const labeled = { ...texts(2), rows: [{ text, label: 0, row: 1 }] }
  assertEquals((await refused(classifier(), (model) => any(evaluate(model, labeled, { tokenizer })))).reason, "TooLong")
  assert(
    (await refused(classifier(), (model) => any(predict(model, [text], { tokenizer })))).message.includes(
      "32 are allowed",
    ),
  )
})

Deno.test("notes of tokenizer and examples are warnings before the first step", async () => {
  const events: Array<string> = []
  const { eosId: _, ...endless } = tokenizer
  const trained = Effect.flatMap(
    languageModel(),
    (model) =>
      fit(model, { train: { ...plainTexts(4), notes: ["of the data"] } }, {
        tokenizer: { ...endless, notes: ["of the tokenizer"] },
        maxSteps: 1,
        maxLength: 8,
        observe: (event) =>
          Effect.sync(() => void events.push(event.type === "message" ? `${event.level} ${event.text}` : event.type)),
      }),
  )
  await run(trained)
  assertEquals(events.slice(0, 3), ["start", "info of the data", "warning of the tokenizer"])
  assertStringIncludes(events[3], "warning rows: 4 of 4 texts have no end token")
  assert(events.indexOf("step") > 3)
})

Deno.test("arguments of another type than declared: each door says what is allowed", async () => {
  // deno-lint-ignore no-explicit-any
  const given = (value: unknown) => value as any
  const train = texts(4)
  const cases: ReadonlyArray<readonly [(model: Model) => Effect.Effect<unknown, unknown, never>, string]> = [
    [(model) => any(predict(model, given("sun"), { tokenizer })), 'texts must be a list of texts, got "sun"'],
    [(model) => any(predict(model, given(["sun", 5]), { tokenizer })), "texts[1] must be a text, got 5"],
    [(model) => any(predict(model, ["sun"], given(null))), "options must be an object, got null"],
    [(model) => any(embed(model, given("sun"), { tokenizer })), 'texts must be a list of texts, got "sun"'],
    [(model) => any(embed(model, ["sun"], given(null))), "options must be an object, got null"],
    [(model) => any(engine(model, given(null))), "options must be an object, got null"],
    [(model) => any(evaluate(model, given({ rows: [{ text: "sun" }] }))), "must be a data set, as Dataset.csv"],
    [(model) => any(fit(model, given(undefined))), "data must be an object, got undefined: give { train }"],
    [(model) => any(fit(model, given({ train: null }), { tokenizer })), "there is no training split: give { train }"],
    [(model) => any(fit(model, { train: given({ rows: [{ text: "sun" }] }) }, { tokenizer })), "must be a data set"],
    [(model) => any(fit(model, { train }, given("fast"))), 'options must be an object, got "fast"'],
    [(model) => any(fit(model, { train }, { tokenizer: given({}) })), "tokenizer must be a tokenizer, such as"],
    [(model) => any(predict(model, ["sun"], { tokenizer: given("bert") })), "tokenizer must be a tokenizer, such as"],
    [(model) => any(evaluate(model, train, { tokenizer: given({}) })), "tokenizer must be a tokenizer, such as"],
    [(model) => any(embed(model, ["sun"], { tokenizer: given(null) })), "tokenizer must be a tokenizer, such as"],
    [(model) => any(embed(model, ["sun"], { tokenizer, batchSize: given("8") })), "batchSize must be a whole number"],
    [(model) => any(generate(model, "sun", { tokenizer: given(5) })), "tokenizer must be a tokenizer, such as"],
    [(model) => any(session(model, given(null))), "options must be an object, got null"],
    [(model) => any(session(model, given({ weightdecay: 1 }))), 'the nearest known one is "weightDecay"'],
  ]
  for (const [use, message] of cases) assertStringIncludes((await refused(classifier(), use)).message, message)
  for (const prompt of [5, undefined, { text: "sun" }, ["sun", 5]]) {
    const error = await refused(
      languageModel(),
      (model) => any(generate(model, given(prompt), { tokenizer, maxNewTokens: 4 })),
    )
    assertStringIncludes(error.message, "a prompt must be a text or a list of token ids, got")
  }
  const error = await refused(languageModel(), (model) => any(generate(model, "sun", given("fast"))))
  assertStringIncludes(error.message, 'options must be an object, got "fast"')
  const files = fixture("bert/backbone")
  const task = given({ kind: "foo" })
  const loads: ReadonlyArray<readonly [ReturnType<typeof load>, string]> = [
    [load(given(5), { task: Task.causalLM() }), "directory must be a path, got 5"],
    [load(files, { task }), 'task must be a task, such as Task.causalLM(), got {"kind":"foo"}'],
    [load(files, { tasks: { a: task } }), 'tasks["a"] must be a task, such as Task.causalLM(), got {"kind":"foo"}'],
    [load(files, { task: Task.classification(given("ab")) }), 'its labels must be a list of texts, got "ab"'],
    [load(files, { task: Task.regression(given(5)) }), "its labels must be a list of texts, got 5"],
    [initialize(given("x"), { task: Task.causalLM() }), 'config must be an object, got "x"'],
  ]
  for (const [made, message] of loads) assertStringIncludes((await failure(made)).message, message)
})
