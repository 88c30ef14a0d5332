import type { Failure, ShaderText } from "./protocol.ts"

/** A compiled shader. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
}

/** Compiles a shader, or gives it if one with the same code was compiled before. */
export type Compile = (shader: ShaderText) => Promise<Pipeline>

/** Compiles shaders on a device. */
export function makeCompile(device: GPUDevice): Compile {
  const pipelines = new Map<string, Pipeline>()
  const layouts = new Map<string, GPUBindGroupLayout>()
  const failure = (message: string): Failure => ({ reason: "Compile", message })
  const layoutOf = (writable: ReadonlyArray<boolean>): GPUBindGroupLayout => {
    const key = writable.map((writes) => writes ? "w" : "r").join("")
    let layout = layouts.get(key)
    if (layout === undefined) {
      layout = device.createBindGroupLayout({
        entries: writable.map((writes, binding) => ({
          binding,
          visibility: 4, // COMPUTE
          buffer: { type: writes ? "storage" : "read-only-storage" },
        })),
      })
      layouts.set(key, layout)
    }
    return layout
  }
  return async ({ label, code, writable }) => {
    const known = pipelines.get(code)
    if (known !== undefined) return known
    device.pushErrorScope("validation")
    const module = device.createShaderModule({ label, code })
    const checked = device.popErrorScope()
    const layout = layoutOf(writable)
    const made = device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    }).catch((cause: unknown) => failure(`pipeline of ${label}: ${cause}`))
    const problem = await checked
    if (problem !== null) throw failure(`shader of ${label}: ${problem.message}`)
    const pipeline = await made
    if ("reason" in pipeline) throw pipeline
    const compiled = { pipeline, layout }
    pipelines.set(code, compiled)
    return compiled
  }
}
