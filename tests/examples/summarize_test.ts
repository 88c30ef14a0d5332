import { assert, assertEquals, assertStringIncludes } from "@std/assert"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("a small T5 is trained on pairs, tuned in two ways, and scored beside its base", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...["--allow-env=ESPALIER_BACKEND", path("examples/summarize.ts"), "--output", `${directory}/run`],
        ...["--data", `${directory}/pairs.csv`, "--overwrite", "--threads", "1", ...words],
      ],
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const rows = Array.from({ length: 60 }, (_, i) => {
      const name = `${"ABCDEF"[i % 6]}${"uvwxyz"[Math.floor(i / 6) % 6]}${i}`
      return i % 2 === 0
        ? `name ${name},${name} is a place`
        : `name ${name} and food and area,${name} has food in an area`
    })
    await Deno.writeTextFile(`${directory}/pairs.csv`, ["mr,ref", ...rows].join("\n"))
    const small = ["--source", "mr", "--target", "ref", "--hidden", "16", "--layers", "1", "--vocabulary", "270"]
    const short = ["--base-epochs", "1", "--epochs", "1", "--max-new-tokens", "8", "--num-beams", "2"]
    const done = await start(...small, ...short)
    assertEquals(done.code, 0, done.errors)
    const table = done.out.split("\n").filter((line) =>
      /^(base|lora|prefix) \| \d+ \| 0\.\d{3} \| .* \| \d+\.\d$/.test(line)
    )
    assertEquals(table.map((line) => line.split(" | ")[0]), ["base", "lora", "prefix"], done.out)
    assertEquals(table[2].split(" | ")[1], "320")
    for (const name of ["lora", "prefix"]) {
      assert(
        (await Deno.stat(`${directory}/run/${name}/adapter/adapter_config.json`)).isFile,
      )
    }
    const wrong = await start("--source", "mr", "--target", "text")
    assertEquals(wrong.code, 1)
    assertStringIncludes(wrong.errors, `"text"`)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
