import type { LightMyRequestResponse } from 'fastify'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Form, FormBrowser, leadsTo } from '../../../../test/support/formbrowser.ts'
import {
  createPages,
  type PagesSetting,
  rightCode,
  rightPassword,
  someToken,
} from '../../../../test/support/pages.ts'

let setting: PagesSetting
let browser: FormBrowser

const ada = { email: 'ada@acme.example', organization: 'acme' }

beforeEach(async () => {
  const { app, setting: its } = await createPages()
  setting = its
  browser = new FormBrowser(app)
})

async function identify(form: Form = ada): Promise<void> {
  expect(await browser.post('/login', form)).toMatchObject(leadsTo('/login/password'))
}

describe('signing in', () => {
  it('leads from the address to the password to the account, with a cookie of this host alone', async () => {
    await identify()
    const answer = await browser.post('/login/password', {
      email: ada.email,
      password: rightPassword,
    })
    expect(answer).toMatchObject(leadsTo('/account'))
    const session = answer.cookies.find(({ name }) => name === '__Host-cardea_session')
    expect(session).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })
    expect(session).not.toHaveProperty('domain')
    expect(setting.asked).toMatchObject([
      ['withPassword', { organization: { name: 'acme' }, email: ada.email, kind: 'browser' }],
    ])
    expect([...browser.cookies.keys()]).not.toContain('__Host-cardea_sign_in')
  })

  it('looks nothing up when it is told an address: the second page shows what was typed', async () => {
    await identify({ email: ' Nobody@Nowhere.Example ', organization: 'No-Such' })
    const { body } = await browser.get('/login/password')
    expect(body).toContain('nobody@nowhere.example')
    expect(body).toContain('Signing in to no-such as')
    expect(setting.asked).toEqual([])
  })

  it('says the same of a wrong password, a wrong address and a wrong organization', async () => {
    const pages: string[] = []
    for (const form of [ada, { ...ada, email: 'x@acme.example' }, { ...ada, organization: 'x' }]) {
      await identify(form)
      const answer = await browser.post('/login/password', { email: form.email, password: 'wrong' })
      expect(answer.statusCode).toBe(422)
      pages.push(
        answer.body
          .replaceAll(form.email, 'EMAIL')
          .replaceAll(`to ${form.organization} as`, 'to ORG as'),
      )
    }
    expect(new Set(pages).size).toBe(1)
  })

  it('takes no password for an address other than the one that was identified', async () => {
    await identify()
    const form = { email: 'victim@acme.example', password: rightPassword }
    expect(await browser.post('/login/password', form)).toMatchObject(leadsTo('/login'))
    expect(setting.asked).toEqual([])
  })

  it('begins again where there was no first step', async () => {
    expect(await browser.get('/login/password')).toMatchObject(leadsTo('/login'))
    expect(await browser.get('/login/code')).toMatchObject(leadsTo('/login'))
    browser.cookies.set('__Host-cardea_sign_in', 'bm90IEpTT04')
    expect(await browser.get('/login/password')).toMatchObject(leadsTo('/login'))
  })

  it('shows the methods that the organization allows, and no others', async () => {
    await identify()
    setting.methods = ['Password']
    expect((await browser.get('/login/password')).body).not.toContain('Email me a code')
    setting.methods = ['EmailCode']
    expect((await browser.get('/login/password')).body).not.toContain('type="password"')
    setting.methods = ['SSO']
    expect((await browser.get('/login/password')).body).toContain('do not offer yet')
  })

  it('says how long a lock lasts, as a page and as a header', async () => {
    await identify()
    setting.refusal = { refused: 'account_locked', retryAfter: 840 }
    const answer = await browser.post('/login/password', { email: ada.email, password: 'x' })
    expect(answer).toMatchObject({ statusCode: 429, headers: { 'retry-after': '840' } })
    expect(answer.body).toContain('Try again in 14 minutes.')
  })

  it('says how long codes are locked, and not that the code is wrong', async () => {
    await identify()
    await browser.post('/login/code/request', { email: ada.email })
    setting.refusal = { refused: 'account_locked', retryAfter: 840 }
    const answer = await browser.post('/login/code', { code: rightCode })
    expect(answer).toMatchObject({ statusCode: 429, headers: { 'retry-after': '840' } })
    expect(answer.body).toContain('Try again in 14 minutes.')
    expect(answer.body).not.toContain('This code is not right')
  })

  it('asks to come back when there is much to do', async () => {
    await identify()
    setting.refusal = { refused: 'busy', retryAfter: 2 }
    const answer = await browser.post('/login/password', { email: ada.email, password: 'x' })
    expect(answer).toMatchObject({ statusCode: 503, headers: { 'retry-after': '2' } })
  })

  it('by a code keeps the challenge in a cookie of this host, and takes the code as people copy it', async () => {
    await identify()
    const sent = await browser.post('/login/code/request', { email: ada.email })
    expect(sent).toMatchObject(leadsTo('/login/code'))
    const challenge = sent.cookies.find(({ name }) => name === '__Host-cardea_code')
    expect(challenge).toMatchObject({ value: 'challenge-1', httpOnly: true, secure: true })
    const wrong = await browser.post('/login/code', { code: '000000' })
    expect(wrong.statusCode).toBe(422)
    expect(wrong.body).toContain('This code is not right, or not any more.')
    const code = rightCode.replace(/^.../, '$& ')
    expect(await browser.post('/login/code', { code })).toMatchObject(leadsTo('/account'))
    expect(setting.asked.at(-1)).toMatchObject([
      'withCode',
      { challenge: 'challenge-1', code: rightCode, kind: 'browser' },
    ])
  })

  it('knows the organization by its host, and does not ask for it', async () => {
    const pages = await createPages({ organizationHosts: '.id.example.com' })
    const atHost = new FormBrowser(pages.app)
    const host = { host: 'acme.id.example.com' }
    const { body } = await atHost.get('/login', host)
    expect(body).not.toContain('name="organization"')
    expect(body).toContain('<strong>acme</strong>')
    await atHost.post('/login', { email: ada.email }, host)
    await atHost.post('/login/password', { email: ada.email, password: rightPassword }, host)
    expect(pages.setting.asked).toMatchObject([
      ['withPassword', { organization: { host: 'acme.id.example.com' } }],
    ])
  })
})

