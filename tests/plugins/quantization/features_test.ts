/**
 * The table "Weights quantized while they are loaded" of `FEATURES.md`.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { Model, Task } from "@espalier/espalier"
import * as Quantization from "@espalier/espalier/quantization"
import { run, withModel } from "./support.ts"

const text = await Deno.readTextFile(new URL("../../../FEATURES.md", import.meta.url))
const section = text.split("## Weights quantized while they are loaded")[1].split("\n## ")[0]
const rows = section.split("\n").filter((line) => line.startsWith("| ")).slice(2)
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

Deno.test("each format of the table is there, with its bits and offsets", async () => {
  const names = new Set(rows.map(([name]) => name.split(",")[0]))
  const { enum: known } = Quantization.options.format.anyOf![0]
  assertEquals([...names, "stored"], [...known!])
  await withModel(async (directory) => {
    for (const [name, bits, offsets] of rows) {
      const [format, own] = name.split(", ")
      const options = {
        format,
        ...(own === undefined ? {} : { bits: parseInt(own) }),
      } as Quantization.QuantizationOptions
      await run(
        Effect.gen(function* () {
          const model = yield* Model.load(directory, { task: Task.causalLM() })
          assert(model.encoded.length > 0 && model.encoded.every((one) => one.bits === Number(bits)), name)
          const affine = model.modules.flatMap(({ encodings = {} }) =>
            Object.values(encodings).map(({ affine }) => affine)
          )
          assertEquals(affine.length, model.encoded.length)
          assert(affine.every((one) => (one !== undefined) === (offsets === "yes")), name)
        }),
        Quantization.layer(options),
      )
    }
  })
})
