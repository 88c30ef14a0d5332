/**
 * The suite as a command for Deno and Node: takes the places as JSON, prints the outcome as JSON.
 * @module
 */
import process from "node:process"
import { suite } from "./suite.ts"

process.stdout.write(`${JSON.stringify(await suite(JSON.parse(process.argv[2])))}\n`)
