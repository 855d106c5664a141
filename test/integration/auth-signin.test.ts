import { hashSync, parseOptions } from '@node-rs/argon2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceCookie, sessionCookie } from '../../src/domain/session.ts'
import { type Asking, password, type SignInScene, startSignIn } from '../support/signin.ts'

let scene: SignInScene
let acme: string

beforeAll(async () => {
  scene = await startSignIn({
    replicas: 2,
    organizations: {
      acme: { domains: ['acme.example', 'shared.example'] },
      globex: { domains: ['globex.example', 'shared.example'] },
      strict: { settings: { signIn: { methods: ['SSO'] } } },
      lenient: { settings: { lockout: { attempts: 7, duration: '5m' } } },
    },
  })
  acme = scene.ids['acme'] ?? ''
})
afterAll(() => scene.stop())

const signIn = (body: object, asking?: Asking) =>
  scene.post('/api/auth/login', { organization: 'acme', password, ...body }, asking)
/** The status and the code; undefined where there is none. */
const outcome = async (body: object, asking?: Asking) => {
  const { status, body: answer } = await signIn(body, asking)
  return [status, answer['code']]
}
const failed = [401, 'sign_in_failed']
const locked = [429, 'account_locked']
const wrong = 'nine purple lanterns adrift'

test('whoever has the password gets a session, by which they are known', async () => {
  const { email, id } = await scene.person(acme)
  const answer = await signIn({ email: ` ${email.toUpperCase()} ` })
  expect(answer.status).toBe(200)
  expect(answer.headers.getSetCookie().join()).toMatch(
    /__Host-cardea_session=session_[^;]+; [^_]*Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax/,
  )
  const cookie = `${sessionCookie}=${answer.cookies[sessionCookie]}`
  const check = await fetch(`${scene.replicas[0]?.url}/check`, { headers: { cookie } })
  expect(check.status).toBe(200)
  expect(check.headers.get('x-cardea-subject')).toBe(email)
  expect(await scene.trail(id)).toEqual(['user.signed_in'])
  const [user] = await scene.rows<{ last: Date }>(
    'select last_signed_in_at as last from cardea.users where id = $1',
    id,
  )
  expect(user?.last).toBeInstanceOf(Date)
})

test('each sign-in is a new session: a session that is presented is never taken on', async () => {
  const { email } = await scene.person(acme)
  const first = await signIn({ email })
  const second = await signIn({ email }, { cookies: first.cookies })
  expect(second.cookies[sessionCookie]).not.toBe(first.cookies[sessionCookie])
  expect(second.cookies[deviceCookie]).toBe(first.cookies[deviceCookie])
})

describe('which organization is meant', () => {
  test('by its name', async () => {
    const { email } = await scene.person(acme)
    expect(await outcome({ email })).toEqual([200, undefined])
    expect(await outcome({ email, organization: 'globex' })).toEqual(failed)
  })
  test('by the domain of the address', async () => {
    const { email } = await scene.person(acme, { email: 'domain@acme.example' })
    expect(await outcome({ email, organization: undefined })).toEqual([200, undefined])
  })
  test('by none of these where several have the domain', async () => {
    const { email } = await scene.person(acme, { email: 'both@shared.example' })
    expect(await outcome({ email, organization: undefined })).toEqual(failed)
    expect(await outcome({ email })).toEqual([200, undefined])
  })
  test('the same address in two organizations is two accounts', async () => {
    const email = 'twice@shared.example'
    await scene.person(acme, { email })
    await scene.person(scene.ids['globex'] ?? '', { email, password: wrong })
    expect(await outcome({ email, organization: 'globex' })).toEqual(failed)
    expect(await outcome({ email, organization: 'globex', password: wrong })).toEqual([
      200,
      undefined,
    ])
  })
})

describe('nobody is let in', () => {
  test.each([
    ['with a wrong password', {}, { password: wrong }, failed],
    ['without an account', undefined, { email: 'nobody@acme.example' }, failed],
    ['without a password of theirs', { password: undefined }, {}, failed],
    ['while suspended', { suspended: true }, {}, failed],
    ['in an organization that does not exist', {}, { organization: 'nowhere' }, failed],
    ['with a password of more than 1024 bytes', {}, { password: 'x'.repeat(1025) }, failed],
    ['with an unverified address', { verified: false }, {}, [403, 'email_not_verified']],
    [
      'with a wrong password and an unverified address',
      { verified: false },
      { password: wrong },
      failed,
    ],
    [
      'where passwords are not allowed',
      {},
      { organization: 'strict' },
      [403, 'sign_in_method_not_allowed'],
    ],
    ['with what is no address', {}, { email: 'nobody' }, [400, 'invalid_request']],
    ['with more than a sign-in has', {}, { user_id: 'x' }, [400, 'invalid_request']],
    ['with an array for a password', {}, { password: [password] }, [400, 'invalid_request']],
    ['without a key to sign tokens with', {}, { session: 'token' }, [503, 'signing_unavailable']],
  ] as const)('%s', async (_name, fields, body, expected) => {
    const { email } = fields ? await scene.person(acme, fields) : { email: '' }
    expect(await outcome({ email, ...body })).toEqual(expected)
  })
})

