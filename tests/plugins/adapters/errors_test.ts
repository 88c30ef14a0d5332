import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { encodeSafetensors, parseHeader } from "../../../core/formats/safetensors/safetensors.ts"
import { load, loadAdapters, readParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

const task = Task.classification(["LABEL_0", "LABEL_1", "LABEL_2"])
const loading = (base = "bert/classification") => load(fixture(base), { task })
type Options = Adapters.AdapterOptions | Adapters.AdapterSetup
const layerOf = (given: Options) => "type" in given ? Adapters.compose(given) : Adapters.layer(given)
/** The error that options lead to, before the model's weights are read. */
const refused = async (given: unknown): Promise<string> => {
  const error = await failure(loading(), layerOf(given as Options) as never)
  assertEquals(error._tag, "PluginError")
  return error.message
}

Deno.test("options that make no sense are errors that quote them", async () => {
  const cases: ReadonlyArray<readonly [Record<string, unknown>, string]> = [
    [{ reductionFactor: 0 }, "reductionFactor must be a number above 0, or such numbers by layer, got 0"],
    [{ reductionFactor: -4 }, "got -4"],
    [{ reductionFactor: "16" }, 'got "16"'],
    [{ reductionFactor: { 1: 0 } }, 'reductionFactor["1"] must be a number above 0, got 0'],
    [{ reductionFactor: { first: 2 } }, 'got "first"'],
    [{ reductionFactor: { 0: 2 } }, 'says nothing of layer 1; give it, or "default"'],
    [{ reducttionFactor: 4 }, 'unknown option "reducttionFactor"; the nearest known one is "reductionFactor"'],
    [{ config: "pfeiffer" }, 'config must be "seq_bn", "double_seq_bn", "par_bn" or "scaled_par_bn", got "pfeiffer"'],
    [{ nonLinearity: "rellu" }, 'got "rellu"'],
    [{ scaling: 0 }, "scaling must be"],
    [{ scaling: "channels" }, 'got "channels"'],
    [{ dropout: 1 }, "dropout must be a number from 0 and below 1, got 1"],
    [{ leaveOut: [-1] }, "leaveOut[0] must be a whole number from 0, got -1"],
    [{ leaveOut: [0, 1] }, "no module matches"],
    [{ initWeights: "houlsby" }, 'got "houlsby"'],
    [{ lnBefore: 1 }, "lnBefore must be true or false, got 1"],
    [{ residualBeforeLn: "pre_add" }, 'got "pre_add"'],
    [{ config: "double_seq_bn", residualBeforeLn: "post_add" }, "originalLnBefore must be true"],
    [{ outputAdapter: false }, "mhAdapter or outputAdapter must be true"],
    [{ name: "a/b" }, 'got "a/b"'],
  ]
  for (const [options, message] of cases) assertStringIncludes(await refused(options), message)
})

Deno.test("compositions that cannot work are errors", async () => {
  const { average, fuse, stack } = Adapters
  const [a, b] = [{ name: "a" }, { name: "b" }]
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [stack(), "children of Stack must be a list of adapters"],
    [average([a]), "children of Average must be at least two adapters, got 1"],
    [average([a, b], [1]), "weights must be 2 numbers, one for each adapter"],
    [average([a, b], [1, -1]), "a sum other than 0"],
    [average([a, b], [1, NaN]), "weights[1] must be a number, got NaN"],
    [average([a, fuse([a, b])] as never), "takes single adapters"],
    [stack(a, stack(b) as never), "a Stack cannot stand inside of a Stack"],
    [stack(a, a), 'two adapters are called "a"'],
    [stack(a, average([b, { ...a }])), 'two adapters are called "a"'],
    [fuse([a, { ...b, config: "double_seq_bn" }]), "adapters of one originalLnBefore"],
    [fuse([a, { ...b, mhAdapter: true }]), 'at the same places; "a" has none at "bert.encoder.layer.0.attention'],
    [fuse([{ ...a, config: "par_bn" }, { ...b, config: "par_bn" }]), "parallel adapters cannot be fused"],
    [average([a, { ...b, config: "par_bn" }]), "adapters of one isParallel"],
    [average([a, { ...b, leaveOut: [0] }]), '"b" has none at "bert.encoder.layer.0'],
    [fuse([a, b], { config: "static", regularization: true }), "regularization must be false"],
    [fuse([a, b], { dropoutProb: 1 }), "dropoutProb must be"],
    [{ ...fuse([a, b]), temperatur: true }, 'unknown option "temperatur"; the nearest known one is'],
    [{ type: "Split", children: [a, b] }, 'type must be "Stack", "Average" or "Fuse", got "Split"'],
  ]
  for (const [setup, message] of cases) assertStringIncludes(await refused(setup), message)
})

