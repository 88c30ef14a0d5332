import type { DeviceFacts, Failure } from "./protocol.ts"

/** Requests a device; throws a {@link Failure} where there is none that is accepted. */
export async function openDevice(
  software: boolean,
): Promise<{ readonly device: GPUDevice; readonly facts: DeviceFacts }> {
  const unsupported = (message: string): Failure => ({ reason: "Unsupported", message })
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
  if (gpu === undefined) throw unsupported("this runtime has no navigator.gpu; use the wasm backend")
  const request = async () => {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" })
    if (adapter === null) throw unsupported("this machine has no WebGPU adapter; use the wasm backend")
    return adapter
  }
  const adapter = await request()
  const { vendor, architecture, device: name, description } = adapter.info
  const text = description || [vendor, architecture, name].filter((part) => part !== "").join(" ") || "unnamed adapter"
  const isSoftware = adapter.info.isFallbackAdapter === true ||
    /llvmpipe|lavapipe|swiftshader|software|basic render/i.test(`${text} ${vendor} ${architecture} ${name}`)
  if (isSoftware && !software) throw unsupported(`the only WebGPU adapter is a software one (${text})`)
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits
  const { maxStorageBuffersPerShaderStage, maxComputeWorkgroupsPerDimension } = adapter.limits
  const limits = {
    maxBufferSize,
    maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupsPerDimension,
  }
  const timestamps = adapter.features.has("timestamp-query")
  const features: Array<GPUFeatureName> = timestamps ? ["timestamp-query"] : []
  const open = (adapter: GPUAdapter, requiredFeatures: Array<GPUFeatureName>) =>
    adapter.requestDevice({ requiredLimits: limits, requiredFeatures })
  // Deno grants features that it does not list. An adapter serves one request only.
  const subgroups = await open(adapter, [...features, "subgroups" as GPUFeatureName]).catch(() => undefined)
  const device = subgroups ?? await open(await request(), features)
  device.pushErrorScope("validation")
  device.createShaderModule({ code: "enable subgroups;\n@compute @workgroup_size(1) fn main() {}" })
  const enableSubgroups = await device.popErrorScope() === null
  const info = adapter.info as { subgroupMinSize?: number; subgroupMaxSize?: number }
  const sizes = { smallest: info.subgroupMinSize ?? 4, largest: info.subgroupMaxSize ?? 128 }
  return {
    device,
    facts: {
      description: text,
      software: isSoftware,
      subgroups: subgroups && sizes,
      enableSubgroups,
      timestamps,
      limits,
    },
  }
}
