import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type RegistrationOptions,
  RegistrationService,
} from '../../src/auth/registration/registration.ts'
import { openPool } from '../../src/db/pool.ts'
import { sessionCookie } from '../../src/domain/session.ts'
import { eventually, peoplesSettings, startAuthForTest } from '../support/authservice.ts'
import { type Answer, password, type SignInScene, startSignIn } from '../support/signin.ts'

let scene: SignInScene

beforeAll(async () => {
  scene = await startSignIn({
    replicas: 2,
    organizations: { taken: {}, member: { domains: ['member.example'] } },
  })
})
afterAll(() => scene.stop())

const form = {
  organization: 'initech',
  displayName: 'Initech LLC',
  email: 'peter@initech.example',
  name: 'Peter',
  password,
}
const register = (fields: object = {}) => scene.post('/api/auth/register', { ...form, ...fields })
const verify = (token: string, at = 0, secret = password) =>
  scene.post('/api/auth/verify-email', { token, password: secret }, { at, from: `10.8.0.${at}` })
const outcome = ({ status, body }: Answer) => [status, body['code']]
const organizationOf = (name: string) =>
  scene.rows<{ id: string; managed_by: string; domains: string[]; display_name: string }>(
    'select id, managed_by, domains, display_name from cardea.organizations where name = $1',
    name,
  )

test('an organization is there with its owner once the address is verified, and not before', async () => {
  const answer = await register()
  expect([answer.status, answer.body]).toEqual([202, { accepted: true }])
  const token = await scene.mailedToken(form.email)
  expect(await organizationOf('initech')).toEqual([])
  const verified = await verify(token)
  expect([verified.status, verified.body]).toEqual([
    200,
    { organization: 'initech', email: form.email },
  ])
  const [organization] = await organizationOf('initech')
  expect(organization).toMatchObject({
    managed_by: 'api',
    // A domain is nobody's because they have an address there.
    domains: [],
    display_name: 'Initech LLC',
  })
  const { email } = form
  const login = { organization: 'initech', email, password }
  // Both replicas hear of it.
  await eventually(async () => (await scene.post('/api/auth/login', login, { at: 1 })).status).toBe(
    200,
  )
  const { cookies } = await scene.post('/api/auth/login', login)
  const cookie = `${sessionCookie}=${cookies[sessionCookie]}`
  const check = await fetch(`${scene.replicas[0]?.url}/check`, { headers: { cookie } })
  expect(check.headers.get('x-cardea-roles')).toBe('owner')
  expect(await scene.trail(organization?.id ?? '')).toEqual(['organization.registered'])
  expect(
    await scene.rows('select from cardea.registrations where password_hash is not null'),
  ).toEqual([])
})

test('of a hundred verifications at once on two replicas exactly one succeeds', async () => {
  const email = 'many@hooli.example'
  await register({ organization: 'hooli', email })
  const token = await scene.mailedToken(email)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      scene.post('/api/auth/verify-email', { token, password }, { at: n % 2, from: `10.7.${n}.1` }),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  const rest = answers.filter(({ status }) => status !== 200).map(outcome)
  expect(new Set(rest.map(String))).toEqual(new Set(['400,token_invalid']))
  expect(await organizationOf('hooli')).toHaveLength(1)
  expect(await scene.rows('select from cardea.users where email = $1', email)).toHaveLength(1)
})

test('of two who ask for one name, the first to verify has it', async () => {
  const [one, two] = ['one@umbrella.example', 'two@umbrella.example']
  for (const email of [one, two]) await register({ organization: 'umbrella', email })
  const tokens = [await scene.mailedToken(one), await scene.mailedToken(two)]
  expect((await verify(tokens[0] ?? '')).status).toBe(200)
  expect(outcome(await verify(tokens[1] ?? ''))).toEqual([409, 'organization_name_taken'])
  expect(await scene.rows('select from cardea.users where email = $1', two)).toEqual([])
})

test('whoever has an account elsewhere is answered like anybody, and gets a second one', async () => {
  const email = 'ada@member.example'
  await scene.person(scene.ids['member'] ?? '', { email, password: 'another one of their own' })
  const [known, unknown] = [
    await register({ organization: 'second', email }),
    await register({ organization: 'third', email: 'nobody@third.example' }),
  ]
  expect([known.status, known.text]).toEqual([unknown.status, unknown.text])
  expect((await verify(await scene.mailedToken(email))).status).toBe(200)
  expect(await scene.rows('select from cardea.users where email = $1', email)).toHaveLength(2)
})

