import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/authservice.ts'
import { type Asking, password, type SignInScene, startSignIn } from '../support/signin.ts'

let scene: SignInScene
let acme: string
let url: string

beforeAll(async () => {
  scene = await startSignIn({ organizations: { acme: { domains: ['acme.example'] } } })
  acme = scene.ids['acme'] ?? ''
  url = scene.replicas[0]?.url ?? ''
})
afterAll(() => scene.stop())

const signIn = (body: object, asking?: Asking) =>
  scene.post('/api/auth/login', { organization: 'acme', password, ...body }, asking)

/** As curl sends it: nothing but what is said. */
async function send(path: string, headers: Record<string, string>, body = '{}') {
  const from = { 'x-forwarded-for': '198.51.100.77' }
  const init = { method: 'POST', headers: { ...from, ...headers }, body: Buffer.from(body) }
  const answer = await fetch(`${url}${path}`, init)
  const text = await answer.text()
  return { status: answer.status, json: text === '' ? {} : JSON.parse(text) }
}

const json = { 'content-type': 'application/json' }

describe('what a request lacks is said', () => {
  test.each([
    ['broken JSON', '{"email":', ['The body is not JSON in UTF-8.']],
    ['no field', '{}', ['"email" is missing.', '"password" is missing.']],
    ['a field twice', '{"a":1,"a":2}', ['A name is there twice in an object.']],
  ])('%s', async (_name, body, details) => {
    const { status, json: problem } = await send('/api/auth/login', json, body)
    expect([status, problem.code, problem.details]).toEqual([400, 'invalid_request', details])
  })

  test.each([['application/x-www-form-urlencoded'], ['text/plain'], ['text/json'], ['']])(
    'a content type that was forgotten, as in %j',
    async (type) => {
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
      const { status, json: problem } = await send('/api/auth/login', headers)
      expect([status, problem.code]).toEqual([415, 'unsupported_media_type'])
      expect(problem.details[0]).toContain('"Content-Type: application/json"')
    },
  )

  test('where it comes from, where a cookie comes along: with that it is carried out', async () => {
    const { email } = await scene.person(acme)
    const { cookies } = await signIn({ email })
    const cookie = Object.entries(cookies)
      .map((pair) => pair.join('='))
      .join('; ')
    const refused = await send('/api/auth/logout', { ...json, cookie })
    expect([refused.status, refused.json.code]).toEqual([403, 'csrf_refused'])
    const [remedy, other] = refused.json.details
    const [, origin = ''] = /"Origin: (?<origin>[^"]+)"/.exec(remedy) ?? []
    expect(other).toContain('"session": "token"')
    expect((await send('/api/auth/logout', { ...json, cookie, origin })).status).toBe(204)
  })
})

describe('whoever is refused is found in the log by the id of the answer, and nothing that was sent is', () => {
  const lines = () => scene.replicas.flatMap((replica) => replica.lines)

  test.each<[string, Record<string, string>, object, string]>([
    ['invalid_request', json, { email: 'hunter2', hunter2: 'hunter2' }, 'invalid_request'],
    ['sign_in_failed', json, { email: 'eve@acme.example', password: 'hunter2' }, 'sign_in_failed'],
    ['csrf_refused', { ...json, origin: 'https://hunter2.example' }, {}, 'csrf_refused'],
    ['unsupported_media_type', { 'content-type': 'text/hunter2' }, {}, 'unsupported_media_type'],
  ])('%s', async (_name, headers, body, code) => {
    const { json: problem } = await send('/api/auth/login?q=hunter2', headers, JSON.stringify(body))
    expect(problem.code).toBe(code)
    const line = () => lines().find(({ requestId }) => requestId === problem.requestId)
    await eventually(line).toMatchObject({
      level: 'info',
      code,
      address: '198.51.100.77',
      route: 'POST /api/auth/login',
    })
    expect(JSON.stringify(lines())).not.toContain('hunter2')
  })

  test('on a page, too', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }
    const before = lines().length
    const answer = await fetch(`${url}/login`, { method: 'POST', headers: form, body: 'a=hunter2' })
    expect(answer.status).toBe(403)
    const said = () =>
      lines()
        .slice(before)
        .map(({ code }) => code)
    await eventually(said).toContain('csrf_refused')
  })
})

test.each(['Acme', ' ACME '])('%j is the organization acme', async (organization) => {
  const { email } = await scene.person(acme)
  expect((await signIn({ email, organization })).status).toBe(200)
})

test('whoever is locked out is told what lifts the lock', async () => {
  const { email } = await scene.person(acme)
  for (let n = 0; n < 5; n++) await signIn({ email, password: 'nine purple lanterns adrift' })
  const { status, body } = await signIn({ email })
  expect([status, body['code']]).toEqual([429, 'account_locked'])
  expect(String(body['details'])).toContain('password reset')
})

test('the link of a reset shows its form while it is good, and not after it was used', async () => {
  const { email } = await scene.person(acme)
  await scene.post('/api/auth/password-reset/request', { organization: 'acme', email })
  const token = await scene.mailedToken(email)
  const look = async () => (await fetch(`${url}/reset?token=${token}`)).status
  expect([await look(), await look()]).toEqual([200, 200])
  const next = { token, password: 'nine purple lanterns adrift' }
  expect((await scene.post('/api/auth/password-reset/confirm', next)).status).toBe(200)
  expect(await look()).toBe(410)
})

describe('a sign-in that is unfamiliar is told of by mail', () => {
  const flags = async ({ body }: { body: Record<string, unknown> }) =>
    (await scene.trail(String(body['sessionId']))).filter((each) => each === 'session.unfamiliar')
  const mails = async (id: string) =>
    (
      await scene.rows(
        `select from cardea.mails where template = 'unfamiliar_sign_in' and subject_id = $1`,
        id,
      )
    ).length
  const curl = (address: string, agent = 'curl/8.0') => ({
    from: address,
    headers: { 'user-agent': agent },
  })

  test('but not of each one by a program that keeps no cookies', async () => {
    const { email, id } = await scene.person(acme)
    for (let n = 0; n < 3; n++) {
      expect(await flags(await signIn({ email }, curl('192.0.2.10')))).toEqual([])
    }
    expect(await flags(await signIn({ email }, curl('192.0.2.10', 'wget/1.0')))).toHaveLength(1)
    expect(await flags(await signIn({ email }, curl('203.0.113.10')))).toHaveLength(1)
    expect(await mails(id)).toBe(1)
  })

  test('of each new browser, once an hour', async () => {
    const { email, id } = await scene.person(acme)
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    for (let n = 0; n < 3; n++) {
      const flagged = await flags(await signIn({ email }, curl('192.0.2.10', firefox)))
      expect(flagged).toHaveLength(n === 0 ? 0 : 1)
    }
    expect(await mails(id)).toBe(1)
    await scene.rows(
      `update cardea.mails set id = uuidv7(interval '-61 minutes') where subject_id = $1`,
      id,
    )
    await signIn({ email }, curl('192.0.2.10', firefox))
    expect(await mails(id)).toBe(2)
  })
})
