/**
 * SmolLM2-135M-Instruct as ONNX, for transformers.js: made by export.py from the GGUF file that llama.cpp runs, so that all have
 * the same weights; once, and only where {@link FLAG} asks for it, as its Python environment is large.
 * @module
 */
import {
  type Environment,
  execute,
  oncePinned,
  pythonEnvironment,
  workspace,
} from "../../../conformance/environment.ts"

/** The variable of the environment that asks for it: any value makes it, but the path of a directory that has it. */
export const FLAG = "ESPALIER_ONNX"

const requirements = "../bench/peers/onnx/requirements.txt"
const environment: Environment = {
  title: "onnxruntime-genai 0.18.0",
  directory: "python-onnx",
  requirements,
  withoutDependencies: requirements,
  version: 5,
  adapterHub: false,
}
const script = decodeURIComponent(new URL("export.py", import.meta.url).pathname)

/** The path of a directory as transformers.js reads it, made of a GGUF file unless it stands; undefined where nobody asks for it. */
export const onnxModel = async (file: string): Promise<string | undefined> => {
  const asked = Deno.env.get(FLAG)
  if (asked === undefined || asked.includes("/")) return asked
  const directory = `${workspace}/smollm2-onnx`
  await Deno.mkdir(directory, { recursive: true })
  await oncePinned(directory, requirements, async () => {
    await execute(await pythonEnvironment(environment), ["-W", "ignore", script, file, directory], "inherit")
  })
  return directory
}
