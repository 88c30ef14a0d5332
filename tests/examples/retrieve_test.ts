import { assert, assertEquals, assertStringIncludes } from "@std/assert"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("documents are indexed, asked, asked again from the file, and refused to another encoder", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...[
          "--allow-env",
          path("examples/retrieve.ts"),
          "--index",
          `${directory}/new/index.db`,
          "--threads",
          "1",
          ...words,
        ],
      ],
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    await Deno.mkdir(`${directory}/notes`)
    await Deno.writeTextFile(`${directory}/notes/a.txt`, "The museum opens at nine.")
    await Deno.writeTextFile(`${directory}/notes/b.md`, "Boats leave the harbour each hour.")
    await Deno.writeTextFile(`${directory}/notes/c.bin`, "not a text")
    const question = ["--question", "When do boats leave the harbour?", "--max-new-tokens", "4", "--count", "1"]
    const made = await start("--documents", `${directory}/notes`, ...question)
    assertEquals(made.code, 0, made.errors)
    const [first, answer, source] = made.out.split("\n")
    assertEquals(first, "indexed 2 passages")
    assert(answer.length > 0)
    assert(/^\[1\] .*\/notes\/b\.md, from character 0, cosine 0\.\d{3}, (named|given)$/.test(source), source)
    const again = await start(...question)
    assertEquals(again.out, [answer, source, ""].join("\n"), again.errors)
    const other = await start("--encoder", path("tests/fixtures/sentence_transformers/cls"), ...question)
    assertEquals(other.code, 1)
    assertStringIncludes(other.errors, "use the encoder that the index was made with, or make the index anew")
    const missing = await start("--documents", `${directory}/nowhere`)
    assertEquals(missing.code, 1)
    assertStringIncludes(missing.errors, "nowhere")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
