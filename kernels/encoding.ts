/**
 * How memory holds numbers that programs read as f32: single elements of 16 bits, or blocks of several elements.
 * @module
 */
import type { AffineBlocks, BlockFormat } from "../core/tensor/block_format.ts"
import type { Code, ModuleBuilder, Target } from "./wasm/assembler.ts"

export type { AffineBlocks, BlockFormat } from "../core/tensor/block_format.ts"

/** Fields of every encoding. */
export interface EncodingFormat {
  /** Name in programs; no two encodings of a program share one. */
  readonly name: string
  /** Bytes of a block. */
  readonly blockBytes: number
  /** Whether decoding is slow, so that kernels decode an element that they need often only once. Default false. */
  readonly costly?: boolean
  /** Magnitudes from here on become infinite. Default: none does. */
  readonly overflow?: number
  /** Encodes whole blocks; `to` has room for all. Left out where the bytes come from elsewhere only. */
  readonly encode?: (data: Float32Array, to: Uint8Array) => void
}

/** An encoding of single elements: any view of it can be read. */
export interface ElementEncoding extends EncodingFormat {
  /** Elements of a block. */
  readonly block: 1
  /** Bytes of an element. */
  readonly blockBytes: 2 | 4
  /** The way back, for a host and for both backends. */
  readonly decode: {
    /** Decodes elements; `to` has room for all. */
    readonly reference: (from: Uint8Array, to: Float32Array) => void
    /** Four f32 from the bits of four elements, each in an i32 lane with its sign extended; `bits` is used twice. */
    readonly wasm: (module: ModuleBuilder, bits: Code) => Code
    readonly wgsl: {
      /** An f32 from a u32 whose lower half are its bits; the upper half is arbitrary. */
      readonly one: (bits: string) => string
      /** A vec4<f32> from a vec2<u32>: the bits of four elements, the first in the lowest. */
      readonly four: (bits: string) => string
    }
  }
}

/** An encoding of blocks along the last axis of what is stored, such as one scale and 32 small numbers. */
export interface BlockEncoding extends EncodingFormat, BlockFormat {
  /** Bytes of a block. */
  readonly blockBytes: number
  /**
   * What is left to do once all blocks of a tensor are encoded, in place: scales that are rounded together. A slot that is
   * written whole, as numbers, is settled. Default: nothing.
   */
  readonly settle?: (bytes: Uint8Array) => void
  /** The way back, for a host and for both backends. */
  readonly decode: {
    /** Decodes whole blocks; `to` has room for all. */
    readonly reference: (from: Uint8Array, to: Float32Array) => void
    /** Four neighbours of the block at a byte address, from number `first` on, a multiple of 4; both may be used often. */
    readonly wasm: (module: ModuleBuilder, address: Code, first: Code) => Code
    /**
     * A vec4<f32>: four neighbours of the block at a byte address, from number `first` on, a multiple of 4. An expression, or
     * statements with the expression at the end; both arguments are names.
     *
     * @param bytes Expression: the four bytes from any byte address on, as a u32, the first in the lowest; it costs half as
     * much where `aligned` says that the address is a multiple of 4, for which `blockBytes` must be one.
     */
    readonly wgsl: (
      address: string,
      first: string,
      bytes: (address: string, aligned?: boolean) => string,
    ) => string | ReadonlyArray<string>
  }
  /** WebAssembly of products that read whole blocks: `productsInGroups`. Default: products read fours of neighbours. */
  readonly products?: BlockProducts
}

/** For what the code of products is written. */
export interface BlockWriting {
  /** Where functions are added. */
  readonly module: ModuleBuilder
  /** The machine. */
  readonly target: Target
  /** Number of the module's memory that holds the blocks. */
  readonly memory: number
}

/**
 * WebAssembly of matrix products that reads whole blocks of b. Each field gives the index of a function, whose parameters
 * are all i32: addresses and distances in bytes.
 */
export interface BlockProducts {
  /** Blocks of a column that are summed at a time: at most so many. */
  readonly most: number
  /** Bytes of `scratch` of {@link dot}. */
  readonly scratchBytes: number
  /**
   * Function `(a, aStride, b, bStride, columns, output, outputStride, more, scratch)`: output = a b for some rows of f32 and
   * columns of some blocks, added to what is there where `more` is not 0. The bits of a sum do not depend on rows and columns.
   */
  readonly dot: (writing: BlockWriting, tile: { readonly rows: number; readonly blocks: number }) => number
  /** Function `(b, bStride, blocks, to)`: packs up to 8 columns of that many blocks into f32, [k][8]; further columns are 0. */
  readonly packDeep: (writing: BlockWriting, columns: number) => number
  /** Function `(b, bStride, k, to, apart)`: packs k rows of one block along the columns into panels [k][8] of f32. */
  readonly packWide: (writing: BlockWriting) => number
}

/** An encoding whose numbers are `scale * q + offset`, with one scale and one offset a block. */
export interface AffineEncoding extends BlockEncoding {
  /** The offsets. */
  readonly affine: AffineBlocks
}

/** How memory holds numbers that programs read as f32. */
export type Encoding = ElementEncoding | BlockEncoding

/** Encodings by name. */
export type EncodingTable = ReadonlyMap<string, Encoding>

/** Whether an encoding has blocks of several elements. */
export const inBlocks = (encoding: Encoding): encoding is BlockEncoding => encoding.block > 1

/** Bytes of a number of elements. */
export const bytesFor = ({ block, blockBytes }: Encoding, elements: number): number =>
  Math.ceil(elements / block) * blockBytes
