/**
 * A bottleneck adapter after a block (Pfeiffer et al. 2021): h + up(relu(down h)).
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { ops, type PluginError, Plugins } from "@espalier/espalier"

/** Options of {@link layer}. */
export interface BottleneckOptions {
  /** Path of the block, or the end of it. */
  readonly block: string
  /** Width of the bottleneck. */
  readonly width: number
}

/** Identity of the capability. */
export interface Bottleneck {
  /** Nominal brand. */
  readonly "~seams/Bottleneck": "~seams/Bottleneck"
}
const Bottleneck: Context.Service<Bottleneck, BottleneckOptions> = Context.Service<Bottleneck, BottleneckOptions>(
  "seams/Bottleneck",
)

/** Puts an adapter after a block. It does not start as the identity, so that all of it has a gradient. */
export function layer(options: BottleneckOptions): Layer.Layer<Bottleneck, PluginError, Plugins.Plugins> {
  const { block, width } = options
  const normal = (shape: ReadonlyArray<number>) => ({ shape, initializer: { kind: "normal", std: 0.3 } }) as const
  return Plugins.plugin(
    Bottleneck,
    Effect.succeed([options, {
      id: "bottleneck/default",
      sites: [{
        select: [block],
        plan: ({ sizes: { hiddenSize } }) => ({
          place: "after",
          parameters: {
            down: normal([width, hiddenSize]),
            downBias: normal([width]),
            up: normal([hiddenSize, width]),
            upBias: normal([hiddenSize]),
          },
          forward: (scope, h) => {
            const weight = scope.parameter
            const down = ops.add(ops.matmul(h, weight("down"), { transposeB: true }), weight("downBias"))
            const up = ops.matmul(ops.relu(down), weight("up"), { transposeB: true })
            return ops.add(h, ops.add(up, weight("upBias")))
          },
        }),
      }],
    }]),
  )
}