describe('after signing in, somebody', () => {
  async function signInFrom(returnTo: string): Promise<LightMyRequestResponse> {
    await identify({ ...ada, return_to: returnTo })
    return browser.post('/login/password', { email: ada.email, password: rightPassword })
  }

  it('comes back to the page that they wanted to see', async () => {
    expect(await browser.get('/account/sessions')).toMatchObject(leadsTo('/login'))
    const { body } = await browser.get('/login')
    expect(body).toContain('name="return_to" value="/account/sessions"')
    expect(await signInFrom('/account/sessions')).toMatchObject(leadsTo('/account/sessions'))
  })

  it('goes on to an origin that the organization lists', async () => {
    const url = 'https://app.acme.example/start?a=1&b=2'
    const onward = `/login/continue?return_to=${encodeURIComponent(url)}`
    expect(await signInFrom(url)).toMatchObject(leadsTo(onward))
    const { body } = await browser.get(onward)
    expect(body).toContain('content="0; url=https://app.acme.example/start?a=1&amp;b=2"')
    expect(body).toContain('href="https://app.acme.example/start?a=1&amp;b=2"')
  })

  it('goes to the account instead of any other origin', async () => {
    const { headers } = await signInFrom('https://evil.example/')
    expect(await browser.get(String(headers.location))).toMatchObject(leadsTo('/account'))
  })

  it('signs in all the same when what they wanted to see is too long to be kept', async () => {
    expect(await signInFrom(`/${'ü'.repeat(2000)}`)).toMatchObject(leadsTo('/account'))
  })

  it.each(['//evil.example', '/\\evil.example', 'javascript:alert(1)', '/.//evil.example'])(
    'goes to the account instead of %s',
    async (returnTo) => {
      expect(await signInFrom(returnTo)).toMatchObject(leadsTo('/account'))
    },
  )
})

