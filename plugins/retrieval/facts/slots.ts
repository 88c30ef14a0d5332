import type { Fact, FactCheck } from "./fact_check.ts"

/** How a text says a value: a pattern, or a test of a whole sentence. */
export type Said = RegExp | ((sentence: string) => boolean)

/** A value of a slot. */
export interface SlotValue {
  /** How evidence spells it: one spelling, or several that mean the same. */
  readonly of: ReadonlyArray<string>
  /** How a text says it. */
  readonly said: Said
}

/** Values by slot, in the order in which they are looked for. */
export type SlotTable = Readonly<Record<string, ReadonlyArray<SlotValue>>>

/** Evidence as values by slot. */
export type Slots = Readonly<Record<string, string>>

/** Values that texts say as they are, such as names, longest first: they hide words of other slots, so list them first. */
export const names = (values: Iterable<string>): ReadonlyArray<SlotValue> =>
  [...new Set(values)].sort((a, b) => b.length - a.length).map((value) => ({
    of: [value],
    said: new RegExp(`(?<![\\p{L}\\d])${value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\p{L}\\d])`, "iu"),
  }))

/** Values by slot, of a text such as `name[Aromi], area[city centre]`. */
export const slotsOf = (meaning: string): Slots =>
  Object.fromEntries(
    Array.from(meaning.matchAll(/([\w ]+?)\s*\[([^\]]*)\]/g), ([, name, value]) => [name.trim(), value]),
  )

/**
 * Compares texts with values by slot. A value that a text says is supported where the evidence has it in that slot; values of the
 * evidence that the table does not know are left out.
 */
export const slots = (table: SlotTable): FactCheck<Slots> => ({
  name: "slots",
  judge: (text, evidence) => {
    const said = factsOf(text, table)
    const expected = Object.entries(table).flatMap(([name, values]) => {
      const value = values.find(({ of }) => of.includes(evidence[name]))
      return value === undefined ? [] : [{ name, value: value.of[0] }]
    })
    const within = (facts: ReadonlyArray<Fact>) => ({ name, value }: Fact) =>
      facts.some((other) => other.name === name && other.value === value)
    const isSaid = within(said), isExpected = within(expected)
    return {
      supported: said.filter(isExpected),
      unsupported: said.filter((fact) => !isExpected(fact)),
      covered: expected.filter(isSaid),
      missing: expected.filter((fact) => !isSaid(fact)),
    }
  },
})

/** Stands for a text that was taken as a value. */
const TAKEN = "\u2022"

/** The values that a text says. What a pattern matched is no part of what later ones see. */
function factsOf(text: string, table: SlotTable): ReadonlyArray<Fact> {
  let sentences = text.replace(/\s+/g, " ").split(/(?<=[.!?]) /)
  return Object.entries(table).flatMap(([name, values]) =>
    values.flatMap(({ of: [value], said }) => {
      if (typeof said === "function") return sentences.some(said) ? [{ name, value }] : []
      const all = new RegExp(said, `${said.flags.replace("g", "")}g`)
      const rest = sentences.map((sentence) => sentence.replace(all, TAKEN))
      if (rest.every((sentence, i) => sentence === sentences[i])) return []
      sentences = rest
      return [{ name, value }]
    })
  )
}
