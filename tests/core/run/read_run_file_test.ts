import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { decodeRunFile, runSchema } from "../../../core/run/mod.ts"
import { METHODS, READERS } from "../../../plugins/all/mod.ts"

const read = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(`../../../examples/${name}`, import.meta.url)))
const good = { model: { path: "m" }, data: { path: "d.csv" }, methods: [{ method: "lora" }], output: "out" }

/** Every fault of a run file. */
const problems = async (content: unknown) => {
  const error = await Effect.runPromise(Effect.flip(decodeRunFile(content, "espalier.json", METHODS)))
  assertEquals([error._tag, error.reason, error.file], ["RunFileError", "Content", "espalier.json"])
  assertEquals(error.message, ["espalier.json:", ...error.problems].join("\n  "))
  return error.problems
}

Deno.test("the schema for editors is made from the tables that check: deno task schema", () => {
  assertEquals(read("espalier.schema.json"), JSON.parse(JSON.stringify(runSchema(METHODS, READERS))))
})

Deno.test("the example is a run file, and so is the least one", async () => {
  const plain = { ...good, data: { path: "d", text: "t" }, task: "masked-lm" }
  const head = { ...good, model: { path: "m", head: "new" }, data: { path: "d", labels: ["no", "yes"] } }
  const packed = { ...good, data: { path: "d.txt" }, training: { packing: true } }
  const several = {
    ...good,
    data: undefined,
    tasks: { a: { data: good.data }, b: { data: good.data, task: "regression" } },
  }
  const old = { ...good, retain: { before: { path: "o.csv" } }, replay: { old: { path: "o.csv", text: "t" } } }
  const oldTask = { ...several, retain: { b: { path: "o.csv" } } }
  for (const content of [read("espalier.json"), good, plain, head, packed, several, old, oldTask]) {
    await Effect.runPromise(decodeRunFile(content, "espalier.json", METHODS))
  }
})

