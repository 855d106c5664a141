import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { browserTimeout, launchBrowser, type Visitor, visit } from '../support/browser.ts'
import { anOrganization } from '../support/build/resource.ts'
import { apply, whenReady } from '../support/kube.ts'
import {
  type Checked,
  checkEverywhere,
  cookieOf,
  type PeopleSystem,
  startPeopleSystem,
} from '../support/peoplesystem.ts'

const passwords = {
  first: 'seven purple lanterns adrift',
  second: 'a quiet harbour of brass owls',
  guest: 'eleven copper kites at dusk',
} as const

let people: PeopleSystem
let browser: Browser
const visitors: Visitor[] = []

beforeAll(async () => {
  ;[people, browser] = await Promise.all([startPeopleSystem(), launchBrowser()])
}, browserTimeout)
afterEach(async () => {
  await Promise.all(visitors.splice(0).map((visitor) => visitor.leave()))
})
afterAll(async () => {
  await browser?.close()
  await people?.stop()
})

/** Somebody with a browser that runs no scripts. */
async function somebody(userAgent?: string): Promise<Visitor> {
  const options = { javaScriptEnabled: false, ...(userAgent !== undefined && { userAgent }) }
  const visitor = await visit(browser, people.url, options)
  visitors.push(visitor)
  return visitor
}

const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

async function identify(visitor: Visitor, email: string, organization: string): Promise<void> {
  await visitor.open('/login')
  await visitor.type({ Email: email, 'Organization (optional)': organization })
  await visitor.press('Continue')
}

async function signIn(
  visitor: Visitor,
  email: string,
  organization: string,
  password: string,
): Promise<void> {
  await identify(visitor, email, organization)
  await visitor.type({ Password: password })
  await visitor.press('Sign in')
}

async function openMail(visitor: Visitor, to: string, subject?: RegExp): Promise<void> {
  const { links } = await people.mail.untilMail(to, subject)
  const link = links.find((one) => one.includes('token='))
  expect(link?.startsWith(people.url)).toBe(true)
  await visitor.open(link ?? '')
}

/** What the check, on every replica, says of somebody's session. */
async function checked(visitor: Visitor, question = ''): Promise<Checked> {
  const cookies = await visitor.page.context().cookies()
  const session = cookies.find(({ name }) => name === sessionCookie)?.value ?? ''
  return checkEverywhere(people.urls, cookieOf(session), question)
}

const soon = { timeout: 3000, interval: 20 }

