import { assertEquals, assertThrows } from "@std/assert"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import {
  type Fault,
  faultsOf,
  field,
  jsonSchema,
  methodName,
  methodOptions,
  mustBe,
  type OptionTable,
  withDefaults,
} from "../../../core/options/mod.ts"

interface Options {
  readonly name?: string
  readonly r?: number
  readonly rate?: number
  readonly mode?: "a" | "b"
  readonly start?: "text" | "random"
  readonly text?: string | ReadonlyArray<number>
  readonly ranks?: Readonly<Record<string, number>>
  readonly inner?: { readonly on?: boolean }
  readonly watch?: () => void
  readonly output: string
}
type Open = "text" | "ranks" | "inner" | "watch"

const TABLE: OptionTable<Options, Open> = {
  name: methodName,
  r: field.integer({ minimum: 1, default: 8, doc: "Rank" }),
  rate: field.number({ exclusiveMinimum: 0, maximum: 1, default: 0.5, doc: "Rate" }),
  mode: field.choice(["a", "b"], { default: "a", doc: "Mode" }),
  start: field.choice(["text", "random"], {
    default: ({ text }) => text === undefined ? "random" : "text",
    absent: "text where there is one",
    doc: "Start",
  }),
  text: field.anyOf([field.text({}), field.list(field.integer({ minimum: 0 }), { minItems: 1 })], {
    doc: "Text",
  }),
  ranks: field.byName(field.integer({ minimum: 1 }), {
    propertyNames: field.text({ pattern: "^[a-z]+$", wanted: "small letters" }),
    doc: "Ranks",
  }),
  inner: field.record<{ readonly on?: boolean }>()({ on: field.boolean({ default: true, doc: "On" }) }, {
    doc: "Inner",
  }),
  watch: field.opaque<() => void>()({
    faults: (value, at) => typeof value === "function" ? [] : [mustBe(at, "a function", value)],
  }),
  output: field.text({ required: true, doc: "Output" }),
}

/** What is wrong with options beside one that is right. */
const faults = (given: object) => faultsOf(TABLE, { output: "o", ...given })
const messages = (faults: ReadonlyArray<Fault>) => faults.map(({ message }) => message)

Deno.test("a fault says what was given and what is allowed, each type of field in the same words", () => {
  const cases: ReadonlyArray<readonly [object, ...string[]]> = [
    [{}],
    [{ r: 1, rate: 1, mode: "b", text: [0], ranks: { a: 2 }, inner: { on: false }, watch: () => {} }],
    [{ r: undefined }],
    [{ r: 0 }, "r must be a whole number from 1, got 0"],
    [{ r: 1.5 }, "r must be a whole number from 1, got 1.5"],
    [{ r: "1" }, 'r must be a whole number from 1, got "1"'],
    [{ r: null }, "r must be a whole number from 1, got null"],
    [{ rate: 0 }, "rate must be a number above 0 and at most 1, got 0"],
    [{ rate: 1.5 }, "rate must be a number above 0 and at most 1, got 1.5"],
    [{ rate: NaN }, "rate must be a number above 0 and at most 1, got NaN"],
    [{ mode: "c" }, 'mode must be "a" or "b", got "c"'],
    [{ text: 3 }, "text must be a text or a list of at least 1, got 3"],
    [{ text: [] }, "text must be a text or a list of at least 1, got []"],
    [{ text: [2, -1] }, "text[1] must be a whole number from 0, got -1"],
    [{ ranks: [1] }, "ranks must be an object, got [1]"],
    [{ ranks: { a: 0 } }, 'ranks["a"] must be a whole number from 1, got 0'],
    [{ ranks: { A: 1 } }, 'a name in ranks must be small letters, got "A"'],
    [{ inner: { on: 1 } }, "inner.on must be true or false, got 1"],
    [{ inner: { onn: true } }, 'unknown option "inner.onn"; the nearest known one is "on"'],
    [{ watch: 1 }, "watch must be a function, got 1"],
    [{ output: undefined }, "output is missing; it must be a text"],
    [{ name: "a/b" }, 'name must be letters, digits, dots and dashes, got "a/b"'],
    [
      { rat: 1, r: 0 },
      "r must be a whole number from 1, got 0",
      'unknown option "rat"; the nearest known one is "rate"',
    ],
    [JSON.parse('{ "__proto__": 1 }'), 'unknown option "__proto__"; the nearest known one is "rate"'],
  ]
  for (const [given, ...expected] of cases) assertEquals(messages(faults(given)).sort(), expected.sort())
  assertEquals(messages(faultsOf(TABLE, [])), ["it must be an object, got []"])
  assertEquals(faults({ inner: { on: 1 } })[0].at, "inner.on")
})