describe('the links of mails', () => {
  it.each([
    ['/verify', { password: 'x' }, 'verifyEmail', 'Your address is confirmed.'],
    ['/invitation', { name: 'Ada', password: 'x' }, 'accept', 'Your account is ready.'],
    ['/reset', { password: 'x' }, 'reset', 'you were signed out everywhere'],
  ])(
    '%s uses its token up by its button alone, and then leads to sign in',
    async (path, form, service, said) => {
      const shown = await browser.get(`${path}?token=${someToken}`)
      expect(shown.statusCode).toBe(200)
      expect(setting.asked).toEqual([])
      const answer = await browser.post(path, { token: someToken, ...form })
      expect(answer).toMatchObject(leadsTo('/login/password'))
      expect(setting.asked[0]?.slice(0, 2)).toEqual([service, someToken])
      const { body } = await browser.get('/login/password')
      expect(body).toContain(said)
      expect(body).toContain('Signing in to acme as')
      expect((await browser.get('/login/password')).body).not.toContain(said)
    },
  )

  it.each(['/verify', '/invitation', '/reset'])(
    '%s tells of a dead token alike, whatever it died of',
    async (path) => {
      const form = {
        token: someToken,
        password: 'x',
        ...(path === '/invitation' && { name: 'x' }),
      }
      setting.refusal = { refused: 'token_invalid' }
      const used = await browser.post(path, form)
      expect(used.statusCode).toBe(410)
      const malformed = await browser.get(`${path}?token=nonsense`)
      expect(malformed.statusCode).toBe(410)
      expect(malformed.body).toBe(used.body)
    },
  )

  it('/verify asks again for a password that is missing or wrong, and keeps the token', async () => {
    const missing = await browser.post('/verify', { token: someToken })
    expect(missing.statusCode).toBe(422)
    expect(missing.body).toContain('<a href="#password">Enter your password.</a>')
    setting.refusal = { refused: 'password_wrong' }
    const wrong = await browser.post('/verify', { token: someToken, password: 'x' })
    expect(wrong.statusCode).toBe(422)
    expect(wrong.body).toContain('This is not the password that was chosen with the account.')
    expect(wrong.body).toContain(`name="token" value="${someToken}"`)
  })

  it('shows who invites whom to what, with the address as it was invited', async () => {
    const { body } = await browser.get(`/invitation?token=${someToken}`)
    expect(body).toContain('<h1>Join Acme Inc.</h1>')
    expect(body).toContain('value="ada@acme.example"')
    expect(body).toContain(
      'host@acme.example invites you to join Acme Inc. with the role <strong>developer</strong>.',
    )
  })

  it('/reset shows no form for a link that was used', async () => {
    const other = someToken.replace(/.$/, someToken.endsWith('A') ? 'B' : 'A')
    for (const token of ['used', other]) {
      const answer = await browser.get(`/reset?token=${token}`)
      expect(answer.statusCode).toBe(410)
      expect(answer.body).not.toContain('<form')
    }
  })

  it('says beside the field which rule a new password breaks', async () => {
    const details = ['It has 5 characters, and must have 15.', 'It is known from a leak.']
    setting.refusal = { refused: 'password_not_accepted', details }
    const answer = await browser.post('/reset', { token: someToken, password: 'short' })
    expect(answer.statusCode).toBe(422)
    for (const detail of details) {
      expect(answer.body).toContain(`<a href="#password">${detail}</a>`)
    }
    expect(answer.body).not.toContain('value="short"')
  })
})