describe('an address is verified with the password that was chosen, and not without', () => {
  const chosen = 'three silver anchors below'

  test('somebody who reads the mail of what a stranger registered makes nothing of it', async () => {
    const email = 'ceo@victim.example'
    await register({ organization: 'victim-corp', email, password: chosen })
    const token = await scene.mailedToken(email)
    for (let n = 0; n < 4; n++) {
      expect(outcome(await verify(token, n % 2))).toEqual([403, 'password_wrong'])
    }
    expect(await organizationOf('victim-corp')).toEqual([])
    // The token is not used up by that.
    expect((await verify(token, 0, chosen)).status).toBe(200)
  })

  test('after five wrong ones the token is over, on all replicas and however many come at once', async () => {
    const email = 'guessed@victim.example'
    await register({ organization: 'guessed-corp', email, password: chosen })
    const token = await scene.mailedToken(email)
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => verify(token, n % 2)))
    const codes = answers.map(({ body }) => body['code'])
    expect(codes.filter((code) => code === 'password_wrong')).toHaveLength(5)
    expect(codes.filter((code) => code === 'token_invalid')).toHaveLength(7)
    expect(outcome(await verify(token, 0, chosen))).toEqual([400, 'token_invalid'])
    expect(await organizationOf('guessed-corp')).toEqual([])
  })

  test('what could not be judged, as there was too much to do, was no try', async () => {
    const email = 'patient@victim.example'
    await register({ organization: 'patient-corp', email, password: chosen })
    const token = await scene.mailedToken(email)
    const pool = openPool({
      connectionString: scene.database.authUrl,
      applicationName: 'test',
      log: { info: () => {}, warn: () => {} },
    })
    const busy = { refused: 'busy', retryAfter: 2 } as const
    const service = new RegistrationService({
      pool,
      hasher: { verify: async () => busy },
    } as unknown as RegistrationOptions)
    const client = { address: '192.0.2.1', userAgent: '', device: undefined, requestId: 'test' }
    for (let n = 0; n < 6; n++) {
      expect(await service.verifyEmail(token, chosen, client)).toEqual(busy)
    }
    await pool.end()
    expect((await verify(token, 0, chosen)).status).toBe(200)
  })

  test('the page asks for it, and the mail says so', async () => {
    const email = 'asked@victim.example'
    await register({ organization: 'asked-corp', email, password: chosen })
    const token = await scene.mailedToken(email)
    const mail = scene.mail.mailbox.messages.find(({ to }) => to.includes(email))
    expect(mail?.text).toContain('Confirm the address with the password that was chosen')
    expect(mail?.text).toContain('If it was not you who registered, ignore this mail')
    const url = scene.replicas[0]?.url ?? ''
    const press = (fields: Record<string, string>) =>
      fetch(`${url}/verify`, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'sec-fetch-site': 'same-origin', 'x-forwarded-for': '10.8.1.1' },
        body: new URLSearchParams({ token, ...fields }),
      })
    expect((await press({})).status).toBe(422)
    expect((await press({ password })).status).toBe(422)
    expect(await organizationOf('asked-corp')).toEqual([])
    expect((await press({ password: chosen })).status).toBe(303)
    expect(await organizationOf('asked-corp')).toHaveLength(1)
  })
})

