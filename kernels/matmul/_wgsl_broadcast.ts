/**
 * Product for CPUs that pose as a GPU: a workgroup is one vector of lanes, each lane has 8 columns of up to 16 rows.
 *
 * A load costs such a device as much as ten multiplications, of one element or of four alike in each. So b is read once
 * for all rows; eight terms of a row of a are spread over the lanes by one load, and reach all lanes by a broadcast
 * within the subgroup. Nothing depends on how the operands lie: there is one text for each height of the tile.
 * @module
 */
import type { Dispatch, KernelContext } from "../wgsl/kernel.ts"
import { ending } from "./_wgsl_epilogue.ts"
import { open, singles, type Task } from "./_wgsl_task.ts"

/** Terms of one turn of the loop. */
const DEPTH = 8
/** Fours of columns of one lane. */
const FOURS = 2
/** Columns of one lane. */
export const LANE_COLUMNS: number = 4 * FOURS

/** Shape of the tile. */
export interface BroadcastForm {
  /** Threads of a workgroup, which are one subgroup: 4 or 8. */
  readonly lanes: number
  /** Whether a is broadcast within the subgroup; else each term is loaded by all. */
  readonly subgroups: boolean
  /** Rows of a tile. */
  readonly rows: number
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Writes it. */
export const broadcastProduct = (
  task: Task,
  { lanes, subgroups, rows }: BroadcastForm,
  context: KernelContext,
): Dispatch => {
  const shader = context.shader()
  const a = shader.read(task.buffers.a, "f32")
  const b = shader.read(task.buffers.b, "f32")
  const layout = singles(task)
  const end = ending(task, layout, lanes, shader)
  const { workgroups, header, statements } = open(task, layout, rows, lanes * LANE_COLUMNS, shader, context)
  const line: Array<string> = [header(lanes), ...statements]

  for (const r of range(rows)) line.push(`let from${r} = a_at + min(row + ${r}u, m - 1u) * a_m;`)
  for (const j of range(LANE_COLUMNS)) {
    line.push(`let column${j} = column + thread + ${j * lanes}u;`)
    line.push(`let at${j} = b_at + min(column${j}, n - 1u) * b_n;`)
  }
  for (const r of range(rows)) for (const q of range(FOURS)) line.push(`var sum${r}_${q} = vec4<f32>();`)

  /** Adds so many terms from t on. */
  const accumulate = (terms: number, term: (row: number, u: number) => string): void => {
    for (const q of range(FOURS)) {
      for (const u of range(terms)) {
        const four = range(4).map((j) => b.load(`at${4 * q + j} + (t + ${u}u) * b_k`))
        line.push(`let x${u}_${q} = vec4<f32>(${four.join(", ")});`)
      }
    }
    for (const r of range(rows)) {
      for (const u of range(terms)) line.push(`let w${r}_${u} = ${term(r, u)};`)
      for (const q of range(FOURS)) for (const u of range(terms)) line.push(`sum${r}_${q} += w${r}_${u} * x${u}_${q};`)
    }
  }
  const alone = (r: number, u: number) => a.load(`from${r} + (t + ${u}u) * a_k`)

  line.push(`var t = begin;`, `for (; t + ${DEPTH}u <= end; t += ${DEPTH}u) {`)
  if (subgroups) {
    for (const r of range(rows)) {
      for (const h of range(DEPTH / lanes)) {
        line.push(`let s${r}_${h} = ${a.load(`from${r} + (t + ${h * lanes}u + thread) * a_k`)};`)
      }
    }
  }
  accumulate(
    DEPTH,
    subgroups ? (r, u) => `subgroupBroadcast(s${r}_${Math.floor(u / lanes)}, ${u % lanes}u)` : alone,
  )
  line.push(`}`, `for (; t < end; t++) {`)
  accumulate(1, alone)
  line.push(`}`)
  const sums = range(rows).flatMap((r) => range(FOURS).map((q) => `sum${r}_${q}`))
  const store = (sum: string, r: string, q: string) =>
    line.push(end.store(sum, `row + ${r}`, `column + thread + ${q} * ${4 * lanes}u`))
  if (task.epilogue === undefined) {
    sums.forEach((sum, i) => store(sum, `${Math.floor(i / FOURS)}u`, `${i % FOURS}u`))
  } else {
    // Many statements for each four: a loop compiles faster than so many lines.
    line.push(`var all = array<vec4<f32>, ${sums.length}>(${sums.join(", ")});`)
    line.push(`for (var i = 0u; i < ${sums.length}u; i++) {`)
    store("all[i]", `i / ${FOURS}u`, `i % ${FOURS}u`)
    line.push(`}`)
  }
  line.push(`}`)
  return shader.finish({
    label: `matmul ${task.m}x${task.k}x${task.n}`,
    code: end.declarations() + line.join("\n"),
    workgroups,
    enable: subgroups ? ["subgroups"] : [],
  })
}
