import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { Ajv2020 } from "ajv/dist/2020.js"
import addFormats from "ajv-formats"
import * as Effect from "effect/Effect"
import type { Grammar, GrammarError } from "../../../../core/inference/text/mod.ts"
import { choice, jsonSchema, tokenBytes } from "../../../../core/inference/text/mod.ts"
import type { Tokenizer } from "../../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../../core/data/tokenizer/tokenizer_of.ts"
import { makeRng } from "../../../../core/tensor/operations/random.ts"

const directory = new URL("../../../../examples/models/espalier-1m/", import.meta.url).pathname
const json = (name: string) => JSON.parse(Deno.readTextFileSync(directory + name))
/** Bytes, as most language models have them. */
const byteLevel = tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json"))

/** Pieces with a mark for a space, and bytes for what has no piece. */
const pieces: Tokenizer = (() => {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)
  const words = [
    "▁",
    "▁a",
    "a",
    "b",
    "1",
    "12",
    "true",
    '"',
    '{"',
    '":',
    '"}',
    "é",
    "▁日",
    ",",
    '▁"',
    "]}",
    "name",
    "-",
    "0.",
  ]
  const vocab = Object.fromEntries(["<unk>", "</s>", ...bytes, ...words].map((token, id) => [token, id]))
  const special = (content: string, id: number) => ({
    ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  })
  return tokenizerOf({
    version: "1.0",
    added_tokens: [special("<unk>", 0), special("</s>", 1)],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: { type: "BPE", vocab, merges: [], unk_token: "<unk>", fuse_unk: true, byte_fallback: true },
  }, { tokenizer_class: "LlamaTokenizer", eos_token: "</s>", clean_up_tokenization_spaces: true })
})()

const held = (tokenizer: Tokenizer, schema: object | boolean) => Effect.runSync(jsonSchema(tokenizer, schema))

/** A text of a grammar, each token drawn from those that may come: of the closing ones more often, that texts end. */
function drawn(grammar: Grammar, tokenizer: Tokenizer, seed: number, most = 400): string | undefined {
  const { float } = makeRng(seed, 0)
  const { restrict, complete, bytes } = grammar.constraint()
  const made: Array<number> = []
  const all: Array<number> = []
  const text = () => new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(all))
  while (made.length < most) {
    const logits = new Float32Array(tokenizer.vocabSize)
    restrict(logits, made)
    const allowed = [...logits.keys()].filter((id) => logits[id] > -Infinity)
    assert(allowed.length > 0, `a dead end after ${all}`)
    const closing = allowed.filter((id) =>
      id === tokenizer.eosId || [...bytes!(id)].some((byte) => [34, 93, 125].includes(byte))
    )
    const from = closing.length > 0 && float() < 0.3 ? closing : allowed
    const token = from[Math.floor(float() * from.length)]
    made.push(token)
    all.push(...bytes!(token))
    if (complete!(made)) return text()
  }
}

const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name"],
}
const tree = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      type: "object",
      properties: {
        value: { type: "integer", minimum: 0, maximum: 9 },
        children: { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 2 },
      },
      required: ["value"],
      additionalProperties: false,
    },
  },
}

