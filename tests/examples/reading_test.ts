import * as NodePath from "@effect/platform-node/NodePath"
import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { columnsOf } from "../../examples/_columns.ts"
import { readingOf } from "../../examples/_reading.ts"
import { decodeRunFile, settingsOf } from "../../examples/run_file.ts"

const none = {
  format: Option.none(),
  delimiter: Option.none(),
  quotes: Option.none(),
  header: Option.none(),
  encoding: Option.none(),
}

Deno.test("flags say how a file is read; a tab has a word", () => {
  assertEquals(readingOf(none, "a.tsv"), {})
  assertEquals(readingOf(none, "data/sms_spam.tsv"), { quotes: "none" })
  const flags = {
    ...none,
    delimiter: Option.some("tab"),
    quotes: Option.some("none" as const),
    header: Option.some("text, label"),
  }
  assertEquals(readingOf(flags, "a.tsv"), { delimiter: "\t", quotes: "none", header: ["text", "label"] })
  assertEquals(readingOf({ ...none, delimiter: Option.some("\\t"), encoding: Option.some("shift_jis") }, "a.csv"), {
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
  const settings = await Effect.runPromise(
    decodeRunFile(content, "run.json").pipe(
      Effect.flatMap((run) => settingsOf(run, "run.json", { resume: false, overwrite: false, trace: false })),
      Effect.provide(NodePath.layer),
    ),
  )
  assertEquals([settings.columns, settings.reading], [{ text: "a", label: "b" }, reading])
})

Deno.test("the format that is said, not the extension, decides whether there are labels", () => {
  assertEquals(columnsOf("train.dat", undefined, {}, "text"), { text: "text" })
  assertEquals(columnsOf("train.txt", undefined, {}, "tsv"), { text: "text", label: "label" })
})
