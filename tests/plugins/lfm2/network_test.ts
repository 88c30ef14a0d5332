import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { generate, load } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { expectedOf, keysBefore, logitsOff, rowsBefore } from "../../support/expected_logits.ts"
import { fixture, run } from "../../support/model_layer.ts"

const task = Task.causalLM()
/** Those of make.py; some are shorter than what a convolution sees. */
const PROMPTS = [[3, 17, 8, 21], [5], [30, 2], [30, 2, 9, 9, 4, 11, 7]]
const NAMES = ["lfm2/plain", "lfm2/own"]

Deno.test("lfm2: short convolutions, norms of heads, widths of the feed-forward as in transformers", async () => {
  for (const name of NAMES) {
    const { error, model } = await logitsOff({ name, task })
    assert(error < 1e-5, `${name}: logits are off by ${error}`)
    assertEquals(model.parameters.some(({ key }) => key === "lm_head.weight"), name === "lfm2/own")
    assertEquals(model.parameters.some(({ key }) => key.endsWith("conv.conv.bias")), name === "lfm2/own")
  }
})

Deno.test("lfm2: rows before the tokens go through convolutions, keys and values reach attention alone, as in transformers", async () => {
  for (const name of NAMES) {
    const { keyValues, rows } = expectedOf(name)
    const prefixed = keysBefore(keyValues, [`model.layers.${name === "lfm2/plain" ? 1 : 0}.self_attn`])
    for (
      const own of [
        { contribution: prefixed, logits: keyValues.logits, rows: 1 },
        { contribution: rowsBefore(rows), logits: rows.logits },
      ]
    ) {
      const { error } = await logitsOff({ name, task, ...own })
      assert(error < 1e-5, `${name}, ${own.contribution.id}: logits are off by ${error}`)
    }
  }
})

Deno.test("lfm2: a search with beams takes states along, and finds transformers' texts", async () => {
  for (const name of NAMES) {
    const made = await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(name), { task })
        const prompts = PROMPTS.map((ids) => Int32Array.from(ids))
        return yield* generate(model, prompts, { numBeams: 3, maxNewTokens: 8, stop: [] })
      }),
    )
    assertEquals(made.map((ids) => [...ids]), expectedOf(name).beams)
  }
})

Deno.test("lfm2: greedy tokens of prompts of different lengths, made together, are transformers'", async () => {
  for (const name of NAMES) {
    const made = await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(name), { task })
        return yield* generate(model, PROMPTS.map((ids) => Int32Array.from(ids)), { maxNewTokens: 12 })
      }),
    )
    assertEquals(made.map((ids) => [...ids]), expectedOf(name).greedy)
  }
})
