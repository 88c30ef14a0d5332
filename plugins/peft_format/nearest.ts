export { nearest } from "../../core/formats/nearest.ts"
