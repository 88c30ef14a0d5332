/**
 * Fine-tunes a model without Effect, and asks it: a program for Node and Deno. Ctrl-C stops it; started again with
 * `--resume`, it goes on.
 *
 * ```sh
 * deno run -P examples/promise.ts
 * ```
 *
 * @module
 */
import process from "node:process"
import { fineTune } from "@espalier/espalier/promise"

const controller = new AbortController()
process.once("SIGINT", () => controller.abort(new Error("stopped: start again with --resume")))

try {
  const tuned = await fineTune({
    model: { path: "examples/models/espalier-1m" },
    data: { path: "examples/data/sms_spam.tsv", text: "SMS", label: "Label", quotes: "none" },
    methods: [{ method: "lora", r: 8, loraAlpha: 16 }],
    training: { maxSteps: 60, learningRate: 3e-3, maxLength: 64 },
    output: "runs/promise",
  }, {
    signal: controller.signal,
    resume: process.argv.includes("--resume"),
    overwrite: !process.argv.includes("--resume"),
    progress: (event) => {
      if (event.type === "message") console.log(event.text)
      if (event.type === "step") console.log(`step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(4)}`)
    },
  })
  try {
    console.log("accuracy", tuned.before.accuracy, "to", tuned.after.accuracy)
    for (
      const { text, label } of await tuned.predict([
        "WINNER! Call 09061701461 to claim your free prize",
        "See you at eight",
      ])
    ) {
      console.log(`${label}: ${text}`)
    }
  } finally {
    await tuned.close()
  }
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
