/**
 * How contestants are started, and what they need: Deno fetches packages of npm by itself, Python gets the environment of
 * `deno task conformance`.
 * @module
 */
import { execute, pythonEnvironment } from "../conformance/environment.ts"
import type { Contestant } from "./contest.ts"

/** This directory. */
export const here: string = decodeURIComponent(new URL(".", import.meta.url).pathname)

/** Versions of the packages that the scripts in peers/ name. */
export const versions = { jaxJs: "0.1.25", tfjs: "4.22.0", transformersJs: "4.3.2" } as const

/** As the tasks of deno.json that train have it, and for whoever else runs in Deno too. */
const wideVectors = "--v8-flags=--experimental-wasm-revectorize"

/** A contestant in Deno. */
export const deno = (name: string, script: string, ...args: ReadonlyArray<string>): Contestant => ({
  name,
  command: [Deno.execPath(), "run", "-A", "--no-check", wideVectors, `${here}${script}`, ...args],
})

/** A contestant of this directory as another checkout has it, under that one's configuration. */
export const inCheckout = ({ command: [program, run, ...args], ...rest }: Contestant, checkout: string): Contestant => {
  const root = checkout.replace(/\/+$/, "")
  const moved = args.map((part) => part.startsWith(here) ? `${root}/tests/bench/${part.slice(here.length)}` : part)
  return { ...rest, name: "the checkout before", command: [program, run, "--config", `${root}/deno.json`, ...moved] }
}

/** The same without V8's flag for wide vectors, as `deno run` is without being told. */
export const withoutFlag = ({ command, ...rest }: Contestant): Contestant => ({
  ...rest,
  command: command.filter((part) => part !== wideVectors),
})

/**
 * A contestant in Deno whose packages are not in deno.lock: with tfjs in it, whoever runs anything of this repository would
 * download 300 MB.
 */
export const denoUnlocked = (name: string, script: string, ...args: ReadonlyArray<string>): Contestant => ({
  name,
  command: [Deno.execPath(), "run", "-A", "--no-check", "--no-lock", wideVectors, `${here}${script}`, ...args],
})

/** Python with its packages. */
export interface Python {
  /** The program. */
  readonly path: string
  /** Where the environment and the packages installed in it lie, as Python itself spells it. */
  readonly directory: string
  /** Versions by package, torch's without what it was built for. */
  readonly versions: Readonly<Record<"torch" | "transformers" | "peft", string>>
  /** The whole versions of Python and torch, for people. */
  readonly builds: string
  /** What torch computes with, in its words: AVX512, AVX2, ... */
  readonly capability: string
  /** Whether this machine multiplies bf16 numbers itself: AVX512-BF16 or AMX. */
  readonly bf16: boolean
}

const probe = `import json, platform, sys, torch, transformers, peft
builds = f"Python {platform.python_version()}, torch {torch.__version__}"
versions = dict(torch=torch.__version__.split("+")[0], transformers=transformers.__version__, peft=peft.__version__)
print(json.dumps(dict(directory=sys.prefix, versions=versions, builds=builds, capability=torch.backends.cpu.get_cpu_capability(),
    bf16=torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())))`

let found: Promise<Python> | undefined
/** The environment, made when it is first asked for. */
export const python = (): Promise<Python> =>
  found ??= pythonEnvironment().then(async (path) => ({
    path,
    ...JSON.parse(await execute(path, ["-W", "ignore", "-c", probe], "piped")),
  }))

/** Keeps torch and the libraries below it from vectors of 512 bits. */
const narrow = { ATEN_CPU_CAPABILITY: "avx2", ONEDNN_MAX_CPU_ISA: "AVX2", MKL_ENABLE_INSTRUCTIONS: "AVX2" }

/** A script of torch: as it is, and, where torch would use vectors of 512 bits, held to 256. */
export const torchTwice = async (
  name: (versions: Python["versions"]) => string,
  script: string,
  ...args: ReadonlyArray<string>
): Promise<ReadonlyArray<Contestant>> => {
  const { path, versions, capability } = await python()
  const command = [path, "-W", "ignore", `${here}${script}`, ...args]
  const asItIs = { name: `${name(versions)}, 2 threads, ${capability}`, command }
  if (capability !== "AVX512") return [asItIs]
  return [asItIs, { name: `${name(versions)}, 2 threads, held to 256-bit vectors (AVX2)`, command, env: narrow }]
}
