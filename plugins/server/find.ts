import { brief } from "../../core/options/mod.ts"
import { ApiError } from "./requests/api_error.ts"
import type { Served } from "./served.ts"

/** What is meant by the field `model`. */
export interface Found<Ability extends keyof Served> {
  /** The model. */
  readonly served: Served
  /** What it can. */
  readonly can: NonNullable<Served[Ability]>
  /** Name of its adapter that is meant. Default: the model without one. */
  readonly adapter?: string
}

/** All names that the field `model` may have, of models with an ability. */
const namesOf = (models: ReadonlyArray<Served>): ReadonlyArray<string> =>
  models.flatMap(({ id, adapters }) => [id, ...adapters?.loaded().keys() ?? []])

/** The model, or adapter, of a name. Throws ApiError 404 for one that is not there, 400 for one that cannot do what is asked. */
export function find<Ability extends "writes" | "embeds" | "classifies">(
  models: ReadonlyArray<Served>,
  name: string,
  ability: Ability,
): Found<Ability> {
  const served = models.find(({ id }) => id === name) ?? models.find(({ adapters }) => adapters?.loaded().has(name))
  const able = models.filter((one) => one[ability] !== undefined)
  const there = `there is ${namesOf(able).map((one) => JSON.stringify(one)).join(", ") || "none here that can"}`
  const given = brief(JSON.stringify(name))
  if (served === undefined) {
    const message = `the model ${given} is not there: ${there}`
    throw new ApiError({ status: 404, message, param: "model", code: "model_not_found" })
  }
  const can = served[ability]
  if (can === undefined) {
    throw new ApiError({ status: 400, message: `the model ${given} cannot do this: ${there}`, param: "model" })
  }
  return { served, can, ...served.id === name ? {} : { adapter: name } }
}
