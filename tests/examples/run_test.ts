import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { saveTokenizer, trainBpe } from "../../core/data/tokenizer/training/train_bpe.ts"
import { saveCheckpoint } from "../../core/model/mod.ts"
import { languageModel, texts } from "../core/training/support.ts"
import { run } from "../support/model_layer.ts"

const script = new URL("../../examples/run.ts", import.meta.url).pathname
const config = new URL("../../deno.json", import.meta.url).pathname

/** The example as a person starts it in `directory`. */
async function example(directory: string, ...words: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--config",
      config,
      "--allow-read",
      `--allow-write=${directory}`,
      "--allow-env=ESPALIER_BACKEND",
      script,
      ...words,
      "--threads",
      "1",
    ],
    cwd: directory,
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
  }).output()
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  return { code, out, error }
}

const METHODS = [
  { method: "prompt-tuning", numVirtualTokens: 2 },
  { method: "lora", r: 2, targetModules: ["q_proj"], initLoraWeights: false },
  { method: "adapters", reductionFactor: 4 },
  { method: "lora", name: "second", r: 3, targetModules: ["v_proj"] },
  { method: "prefix-tuning", numVirtualTokens: 2, initText: "sun" },
]
const FILE = {
  $schema: "../espalier.schema.json",
  model: { path: "../model" },
  data: { path: "../own.csv", validation: 0.1, test: 0.2 },
  methods: METHODS as ReadonlyArray<unknown>,
  training: { epochs: 2, learningRate: 1e-2, maxLength: 24 },
  output: "../out",
}

/** A model in `model` and labelled texts in `own.csv`. */
async function makeFiles(directory: string): Promise<void> {
  await Deno.mkdir(`${directory}/files`)
  await run(Effect.gen(function* () {
    yield* saveCheckpoint(yield* languageModel(), `${directory}/model`)
    yield* saveTokenizer(`${directory}/model`, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
  }))
  const { labels, rows } = texts(120)
  const lines = rows.map(({ text, label }, i) => `${text} ${i},${labels[label]}`)
  await Deno.writeTextFile(`${directory}/own.csv`, ["text,label", ...lines].join("\n"))
}

const lineOf = (out: string, name: string) =>
  out.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)

