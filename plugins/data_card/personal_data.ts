/** What looks like data of a person. */
export interface PersonalData {
  /** What it is. */
  readonly kind: "e-mail address" | "IBAN" | "card number" | "US social security number" | "phone number"
  /** Number of finds. */
  readonly count: number
  /** Numbers of the rows that hold some. */
  readonly rows: ReadonlyArray<number>
}

interface Finder {
  readonly kind: PersonalData["kind"]
  readonly pattern: RegExp
  /** Whether a match is one. Default: it is. */
  readonly isOne?: (match: string) => boolean
}

const digitsOf = (text: string): string => text.replace(/\D/g, "")

/** The check digit of payment cards (Luhn, ISO/IEC 7812-1). */
export const passesLuhn = (digits: string): boolean => {
  const sum = [...digits].reverse().reduce((sum, digit, i) => {
    const value = Number(digit) * (i % 2 === 0 ? 1 : 2)
    return sum + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

/** The check digits of an account number (ISO 13616: the remainder by 97 is 1). */
export const passesMod97 = (iban: string): boolean => {
  const plain = iban.replace(/ /g, "").toUpperCase()
  if (plain.length < 15 || plain.length > 34) return false
  const digits = [...plain.slice(4) + plain.slice(0, 4)].map((letter) => parseInt(letter, 36)).join("")
  return [...digits].reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0) === 1
}

/** Words in capitals may follow an account number: it ends at a space, or where the match does. */
const beginsWithIban = (match: string): boolean =>
  [...match.matchAll(/ |$/g)].some(({ index }) => passesMod97(match.slice(0, index)))

const DATE = /^\d{1,2}[\/.-]\d{1,2}[\/.-]\d{2,4}(?!\d)/

const isPhone = (match: string): boolean => {
  const digits = digitsOf(match)
  if (DATE.test(match) || digits.startsWith("000")) return false
  const { length } = digits
  return match.startsWith("+") ? length >= 8 && length <= 15 : length >= 9 && length <= 11
}

/** In this order: what one finds, the next ones do not see. Lengths are bounded, so that the time is linear. */
const FINDERS: ReadonlyArray<Finder> = [
  { kind: "e-mail address", pattern: /[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}/gu },
  {
    kind: "IBAN",
    pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])/g,
    isOne: beginsWithIban,
  },
  {
    kind: "card number",
    pattern: /(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])/g,
    isOne: (match) => passesLuhn(digitsOf(match)),
  },
  {
    kind: "US social security number",
    pattern: /(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g,
  },
  {
    kind: "phone number",
    pattern: /(?<![\d+.,])(?:\+\d|\(?0\d|\(?\d{3}\)?[ .-]\d{3}[ .-]\d)(?:[ ().\/-]{0,2}\d){3,13}(?![\d.,]\d|\d)/g,
    isOne: isPhone,
  },
]

/** Finds what looks like data of persons, by patterns and check digits. What was found is not kept. */
export function personalData(
  rows: ReadonlyArray<{ readonly row: number; readonly texts: ReadonlyArray<string> }>,
): ReadonlyArray<PersonalData> {
  const found = new Map<PersonalData["kind"], { count: number; rows: Set<number> }>()
  for (const { row, texts } of rows) {
    for (const text of texts) {
      let rest = text
      for (const { kind, pattern, isOne = () => true } of FINDERS) {
        rest = rest.replace(pattern, (match) => {
          if (!isOne(match)) return match
          const own = found.get(kind) ?? found.set(kind, { count: 0, rows: new Set() }).get(kind)!
          own.count++
          own.rows.add(row)
          return " "
        })
      }
    }
  }
  return FINDERS.flatMap(({ kind }) => {
    const own = found.get(kind)
    return own === undefined ? [] : [{ kind, count: own.count, rows: [...own.rows] }]
  })
}
