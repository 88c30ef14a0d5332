/**
 * Weight maps of families that are made up, against public exports alone: fused, transposed, joined and tied tensors, from
 * files into a model and back.
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Families, Model, type ModuleNode, type Network, ops, Plugins, Task, Weights } from "../../../mod.ts"
import { blocks as made, decodeTensors, encodeTensors, type FileTensor } from "../../../plugins/authoring/mod.ts"
import { writeSafetensors } from "../../../core/formats/safetensors/safetensors_writer.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { failure, run } from "../../support/model_layer.ts"
import { inDirectory } from "../../plugins/files.ts"

const [WIDTH, WIDE, VOCABULARY] = [4, 6, 5]
const std = 0.1
const project = (path: string, outFeatures: number, inFeatures = WIDTH) =>
  made.linear({ path, inFeatures, outFeatures, bias: true, std })

/** A family of two blocks; what its files call their parts is up to the map. */
function familyOf(modelType: string, parts: (block: string) => ReadonlyArray<ModuleNode>, weights: Weights.WeightMap) {
  return Families.family({
    modelTypes: [modelType],
    attention: "causal",
    build: (): Network => {
      const table = made.embedding({ path: "embed", rows: VOCABULARY, width: WIDTH, std })
      const head = made.linear({ path: "head", inFeatures: WIDTH, outFeatures: VOCABULARY, std, outputHead: true })
      const node = { kind: "Block", sizes: { hiddenSize: WIDTH }, parameters: {}, outputHead: false }
      const blocks = [0, 1].map((i) => ({ ...node, path: `blocks.${i}`, children: parts(`blocks.${i}`) }))
      return {
        root: { ...node, path: "", kind: "Model", children: [table, ...blocks, head] },
        forward: (scope, { tokens }) => {
          const hidden = scope.call(table, tokens)
          return { hidden, logits: scope.call(head, ops.mul(hidden, 2)) }
        },
        maxPositions: 8,
        vocabSize: VOCABULARY,
        weights,
        defaultTargets: [],
        architecture: "MadeUp",
        notes: [],
      }
    },
  })
}

/** GPT-2's layout: matrices [in, out], queries, keys and values in one; an output tied to a table of another name. */
const fused = familyOf(
  "made-up-fused",
  (block) => [
    ...["q", "k", "v"].map((name) => project(`${block}.${name}`, WIDTH)),
    project(`${block}.up`, WIDE),
    project(`${block}.down`, WIDTH, WIDE),
  ],
  [
    { stored: "transformer.*", names: "*", legacy: true },
    { stored: "wte.weight", names: ["embed.weight", "head.weight"] },
    ...["weight", "bias"].map((name) => ({
      stored: `h.*.attn.c_attn.${name}`,
      names: ["q", "k", "v"].map((part) => `blocks.*.${part}.${name}`),
      transform: name === "bias"
        ? Weights.split(0, [WIDTH, WIDTH, WIDTH])
        : Weights.chain(Weights.split(1, [WIDTH, WIDTH, WIDTH]), Weights.transpose),
    })),
    ...[["c_fc", "up"], ["c_proj", "down"]].flatMap(([stored, own]) => [
      { stored: `h.*.mlp.${stored}.weight`, names: `blocks.*.${own}.weight`, transform: Weights.transpose },
      { stored: `h.*.mlp.${stored}.bias`, names: `blocks.*.${own}.bias` },
    ]),
    { stored: "h.*.attn.bias", names: [] },
  ],
)
/** ModernBERT's layout the other way around: the model has one product, files keep its three parts. */
const joined = familyOf("made-up-joined", (block) => [project(`${block}.Wqkv`, 2 * WIDTH + WIDE)], [
  ...["weight", "bias"].map((name) => ({
    stored: ["query", "key", "value"].map((part) => `layers.*.${part}.${name}`),
    names: `blocks.*.Wqkv.${name}`,
    transform: Weights.join(0, [WIDTH, WIDTH, WIDE]),
  })),
  { stored: "head.*", names: "head.*", optional: true },
])

const filled = (shape: ReadonlyArray<number>, seed: number): FileTensor => {
  const size = shape.reduce((a, b) => a * b, 1)
  return { shape, data: Float32Array.from({ length: size }, (_, i) => 100 * seed + i) }
}
const filesOf = (names: Readonly<Record<string, ReadonlyArray<number>>>) =>
  new Map(
    [0, 1].flatMap((block) => Object.entries(names).map(([name, shape]) => [name.replace("*", `${block}`), shape]))
      .map(([name, shape], i) => [name as string, filled(shape as ReadonlyArray<number>, i + 1)]),
  )
