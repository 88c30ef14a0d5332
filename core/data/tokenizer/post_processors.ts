import type { Fields } from "./fields.ts"
import { readKind } from "./normalizers.ts"

/** Ids that go before and after those of a text. */
export interface Around {
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
}

const NOTHING: Around = { before: [], after: [] }

const idOf = (fields: Fields, name: string): number => {
  const entry = fields.list(name)
  if (entry.length === 2 && typeof entry[0] === "string" && Number.isInteger(entry[1])) return entry[1] as number
  throw fields.error(name, "should be a token and its id")
}

/** The two of an older kind: a token before and one after. */
const pair = (fields: Fields): Around => {
  fields.ignore("trim_offsets", "add_prefix_space")
  return { before: [idOf(fields, "cls")], after: [idOf(fields, "sep")] }
}

type Lookup = (token: string) => number | undefined

const template = (lookup: Lookup) => (fields: Fields): Around => {
  const special = fields.fields("special_tokens")
  fields.items("pair").forEach(readPiece)
  const ids = fields.items("single").map(readPiece).map(({ id, token, its }) => {
    if (token) return idsOf(id, special, lookup)
    if (id === "A") return undefined
    throw its.error("id", 'should be "A": there is one text')
  })
  const text = ids.indexOf(undefined)
  if (text < 0 || text !== ids.lastIndexOf(undefined)) throw fields.error("single", "should have the text once")
  return { before: ids.slice(0, text).flat() as Array<number>, after: ids.slice(text + 1).flat() as Array<number> }
}

/** A token or a text of a template. */
const readPiece = (part: Fields) => {
  const token = part.value.Sequence === undefined
  const its = part.fields(token ? "SpecialToken" : "Sequence")
  const id = its.string("id")
  its.count("type_id")
  its.done()
  part.done()
  return { id, token, its }
}

const idsOf = (token: string, special: Fields, lookup: Lookup): ReadonlyArray<number> => {
  if (Object.hasOwn(special.value, token)) {
    const its = special.fields(token)
    const [ids] = [its.list("ids"), its.list("tokens"), its.string("id")]
    its.done()
    if (ids.every(Number.isInteger)) return ids as ReadonlyArray<number>
    throw special.error(token, "has ids that are no whole numbers")
  }
  const id = lookup(token)
  if (id === undefined) throw special.error(token, "is missing")
  special.notes.push(`${special.where}: field ${JSON.stringify(token)} is missing, so its id ${id} is the vocabulary's`)
  return [id]
}

/** The post-processor of a tokenizer.json, as far as one text needs it. */
export const readPostProcessor = (fields: Fields, lookup: Lookup): Around => {
  const kinds: Readonly<Record<string, (fields: Fields) => Around>> = {
    BertProcessing: pair,
    RobertaProcessing: pair,
    ByteLevel: (fields) => {
      // They move offsets alone.
      fields.ignore("add_prefix_space", "trim_offsets", "use_regex")
      return NOTHING
    },
    TemplateProcessing: template(lookup),
    Sequence: (fields) =>
      fields.items("processors").map((part) => readKind(part, kinds)).reduce((inner, outer) => ({
        before: [...outer.before, ...inner.before],
        after: [...inner.after, ...outer.after],
      }), NOTHING),
  }
  return readKind(fields, kinds)
}
