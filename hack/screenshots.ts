/**
 * Takes the pictures of docs/images: every page, light and dark, on a desktop and on a phone. The pages stand on services that
 * answer the same each time, so that a picture changes only when its page does.
 *
 *     node hack/screenshots.ts
 */

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { launchBrowser, type Visitor, visit } from '../test/support/browser.ts'
import { createPages, type PagesSetting, rightPassword, someToken } from '../test/support/pages.ts'
import { ensureDebianPackage } from './local/debian.ts'
import { ROOT } from './local/place.ts'
import { terminalProgress } from './local/progress.ts'

const themes = ['light', 'dark'] as const
const devices = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const
const folder = path.join(ROOT, 'docs', 'images')
const email = 'ada@acme.example'

type Scene = (visitor: Visitor, setting: PagesSetting) => Promise<void>

const identified: Scene = async (visitor) => {
  await visitor.open('/login')
  await visitor.type({ Email: email, 'Organization (optional)': 'acme' })
  await visitor.press('Continue')
}

const signedIn: Scene = async (_visitor, setting) => {
  setting.signedIn = true
}

const opens = (page: string, ...before: Scene[]): Scene => {
  return async (visitor, setting) => {
    for (const scene of before) await scene(visitor, setting)
    await visitor.open(page)
  }
}

/** How each page is come to. */
const scenes: Readonly<Record<string, Scene>> = {
  'sign-in': opens('/login'),
  'sign-in-errors': async (visitor) => {
    await visitor.open('/login')
    await visitor.type({ Email: 'ada', 'Organization (optional)': 'Acme Inc.' })
    await visitor.press('Continue')
  },
  password: identified,
  'password-errors': async (visitor, setting) => {
    await identified(visitor, setting)
    await visitor.type({ Password: 'wrong' })
    await visitor.press('Sign in')
  },
  'password-locked': async (visitor, setting) => {
    await identified(visitor, setting)
    setting.refusal = { refused: 'account_locked', retryAfter: 900 }
    await visitor.type({ Password: rightPassword })
    await visitor.press('Sign in')
  },
  code: async (visitor, setting) => {
    await identified(visitor, setting)
    await visitor.press('Email me a code')
  },
  onward: opens(
    `/login/continue?return_to=${encodeURIComponent('https://app.acme.example/')}`,
    signedIn,
  ),
  register: opens('/register'),
  'register-sent': opens('/register/sent'),
  verify: opens(`/verify?token=${someToken}`),
  invitation: opens(`/invitation?token=${someToken}`),
  'invitation-errors': async (visitor, setting) => {
    await visitor.open(`/invitation?token=${someToken}`)
    await visitor.type({ 'Your name': 'Ada Lovelace', Password: 'acme' })
    const details = [
      'It has 4 characters; it needs 15 or more.',
      'It has the name of your organization in it.',
    ]
    setting.refusal = { refused: 'password_not_accepted', details }
    await visitor.press('Accept the invitation')
  },
  forgot: opens('/forgot'),
  'forgot-sent': opens('/forgot/sent'),
  reset: opens(`/reset?token=${someToken}`),
  'link-used': opens('/reset?token=used'),
  account: opens('/account', signedIn),
  sessions: opens('/account/sessions', signedIn),
  'sessions-ended': async (visitor, setting) => {
    await opens('/account/sessions', signedIn)(visitor, setting)
    await visitor.press('Sign out everywhere else')
  },
  'change-password': opens('/account/password', signedIn),
  'not-found': opens('/nowhere'),
}

// The pages take whatever the system has; pictures that are to be alike need one that all have.
const font = '/usr/share/fonts/opentype/inter'
await ensureDebianPackage('fonts-inter', 'A font', () => existsSync(font), terminalProgress())
await mkdir(folder, { recursive: true })
const browser = await launchBrowser()
for (const [device, viewport] of Object.entries(devices)) {
  for (const colorScheme of themes) {
    for (const [name, scene] of Object.entries(scenes)) {
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
