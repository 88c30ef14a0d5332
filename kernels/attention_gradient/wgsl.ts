/**
 * Derivatives of attention in WGSL: for queries, each thread goes through the keys; for keys and values, through the
 * queries of the group in order. Both compute the weights again, from the scores and their logarithmic sums (Dao et al.
 * 2022). A tile in which nobody sees a key is left out.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { apartOf } from "../attention/apart.ts"
import { periodOf } from "../attention/call.ts"
import { rangesSize, seenRanges } from "../attention/wgsl/ranges.ts"
import {
  bitsOf,
  enterQueries,
  openTiles,
  seenByQueries,
  seesKeys,
  type TileOperand,
  type TileShader,
} from "../attention/wgsl/tile.ts"
import { range, tileForm } from "../attention/wgsl/tile_form.ts"
import type { View } from "../contract.ts"
import type { AttentionGradientCall } from "./call.ts"
import { emitRows } from "../rows/wgsl.ts"
import type { Dispatch, KernelContext, KernelEmitter } from "../wgsl/kernel.ts"

/** What one dispatch does: the derivative of the queries, those of keys, values or both, or all together. */
interface Part extends Omit<AttentionGradientCall, "dq" | "dk" | "dv"> {
  /** The ranges of keys that queries see: [batch, T, 2]. */
  readonly seen: View
  readonly dq: View | undefined
  readonly dk: View | undefined
  readonly dv: View | undefined
}

/** What the code of a part names. */
const operandsOf = (part: Part): ReadonlyArray<TileOperand> => {
  const { q, k, v, seen, bias, factor, logSum, cotangent, delta, dq, dk, dv } = part
  return [
    { name: "q", view: q, axes: "bhgr-" },
    { name: "k", view: k, axes: "bhr-" },
    { name: "seen", view: seen, axes: "bre" },
    ...bias ? [{ name: "bias", view: bias, axes: "bhgrs" }] : [],
    ...factor ? [{ name: "factor", view: factor, axes: "bhgrs", repeats: periodOf(part) > 0 }] : [],
    { name: "log_sum", view: logSum, axes: "bhgr" },
    { name: "cotangent", view: cotangent, axes: "bhgr-" },
    ...dq || dk ? [{ name: "v", view: v, axes: "bhr-" }, { name: "delta", view: delta, axes: "bhgr" }] : [],
    ...dq ? [{ name: "dq", view: dq, axes: "bhgr-", writes: true }] : [],
    ...dk ? [{ name: "dk", view: dk, axes: "bhr-", writes: true }] : [],
    ...dv ? [{ name: "dv", view: dv, axes: "bhr-", writes: true }] : [],
  ]
}
/** Bindings that it needs beside that of the sizes. */
const bindingsOf = (part: Part): number => new Set(operandsOf(part).map(({ view }) => view.buffer)).size

/** Writes `attention_gradient`. */
export const emitAttentionGradient: KernelEmitter<AttentionGradientCall> = (call, context) => {
  const { dq, dk, dv } = call
  const limit = context.device.storageBindings
  const { seen, dispatch } = seenRanges(call, context)
  const all: Part = { ...call, seen, dq, dk, dv }
  if (togetherPays(all, context)) return [dispatch, emitPart(all, context)]
  const partsOf = (given: Part): ReadonlyArray<Part> => [
    ...dq ? [{ ...given, dq, dk: undefined, dv: undefined }] : [],
    ...dk || dv ? [{ ...given, dq: undefined, dk, dv }] : [],
  ]
  const whole = partsOf(all)
  // Each way to spare a binding costs something: a dispatch, a pipeline for each shape, the scores once more.
  if (whole.every((part) => bindingsOf(part) < limit)) {
    return [
      dispatch,
      ...whole.map((part) => emitPart(part, context)),
    ]
  }
  const { packed, dispatches } = pack(all, context)
  const parts = partsOf(packed).flatMap((part) =>
    bindingsOf(part) <= limit ? [part] : [{ ...part, dv: undefined }, { ...part, dk: undefined }]
  )
  return [...dispatches, ...parts.map((part) => emitPart(part, context))]
}
/** Workgroups with which a CPU in disguise is occupied. */
const GROUPS = 4
/**
 * Whether one workgroup had better do all derivatives of an entry, so that they share the scores: where threads are few
 * and can exchange rows for columns.
 */