test('a person registers, confirms, signs in, is known, ends a session elsewhere and resets the password', async () => {
  const email = 'ada@lovelace.example'
  const ada = await somebody()

  await ada.open('/')
  await ada.press('Register an organization')
  await ada.type({
    'Name of the organization': 'Lovelace & Daughters',
    'Short name': 'lovelace',
    'Your name': 'Ada Lovelace',
    Email: email,
    Password: 'lovelace',
  })
  await ada.press('Register')
  expect(await ada.page.getByRole('alert').innerText()).toMatch(/15|characters/)
  await ada.type({ Password: passwords.first })
  await ada.press('Register')
  expect(await ada.heading()).toBe('Look into your mail')

  await openMail(ada, email)
  expect(await ada.heading()).toBe('Confirm your email address')
  await ada.type({ Password: passwords.guest })
  await ada.press('Confirm my address')
  expect(await ada.page.getByRole('alert').innerText()).toContain('not the password')
  await ada.type({ Password: passwords.first })
  await ada.press('Confirm my address')
  expect(await ada.text()).toContain('Your address is confirmed.')
  expect(await ada.text()).toContain(email)
  await ada.type({ Password: passwords.first })
  await ada.press('Sign in')
  expect(await ada.heading()).toBe('Profile')
  expect(await ada.page.title()).toBe('Profile – Lovelace & Daughters')
  expect(await ada.text()).toContain('owner')

  await expect
    .poll(() => checked(ada, '?permission=members:invite'), soon)
    .toMatchObject({
      status: 200,
      headers: {
        'x-cardea-organization': 'lovelace',
        'x-cardea-subject': email,
        'x-cardea-subject-kind': 'User',
        'x-cardea-roles': 'owner',
      },
    })

  const phone = await somebody(iphone)
  await signIn(phone, email, 'lovelace', passwords.first)
  expect(await phone.heading()).toBe('Profile')
  await expect.poll(() => checked(phone), soon).toMatchObject({ status: 200 })

  await ada.press('Sessions')
  const lines = ada.page.locator('.list > li')
  expect(await lines.count()).toBe(2)
  expect(await lines.filter({ hasText: 'This one' }).innerText()).toContain('Linux')
  const other = lines.filter({ hasText: 'Safari on iOS' })
  await ada.press('Sign out', other)
  expect(await ada.text()).toContain('That session ended.')
  expect(await lines.count()).toBe(1)
  await expect.poll(() => checked(phone), soon).toMatchObject({ status: 401 })
  await phone.open('/account')
  expect(phone.path).toBe('/login')
  expect(await checked(ada)).toMatchObject({ status: 200 })

  await phone.open('/forgot')
  await phone.type({ Email: email, 'Organization (optional)': 'lovelace' })
  await phone.press('Send the link')
  await openMail(phone, email, /password/i)
  await phone.type({ 'New password': passwords.second })
  await phone.press('Change the password')
  expect(await phone.text()).toContain('you were signed out everywhere')
  await expect.poll(() => checked(ada), soon).toMatchObject({ status: 401 })
  await ada.open('/account/sessions')
  expect(ada.path).toBe('/login')

  await signIn(phone, email, 'lovelace', passwords.first)
  expect(await phone.text()).toContain('That did not work.')
  await phone.type({ Password: passwords.second })
  await phone.press('Sign in')
  expect(phone.path).toBe('/account')
  await expect.poll(() => checked(phone), soon).toMatchObject({ status: 200 })
})

test('an owner of a resource is invited, signs in by a code, changes name and password and signs out everywhere', async () => {
  const email = 'owner@acme.example'
  const spec = { owners: [email], signIn: { methods: ['Password', 'EmailCode'] } }
  await apply(anOrganization(people.ns, 'acme', spec))
  await whenReady('organization', people.ns, 'acme')

  const owner = await somebody()
  await openMail(owner, email)
  expect(await owner.heading()).toBe('Join Acme Inc.')
  await owner.type({ 'Your name': 'Olu', Password: passwords.guest })
  await owner.press('Accept the invitation')
  expect(await owner.text()).toContain('Your account is ready.')

  await owner.press('Email me a code')
  expect(await owner.heading()).toBe('Enter your code')
  const { text } = await people.mail.untilMail(email, /code/i)
  const code = /\b[0-9]{6}\b/.exec(text)?.[0] ?? ''
  await owner.type({ Code: code === '000000' ? '111111' : '000000' })
  await owner.press('Sign in')
  expect(await owner.text()).toContain('This code is not right')
  await owner.type({ Code: code })
  await owner.press('Sign in')
  expect(owner.path).toBe('/account')

  await owner.type({ 'Your name': 'Olu <b>Owner</b>' })
  await owner.press('Save')
  expect(await owner.text()).toContain('Your profile is saved.')
  expect(await owner.page.getByLabel('Your name').inputValue()).toBe('Olu <b>Owner</b>')

  const before = await owner.page.context().cookies()
  await owner.press('Password')
  await owner.type({ 'Current password': 'not mine at all', 'New password': passwords.second })
  await owner.press('Change the password')
  expect(await owner.text()).toContain('This is not your current password.')
  await owner.type({ 'Current password': passwords.guest, 'New password': passwords.second })
  await owner.press('Change the password')
  expect(await owner.text()).toContain('Your password is changed')
  const former = before.find(({ name }) => name === sessionCookie)?.value ?? ''
  await expect
    .poll(() => checkEverywhere(people.urls, cookieOf(former)), soon)
    .toMatchObject({ status: 401 })
  await expect.poll(() => checked(owner), soon).toMatchObject({ status: 200 })

  const kept = await owner.page.context().cookies()
  await owner.press('Sessions')
  await owner.press('Sign out everywhere')
  expect(await owner.text()).toContain('You are signed out everywhere.')
  const last = kept.find(({ name }) => name === sessionCookie)?.value ?? ''
  await expect
    .poll(() => checkEverywhere(people.urls, cookieOf(last)), soon)
    .toMatchObject({ status: 401 })
})

