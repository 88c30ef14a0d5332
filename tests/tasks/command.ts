/** Runs a command to its end; an error with what it printed when it fails. */
export async function command(program: string, args: ReadonlyArray<string>, cwd: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output()
  if (success) return
  throw new Error([stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("").trim())
}
