import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { classificationMetrics } from "../../../core/tasks/measures/classification_metrics.ts"
import type { ReportData } from "../../../core/report/report.ts"

const totalSteps = 300

const steps = Array.from({ length: totalSteps }, (_, index): TrainEvent => ({
  type: "step",
  step: index + 1,
  totalSteps,
  epoch: (index + 1) / 100,
  loss: 0.08 + 0.7 * Math.exp(-index / 40) + 0.06 * Math.sin(index * 1.7) * Math.cos(index * 0.31),
  learningRate: 2e-3 * Math.min((index + 1) / 30, (totalSteps - index) / (totalSteps - 30)),
  gradientNorm: 1,
  tokens: 512 * (index + 1),
  tokensPerSecond: 10_000,
  seconds: (index + 1) / 5,
  secondsLeft: 0,
}))
const evaluations = [0, 100, 200, 300].map((step): TrainEvent => ({
  type: "evaluation",
  step,
  split: "validation",
  metrics: { loss: 0.1 + 0.68 * Math.exp(-step / 45), accuracy: 0.9 },
}))

/** A run like those of the examples, with text that tries to break out. */
export const reportData: ReportData = {
  title: "Spam <detection> & LoRA",
  facts: { Data: "SMS Spam Collection, 4,125 / 515 / 1,031 rows", Task: "classification" },
  events: [
    {
      type: "start",
      model: "examples/model",
      methods: ["lora/default"],
      backend: "wasm, 2 threads",
      trainableParameters: 294_912,
      totalParameters: 124_734_720,
      trainExamples: 4125,
      totalSteps,
    },
    {
      type: "message",
      level: "warning",
      text: `3 texts were longer than the model <script>alert("positions")</script>`,
    },
    ...steps,
    ...evaluations,
    { type: "stop", step: 300, reason: "early-stopping", seconds: 61, bestStep: 200 },
  ],
  evaluations: [
    { name: "before", metrics: { custom: 2e-5, accuracy: 0.8713, macroF1: 0.4656, matthews: 0, loss: 0.7012 } },
    { name: "after", metrics: { accuracy: 0.984, macroF1: 0.9612, matthews: 0.9227, loss: 0.0611 } },
  ],
  classification: classificationMetrics(
    [...new Array(870).fill(0), ...new Array(130).fill(1)],
    [...new Array(865).fill(0), ...new Array(5).fill(1), ...new Array(11).fill(0), ...new Array(119).fill(1)],
    ["ham", "spam"],
  ),
  samples: [
    { text: "Ok lar... Joking wif u oni...", expected: "ham", predicted: "ham", probability: 0.998 },
    {
      text: `WINNER!! <script>alert("won")</script> Call 09061701461`,
      expected: "spam",
      predicted: "spam",
      probability: 0.97,
    },
    { text: "Your free ringtone is waiting to be collected.", expected: "spam", predicted: "ham", probability: 0.61 },
  ],
  config: { model: "examples/model", lora: { rank: 8, note: "</pre><script>" }, learningRate: 2e-3 },
}
