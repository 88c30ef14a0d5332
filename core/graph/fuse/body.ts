import type { Instruction, View } from "../../../kernels/contract.ts"
import { fullOperation } from "../../tensor/operations/leaves.ts"
import { isReduction } from "../../tensor/operations/reduce.ts"
import { broadcastStrides, sameShape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { copyOperation, isGenerator } from "./fuse.ts"
import type { Layout } from "../layout.ts"

/** Writes the fused expression of one call over the places of `space`. */
export class Body {
  readonly instructions: Instruction[] = []
  readonly inputs: View[] = []
  readonly #steps = new Map<Tensor, number>()
  /** Steps that load the inputs. */
  readonly #loads: number[] = []

  /**
   * @param order axes of `space` in the order in which the call goes over them
   * @param computed whether a node is evaluated here rather than loaded
   * @param locate layout of a loaded node in the program's buffers
   * @param product operand 0 of an epilogue
   */
  constructor(
    readonly space: ReadonlyArray<number>,
    readonly order: ReadonlyArray<number>,
    readonly computed: (node: Tensor) => boolean,
    readonly locate: (node: Tensor) => Layout & { readonly buffer: number },
    readonly product?: Tensor,
  ) {}

  /** The step that gives a node's value at a place. */
  step(node: Tensor): number {
    const known = this.#steps.get(node)
    if (known !== undefined) return known
    const step = isGenerator(node)
      ? this.#generate(node)
      : node === this.product
      ? this.#push({ op: "load", operand: 0, dtype: node.dtype })
      : this.computed(node)
      ? this.#compute(node)
      : this.#load(node)
    this.#steps.set(node, step)
    return step
  }

  #push(instruction: Instruction): number {
    return this.instructions.push(instruction) - 1
  }

  #generate(node: Tensor): number {
    const { dtype } = node
    if (node.operation === fullOperation) {
      return this.#push({ op: "constant", value: node.attributes.value as number, dtype })
    }
    const axis = node.attributes.axis as number
    const here = this.space.length - node.shape.length + axis
    return node.shape[axis] === 1
      ? this.#push({ op: "constant", value: 0, dtype })
      : this.#push({ op: "index", axis: this.order.indexOf(here), dtype: "i32" })
  }

  #compute(node: Tensor): number {
    const args = node.inputs.map((x) => this.step(x))
    if (node.operation === copyOperation) return args[0]
    if (isReduction(node)) {
      const kind = node.attributes.kind as "sum" | "max"
      return this.#push({ op: "reduce", kind, args: [args[0]], dtype: node.dtype })
    }
    // The kernels' elementwise names are those of the operations.
    return this.#push({ op: node.operation.name, args, dtype: node.dtype } as Instruction)
  }

  #load(node: Tensor): number {
    const from = this.locate(node)
    const strides = broadcastStrides(from, this.space)
    const view: View = {
      buffer: from.buffer,
      offset: from.offset,
      shape: this.order.map((axis) => this.space[axis]),
      strides: this.order.map((axis) => strides[axis]),
    }
    const known = this.inputs.findIndex(({ buffer, offset, strides }) =>
      buffer === view.buffer && offset === view.offset && sameShape(strides, view.strides)
    )
    if (known >= 0) return this.#loads[known]
    const operand = this.inputs.push(view) - (this.product === undefined ? 1 : 0)
    const step = this.#push({ op: "load", operand, dtype: node.dtype })
    this.#loads.push(step)
    return step
  }
}
