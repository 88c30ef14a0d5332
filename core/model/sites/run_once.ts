import type { BackendService, Executable } from "../../backend/backend.ts"
import { build, type Graph } from "../../graph/build.ts"

/** Compiles a graph, runs it and lets it go. */
export async function runOnce(backend: BackendService, graph: Graph): ReturnType<Executable["run"]> {
  const executable = await backend.compile(build(graph))
  try {
    return await executable.run({})
  } finally {
    executable.dispose()
  }
}