/** A copy of a fixture, changed. */
const changed = async <A>(
  name: string,
  change: (directory: string) => void,
  use: (directory: string) => Promise<A>,
) => {
  const directory = await Deno.makeTempDir()
  try {
    for (const { name: file, isFile } of Deno.readDirSync(fixture(`adapters/${name}`))) {
      if (isFile) Deno.copyFileSync(`${fixture(`adapters/${name}`)}/${file}`, `${directory}/${file}`)
    }
    change(directory)
    return await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}
/** With one field of the adapter's config set. */
const withField = (field: string, value: unknown) => (directory: string) => {
  const path = `${directory}/adapter_config.json`
  const record = JSON.parse(Deno.readTextFileSync(path))
  record.config[field] = value
  Deno.writeTextFileSync(path, JSON.stringify(record))
}
const reading = (directory: string) => failure(loading(), Adapters.fromAdapterHub(directory) as never)

Deno.test("files that are not what they must be are errors that say what to do", async () => {
  const cases: ReadonlyArray<readonly [(directory: string) => void, string, string]> = [
    [withField("reduction_factr", 2), "Unsupported", "reduction_factr is not known; the nearest is reduction_factor"],
    [withField("use_gating", true), "Unsupported", "use_gating true is not known here"],
    [withField("phm_layer", true), "Unsupported", "phm_layer true"],
    [withField("inv_adapter", "nice"), "Unsupported", 'inv_adapter "nice"'],
    [withField("architecture", "lora"), "Unsupported", 'architecture "lora" is no bottleneck adapter'],
    [withField("reduction_factor", -1), "Config", "above 0, or such numbers by layer, got -1"],
    [withField("non_linearity", null), "Config", "non_linearity must be given"],
    [(directory) => Deno.writeTextFileSync(`${directory}/adapter_config.json`, "[]"), "Config", "a JSON object"],
    [
      (directory) => Deno.removeSync(`${directory}/adapter_config.json`),
      "Weights",
      '/adapter_config.json"',
    ],
  ]
  for (const [change, reason, message] of cases) {
    const error = await changed("bert_seq_bn", change, reading)
    assertEquals([error._tag, error.reason], ["AdapterHubError", reason], message)
    assertStringIncludes(error.message, message)
  }
  const wrong = await changed("bert_seq_bn", withField("reduction_factor", 2), reading)
  assertStringIncludes(
    wrong.message,
    "wrongly shaped: bert.encoder.layer.0.output.adapters.a.adapter_down.0.weight [4,16] instead of [8,16]",
  )
  const pickled = await changed("bert_seq_bn", (directory) => {
    Deno.renameSync(`${directory}/adapter.safetensors`, `${directory}/pytorch_adapter.bin`)
  }, reading)
  assertEquals([pickled._tag, pickled.reason], ["AdapterHubError", "Weights"])
  assertStringIncludes(pickled.message, "is a pickle")
  assertStringIncludes(pickled.message, "use_safetensors=True")
  const elsewhere = await failure(
    load(fixture("llama/llama"), { task: Task.causalLM() }),
    Adapters.fromAdapterHub(fixture("adapters/bert_seq_bn")) as never,
  )
  assertStringIncludes(elsewhere.message, "unexpected: bert.encoder.layer.0")
})

Deno.test("old names of non-linearities are those of files that tell no version", async () => {
  const name = await changed("bert_seq_bn", (directory) => {
    withField("non_linearity", "gelu")(directory)
    const path = `${directory}/adapter_config.json`
    const { version: _, ...record } = JSON.parse(Deno.readTextFileSync(path))
    Deno.writeTextFileSync(path, JSON.stringify(record))
  }, (directory) =>
    run(
      Effect.gen(function* () {
        const composition = (yield* (yield* Adapters.Adapters).adapters).get("a")!
        return composition.type === "single" ? composition.member.nonLinearity : ""
      }),
      Adapters.fromAdapterHub(directory) as never,
    ))
  assertEquals(name, "gelu_new")
})

Deno.test("an adapter that was saved from a bare backbone is read", async () => {
  const read = (directory: string) =>
    run(
      Effect.gen(function* () {
        const model = yield* loading()
        return (yield* readParameters(model, model.parameters.filter(({ owner }) => owner !== "base"))).map((
          { data },
        ) => data)
      }),
      Adapters.fromAdapterHub(directory) as never,
    )
  const bare = await changed("bert_seq_bn", (directory) => {
    const path = `${directory}/adapter.safetensors`
    const bytes = Deno.readFileSync(path)
    const { tensors } = parseHeader(bytes, bytes.length, path)
    Deno.writeFileSync(
      path,
      encodeSafetensors([...tensors.values()].map(({ name, shape, byteOffset, byteLength }) => {
        const data = new Float32Array(bytes.slice(byteOffset, byteOffset + byteLength).buffer)
        return { name: name.replace(/^bert\./, ""), shape, dtype: "F32", data } as const
      })),
    )
    for (const file of ["head_config.json", "model_head.safetensors"]) Deno.removeSync(`${directory}/${file}`)
  }, read)
  assertEquals(bare, await read(fixture("adapters/bert_seq_bn")))
})

Deno.test("adapters of another width or another depth are refused where they are composed", async () => {
  const saved = (name: string) => ({ directory: fixture(`adapters/${name}`), name })
  const wide = await changed(
    "bert_seq_bn",
    (directory) => {
      const path = `${directory}/adapter_config.json`
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace('"hidden_size": 16', '"hidden_size": 32'))
    },
    (directory) =>
      failure(loading(), Adapters.compose(Adapters.fuse([saved("bert_seq_bn"), { directory, name: "wide" }])) as never),
  )
  assertEquals(wide._tag, "PluginError")
  assertStringIncludes(
    wide.message,
    'was trained for a model of hidden size 32, "bert.encoder.layer.0.output.dense" has 16',
  )
  const other = await failure(
    loading(),
    Adapters.compose(Adapters.stack(saved("bert_seq_bn"), saved("llama_double_seq_bn"))) as never,
  )
  assertStringIncludes(other.message, "missing: bert.encoder.layer.0.attention.output.adapters.a.adapter_down.0.weight")
})

