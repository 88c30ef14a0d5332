/**
 * Product for CPUs that pose as a GPU: a workgroup is one vector of lanes, each lane has 8 columns of up to 16 rows.
 *
 * A load costs such a device as much as several multiplications. So b is read once for all rows, in large products by
 * fours (a quarter faster, and twice that where they are of 16 bits); eight terms of a row of a are spread over the lanes
 * by one load, and reach all lanes by a broadcast within the subgroup. Apart from those fours nothing depends on how the
 * operands lie: there are few texts for each height of the tile.
 * @module
 */
import type { Dispatch, KernelContext } from "../../wgsl/kernel.ts"
import { ending } from "./epilogue.ts"
import { layoutOf, open, type Task } from "./task.ts"

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
  /** Whether b is read in fours where it lies so: faster, but one more text to compile for each way in which it lies. */
  readonly fours: boolean
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Writes it. */
export const broadcastProduct = (
  task: Task,
  { lanes, subgroups, rows, fours }: BroadcastForm,
  context: KernelContext,
): Dispatch => {
  const shader = context.shader()
  const a = shader.read(task.buffers.a, "f32")
  const layout = layoutOf(task, fours ? "b" : "none")
  const b = shader.read(task.buffers.b, layout.b === "none" ? "f32" : "vec4<f32>")
  const end = ending(task, layout, shader)
  const { workgroups, header, statements } = open(task, layout, rows, lanes * LANE_COLUMNS, shader, context)
  const line: Array<string> = [header(lanes), ...statements]

  for (const r of range(rows)) line.push(`let from${r} = a_at + min(row + ${r}u, m - 1u) * a_m;`)
  for (const q of range(FOURS)) line.push(`let column${q} = column + (thread + ${q * lanes}u) * 4u;`)
  for (const q of range(FOURS)) {
    if (layout.b === "across") line.push(`let at${q} = b_at + min(column${q}, n - 4u) / 4u;`)
    else for (const j of range(4)) line.push(`let at${q}_${j} = b_at + min(column${q} + ${j}u, n - 1u) * b_n;`)
  }
  for (const r of range(rows)) for (const q of range(FOURS)) line.push(`var sum${r}_${q} = vec4<f32>();`)

  const four = (element: (j: number) => string) => `vec4<f32>(${range(4).map(element).join(", ")})`
  /** Names and values: term t + u of four columns, and what it is made of. */
  const read = (q: number, u: number, terms: number): ReadonlyArray<readonly [string, string]> => {
    const x = `x${u}_${q}`, at = `t + ${u}u`
    if (layout.b === "across") return [[x, b.load(`at${q} + (${at}) * b_k`)]]
    if (layout.b === "none") return [[x, four((j) => b.load(`at${q}_${j} + (${at}) * b_k`))]]
    const along = range(4).map((j) => [`y${u >> 2}_${q}_${j}`, b.load(`at${q}_${j} + (${at}) / 4u`)] as const)
    const lane = terms === 1 ? "t % 4u" : `${u % 4}`
    return [...u % 4 === 0 ? along : [], [x, four((j) => `${along[j][0]}[${lane}]`)]]
  }
  /** Adds so many terms from t on. */
  const accumulate = (terms: number, term: (row: number, u: number) => string): void => {
    for (const q of range(FOURS)) {
      for (const u of range(terms)) line.push(...read(q, u, terms).map(([name, value]) => `let ${name} = ${value};`))
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
  for (const r of range(rows)) {
    for (const q of range(FOURS)) line.push(end.store(`sum${r}_${q}`, `row + ${r}u`, `column${q}`))
  }
  line.push(`}`)
  return shader.finish({
    label: `matmul ${task.m}x${task.k}x${task.n}`,
    code: line.join("\n"),
    workgroups,
    enable: subgroups ? ["subgroups"] : [],
  })
}