describe('nobody can have mails sent to strangers in numbers', () => {
  const named = (n: number) => `bomb-${n}`
  const mails = async (where: string, ...values: unknown[]) =>
    (
      await scene.rows(
        `select from cardea.mails where template = 'registration' and ${where}`,
        ...values,
      )
    ).length
  const from = (n: number, of: string) => ({ at: n % 2, from: `${of}.${n + 1}` })

  test('an address gets three in an hour, wherever and however fast they are asked for, and nobody is told', async () => {
    const email = 'stranger@bombed.example'
    const ask = (n: number, fields: object = {}) =>
      scene.post(
        '/api/auth/register',
        { ...form, organization: named(n), email, ...fields },
        from(n, '10.6.6'),
      )
    const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => ask(n)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(['202 {"accepted":true}']),
    )
    expect(await mails('recipient = $1', email)).toBe(3)
    // Of an organization that may never be, there is no trail.
    expect(
      await scene.rows(
        'select from cardea.audit_events e where not exists (select from cardea.organizations o where o.id = e.organization_id)',
      ),
    ).toEqual([])
    // It does not help to confirm them.
    expect((await verify(await scene.mailedToken(email))).status).toBe(200)
    expect((await ask(30)).status).toBe(202)
    expect(await mails('recipient = $1', email)).toBe(3)
    // An hour later it is as before.
    await scene.rows(
      "update cardea.registrations set created_at = created_at - interval '1 hour' where email = $1",
      email,
    )
    await ask(31)
    expect(await mails('recipient = $1', email)).toBe(4)
  })

  test('a client sends twenty in an hour, whomever to', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        const fields = { organization: `flood-${n}`, email: `someone-${n}@flooded.example` }
        return scene.post('/api/auth/register', { ...form, ...fields }, from(n, '10.6.7'))
      }),
    )
    expect(answers.every(({ status }) => status === 202)).toBe(true)
    expect(await mails('recipient like $1', '%@flooded.example')).toBe(30)
    const client = { from: '2001:db8:6:7::1' }
    for (let n = 0; n < 24; n++) {
      const fields = { organization: `tide-${n}`, email: `someone-${n}@tided.example` }
      const answer = await scene.post('/api/auth/register', { ...form, ...fields }, client)
      expect(answer.status).toBe(202)
    }
    expect(await mails('recipient like $1', '%@tided.example')).toBe(20)
  })
})

describe('nobody registers', () => {
  test.each([
    ['a name that is taken', { organization: 'taken' }, [409, 'organization_name_taken']],
    ['a name in capitals', { organization: 'Acme' }, [400, 'invalid_request']],
    ['a name of the service', { organization: 'admin' }, [400, 'invalid_request']],
    ['with two lines for a name', { displayName: 'a\nb' }, [400, 'invalid_request']],
    ['with no address', { email: 'peter' }, [400, 'invalid_request']],
    ['with a short password', { password: 'tuba glacier' }, [422, 'password_not_accepted']],
    ['with a common one', { password: 'password1234567' }, [422, 'password_not_accepted']],
    [
      'with their own name for one',
      { password: 'initech-initech' },
      [422, 'password_not_accepted'],
    ],
    ['as an owner of somebody else', { role: 'owner' }, [400, 'invalid_request']],
  ])('%s', async (_name, fields, expected) => {
    expect(outcome(await register({ organization: 'nobodys', ...fields }))).toEqual(expected)
  })

  test.each([
    [
      'where the installation does not allow it',
      { CARDEA_SELF_SERVICE: 'false' },
      'registration_closed',
    ],
    [
      'where the installation takes other domains',
      { CARDEA_SELF_SERVICE_DOMAINS: 'acme.example' },
      'email_domain_not_allowed',
    ],
  ])('%s', async (_name, told, code) => {
    const settings = await peoplesSettings(told)
    const auth = await startAuthForTest(scene.database.authUrl, settings)
    const answer = await fetch(`${auth.url}/api/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' },
      body: JSON.stringify(form),
    })
    expect([answer.status, ((await answer.json()) as Answer['body'])['code']]).toEqual([403, code])
  })
})

test('every one of the 3,000 most common passwords is refused, whatever its length', async () => {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const { objectionsTo } = await import('../../src/domain/password.ts')
  const { commonPasswords } = await import('../../src/auth/password/commonpasswords.ts')
  const isCommon = await commonPasswords()
  const rules = { minLength: 1, complexity: 'None' } as const
  const accepted = dictionary['passwords-common']
    .slice(0, 3000)
    .filter((word) => objectionsTo(word, rules, { isCommon, words: [] }).length === 0)
  // Fewer than four characters: no rule would take them.
  expect(accepted.filter((word) => word.length >= 4)).toEqual([])
})

test('a password waits as a hash, and the token as a digest', async () => {
  const email = 'waits@vandelay.example'
  await register({ organization: 'vandelay', email })
  const token = await scene.mailedToken(email)
  const [row] = await scene.rows<{ text: string; password_hash: string }>(
    'select r::text as text, password_hash from cardea.registrations r where email = $1',
    email,
  )
  expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  const mails = await scene.rows('select m::text from cardea.mails m')
  const tokens = await scene.rows('select t::text from cardea.one_time_tokens t')
  const all = `${row?.text}${JSON.stringify(mails)}${JSON.stringify(tokens)}`
  expect(all).not.toContain(password)
  expect(all).not.toContain(token)
})
