/**
 * `deno task conformance tokenizers [--lines=FILE]`: token ids of a tokenizer of each family's kind beside those of the Rust
 * library, on 2,000 lines: of the SMS data, or of a file, with lines of many scripts among them.
 * @module
 */
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { environments, execute, pythonEnvironment, workspace } from "../environment.ts"

/** What texts seldom hold. */
const RARE = [
  "",
  " ",
  "  two  spaces   three    four ",
  "tab\tand\nline end\r\n\r\n  indented\n\n\nthree",
  "don't DON'T we'll 'tis I’m",
  "3.14159 1,234,567 ½ ² Ⅷ ٣٤ 12345678901234567890",
  "naïve café Zürich ŒUVRE ŉ ǰ ﬁ ﬀ Ǆ",
  "cafe\u0301 A\u030a \u1112\u1161\u11ab 한 각",
  "ＦＵＬＬ ｗｉｄｔｈ　ideographic space ①②",
  "Ελλάς ΟΔΟΣ Привет мир Ёлка שָׁלוֹם العربية हिन्दी ไทย",
  "東京 是 首都。日本語のテキスト 한국어",
  "emoji 👍🏽 👩‍👩‍👧 🇨🇭 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
  "zero\u200bwidth\u200djoiner\ufeffmark soft\u00adhyphen nb\u00a0space \u2028line \u2029paragraph \u0085next",
  "control \u0001\u0007\u007f\u0080 replacement \ufffd private \ue000",
  "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙 𐍈 𠜎",
  "İstanbul ıI ẞß ǅ K Å",
  "<s> </s> <pad> <mask> [MASK] [CLS]x[SEP] <|endoftext|><|im_end|> <extra_id_0> <unk> <tool_call> ▁ ▁▁ <0x41>",
  "def f(x):\n    return x ** 2  # square\n\tif x == 1: pass",
  "https://example.org/a?b=c&d=%20#e user@example.org @name #tag C++ C# .NET a_b-c/d\\e",
  "a".repeat(300),
  `${" ".repeat(40)}x`,
  "!!!???...---___***",
]

/** The lines: rare ones spread among the others. */
const linesOf = (text: string, count: number): ReadonlyArray<string> => {
  const lines = text.split("\n").filter((line) => line !== "").slice(0, count - 2 * RARE.length)
  // Once at even places, once at odd ones: tokenizers are trained on every second line.
  return [...RARE.flatMap((line) => [line, line]), ...lines]
}

/** The first line whose tokens differ, with both. */
const firstDifference = (
  folder: string,
  lines: ReadonlyArray<string>,
): { readonly wrong: number; readonly first: string } => {
  const read = (name: string) => JSON.parse(Deno.readTextFileSync(`${folder}/${name}`))
  const tokenizer = tokenizerOf(read("tokenizer.json"))
  const expected: ReadonlyArray<readonly [ReadonlyArray<number>, ReadonlyArray<number>, string]> = read("ids.json")
  const found = lines.map((line) => {
    const ids = [...tokenizer.encode(line)]
    return [ids, [...tokenizer.encode(line, { addSpecialTokens: false })], tokenizer.decode(ids)] as const
  })
  const wrong = lines.flatMap((_, at) => JSON.stringify(found[at]) === JSON.stringify(expected[at]) ? [] : [at])
  const [at] = wrong
  return {
    wrong: wrong.length,
    first: at === undefined
      ? ""
      : `${JSON.stringify(lines[at])}\n           ${JSON.stringify(found[at])}\n  expected ${
        JSON.stringify(expected[at])
      }`,
  }
}

/** Compares all kinds, in each environment. */
export const runTokenizers = async (): Promise<{ readonly passed: number; readonly failed: number }> => {
  const given = Deno.args.find((argument) => argument.startsWith("--lines="))?.slice("--lines=".length)
  const path = given ?? new URL("../../../examples/data/sms_spam.tsv", import.meta.url)
  const lines = linesOf(await Deno.readTextFile(path), 2000)
  let passed = 0, failed = 0
  for (const environment of environments) {
    const python = await pythonEnvironment(environment)
    const folder = `${workspace}/tokenizers/${environment.directory}`
    await Deno.mkdir(folder, { recursive: true })
    await Deno.writeTextFile(`${folder}/lines.json`, JSON.stringify(lines))
    const script = decodeURIComponent(new URL("tokenizers_reference.py", import.meta.url).pathname)
    const made = environment === environments[0] ? [] : [`${workspace}/tokenizers/${environments[0].directory}`]
    await execute(python, [script, `${folder}/lines.json`, folder, ...made], "inherit")
    for (
      const kind of [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
        .sort()
    ) {
      const { wrong, first } = firstDifference(`${folder}/${kind}`, lines)
      console.log(
        wrong === 0
          ? `ok     ${kind} (${lines.length} lines)`
          : `FAILED ${kind}: ${wrong} of ${lines.length} lines: ${first}`,
      )
      wrong === 0 ? passed++ : failed++
    }
  }
  return { passed, failed }
}
