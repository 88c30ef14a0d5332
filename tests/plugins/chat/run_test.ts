/**
 * Runs on files of chats: columns that are named or recognized, training that learns the answers, streams.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { DataError, Dataset, Espalier, Model, Task, Tokenizer, Trainer } from "../../../mod.ts"
import { encode } from "../../../core/data/encode.ts"
import { resolveRun, runProblems, type RunSpec } from "../../../core/run/mod.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { source } from "./support.ts"

const included = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname

const Methods = Layer.mergeAll(Lora.layer({ targetModules: "all-linear" }), Llama.layer)
const Main = Layer.mergeAll(
  Layer.provideMerge(Methods, Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  NodeServices.layer,
)
type Services = Layer.Success<typeof Main>
const run = <A, E>(effect: Effect.Effect<A, E, Services | Scope.Scope>): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Main)) as Effect.Effect<A, E>)

/** The included model with the ChatML template, and a file of chats. */
const withModel = async (use: (folder: string) => Promise<void>) => {
  const folder = await Deno.makeTempDir()
  try {
    await Deno.mkdir(`${folder}/model`)
    for (const { name } of Deno.readDirSync(included)) {
      await Deno.copyFile(`${included}/${name}`, `${folder}/model/${name}`)
    }
    await Deno.writeTextFile(`${folder}/model/chat_template.jinja`, source("chatml"))
    const rows = Array.from({ length: 24 }, (_, at) => ({
      messages: [{ role: "user", content: `Say ${at}` }, { role: "assistant", content: `It is ${at}.` }],
    }))
    const lines = rows.map((row) => JSON.stringify(row))
    await Deno.writeTextFile(`${folder}/chats.jsonl`, `${lines.join("\n")}\n`)
    const named = rows.map(({ messages }, at) => JSON.stringify({ talk: messages, text: "x", label: at % 2 }))
    await Deno.writeTextFile(`${folder}/named.jsonl`, named.join("\n"))
    await Deno.writeTextFile(`${folder}/alpaca.csv`, "instruction,input,output\nSay it,,It\nAdd,1 and 2,3\n")
    await Deno.writeTextFile(`${folder}/plain.csv`, "text,label,messages\na,b,c\nd,e,f\n")
    await use(folder)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
}

/** The data of a run file. */
const dataOf = (folder: string, data: RunSpec["data"]) =>
  Effect.gen(function* () {
    const run = yield* resolveRun({ model: { path: "model" }, data: data!, methods: [], output: "out" }, folder)
    const { data: resolved } = yield* Chat.prepared(run)
    const { path, columns, reading } = "one" in resolved ? resolved.one : resolved.several.none
    return yield* Dataset.file(path, columns, reading)
  })

Deno.test("a run takes chats by their column, or recognizes them where none is named", () =>
  withModel(async (folder) => {
    const kinds: ReadonlyArray<readonly [data: NonNullable<RunSpec["data"]>, kind: Dataset.RowKind<never>]> = [
      [{ path: "chats.jsonl" }, Dataset.markedRows],
      [{ path: "alpaca.csv" }, Dataset.markedRows],
      [{ path: "named.jsonl", messages: "talk" }, Dataset.markedRows],
      [{ path: "named.jsonl" }, Dataset.labeledRows],
      [{ path: "plain.csv" }, Dataset.labeledRows],
    ]
    for (const [data, kind] of kinds) {
      const found = await run(dataOf(folder, data))
      assert((found.kind as unknown) === kind, `${data.path}: ${found.kind.name}`)
    }
    const last = await run(dataOf(folder, { path: "chats.jsonl", turns: "last" }))
    assertEquals(last.rows.length, 24)
    await Deno.writeTextFile(`${folder}/other.jinja`, "{{ messages[1].content }}")
    const failed = await run(Effect.flip(dataOf(folder, { path: "chats.jsonl", template: "other.jinja" })))
    assert(failed instanceof DataError && failed.reason === "Template", `${failed}`)
    await Deno.remove(`${folder}/model/chat_template.jinja`)
    const none = await run(Effect.flip(dataOf(folder, { path: "chats.jsonl" })))
    assertStringIncludes(none.message, "has no chat template")
  }))

Deno.test("options of chats beside other columns are problems of a run", () => {
  const problems = (data: object, task?: string) =>
    runProblems({ model: { path: "m" }, data, methods: [{ method: "lora" }], output: "o", ...task && { task } }, {
      lora: Lora,
    })
  assertEquals(problems({ path: "d", messages: "m", turns: "last" }), [])
  assertEquals(problems({ path: "d", turns: "last" }), [])
  assertStringIncludes(problems({ path: "d", text: "t", turns: "last" }).join(), "turns is for causal-lm")
  assertStringIncludes(problems({ path: "d", text: "t", messages: "m" }).join(), "text beside messages")
  assertStringIncludes(
    runProblems(
      {
        model: { path: "m" },
        data: { path: "d", messages: "m" },
        methods: [{ method: "lora" }],
        output: "o",
        training: { packing: true },
      },
      { lora: Lora },
    ).join(),
    "packing is for plain texts",
  )
  assertStringIncludes(problems({ path: "d", messages: "m" }, "classification").join(), "does not go with the columns")
})

Deno.test("what chats lose to maxLength is told with the share of rows and the longest one", () =>
  withModel(async (folder) => {
    const { warnings, longest } = await run(Effect.gen(function* () {
      const columns = Chat.columns(yield* Chat.load(`${folder}/model`))
      const chats = Array.from({ length: 8 }, (_, at) => ({
        messages: [{ role: "user", content: "Say it" }, {
          role: "assistant",
          content: "It is so. ".repeat(at < 2 ? 9 : 2),
        }],
      }))
      const data = yield* Dataset.rows(chats, columns)
      const model = yield* Model.load(`${folder}/model`, { task: Task.causalLM() })
      const tokenizer = yield* Tokenizer.loadTokenizer(`${folder}/model`)
      const { longest } = encode(data, tokenizer, { maxLength: 512, task: Task.causalLM() })
      const warnings: Array<string> = []
      const observe: Trainer.TrainOptions["observe"] = (event) =>
        Effect.sync(() => event.type === "message" && event.level === "warning" && warnings.push(event.text))
      yield* Trainer.fit(model, { train: data }, { maxSteps: 1, maxLength: longest - 1, observe })
      return { warnings, longest }
    }))
    assertStringIncludes(
      warnings.join("\n"),
      `rows: 2 of 8 texts (25 %) were cut to ${
        longest - 1
      } tokens, so their ends are not learned; the longest has ${longest}`,
    )
  }))

Deno.test("a model learns the answers of chats, from memory and from a stream", () =>
  withModel(async (folder) => {
    const train = (streamed: boolean) =>
      Effect.gen(function* () {
        const template = yield* Chat.load(`${folder}/model`)
        const columns = Chat.columns(template)
        const path = `${folder}/chats.jsonl`
        const all = yield* Dataset.jsonLines(path, columns)
        const rows = streamed ? yield* Dataset.stream(path, columns, { window: 8 }) : all
        const model = yield* Model.load(`${folder}/model`, { task: Task.causalLM() })
        const before = yield* Trainer.evaluate(model, all, { maxLength: 64 })
        const texts: Array<string> = []
        yield* Trainer.fit(model, { train: rows }, {
          maxSteps: 16,
          batchSize: 8,
          learningRate: 5e-3,
          maxLength: 64,
          observe: (event) => Effect.sync(() => "text" in event && texts.push(event.text)),
        })
        const { metrics: after } = yield* Trainer.evaluate(model, all, { maxLength: 64 })
        return { before: before.metrics, after, texts }
      })
    const [whole, streamed] = [await run(train(false)), await run(train(true))]
    for (const { before, after } of [whole, streamed]) {
      assert(after.loss < 0.5 * before.loss, JSON.stringify([before, after]))
    }
    const preview = whole.texts.find((text) => text.startsWith("trained on, in brackets"))!
    assert(/\|\[.*I\]?.*t\].*\[\.\]/.test(preview) && !preview.includes("[S"), preview)
  }))
