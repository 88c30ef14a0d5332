import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type { DownloadEvent } from "../../../plugins/hub/mod.ts"
import { gitSha, sha256 } from "../../support/hub_server.ts"
import { bytes, download, filesBelow, TOKEN, token, withHub } from "./support.ts"

const FILE = "model.safetensors"
const weights = bytes(300_000)
const OID = sha256(weights)
const name = "hf:o/n"
const blobs = (cache: string) => `${cache}/models--o--n/blobs`

Deno.test(
  "what models are read from comes, in the layout of Python's tools",
  withHub(async ({ server, cache, run }) => {
    const sha = server.commit("o/n", {
      "config.json": "{}",
      "tokenizer.json": "[]",
      "chat_template.jinja": "x",
      [FILE]: weights,
      "pytorch_model.bin": "a pickle",
      "consolidated.safetensors": "twice",
      "onnx/model.onnx": "another program's",
      "flax_model.msgpack": "another's",
    })
    const folder = await run(download(name))
    assertEquals(folder, `${cache}/models--o--n/snapshots/${sha}`)
    const files = ["chat_template.jinja", "config.json", FILE, "tokenizer.json"]
    assertEquals(filesBelow(folder), files)
    assertEquals(await Deno.readFile(`${folder}/${FILE}`), weights)
    assertEquals(await Deno.readTextFile(`${cache}/models--o--n/refs/main`), sha)
    assertEquals(
      filesBelow(blobs(cache)),
      [
        gitSha(new TextEncoder().encode("[]")),
        gitSha(new TextEncoder().encode("x")),
        gitSha(new TextEncoder().encode("{}")),
        OID,
      ].sort(),
    )
    assertEquals(await Deno.readLink(`${folder}/${FILE}`), `../../blobs/${OID}`)
    assertEquals(filesBelow(`${cache}/.locks/models--o--n`).length, 4)

    const before = server.seen.length
    assertEquals(await run(download(name)), folder)
    assert(server.seen.slice(before).every(({ path }) => path.startsWith("/api/")), "a cached file was asked for again")
  }),
)

Deno.test(
  "a connection that breaks is taken up again where it broke; what comes is told",
  withHub(async ({ server, cache, run }) => {
    server.commit("o/n", { [FILE]: weights })
    server.faults.cutAfter = [100_000, 50_000]
    const told: Array<DownloadEvent> = []
    const path = await run(download(`${name}/${FILE}`), { observe: (event) => told.push(event) })
    assertEquals(await Deno.readFile(path), weights)
    const ranges = server.seen.filter(({ host }) => host === "files").map(({ range }) => range)
    assertEquals([ranges[0], ranges.length], [null, 3])
    const starts = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range!)![1]))
    assert(starts[0] > 0 && starts[0] <= 100_000 && starts[1] > starts[0] && starts[1] <= 150_000, `${ranges}`)
    assertEquals(told.at(-1), { file: `${name}/${FILE}`, received: 300_000, size: 300_000 })
    assert(told.every(({ received }, i) => i === 0 || received > told[i - 1].received), "bytes were told twice")
    assertEquals(filesBelow(blobs(cache)), [OID])
  }),
)

Deno.test(
  "a download that broke off for good says where, and the next program goes on there",
  withHub(async ({ server, cache, run, failure }) => {
    server.commit("o/n", { [FILE]: weights })
    server.faults.cutAfter = [70_000, 0, 0, 0, 0]
    const error = await failure(download(`${name}/${FILE}`))
    assertEquals(error.reason, "Network")
    assert(/^the download of hf:o\/n\/model\.safetensors broke off at \d+ of 300000 bytes: /.test(error.message))
    const [left] = filesBelow(blobs(cache))
    assertEquals(left, `${OID}.incomplete`)
    const { size } = await Deno.stat(`${blobs(cache)}/${left}`)
    assert(size > 0 && size < 300_000)
    assertEquals(await Deno.readFile(await run(download(`${name}/${FILE}`))), weights)
    assertEquals(server.seen.at(-1)!.range, `bytes=${size}-`)
    assertEquals(filesBelow(blobs(cache)), [OID])
  }),
)

Deno.test(
  "other bytes than the hub lists are an error, and nothing of them stays",
  withHub(async ({ server, cache, failure, run }) => {
    server.commit("o/n", { [FILE]: weights, "config.json": "{}" })
    server.faults.tampers = true
    for (const [file, digest] of [[FILE, "SHA-256"], ["config.json", "git SHA-1"]]) {
      const error = await failure(download(`${name}/${file}`))
      assertEquals(error.reason, "Broken")
      assertStringIncludes(error.message, `does not come as the hub lists it: its ${digest} is another`)
      assertEquals(filesBelow(blobs(cache)), [])
    }
    server.faults.tampers = false
    assertEquals(await Deno.readFile(await run(download(`${name}/${FILE}`))), weights)
  }),
)

Deno.test(
  "a part of an earlier download that is damaged is fetched again, as is a file of another length",
  withHub(async ({ server, cache, run }) => {
    server.commit("o/n", { [FILE]: weights })
    await Deno.mkdir(blobs(cache), { recursive: true })
    for (const left of [bytes(1000, 7), bytes(300_000, 7), bytes(300_001)]) {
      await Deno.writeFile(`${blobs(cache)}/${OID}.incomplete`, left)
      const path = await run(download(`${name}/${FILE}`))
      assertEquals(await Deno.readFile(path), weights)
      await Deno.remove(path)
      await Deno.remove(`${blobs(cache)}/${OID}`)
    }
    await Deno.writeFile(`${blobs(cache)}/${OID}`, weights.slice(1))
    assertEquals(await Deno.readFile(await run(download(`${name}/${FILE}`))), weights)
    assertEquals(filesBelow(blobs(cache)), [OID])
  }),
)