const togetherPays = (part: Part, { device }: KernelContext): boolean => {
  const { q: { shape: [batch, shared] }, k: { shape: [, , keys] }, dq, dk } = part
  const { own, broadcast } = tileForm(keys, device)
  return dq !== undefined && dk !== undefined && own === 4 && broadcast && batch * shared >= GROUPS &&
    bindingsOf(part) < device.storageBindings
}
const emitPart = (part: Part, context: KernelContext): Dispatch =>
  (part.dk !== undefined || part.dv !== undefined ? emitKeys : emitQueries)(part, context)

/** Puts logarithmic sums and deltas side by side into one buffer, and ranges behind them. */
const pack = (
  call: Part,
  context: KernelContext,
): { readonly packed: Part; readonly dispatches: ReadonlyArray<Dispatch> } => {
  const { logSum, delta } = call
  const space = [sizeOf(logSum.shape)], buffer = context.scratch(2 * space[0] + rangesSize(call))
  const { seen, dispatch } = seenRanges(call, context, buffer, 2 * space[0])
  const copies = [logSum, delta].map((view, offset) => ({
    from: { ...view, shape: space, strides: [1] },
    to: { buffer, offset, shape: space, strides: [2] },
    packed: { ...view, buffer, offset, strides: view.strides.map((stride) => 2 * stride) },
  }))
  const dispatches = emitRows({
    kernel: "rows",
    space,
    body: copies.map((_, operand) => ({ op: "load", operand, dtype: "f32" }) as const),
    inputs: copies.map(({ from }) => from),
    outputs: copies.map(({ to }, step) => ({ step, view: to })),
  }, context)
  return {
    packed: { ...call, seen, logSum: copies[0].packed, delta: copies[1].packed },
    dispatches: [dispatch, ...dispatches],
  }
}

const rows = (name: string) => ({ name, at: `${name}_at` })

/** Begins a shader whose own rows are so many. */
const open = (part: Part, own: number, context: KernelContext): TileShader => {
  const { q: { shape: [batch, shared, group, queries] }, k, scale } = part
  const inline = bindingsOf(part) + 1 > context.device.storageBindings
  const together = part.dq !== undefined && part.dk !== undefined
  const shader = openTiles({ batch, shared, rows: own, together }, operandsOf(part), inline, context)
  shader.size("members", group)
  shader.size("queries", queries)
  shader.size("keys", k.shape[2])
  shader.size("scale_bits", bitsOf(scale))
  shader.push(`let scale = bitcast<f32>(scale_bits);`)
  return shader
}

/** The dispatch for the derivative of the queries. */
const emitQueries = (part: Part, context: KernelContext): Dispatch => {
  const [, , group, queries] = part.q.shape
  const shader = open(part, group * queries, context)
  const { form: { others }, push, gather, type, place } = shader
  const { bias, factor } = part
  const more = [...bias ? ["bias"] : [], ...factor ? ["factor"] : []]
  enterQueries(shader, ["q", "seen", "log_sum", "delta", "cotangent", "dq", ...more])
  const visible = seenByQueries(shader, apartOf(part))
  for (const name of ["k", "v"]) push(`let ${name}_at = ${place(name, { b: "b", h: "h" })};`)
  for (const name of ["log_sum", "delta"]) {
    push(`let ${name} = ${gather((r) => shader.load(name, `${name}_at${r}`))};`)
  }
  push(`var started = false;`)
  shader.openTile("keys")
  shader.openVisible(visible)
  shader.products("score", rows("q"), rows("k"))
  shader.products("slope", rows("cotangent"), rows("v"))
  for (const u of range(others)) {
    const added = bias ? ` + ${shader.pairs("bias", u, "keys", "s")}` : ""
    const slope = factor ? `slope${u} * ${shader.pairs("factor", u, "keys", "s")}` : `slope${u}`
    const value = `${shader.use("exp")}(score${u} * scale${added} - log_sum) * (${slope} - delta) * scale`
    push(`let change${u} = select(${type("f32")}(), ${value}, seen${u});`)
  }
  shader.accumulate(rows("dq"), "change", rows("k"))
  push(`started = true;`, `}`, `}`, `if (!started) {`)
  shader.clear(rows("dq"))
  push(`}`, `}`)
  return shader.finish(`attention_gradient dq ${queries}x${part.k.shape[2]}`)
}

