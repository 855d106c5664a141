import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PasswordService, type PasswordServiceOptions } from '../../src/auth/password/passwords.ts'
import type { Person } from '../../src/auth/people.ts'
import { openPool } from '../../src/db/pool.ts'
import { sessionCookie } from '../../src/domain/session.ts'
import { eventually } from '../support/authservice.ts'
import {
  type Answer,
  type Asking,
  type PersonRecord,
  password,
  type SignInScene,
  startSignIn,
} from '../support/signin.ts'

let scene: SignInScene
let acme: string

beforeAll(async () => {
  scene = await startSignIn({
    replicas: 2,
    organizations: {
      acme: {},
      strict: { settings: { password: { minLength: 12, complexity: 'Complex', history: 2 } } },
      federated: { settings: { signIn: { methods: ['SSO'] } } },
    },
  })
  acme = scene.ids['acme'] ?? ''
})
afterAll(() => scene.stop())

const next = 'four amber kettles ashore'
const signIn = (email: string, secret = password, asking?: Asking) =>
  scene.post('/api/auth/login', { organization: 'acme', email, password: secret }, asking)
const ask = (email: string, organization = 'acme') =>
  scene.post('/api/auth/password-reset/request', { organization, email })
const confirm = (token: string, secret = next, asking?: Asking) =>
  scene.post('/api/auth/password-reset/confirm', { token, password: secret }, asking)
const change = (cookies: Answer['cookies'], current: string, secret: string, asking?: Asking) =>
  scene.post('/api/auth/password', { current, password: secret }, { cookies, ...asking })
const outcome = ({ status, body }: Answer) => [status, body['code']]
const resets = (email: string) =>
  scene.mail.mailbox.messages.filter(({ to }) => to.includes(email)).length
const live = async ({ id }: PersonRecord) =>
  scene.rows('select from cardea.sessions where user_id = $1 and revoked_at is null', id)

describe('a password that was forgotten', () => {
  test('is set anew by the token of a mail, and every session ends', async () => {
    const person = await scene.person(acme)
    const { cookies } = await signIn(person.email)
    await signIn(person.email)
    expect(await live(person)).toHaveLength(2)
    const asked = await ask(person.email.toUpperCase())
    expect([asked.status, asked.body]).toEqual([202, { accepted: true }])
    const answer = await confirm(await scene.mailedToken(person.email))
    expect([answer.status, answer.body]).toEqual([
      200,
      { organization: 'acme', email: person.email },
    ])
    expect(await live(person)).toEqual([])
    const cookie = `${sessionCookie}=${cookies[sessionCookie]}`
    await eventually(
      async () => (await fetch(`${scene.replicas[1]?.url}/check`, { headers: { cookie } })).status,
    ).toBe(401)
    expect(outcome(await signIn(person.email))).toEqual([401, 'sign_in_failed'])
    // The browser is known still.
    expect((await signIn(person.email, next, { cookies })).status).toBe(200)
    expect(
      await scene.rows('select from cardea.devices where user_id = $1', person.id),
    ).toHaveLength(2)
    const told = () =>
      scene.rows(
        "select from cardea.mails where template = 'password_changed' and subject_id = $1",
        person.id,
      )
    expect(await told()).toHaveLength(1)
    expect(await scene.trail(person.id)).toEqual([
      'user.signed_in',
      'user.signed_in',
      'user.password_reset_requested',
      'session.all_ended',
      'user.password_reset',
      'user.sign_in_failed',
      'user.signed_in',
    ])
  })

  test('is set once: of a hundred uses at once on two replicas exactly one succeeds', async () => {
    const { email, id } = await scene.person(acme)
    await ask(email)
    const token = await scene.mailedToken(email)
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        confirm(token, `${next} ${n}`, { at: n % 2, from: `10.9.${n}.1` }),
      ),
    )
    const codes = answers.map(({ status, body }) => body['code'] ?? status)
    expect(codes.filter((code) => code === 200)).toHaveLength(1)
    expect(new Set(codes)).toEqual(new Set([200, 'token_invalid']))
    const winner = codes.indexOf(200)
    expect((await signIn(email, `${next} ${winner}`)).status).toBe(200)
    const changed = (await scene.trail(id)).filter((each) => each === 'user.password_reset')
    expect(changed).toHaveLength(1)
  })

  test('is set by the newest token alone', async () => {
    const { email } = await scene.person(acme)
    await ask(email)
    const old = await scene.mailedToken(email)
    await ask(email)
    await eventually(() => resets(email)).toBe(2)
    const newest = await scene.mailedToken(email)
    expect(newest).not.toBe(old)
    expect(outcome(await confirm(old))).toEqual([400, 'token_invalid'])
    expect((await confirm(newest)).status).toBe(200)
  })

  test('keeps its token when the new password is not accepted', async () => {
    const { email } = await scene.person(acme)
    await ask(email)
    const token = await scene.mailedToken(email)
    const answer = await confirm(token, 'password')
    expect(outcome(answer)).toEqual([422, 'password_not_accepted'])
    expect(answer.body['details']).toEqual([
      'Use at least 15 characters.',
      'It is one of the passwords that are guessed first, or such a one with something added.',
    ])
    expect((await confirm(token)).status).toBe(200)
  })

  test('unlocks the account, and verifies the address', async () => {
    const { email } = await scene.person(acme, { verified: false })
    for (let n = 0; n < 6; n++) await signIn(email, next)
    expect(outcome(await signIn(email))).toEqual([429, 'account_locked'])
    await ask(email)
    await confirm(await scene.mailedToken(email))
    expect((await signIn(email, next)).status).toBe(200)
  })

  test('is set for somebody who had none', async () => {
    const { email } = await scene.person(acme, { password: undefined })
    await ask(email)
    await confirm(await scene.mailedToken(email))
    expect((await signIn(email, next)).status).toBe(200)
  })

  test.each([
    ['an hour later', 'expires_at = now()', []],
    ['after another use', 'used_at = now()', []],
  ])('is not set %s', async (_name, set) => {
    const { email, id } = await scene.person(acme)
    await ask(email)
    const token = await scene.mailedToken(email)
    await scene.rows(`update cardea.one_time_tokens set ${set} where subject_id = $1`, id)
    expect(outcome(await confirm(token))).toEqual([400, 'token_invalid'])
  })

  test('is not set by a token of something else, or of nothing', async () => {
    const { email } = await scene.person(acme, { verified: false })
    await signIn(email)
    const verification = await scene.mailedToken(email)
    for (const token of [verification, 'x', `co_${'A'.repeat(65)}`, `cr_${'A'.repeat(65)}`]) {
      expect(outcome(await confirm(token)), token).toEqual([400, 'token_invalid'])
    }
  })
})