Deno.test(
  "a server without ranges is asked for the whole again",
  withHub(async ({ server, run }) => {
    server.commit("o/n", { [FILE]: weights })
    server.faults.ignoresRanges = true
    server.faults.cutAfter = [100_000]
    assertEquals(await Deno.readFile(await run(download(`${name}/${FILE}`))), weights)
  }),
)

Deno.test(
  "what fails for a moment is asked again; what fails for good is not",
  withHub(async ({ server, run, failure }) => {
    server.commit("o/n", { [FILE]: weights })
    server.faults.statuses = [503, 429]
    assertEquals(await Deno.readFile(await run(download(`${name}/${FILE}`))), weights)
    const before = server.seen.length
    assertEquals((await failure(download("hf:o/none"))).reason, "Repository")
    assertEquals(server.seen.length, before + 1)
  }),
)

Deno.test(
  "the token goes to the hub alone, and into no error",
  withHub(async ({ server, run, failure }) => {
    server.commit("o/n", { [FILE]: weights }, { gate: TOKEN })
    await run(download(`${name}/${FILE}`), { token })
    const sent = (host: string) =>
      server.seen.filter((one) => one.host === host).map(({ authorization }) => authorization)
    assertEquals([...new Set(sent("hub"))], [`Bearer ${TOKEN}`])
    assertEquals([...new Set(sent("files"))], [null])

    server.faults.statuses = [404]
    server.commit("o/n", { "other.safetensors": bytes(1000, 3) })
    const errors = [
      await failure(download(`${name}/other.safetensors`), { token }),
      await failure(download("hf:o/none"), { token }),
      await failure(download(`${name}/x`), { token }),
    ]
    for (const error of errors) {
      const text = [String(error), error.stack, JSON.stringify(error), Deno.inspect(error, { depth: 9 })].join("\n")
      assert(!text.includes(TOKEN) && !text.includes("Signature"), text)
    }
  }),
)

Deno.test(
  "unknown models, revisions and files, gates, and the cache alone say what to do",
  withHub(async ({ server, failure, run }) => {
    server.commit("o/n", { "config.json": "{}" })
    server.commit("o/gated", { "config.json": "{}" }, { gate: TOKEN })
    server.commit("o/hidden", { "config.json": "{}" }, { gate: TOKEN, hidden: true })
    server.commit("o/strange", { "../../../outside": "x" })
    server.commit("o/other", { "model.onnx": "x" })
    const cases: ReadonlyArray<readonly [string, string, string, Parameters<typeof failure>[1]?]> = [
      ["hf:o/none", "Repository", 'has no model "o/none", or it is private: then set HF_TOKEN'],
      ["hf:o/hidden", "Repository", "or it is private: then set HF_TOKEN"],
      ["hf:o/n@v9", "Revision", 'o/n has no revision "v9": name a branch, a tag or a commit'],
      ["hf:o/n/none.gguf", "File", "hf:o/n/none.gguf holds nothing that is read here"],
      ["hf:o/other", "File", "a GGUF file is named whole"],
      ["hf:o/gated", "Access", "o/gated is gated: accept its terms at 127.0.0.1"],
      ["hf:o/strange", "Broken", 'it lists "../../../outside", which cannot be in a cache'],
      ["hf:../n", "Name", '".." is no name of an owner or a repository'],
      ["hf:o/n", "Offline", "is not in the cache", { offline: true }],
      ["hf:o/n", "Network", "cannot be reached", { endpoint: "http://127.0.0.1:9" }],
      ["hf:o/n", "Options", "endpoint must be an http or https address", { endpoint: "ftp://x" }],
    ]
    for (const [name, reason, part, options] of cases) {
      const error = await failure(download(name), options).catch((error) => error)
      assertEquals([error._tag, error.reason], ["HubError", reason], name)
      assertStringIncludes(error.message, part)
    }
    await run(download("hf:o/hidden"), { token })
  }),
)

Deno.test(
  "the cache alone serves what it has, by branch and by commit, and so does a hub out of reach",
  withHub(async ({ server, run, failure }) => {
    const sha = server.commit("o/n", { "config.json": "{}", [FILE]: weights })
    const folder = await run(download(name))
    const before = server.seen.length
    for (const revision of ["", `@${sha}`]) {
      assertEquals(await run(download(`hf:o/n${revision}`), { offline: true }), folder)
      assertEquals(await run(download(`hf:o/n${revision}`), { endpoint: "http://127.0.0.1:9" }), folder)
    }
    assertEquals(server.seen.length, before)
    assertEquals((await failure(download("hf:o/n@v2"), { offline: true })).reason, "Offline")
  }),
)

Deno.test(
  "one program sees one state of a branch, the next one the newest",
  withHub(async ({ server, cache, run }) => {
    const first = server.commit("o/n", { "config.json": "1", "tokenizer.json": "1" })
    await run(Effect.gen(function* () {
      yield* download(`${name}/config.json`)
      server.commit("o/n", { "config.json": "2", "tokenizer.json": "2" })
      assertEquals(yield* download(`${name}/tokenizer.json`), `${cache}/models--o--n/snapshots/${first}/tokenizer.json`)
    }))
    assertEquals(await Deno.readTextFile(await run(download(`${name}/tokenizer.json`))), "2")
  }),
)
