/** The variable's value if it is set and may be read; never prompts for permission. */
export function environmentVariable(variable: string): string | undefined {
  const { Deno, process } = globalThis as {
    Deno?: { permissions: { querySync(query: { name: "env"; variable: string }): { state: string } } }
    process?: { env: Record<string, string | undefined> }
  }
  if (Deno !== undefined && Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return undefined
  return process?.env[variable] || undefined
}
