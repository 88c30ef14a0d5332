import { assert, assertEquals } from "@std/assert"
import { importsOf, publishedRoots, sourceFiles, type SourceImport } from "./tasks/source_imports.ts"

/** Rooms from the top to the bottom: a file may import its own room and those below. */
const rooms = [
  "mod.ts",
  "plugins",
  "core/run",
  "core/training",
  "core/report",
  "core/inference",
  "core/model",
  "core/tasks",
  "core/data",
  "core/weights",
  "core/options",
  "core/formats",
  "core/backend",
  "core/graph",
  "kernels",
  "core/contracts",
  "core/tensor",
]
const repository = new URL("../", import.meta.url)

function levelOf(file: string): number {
  return rooms.findIndex((room) => file === room || file.startsWith(`${room}/`))
}

/** What is wrong with an import, if anything. */
function complaint({ file, specifier, target }: SourceImport): string | undefined {
  if (target === undefined) {
    if (/^(npm:)?effect(@[^/]*)?$/.test(specifier)) return "imports the barrel of effect: import effect/<Module>"
    if (/^(npm|jsr|https?):/.test(specifier)) return "does not go through the import map of deno.json"
    return undefined
  }
  const from = levelOf(file)
  const to = levelOf(target)
  if (to === -1) return "leaves the published sources"
  if (to < from) return `goes up, from ${rooms[from]} to ${rooms[to]}`
  const plugin = /^plugins\/([^/]+)\//
  const owner = plugin.exec(file)?.[1]
  const other = plugin.exec(target)?.[1]
  if (other !== undefined && other !== owner && target !== `plugins/${other}/mod.ts`) {
    return "reaches into a plugin past its mod.ts"
  }
  return undefined
}

const foreignWords =
  /(?<![a-z])(lora|llama|granite|lfm|smollm|(modern|euro)?bert|roberta|mpnet|gpt|t5|qwen|mistral|gemma|prefix_tuning|prompt_tuning)(?![a-z])/i
const foreignNames =
  /LoRA|Lora(?![a-z])|Llama|Bert(?![a-z])|GPT|Qwen|Mistral|Gemma|(?<![a-zA-Z])(lora|llama|bert|gpt|qwen|mistral|gemma)[A-Z]/

/** Names that the tokenizer files of Hugging Face have for parts and classes: words of that format, read there alone. */
const formatNames = /\b\w+(?:Tokenizer|Normalizer|Processing)\b/g

/** A line as it is looked through. */
const looked = (file: string, line: string): string =>
  file.startsWith("core/data/tokenizer") ? line.replace(formatNames, "") : line

/** The first name of a method or model in a text of core or kernels. */
function foreignWord(text: string): string | undefined {
  return (foreignWords.exec(text) ?? foreignNames.exec(text))?.[0]
}

Deno.test("the top level has the folders that it had", () => {
  const ignored = Deno.readTextFileSync(new URL(".gitignore", repository)).split("\n").map((line) =>
    line.replaceAll("/", "")
  )
  const folders = [...Deno.readDirSync(repository)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
  const own = folders.filter((name) => !name.startsWith(".") && !ignored.includes(name)).sort()
  assertEquals(own, ["core", "docs", "examples", "findings", "kernels", "plugins", "tests"])
})

Deno.test("every room imports itself and what stands below it, and other plugins through their mod.ts", () => {
  const files = [...sourceFiles(repository, publishedRoots)]
  const imports = files.flatMap(({ file, text }) => importsOf(file, text))
  for (const { file } of files) assert(levelOf(file) !== -1, `${file} stands in no room`)
  assert(imports.length > 0, "no import was found at all")
  const wrong = imports.flatMap((one) => {
    const why = complaint(one)
    return why === undefined ? [] : [`${one.file}: "${one.specifier}" ${why}`]
  })
  assertEquals(wrong, [])
})

Deno.test("core and kernels name no method and no model", () => {
  const wrong = [...sourceFiles(repository, ["core", "kernels"])].flatMap(({ file, text }) =>
    [file, ...text.split("\n")].flatMap((line, index) => {
      const word = foreignWord(looked(file, line))
      return word === undefined ? [] : [`${file}:${index}: ${word}`]
    })
  )
  assertEquals(wrong, [])
})

Deno.test("the checks see wrong imports and names", () => {
  const wrong = (file: string, text: string) => importsOf(file, text).map(complaint).filter((why) => why !== undefined)
  assertEquals(wrong("core/tensor/a.ts", `import { b } from "../graph/b.ts"`).length, 1)
  assertEquals(wrong("core/tensor/a.ts", `import {\n  b,\n  type C,\n} from "../graph/b.ts"`).length, 1)
  assertEquals(wrong("core/tensor/a.ts", `export * from "../graph/b.ts"`).length, 1)
  assertEquals(wrong("core/tensor/a.ts", `const b = await import("../graph/b.ts")`).length, 1)
  assertEquals(wrong("plugins/a/mod.ts", `import "../b/inner.ts"`).length, 1)
  assertEquals(wrong("plugins/a/mod.ts", `import * as Effect from "effect"`).length, 1)
  assertEquals(wrong("plugins/a/mod.ts", `import "npm:effect@4.1.0/Effect"`).length, 1)
  assertEquals(wrong("mod.ts", `import "./tests/a.ts"`).length, 1)
  assertEquals(wrong("core/graph/a.ts", `import "../tensor/b.ts"\nimport * as Effect from "effect/Effect"`), [])
  assertEquals(wrong("plugins/a/mod.ts", `import "../b/mod.ts"\nimport "./inner.ts"\n * import "../b/c.ts"`), [])
  assertEquals(foreignWord(looked("core/data/tokenizer/a.ts", '"BertNormalizer"')), undefined)
  assert(foreignWord(looked("core/data/tokenizer/a.ts", "the BERT family, BertModel")) !== undefined)
  assert(foreignWord(looked("core/data/encode.ts", '"BertNormalizer"')) !== undefined)
  assert(foreignWord(looked("core/data/tokenizer_files/gguf/a.ts", '"llama-bpe"')) !== undefined)
  assert(foreignWord("llama.cpp reads it") !== undefined)
  assert(foreignWord("the multipliers of Granite4") !== undefined)
  assertEquals(foreignWord("exploration of a Hilbert space with at5"), undefined)
  for (
    const text of [
      "a LoRA layer",
      "lora_alpha",
      "loraAlpha",
      "myLoraThing",
      "LlamaBlock",
      "T5",
      "gpt-2",
      "qwen3_moe",
      "GemmaBlock",
      "a layer of Mistral",
      "the BERT family",
    ]
  ) {
    assert(foreignWord(text) !== undefined, text)
  }
})
