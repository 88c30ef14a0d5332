/**
 * `deno task runtimes`: the suite in every runtime, one line each, beside Deno on the CPU; and the page of
 * `examples/browser` as a person uses it. What this machine lacks is skipped, visibly. `--screenshot page.png` keeps a
 * picture of the page, `--model` takes another model than the one that is included, `--only page` runs what has the word in
 * its name.
 * @module
 */
import * as esbuild from "esbuild"
import { fileURLToPath } from "node:url"
import { bundle } from "../../examples/browser/bundle.ts"
import { serve } from "../../examples/browser/site.ts"
import { findChromium, inPage } from "./chromium.ts"
import { pageConfig } from "./page_types.ts"
import { usePage } from "./use_page.ts"
import type { SuiteOutcome, SuitePlace } from "./suite.ts"

/** Largest relative difference of a loss, and difference of a probability, from Deno's on the CPU. */
const TOLERANCES = { wasm: { loss: 1e-5, probability: 1e-4 }, webgpu: { loss: 1e-4, probability: 1e-3 } }

type Backend = keyof typeof TOLERANCES

/** Why a runtime is passed over. */
class Skipped extends Error {}

const repository = new URL("../../", import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, repository))
const model = flag("--model") ?? path("examples/models/espalier-1m")
const data = path("examples/data/sms_spam.tsv")
const temporary = await Deno.makeTempDir({ prefix: "espalier-runtimes-" })

/** Runs a command to its end and gives what it printed; an error with what it said when it fails. */
async function command(program: string, args: ReadonlyArray<string>, cwd: string = path(".")): Promise<string> {
  const run = new Deno.Command(program, { args: [...args], cwd, stdin: "null", env: { NO_COLOR: "1" } })
  const { success, stdout, stderr } = await Promise.try(() => run.output()).catch((error) => {
    throw error instanceof Deno.errors.NotFound ? new Skipped(`${program} is not installed`) : error
  })
  if (!success) throw new Error(`${program} ${args[0]}: ${new TextDecoder().decode(stderr).trim()}`)
  return new TextDecoder().decode(stdout)
}

const onDisk = (name: string, backend: Backend): SuitePlace => ({
  model,
  data,
  adapter: `${temporary}/${name}-${backend}`,
  backend,
})

async function inDeno(backend: Backend): Promise<SuiteOutcome> {
  if (backend === "webgpu" && !await navigator.gpu.requestAdapter()) skip("there is no adapter")
  const script = path("tests/runtimes/command.ts")
  return JSON.parse(
    await command(Deno.execPath(), [
      "run",
      "--quiet",
      "--allow-read",
      `--allow-write=${temporary}`,
      script,
      JSON.stringify(onDisk("deno", backend)),
    ]),
  )
}

/** Names what pages run that is no type of theirs. */
async function checkPageTypes(): Promise<string> {
  const config = `${temporary}/page.json`
  await Deno.writeTextFile(config, pageConfig(repository))
  const scripts = ["examples/browser/main.ts", "tests/runtimes/page.ts"]
  await command(Deno.execPath(), ["check", "--quiet", "--no-lock", "--config", config, ...scripts])
  return scripts.join(", ")
}

