/** Peak of a process's resident memory, MB, as Linux tells it. */
export const peakOf = async (pid: number): Promise<number> => {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output()
  const status = new TextDecoder().decode(stdout)
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmHWM: ${status}`)
  return 1024 * Number(kilobytes) / 1e6
}
