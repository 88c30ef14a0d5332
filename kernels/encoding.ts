/**
 * How memory holds numbers that programs read as f32: single elements of 16 bits, or blocks of several elements.
 * @module
 */
import type { Code, ModuleBuilder, Target } from "./wasm/assembler.ts"

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
export interface BlockEncoding extends EncodingFormat {
  /** Elements of a block: a multiple of 8. */
  readonly block: number
  /** The way back, for a host and for both backends. */
  readonly decode: {
    /** Decodes whole blocks; `to` has room for all. */
    readonly reference: (from: Uint8Array, to: Float32Array) => void
    /** Four neighbours of the block at a byte address, from number `first` on, a multiple of 4; both may be used often. */
    readonly wasm: (module: ModuleBuilder, address: Code, first: Code) => Code
    /**
     * A vec4<f32>: four neighbours of the block at a byte address, from number `first` on, a multiple of 4.
     *
     * @param bytes Expression: the four bytes from any byte address on, as a u32, the first in the lowest.
     */
    readonly wgsl: (address: string, first: string, bytes: (address: string) => string) => string
  }
  /** WebAssembly of products that read whole blocks: `productsInGroups`. Default: products read fours of neighbours. */
  readonly products?: BlockProducts
}

/** A tile of dot products of rows of a and columns of b. */
export interface BlockTile {
  /** Rows of a. */
  readonly rows: number
  /** Columns of b. */
  readonly columns: number
}

/** WebAssembly of matrix products that read whole blocks of b. Functions are given by their index; all parameters are i32. */
export interface BlockProducts {
  /** Bytes of a row of a, arranged. */
  readonly arrangedBytes: (k: number) => number
  /** Function `(from, k, to)`: arranges a row of f32 for {@link BlockProducts.dot}. */
  readonly arrange: (module: ModuleBuilder) => number
  /**
   * Function `(a, aStride, b, bApart, blocks, output, outputStride, outputApart)`: a tile of dot products of arranged rows
   * and columns of that many blocks. Addresses in bytes, as the distances from row to row (`Stride`) and from column to
   * column (`Apart`). The bits of a sum do not depend on the tile.
   */
  readonly dot: (module: ModuleBuilder, target: Target, tile: BlockTile) => number
  /**
   * Function `(from, apart, blocks, to)`: packs up to 8 columns of that many blocks along k into f32, [k][8]; further
   * columns are 0. Addresses and the distance from column to column in bytes.
   */
  readonly packDeep: (module: ModuleBuilder, target: Target, columns: number) => number
  /**
   * Function `(from, stride, k, to, apart)`: packs k rows of one block along the columns into panels of f32, [k][8], that
   * far apart. Addresses and distances in bytes.
   */
  readonly packWide: (module: ModuleBuilder, target: Target) => number
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
