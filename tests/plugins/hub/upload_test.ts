import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Hub from "../../../plugins/hub/mod.ts"
import { bytes, TOKEN, token, withHub } from "./support.ts"

const upload = (folder: string, options: Hub.UploadOptions) =>
  Effect.flatMap(Hub.Hub, ({ upload }) => upload(folder, options))

/** A run's folder with an adapter, as training writes it. */
const makeRun = async (folder: string) => {
  const write = (path: string, value: unknown) => Deno.writeTextFile(`${folder}/${path}`, JSON.stringify(value))
  await Deno.mkdir(`${folder}/adapter`, { recursive: true })
  await Deno.mkdir(`${folder}/checkpoints`)
  await write("adapter/adapter_config.json", { peft_type: "LORA", base_model_name_or_path: "/home/person/base", r: 8 })
  await Deno.writeFile(`${folder}/adapter/adapter_model.safetensors`, bytes(5000))
  await Deno.writeTextFile(`${folder}/adapter/.secret.json`, "{}")
  await Deno.writeTextFile(`${folder}/adapter/notes.key`, "a key")
  await Deno.writeTextFile(`${folder}/checkpoints/secret.json`, "{}")
  await Deno.writeTextFile(`${folder}/events.jsonl`, "")
  await write("config.json", {
    model: "hf:o/base@v1",
    methods: ["lora/default"],
    train: { default: { source: "/home/person/private/reviews.csv", examples: 1234, digest: "0" } },
    validation: { default: { source: "/home/person/private/reviews.csv", examples: 100, digest: "1" } },
    training: { epochs: 3, learningRate: 0.003, seed: 42 },
  })
  await write("summary.json", {
    base: { loss: 0.7, accuracy: 0.5 },
    test: { loss: 0.2, accuracy: 0.9321 },
    judgedBy: "test",
    backend: "wasm",
    adapter: "/home/person/out/adapter",
    steps: 77,
    seconds: 61,
    trainableParameters: 14592,
    totalParameters: 1015168,
    figures: { epsilon: 3 },
  })
}

Deno.test(
  "an adapter goes to a repository of its own, with its base model and a card of what was measured",
  withHub(async ({ server, cache, run }) => {
    const folder = cache.slice(0, -"/hub".length)
    await makeRun(folder)
    const { commit, files } = await run(upload(`${folder}/adapter`, { to: "hf:me/tuned" }), { token })
    assertEquals(files, ["README.md", "adapter_config.json", "adapter_model.safetensors"])
    const repository = server.repositories.get("me/tuned")!
    assertEquals([repository.refs.get("main"), repository.isPrivate], [commit, true])
    const all = repository.commits.get(commit)!
    assertEquals([...all.keys()].sort(), [".gitattributes", ...files])
    assertEquals(all.get("adapter_model.safetensors"), bytes(5000))
    const text = (path: string) => new TextDecoder().decode(all.get(path))
    const config = JSON.parse(text("adapter_config.json"))
    assertEquals([config.base_model_name_or_path, config.revision, config.r], ["o/base", "v1", 8])
    const card = text("README.md")
    for (
      const part of [
        "---\nbase_model: o/base\nlibrary_name: peft\n",
        '- "lora"',
        '- "accuracy"',
        "# tuned",
        "`lora/default` of [o/base]",
        "On test rows.",
        "| accuracy | 0.5000 | 0.9321 |",
        "| train | reviews.csv | 1,234 |",
        "| trained parameters | 14,592 of 1,015,168 |",
        "| epsilon | 3 |",
        "| learningRate | 0.003 |",
      ]
    ) assertStringIncludes(card, part)
    assert(!card.includes("/home"), "a path of a person's machine is in the card")
    const sent = server.seen.filter(({ host }) => host === "files")
    assertEquals(sent.map(({ method, authorization }) => [method, authorization]), [["PUT", null]])

    // Without what the run says, the folder of one's own machine is not named either.
    const bare = await run(upload(`${folder}/adapter`, { to: "hf:me/bare", run: `${folder}/none` }), { token })
    const own = server.repositories.get("me/bare")!.commits.get(bare.commit)!
    for (const content of own.values()) assert(!new TextDecoder().decode(content).includes("/home"))

    // Once more, with a card of one's own, on what is there.
    await Deno.writeTextFile(`${folder}/adapter/README.md`, "mine")
    const again = await run(upload(`${folder}/adapter/`, { to: "hf:me/tuned", private: false }), { token })
    const next = server.repositories.get("me/tuned")!.commits.get(again.commit)!
    assertEquals(new TextDecoder().decode(next.get("README.md")), "mine")
  }),
)

Deno.test(
  "what cannot be uploaded is told before anything is sent",
  withHub(async ({ server, cache, failure }) => {
    const folder = cache.slice(0, -"/hub".length)
    await makeRun(folder)
    await Deno.mkdir(`${folder}/empty`)
    const adapter = `${folder}/adapter`
    const cases: ReadonlyArray<readonly [string, Hub.UploadOptions, string, string, Hub.HubOptions?]> = [
      [adapter, { to: "me/tuned" }, "Name", "there is no owner/name"],
      [adapter, { to: "hf:me/tuned/file" }, "Name", "names a file"],
      [adapter, { to: "hf:me/tuned" }, "Access", "needs a token", {}],
      [adapter, { to: "hf:me/tuned" }, "Offline", "may not be asked", { token, offline: true }],
      [folder, { to: "hf:me/tuned" }, "Content", "it is the folder of a run: give its adapter"],
      [`${folder}/empty`, { to: "hf:me/tuned" }, "Content", "it holds no adapter_config.json"],
      [adapter, { to: "hf:me/tuned", base: "nothing" }, "Name", "names nothing on a hub"],
    ]
    for (const [path, options, reason, part, hub = { token }] of cases) {
      const error = await failure(upload(path, options), hub)
      assertEquals([error._tag, error.reason], ["HubError", reason], part)
      assertStringIncludes(error.message, part)
    }
    assertEquals(server.seen.length, 0)
    server.commit("me/tuned", { "a.json": "" })
    server.faults.statuses = [403]
    const refused = await failure(upload(adapter, { to: "hf:me/tuned" }), { token })
    assertEquals(refused.reason, "Access")
    assert(!refused.message.includes(TOKEN))
  }),
)
