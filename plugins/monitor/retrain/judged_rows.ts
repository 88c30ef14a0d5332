/** A text whose answer a person, or a later fact, has judged. The only text that a monitor keeps, as it is trained on. */
export interface JudgedRow {
  /** The text. */
  readonly text: string
  /** The right label. */
  readonly label: string
  /** What the model had answered. */
  readonly predicted: string
  /** Name of the adapter that answered. */
  readonly by: string
}

/** Rows of a retrain. */
export interface Divided {
  /** To train on. */
  readonly train: ReadonlyArray<JudgedRow>
  /** To judge the candidate by. */
  readonly fresh: ReadonlyArray<JudgedRow>
}

/** A quarter of the texts, chosen by their hash, judges; equal texts stay together, and a restart divides the same way. */
export function divided(rows: ReadonlyArray<JudgedRow>): Divided {
  const texts = [...new Set(rows.map(({ text }) => text))].sort((a, b) => hashOf(a) - hashOf(b) || (a < b ? -1 : 1))
  const judging = new Set(texts.slice(0, Math.ceil(texts.length / 4)))
  return { train: rows.filter(({ text }) => !judging.has(text)), fresh: rows.filter(({ text }) => judging.has(text)) }
}

/** FNV-1a, 32 bits, of UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Share of right answers; undefined without rows. */
export const accuracyOf = (rows: ReadonlyArray<JudgedRow>): number | undefined =>
  rows.length === 0 ? undefined : rows.filter(({ label, predicted }) => label === predicted).length / rows.length
