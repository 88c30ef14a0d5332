import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert"
import { Model, Task, Trainer } from "@espalier/espalier"
import { InferenceError, load, type LoadedModel } from "@espalier/espalier/inference"
import * as Effect from "effect/Effect"
import * as Lora from "../../../plugins/lora/mod.ts"
import { filesOf, joined, onCore, ONE_THREAD, writeModel } from "./support.ts"

const prompts = ["sun moon", "bread milk cheese"]
const WRITING = { maxNewTokens: 8, temperature: 0.7, seed: 3 }

Deno.test("texts are those of the core API, with each adapter and without, one at a time and together", async () => {
  const task = Task.causalLM()
  const disk = await writeModel(task, ["a", "b"])
  const model = await load(filesOf(disk, "model"), ONE_THREAD)
  assertEquals([model.does, model.adapters, model.labels, model.chats], ["generate", [], [], false])
  const bare = await joined(model.generate(prompts[0], WRITING))
  for (const name of ["a", "b"]) await model.adapter(name, filesOf(disk, name))
  assertEquals(model.adapters, ["a", "b"])
  const found: string[] = []
  for (const adapter of [undefined, "a", "b"]) {
    const written = (model: Model.Model) =>
      Effect.all(prompts.map((prompt) => Model.generate(model, prompt, WRITING)), { concurrency: 1 })
    const expected = await onCore(
      disk,
      Effect.flatMap(Model.load("model", { task, frozen: true }), written),
      adapter === undefined ? undefined : Lora.fromPeft(adapter),
    )
    const options = { ...WRITING, ...(adapter === undefined ? {} : { adapter }) }
    const texts = await Promise.all(prompts.map((prompt) => joined(model.generate(prompt, options))))
    assertEquals(texts, expected)
    found.push(texts[0])
  }
  assertEquals(found[0], bare)
  assertEquals(new Set(found).size, 3)
  const own = (prompt: string, adapter: string) => joined(model.generate(prompt, { ...WRITING, adapter }))
  assertEquals(await Promise.all([own(prompts[0], "a"), own(prompts[0], "b")]), [found[1], found[2]])

  // Under a name that is taken, the new adapter counts.
  await model.adapter("a", filesOf(disk, "b"))
  assertEquals(await own(prompts[0], "a"), found[2])
  await model.removeAdapter("a")
  await assertRejects(() => own(prompts[0], "a"), InferenceError, 'there is no adapter "a"; loaded are: b')
  await model.free()
})

Deno.test("labels and embeddings are those of the core API, with heads of the adapters", async () => {
  const labels = ["food", "sky"]
  const task = Task.classification(labels)
  const disk = await writeModel(task, ["a"])
  const model = await load(filesOf(disk, "model"), ONE_THREAD)
  assertEquals([model.does, model.labels], ["classify", labels])
  await model.adapter("a", filesOf(disk, "a"))
  const all: Array<unknown> = []
  for (const adapter of [undefined, "a"]) {
    const [predicted, embedded] = await onCore(
      disk,
      Effect.flatMap(
        Model.load("model", { task, frozen: true }),
        (model) => Effect.all([Trainer.predict(model, prompts), Trainer.embed(model, prompts, { normalize: true })]),
      ),
      adapter === undefined ? undefined : Lora.fromPeft(adapter),
    )
    const choice = adapter === undefined ? {} : { adapter }
    const probabilities = (all: typeof predicted) =>
      all.map(({ probabilities = [] }) => probabilities.map((p) => p.toFixed(5)))
    const found = await model.classify(prompts, choice)
    assertEquals(probabilities(found), probabilities(predicted))
    assertEquals(found.map(({ label }) => label), predicted.map(({ label }) => label))
    const vectors = await model.embed(prompts, { ...choice, normalize: true })
    vectors.forEach((vector, i) => vector.forEach((x, j) => assert(Math.abs(x - embedded[i][j]) < 1e-5)))
    all.push(probabilities(found))
  }
  assertNotEquals(all[0], all[1])
  await assertRejects(() => joined(model.generate("sun")), InferenceError, "generate needs a language model")
  await model.free()
})

Deno.test("after the first text, adapters come, answer and go without anything compiled", async () => {
  const disk = await writeModel(Task.causalLM(), ["a", "b", "c"])
  const model = await load(filesOf(disk, "model"), { ...ONE_THREAD, adapters: { slots: 1, rank: 4 } })
  await model.adapter("a", filesOf(disk, "a"))
  const written = (choice: object) => joined(model.generate("sun moon", { ...choice, maxNewTokens: 6 }))
  const first = await written({ adapter: "a" })
  const { compile } = WebAssembly
  let compiled = 0
  WebAssembly.compile = (code: BufferSource) => {
    compiled++
    return compile(code)
  }
  try {
    for (const adapter of ["b", "c"]) {
      await model.adapter(adapter, filesOf(disk, adapter))
      assertNotEquals(await written({ adapter }), first)
    }
    await model.removeAdapter("b")
    await written({})
    assertEquals(await written({ adapter: "a" }), first)
    assertEquals(compiled, 0)
    await model.embed(["sun"])
    assert(compiled > 0, "what is compiled is not seen")
  } finally {
    WebAssembly.compile = compile
  }
  await model.free()
})

