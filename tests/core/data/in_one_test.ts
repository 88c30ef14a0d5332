/**
 * Texts in parts, beside transformers: `tests/fixtures/encode/make.py` made the tokenizers and the ids. Borders there are
 * those of the character offsets that Rust keeps, which this project's tokenizers do not.
 */
import { assert, assertEquals } from "@std/assert"
import { type Data, fromRows } from "../../../core/tasks/dataset/dataset.ts"
import type { EncodeOptions } from "../../../core/data/data.ts"
import { MASKED } from "../../../core/data/encode.ts"
import { notesOf } from "../../../core/data/encode_notes.ts"
import { preview } from "../../../core/data/preview.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { causalLM } from "../../../core/tasks/causal_lm.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { encodeRows as encode, encodeTextBlocks as encodeBlocks, learned } from "./support.ts"

interface Expected {
  readonly pairs: ReadonlyArray<{
    readonly prompt: string
    readonly completion: string
    readonly ids: ReadonlyArray<number>
    readonly border: number
  }>
  readonly words: ReadonlyArray<{ readonly words: ReadonlyArray<string>; readonly ids: ReadonlyArray<number> }>
}

const read = (name: string) =>
  JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/encode/${name}`, import.meta.url)))
const files: Record<string, { readonly model: unknown; readonly config: Record<string, unknown> }> = read(
  "tokenizers.json",
)
const expected: Record<string, Expected> = read("expected.json")
const tokenizers = Object.entries(files).map(([kind, { model, config }]): readonly [string, Tokenizer] => [
  kind,
  tokenizerOf(model, config),
])

const pairs = (rows: ReadonlyArray<{ readonly prompt: string; readonly completion: string }>) =>
  fromRows(rows.map(({ prompt, completion }) => ({ prompt, completion })), {
    prompt: "prompt",
    completion: "completion",
  })

/** Examples with what is told of them. */
const withNotes = (data: Data, tokenizer: Tokenizer, options: EncodeOptions & { masked?: boolean }) => {
  const encoded = encode(data, tokenizer, options)
  return { ...encoded, notes: notesOf(data, encoded, tokenizer) }
}

/** What a tokenizer puts around a text. */
const around = (tokenizer: Tokenizer) => {
  const [whole, body] = [true, false].map((addSpecialTokens) => [...tokenizer.encode("tree", { addSpecialTokens })])
  const at = whole.findIndex((_, start) => body.every((id, i) => whole[start + i] === id))
  return { before: whole.slice(0, at), after: whole.slice(at + body.length) }
}

const equal = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => a.join() === b.join()

for (const [kind, tokenizer] of tokenizers) {
  const { before, after } = around(tokenizer)

  Deno.test(`${kind}: prompt and completion have the ids of both in one, and the completion alone is trained on`, () => {
    const rows = expected[kind].pairs
    const { examples } = encode(pairs(rows), tokenizer, { maxLength: 128 })
    rows.forEach(({ prompt, completion, ids, border }, index) => {
      const begun = before.length > 0 && equal(ids.slice(0, before.length), before)
      const lead = begun ? [] : before
      const ended = ids.at(-1) === (tokenizer.eosId ?? after.at(-1))
      const last = ended ? [] : after.length > 0 ? after : [tokenizer.eosId!]
      const { tokens } = examples[index]
      const text = JSON.stringify([prompt, completion])
      assertEquals([...tokens], [...lead, ...ids, ...last], text)
      const from = Math.max(1, lead.length + border)
      assertEquals(learned(examples[index]), [...tokens].map((id, at) => (at < from ? MASKED : id)), text)
    })
  })

  Deno.test(`${kind}: words one by one, as with is_split_into_words`, () => {
    const rows = expected[kind].words.map(({ words }) => ({ words, tags: words.map((_, i) => i % 2 ? "x" : "y") }))
    const data = fromRows(rows, { words: "words", tags: "tags" })
    const { examples, notes } = withNotes(data, tokenizer, { maxLength: 128 })
    // There transformers' own classes refuse words, or its ids are those of a text without spaces.
    const joined = kind === "byte_level" || kind === "metaspace_never"
    assertEquals(notes.filter((note) => note.includes("runs together")).length, joined ? 1 : 0)
    expected[kind].words.forEach(({ words, ids }, index) => {
      const { tokens, fields } = examples[index]
      assertEquals(
        Array.from(fields.labels).filter((id) => id !== MASKED).length,
        words.at(-1) === "[SEP]" && after[0] === 3 ? 5 : words.length,
      )
      if (joined) {
        const parts = words.map((
          word,
          at,
        ) => [...tokenizer.encode(at === 0 ? word : ` ${word}`, { addSpecialTokens: false })])
        assertEquals([...tokens], [...before, ...parts.flat(), ...after])
      } else assertEquals([...tokens], words.at(-1) === "[SEP]" && after[0] === 3 ? ids.slice(0, -1) : ids)
    })
  })

  Deno.test(`${kind}: the shown texts of any tokens are together the decoded text`, () => {
    const check = (tokens: Int32Array) => {
      const shown = preview({ tokens, fields: { labels: tokens }, index: 0, row: 1 }, tokenizer, causalLM().written!)
      assertEquals(shown.map(({ text }) => text).join(""), tokenizer.decode(tokens))
      assertEquals(shown.map(({ id }) => id), [...tokens])
      // What adds nothing to the text is seen all the same.
      assert(shown.every(({ text, spelling = text }) => spelling !== ""))
      return shown
    }
    const rng = makeRng(7)
    for (let round = 0; round < 60; round++) {
      check(Int32Array.from({ length: 1 + rng.int(90) }, () => rng.int(tokenizer.vocabSize)))
    }
    for (const { prompt, completion } of expected[kind].pairs) {
      const shown = check(tokenizer.encode(prompt + completion))
      // Of ASCII each token has a text, where no decoder takes spaces away ("isn ' t").
      const plain = kind !== "wordpiece" && /^[ -~\n]*$/.test(prompt + completion)
      if (plain) assert(shown.slice(1).every(({ text, spelling }) => text !== "" && spelling === undefined))
    }
    // Longer than what is decoded together.
    const text = expected[kind].pairs.map(({ prompt, completion }) => prompt + completion).join(" ")
    const long = check(tokenizer.encode(Array(8).fill(text).join(" ")))
    assert(long.length > 500)
  })
}

Deno.test("a token across the border is trained on, and told of with its rows", () => {
  const tokenizer = tokenizerOf(files.prepend.model, files.prepend.config)
  const rows = [
    { prompt: "Question: is it winter? Answer:", completion: " yes" },
    { prompt: "the tr", completion: "ees" },
    { prompt: "The tree is un", completion: "pruned, the qu" },
  ]
  const { examples, notes } = withNotes(pairs(rows), tokenizer, { maxLength: 64 })
  const trained = examples.map((example) =>
    tokenizer.decode(example.tokens.filter((_, at) => learned(example)[at] !== MASKED))
  )
  for (const [index, { completion }] of rows.entries()) {
    assert(trained[index].includes(completion.trim()), trained[index])
  }
  const [note] = notes.filter((note) => note.includes("ends in other tokens"))
  assert(/^rows: \d of 3 texts have a prompt .*\(rows? [\d, ]+\)$/.test(note), note)
})

Deno.test("begin and end tokens that stand in the data are not doubled, and told of", () => {
  const { model, config } = files.metaspace_first
  const tokenizer = tokenizerOf(model, config)
  const [begin, end] = [tokenizer.bosId!, tokenizer.eosId!]
  const count = (tokens: Int32Array, id: number) => tokens.filter((own) => own === id).length
  const texts = [
    "<s>the tree</s>",
    "the tree</s>",
    "<s>the tree",
    "the tree",
    "the tree</s>\n",
    "the tree </s> old </s> ",
  ]
  const data = fromRows(texts.map((t) => ({ t })), { text: "t" })
  const { examples, notes } = withNotes(data, tokenizer, { maxLength: 64 })
  assertEquals(examples.map(({ tokens }) => [count(tokens, begin), count(tokens, end)]), [
    [1, 1],
    [1, 1],
    [1, 1],
    [1, 1],
    [1, 1],
    [1, 2],
  ])
  for (const { tokens } of examples) assertEquals(tokens[0], begin)
  assertEquals(notes, [
    "rows: 2 of 6 texts begin with <s> themselves, which is not doubled (rows 1, 3)",
    "rows: 4 of 6 texts end in </s> themselves, which is not doubled (rows 1, 2, 5, 6)",
    "rows: 1 of 6 texts spell special tokens (</s>), which are read as such (row 6)",
  ])
  // Blocks are cut from the same texts, one after the other.
  const blocks = encodeBlocks(data, tokenizer, { blockLength: 512 })
  assertEquals([...blocks.examples[0].tokens], examples.flatMap(({ tokens }) => [...tokens]))
  assertEquals(notesOf(data, blocks, tokenizer), notes)
  const cut = encode(data, tokenizer, { maxLength: 3 }).examples[0]
  assertEquals([cut.tokens.length, cut.tokens[0], count(cut.tokens, end)], [3, begin, 0])
})

Deno.test("an end token that the tokenizer puts behind each text is there once, and not where a text was cut", () => {
  const { model, config } = files.unigram
  const tokenizer = tokenizerOf(model, config)
  const end = tokenizer.eosId!
  const [whole, written] = encode(
    pairs([{ prompt: "tree", completion: " yes" }, {
      prompt: "tree",
      completion: " yes</s>",
    }]),
    tokenizer,
    { maxLength: 64 },
  ).examples
  assertEquals([...whole.tokens], [...tokenizer.encode("tree yes")])
  assertEquals(written.tokens, whole.tokens)
  assertEquals(learned(whole).at(-1), end)
  const cut = encode(pairs([{ prompt: "tree", completion: " yes no yes" }]), tokenizer, { maxLength: 4 }).examples[0]
  assertEquals([cut.tokens.length, cut.tokens.includes(end)], [4, false])
})

Deno.test("[CLS] and [SEP] in the data stand once, for texts, hidden tokens and words; a spelled token is never hidden", () => {
  const { model, config } = files.wordpiece
  const tokenizer = tokenizerOf(model, config)
  const text = "[CLS] the tree [SEP]"
  const plain = [...tokenizer.encode("the tree")]
  const labeled = fromRows([{ t: text, l: "a" }, { t: "the tree", l: "b" }], { text: "t", label: "l" })
  assertEquals(encode(labeled, tokenizer, { maxLength: 64 }).examples.map(({ tokens }) => [...tokens]), [plain, plain])
  const cut = encode(labeled, tokenizer, { maxLength: 3 }).examples
  for (const { tokens } of cut) assertEquals([...tokens], [plain[0], plain[1], plain.at(-1)])
  const hidden = withNotes(fromRows([{ t: "the [MASK] tree [SEP]" }], { text: "t" }), tokenizer, {
    maxLength: 64,
    masked: true,
  })
  const mask = tokenizer.id("[MASK]")!
  const [{ tokens, fields }] = hidden.examples
  assert(tokens.includes(mask) && !Array.from(fields.labels).includes(mask))
  assertEquals(hidden.notes, [
    "rows: 1 of 1 texts end in [SEP] themselves, which is not doubled (row 1)",
    "rows: 1 of 1 texts spell special tokens ([MASK]), which are read as such (row 1)",
  ])
  const words = fromRows([{ w: ["[CLS]", "the", "tree", "[SEP]"], t: ["x", "y", "x", "x"] }], { words: "w", tags: "t" })
  const [tagged] = encode(words, tokenizer, { maxLength: 64 }).examples
  assertEquals([...tagged.tokens], plain)
  assertEquals(Array.from(tagged.fields.labels).filter((id) => id !== MASKED), [1, 0])
})

Deno.test("end tokens that stay where another follows, or where none belongs, are told as special tokens in the text", () => {
  const { model, config } = files.wordpiece
  const framed = tokenizerOf(model, config)
  const bytes = tokenizerOf(files.byte_level.model, files.byte_level.config)
  const told = (text: string, tokenizer: Tokenizer, labelled: boolean) => {
    const rows = [{ t: text, l: "a" }, { t: "the tree", l: "b" }]
    const data = fromRows(rows, labelled ? { text: "t", label: "l" } : { text: "t" })
    return withNotes(data, tokenizer, { maxLength: 64 }).notes.filter((note) => note.includes("spell special tokens"))
  }
  const note = (token: string) => [`rows: 1 of 2 texts spell special tokens (${token}), which are read as such (row 1)`]
  assertEquals(told("the tree [SEP] [SEP]", framed, true), note("[SEP]"))
  assertEquals(told("the tree [SEP]", framed, true), [])
  assertEquals(told("the tree</s>", bytes, true), note("</s>"))
  assertEquals(told("the tree</s></s>", bytes, false), note("</s>"))
  assertEquals(told("the tree</s>", bytes, false), [])
})

Deno.test("without an end token a person is told, unless the data has one", () => {
  const { model, config: { eos_token: _, ...config } } = files.byte_level
  const tokenizer = tokenizerOf(model, config)
  const told = (rows: ReadonlyArray<string>) =>
    withNotes(fromRows(rows.map((t) => ({ t })), { text: "t" }), tokenizer, { maxLength: 64 }).notes
      .filter((note) => note.includes("no end token"))
  assertEquals(told(["the tree", "old tree</s>", "a wall"]), [
    "rows: 2 of 3 texts have no end token, since the tokenizer names none, so the model does not learn where to stop; " +
    "name one (eos_token in tokenizer_config.json), or write it into the data (rows 1, 3)",
  ])
  assertEquals(told(["the tree</s>"]), [])
  const rows = [{ prompt: "the", completion: " tree" }]
  assert(withNotes(pairs(rows), tokenizer, { maxLength: 64 }).notes[0].includes("no end token"))
  const classified = fromRows([{ t: "a", l: 0 }, { t: "b", l: 1 }], { text: "t", label: "l" })
  assertEquals(withNotes(classified, tokenizer, { maxLength: 64 }).notes, [])
})
