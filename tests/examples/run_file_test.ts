import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { decodeRunFile, jsonSchema } from "../../examples/run_file.ts"

const read = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(`../../examples/${name}`, import.meta.url)))
const good = { model: { path: "m" }, data: { path: "d.csv" }, methods: [{ method: "lora" }], output: "out" }

/** Every fault of a run file. */
const problems = async (content: unknown) => {
  const error = await Effect.runPromise(Effect.flip(decodeRunFile(content, "espalier.json")))
  assertEquals([error._tag, error.reason, error.file], ["RunFileError", "Content", "espalier.json"])
  assertEquals(error.message, ["espalier.json:", ...error.problems].join("\n  "))
  return error.problems
}

Deno.test("the schema for editors is the definition that checks: deno run examples/run_file.ts > examples/espalier.schema.json", () => {
  assertEquals(read("espalier.schema.json"), JSON.parse(JSON.stringify(jsonSchema)))
})

Deno.test("the example is a run file, and so is the least one", async () => {
  const plain = { ...good, data: { path: "d", text: "t" }, task: "masked-lm" }
  const head = { ...good, model: { path: "m", head: "new" }, data: { path: "d", labels: ["no", "yes"] } }
  for (const content of [read("espalier.json"), good, plain, head]) {
    await Effect.runPromise(decodeRunFile(content, "espalier.json"))
  }
})

Deno.test("what a run file must not say is named, with its place and the nearest known name", async () => {
  const methods = (...methods: unknown[]) => ({ ...good, methods })
  const cases: ReadonlyArray<readonly [unknown, ...string[]]> = [
    [null, "the file: expected object, got null"],
    [[], "the file: expected object, got []"],
    [{}, ...["model", "data", "methods", "output"].map((name) => `${name}: it is missing`)],
    [{ ...good, trainig: {} }, `trainig: there is no such field; the nearest known one is "training"`],
    [{ ...good, model: { pth: "m", path: "m" } }, `model.pth: there is no such field; the nearest known one is "path"`],
    [
      { ...good, model: { path: "m", head: "fresh" } },
      `model.head: expected "stored" | "new", got "fresh"`,
    ],
    [{ ...good, data: { path: "d", labels: "a,b" } }, `data.labels: expected array, got "a,b"`],
    [{ ...good, seed: "42" }, `seed: expected number, got "42"`],
    [{ ...good, seed: 1.5 }, `seed: expected an integer, got 1.5`],
    [
      { ...good, task: "ranking" },
      `task: expected "classification" | "token-classification" | "multi-label-classification" | "regression" | ` +
      `"causal-lm" | "masked-lm", got "ranking"`,
    ],
    [{ ...good, data: { path: "d", test: 2 } }, "data.test: expected a value between 0 and 1, got 2"],
    [
      { ...good, training: { runFolder: "x" } },
      `training.runFolder: there is no such field; the nearest known one is "optimizer"`,
    ],
    [
      { ...good, data: { path: "d", text: "t", prompt: "p", completion: "c" } },
      "data: text beside prompt and completion: name columns of one kind",
    ],
    [
      { ...good, data: { path: "d", prompt: "p" }, task: "classification" },
      `task: "classification" does not go with the columns prompt, which are for causal-lm`,
    ],
    [
      { ...good, data: { path: "d", text: "t", label: "l" }, task: "masked-lm" },
      `task: "masked-lm" does not go with the columns text and label, which are for classification, multi-label-classification, regression`,
    ],
    [methods(), "methods: expected a value with a length of at least 1, got []"],
    [methods({ method: "lorra" }), `methods[0].method: there is no method "lorra"; the nearest known one is "lora"`],
    [
      methods({ r: 8 }),
      "methods[0].method: it is missing; known methods are lora, adapters, prefix-tuning, prompt-tuning",
    ],
    [methods("lora"), `methods[0]: expected an object with a method, got "lora"`],
    [
      methods({ method: "lora", loraAlhpa: 3 }, { method: "prefix-tuning", r: 3 }),
      `methods[0].loraAlhpa: there is no such field; the nearest known one is "loraAlpha"`,
      `methods[1].r: there is no such field; the nearest known one is "name"`,
    ],
    [methods({ method: "lora", r: 0 }), "methods[0].r: expected a value greater than or equal to 1, got 0"],
    [methods({ method: "lora", rankPattern: { a: "4" } }), `methods[0].rankPattern.a: expected number, got "4"`],
    [
      methods({ method: "lora", initLoraWeights: "pisa" }),
      `methods[0].initLoraWeights: expected "gaussian" | "orthogonal" | "pissa" | "olora" or expected pissa_niter_N, got "pisa"`,
    ],
    [
      methods({ method: "adapters", scaling: "learnt" }),
      `methods[0].scaling: expected "learned" | "channel", got "learnt"`,
    ],
    [
      methods(JSON.parse(`{ "method": "lora", "__proto__": {} }`)),
      `methods[0].__proto__: there is no such field; the nearest known one is "method"`,
    ],
  ]
  for (const [content, ...expected] of cases) assertEquals(await problems(content), expected)
})

Deno.test("every field of the schema has words for people", () => {
  const walk = (place: string, node: Record<string, unknown>): void => {
    for (const [name, field] of Object.entries((node.properties ?? {}) as Record<string, Record<string, unknown>>)) {
      assert(name === "method" || typeof field.description === "string", `${place}.${name}`)
      walk(`${place}.${name}`, field)
    }
    for (const inner of (node.anyOf ?? []) as Array<Record<string, unknown>>) walk(place, inner)
    if (typeof node.items === "object") walk(`${place}[]`, node.items as Record<string, unknown>)
    if (node.properties !== undefined) assertEquals(node.additionalProperties, false, place)
  }
  walk("", jsonSchema)
})
