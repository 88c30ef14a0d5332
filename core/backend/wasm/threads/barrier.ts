/**
 * Barrier between threads: the last thread to arrive opens the next generation.
 * @module
 */
import {
  atomicNotify,
  atomicWait,
  brIf,
  type Code,
  drop,
  get,
  globalGet,
  i32,
  loop,
  type ModuleBuilder,
  ret,
  set,
  when,
  whileTrue,
} from "../../../../kernels/wasm/assembler.ts"

/** Layout at the start of the memory; each word has its own cache line. */
export const BARRIER_BYTES = 256
const ARRIVED = 0, GENERATION = 64, SLEEPING = 128
/** Spins before a thread sleeps: about a hundred microseconds, longer than most waits within a step. */
const SPINS = 200000

/**
 * Adds the function `barrier()`.
 *
 * @param threads Global that holds the number of threads.
 */
export const barrierFunction = (module: ModuleBuilder, threads: number): number =>
  module.func("barrier", [], [], (scope) => {
    const generation = scope.local("i32"), turns = scope.local("i32")
    const zero = i32.const(0)
    const sameGeneration: Code = i32.eq(i32.atomicLoad(zero, GENERATION), get(generation))
    return [
      when(i32.eq(globalGet(threads), i32.const(1)), ret()),
      set(generation, i32.atomicLoad(zero, GENERATION)),
      when(i32.eq(i32.add(i32.atomicAdd(zero, i32.const(1), ARRIVED), i32.const(1)), globalGet(threads)), [
        i32.atomicStore(zero, zero, ARRIVED),
        i32.atomicStore(zero, i32.add(get(generation), i32.const(1)), GENERATION),
        // Waking is slow, so only if a thread sleeps. A thread about to sleep sees the new generation.
        when(i32.atomicLoad(zero, SLEEPING), drop(atomicNotify(zero, i32.const(-1), GENERATION))),
        ret(),
      ]),
      set(turns, i32.const(SPINS)),
      loop(
        when(sameGeneration, [
          set(turns, i32.sub(get(turns), i32.const(1))),
          brIf(1, get(turns)),
        ]),
      ),
      whileTrue(sameGeneration, [
        drop(i32.atomicAdd(zero, i32.const(1), SLEEPING)),
        drop(atomicWait(zero, get(generation), GENERATION)),
        drop(i32.atomicAdd(zero, i32.const(-1), SLEEPING)),
      ]),
    ]
  })
