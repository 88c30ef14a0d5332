import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { Task } from "@espalier/espalier"
import { type Files, type FolderHandle, InferenceError, load } from "@espalier/espalier/inference"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Zip from "effect/encoding/Zip"
import { type Disk, filesOf, joined, ONE_THREAD, writeModel } from "./support.ts"

const disk = await writeModel(Task.causalLM(), ["a"])

/** What the model writes, and what it writes through the adapter. */
async function textsOf(model: Files, adapter: Files, options = {}): Promise<ReadonlyArray<string>> {
  const loaded = await load(model, { ...ONE_THREAD, ...options })
  try {
    await loaded.adapter("a", adapter)
    const written = (options: object) => joined(loaded.generate("sun moon", { ...options, maxNewTokens: 4 }))
    return [await written({}), await written({ adapter: "a" })]
  } finally {
    await loaded.free()
  }
}
const expected = await textsOf(filesOf(disk, "model"), filesOf(disk, "a"))

/** Serves files; `odd` answers first. */
async function serving<A>(
  odd: (path: string) => Response | undefined,
  work: (address: string, asked: Array<string>) => Promise<A>,
): Promise<A> {
  const address = Promise.withResolvers<string>()
  const asked: string[] = []
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: ({ port }) => address.resolve(`http://127.0.0.1:${port}`),
  }, (request) => {
    const path = new URL(request.url).pathname.slice(1)
    asked.push(path)
    const bytes = disk.get(path)
    return odd(path) ??
      (bytes === undefined ? new Response("no", { status: 404 }) : new Response(bytes as Uint8Array<ArrayBuffer>))
  })
  try {
    return await work(await address.promise, asked)
  } finally {
    await server.shutdown()
  }
}

const zipOf = async (disk: Disk, folder: string): Promise<Blob> => {
  const entries = [...disk].filter(([path]) => path.startsWith(`${folder}/`))
  const files = [["__MACOSX/._x", new Uint8Array(2)] as const, ...entries].map(([path, bytes]) => Zip.file(path, bytes))
  const encoded = Stream.fromIterable(files).pipe(Stream.pipeThroughChannel(Zip.encode()), Stream.runCollect)
  return new Blob(await Effect.runPromise(encoded) as Array<Uint8Array<ArrayBuffer>>)
}

/** A folder as the browser hands it out. */
const folderOf = (name: string, files: Record<string, Uint8Array>): FolderHandle => ({
  kind: "directory",
  name,
  async *values() {
    for (const [name, bytes] of Object.entries(files)) {
      yield {
        kind: "file",
        name,
        getFile: () => Promise.resolve(new Blob([bytes as Uint8Array<ArrayBuffer>])),
      } as const
    }
  },
})

Deno.test("files, blobs, archives, folders and lists of files are one model", async () => {
  const [model, adapter] = [filesOf(disk, "model"), filesOf(disk, "a")]
  const list = (files: Record<string, Uint8Array>) =>
    Object.entries(files).map(([name, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], name))
  const inFolder = list(adapter).map((file) => Object.assign(file, { webkitRelativePath: `chosen/inner/${file.name}` }))
  const forms: ReadonlyArray<readonly [Files, Files]> = [
    [await zipOf(disk, "model"), await zipOf(disk, "a")],
    [list(model), inFolder],
    [folderOf("model", model), [new File([await zipOf(disk, "a")], "adapter.zip")]],
  ]
  for (const [model, adapter] of forms) assertEquals(await textsOf(model, adapter), expected)
})

Deno.test("an address: what is read is fetched once, with progress; what is absent is absent", async () => {
  await serving(
    (path) =>
      path.endsWith("chat_template.jinja")
        ? new Response("<p>", { headers: { "content-type": "text/html" } })
        : undefined,
    async (address, asked) => {
      const told = new Map<string, readonly [number, number | undefined]>()
      const progress = ({ address, loaded, total }: { address: string; loaded: number; total?: number }) =>
        void told.set(address, [loaded, total])
      assertEquals(await textsOf(`${address}/model`, new URL(`${address}/a/?key=1`), { progress }), expected)
      const size = disk.get("model/model.safetensors")!.length
      assertEquals(told.get(`${address}/model/model.safetensors`), [size, size])
      assertEquals(new Set(asked).size, asked.length)
      assert(asked.includes("a/adapter_config.json") && !asked.includes("a/tokenizer_config.json"))
      const named = Object.fromEntries(
        Object.keys(filesOf(disk, "model")).map((name) => [name, `${address}/model/${name}`]),
      )
      assertEquals(await textsOf(named, `${address}/a`), expected)
    },
  )
})

Deno.test("what a server says otherwise is an error that tells it", async () => {
  const failing = (reason: string, message: string, files: Files, options = {}) => async () => {
    const error = await assertRejects(() => load(files, { ...ONE_THREAD, ...options }), InferenceError, message)
    assertEquals(error.reason, reason)
  }
  await serving(
    (path) => path === "model/model.safetensors" ? new Response("", { status: 503 }) : undefined,
    async (address) => {
      await failing("Files", "model.safetensors cannot be fetched: the server answers 503", `${address}/model`)()
      await failing("Files", "holds no config.json", `${address}/nothing`)()
      await failing("Files", "there is no such file", `${address}/model/model.gguf`)()
      await failing("Files", "there is no such file", { "config.json": `${address}/nothing` })()
    },
  )
  await failing("Files", "the server does not answer, or does not let this page read it", "http://127.0.0.1:1/model")()
  await failing("Options", "files must be at an address such as https://example.org/model/", "no address")()
})

Deno.test("a signal stops a download; what is loaded later is not stopped by it", async () => {
  const controller = new AbortController()
  const reason = new Error("enough")
  const endless = () =>
    new Response(
      new ReadableStream({
        start: (stream) => stream.enqueue(new Uint8Array(10)),
        pull: () => new Promise((resolve) => setTimeout(resolve, 5)),
      }),
    )
  await serving((path) => path === "model/tokenizer.json" ? endless() : undefined, async (address) => {
    const progress = ({ address }: { address: string }) => {
      if (address.endsWith("tokenizer.json")) controller.abort(reason)
    }
    const options = { ...ONE_THREAD, signal: controller.signal, progress }
    assertEquals(await load(`${address}/model`, options).catch((error) => error), reason)
  })
  const later = new AbortController()
  await serving(() => undefined, async (address) => {
    const model = await load(`${address}/model`, { ...ONE_THREAD, signal: later.signal })
    later.abort(reason)
    assertEquals((await model.embed(["sun"])).length, 1)
    await model.free()
  })
})

Deno.test("a model with a chat template answers messages", async () => {
  const template = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}" +
    "{% if add_generation_prompt %}moon {% endif %}"
  const files = { ...filesOf(disk, "model"), "chat_template.jinja": new TextEncoder().encode(template) }
  const model = await load(files, ONE_THREAD)
  assertEquals(model.chats, true)
  const options = { maxNewTokens: 6 }
  const answer = await joined(model.generate([{ role: "sun", content: "star" }], options))
  assertEquals(answer, await joined(model.generate("sun star moon ", options)))
  await model.free()
  const refusing = { ...files, "chat_template.jinja": new TextEncoder().encode("{{ raise_exception('no sun') }}") }
  const strict = await load(refusing, ONE_THREAD)
  const error = await assertRejects(() => joined(strict.generate([{ role: "sun", content: "" }])), InferenceError)
  assertEquals(error.reason, "Options")
  assertStringIncludes(error.message, "no sun")
  await strict.free()
})
