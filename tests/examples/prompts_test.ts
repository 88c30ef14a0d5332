import { assert, assertEquals, assertStringIncludes } from "@std/assert"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("prompts and LoRA are judged on the same rows, in one table that the report has too", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...[
          "--allow-env",
          path("examples/prompts.ts"),
          "--output",
          `${directory}/run`,
          "--overwrite",
          "--threads",
          "1",
        ],
        ...["--data", `${directory}/days.csv`, "--text", "text", "--label", "label", ...words],
      ],
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const rows = Array.from({ length: 40 }, (_, i) => `day ${i} was ${i % 2 === 0 ? "sunny" : "wet"},${i % 2}`)
    await Deno.writeTextFile(`${directory}/days.csv`, ["text,label", ...rows].join("\n"))
    const small = [
      "--shots",
      "2",
      "--development",
      "4",
      "--budget",
      "8",
      "--test",
      "6",
      "--train",
      "12",
      "--epochs",
      "1",
    ]
    const done = await start(...small, "--words", "0=good,1=bad", "--proposals", "1")
    assertEquals(done.code, 0, done.errors)
    const table = done.out.split("\n").filter((line) => line.startsWith("| ")).map((line) =>
      line.slice(2, -2).split(" | ")
    )
    assertEquals(table.slice(2).map(([name]) => name), [
      "no example",
      ...["random", "balanced random", "covering", "similar", "diverse", "balanced similar"].map((name) =>
        `2 examples, ${name}`
      ),
      "searched instruction",
      "LoRA on 12 rows",
    ])
    assert(table.slice(2).every(([, ...cells]) => cells.length === 5 && cells.every((cell) => Number(cell) >= 0)))
    assertStringIncludes(done.out, "bad")
    const report = await Deno.readTextFile(`${directory}/run/report.html`)
    for (const cell of table.at(-1)!) assertStringIncludes(report, cell)
    assert((await Deno.stat(`${directory}/run/adapter/adapter_config.json`)).isFile)
    const wrong = await start(...small, "--words", "0=good")
    assertEquals(wrong.code, 1)
    assertStringIncludes(wrong.errors, "--words has no word for 1")
    const poor = await start(...small, "--max-tokens", "3")
    assertEquals(poor.code, 1)
    assertStringIncludes(poor.errors, "maxTokens is 3, and a prompt with one example has")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