Deno.test("an adapter of other options is refused, and nothing is written", async () => {
  const attempt = (options: Adapters.AdapterOptions) => {
    const effect = Effect.gen(function* () {
      const model = yield* loading()
      const before = yield* readParameters(model)
      const directory = yield* Effect.promise(() => Deno.makeTempDir())
      try {
        yield* Effect.promise(async () => {
          const folder = `${directory}/adapters/a`
          await Deno.mkdir(folder, { recursive: true })
          for (const { name } of Deno.readDirSync(fixture("adapters/bert_seq_bn"))) {
            await Deno.copyFile(`${fixture("adapters/bert_seq_bn")}/${name}`, `${folder}/${name}`)
          }
        })
        const error = yield* Effect.flip(loadAdapters(model, directory))
        assertEquals((yield* readParameters(model)).map(({ data }) => data), before.map(({ data }) => data))
        return error
      } finally {
        yield* Effect.promise(() => Deno.remove(directory, { recursive: true }))
      }
    })
    return run(effect, Adapters.layer({ name: "a", ...options }) as never) as Promise<{ message: string }>
  }
  const fitting: Adapters.AdapterOptions = { reductionFactor: { 0: 4, default: 8 } }
  assertStringIncludes((await attempt({ ...fitting, nonLinearity: "tanh" })).message, 'nonLinearity is "relu"')
  assertStringIncludes((await attempt({ ...fitting, scaling: 2 })).message, 'scaling is 1, the adapter "a" has 2')
  assertStringIncludes((await attempt({ ...fitting, originalLnBefore: false })).message, "originalLnBefore is true")
  assertStringIncludes(
    (await attempt({ ...fitting, mhAdapter: true })).message,
    "missing: bert.encoder.layer.0.attention",
  )
  assertStringIncludes((await attempt({})).message, "wrongly shaped")
})
