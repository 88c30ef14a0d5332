import { assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { openRunFolder } from "../../core/training/run_folder/run_folder.ts"
import { checkOutput, clearOutput } from "../../examples/shared.ts"
import { inDirectory } from "../plugins/files.ts"

const flags = { resume: false, overwrite: true }
const provided = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))

Deno.test("--overwrite removes a run, and leaves the folder of a model as it is", () =>
  inDirectory(async (directory) => {
    const names = (folder: string) => [...Deno.readDirSync(`${directory}/${folder}`)].map(({ name }) => name).sort()
    for (
      const [folder, files] of [["run", ["events.jsonl", "summary.json"]], ["model", ["model.safetensors"]]] as const
    ) {
      Deno.mkdirSync(`${directory}/${folder}`)
      for (const name of ["config.json", ...files]) Deno.writeTextFileSync(`${directory}/${folder}/${name}`, "{}")
      await provided(checkOutput(`${directory}/${folder}`, flags))
      await provided(clearOutput(`${directory}/${folder}`, flags))
    }
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["model"])
    assertEquals(names("model"), ["config.json", "model.safetensors"])
    const opened = openRunFolder({ path: `${directory}/model`, config: {}, resume: false })
    const { message } = await provided(Effect.flip(opened))
    assertStringIncludes(message, "holds another run: name another folder")
    assertEquals(names("model"), ["config.json", "model.safetensors"])
  }))

Deno.test({
  name: "an output folder that may not be written is an error before any work",
  permissions: { read: true, write: false },
  fn: async () => {
    const { message } = await provided(Effect.flip(checkOutput("elsewhere", { resume: false, overwrite: false })))
    assertStringIncludes(message, `"elsewhere" may not be written`)
    assertStringIncludes(message, "--allow-write=elsewhere")
  },
})