test.each([
  ['without an account', undefined, 'acme'],
  ['who is suspended', { suspended: true }, 'acme'],
  ['of an organization without passwords', {}, 'federated'],
  ['of no organization', {}, 'nowhere'],
])(
  'whoever asks for somebody %s is answered the same, and no mail goes out',
  async (_name, fields, organization) => {
    const owner = scene.ids[organization] ?? acme
    const { email } = fields
      ? await scene.person(owner, fields)
      : { email: 'without-account@acme.example' }
    const known = await scene.person(acme)
    const [one, other] = [await ask(known.email), await ask(email, organization)]
    expect([other.status, other.text]).toEqual([one.status, one.text])
    await scene.mail.untilMail(known.email)
    expect(resets(email)).toBe(0)
  },
)

test('nobody is sent more than five mails an hour, and whoever asks is not told', async () => {
  const { email } = await scene.person(acme)
  for (let n = 1; n <= 5; n++) {
    await ask(email)
    await eventually(() => resets(email)).toBe(n)
  }
  expect((await ask(email)).status).toBe(202)
  const other = await scene.person(acme)
  await ask(other.email)
  await scene.mail.untilMail(other.email)
  expect(resets(email)).toBe(5)
})

const waiting = ({ id }: PersonRecord) =>
  scene.rows(
    "select from cardea.mails where subject_id = $1 and template = 'password_reset' and state = 'queued'",
    id,
  )
const askFrom = (n: number, { email }: PersonRecord) =>
  scene.post(
    '/api/auth/password-reset/request',
    { organization: 'acme', email },
    { at: n % 2, from: `10.5.${n}.1` },
  )

test('however many ask at once, on two replicas, five mails an hour go to one person', async () => {
  const person = await scene.person(acme)
  for (let round = 0; round < 7; round++) {
    await Promise.all(Array.from({ length: 30 }, (_, n) => askFrom(n, person)))
    await eventually(async () => (await waiting(person)).length).toBe(0)
  }
  expect(resets(person.email)).toBe(5)
})

test('of a hundred requests at once one mail waits', async () => {
  const person = await scene.person(acme)
  // Nobody takes it out of the queue meanwhile.
  await scene.rows(
    `create function public.hold() returns trigger language plpgsql as
       $$ begin new.next_attempt_at := now() + interval '1 day'; return new; end $$;
     create trigger hold before insert on cardea.mails for each row execute function public.hold()`,
  )
  await Promise.all(Array.from({ length: 100 }, (_, n) => askFrom(n, person)))
  expect(await waiting(person)).toHaveLength(1)
  await scene.rows('drop trigger hold on cardea.mails')
})