const fusedFiles = filesOf({
  "wte.weight": [VOCABULARY, WIDTH],
  "h.*.attn.c_attn.weight": [WIDTH, 3 * WIDTH],
  "h.*.attn.c_attn.bias": [3 * WIDTH],
  "h.*.mlp.c_fc.weight": [WIDTH, WIDE],
  "h.*.mlp.c_fc.bias": [WIDE],
  "h.*.mlp.c_proj.weight": [WIDE, WIDTH],
  "h.*.mlp.c_proj.bias": [WIDTH],
})
const joinedFiles = filesOf({
  "embed.weight": [VOCABULARY, WIDTH],
  "head.weight": [VOCABULARY, WIDTH],
  ...Object.fromEntries(
    [["query", WIDTH], ["key", WIDTH], ["value", WIDE]].flatMap(([part, size]) => [
      [`layers.*.${part}.weight`, [size as number, WIDTH]],
      [`layers.*.${part}.bias`, [size as number]],
    ]),
  ),
})

const write = (directory: string, modelType: string, tensors: ReadonlyMap<string, FileTensor>) => {
  Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ model_type: modelType }))
  Deno.writeFileSync(`${directory}/model.safetensors`, encodeTensors(tensors))
}
/** Loads files; gives the model's values by key, and the tensors that saving writes, which must be those expected. */
const throughModel = (
  family: typeof fused,
  modelType: string,
  tensors: ReadonlyMap<string, FileTensor>,
  expected = tensors,
) => {
  const result = { values: new Map<string, FileTensor>(), saved: new Map<string, FileTensor>() }
  return inDirectory((directory) =>
    run(
      Effect.gen(function* () {
        write(directory, modelType, tensors)
        const model = yield* Model.load(directory, { task: Task.causalLM() })
        for (const { parameter: { key, shape }, data } of yield* Model.readParameters(model, model.parameters)) {
          result.values.set(key, { shape, data })
        }
        yield* Model.saveCheckpoint(model, `${directory}/saved`)
        const file = `${directory}/saved/model.safetensors`
        const wanted = new Map([...expected].map(([name, { shape }]) => [name, shape]))
        for (const [name, data] of decodeTensors(Deno.readFileSync(file), wanted, file)) {
          result.saved.set(name, { shape: wanted.get(name)!, data })
        }
      }),
      family,
    )
  ).then(() => result)
}
const plain = (tensors: ReadonlyMap<string, FileTensor>) =>
  Object.fromEntries([...tensors].sort().map(([name, { shape, data }]) => [name, [[...shape], [...data]]]))

Deno.test("parts of several number formats join in f32; of one, in that", () => {
  const memory = memoryBackend()
  const kept = new Map<string, unknown>()
  const backend: MemoryBackend = {
    ...memory,
    allocate: (name, shape, dtype, storage) => {
      kept.set(name, storage)
      return memory.allocate(name, shape, dtype, storage)
    },
  }
  const frozen = Layer.effectDiscard(
    Effect.flatMap(Plugins.Plugins, (plugins) => plugins.register({ id: "t/none", trains: () => false })),
  )
  return inDirectory((directory) =>
    run(
      Effect.gen(function* () {
        const dtypes = { query: "BF16", key: "F32", value: "F16" } as const
        const files = [...joinedFiles].map(([name, { shape, data }]) => {
          const dtype = name.startsWith("layers.0.") ? dtypes[name.split(".")[2] as keyof typeof dtypes] : "BF16"
          return { name, shape, dtype, read: () => Promise.resolve(data) }
        })
        Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ model_type: "made-up-joined" }))
        yield* writeSafetensors(`${directory}/model.safetensors`, files, { format: "pt" })
        const model = yield* Model.load(directory, { task: Task.causalLM() })
        assertEquals([0, 1].map((block) => kept.get(`blocks.${block}.Wqkv.weight`)), ["f32", "bf16"])
        const { slot } = model.parameters.find(({ key }) => key === "blocks.0.Wqkv.weight")!
        const part = yield* Effect.promise(() => model.backend.read(slot))
        assertEquals(part.subarray(WIDTH * WIDTH, 2 * WIDTH * WIDTH), joinedFiles.get("layers.0.key.weight")!.data)
      }),
      Layer.merge(joined, frozen),
      backend,
    )
  )
})

Deno.test("a fused and transposed projection loads in parts, and is saved as it was", async () => {
  const { values, saved } = await throughModel(fused, "made-up-fused", fusedFiles)
  assertEquals(plain(saved), plain(fusedFiles))
  const whole = fusedFiles.get("h.1.attn.c_attn.weight")!.data
  for (const [part, name] of ["q", "k", "v"].entries()) {
    const { shape, data } = values.get(`blocks.1.${name}.weight`)!
    assertEquals(shape, [WIDTH, WIDTH])
    for (let row = 0; row < WIDTH; row++) {
      for (let column = 0; column < WIDTH; column++) {
        assertEquals(data[row * WIDTH + column], whole[column * 3 * WIDTH + part * WIDTH + row])
      }
    }
  }
  assertEquals([...values.keys()].filter((key) => key.startsWith("head")), [])
})

