import { assert, assertEquals, assertNotEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { withAdapters } from "../../../core/inference/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { inDirectory } from "../files.ts"
import { pair, random, writeAdapter } from "../lora/adapters.ts"
import { scripted } from "./scripted.ts"
import { assertMatches, type Fetch, type Models, post, serving, small, template } from "./support.ts"

const WIDTH = 128

/** Factors of the queries of all layers. */
const factors = (seed: number, r: number, width: number) =>
  Object.assign({}, ...[0, 1, 2, 3].map((i) => pair(`model.layers.${i}.self_attn.q_proj`, WIDTH, r, width, seed + i)))

/** Writes an adapter of the included model that changes what it says. */
const writeOne = (folder: string, seed: number, r = 2, width = WIDTH) =>
  writeAdapter(folder, { r, lora_alpha: 8 * r, target_modules: ["q_proj"] }, factors(seed, r, width))

/** The same with lengths of rows. */
const writeDora = (folder: string, seed: number) =>
  writeAdapter(folder, { r: 2, lora_alpha: 16, use_dora: true, target_modules: ["q_proj"] }, {
    ...factors(seed, 2, WIDTH),
    ...Object.fromEntries(
      [0, 1, 2, 3].map((i) => [`model.layers.${i}.self_attn.q_proj.lora_magnitude_vector`, random([WIDTH], seed + i)]),
    ),
  })

const bankedWith = (dora: boolean): Models =>
  Effect.gen(function* () {
    const model = yield* withAdapters(yield* small, Lora.bank({ slots: 2, rank: 4, dora }))
    return [yield* Server.writer(model, { name: "small", rows: 4, queue: 4, template })]
  })
const banked = bankedWith(false)

const load = (fetch: Fetch, lora_name: string, lora_path: string, more: object = {}) =>
  fetch(post("/v1/load_lora_adapter", { lora_name, lora_path, ...more }))
const unload = (fetch: Fetch, lora_name: string) => fetch(post("/v1/unload_lora_adapter", { lora_name }))
const textOf = async (fetch: Fetch, model: string) => {
  const answer = await fetch(
    post("/v1/completions", { model, prompt: "Once upon a time", max_tokens: 12, temperature: 0 }),
  )
  return answer.ok ? (await answer.json()).choices[0].text as string : answer.status
}
const errorOf = async (answer: Response) => ({ status: answer.status, ...(await answer.json()).error })

Deno.test("adapters come and go while a model answers; the field model names one", async () => {
  await inDirectory(async (directory) => {
    await writeOne(`${directory}/in/a`, 1)
    await writeOne(`${directory}/in/b`, 9)
    await serving(banked, { adapterFolders: [`${directory}/in`] }, async (fetch) => {
      const base = await textOf(fetch, "small")
      const added = await load(fetch, "a", `${directory}/in/a`)
      assertEquals([added.status, await added.text()], [200, "Success: LoRA adapter 'a' added successfully."])
      const a = await textOf(fetch, "a")
      assertNotEquals(a, base)
      assertEquals(await textOf(fetch, "small"), base)
      const { data } = await (await fetch(new Request("http://localhost/v1/models"))).json()
      assertEquals(data.map(({ id, parent }: { id: string; parent: string }) => [id, parent]), [["small", null], [
        "a",
        "small",
      ]])
      const taken = await errorOf(await load(fetch, "a", `${directory}/in/b`))
      assertEquals([taken.status, taken.param], [400, "lora_name"])
      assertEquals((await load(fetch, "a", `${directory}/in/b`, { load_inplace: true })).status, 200)
      const b = await textOf(fetch, "a")
      assert(b !== a && b !== base)
      // Two swaps at once follow each other: the last one that was asked for serves.
      const swaps = ["a", "b", "a"].map((name) => load(fetch, "a", `${directory}/in/${name}`, { load_inplace: true }))
      assertEquals((await Promise.all(swaps)).map(({ status }) => status), [200, 200, 200])
      assertEquals(await textOf(fetch, "a"), a)
      const gone = await unload(fetch, "a")
      assertEquals([gone.status, await gone.text()], [200, "Success: LoRA adapter 'a' removed successfully."])
      assertEquals(await textOf(fetch, "a"), 404)
      assertEquals((await errorOf(await unload(fetch, "a"))).code, "adapter_not_found")
    })
  })
})

Deno.test("a bank for DoRA serves it beside plain adapters, and each is loaded in place of the other", async () => {
  await inDirectory(async (directory) => {
    await writeOne(`${directory}/in/plain`, 1)
    await writeDora(`${directory}/in/dora`, 1)
    await serving(bankedWith(true), { adapterFolders: [`${directory}/in`] }, async (fetch) => {
      const base = await textOf(fetch, "small")
      for (const name of ["plain", "dora"]) await load(fetch, name, `${directory}/in/${name}`)
      const [plain, dora] = await Promise.all([textOf(fetch, "plain"), textOf(fetch, "dora")])
      assertEquals(new Set([base, plain, dora]).size, 3)
      for (const [from, text] of [["plain", plain], ["dora", dora]] as const) {
        const swapped = await load(fetch, "dora", `${directory}/in/${from}`, { load_inplace: true })
        assertEquals(swapped.status, 200, await swapped.text())
        assertEquals(await textOf(fetch, "dora"), text)
      }
      assertEquals(await textOf(fetch, "small"), base)
    })
  })
})

Deno.test("what cannot be loaded is refused, and the adapter that is there serves on", async () => {
  await inDirectory(async (directory) => {
    await writeOne(`${directory}/in/a`, 1)
    await writeOne(`${directory}/in/large`, 2, 8)
    await writeOne(`${directory}/out/b`, 3)
    await writeOne(`${directory}/in/foreign`, 1, 2, 7)
    await writeOne(`${directory}/in/cut`, 4)
    await writeDora(`${directory}/in/dora`, 1)
    await Deno.truncate(`${directory}/in/cut/adapter_model.safetensors`, 300)
    await Deno.symlink(`${directory}/out`, `${directory}/in/link`)
    await serving(banked, { adapterFolders: [`${directory}/in`] }, async (fetch) => {
      assertEquals((await load(fetch, "a", `${directory}/in/a`)).status, 200)
      const before = await textOf(fetch, "a")
      for (
        const [path, message] of [
          [`${directory}/out/b`, /must be a folder below/],
          [`${directory}/in/../out/b`, /must be a folder below/],
          [`${directory}/in/link/b`, /must be a folder below/],
          [`${directory}/in/nothing`, /must be a folder below/],
          [`${directory}/in/large`, /8/],
          [`${directory}/in/foreign`, /q_proj/],
          [`${directory}/in/cut`, /adapter_model.safetensors/],
          [`${directory}/in/dora`, /give the bank the option dora/],
        ] as const
      ) {
        const error = await errorOf(await load(fetch, "a", path, { load_inplace: true }))
        assertEquals([error.status, error.type], [400, "invalid_request_error"], path)
        assertMatches(error.message, message)
        assertEquals(await textOf(fetch, "a"), before)
      }
    })
  })
})

Deno.test("a server that takes no adapters, and a disk that fails, say so", async () => {
  await serving(Effect.succeed([scripted().served]), { adapterFolders: ["."] }, async (fetch) => {
    const { status, param } = await errorOf(await load(fetch, "a", "."))
    assertEquals([status, param], [400, "model"])
  })
  const adapters = { loaded: () => new Map(), load: () => Effect.die(new Error("EIO")), unload: () => Effect.void }
  await serving(Effect.succeed([scripted({ adapters }).served]), { adapterFolders: ["."] }, async (fetch) => {
    const { status, type } = await errorOf(await load(fetch, "a", "."))
    assertEquals([status, type], [500, "server_error"])
    assertEquals((await load(fetch, "a", "/")).status, 400)
    assertEquals((await fetch(post("/v1/completions", { model: "script", prompt: "a" }))).status, 200)
  })
})
