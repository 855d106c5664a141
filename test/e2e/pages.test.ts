import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { browserTimeout, launchBrowser, type Visitor, visit } from '../support/browser.ts'
import { createPages, type PagesSetting, rightPassword } from '../support/pages.ts'
import { pageScenes } from '../support/pagescenes.ts'

/** In the browser's own language: its types are not known here. */
const inspection = readFileSync(path.join(import.meta.dirname, '../support/inspectpage.js'), 'utf8')

let browser: Browser
let visitor: Visitor
let setting: PagesSetting
let close: () => Promise<void>
/** What the browser complains about: blocked by the policy, missing, broken. */
let complaints: string[]

beforeAll(async () => {
  browser = await launchBrowser()
}, browserTimeout)
afterAll(() => browser.close())

beforeEach(async () => {
  const pages = await createPages()
  setting = pages.setting
  close = () => pages.app.close()
  setting.publicUrl = await pages.app.listen({ host: '127.0.0.1', port: 0 })
  await comeWith({})
})
afterEach(async () => {
  await visitor.leave()
  await close()
})

/** The narrowest screen that WCAG 2.2, 1.4.10, wants served without scrolling sideways. */
const narrowest = { width: 320, height: 640 }

async function comeWith(options: Parameters<typeof visit>[2]): Promise<void> {
  visitor = await visit(browser, setting.publicUrl, options)
  complaints = []
  visitor.page.on('console', (message) => {
    const isStatus = message.text().includes('the server responded with a status of')
    if (message.type() === 'error' && !isStatus) complaints.push(message.text())
  })
  await visitor.page.route('https://**', (route) => route.fulfill({ status: 204 }))
}

describe.each(Object.entries(pageScenes))('the page %s', (_name, scene) => {
  it('has a language, a title, one heading, a name for all that can be used, and no need to scroll sideways', async () => {
    await scene(visitor, setting)
    expect(await visitor.page.evaluate(inspection)).toEqual({
      lang: 'en',
      titled: true,
      headings: 1,
      skipped: [],
      nameless: [],
      doubleIds: [],
      dangling: [],
      unknownPurpose: [],
    })
    expect(complaints).toEqual([])
    await visitor.page.setViewportSize(narrowest)
    const width = await visitor.page.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(narrowest.width)
  })
})

describe('by the keyboard alone', () => {
  const press = (...keys: string[]) =>
    keys.reduce(
      (before, key) => before.then(() => visitor.page.keyboard.press(key)),
      Promise.resolve(),
    )
  const type = (text: string) => visitor.page.keyboard.type(text)

  it('somebody signs in, ends another session and signs out', async () => {
    await visitor.open('/login')
    await focusIsOn('email')
    await type('ada@acme.example')
    await press('Tab')
    await type('acme')
    await visitor.enter()
    await focusIsOn('password')
    await type(rightPassword)
    await visitor.enter()
    expect(visitor.path).toBe('/account')
    await tabTo('Sessions')
    await visitor.enter()
    expect(visitor.path).toBe('/account/sessions')
    await tabTo('Sign out everywhere else')
    await visitor.enter()
    expect(await visitor.text()).toContain('You are signed out everywhere else.')
    await tabTo('Sign out')
    await visitor.enter()
    expect(await visitor.text()).toContain('You are signed out.')
  })

  it('the first stop is a way around what is on each page', async () => {
    await visitor.open('/forgot/sent')
    await press('Tab')
    expect(await focused()).toBe('Skip to the content')
    await press('Enter')
    await focusIsOn('main')
  })

  it('a form with faults begins at what sums them up, and each leads to its field', async () => {
    await visitor.open('/login')
    await focusIsOn('email')
    await visitor.enter()
    await focusIsOn('errors')
    await press('Tab')
    expect(await focused()).toBe('Enter your email address.')
    await press('Enter')
    await focusIsOn('email')
    const described = await visitor.page.getByLabel('Email').getAttribute('aria-describedby')
    expect(described).toBe('email-fault')
  })

  it('shows where the focus is, on everything that can have it', async () => {
    setting.signedIn = true
    await visitor.open('/account/sessions')
    for (let stop = 0; stop < 10; stop += 1) {
      await press('Tab')
      const outline = await visitor.page.evaluate(
        'getComputedStyle(document.activeElement).outlineStyle',
      )
      expect(outline).toBe('solid')
    }
  })

  /** A page puts the focus where it begins a moment after it is there. */
  async function focusIsOn(id: string): Promise<void> {
    await expect
      .poll(() => visitor.page.evaluate('document.activeElement?.id'), { timeout: 10_000 })
      .toBe(id)
  }

  async function tabTo(name: string): Promise<void> {
    for (let stop = 0; stop < 30; stop += 1) {
      await press('Tab')
      if ((await focused()) === name) return
    }
    throw new Error(`nobody comes to ${name} by Tab`)
  }

  function focused(): Promise<string | undefined> {
    return visitor.page.evaluate('document.activeElement?.textContent.trim()')
  }
})

describe('a browser without scripts', () => {
  it('gets on to an application that the organization lists', async () => {
    await visitor.leave()
    await comeWith({ javaScriptEnabled: false })
    await visitor.open('/login?return_to=https%3A%2F%2Fapp.acme.example%2Fstart')
    await visitor.type({ Email: 'ada@acme.example' })
    await visitor.press('Continue')
    await visitor.type({ Password: rightPassword })
    const arrived = visitor.page.waitForRequest('https://app.acme.example/start')
    await visitor.press('Sign in')
    await arrived
    expect(complaints).toEqual([])
  })
})

describe('somebody who wants less motion', () => {
  it('sees none', async () => {
    await visitor.page.emulateMedia({ reducedMotion: 'reduce' })
    await visitor.open('/login')
    const moving =
      await visitor.page.evaluate(`[...document.querySelectorAll('*')].filter((element) => {
      const { scrollBehavior, transitionDuration, animationName } = getComputedStyle(element)
      return scrollBehavior === 'smooth' || transitionDuration !== '0s' || animationName !== 'none'
    }).length`)
    expect(moving).toBe(0)
  })
})