Deno.test("a text stops when its loop ends or its signal says so, and leaves its row to others", async () => {
  const disk = await writeModel(Task.causalLM(), [])
  const model = await load(filesOf(disk, "model"), ONE_THREAD)
  const options = { maxNewTokens: 20 }
  const whole = await joined(model.generate("sun", options))
  for await (const piece of model.generate("sun", options)) {
    assert(whole.startsWith(piece))
    break
  }
  const controller = new AbortController()
  const reason = new Error("enough")
  const pieces: string[] = []
  const stopped = async () => {
    for await (const piece of model.generate("sun", { ...options, signal: controller.signal })) {
      pieces.push(piece)
      controller.abort(reason)
    }
  }
  assertEquals(await stopped().catch((error) => error), reason)
  assertEquals(pieces.length, 1)
  const stopStrings = [whole.slice(3, 6)]
  assertEquals(
    await joined(model.generate("sun", { ...options, stopStrings })),
    whole.slice(0, whole.indexOf(stopStrings[0])),
  )
  await assertRejects(() => joined(model.generate("sun", { stopStrings: [""] })), InferenceError, "none of them empty")
  assertEquals(await model.classify([]).catch(({ reason }: InferenceError) => reason), "Options")
  assertEquals(await joined(model.generate("sun", options)), whole)

  const late = model.generate("sun", options)
  await late.next()
  await model.free()
  await model.free()
  for (const call of [() => late.next(), () => model.embed(["sun"]), () => model.adapter("a", {})]) {
    assertEquals(await (call() as Promise<unknown>).catch(({ reason }: InferenceError) => reason), "Freed")
  }
})

Deno.test("what is wrong is an InferenceError of a kind, and the model goes on", async () => {
  const disk = await writeModel(Task.causalLM(), ["a"])
  const files = filesOf(disk, "model")
  const wrongLoads: ReadonlyArray<readonly [unknown, unknown, string, string]> = [
    [files, { bakend: "wasm" }, "Options", 'unknown option "bakend"; the nearest known one is "backend"'],
    [files, { signal: {} }, "Options", "signal must be an AbortSignal"],
    [files, { ...ONE_THREAD, labels: ["one"] }, "Options", "labels must be a list of at least 2"],
    [{}, ONE_THREAD, "Options", "files must be an address, a Blob, files, a folder or an object of files by name"],
    [{ "config.json": 5 }, ONE_THREAD, "Options", "files must be an address"],
    [{ "config.json": files["config.json"] }, ONE_THREAD, "Files", "model.safetensors"],
    [{ ...files, "tokenizer.json": new Uint8Array([1]) }, ONE_THREAD, "Files", "tokenizer.json"],
    [new Blob(["nothing"]), ONE_THREAD, "Files", "neither a GGUF file nor a ZIP archive"],
    [
      { ...files, "config.json": new TextEncoder().encode(`{ "model_type": "nobody" }`) },
      ONE_THREAD,
      "Model",
      'unknown model_type "nobody"',
    ],
  ]
  for (const [given, options, reason, message] of wrongLoads) {
    const error = await assertRejects(() => load(given as never, options as never), InferenceError, message)
    assertEquals(error.reason, reason)
  }
  const early = new Error("too late")
  assertEquals(await load(files, { signal: AbortSignal.abort(early) }).catch((error) => error), early)

  const model = await load(files, ONE_THREAD)
  const adapter = filesOf(disk, "a")
  const wrongCalls: ReadonlyArray<readonly [(model: LoadedModel) => Promise<unknown>, string, string]> = [
    [(model) => model.adapter("a b", adapter), "Options", "name must be letters, digits, dots and dashes"],
    [(model) => model.adapter("a", { "adapter_config.json": adapter["adapter_config.json"] }), "Files", "safetensors"],
    [(model) => model.adapter("a", files), "Files", "the directory holds a model, not an adapter"],
    [(model) => joined(model.generate("")), "Options", "a prompt of 0 tokens"],
    [(model) => joined(model.generate("sun", { maxNewTokens: 100 })), "Options", "must be 1 to 32 positions"],
    [(model) => joined(model.generate("sun", { maxTokens: 3 } as never)), "Options", 'unknown option "maxTokens"'],
    [(model) => joined(model.generate(5 as never)), "Options", "a prompt must be a text or a list of messages, got 5"],
    [(model) => joined(model.generate([{ role: "user", content: "sun" }])), "Options", "has no chat template"],
    [(model) => joined(model.generate("sun", { adapter: "z" })), "Options", 'there is no adapter "z"'],
    [(model) => model.embed("sun" as never), "Options", 'texts must be a list of texts, got "sun"'],
    [(model) => model.removeAdapter("z"), "Options", 'there is no adapter "z"'],
  ]
  for (const [call, reason, message] of wrongCalls) {
    const error = await assertRejects(() => call(model), InferenceError, message)
    assertEquals([error.reason, error.message], [reason, error.message])
  }
  assert((await joined(model.generate("sun", { maxNewTokens: 4 }))).length > 0)
  await model.free()
})
