import { assert, assertEquals } from "@std/assert"
import { onWebgpu } from "./core/backend/webgpu/with_webgpu.ts"

const script = new URL("./long_run.ts", import.meta.url).pathname

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[values.length >> 1]

interface Readings {
  readonly resident: number[]
  readonly heap: number[]
  readonly total: number[]
}

const trainLong = async (backend: "wasm" | "webgpu", layout: "padded" | "packed"): Promise<Readings> => {
  const args = ["run", "--allow-read", "--v8-flags=--expose-gc", script, backend, layout]
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output()
  const out = new TextDecoder().decode(stdout)
  assert(out !== "", new TextDecoder().decode(stderr))
  return JSON.parse(out)
}

/** 1,000 steps: resident memory grows by at most 2 % after the first ones, the heap by 0.6 % from step 600, the backend's not at all. */
const staysLevel = async (
  backend: "wasm" | "webgpu",
  layout: "padded" | "packed",
  first: number,
): Promise<void> => {
  const growth: number[] = []
  // V8 now and then takes some megabytes at once: what leaks does so in every process.
  while (growth.length < 3 && !growth.some((ratio) => ratio <= 1.02)) {
    const { resident, heap, total } = await trainLong(backend, layout)
    assertEquals(resident.length, 1000)
    growth.push(median(resident.slice(980)) / median(resident.slice(first, first + 20)))
    // Every tenth step's. Until step 600 V8 compiles more and more of what runs, and keeps it.
    const used = median(heap.slice(95)) / median(heap.slice(60, 65))
    assert(used <= 1.006, `the heap grows to ${used.toFixed(4)} of its size`)
    // The most, for results on their way from a GPU are counted too.
    const [before, after] = [Math.max(...total.slice(0, first)), Math.max(...total.slice(first))]
    assert(before > 0 && after <= before, `${before} bytes, then ${after}`)
  }
  assert(
    growth.some((ratio) => ratio <= 1.02),
    `resident memory grows to ${growth.map((r) => r.toFixed(3))} of its size`,
  )
}

Deno.test(
  "1,000 steps: resident memory grows by at most 2 % after the first 100, the heap by 0.6 % after 600, shared memory not at all",
  () => staysLevel("wasm", "padded", 100),
)

// Rows of one length more first come before step 480, and the program for them stays.
Deno.test(
  "1,000 steps on packed rows: resident memory grows by at most 2 % after the first 600, the heap by 0.6 %, shared memory not at all",
  () => staysLevel("wasm", "packed", 600),
)

onWebgpu(
  "1,000 steps: resident memory grows by at most 2 % after the first 100, the heap by 0.6 % after 600, GPU memory not at all",
  () => staysLevel("webgpu", "padded", 100),
)
