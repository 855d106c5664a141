import { hashSync } from '@node-rs/argon2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Person } from '../../src/auth/people.ts'
import { eventually, type RunningAuth, startAuth } from '../support/authservice.ts'
import { describedRoutes } from '../support/openapiroutes.ts'
import { aPerson, openReplicas, signIn } from '../support/peopleservices.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'
import { askThrough, codeOf, form, type Headers, json, own } from '../support/throughproxy.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let acme: string
let remote: RunningAuth

beforeAll(async () => {
  acme = await records.organization('acme')
  remote = await startAuth(database.authUrl, { CARDEA_PUBLIC_URL: 'https://id.example.com' })
})
afterAll(async () => {
  await remote?.stop()
  await records.close()
  await database.drop()
})

const through = (path: string, headers: Headers, method?: string, body?: string) =>
  askThrough(remote.url, path, headers, method, body)
const statusOf = async (...question: Parameters<typeof through>) =>
  (await through(...question)).status
const givePassword = ({ organizationId, userId }: Person, password: string) =>
  records.client.query(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    [
      organizationId,
      userId,
      hashSync(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
    ],
  )

/** Signs somebody in. @returns what their browser says from then on */
async function arrive(email: string): Promise<Headers> {
  const person = await aPerson(records, acme, { email })
  const [replica] = await openReplicas(database, records, 1)
  const { session } = await signIn(replica, person, 'browser')
  await replica.close()
  const mine = { ...own, cookie: `__Host-cardea_session=${session.cookie}` }
  await eventually(() => statusOf('/api/auth/me', mine)).toBe(200)
  return mine
}

describe('whoever is not signed in (ASVS 2.4.1, 6.3.1)', () => {
  const attempt = (address: string, body: string) =>
    through('/api/auth/refresh', { ...json, 'x-forwarded-for': address }, 'POST', body)

  test('is limited by the address, and told when to come again', async () => {
    const answers = await Promise.all(
      Array.from({ length: 125 }, () => attempt('198.51.100.1', '{"refresh_token":"x"}')),
    )
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(5)
    const [answer] = limited
    expect(codeOf(answer?.body ?? '')).toBe('too_many_requests')
    expect(Number(answer?.header('retry-after'))).toBeGreaterThan(0)
    expect(answer?.header('ratelimit-policy')).toBe('"address";q=120;w=60')
    expect(answer?.header('ratelimit')).toMatch(/^"address";r=0;t=[0-9]+$/)
    expect((await attempt('198.51.100.2', '{"refresh_token":"x"}')).status).toBe(400)
  })

  test('has one limit for a network of IPv6, in every spelling', async () => {
    const addresses = [
      '2001:db8::1',
      '2001:DB8:0:0::2',
      '2001:0db8:0000:0000:ffff::',
      '[2001:db8::3]:99',
    ]
    const answers = await Promise.all(
      Array.from({ length: 124 }, (_, at) => attempt(addresses[at % 4] ?? '', '{}')),
    )
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(4)
  })

  test('cannot pass an address off as another one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 122 }, (_, at) => attempt(`10.0.0.${at}, 198.51.100.7`, '{}')),
    )
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(2)
  })

  const secret = 'seven purple lanterns adrift'
  const login = (email: string, password: string, headers: Headers) =>
    through(
      '/api/auth/login',
      { ...json, ...headers },
      'POST',
      JSON.stringify({ email, password, organization: 'acme' }),
    )
  const deviceOf = (signedIn: Awaited<ReturnType<typeof login>>) => {
    expect(signedIn.status).toBe(200)
    return /__Host-cardea_device=[^;]+/.exec(signedIn.header('set-cookie'))?.[0] ?? ''
  }
  const askForLink = (email: string, address: string) =>
    through(
      '/api/auth/password-reset/request',
      { ...json, 'x-forwarded-for': address },
      'POST',
      JSON.stringify({ email, organization: 'acme' }),
    )

  test('is limited by the account that is named, in every spelling', async () => {
    const spellings = [
      'eve@acme.example',
      'EVE@acme.example',
      ' Eve@Acme.Example ',
      'eve@ACME.example',
    ]
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, at) =>
        askForLink(spellings[at % 4] ?? '', `2001:db8:1:1::${at}`),
      ),
    )
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(4)
    expect(limited[0]?.header('ratelimit-policy')).toBe('"account";q=60;w=60')
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(60)
    expect((await askForLink('adam@acme.example', '2001:db8:1:1::1')).status).toBe(202)
  })

  test('uses up nobody’s account: its owner goes on from elsewhere, on every route', async () => {
    const email = 'mary@acme.example'
    await givePassword(await aPerson(records, acme, { email }), secret)
    const [attacker, owner] = ['198.51.102.1', '198.51.102.2']
    const device = deviceOf(await login(email, secret, { 'x-forwarded-for': owner }))
    const routes = [
      ...(await describedRoutes(remote.url)).filter(
        ({ by, method, media }) =>
          by === 'anybody' && method === 'POST' && media === 'application/json',
      ),
      ...[
        '/login',
        '/login/password',
        '/login/code/request',
        '/login/code',
        '/forgot',
        '/register',
      ].map((path) => ({ path, media: undefined })),
    ]
    expect(routes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/api/auth/login', '/api/auth/otp/verify', '/api/auth/register']),
    )
    const send = ({ path, media }: { path: string; media?: string | undefined }, address: string) =>
      through(
        path,
        { ...(media ? json : form), ...own, cookie: device, 'x-forwarded-for': address },
        'POST',
        media ? JSON.stringify({ email }) : new URLSearchParams({ email }).toString(),
      )
    const guesses = Array.from({ length: 6 }, () =>
      login(email, 'nine purple lanterns adrift', { 'x-forwarded-for': attacker }),
    )
    const junk = Array.from({ length: 150 }, (_, at) =>
      send(routes[at % routes.length] ?? { path: '/login' }, attacker),
    )
    const flood = await Promise.all([...guesses, ...junk])
    const policies = flood.map((answer) => answer.header('ratelimit-policy'))
    expect(policies).toContain('"account";q=60;w=60')
    expect(policies).toContain('"address";q=120;w=60')
    for (const route of routes) {
      const { status } = await send(route, owner)
      expect([route.path, status]).not.toEqual([route.path, 429])
    }
    const again = await login(email, secret, { 'x-forwarded-for': owner, cookie: device, ...own })
    expect(again.status).toBe(200)
  })

  test('from many places gets no more guesses than from one, and the owner is let in by a known device', async () => {
    const email = 'grace@acme.example'
    await givePassword(await aPerson(records, acme, { email }), secret)
    const device = deviceOf(await login(email, secret, { 'x-forwarded-for': '198.51.104.1' }))
    const guesses = await Promise.all(
      Array.from({ length: 70 }, (_, at) =>
        login(email, 'nine purple lanterns adrift', { 'x-forwarded-for': `198.51.103.${at}` }),
      ),
    )
    const codes = guesses.map(({ body }) => codeOf(body))
    expect(codes.filter((code) => code === 'sign_in_failed')).toHaveLength(5)
    expect(codes.filter((code) => code === 'account_locked')).toHaveLength(65)
    const known = { 'x-forwarded-for': '198.51.104.2', cookie: device, ...own }
    expect((await login(email, secret, known)).status).toBe(200)
  })

  test('has no account’s limit where nobody says who asks, as everybody would share it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => askForLink('eva@acme.example', '')),
    )
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(64)
  })

  test('does not take away from those who are', async () => {
    const address = '198.51.100.8'
    const mine = await arrive('ada@acme.example')
    const flood = await Promise.all(Array.from({ length: 125 }, () => attempt(address, '{}')))
    expect(flood.map(({ status }) => status)).toContain(429)
    expect(
      await statusOf(
        '/api/auth/sessions/revoke-all',
        { ...mine, ...json, 'x-forwarded-for': address },
        'POST',
        '{}',
      ),
    ).toBe(400)
  })
})