/** A folder with the package as npm users get it: packed, installed, and the suite beside it. */
const installed = once(async (): Promise<string> => {
  const folder = `${temporary}/node`
  await command("npm", ["--version"])
  await Deno.mkdir(folder)
  await Deno.writeTextFile(`${folder}/package.json`, `{ "private": true, "type": "module" }`)
  await command(Deno.execPath(), ["pack", "--allow-dirty", "--output", `${folder}/espalier.tgz`])
  await command("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "./espalier.tgz"], folder)
  await esbuild.build({
    entryPoints: [path("tests/runtimes/command.ts")],
    outfile: `${folder}/command.js`,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
  })
  await esbuild.stop()
  return folder
})

/** In this machine's Node, or in the newest one of a major version, as npm has it. */
async function inNode(version?: number, setFlags = true): Promise<SuiteOutcome> {
  const [program, ...args] = version === undefined ? ["node"] : ["npx", "-y", `node@${version}`]
  const told = await command(program, [...args, "--version"]).catch((error) =>
    version === undefined || error instanceof Skipped ? Promise.reject(error) : skip(`no Node ${version} is to be had`)
  )
  const major = Number(told.slice(1).split(".")[0])
  if (major < 20) skip(`Node ${major} is older than 20`)
  const place: SuitePlace = { ...onDisk(`from-node-${major}-${setFlags}`, "wasm"), setFlags }
  const outcome = JSON.parse(await command(program, [...args, "command.js", JSON.stringify(place)], await installed()))
  const wide = /in wide vectors/.test(outcome.backend)
  // Only V8 for x86 joins vectors, and only where the processor has AVX2.
  const able = major >= 24 && setFlags && Deno.build.os === "linux" &&
    /\bavx2\b/.test(await Deno.readTextFile("/proc/cpuinfo").catch(() => ""))
  if (able !== wide && (able || !setFlags)) throw new Error(`Node ${major}, setFlags ${setFlags}: ${outcome.backend}`)
  return outcome
}

let script: Promise<Readonly<Record<string, string>>> | undefined
/** The suite's bundle, with a look at what it must not hold. */
const bundled = () =>
  script ??= bundle(new URL("page.ts", import.meta.url)).then(async ({ files, inputs }) => {
    const foreign = inputs.filter((input) => /platform-node|\/csv-parse\/[^/]+\/lib\//.test(input))
    if (foreign.length > 0) throw new Error(`the bundle holds what a page cannot run: ${foreign.join(", ")}`)
    const code = files["main.js"]
    const packed = await new Response(new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"))).bytes()
    const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`
    console.log(`bundle for pages: ${kilobytes(code.length)} minified, ${kilobytes(packed.length)} with gzip`)
    return Object.fromEntries(Object.entries(files).map(([name, text]) => [`/${name}`, text]))
  })

/** What a page downloads for inference, with a look at what it must not hold. */
async function inferenceAlone(): Promise<string> {
  const { files, inputs } = await bundle(new URL("plugins/inference/mod.ts", repository))
  const training = inputs.filter((input) =>
    /core\/training\/(optimizers|fit|session|plan|loop\/(loop|guards|validation)|step\/step_)/.test(input)
  )
  if (training.length > 0) throw new Error(`it holds training code: ${training.join(", ")}`)
  return `${Math.round(files["main.js"].length / 1000)} kB at once, minified; ${inputs.length} files`
}

async function inChromium(backend: Backend, isolated = true): Promise<SuiteOutcome> {
  const site = {
    "/index.html":
      `<!doctype html><title>Suite</title><link rel="icon" href="data:,"><script type="module" src="main.js"></script>`,
    ...await bundled(),
    "/model/": new URL(`file://${model}/`),
    "/sms.tsv": new URL(`file://${data}`),
  }
  const names = [...Deno.readDirSync(model)].map(({ name }) => `model/${name}`)
  const place: SuitePlace = { model: "model", data: "sms.tsv", adapter: "adapter", backend }
  const address = Promise.withResolvers<string>()
  const server = serve(site, { isolated, onListen: address.resolve })
  try {
    return await inPage(chromium(), await address.promise, async (page) => {
      await page.waitForFunction("globalThis.runSuite !== undefined")
      const adapter = await page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)")
      if (backend === "webgpu" && adapter !== true) skip("Chromium has no adapter")
      const outcome = await page.evaluate(
        ([names, place]) =>
          (globalThis as unknown as { runSuite: (...a: unknown[]) => Promise<SuiteOutcome & { saved: string[] }> })
            .runSuite(names, place),
        [[...names, "sms.tsv"], place] as const,
      )
      const saved = outcome.saved.sort().join(" ")
      if (saved !== "adapter/adapter_config.json adapter/adapter_model.safetensors") {
        throw new Error(`what was saved: ${saved}`)
      }
      return outcome
    }, { webgpu: backend === "webgpu" })
  } finally {
    await server.shutdown()
  }
}

function chromium(): string {
  return findChromium() ?? skip("chromium is not installed")
}
function flag(name: string): string | undefined {
  const at = Deno.args.indexOf(name)
  return at < 0 ? undefined : Deno.args[at + 1]
}
function once<A>(make: () => Promise<A>): () => Promise<A> {
  let made: Promise<A> | undefined
  return () => made ??= make()
}
function skip(why: string): never {
  throw new Skipped(why)
}

/** Checks an outcome by itself and beside the reference; gives how far it is from that. */
function check(outcome: SuiteOutcome, reference: SuiteOutcome, tolerance: { loss: number; probability: number }) {
  const { losses, before, after, reloaded, inferred, texts } = outcome
  const demand = (holds: boolean, message: string) => {
    if (!holds) throw new Error(`${message}: ${JSON.stringify(outcome)}`)
  }
  const furthest = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
    Math.max(...a.map((value, i) => Math.abs(value - b[i])))
  const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / reference.losses[i] - 1)))
  demand(losses.length === 5 && losses[4] < losses[0], "the loss does not fall")
  demand(furthest(before, after) > 1e-3, "training changes nothing")
  demand(furthest(after, reloaded) < 1e-6, "the saved adapter predicts something else")
  demand(furthest(after, inferred.map(([, value]) => value)) < 1e-6, "inference with the adapter answers otherwise")
  demand(furthest(inferred.map(([value]) => value), after) > 1e-3, "inference without the adapter answers as with it")
  demand(texts[0] === texts[1] && texts[0].length > 20, "inference writes another text")
  demand(texts[0] === reference.texts[0], "the text is not Deno's")
  demand(difference <= tolerance.loss, `a loss is ${difference} away from Deno's`)
  demand(furthest(after, reference.after) <= tolerance.probability, "the predictions are not Deno's")
  const least = (value: number) => value === 0 ? "0" : value.toExponential(0)
  return `losses within ${least(difference)}, predictions within ${least(furthest(after, reference.after))}`
}

