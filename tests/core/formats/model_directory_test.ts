import { assertEquals, assertStringIncludes } from "@std/assert"
import { openModel } from "../../../core/formats/safetensors/checkpoint.ts"
import { readModelConfig } from "../../../core/formats/json/model_config.ts"
import { failure, fileOf, inDirectory } from "./support.ts"

/** The message for a directory with these files, which may lie in directories. */
async function message(
  files: Readonly<Record<string, string | Uint8Array>>,
  of: "weights" | "config" = "weights",
): Promise<string> {
  let text = ""
  await inDirectory(async (directory) => {
    for (const [name, content] of Object.entries(files)) {
      const folder = name.split("/").slice(0, -1).join("/")
      if (folder !== "") Deno.mkdirSync(`${directory}/${folder}`, { recursive: true })
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
      Deno.writeFileSync(`${directory}/${name}`, bytes)
    }
    const error = of === "weights" ? await failure(openModel(directory)) : await failure(readModelConfig(directory))
    text = error.message.replaceAll(directory, "m")
  })
  return text
}

Deno.test("weights of another kind are named, with how they become what is read", async () => {
  const none = '"m" holds neither model.safetensors nor model.safetensors.index.json'
  assertEquals(await message({ "config.json": "{}" }), none)
  const cases: ReadonlyArray<readonly [string, string]> = [
    ["pytorch_model.bin", "a PyTorch archive: convert it once in Python: AutoModel"],
    ["pytorch_model-00001-of-00002.bin", "a PyTorch archive"],
    ["last.ckpt", "maybe of a whole training run"],
    ["model.pt", "a PyTorch archive"],
    ["tf_model.h5", "from_tf=True"],
    ["flax_model.msgpack", "from_flax=True"],
    ["consolidated.00.pth", "the maker's own layout"],
    ["consolidated.safetensors", "the maker's own layout"],
    ["model-00001-of-00002.safetensors", "model.safetensors.index.json lacks"],
    ["own.safetensors", "call it model.safetensors"],
  ]
  for (const [name, text] of cases) {
    const told = await message({ "config.json": "{}", [name]: "" })
    assertStringIncludes(told, `${none}; it holds ${name}, which is `)
    assertStringIncludes(told, text)
  }
})

Deno.test("an adapter in a model's place is told, with the model that it was made for", async () => {
  const adapter = {
    "adapter_config.json": '{"base_model_name_or_path": "makers/base", "r": 8}',
    "adapter_model.safetensors": "",
  }
  const text = '; it is an adapter, not a model: load the model that it was made for, "makers/base",'
  assertStringIncludes(await message(adapter, "config"), `"m" holds no config.json${text}`)
  assertStringIncludes(await message({ ...adapter, "config.json": "{}" }), text)
  assertStringIncludes(await message({ "adapter_config.json": "{}" }, "config"), "it was made for and the adapter")
})

Deno.test("directories without a config say what they are", async () => {
  assertStringIncludes(
    await message({ "checkpoint-20/config.json": "{}" }, "config"),
    "a model may lie in checkpoint-20",
  )
  assertStringIncludes(
    await message({ "snapshots/0a/config.json": "{}", "refs/main": "0a" }, "config"),
    "it is a cache",
  )
  assertStringIncludes(
    await message({ "params.json": "{}", "consolidated.00.pth": "" }, "config"),
    "the maker's own layout",
  )
  await inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/own.bin`, "")
    const file = await failure(readModelConfig(`${directory}/own.bin`))
    assertStringIncludes(file.message, "it is a file: give the directory that it lies in, or a GGUF file")
  })
  const hub = await failure(readModelConfig("makers/base"))
  assertStringIncludes(hub.message, "a model on a hub is named hf:owner/name")
})

Deno.test("shards that are not there are listed before any is opened", async () => {
  const weight_map = {
    a: "model-00001-of-00003.safetensors",
    b: "model-00002-of-00003.safetensors",
    c: "model-00003-of-00003.safetensors",
  }
  const index = {
    "model.safetensors.index.json": JSON.stringify({ weight_map }),
    "model-00002-of-00003.safetensors": "",
  }
  assertEquals(
    await message(index),
    '"m" lacks 2 of 3 files that its index names\n' +
      "  not there (2): model-00001-of-00003.safetensors, model-00003-of-00003.safetensors\nfetch the model again",
  )
})

Deno.test("what lies in the place of weights is recognized", async () => {
  const cases: ReadonlyArray<readonly [string | Uint8Array, string]> = [
    ["version https://lfs.test/spec/v1\noid sha256:00\nsize 10\n", "a pointer of Git LFS"],
    ["PK\x03\x04 and the rest", "a PyTorch archive"],
    ["GGUF\x03\x00\x00\x00 and the rest", "a GGUF file"],
    ["<!DOCTYPE html><html></html>", "a web page"],
    [fileOf("{}", 0, 2n ** 60n), "not a safetensors file?"],
  ]
  for (const [content, text] of cases) assertStringIncludes(await message({ "model.safetensors": content }), text)
})
