import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { saveTokenizer, trainBpe } from "../../core/data/train_bpe.ts"
import { saveCheckpoint } from "../../core/model/model.ts"
import { languageModel, texts } from "../core/training/_support.ts"
import { run } from "../model_layer.ts"

const script = new URL("../../examples/lora.ts", import.meta.url).pathname
const config = new URL("../../deno.json", import.meta.url).pathname

/** Runs the example as a person does, in `directory`. */
async function example(directory: string, ...words: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--config", config, "--allow-read", `--allow-write=${directory}`, script, ...words],
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).output()
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  return { code, out, errors: errors.split("\n").filter((line) => line.startsWith("error:")), stderr: errors }
}

Deno.test("the LoRA example trains on a person's own file, and says in one line what is wrong", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir())
  try {
    const model = `${directory}/model`
    await run(Effect.gen(function* () {
      yield* saveCheckpoint(yield* languageModel(), model)
      yield* saveTokenizer(model, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
    }))
    const { labels, rows } = texts(200)
    // Numbers keep the rows from being duplicates.
    const lines = rows.map(({ text, label }, i) => `${text} ${i},${labels[label]}`)
    await Deno.writeTextFile(`${directory}/own.csv`, ["text,label", ...lines].join("\n"))
    const base = { model: "model", data: "own.csv", "max-length": "32", threads: "1", output: "out" }
    const words = (own: Record<string, string>) =>
      Object.entries({ ...base, ...own }).flatMap(([k, v]) => [`--${k}`, v])

    const done = await example(directory, ...words({ epochs: "2", "learning-rate": "1e-2" }))
    assertEquals(done.code, 0, done.stderr)
    for (
      const part of ["backend: CPU by WebAssembly", "trainable params:", "before:", "after:", "finished after step"]
    ) {
      assertStringIncludes(done.out, part)
    }
    const summary = JSON.parse(await Deno.readTextFile(`${directory}/out/summary.json`))
    assertEquals(summary.backend, "wasm")
    assertEquals(summary.adapter, "out/adapter")
    assert(summary.test.accuracy > 0.9 && summary.test.loss < summary.base.loss, JSON.stringify(summary))
    assert(summary.trainableParameters < summary.totalParameters && summary.seconds > 0)
    await Deno.stat(`${directory}/out/adapter/adapter_model.safetensors`)
    await Deno.stat(`${directory}/out/report.html`)

    const wrong = async (own: Record<string, string>) => {
      const { code, errors, stderr } = await example(directory, ...words({ output: "other", ...own }))
      assertEquals([code, errors.length], [1, 1], stderr)
      assert(!stderr.includes("    at "), stderr)
      return errors[0]
    }
    assertStringIncludes(await wrong({ data: "none.csv" }), "none.csv: no such file")
    assertStringIncludes(
      await wrong({ label: "stars" }),
      `own.csv has no column "stars"; its columns are "text", "label"`,
    )
    assertStringIncludes(await wrong({ output: "out" }), `"out" holds another run`)
    assertStringIncludes(await wrong({ "target-modules": "nothing" }), "no module matches")
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["model", "out", "own.csv"])
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
