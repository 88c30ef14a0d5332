interface Usage {
  readonly memoryUsage?: () => { readonly rss: number }
}

/** Resident memory of the process in bytes; 0 where the runtime does not tell. */
export function residentMemory(): number {
  const { Deno, process } = globalThis as { readonly Deno?: Usage; readonly process?: Usage }
  return (Deno ?? process)?.memoryUsage?.().rss ?? 0
}
