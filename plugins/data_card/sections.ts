import type { ReportSection } from "../../core/report/report_section.ts"
import type { LikelyMislabelled } from "./mislabelled.ts"
import type { DataCard, NearPair } from "./card.ts"

/** Rows that a table lists. */
const MOST = 50

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const plural = (number: number, what: string): string => `${count(number)} ${what}${number === 1 ? "" : "s"}`
const count = (number: number): string => number.toLocaleString("en-US")

/** Numbers of rows: all of a few, the first of many. */
const listed = (rows: ReadonlyArray<number>): string =>
  rows.slice(0, 20).join(", ") + (rows.length > 20 ? ` and ${count(rows.length - 20)} more` : "")

const leaks = (near: ReadonlyArray<NearPair>): ReadonlyArray<NearPair> =>
  near.filter(({ part, ofPart }) => part !== ofPart)

/** The card as sections of a report. `mislabelled`: rows whose labels are likely wrong, and which rows were looked through. */
export function cardSections(
  card: DataCard,
  mislabelled?: { readonly of: string; readonly rows: ReadonlyArray<LikelyMislabelled> },
): ReadonlyArray<ReportSection> {
  return [
    lengthSection(card),
    ...card.labels === undefined ? [] : [labelSection(card, card.labels)],
    nearSection(card),
    personalSection(card),
    ...mislabelled === undefined ? [] : [mislabelledSection(card, mislabelled)],
  ]
}

/** What a person should look at before the run, a line each. */
export function cardNotes({ unit, lengths, near, personal }: DataCard): ReadonlyArray<string> {
  const cut = Object.entries(lengths).filter(([, own]) => own.cut > 0)
  const across = leaks(near)
  return [
    ...cut.map(([part, own]) =>
      `${percent(own.cut)} of the ${part} examples are cut, and ${percent(own.lost)} of their tokens`
    ),
    ...across.length === 0 ? [] : [
      `${count(across.length)} rows that judge are nearly those of another part, ${unit} ${
        across.slice(0, 5).map(({ row, of }) => `${row} (as ${of})`).join(", ")
      }`,
    ],
    ...personal.map(({ kind, count: finds, rows }) =>
      `what looks like personal data (${kind}): ${plural(finds, "find")} in ${plural(rows.length, "row")}`
    ),
  ]
}

function lengthSection({ rows, lengths }: DataCard): ReportSection {
  return {
    title: "Data card: rows and lengths",
    text: "Lengths are in tokens, special ones included, of 10,000 rows of a part at most.",
    table: {
      head: ["Part", "Rows", "Mean", "50 %", "90 %", "95 %", "99 %", "Longest", "Cut", "Tokens cut off"],
      rows: Object.entries(lengths).map(([part, { mean, percentiles, cut, lost }]) => [
        part,
        count(rows[part]),
        mean.toFixed(1),
        ...(["50", "90", "95", "99", "100"] as const).map((name) => count(percentiles[name])),
        percent(cut),
        percent(lost),
      ]),
    },
  }
}

function labelSection({ rows }: DataCard, labels: NonNullable<DataCard["labels"]>): ReportSection {
  const parts = Object.keys(rows)
  return {
    title: "Data card: balance of the labels",
    table: {
      head: ["Label", ...parts.flatMap((part) => [part, "Share"])],
      rows: labels.map(({ label, rows: own }) => [
        label,
        ...parts.flatMap((part) => [count(own[part]), percent(own[part] / Math.max(1, rows[part]))]),
      ]),
    },
  }
}

function nearSection({ compared, near, unit }: DataCard): ReportSection {
  const across = leaks(near)
  const ordered = [...across, ...near.filter((pair) => !across.includes(pair))]
  const shown = near.length > MOST ? `; ${MOST} are listed, those across parts first` : ""
  return {
    title: "Data card: near duplicates",
    text:
      `Of ${count(compared)} rows, ${count(near.length)} are nearly an earlier one, ${
        count(across.length)
      } of them one of ` +
      `another part, so that figures of that part say less about new rows${shown}.`,
    ...near.length === 0 ? {} : {
      table: {
        head: [unit === "line" ? "Line" : "Row", "Part", "Nearly", "Part", "The same"],
        rows: ordered.slice(0, MOST).map(({ row, part, of, ofPart, similarity }) => [
          String(row),
          part,
          String(of),
          ofPart,
          percent(similarity),
        ]),
      },
    },
  }
}

function personalSection({ personal, unit }: DataCard): ReportSection {
  return {
    title: "Data card: personal data",
    text: personal.length === 0
      ? "No e-mail address, IBAN, card, US social security or phone number was found."
      : "Found by patterns and check digits; names and addresses are not looked for.",
    ...personal.length === 0 ? {} : {
      table: {
        head: ["What it looks like", "Finds", "Rows", unit === "line" ? "Lines" : "Row numbers"],
        rows: personal.map(({ kind, count: finds, rows }) => [kind, count(finds), count(rows.length), listed(rows)]),
      },
    },
  }
}

function mislabelledSection(
  { unit }: DataCard,
  { of, rows }: { readonly of: string; readonly rows: ReadonlyArray<LikelyMislabelled> },
): ReportSection {
  const shown = rows.length > MOST ? `; the ${MOST} likeliest are listed` : ""
  return {
    title: "Data card: labels that are likely wrong",
    text: `By confident learning, from the probabilities of the trained model on ${of}: ${
      count(rows.length)
    } rows${shown}.`,
    ...rows.length === 0 ? {} : {
      table: {
        head: [unit === "line" ? "Line" : "Row", "Label", "Likelier", "Margin"],
        rows: rows.slice(0, MOST).map(({ row, label, likelier, margin }) => [
          String(row),
          label,
          likelier,
          margin.toFixed(3),
        ]),
      },
    },
  }
}
