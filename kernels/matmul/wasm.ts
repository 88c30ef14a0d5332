/**
 * Matrix product in WebAssembly, after BLIS (Van Zee and van de Geijn, 2015): a micro-kernel keeps a tile of 6x8 sums
 * in registers and runs along k over a panel of b, [k][8], that was packed to be read in order.
 *
 * A unit of work is one panel of rows in one chunk of columns of one batch entry. A thread packs for itself the part
 * of b that its units need: no stage before, no barrier. Every sum runs along k in order, so neither the number of
 * threads nor the sizes of blocks change a bit of the result.
 * @module
 */
import { bytesOf } from "../../core/tensor/dtype.ts"
import type { MatmulCall } from "../contract.ts"
import { call as callFunction, i32 } from "../wasm/assembler.ts"
import type { KernelContext, Stage } from "../wasm/kernel.ts"
import { blockingOf, driver, scratchBytes } from "./_wasm_driver.ts"
import { epilogueFunction } from "./_wasm_epilogue.ts"
import { collapse } from "./product.ts"

/** Writes a matrix product: one stage. */
export const emitMatmul = (call: MatmulCall, context: KernelContext): readonly Stage[] => {
  const product = collapse(call)
  const blocking = blockingOf(product)
  if (!(blocking.units > 0)) return []
  const { module, target } = context
  const { inputs = [], also = [] } = call.epilogue ?? {}
  const views = [call.a, call.b, call.output, ...inputs, ...also.map(({ view }) => view)]
  const addresses = views.map(({ buffer, offset }) =>
    i32.add(context.address(buffer), i32.const(bytesOf(context.storage(buffer)) * offset))
  )
  const [a, b, , ...beside] = views.map(({ buffer }) => context.storage(buffer))
  const func = driver(module, target, product, blocking, { a, b, beside }, epilogueFunction(call, product, context))
  const scratch = context.threadScratch(scratchBytes(product, blocking))
  return [{
    units: blocking.units,
    run: (begin, end) => callFunction(func, begin, end, scratch, ...addresses),
  }]
}
