import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { layer as registry, Plugins } from "../../../core/contracts/plugins.ts"
import type { ResidualPlan } from "../../../core/contracts/site.ts"
import { initialValues } from "../../../core/model/initial_values.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import { evaluate } from "../../support/evaluate.ts"
import { distance } from "../../support/model_layer.ts"

const WIDTH = 6
const TOKENS = 4

/** A module whose output is added to the residual stream. */
const moduleAt = (layer: number, residual: "attention" | "feed-forward" = "feed-forward"): ModuleInfo => ({
  path: `body.layers.${layer}.${residual === "attention" ? "self_attn" : "mlp"}`,
  kind: "FeedForward",
  sizes: { hiddenSize: WIDTH },
  parameters: {},
  outputHead: false,
  defaultTarget: false,
  residual,
})

/** The contribution of some options. */
function make(given: Adapters.AdapterOptions | Adapters.AdapterSetup): Promise<Contribution> {
  const layer = "type" in given ? Adapters.compose(given) : Adapters.layer(given)
  return Effect.gen(function* () {
    yield* Adapters.Adapters
    return (yield* (yield* Plugins).all)[0]
  }).pipe(
    Effect.provide(layer.pipe(Layer.provideMerge(Layer.merge(registry, NodeFileSystem.layer)))),
    Effect.scoped,
    Effect.runPromise,
  )
}

type Matrix = ReadonlyArray<ReadonlyArray<number>>
const zip = (a: Matrix, b: Matrix, f: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => f(x, b[i][j])))
const plus = (...all: ReadonlyArray<Matrix>): Matrix => all.reduce((a, b) => zip(a, b, (x, y) => x + y))
const times = (a: Matrix, factor: number): Matrix => a.map((row) => row.map((x) => x * factor))
/** x W^T + b. */
const linear = (x: Matrix, w: Matrix, b?: ReadonlyArray<number>): Matrix =>
  x.map((row) => w.map((weights, j) => weights.reduce((sum, value, i) => sum + value * row[i], b?.[j] ?? 0)))
const norm = (x: Matrix, epsilon: number, w?: ReadonlyArray<number>, b?: ReadonlyArray<number>): Matrix =>
  x.map((row) => {
    const mean = row.reduce((a, c) => a + c, 0) / row.length
    const variance = row.reduce((a, c) => a + (c - mean) ** 2, 0) / row.length
    return row.map((c, i) => (c - mean) / Math.sqrt(variance + epsilon) * (w?.[i] ?? 1) + (b?.[i] ?? 0))
  })
const rows = (data: ArrayLike<number>, width: number): Matrix =>
  Array.from({ length: data.length / width }, (_, i) => Array.from(data).slice(i * width, (i + 1) * width))

/** y and r of the tests, and the end of a part in a family that norms afterwards. */
const given = (key: string) =>
  rows(
    initialValues({ shape: [TOKENS, WIDTH], initializer: { kind: "normal", std: 1 } }, 1, key),
    WIDTH,
  )
const y = given("y"), r = given("r")
const end = (x: Matrix): Matrix => norm(plus(x, r), 0.1)

/** What a part goes on with before its end, and the parameters that were made at random for it. */
async function forward(
  options: Adapters.AdapterOptions | Adapters.AdapterSetup,
  module: ModuleInfo = moduleAt(0),
): Promise<
  { output: Matrix; p: (name: string) => Matrix; v: (name: string) => ReadonlyArray<number>; joins: boolean }
> {
  const { sites } = await make(options)
  const plan = sites![0].plan(module) as ResidualPlan
  const values = new Map(
    Object.entries(plan.parameters).map(([name, { shape }]) => [
      name,
      initialValues({ shape, initializer: { kind: "normal", std: 0.5 } }, 3, name),
    ]),
  )
  const tensor = (matrix: Matrix) => ops.constant(Float32Array.from(matrix.flat()), [1, TOKENS, WIDTH])
  const input = tensor(r)
  const ones = ops.full(1, [WIDTH]), zeros = ops.full(0, [WIDTH])
  const output = plan.forward(
    {
      training: true,
      task: "default",
      parameter: (name) => ops.constant(values.get(name)!, plan.parameters[name].shape),
      base: () => ops.full(0, [1]),
      // Shows where dropout is, and at which rate.
      dropout: (x, rate) => ops.mul(x, 1 - rate),
    },
    tensor(y),
    { input, join: (x) => ops.layerNorm(ops.add(input, x), ones, zeros, 0.1) },
  )
  return {
    output: rows(evaluate(output), WIDTH),
    p: (name) => rows(values.get(name)!, plan.parameters[name].shape[1]),
    v: (name) => Array.from(values.get(name)!),
    joins: plan.joins ?? true,
  }
}
const close = (actual: Matrix, expected: Matrix) => {
  const error = distance(actual.flat(), expected.flat())
  assert(error < 1e-6, `off by ${error}`)
}
const relu = (x: number) => Math.max(0, x)
const swish = (x: number) => x / (1 + Math.exp(-x))

