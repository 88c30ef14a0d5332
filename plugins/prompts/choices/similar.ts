import { type Choice, cosine, descending, vectorOf } from "./choice.ts"

/** The examples nearest to the query (KATE: Liu et al. 2022, "What Makes Good In-Context Examples for GPT-3?"). */
export const similar = (): Choice => ({
  name: "similar",
  embeds: true,
  from: ({ labels, vectors }, count) => (query) =>
    descending(labels.map((_, row) => cosine(query!, vectorOf(vectors!, row)))).slice(0, count),
})