const SCHEMAS: ReadonlyArray<object | boolean> = [
  true,
  {},
  { type: "null" },
  { type: "boolean" },
  { type: ["integer", "null"] },
  { type: "integer", minimum: -17, maximum: 2048 },
  { type: "integer", exclusiveMinimum: 99, multipleOf: 7 },
  { type: "integer", maximum: -1000 },
  { type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 },
  { type: "number" },
  { type: "number", minimum: 0, maximum: 1 },
  { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1e-7 },
  { type: "number", exclusiveMinimum: -0.25, maximum: 0.125 },
  { type: "number", minimum: 123456789012.5 },
  { type: "number", multipleOf: 0.5, minimum: -3, maximum: 3 },
  { type: "string" },
  { type: "string", minLength: 3, maxLength: 6 },
  { type: "string", maxLength: 0 },
  { type: "string", pattern: "^[A-Z][a-z]{2,5}( [0-9]+)?$" },
  { type: "string", pattern: "é|\\d{3}" },
  { type: "string", pattern: '^(a|b\\\\|")*x$' },
  { type: "string", pattern: "^[^a-z\\s]{1,4}$", minLength: 1 },
  { type: "string", pattern: "^\\u00e9.\\x41?$" },
  ...["date", "time", "date-time", "uuid", "ipv4", "email"].map((format) => ({ type: "string", format })),
  { enum: ["a", 1, null, { b: [true] }, "日本\n"] },
  { const: { deep: ["é", -0.5] } },
  { type: "string", enum: ["x", 1, "y"] },
  { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 4 },
  { type: "array", maxItems: 0 },
  { type: "array", prefixItems: [{ type: "integer" }, { const: "two" }], items: false },
  { type: "array", prefixItems: [{ const: 1 }, { const: 2 }, { const: 3 }], items: { const: "more" }, minItems: 2 },
  { type: "array", items: { type: "array", items: { enum: [1, 2] }, maxItems: 3 }, maxItems: 3 },
  person,
  { ...person, additionalProperties: false },
  { ...person, additionalProperties: { type: "boolean" } },
  { type: "object", additionalProperties: { type: "integer" }, required: ["total"] },
  {
    type: "object",
    properties: { a: { const: 1 }, ab: { const: 2 }, "": { const: 3 } },
    additionalProperties: { type: "null" },
  },
  { type: "object", properties: { a: {}, b: {}, c: {} }, required: ["b"] },
  { properties: { 'quo"te\n': { type: "integer" } }, required: ['quo"te\n'] },
  { anyOf: [{ type: "string", maxLength: 2 }, { type: "integer" }, person] },
  {
    type: "object",
    properties: { k: { type: "string" } },
    anyOf: [{ required: ["k"] }, { required: ["l"], properties: { l: { const: 1 } } }],
  },
  { oneOf: [{ type: "string" }, { type: "number" }] },
  {
    oneOf: ["cat", "dog"].map((kind) => ({
      type: "object",
      properties: { kind: { const: kind }, [kind]: { type: "boolean" } },
      required: ["kind", kind],
    })),
  },
  { type: "string", allOf: [{ minLength: 2 }, { maxLength: 4 }, { minLength: 3 }] },
  { allOf: [person, { required: ["age"], properties: { age: { minimum: 3, maximum: 5 } } }] },
  tree,
  {
    $ref: "#/definitions/a~1b",
    definitions: { "a/b": { anyOf: [{ const: 0 }, { type: "array", items: { $ref: "#" }, maxItems: 2 }] } },
  },
  {
    type: "object",
    properties: { list: { anyOf: [{ type: "null" }, { $ref: "#" }] } },
    required: ["list"],
    additionalProperties: false,
  },
]

const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)

for (const [name, tokenizer, seeds] of [["bytes", byteLevel, 10], ["pieces", pieces, 36]] as const) {
  Deno.test(`whatever is drawn of ${name} under a schema parses, and is valid`, () => {
    let whole = 0
    for (const schema of SCHEMAS) {
      const grammar = held(tokenizer, schema)
      const validate = ajv.compile(schema)
      let own = 0
      for (let seed = 0; seed < seeds; seed++) {
        const text = drawn(grammar, tokenizer, seed)
        if (text === undefined) continue
        own++
        assert(validate(JSON.parse(text)), `${text} is not valid by ${JSON.stringify(schema)}`)
      }
      assert(own > 0, `no text of ${JSON.stringify(schema)} came to an end`)
      whole += own
    }
    assert(whole > 0.8 * SCHEMAS.length * seeds, `${whole}`)
  })
}

const refusal = (schema: unknown): GrammarError => Effect.runSync(Effect.flip(jsonSchema(byteLevel, schema as object)))

