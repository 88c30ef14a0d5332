/**
 * What is done with a block of a matrix product, in WebAssembly, while it is in the first-level cache.
 * @module
 */
import { neededSteps, perRowSteps } from "../../analysis.ts"
import { keyWith } from "../../collapse.ts"
import type { MatmulCall } from "../call.ts"
import { type Code, f32x4, forRange, get, i32, i32x4, increase, set, v128, when } from "../../wasm/assembler.ts"
import { elementwise, isExpensive, valueOf } from "../../wasm/body.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { loadStored, placeIn, stepOf, storeLanes } from "../../wasm/lanes.ts"
import { hoistedNumbers, joinable, joined } from "../../wasm/wide.ts"
import { scaled } from "./operands.ts"
import type { Product } from "../product.ts"

/**
 * Index of the function `(rows, columns, row, column, output, ...beside)`, all i32, that runs the epilogue of `call`,
 * whose simplest form is `product`. The block has so many rows, each `apart` after the one before, and columns, begins at
 * that row (counted through all entries) and column, and its first elements lie at these byte addresses. Only at the end
 * of the rows may its columns be no multiple of four. Undefined where the call has no epilogue.
 */
export const epilogueFunction = (
  call: MatmulCall,
  product: Product,
  context: KernelContext,
  apart: number,
): number | undefined => {
  if (call.epilogue === undefined) return undefined
  const { module, target } = context
  const { body, inputs, result, also } = call.epilogue
  const { beside, n } = product
  const space = call.output.shape, last = space.length - 1
  const encodings = [call.output, ...inputs, ...also.map(({ view }) => view)].map(({ buffer }) =>
    context.encoding(buffer)
  )
  const views = [{ m: product.output.m, n: 1 }, ...beside].map((view, i) => ({ ...view, encoding: encodings[i] }))
  const stores = [
    { step: result, view: 0 },
    ...also.map(({ step }, i) => ({ step, view: 1 + inputs.length + i })),
  ]
  // Seen from here there are two axes, rows and columns.
  const perRow = perRowSteps(body, views.map((view) => [view.m, view.n]), space.map((_, axis) => +(axis === last)), 1)
  const steps = neededSteps(body, stores.map(({ step }) => step))
  // Loading and storing takes longer in wide vectors, which pays where a function is computed in between.
  const functions = steps.filter((number) => isExpensive(body[number]) && !perRow[number])
  const wide = target.wide === true && functions.length > 0 &&
    functions.every((number) => body[number].op !== "uniform")
  const key = keyWith(body, ["matmul epilogue", views, stores, space.slice(1), target, apart])
  const parameters = new Array(4 + views.length).fill("i32" as const)
  return module.once(
    key,
    () =>
      module.func("matmul_epilogue", parameters, [], (f, rows, columns, row, column, ...pointers) => {
        // Of a wide vector the lower half and the upper one.
        const halves = (wide ? [0, 1] : [0]).map(() => body.map(() => f.local("v128")))
        const numbers = wide ? hoistedNumbers(f) : undefined
        const [place, whole, end] = [f.local("i32"), f.local("i32"), f.local("i32")]

        const address = (view: number): Code => {
          const { n: stride, encoding } = views[view]
          // `place` counts the bytes of f32.
          const bytes = placeIn(encoding, get(place))
          const offset = stride === 1 ? bytes : i32.mul(bytes, i32.const(stride))
          return stride === 0 ? get(pointers[view]) : i32.add(get(pointers[view]), offset)
        }
        /** This row's coordinate along an axis. */
        const coordinate = (axis: number): Code => {
          const inner = space.slice(axis + 1, last).reduce((product, extent) => product * extent, 1)
          const outer = inner === 1 ? get(row) : i32.divU(get(row), i32.const(inner))
          return axis === 0 ? outer : i32.remU(outer, i32.const(space[axis]))
        }
        const evaluate = (number: number, lanes: number, half = 0): Code => {
          const step = body[number]
          switch (step.op) {
            case "load": {
              const { n, encoding } = views[step.operand]
              return perRow[number]
                ? loadStored(module, encoding, get(pointers[step.operand]), 0, 4, 0)
                : loadStored(module, encoding, address(step.operand), n, lanes, 4 * n * half)
            }
            case "constant":
              return step.dtype === "i32" ? i32x4.const(step.value) : f32x4.const(step.value)
            case "index":
              return perRow[number] ? i32x4.splat(coordinate(step.axis)) : i32x4.add(
                i32x4.splat(i32.add(get(column), i32.shrU(get(place), i32.const(2)))),
                v128.const(4 * half, 4 * half + 1, 4 * half + 2, 4 * half + 3),
              )
            default:
              return elementwise(module, target, f, body, number, sources[half], numbers)
          }
        }
        const some = (chosen: (number: number) => boolean, lanes: number): Code =>
          steps.filter(chosen).map((number) => set(halves[0][number], evaluate(number, lanes)))
        const store = (lanes: number, half = 0): Code =>
          stores.map(({ step, view }) =>
            storeLanes(address(view), 1, lanes, 4 * half, valueOf(body[step], sources[half][step]))
          )
        const vector = (lanes: number): Code => [some((number) => !perRow[number], lanes), store(lanes)]
        /** Where a half finds a step: what is the same all along a row is there once. */
        const sources = halves.map((locals) =>
          locals.map((local, number) => perRow[number] ? halves[0][number] : local)
        )
        const wideVector = (): Code => [
          steps.filter((number) => !perRow[number]).map((number): Code => [
            halves.map((locals, half) => set(locals[number], evaluate(number, 4, half))),
            body[number].op === "load" ? halves.map((locals) => joinable(locals[number])) : [],
          ]),
          stores.map(({ step }) => joined(sources[0][step], sources[1][step])),
          halves.map((_, half) => store(4, half)),
        ]
        const constant = (number: number) => body[number].op === "constant"
        const wideColumns = wide
          ? forRange(place, i32.const(0), i32.and(get(whole), i32.const(-32)), 32, wideVector())
          : set(place, i32.const(0))
        const code: Code = [
          some(constant, 4),
          set(whole, i32.shl(i32.and(get(columns), i32.const(-4)), i32.const(2))),
          set(end, i32.add(get(row), scaled(get(rows), apart))),
          forRange(
            row,
            get(row),
            get(end),
            apart,
            some((number) => perRow[number] && !constant(number), 4),
            wideColumns,
            forRange(place, get(place), get(whole), 16, vector(4)),
            n % 4 === 0 ? [] : when(i32.and(get(columns), i32.const(3)), [set(place, get(whole)), vector(n % 4)]),
            views.map(({ m, encoding }, view) => m === 0 ? [] : increase(pointers[view], apart * stepOf(encoding) * m)),
          ),
        ]
        return [numbers === undefined ? [] : numbers.set(), code]
      }),
  )
}
