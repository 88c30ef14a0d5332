import { assertEquals, assertStringIncludes } from "@std/assert"
import { type Contribution, PluginError, type RunInfo, Trainer } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { languageModel, run, train } from "./language_model.ts"

const options = { maxSteps: 4, batchSize: 3, gradientAccumulationSteps: 2, seed: 7 }

Deno.test("a plugin knows the run before it starts, and says something of it", async () => {
  const runs: Array<RunInfo> = []
  const counting: Contribution = {
    id: "counting/default",
    prepare: (run) => {
      runs.push(run)
      return {
        id: "counting/default",
        messages: [{ type: "message", level: "info", text: `${run.examplesPerStep} of ${run.plan!.rows.default}` }],
        figures: (step) => ({ seen: step * run.examplesPerStep! }),
      }
    },
  }
  const { events } = await train(counting, options)
  assertEquals(runs.length, 1)
  const [{ seed, examplesPerStep, plan, contributions }] = runs
  const { validation, ...known } = plan!
  assertEquals([seed, examplesPerStep, validation()], [7, 6, { rows: 0, ofTraining: 0 }])
  assertEquals(known, {
    rows: { default: 24 },
    batchSize: 3,
    epochs: 3,
    maxSteps: 4,
    packing: false,
    streamed: false,
    retained: [],
  })
  assertEquals(contributions.map(({ id }) => id), ["counting/default", "lora/default"])
  assertEquals(
    events.flatMap((event) => event.type === "step" ? [event.figures] : []),
    [6, 12, 18, 24].map((seen) => ({ seen })),
  )
  assertEquals(events.filter((event) => event.type === "message" && event.text === "6 of 24").length, 1)
})

Deno.test("a plugin may refuse a run, also one without a plan", async () => {
  const refusing: Contribution = {
    id: "refusing/default",
    prepare: ({ plan }) => {
      throw new PluginError({ plugin: "refusing/default", message: plan === undefined ? "no plan" : "a plan" })
    },
  }
  const failed = await train(refusing, options).catch((error) => error)
  assertEquals([failed._tag, failed.reason], ["TrainingError", "Options"])
  assertStringIncludes(failed.message, "a plan")
  const program = Effect.flatMap(languageModel, (model) => Trainer.session(model))
  assertStringIncludes(`${await run(program, refusing).catch((error) => error)}`, "no plan")
})
