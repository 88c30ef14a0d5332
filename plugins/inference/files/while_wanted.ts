/**
 * Runs work with a signal of its own, which follows the caller's while the work runs: what is read later is not stopped by
 * it. Rejects with `signal.reason`.
 */
export async function whileWanted<A>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<A>,
): Promise<A> {
  signal?.throwIfAborted()
  const own = new AbortController()
  const stop = () => own.abort(signal?.reason)
  signal?.addEventListener("abort", stop)
  try {
    return await work(own.signal)
  } finally {
    signal?.removeEventListener("abort", stop)
  }
}
