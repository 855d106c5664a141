import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { ensureDebianPackage } from '../../hack/local/debian.ts'
import { terminalProgress } from '../../hack/local/progress.ts'

/** What Chromium is called, here and elsewhere. */
const names = ['chromium', 'chromium-browser', 'google-chrome']

/** Milliseconds: where it is not here yet, it is fetched and installed first. */
export const browserTimeout = 600_000

/** Starts a Chromium without a window; on Debian, root has it installed where it is missing. */
export async function launchBrowser(): Promise<Browser> {
  await ensureDebianPackage('chromium', 'A browser', () => find() !== undefined, terminalProgress())
  const executablePath = find()
  if (executablePath === undefined) throw new Error('there is no Chromium on the PATH')
  // Its sandbox refuses to run as root, as in a container.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath, args })
}

function find(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  const places = folders.flatMap((folder) => names.map((name) => path.join(folder, name)))
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Somebody at a browser of their own: nothing is shared with others. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({ baseURL: url, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  return new Visitor(page)
}

/** What people do with a page: they read it, fill in fields by their labels, and press buttons by their names. */
export class Visitor {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async open(where: string): Promise<void> {
    await this.page.goto(where)
  }

  async type(fields: Readonly<Record<string, string>>): Promise<void> {
    for (const [label, text] of Object.entries(fields)) {
      await this.page.getByLabel(label, { exact: true }).fill(text)
    }
  }

  /** Presses a button or follows a link, and waits for the page behind it. */
  async press(name: string, within = this.page.locator('body')): Promise<void> {
    const role = (kind: 'button' | 'link') => within.getByRole(kind, { name, exact: true })
    await this.#arrive(() => role('button').or(role('link')).first().click())
  }

  /** Presses Enter, and waits for the page behind it. */
  async enter(): Promise<void> {
    await this.#arrive(() => this.page.keyboard.press('Enter'))
  }

  /** The path that the browser is at. */
  get path(): string {
    return new URL(this.page.url()).pathname
  }

  heading(): Promise<string> {
    return this.page.getByRole('heading', { level: 1 }).innerText()
  }

  text(): Promise<string> {
    return this.page.locator('main').innerText()
  }

  async leave(): Promise<void> {
    await this.page.context().close()
  }

  async #arrive(act: () => Promise<void>): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), act()])
  }
}
