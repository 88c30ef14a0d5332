/**
 * Product for GPUs: a workgroup brings slices of a and b into its memory in fours, transposed to be read in order, and
 * each thread keeps a tile of 4x4 or 8x8 sums in registers (Volkov and Demmel, 2008).
 * @module
 */
import type { Dispatch, KernelContext } from "../../wgsl/kernel.ts"
import { ending } from "./epilogue.ts"
import { type Fours, layoutOf, open, type Task } from "./task.ts"

/** Shape of the tile. */
export interface TileForm {
  /** Rows of a workgroup's tile. */
  readonly rows: number
  /** Columns of it. */
  readonly columns: number
  /** Fours along each side of a thread's tile: 1 (4x4) or 2 (8x8). */
  readonly fours: number
  /** Terms of one slice. */
  readonly depth: number
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Writes it. */
export const tileProduct = (
  task: Task,
  { rows, columns, fours, depth }: TileForm,
  context: KernelContext,
): Dispatch => {
  const shader = context.shader()
  const layout = layoutOf(task)
  const element = (way: Fours) => way === "none" ? "f32" : "vec4<f32>"
  const operands = {
    a: shader.read(task.buffers.a, element(layout.a)),
    b: shader.read(task.buffers.b, element(layout.b)),
  }
  const end = ending(task, layout, shader)
  const opening = open(task, layout, rows, columns, shader, context)
  const across = columns / (4 * fours), down = rows / (4 * fours), threads = across * down
  // One more four a row: threads that store neighbouring terms reach different banks.
  const widths = { a: rows / 4 + 1, b: columns / 4 + 1 }
  const line: Array<string> = [
    `var<workgroup> slice_a: array<vec4<f32>, ${depth * widths.a}>;`,
    `var<workgroup> slice_b: array<vec4<f32>, ${depth * widths.b}>;`,
    opening.header(threads),
    ...opening.statements,
    `let x = thread % ${across}u;`,
    `let y = thread / ${across}u;`,
  ]
  for (const i of range(4 * fours)) for (const j of range(fours)) line.push(`var sum${i}_${j} = vec4<f32>();`)

  /** Brings one slice of an operand: fours across, of single terms; neighbouring threads read neighbours in memory. */
  const bring = (name: "a" | "b"): void => {
    const side = name === "a" ? { start: "row", extent: "m", step: "a_m", size: rows } : {
      start: "column",
      extent: "n",
      step: "b_n",
      size: columns,
    }
    const way = layout[name], load = operands[name].load, width = widths[name]
    const groups = side.size / 4
    const items = way === "k" ? groups * depth / 4 : groups * depth
    for (let done = 0; done < items; done += threads) {
      line.push(done + threads > items ? `if (thread + ${done}u < ${items}u) {` : `{`)
      line.push(`let item = thread + ${done}u;`)
      const group = (along: string) => `let group = ${along};\nlet first = ${side.start} + group * 4u;`
      const place = (j: number) => `${name}_at + min(first + ${j}u, ${side.extent} - 1u) * ${side.step}`
      if (way === "k") {
        line.push(group(`item / ${depth / 4}u`), `let t = item % ${depth / 4}u * 4u;`)
        // Whole fours are inside or outside.
        line.push(`let within = min(k0 + t, k - 4u) / 4u;`, `let inside = k0 + t < end;`)
        for (const j of range(4)) line.push(`let v${j} = ${load(`${place(j)} + within`)};`)
        for (const u of range(4)) {
          const four = `vec4<f32>(${range(4).map((j) => `v${j}[${u}]`).join(", ")})`
          line.push(`slice_${name}[(t + ${u}u) * ${width}u + group] = select(vec4<f32>(), ${four}, inside);`)
        }
      } else {
        const near = `${name}_k == 1u` // then threads go along k
        line.push(
          way === "across"
            ? `let t = item / ${groups}u;\n${group(`item % ${groups}u`)}`
            : `let t = select(item / ${groups}u, item % ${depth}u, ${near});\n` +
              group(`select(item % ${groups}u, item / ${depth}u, ${near})`),
          `let within = min(k0 + t, k - 1u) * ${name}_k;`,
        )
        const four = way === "across"
          ? load(`${name}_at + min(first, ${side.extent} - 4u) / 4u + within`)
          : `vec4<f32>(${range(4).map((j) => load(`${place(j)} + within`)).join(", ")})`
        line.push(
          `slice_${name}[t * ${width}u + group] = select(vec4<f32>(), ${four}, k0 + t < end);`,
        )
      }
      line.push(`}`)
    }
  }

  line.push(`for (var k0 = begin; k0 < end; k0 += ${depth}u) {`)
  bring("a")
  bring("b")
  line.push(`workgroupBarrier();`)
  for (const t of range(depth)) {
    for (const i of range(fours)) line.push(`let left${t}_${i} = slice_a[${t * widths.a + i * down}u + y];`)
    for (const j of range(fours)) line.push(`let right${t}_${j} = slice_b[${t * widths.b + j * across}u + x];`)
    for (const i of range(4 * fours)) {
      for (const j of range(fours)) line.push(`sum${i}_${j} += left${t}_${i >> 2}[${i & 3}] * right${t}_${j};`)
    }
  }
  line.push(`workgroupBarrier();`, `}`)
  for (const i of range(4 * fours)) {
    for (const j of range(fours)) {
      const at = `row + (y + ${(i >> 2) * down}u) * 4u + ${i & 3}u`
      line.push(end.store(`sum${i}_${j}`, at, `column + (x + ${j * across}u) * 4u`))
    }
  }
  line.push(`}`)
  return shader.finish({
    label: `matmul ${task.m}x${task.k}x${task.n}`,
    code: end.declarations() + line.join("\n"),
    workgroups: opening.workgroups,
  })
}
