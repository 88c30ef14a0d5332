/**
 * Matrix product in WebAssembly, after BLIS (Van Zee and van de Geijn, 2015): a micro-kernel keeps a tile of 6x8 sums
 * in registers and runs along k over a panel of b, [k][8], that was packed to be read in order. In wide vectors it is
 * the other way round: part of b stays, and tiles of 6x16 sums go by.
 *
 * A unit of work is one panel of rows in one chunk of columns of one batch entry; or, where there are few rows, some
 * columns of all rows. A thread packs for itself the part of b that its units need: no stage before, no barrier. How a
 * sum is ordered depends on the product alone, so the number of threads does not change a bit of the result.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { keyWith } from "../collapse.ts"
import { type Encoding, inBlocks } from "../encoding.ts"
import type { MatmulCall } from "./call.ts"
import { call as callFunction } from "../wasm/assembler.ts"
import { countBlocksFrom, firstElement } from "../wasm/lanes.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type Stage } from "../wasm/kernel.ts"
import { blockingOf, driver } from "./wasm/driver.ts"
import { epilogueFunction } from "./wasm/epilogue.ts"
import { forget } from "./wasm/pack.ts"
import { stripBlocking, stripDriver } from "./wasm/strip_driver.ts"
import { thinBlocking } from "./wasm/thin.ts"
import { thinDriver } from "./wasm/thin_driver.ts"
import type { Writing } from "./wasm/operands.ts"
import { collapse } from "./product.ts"

/** Writes a matrix product: one stage. */
export const emitMatmul = (call: MatmulCall, context: KernelContext): readonly Stage[] => {
  const { module } = context
  const { body = [], result, inputs = [], also = [] } = call.epilogue ?? {}
  const views = [call.a, call.b, call.output, ...inputs, ...also.map(({ view }) => view)]
  const encodings = views.map(({ buffer }) => context.encoding(buffer))
  const shapes = views.map(({ shape, strides }) => [shape, strides])
  const steps = also.map(({ step }) => step)
  const written = module.once(
    `matmul of ${keyWith(body, [shapes, encodings.map(({ name }) => name), result, inputs.length, steps])}`,
    () => matmulOf(call, encodings, context),
  )
  if (written === undefined) return []
  const { func, units, size, scratchBytes, grain } = written
  const addresses = views.map((view) => firstElement(context, view))
  const scratch = context.threadScratch(scratchBytes)
  const { buffer } = call.b
  const blocks = inBlocks(encodings[1]) ? countBlocksFrom(module, context.address(buffer)) : []
  const stage = groupedStage(
    units,
    size,
    (begin, end) => [blocks, callFunction(func, begin, end, scratch, ...addresses)],
  )
  return [{ ...stage, prepare: forget(module), grain }]
}

/** The function of a product, its units in groups of a size, and what a thread needs; undefined where nothing is to do. */
const matmulOf = (call: MatmulCall, [a, b, , ...beside]: ReadonlyArray<Encoding>, context: KernelContext) => {
  const product = collapse(call)
  const { module, target } = context
  const encodings = { a, b, beside }
  const writing = { module, target, product, encodings }
  const { units, scratchBytes, apart, ...cut } = cutOf(writing)
  if (!(units > 0)) return undefined
  const epilogue = epilogueFunction(call, product, context, apart)
  const func = module.once(
    `matmul ${JSON.stringify([product, encodings, target, epilogue])}`,
    () => cut.write(epilogue),
  )
  const size = itemsPerUnit(units, sizeOf(call.output.shape) * product.k / units)
  const grain = Math.ceil(cut.grain / size)
  return { func, units, size, scratchBytes, grain }
}

/** How a product is cut, and what writes its loops. */
const cutOf = (writing: Writing) => {
  const { product, encodings, target } = writing
  const thin = thinBlocking(product, encodings)
  if (thin !== undefined) {
    return { ...thin, write: (epilogue?: number) => thinDriver(writing, thin, epilogue) }
  }
  const strips = stripBlocking(product, encodings, target)
  if (strips !== undefined) return { ...strips, write: (epilogue?: number) => stripDriver(writing, strips, epilogue) }
  const blocking = blockingOf(product, encodings)
  return { ...blocking, write: (epilogue?: number) => driver(writing, blocking, epilogue) }
}
