import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import { encodeTensors } from "../../../plugins/peft_format/tensors.ts"
import { distance, fixture } from "../../support/model_layer.ts"

const run = <A, E>(effect: Effect.Effect<A, E, never>) => Effect.runPromise(effect)
const read = (path: string) => decodeAllTensors(Deno.readFileSync(path), path)

Deno.test("a soup of bottleneck adapters is the average of their parameters, heads too; other configs are refused", async () => {
  const output = await Deno.makeTempDir()
  try {
    const soup = (adapters: ReadonlyArray<{ directory: string; weight?: number }>, to = "out") =>
      Adapters.soup({ adapters, output: `${output}/${to}` }).pipe(Effect.provide(NodeFileSystem.layer))
    const [one, two] = [fixture("adapters/bert_seq_bn"), `${output}/two`]
    await Deno.mkdir(two)
    const config = await Deno.readTextFile(`${one}/adapter_config.json`)
    await Deno.writeTextFile(`${two}/adapter_config.json`, config.replace('"name": "a"', '"name": "b"'))
    await Deno.copyFile(`${one}/head_config.json`, `${two}/head_config.json`)
    for (const file of ["adapter.safetensors", "model_head.safetensors"]) {
      const moved = [...read(`${one}/${file}`)].map(([name, { shape, data }]) =>
        [name.replace(".adapters.a.", ".adapters.b."), { shape, data: data.map((value) => value + 1) }] as const
      )
      await Deno.writeFile(`${two}/${file}`, encodeTensors(new Map(moved)))
    }
    const { worst } = await run(soup([{ directory: one, weight: 0.25 }, { directory: two, weight: 0.75 }]))
    assert(worst.error < 1e-6)
    for (const file of ["adapter.safetensors", "model_head.safetensors"]) {
      const [before, after] = [read(`${one}/${file}`), read(`${output}/out/${file}`)]
      assertEquals([...after.keys()].sort(), [...before.keys()].sort())
      for (const [name, { data }] of before) {
        assert(distance(after.get(name)!.data, data.map((value) => value + 0.75)) < 1e-6, name)
      }
    }
    // Where one has no head there is none.
    await Deno.remove(`${two}/model_head.safetensors`)
    const kept = await run(Effect.flip(soup([{ directory: one }, { directory: two }])))
    assertStringIncludes(kept.message, "holds other files, which would be deleted")
    await run(soup([{ directory: one }, { directory: two }], "headless"))
    assertEquals([...Deno.readDirSync(`${output}/headless`)].map(({ name }) => name).sort(), [
      "adapter.safetensors",
      "adapter_config.json",
    ])
    const error = await run(Effect.flip(soup([{ directory: one }, { directory: fixture("adapters/bert_par_bn") }])))
    assertEquals(error._tag, "SoupError")
    assertStringIncludes(error.message, "mhAdapter is true in")
  } finally {
    await Deno.remove(output, { recursive: true })
  }
})
