import { assert, assertEquals } from "@std/assert"
import type { Answer } from "./espalier_mutations.ts"
import { judgeMutation } from "./judge_mutations.ts"
import { type Files, mutate, type Mutation, mutations } from "./mutations.ts"

const files: Files = {
  "config.json": { model_type: "llama", rope_theta: 500, rope_scaling: { type: "linear", factor: 2 } },
  "tokenizer.json": { added_tokens: [{ id: 0, content: "<s>", special: true }], normalizer: null },
  "tokenizer_config.json": { bos_token: "<s>" },
}
const change = (more: Partial<Mutation>): Mutation => ({
  base: "4/llama",
  file: "config.json",
  kind: "drop",
  path: ["rope_theta"],
  ...more,
})

Deno.test("a change drops, renames, adds or nulls one field and leaves the rest in place", () => {
  const config = (more: Partial<Mutation>) => mutate(files, change(more))["config.json"]
  assertEquals(Object.keys(config({}) as object), ["model_type", "rope_scaling"])
  assertEquals(Object.keys(config({ kind: "rename", to: "theta" }) as object), ["model_type", "theta", "rope_scaling"])
  assertEquals(config({ kind: "null", path: ["rope_scaling", "factor"], value: null }), {
    model_type: "llama",
    rope_theta: 500,
    rope_scaling: { type: "linear", factor: null },
  })
  const set = change({ file: "tokenizer.json", kind: "set", path: ["added_tokens", "0", "special"], value: false })
  assertEquals(mutate(files, set)["tokenizer.json"], {
    added_tokens: [{ id: 0, content: "<s>", special: false }],
    normalizer: null,
  })
  const file = change({ file: "added_tokens.json", kind: "file", path: ["eos_token"], value: {} })
  assertEquals(mutate(files, file)["added_tokens.json"], {})
})

Deno.test("a seed gives the same changes every time, each once, and each changes something", () => {
  const list = mutations(new Map([["4/llama", files]]), 120, 5)
  assertEquals(mutations(new Map([["4/llama", files]]), 120, 5), list)
  assertEquals(new Set(list.map((one) => JSON.stringify(one))).size, 120)
  assert(list.every((one) => JSON.stringify(mutate(files, one)) !== JSON.stringify(files)))
})

const logits = (value: number, notes: ReadonlyArray<string> = []): Answer => ({
  model: { width: 1, every: 1, outputs: [value], sums: [value], notes },
})
const tokens = (ids: Array<number>, notes: ReadonlyArray<string> = []): Answer => ({
  tokenizer: { texts: [[ids, ids, "", ""]], special: { eos: 2 }, notes },
})
const refused = (error: string): Answer => ({ model: { error } })
const verdict = (ours: Answer, theirs: ReadonlyArray<Answer>, more: Partial<Mutation> = {}): string =>
  judgeMutation(change(more), ours, theirs).map((part) => part.verdict).join()

Deno.test("logits are those of the newest version that reads the files, or a note or an error names the field", () => {
  assertEquals(verdict(logits(1), [logits(1), logits(1.00001)]), "equal")
  assertEquals(verdict(logits(1), [logits(2), logits(1)]), "equal")
  assertEquals(verdict(logits(1), [logits(1), logits(2)]), "SILENT")
  assertEquals(verdict(logits(1), [logits(1), refused("no")]), "equal")
  assertEquals(verdict(logits(1), [logits(2), refused("no")], { base: "5/llama" }), "we read, they refuse")
  assertEquals(verdict(logits(1, ['"rope_theta" is not there']), [logits(2), logits(2)]), "note names the field")
  assertEquals(verdict(logits(1, ['"rope_thetas" is not known']), [logits(2), logits(2)]), "SILENT")
  assertEquals(verdict(refused("JsonError: rope_theta is missing"), [logits(1), logits(1)]), "error names the field")
  assertEquals(verdict(refused("JsonError: no"), [refused("no"), refused("no")]), "all refuse")
  assertEquals(verdict(refused("JsonError: no"), [logits(1), refused("no")]), "other error")
  assertEquals(verdict(refused("UNTYPED TypeError: rope_theta"), [logits(1), logits(1)]), "UNTYPED")
})

Deno.test("ids are those of one version, and a note tells where the other has others", () => {
  const more: Partial<Mutation> = { file: "tokenizer.json", path: ["normalizer"] }
  assertEquals(verdict(tokens([1]), [tokens([1]), tokens([1])], more), "equal")
  assertEquals(verdict(tokens([1]), [tokens([1]), tokens([2])], more), "they differ, NOT TOLD")
  assertEquals(
    verdict(tokens([1], ["transformers 5 cuts otherwise"]), [tokens([1]), tokens([2])], more),
    "they differ, told",
  )
  assertEquals(verdict(tokens([3], ["transformers 5 cuts otherwise"]), [tokens([1]), tokens([2])], more), "SILENT")
  assertEquals(verdict(tokens([3], ["no normalizer"]), [tokens([1]), tokens([2])], more), "note names the field")
})
