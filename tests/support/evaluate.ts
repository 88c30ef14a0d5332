/**
 * Values of a graph in float64.
 * @module
 */
export { evaluate, evaluateAll, type EvaluateData } from "../../core/graph/evaluate.ts"
