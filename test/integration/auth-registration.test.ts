import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { eventually, peoplesSettings, startAuth } from '../support/authservice.ts'
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
const verify = (token: string, at = 0) =>
  scene.post('/api/auth/verify-email', { token }, { at, from: `10.8.0.${at}` })
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
  expect(await scene.trail(organization?.id ?? '')).toEqual([
    'user.registration_requested',
    'organization.registered',
  ])
  expect(await scene.rows('select from cardea.registrations')).toEqual([])
})

test('of a hundred verifications at once on two replicas exactly one succeeds', async () => {
  const email = 'many@hooli.example'
  await register({ organization: 'hooli', email })
  const token = await scene.mailedToken(email)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      scene.post('/api/auth/verify-email', { token }, { at: n % 2, from: `10.7.${n}.1` }),
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
    const auth = await startAuth(scene.database.authUrl, settings)
    const answer = await fetch(`${auth.url}/api/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' },
      body: JSON.stringify(form),
    })
    expect([answer.status, ((await answer.json()) as Answer['body'])['code']]).toEqual([403, code])
    await auth.stop()
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