/** The dispatch for the derivatives of keys and values, and of queries where all are done together. */
const emitKeys = (part: Part, context: KernelContext): Dispatch => {
  const { k: { shape: [, , keys] }, q, bias, factor, dq, dk, dv } = part
  const apart = apartOf(part)
  const shader = open(part, keys, context)
  const { form: { own, others }, push, gather, type, place } = shader
  const targets = [...dk ? ["dk"] : [], ...dv ? ["dv"] : []]
  for (const r of range(own)) {
    for (const name of ["k", ...dk ? ["v"] : [], ...targets]) {
      push(`let ${name}_at${r} = ${place(name, { b: "b", h: "h", r: `i${r}` })};`)
    }
  }
  push(`let key = ${gather((r) => `select(${2 ** 32 - 1}u, i${r}, valid${r})`)};`)
  push(`let seen_at = ${place("seen", { b: "b" })};`)
  if (apart > 0) shader.size("apart", apart)
  push(`var started = false;`, `for (var g = 0u; g < members; g++) {`)
  const theirs = ["q", "cotangent", "log_sum", ...dk ? ["delta"] : [], ...dq ? ["dq"] : []]
  for (const name of theirs) push(`let ${name}_at = ${place(name, { b: "b", h: "h", g: "g" })};`)
  for (const name of [...bias ? ["bias"] : [], ...factor ? ["factor"] : []]) {
    for (const r of range(own)) {
      const s = shader.column(name, `i${r}`)
      push(`let ${name}_at${r} = ${place(name, { b: "b", h: "h", g: "g", s })};`)
    }
  }
  if (dq) {
    push(`if (tile == 0u) {`)
    shader.clearOthers(rows("dq"), "queries")
    push(`}`)
  }
  shader.openTile("queries")
  shader.openVisible(seesKeys(shader, apart))
  shader.products("score", rows("k"), rows("q"))
  if (dk) shader.products("slope", rows("v"), rows("cotangent"))
  for (const name of ["log_sum", ...dk ? ["delta"] : []]) {
    shader.spread(name, (query) => shader.load(name, `${name}_at + ${query} * ${name}_r`))
  }
  for (const u of range(others)) {
    const added = bias ? ` + ${shader.pairs("bias", u, "queries", "r")}` : ""
    const power = `${shader.use("exp")}(score${u} * scale${added} - log_sum${u})`
    push(`let power${u} = select(${type("f32")}(), ${power}, seen${u});`)
    const times = factor ? ` * factor${u}` : ""
    if (factor) push(`let factor${u} = ${shader.pairs("factor", u, "queries", "r")};`)
    if (dk) push(`let change${u} = power${u} * (slope${u}${times} - delta${u}) * scale;`)
    if (dv) push(`let weight${u} = power${u}${times};`)
  }
  if (dk) shader.accumulate(rows("dk"), "change", rows("q"))
  if (dv) shader.accumulate(rows("dv"), "weight", rows("cotangent"))
  if (dq) shader.accumulateOthers(rows("dq"), "change", rows("k"))
  push(`started = true;`, `}`, `}`, `}`, `if (!started) {`)
  for (const name of targets) shader.clear(rows(name))
  push(`}`, `}`, dq ? `}` : ``)
  return shader.finish(`attention_gradient ${[...dq ? ["dq"] : [], ...targets].join(" ")} ${q.shape[3]}x${keys}`)
}
