/**
 * Headless Chromium, as Debian has it.
 * @module
 */
import { chromium, type Page } from "playwright-core"

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** Where it lies; undefined when it is not installed. */
export function findChromium(): string | undefined {
  return places.find((place) => {
    try {
      return Deno.statSync(place).isFile
    } catch {
      return false
    }
  })
}

/** How it is started. */
export interface ChromiumOptions {
  /** Whether WebGPU is there, computed by the CPU. Default false. */
  readonly webgpu?: boolean
  /** Colours that the person prefers. Default `"light"`. */
  readonly colorScheme?: "light" | "dark"
}

/** Opens a page, works in it and closes all. An error in the page fails the work. */
export async function inPage<A>(
  executablePath: string,
  address: string,
  work: (page: Page) => Promise<A>,
  { webgpu = false, colorScheme = "light" }: ChromiumOptions = {},
): Promise<A> {
  const gpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan,WebGPU"]
  // Nothing outside this machine is looked up.
  const quiet = "--disable-quic --disable-background-networking --disable-component-update --disable-sync"
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--no-first-run",
      ...quiet.split(" "),
      ...(webgpu ? gpu : ["--disable-gpu"]),
    ],
  })
  try {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 1250 }, acceptDownloads: true })
    const broken = new Promise<never>((_, reject) => {
      page.on("pageerror", reject)
      page.on("console", (said) => said.type() === "error" && reject(new Error(`the console says: ${said.text()}`)))
    })
    broken.catch(() => {})
    await page.goto(address)
    return await Promise.race([work(page), broken])
  } finally {
    await browser.close()
  }
}
