/**
 * Takes the pictures of docs/images: every page, light and dark, on a desktop and on a phone. The pages stand on services that
 * answer the same each time, so that a picture changes only when its page does.
 *
 *     node hack/screenshots.ts [NAME...]
 */

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { launchBrowser, visit } from '../test/support/browser.ts'
import { createPages } from '../test/support/pages.ts'
import { pageScenes } from '../test/support/pagescenes.ts'
import { ensureDebianPackage } from './local/debian.ts'
import { ROOT } from './local/place.ts'
import { terminalProgress } from './local/progress.ts'

/** None: all. */
const wanted = process.argv.slice(2)
const themes = ['light', 'dark'] as const
const devices = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const
const folder = path.join(ROOT, 'docs', 'images')

// The pages take whatever the system has; pictures that are to be alike need one that all have.
const font = '/usr/share/fonts/opentype/inter'
await ensureDebianPackage('fonts-inter', 'A font', () => existsSync(font), terminalProgress())
await mkdir(folder, { recursive: true })
const browser = await launchBrowser()
for (const [device, viewport] of Object.entries(devices)) {
  for (const colorScheme of themes) {
    for (const [name, scene] of Object.entries(pageScenes)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue
      const { app, setting } = await createPages()
      setting.publicUrl = await app.listen({ host: '127.0.0.1', port: 0 })
      const options = { viewport, colorScheme, javaScriptEnabled: false }
      // Elsewhere is not reached from here: the picture is of the page that leads there.
      const visitor = await visit(browser, setting.publicUrl, options)
      await visitor.page.route('https://**', (route) => route.fulfill({ status: 204 }))
      await scene(visitor, setting)
      const file = path.join(folder, `${name}-${colorScheme}-${device}.png`)
      await visitor.page.screenshot({ path: file, fullPage: true, caret: 'hide' })
      await visitor.leave()
      await app.close()
    }
  }
}
await browser.close()
