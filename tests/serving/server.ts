/**
 * A server as a process of its own, with an adapter, a chat template and a key.
 * @module
 */
import { pair, writeAdapter } from "../plugins/lora/adapters.ts"

const path = (name: string) => decodeURIComponent(new URL(`../../${name}`, import.meta.url).pathname)

/** The included model. */
export const INCLUDED = path("examples/models/espalier-1m")
/** A model of the fixtures that embeds. */
export const EMBEDDER = path("tests/fixtures/sentence_transformers/cls")

/** A template as plain as can be, which shows tools and writes calls as Hermes has them. */
const TEMPLATE = '{% if tools %}{{ tools | tojson }}\n<tool_call>\n{"name": ...}\n{% endif %}' +
  "{% for m in messages %}{{ m.role }}: {{ m.content }}" +
  "{% for c in m.tool_calls %}{{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}\n{% endfor %}" +
  "{% if add_generation_prompt %}assistant:{% endif %}"

/** Puts the included model with a chat template, and adapters of it, into a directory. */
export async function prepare(directory: string, adapters: ReadonlyArray<string>): Promise<string> {
  const model = `${directory}/small`
  await Deno.mkdir(model)
  for (const { name } of Deno.readDirSync(INCLUDED)) await Deno.copyFile(`${INCLUDED}/${name}`, `${model}/${name}`)
  await Deno.writeTextFile(`${model}/chat_template.jinja`, TEMPLATE)
  for (const [seed, name] of adapters.entries()) {
    const layers = [0, 1, 2, 3].map((i) => pair(`model.layers.${i}.self_attn.q_proj`, 128, 2, 128, seed + i))
    const config = { r: 2, lora_alpha: 16, target_modules: ["q_proj"] }
    await writeAdapter(`${directory}/${name}`, config, Object.assign({}, ...layers))
  }
  return model
}

/** A server that runs. */
export interface Running {
  readonly url: string
  readonly child: Deno.ChildProcess
  /** Ends it in order; throws unless it ends as it should. */
  readonly stop: () => Promise<void>
}

/** Starts `examples/serve.ts` at a free port. */
export async function start(words: ReadonlyArray<string>): Promise<Running> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...[
        "--config",
        path("deno.json"),
        "-A",
        "--v8-flags=--experimental-wasm-revectorize",
      ],
      ...[path("examples/serve.ts"), "--port", "0", ...words],
    ],
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    stdout: "piped",
  }).spawn()
  let out = ""
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += text
    if (out.includes("\n")) break
  }
  const url = /http:\S+/.exec(out)?.[0]
  if (url === undefined) throw new Error(`the server did not start: ${out}`)
  const stop = async () => {
    child.kill("SIGTERM")
    const { code } = await child.status
    if (code !== 130) throw new Error(`the server ended with ${code}`)
  }
  return { url, child, stop }
}