test('an owner invites a colleague to a role, suspends them, and they are nowhere any more', async () => {
  const [email, guest] = ['owner@acme.example', 'kay@acme.example']
  const owner = await somebody()
  await signIn(owner, email, 'acme', passwords.second)
  await owner.press('Members')
  await owner.type({ Email: guest, Role: 'king' })
  await owner.press('Send the invitation')
  expect(await owner.text()).toContain('There is no such role.')
  await owner.type({ Role: 'viewer' })
  await owner.press('Send the invitation')
  expect(await owner.text()).toContain('The invitation is on its way.')

  const kay = await somebody()
  await openMail(kay, guest)
  await kay.type({ 'Your name': 'Kay', Password: passwords.guest })
  await kay.press('Accept the invitation')
  await kay.type({ Password: passwords.guest })
  await kay.press('Sign in')
  await expect
    .poll(() => checked(kay, '?permission=members:read'), soon)
    .toMatchObject({ status: 200, headers: { 'x-cardea-roles': 'viewer' } })
  await kay.press('Members')
  expect(await kay.text()).not.toContain('Invite somebody')

  await owner.open('/admin/members')
  const line = owner.page.locator('.list > li').filter({ hasText: guest })
  await line.getByText('Change').click()
  await owner.press('Suspend', line)
  expect(await owner.text()).toContain('The member is suspended')
  await expect.poll(() => checked(kay), soon).toMatchObject({ status: 401 })
  await signIn(kay, guest, 'acme', passwords.guest)
  expect(kay.path).toBe('/login/password')
  expect(await kay.page.getByRole('alert').count()).toBe(1)
})

test('a link of a mail is of use once, and looking at it uses nothing up', async () => {
  const email = 'grace@hopper.example'
  const grace = await somebody()
  await grace.open('/register')
  await grace.type({
    'Name of the organization': 'Hopper',
    'Short name': 'hopper',
    'Your name': 'Grace Hopper',
    Email: email,
    Password: passwords.first,
  })
  await grace.press('Register')
  await openMail(grace, email)
  const link = grace.page.url()
  await grace.page.reload()
  await grace.type({ Password: passwords.first })
  await grace.press('Confirm my address')
  expect(await grace.text()).toContain('Your address is confirmed.')
  await grace.open(link)
  await grace.type({ Password: passwords.first })
  await grace.press('Confirm my address')
  expect(await grace.heading()).toBe('This link no longer works')
})

test('nobody learns from the pages who has an account', async () => {
  const texts: string[] = []
  for (const [email, organization] of [
    ['ada@lovelace.example', 'lovelace'],
    ['nobody@lovelace.example', 'lovelace'],
    ['ada@lovelace.example', 'no-such-organization'],
  ] as const) {
    const visitor = await somebody()
    await identify(visitor, email, organization)
    const asked = await visitor.text()
    await visitor.type({ Password: 'wrong wrong wrong wrong' })
    await visitor.press('Sign in')
    const refused = await visitor.text()
    await visitor.open('/forgot')
    await visitor.press('Send the link')
    const typed = (text: string) => text.replaceAll(email, 'EMAIL').replaceAll(organization, 'ORG')
    texts.push([asked, refused, await visitor.text()].map(typed).join('\n'))
  }
  expect(new Set(texts).size).toBe(1)
})

test('a form of another site does nothing, and says so on a page', async () => {
  const victim = await somebody()
  await victim.open('/login')
  const html = `<form method="post" action="${people.url}/login"><input name="email" value="evil@evil.example"><button>Go</button></form>`
  await victim.page.route('http://evil.example/', (route) =>
    route.fulfill({ contentType: 'text/html', body: html }),
  )
  await victim.open('http://evil.example/')
  await victim.press('Go')
  expect(await victim.heading()).toBe('This is not allowed')
  expect(await victim.page.context().cookies()).toEqual([])
})