describe('a password that its owner changes', () => {
  const arrive = async (fields = {}) => {
    const person = await scene.person(acme, fields)
    return { ...person, cookies: (await signIn(person.email)).cookies }
  }

  test('ends every other session, and gives this one another cookie', async () => {
    const { email, id, cookies } = await arrive()
    const other = await signIn(email)
    const answer = await change(cookies, password, next)
    expect(answer.status).toBe(204)
    const renewed = answer.cookies[sessionCookie]
    expect(renewed).toMatch(/^session_/)
    expect(renewed).not.toBe(cookies[sessionCookie])
    const statusOf = async (text: string | undefined) => {
      const headers = { cookie: `${sessionCookie}=${text}` }
      return (await fetch(`${scene.replicas[1]?.url}/check`, { headers })).status
    }
    await eventually(() => statusOf(other.cookies[sessionCookie])).toBe(401)
    await eventually(() => statusOf(cookies[sessionCookie])).toBe(401)
    expect(await statusOf(renewed)).toBe(200)
    expect(outcome(await signIn(email))).toEqual([401, 'sign_in_failed'])
    expect((await signIn(email, next)).status).toBe(200)
    expect(await scene.trail(id)).toContain('user.password_changed')
    await scene.mail.untilMail(email)
  })

  test('takes the current one', async () => {
    const { cookies } = await arrive()
    expect(outcome(await change(cookies, next, next))).toEqual([403, 'password_wrong'])
    expect(outcome(await change(cookies, 'x'.repeat(1025), next))).toEqual([403, 'password_wrong'])
  })

  test('takes somebody who is signed in', async () => {
    const answer = await change({}, password, next)
    expect(outcome(answer)).toEqual([401, 'credential_missing'])
  })

  test('is locked like signing in, after five wrong ones', async () => {
    const { cookies } = await arrive()
    for (let n = 0; n < 5; n++) {
      expect(outcome(await change(cookies, next, next))).toEqual([403, 'password_wrong'])
    }
    expect(outcome(await change(cookies, password, next))).toEqual([429, 'account_locked'])
  })

  test('is not even looked at while it is locked: what is refused anyway costs no hash', async () => {
    const { id, email } = await scene.person(acme)
    const pool = openPool({
      connectionString: scene.database.authUrl,
      applicationName: 'test',
      log: { info: () => {}, warn: () => {} },
    })
    let hashes = 0
    const passwords = new PasswordService({
      pool,
      hasher: {
        verify: async () => {
          hashes++
          return { matches: false, outdated: false }
        },
      },
    } as unknown as PasswordServiceOptions)
    const person = { organizationId: acme, userId: id, email } as Person
    const client = { address: '192.0.2.1', userAgent: '', device: undefined, requestId: 'test' }
    const answers = []
    for (let n = 0; n < 8; n++) {
      answers.push(await passwords.change(person, 'x', next, client))
    }
    await pool.end()
    const locked = { refused: 'account_locked', retryAfter: expect.any(Number) }
    expect(answers.slice(4)).toEqual([{ refused: 'password_wrong' }, locked, locked, locked])
    expect(hashes).toBe(5)
  })

  test('makes the mails of a reset useless', async () => {
    const { email, cookies } = await arrive()
    await ask(email)
    const token = await scene.mailedToken(email)
    await change(cookies, password, next)
    expect(outcome(await confirm(token, password))).toEqual([400, 'token_invalid'])
  })

  test('follows the rules of the organization, and is none of the last two', async () => {
    const [one, two, three] = ['Tuba7-glacier', 'Oboe4-volcano', 'Viola9-desert']
    const { email } = await scene.person(scene.ids['strict'] ?? '', { password: one })
    const strict = (secret: string) =>
      scene.post('/api/auth/login', { organization: 'strict', email, password: secret })
    let { cookies } = await strict(one)
    const to = async (current: string, secret: string) => {
      const answer = await change(cookies, current, secret)
      cookies = { ...cookies, ...answer.cookies }
      return answer.body['details'] ?? answer.status
    }
    expect(await to(one, 'tuba7-glacier')).toHaveLength(1)
    expect(await to(one, one)).toEqual(['It is one of your former passwords.'])
    expect(await to(one, two)).toBe(204)
    expect(await to(two, one)).toEqual(['It is one of your former passwords.'])
    expect(await to(two, three)).toBe(204)
    expect(await to(three, one)).toBe(204)
    const kept = await scene.rows(
      'select from cardea.passwords p join cardea.users u on u.id = p.user_id where u.email = $1',
      email,
    )
    expect(kept).toHaveLength(2)
  })
})

test('no password, token or hash is in a log or in the audit trail', async () => {
  const logs = JSON.stringify(scene.replicas.flatMap(({ lines }) => lines))
  const events = await scene.rows('select e::text as text from cardea.audit_events e')
  for (const text of [logs, JSON.stringify(events)]) {
    expect(text).not.toMatch(/lanterns|kettles|glacier|argon2id|co_[A-Za-z0-9_-]{20}/)
  }
})
