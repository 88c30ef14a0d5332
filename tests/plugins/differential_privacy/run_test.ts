/**
 * Private runs as a whole: budget, noise, sampling, resuming, and what is refused.
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Contribution, Dataset } from "@espalier/espalier"
import { rdp } from "@espalier/espalier/differential-privacy"
import * as Layer from "effect/Layer"
import { inDirectory } from "../files.ts"
import { copy, data, failure, lora, messagesIn, privacy, registered, train } from "./support.ts"

const dp = { delta: 1e-3, accountant: "rdp" as const }
const both = (options: Parameters<typeof privacy>[0]) => Layer.mergeAll(lora, privacy(options))
const noisy = both({ ...dp, noiseMultiplier: 1 })
const options = { maxSteps: 9, batchSize: 4, saveEvery: 3 }
const steps = ({ events }: Awaited<ReturnType<typeof train>>) =>
  events.flatMap((event) => event.type === "step" ? event : [])

Deno.test("two private runs of one seed differ, and a resumed run is the same run", () =>
  inDirectory(async (folder) => {
    const whole = await train(noisy, { ...options, runFolder: `${folder}/run` }, {
      onEvent: (event) => {
        if (event.type === "checkpoint" && event.step === 3) copy(`${folder}/run`, `${folder}/copy`)
      },
    })
    const other = await train(noisy, options)
    assertNotEquals(other.weights, whole.weights)
    const resumed = await train(noisy, { ...options, runFolder: `${folder}/copy`, resume: true })
    assert(resumed.events.some((event) => event.type === "start" && event.resumedFrom === 3))
    assertEquals(resumed.weights, whole.weights)
    assertEquals(steps(resumed).map(({ loss }) => loss), steps(whole).slice(3).map(({ loss }) => loss))

    const state = JSON.parse(Deno.readTextFileSync(`${folder}/run/checkpoints/step-9/trainer_state.json`))
    const { key, steps: drawn, epsilon } = state.batches["differential_privacy/default"]
    assertEquals([key.length, drawn, epsilon], [8, 9, whole.run.figures!.epsilon])
    assertStringIncludes(state.secret, "do not publish")

    const change = async (changed: Parameters<typeof privacy>[0]) => {
      copy(`${folder}/run`, `${folder}/changed`)
      return await failure(both(changed), { ...options, runFolder: `${folder}/changed`, resume: true })
    }
    const given = { ...dp, noiseMultiplier: 1 }
    assertStringIncludes(await change({ ...given, noiseMultiplier: 2 }), "noiseMultiplier (was 1, is 2)")
    assertStringIncludes(await change({ ...given, delta: 1e-4 }), "delta (was 0.001, is 0.0001)")
    assertStringIncludes(await change({ ...given, targetEpsilon: 20 }), "targetEpsilon (was nothing, is 20)")
    const fewer = Dataset.fromRows(data.rows.slice(1).map(({ text }) => ({ text })), { text: "text" })
    copy(`${folder}/run`, `${folder}/fewer`)
    const resuming = { ...options, runFolder: `${folder}/fewer`, resume: true }
    assertStringIncludes(await failure(noisy, resuming, { splits: { train: fewer } }), "configuration differs")
  }))

Deno.test("the budget spent is in steps, summary and messages", async () => {
  const run = await train(noisy, options)
  const wanted = [1, 5, 9].map((steps) => rdp.epsilon([{ noiseMultiplier: 1, sampleRate: 4 / 24, steps }], 1e-3))
  const told = steps(run).map(({ figures }) => figures!.epsilon)
  assertEquals([told[0], told[4], told[8], run.run.figures!.epsilon], [...wanted, wanted[2]])
  assertStringIncludes(messagesIn(run), `epsilon ${wanted[2].toFixed(4)} at delta 0.001 (rdp) after 9 steps`)
  assertStringIncludes(messagesIn(run), "Losses of training rows")
})

Deno.test("the noise follows from the target, and a run stops before it overspends", async () => {
  const planned = await train(both({ ...dp, targetEpsilon: 3 }), { batchSize: 4, epochs: 2 })
  const spent = planned.run.figures!.epsilon
  assert(spent <= 3 && spent > 2.99, `spent ${spent}`)
  assertEquals(planned.run.steps, 12)

  const stopped = await train(both({ ...dp, noiseMultiplier: 1, targetEpsilon: 3.5 }), { ...options, maxSteps: 40 })
  const after = (steps: number) => rdp.epsilon([{ noiseMultiplier: 1, sampleRate: 4 / 24, steps }], 1e-3)
  const { steps: done } = stopped.run
  assert(done < 40 && after(done) <= 3.5 && after(done + 1) > 3.5, `${done} steps`)
  assertEquals(stopped.run.figures!.epsilon, after(done))
  assertStringIncludes(messagesIn(stopped), "40 were planned")
})

Deno.test("what breaks privacy is refused before training", async () => {
  const refused = async (what: string, ...of: Parameters<typeof train>) =>
    assertStringIncludes(await failure(...of), what)
  await refused(
    "delta must be below 1 / training rows = 0.0416",
    both({ ...dp, noiseMultiplier: 1, delta: 0.05 }),
    options,
  )
  await refused("a step of 32 examples needs as many training rows; there are 24", noisy, { ...options, batchSize: 32 })
  await refused("no noise gives epsilon 0.005", both({ delta: 1e-3, targetEpsilon: 0.005 }), options)
  await refused("the first step alone spends more", both({ ...dp, noiseMultiplier: 0.1, targetEpsilon: 1 }), options)
  await refused("targetEpsilon must be", privacy({ delta: 1e-3, targetEpsilon: 0 }), options)
  await refused("maxGradNorm must be", privacy({ delta: 1e-3, targetEpsilon: 1, maxGradNorm: 0 }), options)
  await refused("targetEpsilon must be given", privacy({ delta: 1e-3 }), options)
  await refused("leave out packing", noisy, { ...options, packing: true, maxLength: 16 })
  await refused("paddingFree is not possible", noisy, { ...options, paddingFree: true })
  await refused("hold out validation rows", noisy, options, { splits: { train: data, validation: data } })
  const orders: Contribution = { id: "curriculum/default", batches: (next) => next }
  await refused("curriculum/default changes the batches too", Layer.mergeAll(noisy, registered(orders)), options)
  const late: Contribution = { id: "z/default", gradients: { example: (gradients) => gradients } }
  await refused("z/default changes the gradients of examples after", Layer.mergeAll(noisy, registered(late)), options)
  const early: Contribution = { id: "a/default", gradients: { task: { update: (tasks, state) => [tasks, state] } } }
  await refused("a/default changes the gradients of tasks before", Layer.mergeAll(noisy, registered(early)), options)
})
