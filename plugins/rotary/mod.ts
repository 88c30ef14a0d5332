/**
 * Rotary positions as configs describe them, in the spelling of transformers 4 and of transformers 5: what several families
 * read.
 * @module
 */
export { type OlderRope, type RopeModel, ropeOf, ropesOf } from "./rope.ts"
export { ROPE_KINDS } from "./rope_kinds.ts"
