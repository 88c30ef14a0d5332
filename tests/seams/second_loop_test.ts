/**
 * A second training loop on the session: on-policy distillation (Agarwal et al. 2024). The student (LoRA) generates with
 * the slots that it trains; the teacher (the same model with its methods off) says what it would have given.
 * @module
 */
import { assert } from "@std/assert"
import { Model, type Objective, ops, Trainer } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { languageModel, run, tokenizer } from "./language_model.ts"

/** Kullback-Leibler divergence of the student from the teacher at each unmasked token. */
const imitate: Objective = ({ batch, outputs, base }) => {
  const [teacher, student] = [base(), outputs].map(({ logits }) => ops.softmax(logits))
  const each = ops.sum(ops.mul(teacher, ops.sub(ops.log(teacher), ops.log(student))), [2])
  const unmasked = ops.less(-1, batch.fields.labels)
  return { loss: ops.sum(ops.mul(each, unmasked), [1]), weight: ops.sum(unmasked, [1]) }
}

const prompts = ["sun moon", "bread", "star sky moon"].map((text) => tokenizer.encode(text))

/** A text whose tokens after the prompt are learned. */
const example = (prompt: Int32Array, generated: Int32Array, row: number): Trainer.Example => {
  const tokens = Int32Array.from([...prompt, ...generated])
  const labels = tokens.map((_, at) => at + 1 < prompt.length ? -100 : tokens[at + 1] ?? -100)
  return { tokens, fields: { labels }, index: row - 1, row }
}

Deno.test("a loop of its own on the session: what the student generates is learned from at once", async () => {
  const { losses, again } = await run(Effect.gen(function* () {
    const model = yield* languageModel
    const session = yield* Trainer.session(model, { objective: imitate, seed: 7 })
    const losses: Array<number> = []
    const rollout = Effect.forEach(
      prompts,
      (prompt, row) =>
        Effect.map(Model.generate(model, prompt, { maxNewTokens: 6 }), (made) => example(prompt, made, row + 1)),
    )
    const step = Effect.gen(function* () {
      const examples = yield* rollout
      const rows = Int32Array.from(examples.keys())
      const length = Math.max(...examples.map(({ tokens }) => tokens.length))
      const batches = [Trainer.collate(examples, { task: "default", rows, length }, model.task)]
      yield* Effect.promise(() => session.post({ batches }, 0.02))
      losses.push(...(yield* Effect.promise(session.drain)).map(({ loss }) => loss))
    })
    for (let i = 0; i < 8; i++) yield* step
    const before = yield* Effect.promise(session.snapshot)
    yield* step
    yield* Effect.promise(() => session.restore(before))
    yield* step
    return { losses: losses.slice(0, 8), again: losses.slice(8) }
  }))
  assert(losses.every(Number.isFinite) && losses[7] < 0.5 * losses[0], `${losses}`)
  assert(again[0] === again[1], `after going back the same step gives another loss: ${again}`)
})