const runtimes: ReadonlyArray<
  readonly [name: string, backend: Backend, run: () => Promise<SuiteOutcome>]
> = [
  ["Deno, wasm", "wasm", () => inDeno("wasm")],
  ["Deno, WebGPU", "webgpu", () => inDeno("webgpu")],
  ["Node, wasm", "wasm", () => inNode()],
  ["Node 20, wasm", "wasm", () => inNode(20)],
  ["Node 22, wasm", "wasm", () => inNode(22)],
  ["Node 24, wasm, V8's flag set at run time", "wasm", () => inNode(24)],
  ["Node 24, wasm, its flags left alone", "wasm", () => inNode(24, false)],
  ["Chromium, wasm", "wasm", () => inChromium("wasm")],
  ["Chromium, wasm, not isolated", "wasm", () => inChromium("wasm", false)],
  ["Chromium, WebGPU", "webgpu", () => inChromium("webgpu")],
]

let reference: SuiteOutcome | undefined
const steps: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
  ...runtimes.map(([name, backend, run]) =>
    [name, async () => {
      const outcome = await run()
      reference ??= outcome
      const agreement = check(outcome, reference, TOLERANCES[backend])
      const losses = outcome.losses.map((loss) => loss.toFixed(4)).join(" ")
      return `${outcome.backend}; losses ${losses}, ${agreement}; ${outcome.seconds.toFixed(1)} s`
    }] as const
  ),
  ["inference alone", inferenceAlone],
  ["types of pages", checkPageTypes],
  ["the page that fine-tunes", () => usePage(chromium(), { model, screenshot: flag("--screenshot") })],
]

const counts = { passed: 0, failed: 0, skipped: 0 }
try {
  const only = flag("--only") ?? ""
  for (const [name, run] of steps.filter(([name]) => name.includes(only))) {
    try {
      console.log(`${name} ... ok: ${await run()}`)
      counts.passed++
    } catch (error) {
      const skipped = error instanceof Skipped
      counts[skipped ? "skipped" : "failed"]++
      const message = error instanceof Error ? error.message : String(error)
      // A shader that does not compile comes with all of its text.
      console.log(`${name} ... ${skipped ? "skipped" : "FAILED"}: ${message.slice(0, 2000)}`)
    }
  }
} finally {
  await Deno.remove(temporary, { recursive: true })
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
Deno.exit(counts.failed === 0 ? 0 : 1)
