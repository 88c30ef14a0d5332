/**
 * Uses the page of `examples/browser` as a person does: drops a file, trains, looks, downloads.
 * @module
 */
import { serve } from "../../examples/browser/site.ts"
import { pageSite } from "../../examples/browser/serve.ts"
import { inPage } from "./chromium.ts"

/** How it is used. */
export interface UseOptions {
  /** Directory of the model. */
  readonly model: string
  /** Where a picture of the finished page goes; `-dark` is added to the name of the one in dark colours. */
  readonly screenshot?: string | undefined
}

/** A small table: the first messages of each label. */
function someMessages(): string {
  const lines = Deno.readTextFileSync(new URL("../../examples/data/sms_spam.tsv", import.meta.url)).split("\n")
  const of = (label: string) => lines.filter((line) => line.startsWith(`${label}\t`)).slice(0, 120)
  return [lines[0], ...of("ham"), ...of("spam")].join("\n")
}

/** Gives a line about it. Throws when something is not as it should be. */
export async function usePage(chromium: string, { model, screenshot }: UseOptions): Promise<string> {
  const address = Promise.withResolvers<string>()
  const server = serve(await pageSite(new URL(`file://${model}/`)), { onListen: address.resolve })
  try {
    return await inPage(chromium, await address.promise, async (page) => {
      // As dropping does: the file comes in a DataTransfer.
      const dropped = await page.evaluateHandle((text) => {
        const transfer = new DataTransfer()
        transfer.items.add(new File([text], "messages.tsv"))
        return transfer
      }, someMessages())
      await page.dispatchEvent("#drop", "drop", { dataTransfer: dropped })
      await page.click("#start")
      const finished = page.waitForSelector("#result:not([hidden])", { timeout: 120_000 })
      const failed = page.waitForSelector("#error:not([hidden])", { timeout: 0 }).then(async (element) => {
        throw new Error(`the page says: ${await element.textContent()}`)
      })
      failed.catch(() => {})
      await Promise.race([finished, failed])
      await page.fill("#own", "URGENT! You have won a FREE 100,000 prize! Txt the word CLAIM to 81010, 150p per msg")
      const label = await (await page.waitForSelector("#prediction .first span")).textContent()
      if (label !== "spam") throw new Error(`the trained model takes an advertisement for ${label}`)

      const size = async (selector: string) => {
        const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)])
        const { size } = await Deno.stat(await download.path())
        return [download.suggestedFilename(), size] as const
      }
      const [adapter, bytes] = await size("#adapter")
      const [report] = await size("#report")
      if (adapter !== "adapter.zip" || report !== "report.html" || bytes < 10_000) {
        throw new Error(`downloads: ${adapter} (${bytes} bytes), ${report}`)
      }
      const points = await page.locator("#curve path").first().getAttribute("d")
      if (points === null || points.split("L").length < 10) throw new Error(`the curve has too few points: ${points}`)
      if (screenshot !== undefined) {
        await page.screenshot({ path: screenshot, fullPage: true })
        await page.emulateMedia({ colorScheme: "dark" })
        await page.screenshot({ path: screenshot.replace(/(\.\w+)?$/, "-dark$1"), fullPage: true })
      }
      const metrics = (await page.locator("#metrics tbody tr").allInnerTexts()).map((line) => line.replace(/\s+/g, " "))
      return `${metrics.join(", ")} (before, after); adapter.zip of ${bytes} bytes; ${await page.innerText("#backend")}`
    })
  } finally {
    await server.shutdown()
  }
}
