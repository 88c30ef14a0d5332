import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { profileFrom, saveProfile } from "../../plugins/monitor/mod.ts"
import { inDirectory } from "../plugins/files.ts"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname
const model = path("examples/models/espalier-1m")

/** Starts the example at a free port and waits until it listens. */
async function start(words: ReadonlyArray<string>) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--config", path("deno.json"), "-P", "--allow-net", path("examples/serve.ts"), ...words],
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    stdout: "piped",
    stderr: "piped",
  }).spawn()
  const errors = new Response(child.stderr).text()
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  let out = ""
  while (!out.includes("\n")) {
    const { value, done } = await lines.read()
    if (done) break
    out += value
  }
  lines.releaseLock()
  await child.stdout.cancel().catch(() => {})
  return { child, out, errors, url: /http:\S+/.exec(out)?.[0] ?? "" }
}

const words = ["--threads", "2", "--port", "0"]

Deno.test("the example serves on this machine, and finishes what runs when it is told to end", async () => {
  const collected = new Set<string>()
  const collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    collected.add(new URL(request.url).pathname)
    await request.text()
    return Response.json({})
  })
  const { child, out, errors, url } = await start([
    ...[...words, "--model", model, "--embedder", path("tests/fixtures/sentence_transformers/cls")],
    ...["--otlp", `http://127.0.0.1:${collector.addr.port}`],
  ])
  try {
    assertStringIncludes(out, "espalier-1m")
    assert(url.startsWith("http://127.0.0.1:"), out)
    const { data } = await (await fetch(`${url}/v1/models`)).json()
    assertEquals(data.map(({ id }: { id: string }) => id), ["espalier-1m", "cls"])
    const answer = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "espalier-1m", prompt: "Once", max_tokens: 300, temperature: 0, stream: true }),
    })
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    await reader.read()
    child.kill("SIGTERM")
    let last = ""
    for (let next = await reader.read(); !next.done; next = await reader.read()) last = next.value
    assert(last.endsWith("data: [DONE]\n\n"), last)
    assertEquals((await child.status).code, 130, await errors)
    assert(collected.has("/v1/traces") && collected.has("/v1/metrics"), `${[...collected]}`)
  } finally {
    try {
      child.kill("SIGKILL")
    } catch {
      // It has ended.
    }
    await child.status
    await collector.shutdown()
  }
})

Deno.test("a client that leaves is noticed, however long its request was; a connection that waits does not hold up the end", async () => {
  const { child, errors, url } = await start([...words, "--model", model, "--queue", "200"])
  const { hostname, port } = new URL(url)
  /** Sends a request and does not wait for its answer. */
  const send = async (request: string) => {
    const connection = await Deno.connect({ hostname, port: Number(port) })
    const bytes = new TextEncoder().encode(request)
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent))
    return connection
  }
  const metrics = async () => await (await fetch(`${url}/metrics`)).text()
  const until = async (pattern: RegExp) => {
    for (let i = 0; i < 200 && !pattern.test(await metrics()); i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert(pattern.test(await metrics()), await metrics())
  }
  const lengths = [0, 4_000, 100_000]
  for (const [i, length] of lengths.entries()) {
    const ask = { model: "espalier-1m", prompt: "Once", max_tokens: 500, n: 64, user: "x".repeat(length) }
    const body = JSON.stringify(ask)
    const type = "Content-Type: application/json"
    const connection = await send(
      `POST /v1/completions HTTP/1.1\r\nHost: here\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await until(/espalier_rows\{model="espalier-1m"\} 64/)
    connection.close()
    await until(new RegExp(`espalier_requests_total\\{route="/v1/completions",status="499"\\} ${i + 1}\n`))
    await until(/espalier_rows\{model="espalier-1m"\} 0/)
  }
  const waiting = await send("GET /health HTTP/1.1\r\nHost: here\r\n\r\n")
  await waiting.read(new Uint8Array(1000))
  const { child: second, errors: said } = await start([...words.slice(0, 2), "--model", model, "--port", port])
  assertEquals((await second.status).code, 1)
  assertStringIncludes(await said, `cannot listen at 127.0.0.1:${port}`)
  const since = performance.now()
  child.kill("SIGTERM")
  assertEquals((await child.status).code, 130, await errors)
  assert(performance.now() - since < 60_000)
  waiting.close()
})

Deno.test("a classifier is watched, and its monitor has a page", async () => {
  await inDirectory(async (directory) => {
    const labels = ["bad", "good", "so so"]
    const rows = Array.from({ length: 400 }, (_, i) => ({ numbers: { length: 20 + i % 10 }, label: labels[i % 3] }))
    const saved = Effect.flatMap(
      profileFrom(rows, { labels }),
      (profile) => saveProfile(profile, `${directory}/profile`),
    )
    await Effect.runPromise(Effect.provide(saved, NodeFileSystem.layer))
    const classifier = path("tests/fixtures/directories/5/distilbert")
    const watching = [...words, "--classifier", classifier, "--max-length", "16"]
    const { child, url } = await start([...watching, "--monitor", `distilbert=${directory}/profile`])
    const answer = await fetch(`${url}/v1/classify`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "distilbert", input: Array(100).fill("the garden ".repeat(50)) }),
    })
    const { data } = await answer.json()
    assertEquals([answer.status, data.length], [200, 100])
    const pageOf = async (path: string) => await (await fetch(`${url}${path}`)).text()
    assertStringIncludes(await pageOf("/monitor"), '<a href="/monitor/distilbert">distilbert</a>')
    for (let i = 0; i < 100 && !(await pageOf("/monitor/distilbert")).includes("Windows: 1"); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assertStringIncludes(await pageOf("/monitor/distilbert"), "Windows: 1, with an alarm: 1")
    const counted = 'espalier_monitor_windows_total{model="distilbert",alarm="true"} 1'
    assertStringIncludes(await pageOf("/metrics"), counted)
    child.kill("SIGTERM")
    await child.status
    for (
      const [wrong, message] of [
        [[...words, "--model", model, "--monitor", `espalier-1m=${directory}/profile`], "give --classifier, too"],
        [[...watching, "--monitor", `other=${directory}/profile`], "the classifier and its adapters are distilbert"],
        [[...watching, "--monitor", `distilbert=${directory}`], "profile.json"],
        [[...watching, "--monitor", `a=${directory}/profile,a=${directory}/profile`], '"a" has two profiles'],
      ] as const
    ) {
      const { child, errors } = await start(wrong)
      assertEquals((await child.status).code, 1)
      assertStringIncludes(await errors, message)
    }
  })
})

Deno.test("nothing to serve, keys that are not there and adapters without a folder are errors of one line", async () => {
  await inDirectory(async (directory) => {
    for (
      const [wrong, message] of [
        [[], "--model, --embedder or --classifier"],
        [["--model", model, "--keys", `${directory}/nothing`], "nothing"],
        [["--model", model, "--adapter", "folder"], "name=folder"],
        [["--model", model, "--embedder", `${model}/`], '--model and --embedder have one name, "espalier-1m"'],
        [["--model", model, "--adapter", "a=b,a=c"], '--adapter and --adapter have one name, "a"'],
      ] as const
    ) {
      const { child, errors } = await start([...words, ...wrong])
      assertEquals((await child.status).code, 1)
      assertStringIncludes(await errors, message)
    }
  })
})
