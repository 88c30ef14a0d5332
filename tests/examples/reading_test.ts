import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { columnProblems } from "../../core/run/columns.ts"
import { columnsOf, decodeRunFile, resolveRun, runProblems } from "../../core/run/mod.ts"
import { METHODS } from "../../plugins/all/mod.ts"
import { Dataset } from "../../mod.ts"
import { specOf } from "../../examples/lora.ts"

const flags = (given: Record<string, unknown>) => {
  const { path: _, ...data } = specOf({ data: "a.tsv", ...given } as Parameters<typeof specOf>[0]).data!
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
  const columns = { text: "a", label: "b" }
  const one = { path: "files/d.dat", columns, chat: { possible: false }, reading, validation: 0.1, test: 0.2 }
  assertEquals(run.data, { one })
  assertEquals([run.model.path, run.output, run.seed, run.training.epochs], ["files/m", "files/out", 42, 5])
})

Deno.test("the format that is said, not the extension, decides whether there are labels", () => {
  assertEquals(columnsOf("train.dat", undefined, {}, "text"), { text: "text" })
  assertEquals(columnsOf("train.txt", undefined, {}, "tsv"), { text: "text", label: "label" })
})

Deno.test("a run says what stands between labels, and labels only where they mean something", () => {
  const task = "multi-label-classification"
  assertEquals(columnsOf("a.csv", task, { label: "tags", separator: "|" }), {
    text: "text",
    labels: "tags",
    separator: "|",
  })
  assertEquals(flags({ separator: ";", label: "tags" }), { separator: ";", label: "tags" })
  const classes = "classification, token-classification, multi-label-classification"
  assertEquals(columnProblems({ labels: ["a", "b"], label: "of" }, "regression"), [
    `data: labels is for ${classes}, not for regression: leave it out`,
  ])
  assertEquals(columnProblems({ labels: ["a", "b"], prompt: "p", separator: ";" }, undefined), [
    "data: separator is for multi-label-classification, not for causal-lm: leave it out",
    `data: labels is for ${classes}, not for causal-lm: leave it out`,
  ])
  assertEquals(columnProblems({ labels: ["a", "b"], separator: ";" }, task), [])
  assertEquals(columnProblems({ labels: ["a", "b"] }, undefined), [])
})

Deno.test("a run file can name a reader of another package", async () => {
  const rows: Dataset.Reader = {
    name: "rows",
    extensions: ["rows"],
    open: () => Effect.succeed(Stream.make({ rows: [{ text: "a" }] }, { rows: [{ text: "b" }] })),
  }
  const content = (format: string) => ({
    model: { path: "m" },
    data: { path: "d.dat", format },
    task: "causal-lm",
    methods: [{ method: "lora" }],
    output: "out",
  })
  assertEquals(runProblems(content("rows"), METHODS), [
    'data.format must be "csv", "tsv", "json", "jsonl" or "text", got "rows"',
  ])
  const data = await Effect.runPromise(
    decodeRunFile(content("rows"), "run.json", METHODS, [rows]).pipe(
      Effect.flatMap((spec) => resolveRun(spec, "", [rows])),
      Effect.flatMap(({ data }) => {
        assert("one" in data)
        return Dataset.file(data.one.path, data.one.columns, data.one.reading)
      }),
      Effect.provide([NodePath.layer, NodeFileSystem.layer]),
    ),
  )
  assertEquals(data.rows, [{ text: "a", row: 1 }, { text: "b", row: 2 }])
})