describe('registering', () => {
  const form = {
    display_name: 'Acme Inc.',
    organization: 'acme',
    name: 'Ada',
    email: ada.email,
    password: rightPassword,
  }

  it('leads to a page that says the same whether the address has an account or not', async () => {
    expect(await browser.post('/register', form)).toMatchObject(leadsTo('/register/sent'))
    expect(setting.asked).toMatchObject([
      [
        'register',
        { organization: 'acme', displayName: 'Acme Inc.', email: ada.email, name: 'Ada' },
      ],
    ])
  })

  it('says all that is missing at once, and keeps what was typed, the password excepted', async () => {
    const answer = await browser.post('/register', {
      ...form,
      name: ' ',
      organization: 'Not a name!',
    })
    expect(answer.statusCode).toBe(422)
    expect(answer.body).toContain('<title>Error: Register an organization')
    expect(answer.body).toContain('<a href="#name">Enter your name.</a>')
    expect(answer.body).toContain('<a href="#organization">')
    expect(answer.body).toContain('value="Acme Inc."')
    expect(answer.body).not.toContain(rightPassword)
    expect(setting.asked).toEqual([])
  })

  it('is not there where the installation does not allow it', async () => {
    setting.registrationOpen = false
    expect((await browser.get('/register')).statusCode).toBe(404)
    expect((await browser.post('/register', form)).statusCode).toBe(404)
    expect((await browser.get('/login')).body).not.toContain('/register')
  })
})

describe('a forgotten password', () => {
  it('is answered alike for any address', async () => {
    for (const email of [ada.email, 'nobody@nowhere.example']) {
      expect(await browser.post('/forgot', { email, organization: 'acme' })).toMatchObject(
        leadsTo('/forgot/sent'),
      )
    }
    expect(setting.asked).toHaveLength(2)
  })
})

describe('a form', () => {
  it.each([
    ['a field twice', 'email=a%40b.example&email=c%40d.example'],
    ['a field that it does not have', 'email=a%40b.example&role=owner'],
    ['a character that cannot be stored', 'email=a%00%40b.example'],
    ['a field without an end', `email=${'a'.repeat(5000)}`],
  ])('with %s is refused', async (_what, body) => {
    expect((await browser.post('/login', body)).statusCode).toBe(400)
  })

  it('is refused when it is longer than any of ours', async () => {
    expect(
      (await browser.post('/login', `email=${'a'.repeat(20_000)}`)).statusCode,
    ).toBeGreaterThanOrEqual(400)
  })

  it('is refused as JSON', async () => {
    const answer = await browser.post('/login', JSON.stringify(ada), {
      'content-type': 'application/json',
    })
    expect(answer.statusCode).toBeGreaterThanOrEqual(400)
    expect(setting.asked).toEqual([])
  })
})

describe('each page', () => {
  const open = ['/login', '/register', '/register/sent', '/forgot', '/forgot/sent', '/nowhere']
  const links = ['/verify', '/invitation', '/reset'].map((path) => `${path}?token=${someToken}`)
  const own = ['/account', '/account/sessions', '/account/password', '/admin/members']

  it.each([...open, ...links, ...own])(
    '%s is stored nowhere, framed by nobody, and has no script and no style of its own',
    async (path) => {
      setting.signedIn = own.includes(path)
      const { headers, body } = await browser.get(path)
      expect(headers['cache-control']).toBe('no-store')
      const policy = String(headers['content-security-policy'])
      for (const directive of [
        "default-src 'none'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ]) {
        expect(policy).toContain(directive)
      }
      expect(policy).not.toContain('unsafe')
      expect(body).not.toMatch(/<script|<style| style=| on[a-z]+=|javascript:/i)
    },
  )

  it('has a stylesheet that is kept for a year under the name of its content', async () => {
    const { body } = await browser.get('/login')
    const [, path = ''] = /<link rel="stylesheet" href="([^"]+)">/.exec(body) ?? []
    const { headers, statusCode } = await browser.get(path)
    expect(statusCode).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/css; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    })
  })

  it('leads a password manager to where a password is changed', async () => {
    const { statusCode, headers } = await browser.get('/.well-known/change-password')
    expect({ statusCode, headers }).toMatchObject(leadsTo('/account/password'))
  })

  it('is a problem in JSON for a program', async () => {
    const answer = await browser.get('/nowhere', { accept: 'application/json' })
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({ code: 'not_found', status: 404 })
  })
})
