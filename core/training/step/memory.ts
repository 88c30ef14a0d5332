interface Usage {
  readonly memoryUsage?: () => { readonly rss: number }
}

/** Resident memory of the process in bytes; 0 if the runtime does not report it. */
export function residentMemory(): number {
  const { Deno, process } = globalThis as { readonly Deno?: Usage; readonly process?: Usage }
  return (Deno ?? process)?.memoryUsage?.().rss ?? 0
}
