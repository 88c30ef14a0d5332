/**
 * Attention in WGSL: each thread has queries of its own and goes through the keys once, a tile at a time, with the
 * largest score and the sum of the weights so far (Milakov and Gimelshein 2018; Dao et al. 2022). The output always
 * holds the mean by the weights so far.
 *
 * A tile of which nobody sees a key is left out. A GPU goes another way where there are few queries.
 * @module
 */
import { NOTHING } from "../../core/tensor/composites/attention.ts"
import { sizeOf } from "../../core/tensor/shape.ts"
import { type AttentionCall, keysOf, periodOf } from "./call.ts"
import type { KernelEmitter } from "../wgsl/kernel.ts"
import { apartOf } from "./apart.ts"
import { emitFewQueries } from "./wgsl/few.ts"
import { seenRanges } from "./wgsl/ranges.ts"
import { bitsOf, enterQueries, openTiles, seenByQueries, type TileOperand } from "./wgsl/tile.ts"
import { range } from "./wgsl/tile_form.ts"

/** Less than any score; finite, so that differences of two stay free of NaN. */
const LOWEST = "-1e38f"

/** So many queries, those of a group together, are few for a GPU. */
const FEW = 8

/** Writes `attention`. */
export const emitAttention: KernelEmitter<AttentionCall> = (call, context) => {
  const { q, k, v, pages, bias, factor, scale, output, logSum } = call
  if (sizeOf(q.shape.slice(0, 4)) === 0) return []
  const [batch, shared, group, queries] = q.shape
  const keys = keysOf(call), plain = pages === undefined && periodOf(call) === 0
  const few = group * queries <= FEW && keys > 0 && plain
  if (few && !context.device.software) return emitFewQueries(call, context)
  const { seen, dispatch } = seenRanges(call, context)
  const operands: ReadonlyArray<TileOperand> = [
    { name: "q", view: q, axes: "bhgr-" },
    { name: "k", view: k, axes: "bhr-", paged: pages !== undefined },
    { name: "v", view: v, axes: "bhr-", paged: pages !== undefined },
    ...pages ? [{ name: "pages", view: pages, axes: "bs", integers: true }] : [],
    { name: "seen", view: seen, axes: "bre" },
    ...bias ? [{ name: "bias", view: bias, axes: "bhgrs" }] : [],
    ...factor ? [{ name: "factor", view: factor, axes: "bhgrs", repeats: periodOf(call) > 0 }] : [],
    { name: "out", view: output, axes: "bhgr-", writes: true },
    ...logSum ? [{ name: "log_sum", view: logSum, axes: "bhgr", writes: true }] : [],
  ]
  const inline = operands.length + 1 > context.device.storageBindings
  const shader = openTiles({ batch, shared, rows: group * queries }, operands, inline, context)
  const { form: { own, others }, push, size, type, part, place } = shader
  const f32 = type("f32"), exp = shader.use("exp")
  const rows = (name: string) => ({ name, at: `${name}_at` })
  size("queries", queries)
  size("keys", keys)
  if (pages) size("page_keys", k.shape[2])
  size("scale_bits", bitsOf(scale))
  const more = { bias, factor, log_sum: logSum }
  enterQueries(shader, ["q", "seen", "out", ...Object.keys(more).filter((name) => more[name as keyof typeof more])])
  const visible = seenByQueries(shader, apartOf(call))
  for (const name of ["k", "v", ...pages ? ["pages"] : []]) push(`let ${name}_at = ${place(name, { b: "b", h: "h" })};`)
  push(`let scale = bitcast<f32>(scale_bits);`)
  push(`var top = ${f32}(${LOWEST});`, `var total = ${f32}();`, `var started = false;`)

  shader.openTile("keys")
  shader.openVisible(visible)
  shader.products("score", rows("q"), rows("k"))
  push(`var peak = top;`)
  for (const u of range(others)) {
    const added = bias ? ` + ${shader.pairs("bias", u, "keys", "s")}` : ""
    push(`score${u} = select(${f32}(${LOWEST}), score${u} * scale${added}, seen${u});`)
    push(`peak = max(peak, score${u});`)
  }
  push(`let before = total * ${exp}(top - peak);`, `top = peak;`, `total = before;`)
  for (const u of range(others)) {
    push(`let power${u} = select(${f32}(), ${exp}(score${u} - peak), seen${u});`, `total += power${u};`)
  }
  push(`let share = select(1f / total, ${f32}(), total == ${f32}());`, `let keep = before * share;`)
  for (const u of range(others)) {
    push(`let weight${u} = power${u} * share${factor ? ` * ${shader.pairs("factor", u, "keys", "s")}` : ""};`)
  }
  shader.accumulate(rows("out"), "weight", rows("v"), "keep")
  push(`started = true;`, `}`, `}`)

  push(`if (!started) {`)
  shader.clear(rows("out"))
  push(`}`)
  if (logSum) {
    push(`let sums = select(top + ${shader.use("log")}(total), ${f32}(${NOTHING}f), total == ${f32}());`)
    for (const r of range(own)) push(`if (valid${r}) { ${shader.store("log_sum", `log_sum_at${r}`, part("sums", r))} }`)
  }
  push(`}`)
  return [dispatch, shader.finish(`attention ${queries}x${keys}`)]
}
