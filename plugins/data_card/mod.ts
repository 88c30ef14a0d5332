/**
 * A data card: what there is to know of the rows of a run before anyone trusts its figures. Lengths in tokens and what is cut,
 * balance of the labels, exact and near duplicates, rows of the test that are nearly in training, labels that are likely wrong,
 * personal data. It has numbers of rows and never their text.
 *
 * ```ts
 * import { Dataset, Task, Tokenizer } from "@espalier/espalier"
 * import { cardSections, dataCard } from "@espalier/espalier/data-card"
 * import * as Effect from "effect/Effect"
 *
 * export const sections = Effect.gen(function* () {
 *   const columns = { text: "SMS", label: "Label" }
 *   const { train, validation, test } = yield* Dataset.tsv("examples/data/sms_spam.tsv", columns).pipe(Dataset.split())
 *   const tokenizer = yield* Tokenizer.loadTokenizer("examples/models/espalier-1m")
 *   const task = Task.classification(train.labels)
 *   return cardSections(yield* dataCard({ train, validation, test }, { tokenizer, task, maxLength: 64 }))
 * })
 * ```
 *
 * @module
 */
export { type CardOptions, type CardParts, type DataCard, dataCard, type NearPair } from "./card.ts"
export { cardNotes, cardSections } from "./sections.ts"
export { type Judged, type LikelyMislabelled, likelyMislabelled } from "./mislabelled.ts"
export { type PersonalData, personalData } from "./personal_data.ts"
export type { Lengths } from "./lengths.ts"
export type {
  Data,
  DataInfo,
  DataRow,
  EncodeOptions,
  Encoding,
  FieldSpec,
  RowEncoder,
  RowKind,
} from "../../core/data/data.ts"
export type { DataError, DataErrorFields } from "../../core/data/data_error.ts"
export type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
export type { Point, Series } from "../../core/report/line_chart.ts"
export type { ReportSection } from "../../core/report/report_section.ts"
