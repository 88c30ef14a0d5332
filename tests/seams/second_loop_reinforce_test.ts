/**
 * A second training loop on the session: REINFORCE (Williams 1992). The policy (LoRA) writes texts with the slots that it
 * trains, a reward judges each text as a whole, and a step makes what was better than the mean likelier.
 * @module
 */
import { assert } from "@std/assert"
import { Espalier, Model, type Objective, ops, Task, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { config, tokenizer } from "./language_model.ts"

const ROWS = 32, TOKENS = 4, STEPS = 18

/** Beside the label of each token, the logarithm of the probability that it was drawn with, and its advantage. */
const task = {
  ...Task.causalLM(),
  fields: {
    labels: { per: "token", dtype: "i32", fill: -100 },
    drawn: { per: "token", dtype: "f32", fill: 0 },
    advantage: { per: "token", dtype: "f32", fill: 0 },
  },
} as const

/** Probability of each label while training over that while drawing. Its derivative at 1 is REINFORCE's. */
const ratioOf = ({ batch: { fields }, outputs }: Parameters<Objective>[0]) =>
  ops.exp(ops.neg(ops.add(ops.crossEntropy(outputs.logits, fields.labels), fields.drawn)))
const tokensOf = ({ batch: { fields } }: Parameters<Objective>[0]) => ops.sum(ops.less(-1, fields.labels), [1])

const reinforce: Objective = (context) => ({
  loss: ops.neg(ops.sum(ops.mul(ratioOf(context), context.batch.fields.advantage), [1])),
  weight: tokensOf(context),
})
/** Mean square of what ratios differ from 1. */
const difference: Objective = (context) => {
  const off = ops.sub(ratioOf(context), 1)
  const unmasked = ops.less(-1, context.batch.fields.labels)
  return { loss: ops.sum(ops.mul(ops.mul(off, off), unmasked), [1]), weight: tokensOf(context) }
}

/** Share of a text's characters that are small letters. */
const reward = (text: string): number =>
  [...text].filter((letter) => letter >= "a" && letter <= "z").length / text.length

const prompts = Array.from({ length: ROWS }, (_, i) => tokenizer.encode(["sun moon", "bread", "star sky"][i % 3]))

/** Draws a text for each prompt. */
const rollout = ({ insert, next }: Model.Engine, seed: number) =>
  Effect.promise(async () => {
    const options = { maxNewTokens: TOKENS, temperature: 1, seed, logProbabilities: true }
    const made = new Map(
      prompts.map((prompt, stream) => [insert(prompt, { ...options, stream }), [] as Array<Model.NewToken>]),
    )
    for (let step = await next(); step.size > 0; step = await next()) {
      step.forEach((token, id) => made.get(id)!.push(token))
    }
    return [...made.values()]
  })

/** What is learned from texts: each token weighs as much as its text is better than the mean. */
const batchOf = (texts: ReadonlyArray<ReadonlyArray<Model.NewToken>>) => {
  const rewards = texts.map((text) => reward(tokenizer.decode(text.map(({ token }) => token))))
  const mean = rewards.reduce((sum, own) => sum + own) / ROWS
  const examples = texts.map((text, row): Trainer.Example => {
    const before = prompts[row].length - 1
    const along = (first: number, of: (token: Model.NewToken) => number, last: number) => [
      ...new Array(before).fill(first),
      ...text.map(of),
      last,
    ]
    const fields = {
      labels: Int32Array.from(along(-100, ({ token }) => token, -100)),
      drawn: Float32Array.from(along(0, ({ logProbability }) => logProbability!, 0)),
      advantage: Float32Array.from(along(0, () => rewards[row] - mean, 0)),
    }
    return { tokens: Int32Array.from([...prompts[row], ...text.map(({ token }) => token)]), fields, index: row, row }
  })
  const rows = Int32Array.from(examples.keys())
  const length = Math.max(...examples.map(({ tokens }) => tokens.length))
  return { mean, batch: Trainer.collate(examples, { task: "default", rows, length }, task) }
}

const loop = Effect.gen(function* () {
  const model = yield* Model.initialize({ ...config, tie_word_embeddings: false }, { task, seed: 3 })
  const engine = yield* Model.engine(model, { rows: ROWS })
  const session = yield* Trainer.session(model, { objective: reinforce })
  const before = yield* Trainer.session(model, { objective: difference })
  const losses = (of: Trainer.Session, batch: Trainer.Batch, rate: number) =>
    Effect.promise(async () => [...await of.post({ batches: [batch] }, rate), ...await of.drain()])
  const rewards: Array<number> = []
  let off = Infinity
  for (let step = 0; step < STEPS; step++) {
    const { mean, batch } = batchOf(yield* rollout(engine, step))
    rewards.push(mean)
    if (step === 0) off = Math.sqrt((yield* losses(before, batch, 0))[0].loss)
    yield* losses(session, batch, 0.05)
  }
  return { off, rewards }
})

Deno.test("REINFORCE on the session: what is drawn and what trains are one policy, and rewards rise", async () => {
  const layers = Layer.mergeAll(Llama.layer, Lora.layer({ r: 4, targetModules: ["down_proj", "lm_head"] })).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  const { off, rewards } = await Effect.runPromise(Effect.scoped(loop).pipe(Effect.provide(layers)))
  // From the mean of the squares: no single ratio is further away.
  const most = off * Math.sqrt(ROWS * TOKENS)
  assert(most < 1e-5, `a ratio differs from 1 by up to ${most}`)
  const mean = (from: number) => rewards.slice(from, from + 3).reduce((sum, own) => sum + own) / 3
  assert(mean(STEPS - 3) > 2 * mean(0), `${rewards}`)
})