test('whoever knows the password and did not verify the address gets another mail', async () => {
  const { email } = await scene.person(acme, { verified: false })
  await signIn({ email })
  const token = await scene.mailedToken(email)
  await signIn({ email })
  // The mail alone is not enough: whoever made the account must be who reads it.
  const misread = await scene.post('/api/auth/verify-email', { token, password: wrong })
  expect(misread.body['code']).toBe('password_wrong')
  const verified = await scene.post('/api/auth/verify-email', { token, password })
  expect(verified.body).toEqual({ organization: 'acme', email })
  expect(await outcome({ email })).toEqual([200, undefined])
  expect(scene.mail.mailbox.messages.filter(({ to }) => to.includes(email))).toHaveLength(1)
})

test('every failure is in the audit trail with its reason and its address, and no password is', async () => {
  const { email, id } = await scene.person(acme)
  await signIn({ email, password: wrong }, { from: '198.51.100.7' })
  const [event] = await scene.rows<{ detail: object; actor_kind: string }>(
    `select detail, actor_kind from cardea.audit_events where target_id = $1`,
    id,
  )
  expect(event).toEqual({
    actor_kind: 'system',
    detail: { reason: 'wrong_password', address: '198.51.100.7' },
  })
  const all = await scene.rows<{ text: string }>(
    'select e::text as text from cardea.audit_events e',
  )
  expect(all.map(({ text }) => text).join()).not.toContain('lanterns')
  const logged = scene.replicas.flatMap(({ lines }) => lines)
  expect(JSON.stringify(logged)).not.toContain('lanterns')
})

test('a hash that was made with less is made anew at the next sign-in', async () => {
  const { email, id } = await scene.person(acme, { password: undefined })
  const weak = hashSync(password, { memoryCost: 8192, timeCost: 1 })
  await scene.rows(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    acme,
    id,
    weak,
  )
  expect(await outcome({ email })).toEqual([200, undefined])
  const [row] = await scene.rows<{ hash: string }>(
    'select hash from cardea.passwords where user_id = $1',
    id,
  )
  expect(parseOptions(row?.hash ?? '')).toMatchObject({ memoryCost: 19_456, timeCost: 2 })
  expect(await outcome({ email })).toEqual([200, undefined])
})

describe('after five failures', () => {
  test.each([
    ['an account', true],
    ['an address without an account', false],
  ])('%s is locked for fifteen minutes, the right password or not', async (_name, exists) => {
    const email = exists ? (await scene.person(acme)).email : 'locked@acme.example'
    const answers = []
    for (let n = 0; n < 6; n++) answers.push(await outcome({ email, password: wrong }))
    expect(answers).toEqual([failed, failed, failed, failed, failed, locked])
    const answer = await signIn({ email })
    expect([answer.status, answer.body['code']]).toEqual(locked)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(880)
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(900)
    // Another spelling is no other account.
    expect(await outcome({ email: email.toUpperCase() })).toEqual(locked)
  })

  test('the owner is told once, and it is in the trail once', async () => {
    const { email, id } = await scene.person(acme)
    for (let n = 0; n < 9; n++) await signIn({ email, password: wrong }, { at: n % 2 })
    await scene.mail.untilMail(email)
    expect((await scene.trail(id)).filter((each) => each === 'user.locked_out')).toHaveLength(1)
    expect(scene.mail.mailbox.messages.filter(({ to }) => to.includes(email))).toHaveLength(1)
  })

  test('the owner gets in where they are known, and others stay locked out', async () => {
    const { email } = await scene.person(acme)
    const { cookies } = await signIn({ email })
    const device = { cookies: { [deviceCookie]: cookies[deviceCookie] ?? '' } }
    for (let n = 0; n < 7; n++) await signIn({ email, password: wrong })
    expect(await outcome({ email })).toEqual(locked)
    expect(await outcome({ email }, device)).toEqual([200, undefined])
    expect(await outcome({ email })).toEqual(locked)
    // What is known has five failures as well, and no more.
    for (let n = 0; n < 5; n++) {
      expect(await outcome({ email, password: wrong }, device)).toEqual(failed)
    }
    expect(await outcome({ email }, device)).toEqual(locked)
  })

  test("another person's device is no known one", async () => {
    const [mine, other] = [await scene.person(acme), await scene.person(acme)]
    const { cookies } = await signIn({ email: other.email })
    const device = { cookies: { [deviceCookie]: cookies[deviceCookie] ?? '' } }
    for (let n = 0; n < 5; n++) await signIn({ email: mine.email, password: wrong })
    expect(await outcome({ email: mine.email }, device)).toEqual(locked)
  })

  test('a success forgets the failures before it', async () => {
    const { email } = await scene.person(acme)
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) {
        expect(await outcome({ email, password: wrong })).toEqual(failed)
      }
      expect(await outcome({ email })).toEqual([200, undefined])
    }
  })

  test('the organization says how many, and for how long', async () => {
    const { email } = await scene.person(scene.ids['lenient'] ?? '')
    const organization = 'lenient'
    for (let n = 0; n < 7; n++) {
      expect(await outcome({ email, organization, password: wrong })).toEqual(failed)
    }
    const answer = await signIn({ email, organization })
    expect([answer.status, answer.body['code']]).toEqual(locked)
    const rest = Number(answer.headers.get('retry-after'))
    expect(rest).toBeGreaterThan(240)
    expect(rest).toBeLessThanOrEqual(300)
    await scene.rows(
      `update cardea.sign_in_failures set locked_until = now() where organization_id = $1`,
      scene.ids[organization],
    )
    expect(await outcome({ email, organization })).toEqual([200, undefined])
  })
})

