/**
 * Models that bitsandbytes quantized, beside the logits of transformers on them.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Model, Task } from "@espalier/espalier"
import * as Lora from "@espalier/espalier/lora"
import * as Quantization from "@espalier/espalier/quantization"
import { computedLogits } from "../files.ts"
import { distance, failureOf, run } from "./support.ts"

const fixtures = new URL("../../fixtures/bitsandbytes/", import.meta.url)

interface Recorded {
  readonly tokens: ReadonlyArray<number>
  readonly quantized: ReadonlyArray<number>
  readonly base: ReadonlyArray<number>
}

const recorded = (name: string): Recorded => JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, fixtures)))
const load = (directory: string) => Model.load(directory, { task: Task.causalLM() })
const pathOf = (name: string) => new URL(name, fixtures).pathname

const storageOf = ({ parameters }: Model.Model, end: string) => {
  const { storage } = parameters.find(({ key }) => key.endsWith(`${end}.weight`))!.slot
  return typeof storage === "object" ? storage.name : storage
}

/** Runs with a copy of a fixture whose file is changed. */
async function changed(
  name: string,
  change: (bytes: Uint8Array, header: Record<string, { data_offsets: [number, number] }>, start: number) => void,
  use: (directory: string) => Promise<void>,
  config: object = {},
): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    const bytes = await Deno.readFile(`${pathOf(name)}/model.safetensors`)
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    change(bytes, JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))), 8 + length)
    await Deno.writeFile(`${directory}/model.safetensors`, bytes)
    const own = JSON.parse(await Deno.readTextFile(`${pathOf(name)}/config.json`))
    await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify({ ...own, ...config }))
    await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

for (const [name, encoding] of [["nested", "nf4_64_double"], ["plain_scales", "nf4_64"]] as const) {
  Deno.test(`a model with ${name} has the logits of transformers, its codes as they are in memory`, async () => {
    const { tokens, quantized, base } = recorded(name)
    assert(distance(quantized, base) > 0.3, "quantizing changed what is compared")
    await run(
      Effect.gen(function* () {
        const model = yield* load(pathOf(name))
        assertEquals(storageOf(model, "q_proj"), encoding)
        assertEquals(storageOf(model, "down_proj"), "f32", "rows are no whole blocks")
        assertEquals(model.encoded, [], "nothing was quantized again")
        const off = distance(yield* computedLogits(model, tokens), quantized)
        assert(off < 1e-4, `logits are off by ${off}`)
        assert(model.notes.some((note) => note.includes(`6 weights in ${encoding}`)), model.notes.join("\n"))
      }),
      name === "nested" ? Quantization.fromCheckpoint() : Quantization.layer({ format: "stored" }),
    )
  })
}

Deno.test("the comparison sees exchanged codes, and scales that are not added to the offset", async () => {
  const { tokens, quantized } = recorded("nested")
  const changes: ReadonlyArray<Parameters<typeof changed>[1]> = [
    (bytes, header, start) => {
      const [from, to] = header["model.layers.0.self_attn.v_proj.weight"].data_offsets
      for (let i = start + from; i < start + to; i++) bytes[i] = bytes[i] << 4 | bytes[i] >> 4
    },
    (bytes, header, start) => {
      const [from] = header["model.layers.0.mlp.gate_proj.weight.quant_state.bitsandbytes__nf4"].data_offsets
      const [, to] = header["model.layers.0.mlp.gate_proj.weight.quant_state.bitsandbytes__nf4"].data_offsets
      const text = new TextDecoder().decode(bytes.subarray(start + from, start + to))
      const other = text.replace(/"nested_offset": 0\./, '"nested_offset": 1.')
      assert(other !== text)
      bytes.set(new TextEncoder().encode(other), start + from)
    },
  ]
  for (const change of changes) {
    await changed("nested", change, async (directory) => {
      const off = await run(
        Effect.flatMap(load(directory), (model) => computedLogits(model, tokens)).pipe(
          Effect.map((logits) => distance(logits, quantized)),
        ),
        Quantization.fromCheckpoint(),
      )
      assert(off > 1e-2, `logits are off by ${off}`)
    })
  }
})

