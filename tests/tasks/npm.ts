/**
 * `deno task npm`: the module packed for npm, as `dist/espalier.tgz`. `deno pack` makes JavaScript, types and the entry
 * points; description and the versions of Node, which it leaves out, are added here.
 * @module
 */
import { fileURLToPath } from "node:url"
import { command } from "./command.ts"

const repository = fileURLToPath(new URL("../../", import.meta.url))

/** Packs the module into a file. */
export async function packForNpm(file: string): Promise<void> {
  const scratch = await Deno.makeTempDir({ prefix: "espalier-npm-" })
  try {
    await command(Deno.execPath(), ["pack", "--allow-dirty", "--output", `${scratch}/made.tgz`], repository)
    await command("tar", ["xzf", "made.tgz"], scratch)
    const { description } = JSON.parse(await Deno.readTextFile(`${repository}deno.json`))
    const { name, version, ...rest } = JSON.parse(await Deno.readTextFile(`${scratch}/package/package.json`))
    const more = { description, keywords: ["lora", "fine-tuning", "llm", "webgpu"], engines: { node: ">=20" } }
    const content = { name, version, ...more, ...rest }
    await Deno.writeTextFile(`${scratch}/package/package.json`, JSON.stringify(content, null, 2))
    await command("tar", ["czf", "packed.tgz", "package"], scratch)
    await Deno.copyFile(`${scratch}/packed.tgz`, file)
  } finally {
    await Deno.remove(scratch, { recursive: true })
  }
}

if (import.meta.main) {
  await Deno.mkdir(`${repository}dist`, { recursive: true })
  await packForNpm(`${repository}dist/espalier.tgz`)
  console.log("dist/espalier.tgz")
}
