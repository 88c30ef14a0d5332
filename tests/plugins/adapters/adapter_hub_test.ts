import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { load, loadAdapters, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { parseHeader } from "../../../core/formats/safetensors/safetensors.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, fixture, run } from "../../support/model_layer.ts"
import { batch, real } from "./support.ts"

const LABELS = Task.classification(["LABEL_0", "LABEL_1", "LABEL_2"])
const cases = [
  { name: "bert_seq_bn", base: "bert/classification", task: LABELS },
  { name: "bert_par_bn", base: "bert/classification", task: LABELS },
  { name: "bert_fields", base: "bert/classification", task: LABELS },
  { name: "bert_ends", base: "bert/classification", task: LABELS },
  { name: "bert_fuse", base: "bert/classification", task: LABELS },
  { name: "distilbert_double_seq_bn", base: "bert/distilbert_classification", task: LABELS },
  { name: "llama_seq_bn", base: "llama/llama", task: Task.causalLM() },
  { name: "llama_double_seq_bn", base: "llama/llama", task: Task.causalLM() },
  { name: "llama_par_bn", base: "llama/llama", task: Task.causalLM() },
]
const json = (path: string) => JSON.parse(Deno.readTextFileSync(path))

/** Tensors of all files of a directory, by file and name; a norm that is stored twice counts once. */
function tensorsOf(directory: string): Map<string, { shape: string; data: Uint8Array }> {
  const found = new Map<string, { shape: string; data: Uint8Array }>()
  const read = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(directory + folder)) {
      const path = `${folder}/${name}`
      if (isDirectory) read(path)
      if (!name.endsWith(".safetensors")) continue
      const bytes = Deno.readFileSync(directory + path)
      const { tensors } = parseHeader(bytes, bytes.length, path)
      for (const [key, { shape, dtype, byteOffset, byteLength }] of tensors) {
        const isNorm = tensors.has(key.replace("adapter_down.0", "adapter_norm_before")) &&
          key.includes("adapter_down.0")
        if (isNorm) continue
        const data = bytes.slice(byteOffset, byteOffset + byteLength)
        found.set(`${path} ${key}`, { shape: `${dtype}[${shape}]`, data })
      }
    }
  }
  read("")
  return found
}

for (const { name, base, task } of cases) {
  Deno.test(`AdapterHub's ${name} gives AdapterHub's logits, and saves as the same files`, async () => {
    const backend = memoryBackend()
    const { tokens, lengths, logits: original } = json(fixture(`${base}/expected.json`))
    const { logits: expected } = json(fixture(`adapters/${name}/expected.json`))
    const directory = await Deno.makeTempDir()
    try {
      await run(
        Effect.gen(function* () {
          const model = yield* load(fixture(base), { task })
          const data = { inputs: { tokens: tokens.flat(), lengths }, slots: backend.slots }
          const logits = (methods: boolean) => evaluate(model.forward(batch, { training: false, methods }).logits, data)
          const error = distance(real(logits(true), lengths), real(expected, lengths))
          assert(error < 2e-6, `logits are off by ${error}`)
          const off = distance(real(logits(false), lengths), real(original, lengths))
          assert(off < 1e-5, `with methods off, logits are off by ${off}`)
          assert(distance(logits(true), logits(false)) > 1e-2)
          yield* saveAdapters(model, `${directory}/run`)
          const own = model.parameters.filter(({ owner, trainable }) => owner !== "base" || trainable)
          const before = yield* readParameters(model, own)
          for (const { slot } of own) {
            yield* Effect.promise(() => backend.write(slot, new Float32Array(slot.shape.reduce((a, b) => a * b, 1))))
          }
          assert(distance(logits(true), expected) > 1e-3)
          yield* loadAdapters(model, `${directory}/run`)
          const again = yield* readParameters(model, own)
          assertEquals(again.map(({ data }) => data), before.map(({ data }) => data))
        }),
        Adapters.fromAdapterHub(fixture(`adapters/${name}`), { name: "own" }) as never,
        backend,
      )
      const saved = `${directory}/run/adapters/own`
      const rename = (key: string) => key.replace(".adapters.own.", ".adapters.a.")
      const ours = new Map([...tensorsOf(saved)].map(([key, tensor]) => [rename(key), tensor]))
      const theirs = tensorsOf(fixture(`adapters/${name}`))
      assertEquals([...ours.keys()].sort(), [...theirs.keys()].sort())
      for (const [key, tensor] of theirs) assertEquals(ours.get(key), tensor, key)
      const configs = name === "bert_fuse"
        ? ["a/adapter_config.json", "a,b/adapter_fusion_config.json"]
        : ["adapter_config.json"]
      for (const file of configs) {
        const [their, own] = [fixture(`adapters/${name}`), saved].map((path) => json(`${path}/${file}`))
        assertEquals(own.config, their.config, file)
        for (const field of ["hidden_size", "model_class", "version"]) assertEquals(own[field], their[field], field)
      }
      const text = Deno.readTextFileSync(`${saved}/${configs[0]}`)
      assert(!/"scaling": -?\d+,/.test(text), "AdapterHub takes floats alone for a factor")
      if (name === "bert_fuse") {
        assertEquals(
          json(`${saved}/adapter_setup.json`).adapter_setup,
          json(fixture("adapters/bert_fuse/adapter_setup.json")).adapter_setup,
        )
      }
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  })
}