Deno.test("adapters train beside the codes; a model without a method is plain and trains whole", async () => {
  const { tokens, quantized } = recorded("nested")
  const layers = Layer.mergeAll(Quantization.fromCheckpoint(), Lora.layer({ r: 2, targetModules: "all-linear" }))
  const model = await run(Effect.map(load(pathOf("nested")), ({ parameters }) => parameters), layers)
  assert(model.every(({ owner, trainable }) => trainable === (owner !== "base")))
  await run(
    Effect.gen(function* () {
      const model = yield* load(pathOf("nested"))
      assertEquals(storageOf(model, "q_proj"), "f32")
      assert(model.parameters.every(({ trainable }) => trainable))
      assert(distance(yield* computedLogits(model, tokens), quantized) < 1e-4)
      const directory = yield* Effect.promise(() => Deno.makeTempDir())
      yield* Model.saveCheckpoint(model, directory)
      const config = JSON.parse(yield* Effect.promise(() => Deno.readTextFile(`${directory}/config.json`)))
      assertEquals(config.quantization_config, undefined, "what is saved is plain")
      yield* Effect.promise(() => Deno.remove(directory, { recursive: true }))
    }),
    Layer.empty as Layer.Layer<never>,
  )
})

Deno.test("plain weights and weights of other formats are told from what is asked for", async () => {
  const says = (message: string, wanted: RegExp) => assert(wanted.test(message), message)
  says(
    await failureOf(load(pathOf("nested")), Quantization.fromCheckpoint({ groups: true })),
    /PluginError: .*6 weights in nf4_64_double, whose numbers are not scale \* q \+ offset.*Q4_1/,
  )
  const directory = await Deno.makeTempDir()
  try {
    await run(
      Effect.flatMap(load(pathOf("nested")), (model) => Model.saveCheckpoint(model, directory)),
      Layer.empty as Layer.Layer<never>,
    )
    says(await failureOf(load(directory), Quantization.fromCheckpoint()), /hold no weights in blocks/)
    const config = JSON.parse(await Deno.readTextFile(`${directory}/config.json`))
    const quantization_config = { quant_method: "bitsandbytes", load_in_4bit: true }
    await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify({ ...config, quantization_config }))
    const notes = await run(Effect.map(load(directory), ({ notes }) => notes), Lora.layer({ r: 2 }))
    says(notes.join("\n"), /asks for 4 bits \(quantization_config\), the files hold plain numbers/)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("files that are not as they should be are typed errors", async () => {
  const says = (message: string, wanted: RegExp) => assert(wanted.test(message), message)
  const replaced = (from: string, to: string) => (bytes: Uint8Array) => {
    const text = new TextDecoder("latin1").decode(bytes)
    assert(text.includes(from) && from.length === to.length)
    for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + 1)) {
      for (let i = 0; i < to.length; i++) bytes[at + i] = to.charCodeAt(i)
    }
  }
  const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
    [
      "quant_state.bitsandbytes__nf4",
      "quant_state.bitsandbytes__fp4",
      /SafetensorsError: .*quantized as fp4; .* nf4 is read/,
    ],
    ['"quant_type": "nf4"', '"quant_type": "nfx"', /quant_state of .* has quant_type "nfx" in place of "nf4"/],
    ['"blocksize": 64', '"blocksize": 32', /says \[64,96\] in blocks of 32, so ".*absmax" has 192 bytes, not 96/],
    [
      '"shape": [64, 64]',
      '"shape": [64, 65]',
      /says \[64,65\] .*"model.layers.0.self_attn\.o_proj\.weight" has 2080 bytes/,
    ],
    ["q_proj.weight.absmax", "q_proj.weight.absmux", /q_proj.weight" lacks .*q_proj.weight.absmax"/],
    ['{"quant_type"', '["quant_type"', /quant_state of .* is no JSON object/],
  ]
  for (const [from, to, wanted] of cases) {
    await changed("nested", replaced(from, to), async (directory) => {
      says(await failureOf(load(directory), Quantization.fromCheckpoint()), wanted)
    })
  }
})
