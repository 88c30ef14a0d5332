import type { Contribution, RunInfo, RunPlan } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import type { TrainMessage } from "../../core/contracts/train_event.ts"
import { type Account, makeAccount } from "./account.ts"
import type { PrivateSteps } from "./accounting/accountant.ts"
import { noiseFor } from "./accounting/noise_search.ts"
import { ACCOUNTANTS, CLIPPINGS, type ResolvedOptions } from "./options.ts"
import { poissonSource } from "./poisson.ts"

/** Private training as a contribution. What depends on the run is made when it is prepared. */
export function contributionOf(options: ResolvedOptions): Contribution {
  const { id } = options
  const own: Contribution = {
    id,
    settings: options,
    requires: { paddedRows: true, constantDivisor: true },
    batches: (next) => next,
    gradients: { secret: true, example: () => unplanned(id) },
  }
  return { ...own, prepare: (run) => privateRun(own, options, run) }
}

function privateRun(own: Contribution, options: ResolvedOptions, run: RunInfo): Contribution {
  const { plan, rows, examples } = checkRun(options, run)
  const { accountant, delta, clipping, targetEpsilon = Infinity } = options
  const sampleRate = examples / rows
  const epochSteps = Math.floor(rows / examples)
  const steps = plan.maxSteps ?? plan.epochs * epochSteps
  const noiseMultiplier = options.noiseMultiplier ?? noiseOf(options, { sampleRate, steps })
  const planned: PrivateSteps = { noiseMultiplier, sampleRate, steps }
  const account = makeAccount(ACCOUNTANTS[accountant], planned, { epsilon: targetEpsilon, delta })
  if (account.allowedSteps === 0) {
    throw wrong(
      options.id,
      `the first step alone spends more than targetEpsilon ${targetEpsilon}: take a larger ` +
        "noiseMultiplier, or leave it out, and it follows from targetEpsilon",
    )
  }
  const mechanism = CLIPPINGS[clipping](options)
  const { batchSize } = plan
  const sampling = { sampleRate, epochSteps, batchSize, ...account }
  return {
    ...own,
    // The account of a resumed run holds for the noise that it began with.
    settings: { ...options, noiseMultiplier },
    batches: (next) => poissonSource(next, sampling),
    gradients: { ...own.gradients, ...mechanism.withNoise(noiseMultiplier, examples) },
    figures: (step) => ({ epsilon: account.spent(step) }),
    messages: messagesOf(options, mechanism.told, planned, account, plan.validation().ofTraining),
  }
}

const wrong = (id: string, what: string) => new PluginError({ plugin: id, message: `${id}: ${what}` })

function unplanned(id: string): never {
  throw wrong(id, "a session does not know how many rows there are and how they are drawn: train with Trainer.fit")
}

/** Throws {@link PluginError} for a run whose privacy cannot be accounted for. */
function checkRun(
  { id, delta }: ResolvedOptions,
  { plan, examplesPerStep: examples, contributions }: RunInfo,
): { readonly plan: RunPlan; readonly rows: number; readonly examples: number } {
  const demand = (holds: boolean, what: () => string) => {
    if (!holds) throw wrong(id, what())
  }
  if (plan === undefined || examples === undefined) {
    return unplanned(id)
  }
  demand(
    !plan.streamed,
    () => "rows that are read while the model trains are not counted before: read them into memory",
  )
  demand(!plan.packing, () => "packing joins texts into one row, and privacy is by row: leave out packing")
  const rows = Object.values(plan.rows).reduce((a, b) => a + b, 0)
  demand(delta < 1 / rows, () => `delta must be below 1 / training rows = ${1 / rows}, got ${delta}`)
  demand(examples <= rows, () => `a step of ${examples} examples needs as many training rows; there are ${rows}`)
  const others = contributions.filter((other) => other.id !== id)
  const at = contributions.findIndex((one) => one.id === id)
  const drawing = others.find(({ batches }) => batches !== undefined)
  demand(
    drawing === undefined,
    () =>
      `Poisson sampling draws each row by chance alone, and ${
        drawing!.id
      } changes the batches too: leave out one of them`,
  )
  const later = contributions.slice(at + 1).find(({ gradients }) => gradients?.example !== undefined)
  demand(later === undefined, () => `${later!.id} changes the gradients of examples after they are clipped`)
  const earlier = contributions.slice(0, at).find(({ gradients }) => gradients?.task !== undefined)
  demand(
    earlier === undefined,
    () => `${earlier!.id} changes the gradients of tasks before the noise: it must come after, with after: ["${id}"]`,
  )
  const { rows: judging, ofTraining } = plan.validation()
  demand(
    judging === 0 || ofTraining < judging,
    () =>
      "the best weights would be chosen by training rows, which the account does not count: hold out validation rows, or " +
      "leave out the validation split",
  )
  return { plan, rows, examples }
}

function noiseOf(
  { id, accountant, targetEpsilon, delta }: ResolvedOptions,
  steps: Omit<PrivateSteps, "noiseMultiplier">,
): number {
  const noise = noiseFor(ACCOUNTANTS[accountant], { epsilon: targetEpsilon!, delta }, steps)
  if (noise !== undefined) return noise
  throw wrong(
    id,
    `no noise gives epsilon ${targetEpsilon} at delta ${delta} after ${steps.steps} steps: take a larger targetEpsilon, ` +
      "fewer steps, or fewer examples in a step",
  )
}

function messagesOf(
  { id, accountant, delta }: ResolvedOptions,
  clipping: string,
  { noiseMultiplier, sampleRate, steps }: PrivateSteps,
  { allowedSteps, spent }: Account,
  ofTraining: number,
): ReadonlyArray<TrainMessage> {
  const tell = (level: TrainMessage["level"], what: string): TrainMessage => ({
    type: "message",
    level,
    text: `${id}: ${what}`,
  })
  const stops = allowedSteps === steps ? "" : `, where the budget is spent: ${steps} were planned`
  return [
    tell(
      "info",
      `epsilon ${
        spent(allowedSteps).toFixed(4)
      } at delta ${delta} (${accountant}) after ${allowedSteps} steps${stops}; ` +
        `noise multiplier ${noiseMultiplier.toFixed(4)}, ${clipping}, each row is in a step ` +
        `with probability ${sampleRate.toFixed(6)}`,
    ),
    tell(
      "warning",
      "the promise is for the trained weights. Losses of training rows in events and report are as they are: keep them to " +
        "yourself; and each further run on the same rows spends a budget of its own",
    ),
    ...(ofTraining === 0
      ? []
      : [tell("warning", `${ofTraining} validation rows are training rows too, and choose weights`)]),
  ]
}
