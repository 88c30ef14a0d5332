/**
 * What a run has from plugins beside its adapter: in the report rows, balance between groups, weights in few bits; a profile for
 * monitors.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Finding, Review, TaskPart } from "../../core/run/mod.ts"
import { loadTokenizer } from "../../core/data/tokenizer_files/load_tokenizer.ts"
import type { Model } from "../../core/model/model.ts"
import type { Evaluation } from "../../core/training/evaluate.ts"
import { AXES, balance, balanceSections } from "../balance/mod.ts"
import { cardNotes, cardSections, dataCard, likelyMislabelled } from "../data_card/mod.ts"
import { saveProfiles } from "../monitor/mod.ts"
import { sections as quantizationSections } from "../quantization/mod.ts"

/** Values by the names of tasks; of one without a name, its value alone. */
const byTask = <A>(parts: ReadonlyArray<TaskPart>, values: ReadonlyArray<A>): A | Record<string, A> =>
  parts[0].name === undefined ? values[0] : Object.fromEntries(parts.map(({ name }, i) => [name!, values[i]]))

/** Rows whose labels are likely wrong, of those that judge and were not trained on. */
const mislabelledOf = ({ judging, judges }: TaskPart, { predictions }: Evaluation) => {
  const fits = judges !== "training" && judging.kind.stratified && predictions.length === judging.rows.length
  return fits ? { of: `the ${judges} rows`, rows: likelyMislabelled(judging, predictions) } : undefined
}

/** What there is to know of the rows of each task; of a stream, of those that judge. */
const rows: Review = ({ run, parts, model, tell }) =>
  Effect.gen(function* () {
    const { maxLength } = run.training
    const tokenizer = yield* loadTokenizer(model.companions ?? model.directory)
    const cards = yield* Effect.forEach(parts, ({ name, task, data: { found, validation, test } }) =>
      Effect.gen(function* () {
        const rows = { ...found && { training: found.train }, validation, test }
        const card = yield* dataCard(rows, { tokenizer, task, maxLength })
        for (const note of cardNotes(card)) {
          yield* tell(`data: ${name === undefined ? "" : `${name}: `}${note}`)
        }
        return card
      }))
    return (after) =>
      Effect.succeed({
        sections: parts.flatMap((part, i) =>
          cardSections(cards[i], mislabelledOf(part, after[i]))
        ),
        summary: { dataCard: byTask(parts, cards) },
      })
  })

/** How answers change with words of groups of people, before and after, where the run asks for it. */
const groups: Review = ({ run: { balance: asked, training: { maxLength } }, parts, model }) => {
  if (asked === undefined) return Effect.succeed(() => Effect.succeed({ sections: [] }))
  const axes = asked === true ? AXES : asked
  const all = Effect.forEach(parts, ({ name, judging }) => {
    const view = name === undefined ? model : model.view({ task: name })
    return balance(view, judging, { axes, maxLength, batchSize: 32 })
  })
  return Effect.map(all, (before) => () =>
    Effect.map(all, (after): Finding => ({
      sections: after.flatMap((one, i) => balanceSections(before[i], one)),
      summary: { balance: { before: byTask(parts, before), after: byTask(parts, after) } },
    })))
}

/** Weights that were put into few bits, and what that lost. */
const fewBits: Review = ({ model }: { readonly model: Model }) =>
  Effect.succeed(() => Effect.succeed({ sections: quantizationSections(model) }))

/** The reviews of this package, in the order of their sections. */
export const REVIEWS: ReadonlyArray<Review> = [fewBits, groups, rows, saveProfiles]