Deno.test("defaults may depend on other options; the result has the table's order", () => {
  const resolved = withDefaults(TABLE, { output: "o", text: "x", r: 3 })
  assertEquals(Object.entries(resolved).flat(), [
    ...["name", "default", "r", 3, "rate", 0.5, "mode", "a", "start", "text", "text", "x", "output", "o"],
  ])
  assertEquals(withDefaults(TABLE, { output: "o" }).start, "random")
})

Deno.test("a method's options come with its id; an error names the method and every fault", () => {
  const table: OptionTable<Pick<Options, "name" | "r" | "mode">> = { name: methodName, r: TABLE.r, mode: TABLE.mode }
  assertEquals(methodOptions("m", table, { name: "x" }), { id: "m/x", name: "x", r: 8, mode: "a" })
  const error = assertThrows(() => methodOptions("m", table, { r: 0, mode: "c" as "a" }), PluginError)
  assertEquals(error.message, 'm/default: r must be a whole number from 1, got 0; mode must be "a" or "b", got "c"')
})

Deno.test("the JSON Schema has ranges, documentation and defaults, and leaves out what JSON cannot hold", () => {
  const { properties, ...rest } = jsonSchema(TABLE)
  assertEquals(rest, { type: "object", required: ["output"], additionalProperties: false })
  const { name: _, ...own } = properties as Readonly<Record<string, unknown>>
  assertEquals(own, {
    r: { type: "integer", minimum: 1, description: "Rank. Default: 8" },
    rate: { type: "number", exclusiveMinimum: 0, maximum: 1, description: "Rate. Default: 0.5" },
    mode: { enum: ["a", "b"], description: "Mode. Default: a" },
    start: { enum: ["text", "random"], description: "Start. Default: text where there is one" },
    text: {
      anyOf: [{ type: "string" }, { type: "array", items: { type: "integer", minimum: 0 }, minItems: 1 }],
      description: "Text",
    },
    ranks: {
      type: "object",
      additionalProperties: { type: "integer", minimum: 1 },
      propertyNames: { type: "string", pattern: "^[a-z]+$" },
      description: "Ranks",
    },
    inner: {
      type: "object",
      properties: { on: { type: "boolean", description: "On. Default: true" } },
      additionalProperties: false,
      description: "Inner",
    },
    output: { type: "string", description: "Output" },
  })
})

Deno.test("the compiler holds a table to its type", () => {
  interface One {
    readonly r?: number
    readonly output: string
  }
  const output = field.text({ required: true })
  const tables: ReadonlyArray<OptionTable<One> | OptionTable<One, "r">> = [
    // @ts-expect-error: no field for an option
    { output },
    // @ts-expect-error: a field of another type
    { r: field.text({ default: "8" }), output },
    // @ts-expect-error: an option that must be given is required
    { r: field.integer({ default: 8 }), output: field.text({}) },
  ]
  // @ts-expect-error: a misspelled limit
  field.integer({ minium: 1 })
  // @ts-expect-error: no default, and not open
  const closed: OptionTable<One> = { r: field.integer({}), output }
  const open: OptionTable<One, "r"> = { r: field.integer({}), output }
  assertEquals([tables.length, Object.keys(closed), Object.keys(open)], [3, ["r", "output"], ["r", "output"]])
})
