import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { texts } from "../core/training/support.ts"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

Deno.test("the audit attacks a model without and with privacy on a file, and reports both", async () => {
  const directory = await Deno.makeTempDir()
  const start = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--config", path("deno.json"), "--allow-read", `--allow-write=${directory}`],
        ...["--allow-env=ESPALIER_BACKEND", path("examples/privacy_audit.ts"), "--output", `${directory}/run`],
        ...["--data", `${directory}/topic.csv`, "--overwrite", ...words],
      ],
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const rows = texts(40).rows.map(({ text, label }, i) => `${text} ${i},${label}`)
    await Deno.writeTextFile(`${directory}/topic.csv`, ["text,label", ...rows].join("\n"))
    const done = await start("--text", "text", "--label", "label", "--canaries", "40", "--rows", "20", "--epochs", "2")
    assertEquals(done.code, 0, done.errors)
    assertStringIncludes(done.out, "without privacy: 40 rows, 20 of them canaries")
    const lines = done.out.split("\n").filter((line) => /^(without privacy|epsilon 8) \| [01]\.\d{3} \| /.test(line))
    assertEquals(lines.length, 2, done.out)
    const page = await Deno.readTextFile(`${directory}/run/private/report.html`)
    for (const line of lines) {
      const [name, auc] = line.split(" | ")
      assertStringIncludes(page, `<th scope="row">${name}</th><td class="number">${auc}</td>`)
    }
    assert(page.includes("<b>Canaries found (share)</b>") && page.includes("<dt>epsilon</dt><dd>7."), page)

    const pairs = await start("--prompt", "text", "--completion", "label")
    assertEquals(pairs.code, 1)
    assertStringIncludes(pairs.errors, "the audit needs a text column, or a text and a label column")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
