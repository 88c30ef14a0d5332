/**
 * Work stealing: each thread takes its share of a stage's units piece by piece, then helps other threads. A slow thread
 * (another process, a slower core) does not hold up the rest.
 * @module
 */
import {
  brIf,
  call as callFunction,
  type Code,
  get,
  globalGet,
  globalSet,
  i32,
  increase,
  loop,
  minU32,
  type ModuleBuilder,
  ret,
  select,
  set,
  v128,
  when,
} from "../../../../kernels/wasm/assembler.ts"
import { BARRIER_BYTES } from "./barrier.ts"

/** Bytes of a thread's counters in one bank: a cache line. */
const BANK = 64
/** Bytes of a thread's counters, after the barrier's: two banks. */
export const COUNTER_BYTES = 2 * BANK
/** Maximum number of stages between two barriers; each has a counter. */
export const COUNTERS = BANK / 4
/** A piece is half of the rest of a share, but at least 1 / 2^HALVINGS of the whole share. */
const HALVINGS = 4

/** Code that distributes units. */
export interface Shares {
  /**
   * Claims a piece: 1, or 0 if none is left.
   *
   * @param counter Counter of the stage, below {@link COUNTERS}.
   * @param grain Minimum units of a piece.
   */
  readonly claim: (counter: number, units: number, grain: number) => Code
  /** First unit of the last claimed piece, and the end of it (exclusive). */
  readonly begin: Code
  readonly end: Code
  /** Clears the counters of the next stages, right before each barrier. */
  readonly turn: Code
}

/**
 * Adds the functions. Claims are counted in two banks: while stages use one, each thread clears its part of the other,
 * which has had no readers since the last barrier.
 *
 * @param thread Global that holds the thread's number.
 * @param threads Global that holds the number of threads.
 */
export const sharesOf = (module: ModuleBuilder, thread: number, threads: number): Shares => {
  const [bank, helped, begin, end] = Array.from({ length: 4 }, () => module.global())
  const counters = (of: Code): Code =>
    i32.add(i32.add(i32.const(BARRIER_BYTES), globalGet(bank)), i32.mul(of, i32.const(COUNTER_BYTES)))
  const claim = module.func("claim", ["i32", "i32", "i32"], ["i32"], (f, counter, units, grain) => {
    const [whose, start, size, place, taken, piece] = Array.from({ length: 6 }, () => f.local("i32"))
    const share = (number: Code): Code => i32.divU(i32.mul(get(units), number), globalGet(threads))
    const larger = (a: Code, b: Code): Code => select(a, b, i32.gtU(a, b))
    return [
      loop(
        set(whose, i32.add(globalGet(thread), globalGet(helped))),
        when(i32.geU(get(whose), globalGet(threads)), set(whose, i32.sub(get(whose), globalGet(threads)))),
        set(start, share(get(whose))),
        set(size, i32.sub(share(i32.add(get(whose), i32.const(1))), get(start))),
        set(place, i32.add(counters(get(whose)), get(counter))),
        set(taken, i32.atomicLoad(get(place))),
        when(i32.ltU(get(taken), get(size)), [
          set(piece, i32.shrU(i32.add(i32.sub(get(size), get(taken)), i32.const(1)), i32.const(1))),
          set(piece, larger(larger(get(piece), get(grain)), i32.shrU(get(size), i32.const(HALVINGS)))),
          set(piece, select(get(size), get(piece), i32.eq(globalGet(threads), i32.const(1)))),
          set(taken, i32.atomicAdd(get(place), get(piece))),
          when(i32.ltU(get(taken), get(size)), [
            increase(piece, get(taken)),
            globalSet(end, i32.add(get(start), minU32(get(piece), get(size)))),
            globalSet(begin, i32.add(get(start), get(taken))),
            ret(i32.const(1)),
          ]),
        ]),
        globalSet(helped, i32.add(globalGet(helped), i32.const(1))),
        brIf(0, i32.ltU(globalGet(helped), globalGet(threads))),
      ),
      globalSet(helped, i32.const(0)),
      i32.const(0),
    ]
  })
  const turn = module.func("turn", [], [], () => [
    globalSet(bank, i32.xor(globalGet(bank), i32.const(BANK))),
    [0, 16, 32, 48].map((at) => v128.store(counters(globalGet(thread)), v128.const(0, 0, 0, 0), at)),
  ])
  return {
    claim: (counter, units, grain) => callFunction(claim, i32.const(4 * counter), i32.const(units), i32.const(grain)),
    begin: globalGet(begin),
    end: globalGet(end),
    turn: callFunction(turn),
  }
}