type Parameters = Pick<Awaited<ReturnType<typeof forward>>, "p" | "v">
/** W_up f(W_down h + b_down) + b_up. */
const bottleneck = ({ p, v }: Parameters, h: Matrix, f: (x: number) => number, prefix = "", at = 0): Matrix => {
  const down = linear(h, p(`${prefix}adapter_down.${at}.weight`), v(`${prefix}adapter_down.${at}.bias`))
  return linear(down.map((row) => row.map(f)), p(`${prefix}adapter_up.weight`), v(`${prefix}adapter_up.bias`))
}

Deno.test("seq_bn: y + A(end(y)) with a bottleneck of hidden size / 16, at least 1", async () => {
  const made = await forward({})
  assertEquals(made.p("adapter_down.0.weight").length, 1)
  close(made.output, plus(y, bottleneck(made, end(y), relu)))
  assertEquals(made.joins, true)
})

Deno.test("double_seq_bn: y + A(y) with Swish, after attention too", async () => {
  const made = await forward({ config: "double_seq_bn", reductionFactor: 2 }, moduleAt(1, "attention"))
  assertEquals(made.p("adapter_down.0.weight").length, 3)
  close(made.output, plus(y, bottleneck(made, y, swish)))
})

Deno.test("par_bn: y + 4 A(r); scaled_par_bn learns the factor", async () => {
  const made = await forward({ config: "par_bn" })
  close(made.output, plus(y, times(bottleneck(made, r, relu), 4)))
  const scaled = await forward({ config: "scaled_par_bn" })
  close(scaled.output, plus(y, times(bottleneck(scaled, r, relu), scaled.v("scaling")[0])))
})

Deno.test("places of residual and norms", async () => {
  const base = { config: "seq_bn", reductionFactor: 3 } as const
  const post = await forward({ ...base, residualBeforeLn: "post_add" })
  close(post.output, plus(y, r, bottleneck(post, end(y), relu)))
  const after = await forward({ ...base, residualBeforeLn: false, originalLnAfter: false })
  close(after.output, plus(end(y), bottleneck(after, end(y), relu)))
  assertEquals(after.joins, false)
  const before = await forward({ ...base, originalLnBefore: false, lnBefore: true })
  const own = norm(y, 1e-5, before.v("adapter_norm_before.weight"), before.v("adapter_norm_before.bias"))
  close(before.output, plus(y, bottleneck(before, own, relu, "", 1)))
  const normed = await forward({ ...base, originalLnBefore: false, lnAfter: true })
  const [w, b] = ["weight", "bias"].map((name) => normed.v(`adapter_norm_after.${name}`))
  close(normed.output, plus(y, norm(bottleneck(normed, y, relu), 1e-5, w, b)))
  const around = await forward({ ...base, originalLnBefore: false, lnAfter: true, adapterResidualBeforeLn: true })
  close(around.output, norm(plus(y, bottleneck(around, y, relu)), 1e-5, w, b))
})

Deno.test("scaling by column, dropout on what is added, a bottleneck wider than the model", async () => {
  const base = { config: "double_seq_bn", reductionFactor: 0.5 } as const
  const channel = await forward({ ...base, scaling: "channel" })
  assertEquals(channel.p("adapter_down.0.weight").length, 12)
  const factors = channel.v("scaling")
  close(channel.output, plus(y, bottleneck(channel, y, swish).map((row) => row.map((x, i) => x * factors[i]))))
  const dropped = await forward({ ...base, scaling: 3, dropout: 0.25 })
  close(dropped.output, plus(y, times(bottleneck(dropped, y, swish), 3 * 0.75)))
})

Deno.test("every non-linearity", async () => {
  // Abramowitz and Stegun 7.1.26 has seven digits, enough here.
  const erf = (x: number) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x))
    const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return Math.sign(x) * (1 - sum * Math.exp(-x * x))
  }
  const tanhGelu = (x: number) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
  const functions: Readonly<Record<string, (x: number) => number>> = {
    relu,
    gelu: (x) => x / 2 * (1 + erf(x / Math.SQRT2)),
    gelu_new: tanhGelu,
    gelu_pytorch_tanh: tanhGelu,
    silu: swish,
    swish,
    tanh: Math.tanh,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
    leakyrelu: (x) => x > 0 ? x : 0.01 * x,
    linear: (x) => x,
  }
  for (const [nonLinearity, f] of Object.entries(functions)) {
    const made = await forward({ config: "double_seq_bn", reductionFactor: 2, nonLinearity })
    close(made.output, plus(y, bottleneck(made, y, f)))
  }
})

