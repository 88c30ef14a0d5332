/**
 * The hub between processes: a run by name that is killed, downloads at once.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { sha256 } from "../../support/hub_server.ts"
import { bytes, filesBelow, TOKEN, withHub } from "./support.ts"

const repository = new URL("../../../", import.meta.url)
const config = new URL("deno.json", repository).pathname
const model = new URL("examples/models/espalier-1m/", repository)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Waits until a condition holds. */
const until = async (holds: () => boolean) => {
  for (let i = 0; !holds(); i++) {
    if (i > 2000) throw new Error("it does not come to hold")
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const sizeOf = (path: string) => {
  try {
    return Deno.statSync(path).size
  } catch {
    return 0
  }
}

Deno.test(
  "a run by name that is killed while its model comes goes on where it was",
  withHub(async ({ server, cache }) => {
    const files = Object.fromEntries(
      [...Deno.readDirSync(model)].map(({ name }) => [name, Deno.readFileSync(new URL(name, model))]),
    )
    const sha = server.commit("o/espalier-1m", files, { gate: TOKEN })
    const folder = cache.slice(0, -"/hub".length)
    // As "hf auth login" leaves it.
    await Deno.writeTextFile(`${folder}/token`, `${TOKEN}\n`)
    const lines = Array.from(
      { length: 40 },
      (_, i) => `${i % 2 === 0 ? "rain" : "sun"} on row ${i},${i % 2 === 0 ? "wet" : "dry"}`,
    )
    await Deno.writeTextFile(`${folder}/own.csv`, ["text,label", ...lines].join("\n"))
    const hosts = server.ports.map((port) => `127.0.0.1:${port}`).join()
    const start = () =>
      new Deno.Command(Deno.execPath(), {
        args: [
          ...[
            "run",
            "--config",
            config,
            "--allow-read",
            `--allow-write=${folder}`,
            "--allow-env",
            `--allow-net=${hosts}`,
          ],
          new URL("examples/lora.ts", repository).pathname,
          ...[
            "--model",
            "hf:o/espalier-1m",
            "--data",
            "own.csv",
            "--output",
            "out",
            "--max-steps",
            "1",
            "--threads",
            "1",
          ],
        ],
        cwd: folder,
        env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm", HF_ENDPOINT: server.endpoint, HF_HOME: folder },
        stdout: "piped",
        stderr: "piped",
      }).spawn()

    server.faults.pause = 100
    const killed = start()
    const incomplete = `${cache}/models--o--espalier-1m/blobs/${sha256(files["model.safetensors"])}.incomplete`
    await until(() => sizeOf(incomplete) > 200_000)
    killed.kill("SIGKILL")
    await killed.output()
    const left = sizeOf(incomplete)
    assert(left > 200_000 && left < files["model.safetensors"].length)
    assert(!filesBelow(folder).includes("out/config.json"), "the run began without its weights")

    server.faults.pause = 0
    const { code, stdout, stderr } = await start().output()
    assertEquals(code, 0, text(stderr))
    const ranges = server.seen.filter(({ host }) => host === "files").map(({ range }) => range)
    assertEquals(ranges, [null, `bytes=${left}-`])
    assertStringIncludes(text(stderr), "hf:o/espalier-1m/model.safetensors  2.0 MB of 2.0 MB")
    assertStringIncludes(text(stdout), "adapter: out/adapter")
    assertEquals(JSON.parse(await Deno.readTextFile(`${folder}/out/config.json`)).model, "hf:o/espalier-1m")
    const written = filesBelow(folder).filter((path) => path.startsWith("out/"))
    const all = [text(stdout), text(stderr), ...written.map((path) => text(Deno.readFileSync(`${folder}/${path}`)))]
    assert(written.length > 4 && !all.some((one) => one.includes(TOKEN)), "the token is in what the run wrote")
    // Not all files of the repository, only those that are read.
    assertEquals(filesBelow(`${cache}/models--o--espalier-1m/snapshots/${sha}`), [
      "config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ])
    // Deno makes no symbolic links for a program that may not write everywhere: the snapshot has a second name of the file.
    const snapshot = await Deno.lstat(`${cache}/models--o--espalier-1m/snapshots/${sha}/model.safetensors`)
    assertEquals([snapshot.isSymlink, snapshot.nlink], [false, 2])
  }),
)

Deno.test(
  "two processes at once share one download",
  withHub(async ({ server, cache }) => {
    server.commit("o/n", { "model.safetensors": bytes(600_000) })
    server.faults.pause = 50
    const fetches = Array.from({ length: 2 }, () =>
      new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--config", config, new URL("fetch_program.ts", import.meta.url).pathname],
          ...[server.endpoint, cache, "hf:o/n/model.safetensors"],
        ],
        stdout: "piped",
        stderr: "piped",
      }).output())
    const [first, second] = await Promise.all(fetches)
    assertEquals([first.code, second.code], [0, 0], text(first.stderr) + text(second.stderr))
    assertEquals(text(first.stdout), text(second.stdout))
    assertEquals(server.seen.filter(({ host }) => host === "files").length, 1)
    assertEquals(await Deno.readFile(text(first.stdout).trim()), bytes(600_000))
  }),
)