test('of fifty guesses at once on two replicas five are judged, and the right one among the others gets nobody in', async () => {
  const { email, id } = await scene.person(acme)
  const guesses = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      outcome({ email, password: wrong }, { at: n % 2, from: `10.4.${n}.1` }),
    ),
  )
  expect(guesses.filter(([, code]) => code === 'sign_in_failed')).toHaveLength(5)
  expect(guesses.filter(([, code]) => code === 'account_locked')).toHaveLength(45)
  expect(await outcome({ email })).toEqual(locked)
  const failures = (await scene.trail(id)).filter((each) => each === 'user.sign_in_failed')
  expect(failures).toHaveLength(5)
})

test('an address from which many accounts are tried is locked, its whole network of IPv6, and no other', async () => {
  const { email } = await scene.person(acme)
  const from = (n: number) => ({ from: `2001:db8:77:1::${n.toString(16)}` })
  const tries = []
  for (let n = 0; n < 51; n++) {
    tries.push(await outcome({ email: `target-${n}@acme.example`, password: wrong }, from(n + 1)))
  }
  expect(new Set(tries.slice(0, 50).map(String))).toEqual(new Set([String(failed)]))
  expect(tries[50]).toEqual(locked)
  expect(await outcome({ email }, from(999))).toEqual(locked)
  expect(await outcome({ email }, { from: '2001:db8:77:2::1' })).toEqual([200, undefined])
})

describe('a sign-in from somewhere new', () => {
  const trailOf = async (id: unknown) => scene.trail(String(id))

  test('is flagged and told of, and not refused', async () => {
    const { email } = await scene.person(acme)
    const first = await signIn({ email })
    expect(await trailOf(first.body['sessionId'])).toEqual(['session.started'])
    const elsewhere = await signIn(
      { email },
      { from: '203.0.113.9', headers: { 'user-agent': 'curl/8.0' } },
    )
    expect(elsewhere.status).toBe(200)
    expect(await trailOf(elsewhere.body['sessionId'])).toEqual([
      'session.started',
      'session.unfamiliar',
    ])
    await scene.mail.untilMail(email)
  })

  test('is none in a browser that is known, on a network that is', async () => {
    const { email } = await scene.person(acme)
    const { cookies } = await signIn({ email })
    const again = await signIn({ email }, { cookies })
    expect(await trailOf(again.body['sessionId'])).toEqual(['session.started'])
  })
})

test('a password that is changed while it is judged starts no session', async () => {
  const { email, id } = await scene.person(acme)
  const client = scene.records.client
  // Whoever signs in waits for the row, like behind a reset that is not committed yet.
  await client.query('begin')
  await client.query('select from cardea.users where id = $1 for update', [id])
  const signing = signIn({ email })
  await new Promise((resolve) => {
    setTimeout(resolve, 500)
  })
  await client.query('update cardea.passwords set replaced_at = now() where user_id = $1', [id])
  await client.query('commit')
  const answer = await signing
  expect([answer.status, answer.body['code']]).toEqual(failed)
  expect(await scene.rows('select from cardea.sessions where user_id = $1', id)).toEqual([])
})

test('what stands for an organization that does not exist has counters, and nothing else', async () => {
  for (let n = 0; n < 6; n++) await signIn({ email: 'x@y.example', organization: 'nowhere' })
  expect(await outcome({ email: 'x@y.example', organization: 'nowhere' })).toEqual(locked)
  const nil = '00000000-0000-0000-0000-000000000000'
  for (const table of ['audit_events', 'mails', 'users', 'one_time_tokens']) {
    const of = `select from cardea.${table} where organization_id = $1`
    expect(await scene.rows(of, nil), table).toEqual([])
  }
})
