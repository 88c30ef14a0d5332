/**
 * Uses the page of `examples/browser` as a person does: drops a file, trains, tries, downloads, opens what was downloaded.
 * @module
 */
import type { Page } from "playwright-core"
import { serve } from "../../examples/browser/site.ts"
import { pageSite } from "../../examples/browser/serve.ts"
import { inPage } from "./chromium.ts"

/** How it is used. */
export interface UseOptions {
  /** Directory of the model. */
  readonly model: string
  /** Where pictures of the page go: of texts, `-labels` of labels, `-dark` of labels in dark colours. */
  readonly screenshot?: string | undefined
}

/** A small table: the first messages of each label. */
function someMessages(): string {
  const lines = Deno.readTextFileSync(new URL("../../examples/data/sms_spam.tsv", import.meta.url)).split("\n")
  const of = (label: string) => lines.filter((line) => line.startsWith(`${label}\t`)).slice(0, 120)
  return [lines[0], ...of("ham"), ...of("spam")].join("\n")
}

/** Drops a file: it comes in a DataTransfer. */
async function drop(page: Page): Promise<void> {
  const dropped = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([text], "messages.tsv"))
    return transfer
  }, someMessages())
  await page.dispatchEvent("#drop", "drop", { dataTransfer: dropped })
}

/** Trains to the end; gives what the page says of it. */
async function train(page: Page): Promise<string> {
  await page.click("#start")
  await page.waitForSelector("#result:not([hidden])", { timeout: 120_000 })
  const points = await page.locator("#curve path").first().getAttribute("d")
  if (points === null || points.split("L").length < 10) throw new Error(`the curve has too few points: ${points}`)
  return (await page.locator("#metrics tbody tr").allInnerTexts()).map((line) => line.replace(/\s+/g, " ")).join(", ")
}

/** What follows the prompt, by the adapter of a name, or by the base model. */
async function writtenBy(page: Page, adapter: string): Promise<string> {
  await page.locator("#adapters label", { hasText: adapter }).click()
  await page.click("#go")
  await page.waitForFunction(`document.getElementById("written").textContent.length > 20`)
  await page.waitForSelector("#hush", { state: "hidden" })
  return await page.innerText("#written")
}

/** Downloads a file; gives its path and its name. */
async function download(page: Page, selector: string): Promise<readonly [path: string, name: string, bytes: number]> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)])
  const path = await download.path()
  return [path, download.suggestedFilename(), (await Deno.stat(path)).size]
}

/** Teaches it to write, and switches between the base model, what was trained, and what was downloaded and opened again. */
async function useWriting(page: Page): Promise<string> {
  await page.fill("#temperature", "0")
  const alone = await writtenBy(page, "Base model")
  await drop(page)
  const metrics = await train(page)
  const texts = [await writtenBy(page, "Base model"), await writtenBy(page, "trained")]
  const [path] = await download(page, "#adapter")
  const again = `${await Deno.makeTempDir()}/again.zip`
  await Deno.copyFile(path, again)
  await page.setInputFiles("#open", again)
  await page.locator("#adapters label", { hasText: "again" }).waitFor()
  texts.push(await writtenBy(page, "again"), await writtenBy(page, "Base model"))
  const [base, trained, opened, once] = texts
  if (base !== alone || once !== alone) throw new Error(`the base model changes: ${JSON.stringify([alone, ...texts])}`)
  if (trained === base || trained !== opened) throw new Error(`adapters: ${JSON.stringify(texts)}`)
  return metrics
}

/** Teaches it labels. */
async function useLabels(page: Page): Promise<string> {
  await page.locator("label", { hasText: "to label" }).click()
  const metrics = await train(page)
  const labelBy = async (adapter: string) => {
    await page.locator("#adapters label", { hasText: adapter }).click()
    await page.fill("#own", "URGENT! You have won a FREE 100,000 prize! Txt the word CLAIM to 81010, 150p per msg")
    return await page.locator("#prediction[aria-busy=false] .first").innerText()
  }
  const label = await labelBy("trained")
  if (!label.startsWith("spam")) throw new Error(`the trained model takes an advertisement for ${label}`)
  if (await labelBy("Base model") === label) throw new Error("the base model says the same as the adapter")
  await labelBy("trained")
  const [, adapter, bytes] = await download(page, "#adapter")
  const [, report] = await download(page, "#report")
  if (adapter !== "adapter.zip" || report !== "report.html" || bytes < 10_000) {
    throw new Error(`downloads: ${adapter} (${bytes} bytes), ${report}`)
  }
  return `${metrics}; adapter.zip of ${bytes} bytes`
}

/** Gives a line about it. Throws when something is not as it should be. */
export async function usePage(chromium: string, { model, screenshot }: UseOptions): Promise<string> {
  const address = Promise.withResolvers<string>()
  const server = serve(await pageSite(new URL(`file://${model}/`)), { onListen: address.resolve })
  const picture = (page: Page, suffix: string) =>
    screenshot === undefined
      ? undefined
      : page.screenshot({ path: screenshot.replace(/(\.\w+)?$/, `${suffix}$1`), fullPage: true })
  try {
    return await inPage(chromium, await address.promise, async (page) => {
      const failed = page.waitForSelector("#error:not([hidden])", { timeout: 0 }).then(async (element) => {
        throw new Error(`the page says: ${await element.textContent()}`)
      })
      failed.catch(() => {})
      const use = async () => {
        await picture(page, "-first")
        const texts = await useWriting(page)
        await picture(page, "")
        const labels = await useLabels(page)
        await picture(page, "-labels")
        await page.emulateMedia({ colorScheme: "dark" })
        await picture(page, "-dark")
        return `texts: ${texts}; labels: ${labels} (before, after); ${await page.innerText("#backend")}`
      }
      return await Promise.race([use(), failed])
    })
  } finally {
    await server.shutdown()
  }
}