describe('whoever is signed in (ASVS 2.4.1)', () => {
  const rename = (who: Headers, n: number) =>
    through(
      '/api/auth/me',
      { ...json, ...who, 'x-forwarded-for': `198.51.105.${n}` },
      'PATCH',
      '{"name":"Ada"}',
    )

  test('makes sixty changes a minute, from wherever, and looks at as much as they like', async () => {
    const who = await arrive('busy@acme.example')
    const answers = await Promise.all(Array.from({ length: 70 }, (_, n) => rename(who, n)))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(10)
    const [answer] = limited
    expect(codeOf(answer?.body ?? '')).toBe('too_many_requests')
    expect(answer?.header('ratelimit-policy')).toBe('"person";q=60;w=60')
    expect(Number(answer?.header('retry-after'))).toBeGreaterThan(0)
    expect(await statusOf('/api/auth/me', who)).toBe(200)
    const other = await arrive('calm@acme.example')
    expect((await rename(other, 1)).status).toBe(200)
  })

  test('changes the password ten times a minute, by the API and by the page', async () => {
    const who = await arrive('eager@acme.example')
    const change = (n: number) =>
      n % 2 === 0
        ? through(
            '/api/auth/password',
            { ...json, ...who },
            'POST',
            JSON.stringify({ current: 'x', password: 'seven purple lanterns adrift' }),
          )
        : through('/account/password', { ...form, ...who }, 'POST', 'current=x&password=y')
    const limited: boolean[] = []
    for (let n = 0; n < 14; n++) {
      const { status, body, header } = await change(n)
      limited.push(status === 429 && body.includes('too_many_requests'))
      expect(header('ratelimit-policy')).toBe('"password";q=10;w=60')
    }
    expect(limited).toEqual(Array.from({ length: 14 }, (_, n) => n >= 10))
    expect((await rename(who, 1)).status).toBe(200)
  })
})
