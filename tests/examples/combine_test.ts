import { assertEquals, assertStringIncludes } from "@std/assert"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("the example combines adapters, and says in one line what is wrong", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...[path("examples/combine.ts"), "--output", `${directory}/out`, ...words],
      ],
      env: { NO_COLOR: "1" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const adapters = `${path("tests/fixtures/lora/combined/a")}=0.7,${path("tests/fixtures/lora/combined/b")}`
    const done = await start("--adapters", adapters)
    assertEquals(done.code, 0, done.errors)
    assertStringIncludes(done.out, "model.layers.0.self_attn.q_proj: rank 5, ")
    assertStringIncludes(done.out, "adapter: ")
    const failed = await start("--adapters", adapters, "--type", "svd", "--rank", "1")
    assertEquals(failed.code, 1)
    assertStringIncludes(failed.errors, 'error: "model.layers.0.self_attn.q_proj": rank 1 is ')
    const wrong = await start("--adapters", `${path("tests/fixtures/lora/combined/a")}=much`)
    assertStringIncludes(wrong.errors, "adapters[0].weight must be a number other than 0, got NaN")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
