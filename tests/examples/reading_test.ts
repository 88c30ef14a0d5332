import * as NodePath from "@effect/platform-node/NodePath"
import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { columnsOf, decodeRunFile, resolveRun } from "../../core/run/mod.ts"
import { METHODS } from "../../examples/methods.ts"
import { specOf } from "../../examples/lora.ts"

const flags = (given: Record<string, unknown>) => {
  const { path: _, ...data } = specOf({ data: "a.tsv", ...given } as Parameters<typeof specOf>[0]).data
  return data
}

Deno.test("flags say how a file is read; a tab has a word", () => {
  assertEquals(flags({}), {})
  assertEquals(flags({ data: "data/sms_spam.tsv" }), { quotes: "none", text: "SMS", label: "Label" })
  assertEquals(flags({ data: "data/sms_spam.tsv", task: "causal-lm" }), { quotes: "none", text: "SMS" })
  assertEquals(flags({ data: "data/sms_spam.tsv", prompt: "SMS" }), { quotes: "none", prompt: "SMS" })
  assertEquals(flags({ delimiter: "tab", quotes: "none", header: ["text", "label"] }), {
    delimiter: "\t",
    quotes: "none",
    header: ["text", "label"],
  })
  assertEquals(flags({ data: "a.csv", delimiter: "\\t", encoding: "shift_jis" }), {
    delimiter: "\t",
    encoding: "shift_jis",
  })
})

Deno.test("a run file says the same, beside the columns", async () => {
  const reading = {
    format: "csv",
    delimiter: ";",
    quotes: "double",
    header: ["a", "b"],
    encoding: "windows-1252",
  } as const
  const content = {
    model: { path: "m" },
    data: { path: "d.dat", text: "a", label: "b", ...reading },
    methods: [{ method: "lora" }],
    output: "out",
  }
  const run = await Effect.runPromise(
    decodeRunFile(content, "run.json", METHODS).pipe(
      Effect.flatMap((spec) => resolveRun(spec, "files")),
      Effect.provide(NodePath.layer),
    ),
  )
  assertEquals([run.columns, run.reading], [{ text: "a", label: "b" }, reading])
  assertEquals([run.model.path, run.data, run.output], ["files/m", "files/d.dat", "files/out"])
  assertEquals([run.validation, run.test, run.seed, run.training.epochs], [0.1, 0.2, 42, 5])
})

Deno.test("the format that is said, not the extension, decides whether there are labels", () => {
  assertEquals(columnsOf("train.dat", undefined, {}, "text"), { text: "text" })
  assertEquals(columnsOf("train.txt", undefined, {}, "tsv"), { text: "text", label: "label" })
})
