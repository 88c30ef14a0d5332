import { build, type Graph } from "../graph/build.ts"
import type { Program } from "../graph/program.ts"
import type { BackendService, CompileOptions, Executable, RunData } from "./backend.ts"

/** A compiled graph. */
export interface Ready {
  readonly program: Program
  /** Runs once. Inputs that the program does not use are left out. */
  readonly run: (inputs: RunData) => ReturnType<Executable["run"]>
  readonly dispose: () => void
}

/** Compiles a graph. */
export async function ready(backend: BackendService, graph: Graph, options?: CompileOptions): Promise<Ready> {
  const program = build(graph)
  const names = program.buffers.flatMap(({ source }) => source.kind === "input" ? [source.name] : [])
  const executable = await backend.compile(program, options)
  return {
    program,
    run: (inputs) => executable.run(Object.fromEntries(names.map((name) => [name, inputs[name]]))),
    dispose: executable.dispose,
  }
}
