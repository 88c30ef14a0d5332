import { assert } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Layer from "effect/Layer"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import {
  config,
  differences,
  EXACT,
  exactLayer,
  type Method,
  methods,
  reference,
  rowsOf,
  train,
  type Trained,
} from "../../seams/support.ts"

const LENGTH = 3
const headDim = config.hidden_size / config.num_attention_heads

/** As the reference has them: [heads, length, headDim] instead of [length, heads * headDim], under its name. */
function renamed<A>(values: ReadonlyMap<string, A>, change: (value: A) => A): ReadonlyMap<string, A> {
  return new Map([...values].map(([key, value]) => {
    const own = key.startsWith("prefix_tuning/default:")
    return [own ? key.replace("prefix_tuning/", "prefix/") : key, own ? change(value) : value]
  }))
}
function byHead(values: Float64Array): Float64Array {
  const heads = config.num_key_value_heads
  return values.map((_, at) => {
    const [head, row, i] = [Math.floor(at / (LENGTH * headDim)), Math.floor(at / headDim) % LENGTH, at % headDim]
    return values[(row * heads + head) * headDim + i]
  })
}

for (const others of [[], [methods.lora]]) {
  Deno.test(`training steps equal a float64 formula, beside ${others.length} other methods`, async () => {
    const prefix = PrefixTuning.layer({ numVirtualTokens: LENGTH }).pipe(Layer.provide(NodeFileSystem.layer))
    const rules = { optimizer: "adamw", learningRate: 0.01, weightDecay: 0.1, maxGradNorm: 1 } as const
    const rows = (seed: number) => ({ task: "default", rows: rowsOf(seed, 3) })
    const own = {
      methods: [prefix as unknown as Method, ...others],
      tasks: ["default"],
      steps: [[rows(1)], [rows(2), rows(3)]],
      rules,
    }
    const run = await train(own, exactLayer())
    const same: Trained = {
      ...run,
      before: renamed(run.before, byHead),
      after: renamed(run.after, byHead),
      all: renamed(run.all, byHead),
      shapes: renamed(run.shapes, (shape) => shape),
    }
    const found = differences(same, reference(same, own, rules))
    assert(found.change < EXACT && found.loss < EXACT, JSON.stringify(found))
  })
}
