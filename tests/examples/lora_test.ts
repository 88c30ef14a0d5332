import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { saveTokenizer, trainBpe } from "../../core/data/tokenizer/training/train_bpe.ts"
import { initialize, saveCheckpoint } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import { languageModel, texts } from "../core/training/support.ts"
import { fixture, knownTypes, run } from "../support/model_layer.ts"

const script = new URL("../../examples/lora.ts", import.meta.url).pathname
const config = new URL("../../deno.json", import.meta.url).pathname

/** The example as a person starts it in `directory`. */
const start = (directory: string, ...words: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--config",
      config,
      "--allow-read",
      `--allow-write=${directory}`,
      "--allow-env=ESPALIER_BACKEND",
      script,
      ...words,
    ],
    cwd: directory,
    // Mesa's drivers write lines of their own where a machine has no desktop.
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    stdout: "piped",
    stderr: "piped",
  })

async function example(directory: string, ...words: string[]) {
  const { code, stdout, stderr } = await start(directory, ...words).output()
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  return { code, out, errors: errors.split("\n").filter((line) => line.startsWith("error:")), stderr: errors }
}

/** A small model in `model`, labelled texts in `own.csv`. */
async function makeFiles(directory: string): Promise<void> {
  await run(Effect.gen(function* () {
    yield* saveCheckpoint(yield* languageModel(), `${directory}/model`)
    yield* saveTokenizer(`${directory}/model`, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
  }))
  const { labels, rows } = texts(200)
  // Numbers keep the rows from being duplicates.
  const lines = rows.map(({ text, label }, i) => `${text} ${i},${labels[label]}`)
  await Deno.writeTextFile(`${directory}/own.csv`, ["text,label", ...lines].join("\n"))
}

const base = { model: "model", data: "own.csv", "max-length": "32", threads: "1", output: "out" }
const words = (own: Record<string, string>) => Object.entries({ ...base, ...own }).flatMap(([k, v]) => [`--${k}`, v])

Deno.test("the LoRA example trains on a person's own file, and says in one line what is wrong", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    await makeFiles(directory)
    const model = `${directory}/model`
    const done = await example(directory, ...words({ epochs: "2", "learning-rate": "1e-2" }), "--trace")
    assertEquals(done.code, 0, done.stderr)
    for (
      const part of [
        "backend: CPU by WebAssembly",
        "trainable params:",
        "before:",
        "after:",
        "finished after step",
        "all kernels",
      ]
    ) {
      assertStringIncludes(done.out, part)
    }
    const summary = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
    assertEquals(summary.backend, "wasm")
    assertEquals(summary.adapter, "out/adapter")
    assertEquals(summary.judgedBy, "test")
    assert(summary.test.accuracy > 0.9 && summary.test.loss < summary.base.loss, JSON.stringify(summary))
    assert(summary.trainableParameters < summary.totalParameters && summary.seconds > 0)
    await Deno.stat(`${directory}/out/adapter/adapter_model.safetensors`)
    await Deno.stat(`${directory}/out/report.html`)
    assert(JSON.parse(await Deno.readTextFile(`${directory}/out/trace.json`)).traceEvents.length > 0)

    const wrong = async (own: Record<string, string>) => {
      const { code, errors, stderr } = await example(directory, ...words({ output: "other", ...own }))
      assertEquals([code, errors.length], [1, 1], stderr)
      assert(!stderr.includes("    at "), stderr)
      return errors[0]
    }
    const file = (name: string, ...lines: string[]) => Deno.writeTextFile(`${directory}/${name}`, lines.join("\n"))
    await file("notes.txt", "sun", "moon")
    await file("empty.csv", "text,label")
    await file("torn.csv", "text,label", "sun,sky", "bread", "moon,sky")
    await file("one.csv", "text,label", "sun,sky", "moon,sky")
    await file(
      "long.jsonl",
      ...[1, 2, 3].map((i) => JSON.stringify({ prompt: `${"sun ".repeat(40)}${i}`, completion: "sky" })),
    )
    const copy = async (name: string, change: (config: string, weights: Uint8Array) => [string, Uint8Array]) => {
      await Deno.mkdir(`${directory}/${name}`)
      for (const own of ["tokenizer.json", "tokenizer_config.json"]) {
        await Deno.copyFile(`${model}/${own}`, `${directory}/${name}/${own}`)
      }
      const given = [Deno.readTextFileSync(`${model}/config.json`), Deno.readFileSync(`${model}/model.safetensors`)]
      const [config, weights] = change(given[0] as string, given[1] as Uint8Array)
      await Deno.writeTextFile(`${directory}/${name}/config.json`, config)
      await Deno.writeFile(`${directory}/${name}/model.safetensors`, weights)
    }
    await copy("mamba", (config, weights) => [config.replace(`"llama"`, `"mamba"`), weights])
    await copy("torn", (config, weights) => [config, weights.subarray(0, weights.length - 100)])
    await copy("absurd", (config, weights) => [config, weights.with(6, 255)])
    const before = [...Deno.readDirSync(directory)].map(({ name }) => name).sort()

    const cases: ReadonlyArray<readonly [Record<string, string>, string]> = [
      [{ data: "none.csv" }, "none.csv: no such file"],
      [{ data: "empty.csv" }, "empty.csv"],
      [{ data: "torn.csv" }, "torn.csv: 1 malformed row(s), line 3"],
      [{ data: "one.csv" }, `at least two different labels, got ["sky"]`],
      [{ label: "stars" }, `own.csv has no column "stars"; its columns are "text", "label"`],
      [{ output: "out" }, `"out" holds another run`],
      [{ model: "nowhere" }, "nowhere"],
      [{ model: "mamba" }, `unknown model_type "mamba"; known: ${await knownTypes()}`],
      [{ model: "torn" }, `"torn/model.safetensors": the tensors end at byte`],
      [{ model: "absurd" }, `"absurd/model.safetensors": the header claims`],
      [{ "target-modules": "nothing" }, `no module matches ["nothing"]; the model has model (Backbone)`],
      [{ "max-length": "900" }, "the model has 32 positions"],
      [{ data: "notes.txt", task: "classification" }, `notes.txt has no column "label"; its columns are "text"`],
      [{ prompt: "text", label: "label" }, "data: label beside prompt: name columns of one kind"],
      [{ patience: "2", validation: "0" }, "patience counts evaluations of validation rows, and validation is 0"],
      [{ label: "label", task: "causal-lm" }, `task: "causal-lm" does not go with the columns label`],
      [
        { data: "long.jsonl", prompt: "prompt", completion: "completion", test: "0", validation: "0" },
        "every label is masked",
      ],
    ]
    for (const [own, part] of cases) assertStringIncludes(await wrong(own), part)
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), before)

    const alone = await example(directory, ...words({ epochs: "1", validation: "0", test: "0", output: "alone" }))
    assertStringIncludes(alone.out, "warning: the model is judged by training rows; no rows are held out")
    assertStringIncludes(Deno.readTextFileSync(`${directory}/alone/report.html`), ">after, training rows<")
    assertEquals(JSON.parse(Deno.readTextFileSync(`${directory}/alone/summary.json`)).judgedBy, "training")

    // This one is found out at work, so its run folder stays.
    const wrecked = await wrong({ "learning-rate": "1e38", output: "wrecked" })
    assertStringIncludes(wrecked, "the loss is")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("targets are the family's own unless they are named: a BERT", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    await makeFiles(directory)
    await run(Effect.gen(function* () {
      const bert = { ...JSON.parse(yield* Effect.promise(() => Deno.readTextFile(fixture("bert/masked/config.json")))) }
      const task = Task.classification(["food", "sky"])
      const model = yield* initialize({ ...bert, vocab_size: 300, max_position_embeddings: 32 }, { task })
      yield* saveCheckpoint(model, `${directory}/bert`)
    }))
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
      await Deno.copyFile(`${directory}/model/${name}`, `${directory}/bert/${name}`)
    }
    const targets = async (...more: ReadonlyArray<string>) => {
      const done = await example(directory, ...words({ model: "bert", "max-steps": "1" }), "--overwrite", ...more)
      assertEquals(done.code, 0, done.stderr)
      return JSON.parse(await Deno.readTextFile(`${directory}/out/adapter/adapter_config.json`)).target_modules
    }
    assertEquals(await targets(), ["query", "value"])
    assertEquals(await targets("--target-modules", "key, value"), ["key", "value"])
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a classifier's own head gives the labels' order; another one is said by --labels, a new one by --head", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    await makeFiles(directory)
    await run(Effect.gen(function* () {
      const plain = JSON.parse(yield* Effect.promise(() => Deno.readTextFile(`${directory}/model/config.json`)))
      for (const labels of [["sky", "food"], ["sky", "food", "tree"], ["x", "y", "z"]]) {
        const model = yield* initialize(plain, { task: Task.classification(labels) })
        yield* saveCheckpoint(model, `${directory}/${labels.join("-")}`)
      }
    }))
    const folders = ["sky-food", "sky-food-tree", "x-y-z"]
    for (const folder of folders) {
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
        await Deno.copyFile(`${directory}/model/${name}`, `${directory}/${folder}/${name}`)
      }
    }
    const attempt = (model: string, ...more: string[]) =>
      example(directory, ...words({ model, "max-steps": "1" }), "--overwrite", ...more)
    for (const folder of folders.slice(0, 2)) {
      const own = await attempt(folder)
      assertEquals(own.code, 0, own.stderr)
      assertStringIncludes(own.out, `data: labels in the order of the model's head: ${folder.replaceAll("-", ", ")}\n`)
      assertEquals(own.out.includes("new and trained"), false)
    }
    const other = await attempt("x-y-z")
    assertStringIncludes(other.errors[0], 'is for 3 labels, ["x","y","z"], the task has 2, ["food","sky"]')
    assertStringIncludes(other.errors[0], "start a new head (option head: new)")
    const fresh = await attempt("x-y-z", "--head", "new")
    assertEquals(fresh.code, 0, fresh.stderr)
    assertStringIncludes(fresh.out, "model: not in the files, so new and trained: score.weight\n")
    assertEquals((await attempt("sky-food", "--labels", "sky, food")).code, 0)
    const turned = await attempt("sky-food", "--labels", "food,sky")
    assertStringIncludes(turned.errors[0], "give task and data the head's order (option labels: sky,food)")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("Ctrl-C leaves a checkpoint, and the resumed run ends with the same adapter", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    await makeFiles(directory)
    const own = { epochs: "40", dropout: "0.1" }
    const process = start(directory, ...words(own)).spawn()
    const errors = new Response(process.stderr).text()
    let out = ""
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      if (!out.includes("step ") && text.includes("step ")) process.kill("SIGINT")
      out += text
    }
    const { code } = await process.status
    assertEquals([code, await errors], [130, ""], out)
    assertStringIncludes(out, "interrupted after step")
    assertEquals(out.includes("adapter:"), false)
    const again = await example(directory, ...words(own), "--resume")
    assertEquals(again.code, 0, again.stderr)
    assertStringIncludes(again.out, "resumed")
    const whole = await example(directory, ...words({ ...own, output: "whole" }))
    assertEquals(whole.code, 0, whole.stderr)
    for (const name of ["adapter_model.safetensors", "adapter_config.json"]) {
      const [mine, theirs] = ["out", "whole"].map((folder) =>
        Deno.readFileSync(`${directory}/${folder}/adapter/${name}`)
      )
      assertEquals(mine, theirs)
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