Deno.test("what a run file must not say is named, with its place and the nearest known name", async () => {
  const several = (tasks: unknown) => ({ ...good, data: undefined, tasks })
  const methods = (...methods: unknown[]) => ({ ...good, methods })
  const cases: ReadonlyArray<readonly [unknown, ...string[]]> = [
    [null, "it must be an object, got null"],
    [[], "it must be an object, got []"],
    [
      {},
      "model is missing; it must be an object",
      "methods is missing; it must be a list of at least 1",
      "output is missing; it must be a text",
    ],
    [{ ...good, trainig: {} }, `unknown option "trainig"; the nearest known one is "training"`],
    [{ ...good, model: { pth: "m", path: "m" } }, `unknown option "model.pth"; the nearest known one is "path"`],
    [
      { ...good, model: { path: "m", head: "fresh" } },
      `model.head must be "stored" or "new", got "fresh"`,
    ],
    [{ ...good, data: { path: "d", labels: "a,b" } }, `data.labels must be a list of at least 2, got "a,b"`],
    [{ ...good, seed: "42" }, `seed must be a whole number from 0, got "42"`],
    [{ ...good, seed: 1.5 }, `seed must be a whole number from 0, got 1.5`],
    [
      { ...good, task: "ranking" },
      `task must be "classification", "token-classification", "multi-label-classification", "regression", ` +
      `"causal-lm", "masked-lm", "seq2seq" or "span-corruption", got "ranking"`,
    ],
    [{ ...good, data: { path: "d", test: 2 } }, "data.test must be a number from 0 and below 1, got 2"],
    [
      { ...good, training: { runFolder: "x" } },
      `unknown option "training.runFolder"; the nearest known one is "optimizer"`,
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
    [
      { ...good, data: { path: "d", validation: 0 }, training: { patience: 2 } },
      "patience counts evaluations of validation rows, and validation is 0: change one of them",
    ],
    [
      { ...good, training: { patience: 2, evaluateEvery: "never" } },
      'patience counts evaluations, and evaluateEvery is "never": change one of them',
    ],
    [
      { ...good, training: { packing: true } },
      "training.packing is for plain texts of causal-lm or span-corruption, and data is of text and label: leave packing out",
    ],
    [
      { ...good, data: { path: "d.csv", prompt: "p", completion: "c" }, training: { packing: true } },
      "training.packing is for plain texts of causal-lm or span-corruption, and data is of prompt and completion: leave packing out",
    ],
    [{ ...good, data: undefined }, "data is missing: give it, or tasks with data of their own"],
    [
      { ...several({ spam: { data: { path: "d.csv" } } }), task: "classification", data: { path: "d.csv" } },
      "data is for a run of one task, and there are tasks: put it into one of them",
      "task is for a run of one task, and there are tasks: put it into one of them",
      'tasks must be two or more, got ["spam"]: of one task, give data and task in their place',
    ],
    [several({}), "tasks must be two or more, got []: of one task, give data and task in their place"],
    [
      several({ a: {}, b: { data: { path: "d", txt: "t" }, kind: "regression" } }),
      `tasks["a"].data is missing; it must be an object`,
      `unknown option "tasks["b"].data.txt"; the nearest known one is "text"`,
      `unknown option "tasks["b"].kind"; the nearest known one is "data"`,
    ],
    [
      several({ "a b": { data: { path: "d" } }, c: { data: { path: "d" } } }),
      `a name in tasks must be letters, digits, dashes and underscores, got "a b"`,
    ],
    [
      {
        ...several({
          a: { data: { path: "d", labels: ["x", "y"], validation: 0 }, task: "regression" },
          b: { data: { path: "d", validation: 0 } },
        }),
        training: { patience: 1 },
      },
      'tasks["a"].data: labels is for classification, token-classification, multi-label-classification, not for ' +
      "regression: leave it out",
      "patience counts evaluations of validation rows, and validation is 0: change one of them",
    ],
    [
      { ...good, retain: { old: { path: "o", test: 0.5 } }, replay: { new: { path: "o", prompt: "p", text: "t" } } },
      `unknown option "retain["old"].test"; the nearest known one is "text"`,
    ],
    [
      { ...good, replay: { new: { path: "o", prompt: "p", text: "t" } } },
      'replay names "new", as the rows of data are named: take another name',
      'replay["new"].data: text beside prompt: name columns of one kind',
    ],
    [
      {
        ...several({ a: { data: good.data }, b: { data: good.data, task: "regression" } }),
        retain: { c: { path: "o" } },
        replay: { b: { path: "o" } },
      },
      'retain names "c", and the tasks are a, b: name one of them',
      "replay is for a run of one task, and there are tasks: make its rows a task of their own",
    ],
    [methods(), "methods must be a list of at least 1, got []"],
    [
      methods({ method: "lorra" }),
      `methods[0].method must be "lora", "quantization", "qlora", "qa-lora", "adapters", "prefix-tuning", "prompt-tuning", "multitask", "curriculum", "distill", "replay", "elastic-weights" or "differential-privacy", got "lorra"`,
    ],
    [
      methods({ r: 8 }),
      `methods[0].method is missing; it must be "lora", "quantization", "qlora", "qa-lora", "adapters", "prefix-tuning", "prompt-tuning", "multitask", "curriculum", "distill", "replay", "elastic-weights" or "differential-privacy"`,
    ],
    [
      methods({ method: "adapters" }, { method: "qa-lora" }),
      'methods[1] is qa-lora, which needs the method quantization: add { "method": "quantization" }',
    ],
    [methods("lora"), `methods[0] must be an object with a method, got "lora"`],
    [
      methods({ method: "lora", loraAlhpa: 3 }, { method: "prefix-tuning", r: 3 }),
      `unknown option "methods[0].loraAlhpa"; the nearest known one is "loraAlpha"`,
      `unknown option "methods[1].r"; the nearest known one is "name"`,
    ],
    [methods({ method: "lora", r: 0 }), "methods[0].r must be a whole number from 1, got 0"],
    [
      methods({ method: "lora", rankPattern: { a: "4" } }),
      `methods[0].rankPattern["a"] must be a whole number from 1, got "4"`,
    ],
    [
      methods({ method: "lora", initLoraWeights: "pisa" }),
      `methods[0].initLoraWeights must be true, false, "gaussian", "orthogonal", "pissa", "pissa_niter_N" or "olora", got "pisa"`,
    ],
    [
      methods({ method: "adapters", scaling: "learnt" }),
      `methods[0].scaling must be a number other than 0 or "learned" or "channel", got "learnt"`,
    ],
    [
      methods(JSON.parse(`{ "method": "lora", "__proto__": {} }`)),
      `unknown option "methods[0].__proto__"; the nearest known one is "method"`,
    ],
  ]
  for (const [content, ...expected] of cases) assertEquals(await problems(content), expected)
})

Deno.test("every field of the schema has words for people", () => {
  const walk = (place: string, node: Record<string, unknown>): void => {
    for (const [name, field] of Object.entries((node.properties ?? {}) as Record<string, Record<string, unknown>>)) {
      assert(typeof field.description === "string", `${place}.${name}`)
      walk(`${place}.${name}`, field)
    }
    for (const inner of (node.anyOf ?? []) as Array<Record<string, unknown>>) walk(place, inner)
    if (typeof node.items === "object") walk(`${place}[]`, node.items as Record<string, unknown>)
    if (node.properties !== undefined) assertEquals(node.additionalProperties, false, place)
  }
  walk("", runSchema(METHODS, READERS))
})

Deno.test("streams, several files and groups of people: what is wrong", async () => {
  const of = (data: object, more: object = {}) => problems({ ...good, data: { path: "d.jsonl", ...data }, ...more })
  assertEquals(await of({ stream: true, validation: 0, test: 0 }), [
    "data.stream is true, and no rows are held out to judge by: give validation or test a share",
  ])
  const tasks = { a: { data: { path: "a.jsonl", stream: true } }, b: { data: good.data } }
  assertEquals(await problems({ ...good, data: undefined, tasks }), [
    'tasks["a"].data.stream is for a run of one task: leave it out',
  ])
  assertEquals((await of({ stream: true, window: 0 }))[0], "data.window must be a whole number from 1, got 0")
  assertEquals((await of({ path: [] })).length, 1)
  assertEquals((await of({}, { balance: { age: { young: [] } } })).length, 1)
  const right = {
    ...good,
    data: { path: ["a-*.jsonl", "b.parquet"], stream: true },
    balance: { age: { a: ["x"], b: ["y"] } },
  }
  assertEquals(await Effect.runPromise(decodeRunFile(right, "espalier.json", METHODS)), right as never)
})