Deno.test("what output cannot be held to is an error that names the keyword", () => {
  const object = { type: "object" }
  for (
    const [schema, keyword, message] of [
      [{ not: {} }, "not", '#: the keyword "not" is not supported'],
      [{ ...object, patternProperties: {} }, "patternProperties", "patternProperties"],
      [
        { ...object, properties: { a: { ...object, minProperties: 1 } } },
        "minProperties",
        "#/properties/a: the keyword",
      ],
      [{ type: "array", uniqueItems: true }, "uniqueItems", "uniqueItems"],
      [{ type: "array", contains: {} }, "contains", "contains"],
      [{ type: "string", format: "uri" }, "format", 'knows date, time, date-time, uuid, ipv4, email; got "uri"'],
      [{ type: "string", pattern: "(?=a)b" }, "pattern", "(?"],
      [{ type: "string", pattern: "(a)\\1" }, "pattern", "\\1"],
      [{ type: "string", pattern: "\\p{L}" }, "pattern", "\\p"],
      [{ type: "string", pattern: "a+", maxLength: 3 }, "maxLength", "say the length in the pattern"],
      [{ $ref: "other.json" }, "$ref", "must point into the same schema"],
      [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "oneOf", "use anyOf"],
      [{ allOf: [{ pattern: "a" }, { pattern: "b" }] }, "allOf", 'two values of "pattern"'],
      [{ enum: ["a"], minLength: 3 }, "minLength", 'beside "enum"'],
    ] as const
  ) {
    const error = refusal(schema)
    assertEquals([error.reason, error.keyword], ["Keyword", keyword], error.message)
    assertStringIncludes(error.message, message)
  }
  for (
    const schema of [{ type: "text" }, { minLength: "3" }, { items: [] }, { $ref: "#/$defs/none" }, null, {
      $ref: "#",
      minimum: 1,
    }]
  ) {
    assertEquals(refusal(schema).reason, "Schema", JSON.stringify(schema))
  }
})

Deno.test("a schema that no text meets is an error, also for what the tokenizer cannot write", () => {
  for (
    const schema of [
      false,
      { type: "integer", minimum: 3, maximum: 2 },
      { type: "integer", minimum: 1, maximum: 4, multipleOf: 5 },
      { type: "string", minLength: 2, maxLength: 1 },
      { type: "string", enum: [1, 2] },
      { type: "array", items: false, minItems: 1 },
      { type: "object", properties: { a: false }, required: ["a"] },
      { type: "object", required: ["a"], additionalProperties: false },
      { type: "object", properties: { self: { $ref: "#" } }, required: ["self"] },
      { allOf: [{ type: "string" }, { type: "null" }] },
    ]
  ) {
    assertEquals(refusal(schema).reason, "Unmeetable", JSON.stringify(schema))
  }
  const letters: Tokenizer = {
    ...byteLevel,
    vocabSize: 3,
    token: (id) => "abc"[id],
    id: () => undefined,
    decode: (ids) => Array.from(ids, (id) => "abc"[id]).join(""),
  }
  const error = Effect.runSync(Effect.flip(jsonSchema(letters, { type: "null" })))
  assertStringIncludes(error.message, "the tokenizer has no tokens for the characters of the schema")
  // What cannot end is left out where there is something else.
  assertEquals(drawn(held(byteLevel, { anyOf: [{ $ref: "#" }, { const: "end" }] }), byteLevel, 0), '"end"')
})

Deno.test("a choice is one of its texts, also where one begins another", () => {
  const texts = ["a", "ab", "abc d", "é\n"]
  for (const tokenizer of [byteLevel, pieces]) {
    const grammar = Effect.runSync(choice(tokenizer, texts))
    const made = new Set(Array.from({ length: 60 }, (_, seed) => drawn(grammar, tokenizer, seed)))
    assertEquals([...made].sort(), [...texts].sort())
    // Without an end token the first text that is whole ends the row.
    const short = Effect.runSync(choice(tokenizer, texts, { stop: [] }))
    assert(!Array.from({ length: 30 }, (_, seed) => drawn(short, tokenizer, seed)).includes(undefined))
  }
  for (const wrong of [[], [""], "a"]) {
    assertEquals(Effect.runSync(Effect.flip(choice(byteLevel, wrong as Array<string>))).reason, "Schema")
  }
})

Deno.test("the bytes of tokens are those of the text that they are decoded to", () => {
  const text = 'Once "upon" a  time,\nçé 日本 {x: 1} 😀'
  for (const tokenizer of [byteLevel, pieces]) {
    const bytes = tokenBytes(tokenizer)
    const all = [...tokenizer.encode(text)].flatMap((id) => [...bytes[id]!])
    assertEquals(new TextDecoder().decode(Uint8Array.from(all)).trimStart(), text)
    assertEquals(bytes[tokenizer.eosId!], undefined)
  }
})