Deno.test("places: parts, layers left out, a reduction for each layer", async () => {
  const options: Adapters.AdapterOptions = {
    config: "double_seq_bn",
    leaveOut: [1],
    reductionFactor: { 2: 3, default: 2 },
  }
  const [{ select }] = (await make(options)).sites!
  const takes = select as (module: ModuleInfo) => boolean
  const modules = [0, 1, 2].flatMap((layer) => [moduleAt(layer, "attention"), moduleAt(layer)])
  assertEquals(modules.map(takes), [true, true, false, false, true, true])
  const { residual: _, ...plain } = moduleAt(0)
  assertEquals(takes(plain), false)
  const [{ select: one }] = (await make({})).sites!
  assertEquals(modules.map(one as typeof takes), [false, true, false, true, false, true])
  assertEquals((await forward(options, moduleAt(2))).p("adapter_down.0.weight").length, 2)
  assertEquals((await forward(options, moduleAt(3))).p("adapter_down.0.weight").length, 3)
})

Deno.test("stack: each adapter takes what the one before made", async () => {
  const made = await forward(Adapters.stack(
    { name: "a", reductionFactor: 2 },
    { name: "b", config: "par_bn" },
    { name: "c", config: "double_seq_bn" },
  ))
  const first = plus(y, bottleneck(made, end(y), relu, "a."))
  const second = plus(first, times(bottleneck(made, r, relu, "b."), 4))
  close(made.output, plus(second, bottleneck(made, second, swish, "c.")))
})

Deno.test("average: weights sum to 1, and nothing shrinks", async () => {
  const children = [{ name: "a" }, { name: "b", reductionFactor: 3 }]
  const even = await forward(Adapters.average(children))
  const [a, b] = ["a.", "b."].map((prefix) => bottleneck(even, end(y), relu, prefix))
  close(even.output, plus(y, times(a, 0.5), times(b, 0.5)))
  close((await forward(Adapters.average(children, [3, 1]))).output, plus(y, times(a, 0.75), times(b, 0.25)))
  const parallel = await forward(
    Adapters.average([{ name: "a", config: "par_bn" }, { name: "b", config: "par_bn" }], [1, 3]),
  )
  const [c, d] = ["a.", "b."].map((prefix) => times(bottleneck(parallel, r, relu, prefix), 4))
  close(parallel.output, plus(y, times(c, 0.25), times(d, 0.75)))
})

for (const config of ["dynamic", "static"] as const) {
  Deno.test(`fuse, ${config}: attention over what the adapters give`, async () => {
    const children = [{ name: "a" }, { name: "b", reductionFactor: 2, scaling: 2 }, { name: "c", nonLinearity: "tanh" }]
    const made = await forward(Adapters.fuse(children, { config, dropoutProb: 0.25 }))
    const { p, v } = made
    const h = end(y)
    const outputs = [
      bottleneck(made, h, relu, "a."),
      times(bottleneck(made, h, relu, "b."), 2),
      bottleneck(made, h, Math.tanh, "c."),
    ]
    const query = linear(h, p("a,b,c.query.weight"), v("a,b,c.query.bias"))
    const keys = outputs.map((u) => linear(u, p("a,b,c.key.weight"), v("a,b,c.key.bias")))
    const scores = keys.map((key) => query.map((row, t) => 0.75 * row.reduce((sum, x, i) => sum + x * key[t][i], 0)))
    const mixed = y.map((row, t) => {
      const exps = scores.map((score) => Math.exp(score[t]))
      const total = exps.reduce((sum, x) => sum + x, 0)
      return row.map((_, i) => outputs.reduce((sum, u, n) => sum + exps[n] / total * u[t][i], 0))
    })
    close(made.output, plus(y, config === "dynamic" ? linear(mixed, p("a,b,c.value.weight")) : mixed))
  })
}

Deno.test("new adapters: 0.02 normal, or nothing at first; a value matrix starts as the identity; fusions alone train", async () => {
  const specs = async (options: Adapters.AdapterOptions | Adapters.AdapterSetup) =>
    (await make(options)).sites![0].plan(moduleAt(0)).parameters
  const bert = await specs({})
  assertEquals(bert["adapter_up.weight"], {
    shape: [WIDTH, 1],
    initializer: { kind: "normal", std: 0.02 },
    trainable: true,
  })
  assertEquals(bert["adapter_up.bias"].initializer, { kind: "zeros" })
  const mam = await specs({ config: "par_bn" })
  assertEquals(mam["adapter_down.0.weight"].initializer, { kind: "uniform", bound: 1 / Math.sqrt(WIDTH) })
  assertEquals(mam["adapter_up.weight"].initializer, { kind: "zeros" })
  const fused = await specs(Adapters.fuse([{ name: "a" }, { name: "b", trainable: true }]))
  const trained = Object.entries(fused).filter(([, { trainable }]) => trainable).map(([name]) => name)
  assertEquals(trained.map((name) => name.slice(0, name.indexOf("."))), ["b", "b", "b", "b", ...Array(5).fill("a,b")])
  const { initializer } = fused["a,b.value.weight"]
  assert(initializer.kind === "values")
  assertEquals([...initializer.data.slice(0, 2)], [1, Math.fround(1e-6)])
})