Deno.test("a run file trains several tasks with one adapter for all and one for some, and all of it loads again", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    await makeFiles(directory)
    const { rows } = texts(90)
    const scored = rows.map(({ text }, i) => JSON.stringify({ words: `${text} ${i}`, size: text.length / 40 }))
    await Deno.writeTextFile(`${directory}/size.jsonl`, scored.join("\n"))
    const { data: _, ...rest } = FILE
    const write = (methods: ReadonlyArray<unknown>) =>
      Deno.writeTextFile(
        `${directory}/files/run.json`,
        JSON.stringify({
          ...rest,
          tasks: {
            topic: { data: { path: "../own.csv", validation: 0.2 } },
            size: { data: { path: "../size.jsonl", text: "words", label: "size" }, task: "regression" },
          },
          methods,
        }),
      )
    const lora = { method: "lora", r: 2 }
    const own = { method: "lora", name: "own", r: 1, tasks: ["size"] }
    const multitask = { method: "multitask", mixing: "equal", lossWeights: "uncertainty", gradientSurgery: "pcgrad" }
    await write([lora, { ...own, tasks: ["sise"] }, multitask])
    assertStringIncludes(
      (await example(directory, "files/run.json")).error,
      'error: lora/own is for the task "sise"; the model has ["topic","size"]',
    )
    await write([lora, own, multitask, { method: "distill" }])
    assertStringIncludes(
      (await example(directory, "files/run.json", "--overwrite")).error,
      "error: replay/default: distillation compares probabilities of classes or next tokens",
    )
    await write([lora, own, multitask, { method: "curriculum", difficulty: "rarity" }])
    const done = await example(directory, "files/run.json", "--overwrite")
    assertEquals(done.code, 0, done.error)
    const summary = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
    assertEquals(summary.judgedBy, { topic: "test", size: "test" })
    for (const task of ["topic", "size"]) assert(summary.test[task].loss < summary.base[task].loss, task)
    assertStringIncludes(await Deno.readTextFile(`${directory}/out/report.html`), "after, size, test rows")

    const saved = await example(directory, "files/run.json", "--evaluate")
    assertEquals(saved.code, 0, saved.error)
    for (const task of ["topic", "size"]) {
      assertEquals(lineOf(saved.out, `saved, ${task}`), lineOf(done.out, `after, ${task}`))
    }
    await write([lora, { ...own, tasks: ["topic"] }, multitask, { method: "curriculum", difficulty: "rarity" }])
    const { error } = await example(directory, "files/run.json", "--resume")
    assertStringIncludes(error, "configuration differs in settings.lora/own.tasks.0")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a run file trains over a base that it quantizes, and all of it loads again", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  const write = (methods: ReadonlyArray<unknown>) =>
    Deno.writeTextFile(`${directory}/files/run.json`, JSON.stringify({ ...FILE, methods }))
  try {
    await makeFiles(directory)
    const grouped = { method: "quantization", format: "grouped", groupSize: 8 }
    await write([{ method: "qa-lora", r: 2, groupSize: 8 }])
    assertStringIncludes(
      (await example(directory, "files/run.json")).error,
      "methods[0] is qa-lora, which needs the method quantization",
    )
    for (const method of [{ method: "qa-lora", r: 2, loraAlpha: 4, groupSize: 8 }, { method: "qlora", r: 2 }]) {
      await write([method, grouped])
      const done = await example(directory, "files/run.json", "--overwrite")
      assertEquals(done.code, 0, done.error)
      const summary = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
      assert(summary.test.loss < summary.base.loss, JSON.stringify(summary))
      const saved = await example(directory, "files/run.json", "--evaluate")
      assertEquals(saved.code, 0, saved.error)
      assertEquals(lineOf(saved.out, "saved"), lineOf(done.out, "after"))
    }
    await write([{ method: "qlora", r: 2 }, { ...grouped, bits: 8 }])
    const { error } = await example(directory, "files/run.json", "--resume")
    assertStringIncludes(error, 'differs in settings.quantization/default.format (was "grouped_4_8", is "grouped_8_8")')
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a run file has old rows: some are trained on again, some say what is forgotten and which weights to hold", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  const write = (methods: ReadonlyArray<unknown>, change: object = {}) =>
    Deno.writeTextFile(
      `${directory}/files/run.json`,
      JSON.stringify({
        ...FILE,
        retain: { old: { path: "../old.tsv", text: "said" }, other: { path: "../own.csv" } },
        replay: { past: { path: "../old.tsv", text: "said" } },
        methods: [{ method: "lora", r: 2, targetModules: ["q_proj"] }, ...methods],
        ...change,
      }),
    )
  try {
    await makeFiles(directory)
    const { labels, rows } = texts(40)
    const lines = rows.map(({ text, label }, i) => `old ${text} ${i}\t${labels[label]}`)
    await Deno.writeTextFile(`${directory}/old.tsv`, ["said\tlabel", ...lines].join("\n"))

    await write([{ method: "replay", tasks: ["old"] }])
    const missing = await example(directory, "files/run.json")
    assertEquals(missing.code, 1)
    assertStringIncludes(missing.error, '"old"')
    const replay = { method: "replay", tasks: ["past"], share: 0.25 }
    await write([replay, { method: "elastic-weights", lambda: 10, rows: ["older"] }])
    assertStringIncludes((await example(directory, "files/run.json", "--overwrite")).error, '"older"')

    await write([replay, { method: "elastic-weights", lambda: 10 }])
    const done = await example(directory, "files/run.json", "--overwrite")
    assertEquals(done.code, 0, done.error)
    const { forgetting, steps } = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
    assertEquals(Object.keys(forgetting), ["old", "other"])
    assert(forgetting.old.after.loss < forgetting.old.before.loss, JSON.stringify(forgetting))

    await write([], { replay: undefined, retain: undefined })
    const alone = await example(directory, "files/run.json", "--overwrite")
    assertEquals(alone.code, 0, alone.error)
    // Steps of replayed rows are beside those of all new rows.
    assert(steps > JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`)).steps)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a run file trains several methods, two of one kind, and all of it loads again", async (t) => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  const write = (change: Partial<typeof FILE>, name = "run.json") =>
    Deno.writeTextFile(`${directory}/files/${name}`, JSON.stringify({ ...FILE, ...change }))
  try {
    await makeFiles(directory)
    await write({})
    const before = [...Deno.readDirSync(directory)].map(({ name }) => name).sort()

    await t.step("what cannot work is an error before anything is made", async () => {
      const cases: ReadonlyArray<readonly [Partial<typeof FILE>, string]> = [
        [
          { methods: [{ method: "lorra" }] },
          `methods[0].method must be "lora", "quantization", "qlora", "qa-lora", "adapters", "prefix-tuning", "prompt-tuning", "multitask", "curriculum", "distill", "replay", "elastic-weights" or "differential-privacy", got "lorra"`,
        ],
        [
          { methods: [{ method: "lora", name: "../up" }] },
          `name must be letters, digits, dots and dashes, got "../up"`,
        ],
        [{ methods: [{ method: "lora" }, { method: "lora" }] }, `Two plugins have the id "lora/default"`],
        [{ methods: [{ method: "prefix-tuning", initWeights: "text" }] }, "prefix_tuning/default: initText must be"],
        [{ methods: [{ method: "lora", targetModules: ["nothing"] }] }, `no module matches ["nothing"]`],
        [{ methods: [{ method: "prompt-tuning", numVirtualTokens: 40 }] }, "leave no room in the model's 32 positions"],
        [{ model: { path: "nowhere" } }, "files/nowhere"],
        [
          { training: { ...FILE.training, evaluateEvery: 0 } as never },
          `training.evaluateEvery must be "epoch", "never" or a number of steps, got 0`,
        ],
      ]
      for (const [change, part] of cases) {
        await write(change, "wrong.json")
        const { code, error } = await example(directory, "files/wrong.json")
        assertEquals(code, 1)
        assertStringIncludes(error, part)
        assert(!error.includes("    at "), error)
      }
      await Deno.writeTextFile(`${directory}/files/wrong.json`, `{ "model": {`)
      assertStringIncludes((await example(directory, "files/wrong.json")).error, "is not valid JSON, line 1")
      assertStringIncludes((await example(directory)).error, "espalier.json: no such file")
      assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), before)
    })

    let after: string | undefined
    await t.step("it trains, and the run folder holds the files of each method", async () => {
      const { code, out, error } = await example(directory, "files/run.json")
      assertEquals(code, 0, error)
      const summary = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
      assert(summary.test.loss < summary.base.loss, JSON.stringify(summary))
      after = lineOf(out, "after")
      const files: string[] = []
      const list = (folder: string): void => {
        for (const { name, isDirectory } of Deno.readDirSync(`${directory}/out/adapter/${folder}`)) {
          if (isDirectory) list(`${folder}${name}/`)
          else if (/config\.json$/.test(name)) files.push(folder + name)
        }
      }
      list("")
      assertEquals(files.sort(), [
        "adapter_config.json",
        "adapters/default/adapter_config.json",
        "adapters/default/head_config.json",
        "prefix_tuning/adapter_config.json",
        "prompt_tuning/adapter_config.json",
        "second/adapter_config.json",
      ])
      const { methods, settings } = JSON.parse(await Deno.readTextFile(`${directory}/out/config.json`))
      assertEquals(methods.length, METHODS.length)
      const { r, targetModules } = settings["lora/second"]
      assertEquals([r, targetModules], [3, ["v_proj"]])
    })

    await t.step("all of it loads again, in another order of methods", async () => {
      await write({ methods: METHODS.toReversed() })
      const { code, out, error } = await example(directory, "files/run.json", "--evaluate")
      assertEquals(code, 0, error)
      assertEquals(lineOf(out, "saved"), after)
    })

    await t.step("a changed run file does not resume, a tampered adapter does not load", async () => {
      assertStringIncludes((await example(directory, "files/run.json")).error, "holds another run")
      await write({ methods: METHODS.map((method) => "r" in method ? { ...method, r: 4 } : method) })
      const resumed = await example(directory, "files/run.json", "--resume")
      assertStringIncludes(resumed.error, "configuration differs in settings.lora/default.r (was 2, is 4)")
      const other = await example(directory, "files/run.json", "--evaluate")
      assertStringIncludes(other.error, "lora/default")
      await write({})
      const weights = `${directory}/out/adapter/second/adapter_model.safetensors`
      await Deno.writeFile(weights, (await Deno.readFile(weights)).subarray(0, 200))
      const torn = await example(directory, "files/run.json", "--evaluate")
      assertEquals(torn.code, 1)
      assertStringIncludes(torn.error, "second/adapter_model.safetensors")
    })
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
