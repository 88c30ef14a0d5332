import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { texts } from "../core/training/support.ts"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("the example trains on two files of tasks, and says in one line what is wrong", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...["--allow-env=ESPALIER_BACKEND", path("examples/multitask.ts"), "--output", `${directory}/run`],
        ...["--epochs", "1", ...words],
      ],
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const { rows } = texts(40)
    const table = (cells: ReadonlyArray<string | number>) =>
      ["text,label", ...rows.map(({ text }, i) => `${text} ${i},${cells[i]}`)].join("\n")
    await Deno.writeTextFile(`${directory}/topic.csv`, table(rows.map(({ label }) => label)))
    await Deno.writeTextFile(`${directory}/size.csv`, table(rows.map(({ text }) => text.length / 40)))
    const topic = ["--task", `topic=${directory}/topic.csv`]
    const both = [...topic, "--task", `size=${directory}/size.csv`, "--regression", "size"]
    const done = await start(...both, "--uncertainty", "--gradient-surgery", "pcgrad", "--mixing", "equal")
    assertEquals(done.code, 0, done.errors)
    assert(/data: topic: .*, [1-9] for the test/.test(done.out), done.out)
    assert(/after, topic: loss .* accuracy/.test(done.out), done.out)
    assert(/after, size: loss .* pearson/.test(done.out), done.out)
    const saved = JSON.parse(await Deno.readTextFile(`${directory}/run/adapter/size/multitask.json`))
    assertEquals(Object.keys(saved), ["logVariance.topic", "logVariance.size"])

    const one = await start(...topic, "--overwrite")
    assertEquals(one.code, 1)
    assertStringIncludes(
      one.errors,
      'error: tasks must be two or more, got ["topic"]: of one task, give data and task in their place',
    )
    const other = await start(...topic, "--regression", "tone", "--overwrite")
    assertStringIncludes(other.errors, 'error: --regression names "tone"; the tasks are topic')
    const cold = await start(...both, "--mixing", "temperature", "--temperature", "0", "--overwrite")
    assertStringIncludes(cold.errors + cold.out, "temperature must be a number above 0, got 0")
    const twice = await start(...both, "--uncertainty", "--loss-weight", "size=2", "--overwrite")
    assertStringIncludes(twice.errors, "error: --uncertainty learns the weights of the losses, and --loss-weight gives")
    const word = await start(...both, "--loss-weight", "size=two", "--overwrite")
    assertStringIncludes(word.errors, 'lossWeights["size"] must be a number above 0, got NaN')
    const stranger = await start(...both, "--loss-weight", "tone=2", "--overwrite")
    assertStringIncludes(stranger.errors + stranger.out, "tone")
    const after = async (...words: string[]) => {
      const { code, out, errors } = await start(...both, "--overwrite", ...words)
      assertEquals(code, 0, errors)
      return out.split("\n").filter((line) => line.startsWith("after, "))
    }
    const equal = await after("--loss-weight", "size=1")
    assertEquals(equal.length, 2)
    assertEquals(equal, await after())
    assertNotEquals(equal, await after("--loss-weight", "size=0.01"))
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