Deno.test("an old spelling is read and not written; a tensor that the model has no use for is passed over", async () => {
  const old = new Map([...fusedFiles].map(([name, tensor]) => [`transformer.${name}`, tensor]))
  old.set("transformer.h.0.attn.bias", filled([1, 1], 9))
  assertEquals(plain((await throughModel(fused, "made-up-fused", old, fusedFiles)).saved), plain(fusedFiles))
})

Deno.test("parts of files load as one product, and are saved as parts; a head may be missing", async () => {
  const { values, saved } = await throughModel(joined, "made-up-joined", joinedFiles)
  assertEquals(plain(saved), plain(joinedFiles))
  const parts = ["query", "key", "value"].flatMap((part) => [...joinedFiles.get(`layers.0.${part}.weight`)!.data])
  assertEquals([...values.get("blocks.0.Wqkv.weight")!.data], parts)
  const headless = new Map([...joinedFiles].filter(([name]) => name !== "head.weight"))
  assertEquals((await throughModel(joined, "made-up-joined", headless, joinedFiles)).values.has("head.weight"), true)
})

Deno.test("tensors that do not fit a map are errors that name them", () =>
  inDirectory(async (directory) => {
    const refused = async (family: typeof fused, modelType: string, tensors: ReadonlyMap<string, FileTensor>) => {
      write(directory, modelType, tensors)
      return (await failure(Model.load(directory, { task: Task.causalLM() }), family)).message
    }
    const wide = new Map(fusedFiles).set("h.0.attn.c_attn.weight", filled([WIDTH, 3 * WIDTH + 1], 1))
    assertStringIncludes(
      await refused(fused, "made-up-fused", wide),
      '"h.0.attn.c_attn.weight" is [4,13]; axis 1 must be 4 + 4 + 4 = 12',
    )
    const flat = new Map(fusedFiles).set("h.0.mlp.c_fc.weight", filled([WIDTH * WIDE], 1))
    assertStringIncludes(await refused(fused, "made-up-fused", flat), "only a matrix can be transposed")
    const lacking = new Map([...joinedFiles].filter(([name]) => name !== "layers.1.key.bias"))
    const message = await refused(joined, "made-up-joined", lacking)
    assertStringIncludes(message, "missing (1): blocks.1.Wqkv.bias")
    assertStringIncludes(message, "unexpected (2): layers.1.query.bias, layers.1.value.bias")
  }))

Deno.test("a format of weights from outside is found by what a directory holds, and read through the map", () =>
  inDirectory(async (directory) => {
    // One JSON file with shapes and numbers.
    const json: Weights.CheckpointFormat = {
      name: "json",
      detect: (path) => Effect.sync(() => [...Deno.readDirSync(path)].some(({ name }) => name === "weights.json")),
      open: (path) =>
        Effect.sync(() => {
          const stored: Record<string, [number[], number[]]> = JSON.parse(Deno.readTextFileSync(`${path}/weights.json`))
          return new Map(
            Object.entries(stored).map(([name, [shape, data]]) => [
              name,
              { name, shape, dtype: "F32" as const, read: () => Promise.resolve(Float32Array.from(data)) },
            ]),
          )
        }),
    }
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ model_type: "made-up-fused" }))
    Deno.writeTextFileSync(`${directory}/weights.json`, JSON.stringify(plain(fusedFiles)))
    const task = Task.causalLM()
    const valuesOf = (path: string) =>
      Effect.map(
        Effect.flatMap(Model.load(path, { task }), (model) => Model.readParameters(model, model.parameters)),
        (values) => values.map(({ parameter: { key }, data }) => [key, [...data]]),
      )
    const none = await failure(Model.load(directory, { task }), fused)
    assertStringIncludes(none.message, "holds neither model.safetensors nor model.safetensors.index.json")
    const found = await run(valuesOf(directory), Layer.merge(fused, Families.format(json)))
    await Deno.mkdir(`${directory}/safetensors`)
    write(`${directory}/safetensors`, "made-up-fused", fusedFiles)
    assertEquals(found, await run(valuesOf(`${directory}/safetensors`), fused))
    const twice = await failure(valuesOf(directory), Layer.merge(Families.format(json), Families.format({ ...json })))
    assertStringIncludes(twice.message, 'Two formats of weights are called "json"')
  }))
