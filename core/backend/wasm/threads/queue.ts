/**
 * Order of work: runs can be queued in the workers, a copy has exclusive access to the memory.
 * @module
 */

/**
 * Queues work; resolves with its result.
 *
 * @param alone Whether it needs exclusive access.
 */
export type Enqueue = <A>(alone: boolean, work: () => Promise<A>) => Promise<A>

/**
 * An empty queue.
 *
 * @param lost Why work can no longer be done; it then rejects with that error.
 */
export const makeQueue = (lost: () => Error | undefined): Enqueue => {
  const queue: Array<{ readonly alone: boolean; readonly start: () => Promise<unknown> }> = []
  let running = 0, copying = false
  const pump = (): void => {
    while (queue.length > 0 && !copying && !(queue[0].alone && running > 0)) {
      const { alone, start } = queue.shift()!
      running++
      copying = alone
      const done = () => {
        running--
        copying = false
        pump()
      }
      start().then(done, done)
    }
  }
  return (alone, work) =>
    new Promise((resolve, reject) => {
      const start = () => {
        const error = lost()
        const result = error === undefined ? work() : Promise.reject(error)
        result.then(resolve, reject)
        return result
      }
      queue.push({ alone, start })
      pump()
    })
}
