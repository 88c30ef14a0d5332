/**
 * The slots of the E2E challenge (Novikova, Dušek and Rieser 2017): how texts about restaurants say their values. Two spellings
 * of one level (`low`, `1 out of 5`) are one value, as people take them for one another; so are `cheap` and `less than £20`.
 * @module
 */
import { names, type Slots, type SlotTable, type SlotValue } from "./slots.ts"

/** A word that stands before or after what it rates. */
const rated = (words: string, number: string): RegExp =>
  new RegExp(
    [
      `\\b(?:${words})(?:ly|er|est)?[ -](?:customers?'?[ -]|user[ -]|service[ -]|overall[ -])*(?:rat\\w+|review\\w*|satisfaction|scor\\w+)`,
      `(?:rat(?:ing|ings|ed|es|e)|reviews?|satisfaction|scores?)(?:[ -](?:is|are|of|was|as|at|it|being|a|an|only|have|has|been|customers?|by|with|that)\\b)*[ -](?:${words}|${number})\\b(?:(?: out)?(?: of |/)(?:5|five))?`,
      `\\b(?:${number})(?: stars?)?(?: out)?(?: of |/)(?:5|five)`,
      `\\b(?:${number})[ -]stars?\\b`,
    ].join("|"),
    "i",
  )

const priced = (words: string): string =>
  `\\b(?:${words})(?:ly)?[ -](?:price[sd]?|pricing|cost)\\w*|pric(?:e|es|ed|ing)(?: range[sd]?)?(?:[ -](?:is|are|of|was|in|the|a|at|with|from|being|ranges?)\\b)*[ -](?:${words})\\b`

/** Denials of what stands near them, in a sentence. */
const DENIED =
  /\b(?:not|no|non|never|isn't|aren't|doesn't|don't|without|un|adults?|nor|unsuitable)\b|n't\b|\bunfriendly/i
const FAMILY = /\b(?:famil(?:y|ies)|kids?|child|children)\b/i

const family = (denied: boolean) => (sentence: string): boolean => {
  const clauses = sentence.split(/[,;:]|\b(?:but|and|that|which|with|located|near|while|although)\b/)
  if (denied && /\badults?[ -]?only\b|\badult (?:establish|venue)/i.test(sentence)) return true
  return clauses.some((clause) => FAMILY.test(clause) && DENIED.test(clause) === denied)
}

const kind = (of: string, said: RegExp): SlotValue => ({ of: [of], said })
const food = (value: string, more = "") => kind(value, new RegExp(`\\b${value.replace(" ", "[- ]")}\\b${more}`, "i"))

const CLOSED: SlotTable = {
  food: [
    food("Chinese"),
    food("English", "|\\bBritish\\b"),
    food("Fast food"),
    food("French"),
    food("Indian"),
    food("Italian"),
    food("Japanese", "|\\bsushi\\b"),
  ],
  "customer rating": [
    { of: ["low", "1 out of 5"], said: rated("low|poor|bad", "1|one") },
    { of: ["average", "3 out of 5"], said: rated("average|mediocre|decent|moderate", "3|three") },
    { of: ["high", "5 out of 5"], said: rated("high|excellent|great|good|top", "5|five") },
  ],
  priceRange: [
    {
      of: ["cheap", "less than £20"],
      said: new RegExp(
        `\\bcheap\\w*|\\binexpensive|\\blow[- ]cost|${priced("low")}|(?:less than|under|below) ?£? ?(?:20|twenty)`,
        "i",
      ),
    },
    {
      of: ["moderate", "£20-25"],
      said: new RegExp(
        `\\bmoderate(?:ly)?\\b|\\bmid(?:dle)?[- ](?:range|priced)|${priced("average|reasonabl[ey]|mid")}|` +
          "£? ?20 ?(?:£ ?)?(?:-|–|to|and) ?£? ?25",
        "i",
      ),
    },
    {
      of: ["high", "more than £30"],
      said: new RegExp(
        `\\bexpensive|\\bpric(?:ey|ier)|\\bhigh[- ]end|${
          priced("high|higher")
        }|(?:more than|over|above) ?£? ?(?:30|thirty)`,
        "i",
      ),
    },
  ],
  area: [
    kind(
      "city centre",
      /\bcity'?s?[- ]?cent(?:re|er)|\bcent(?:re|er) of (?:the )?(?:city|town)|\bin the cent(?:re|er)\b|\bdowntown\b/i,
    ),
    kind("riverside", /\briver ?(?:side|bank|front)?\b/i),
  ],
  familyFriendly: [{ of: ["yes"], said: family(false) }, { of: ["no"], said: family(true) }],
  eatType: [
    kind("coffee shop", /\bcoffee[- ]?(?:shop|house|place)s?\b|\bcaf[eé]s?\b/iu),
    kind("pub", /\bpubs?\b/i),
    kind("restaurant", /\brestaurants?\b/i),
  ],
}

/** The table for meanings of the challenge; names of places are those that the meanings have. */
export const restaurants = (meanings: ReadonlyArray<Slots>): SlotTable => {
  const of = (slot: string) => names(meanings.flatMap((slots) => slots[slot] ?? []))
  return { name: of("name"), near: of("near"), ...CLOSED }
}
