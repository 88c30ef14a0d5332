/**
 * Directories as transformers 4.57.6 and 5.24.0 write them, read as the version that wrote them reads them.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import { greedyOf, outputsOf, taskOf, tokenizerOf } from "./support/directory.ts"
import { distance, fixture } from "./support/model_layer.ts"

/** What make.py wrote beside the files. */
interface Expected {
  readonly transformers: string
  readonly texts?: ReadonlyArray<{ text: string; ids: Array<number>; plain: Array<number>; decoded: string }>
  readonly special?: Readonly<Record<"pad" | "eos" | "bos" | "mask", number | null>>
  readonly tokens: ReadonlyArray<number>
  readonly hidden?: ReadonlyArray<number>
  /** Of each position, one of `every` columns. */
  readonly logits?: ReadonlyArray<number>
  readonly every?: number
  readonly loss?: number
  /** What follows the first four tokens, the likeliest one each. */
  readonly greedy?: ReadonlyArray<number>
}

/** The mean cross entropy of rows of logits. */
const crossEntropy = (logits: ArrayLike<number>, width: number, labels: ReadonlyArray<number>): number => {
  let sum = 0
  for (const [row, label] of labels.entries()) {
    const values = Array.from(logits).slice(row * width, (row + 1) * width)
    const top = Math.max(...values)
    sum += top + Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0)) - values[label]
  }
  return sum / labels.length
}

/** Labels as make.py gives them, and where their logits begin: each position's, or those of the token after it. */
const labelsOf = (kind: string, tokens: ReadonlyArray<number>): ReadonlyArray<number> => {
  if (kind === "causal-lm") return tokens.slice(1)
  if (kind === "classification") return [1]
  return kind === "token-classification" ? tokens.map((token) => token % 3) : tokens
}

for (const version of ["4", "5"]) {
  for (
    const { name } of [...Deno.readDirSync(fixture(`directories/${version}`))].sort((a, b) => a.name < b.name ? -1 : 1)
  ) {
    const directory = fixture(`directories/${version}/${name}`)
    const expected: Expected = JSON.parse(Deno.readTextFileSync(`${directory}/expected.json`))
    const config = JSON.parse(Deno.readTextFileSync(`${directory}/config.json`))

    if (expected.texts !== undefined) {
      Deno.test(`tokens of ${name} as transformers ${expected.transformers} wrote and reads it`, async () => {
        const tokenizer = await tokenizerOf(directory)
        for (const { text, ids, plain, decoded } of expected.texts!) {
          assertEquals([...tokenizer.encode(text)], ids, text)
          assertEquals([...tokenizer.encode(text, { addSpecialTokens: false })], plain, text)
          assertEquals(tokenizer.decode(ids), decoded, text)
        }
        const special = { pad: tokenizer.padId, eos: tokenizer.eosId, bos: tokenizer.bosId, mask: tokenizer.maskId }
        for (const [role, id] of Object.entries(special)) {
          assertEquals(id ?? null, expected.special![role as keyof typeof special], role)
        }
      })
    }

    Deno.test(`numbers of ${name} as transformers ${expected.transformers} wrote and reads it`, async () => {
      const task = taskOf(config)
      const { logits, hidden } = await outputsOf(directory, task, expected.tokens)
      if (expected.hidden !== undefined) return assert(distance(hidden, expected.hidden) < 1e-4)
      const labels = labelsOf(task.kind, expected.tokens)
      const width = task.kind.endsWith("classification") ? 3 : config.vocab_size
      const chosen = Array.from(logits).filter((_, i) => i % width % expected.every! === 0)
      const error = distance(chosen, expected.logits!)
      assert(error < 1e-4, `logits are off by ${error}`)
      const loss = crossEntropy(logits, width, labels)
      assert(Math.abs(loss - expected.loss!) < 1e-4, `the loss is ${loss}, theirs ${expected.loss}`)
    })

    if (expected.greedy !== undefined) {
      Deno.test(`text of ${name} as transformers ${expected.transformers} goes on with it`, async () => {
        assertEquals(
          await greedyOf(directory, taskOf(config), expected.tokens.slice(0, 4), expected.greedy!.length),
          expected.greedy,
        )
      })
    }
  }
}
