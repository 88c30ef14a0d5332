/**
 * `deno task serving`: a server as a process, asked by what asks servers in the world: the official clients for JavaScript and
 * Python, and lm-eval, whose scores are compared with those of transformers with the same weights.
 *
 * ```sh
 * deno task serving                       # all, with the included model
 * deno task serving npm python            # some
 * deno task serving lm-eval model=./smollm2 rows=200
 * ```
 *
 * `python=PATH` names a Python that has the packages of requirements.txt; else an environment is made once.
 *
 * @module
 */
import { type Environment, execute, pythonEnvironment } from "../conformance/environment.ts"
import { talk } from "./client.ts"
import { EMBEDDER, INCLUDED, prepare, start } from "./server.ts"

const path = (name: string) => decodeURIComponent(new URL(name, import.meta.url).pathname)
const KEY = "a-key"

const ENVIRONMENT: Environment = {
  title: "lm-eval 0.4.13 and openai 3.57.0",
  directory: "python-serving",
  requirements: "../serving/requirements.txt",
  withoutDependencies: "../serving/requirements.txt",
  version: 5,
  adapterHub: false,
}

type Options = ReadonlyMap<string, string>

const pythonFor = async (options: Options): Promise<string> =>
  options.get("python") ?? await pythonEnvironment(ENVIRONMENT)

/** Runs something with a server of the included model and an adapter. */
async function withServer(use: (url: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    const model = await prepare(directory, ["changed"])
    await Deno.writeTextFile(`${directory}/keys`, `${KEY}\n`)
    const server = await start([
      ...["--model", model, "--adapter", `changed=${directory}/changed`, "--embedder", EMBEDDER],
      ...["--keys", `${directory}/keys`, "--rows", "4", "--queue", "4", "--threads", "2"],
    ])
    try {
      await use(server.url)
    } finally {
      await server.stop()
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

const steps: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  npm: () =>
    withServer(async (url) => {
      await talk({ url: `${url}/v1`, key: KEY, writer: "small", adapter: "changed", embedder: "cls" })
      console.log("openai for JavaScript: all as expected")
    }),
  python: async (options) => {
    const python = await pythonFor(options)
    await withServer(async (url) => {
      await execute(python, [path("client.py"), `${url}/v1`, KEY, "small", "changed", "cls"], "inherit")
    })
  },
  "lm-eval": async (options) => {
    const model = options.get("model") ?? INCLUDED
    if (Deno.statSync(model).isFile) {
      throw new Error(`lm-eval takes a directory of transformers, and ${model} is a file`)
    }
    const python = await pythonFor(options)
    const server = await start(["--model", model, "--threads", "2"])
    try {
      const rows = options.get("rows") ?? "200"
      await execute(python, [path("judge.py"), `${server.url}/v1/completions`, model, rows], "inherit")
    } finally {
      await server.stop()
    }
  },
}

const named = Deno.args.filter((word) => !word.includes("="))
const options = new Map(
  Deno.args.filter((word) => word.includes("=")).map((word) => word.split("=") as [string, string]),
)
const unknown = named.find((name) => !Object.hasOwn(steps, name))
if (unknown !== undefined) throw new Error(`unknown step "${unknown}": they are ${Object.keys(steps).join(", ")}`)
for (const name of named.length > 0 ? named : Object.keys(steps)) await steps[name](options)
