import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceCookie, sessionCookie } from '../../src/domain/session.ts'
import { eventually } from '../support/authservice.ts'
import {
  type Answer,
  type Asking,
  password,
  type SignInScene,
  startSignIn,
} from '../support/signin.ts'

let scene: SignInScene
let acme: string

beforeAll(async () => {
  const settings = { signIn: { methods: ['EmailCode', 'Password'] } }
  scene = await startSignIn({
    replicas: 2,
    organizations: {
      acme: { settings },
      other: { settings },
      strict: { settings: { ...settings, lockout: { attempts: 1, duration: '15m' } } },
      plain: {},
    },
  })
  acme = scene.ids['acme'] ?? ''
})
afterAll(() => scene.stop())

const ask = (email: string, organization = 'acme', asking?: Asking) =>
  scene.post('/api/auth/otp/request', { organization, email }, asking)
const give = (challenge: unknown, code: string, asking?: Asking) =>
  scene.post('/api/auth/otp/verify', { challenge, code }, asking)
const outcome = ({ status, body }: Answer) => [status, body['code']]
const failed = [401, 'sign_in_failed']

/** Asks for a code, and reads it in the mail. */
async function codeFor(email: string, organization = 'acme', asking?: Asking) {
  const waiting = async () => (await mailsTo(email)).filter(({ state }) => state === 'queued')
  await eventually(waiting).toEqual([])
  const { body } = await ask(email, organization, asking)
  await eventually(waiting).toEqual([])
  const mail = await scene.mail.untilMail(email, /code/)
  const code = /\b([0-9]{6})\b/.exec(mail.text)?.[1] ?? ''
  expect(code).toMatch(/^[0-9]{6}$/)
  return { challenge: body['challenge'], code }
}

/** What is stored of the codes that were made for an address. */
const madeFor = (email: string) =>
  scene.rows(
    `select code.digest from cardea.one_time_tokens code
     join cardea.one_time_tokens challenge on challenge.id = code.subject_id where challenge.email = $1`,
    email,
  )
const mailsTo = (email: string) =>
  scene.rows<{ state: string }>('select state from cardea.mails where recipient = $1', email)

/** A browser from which somebody signed in before. */
async function knownDevice(email: string, organization = 'acme'): Promise<Asking> {
  const body = { organization, email, password }
  const { cookies } = await scene.post('/api/auth/login', body)
  return { cookies: { [deviceCookie]: cookies[deviceCookie] ?? '' } }
}

/** Lets an hour go by for whoever counts. */
async function anHourLater(organizationId = acme) {
  for (const change of [
    `cardea.one_time_tokens set created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour'`,
    `cardea.sign_in_failures set failed_at = failed_at - interval '1 hour', locked_until = locked_until - interval '1 hour'`,
  ]) {
    await scene.rows(`update ${change} where organization_id = $1`, organizationId)
  }
}

const other = (code: string) => (code === '111111' ? '222222' : '111111')

test('whoever has the code and the challenge gets a session', async () => {
  const { email, id } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  const answer = await give(challenge, ` ${code.slice(0, 3)} ${code.slice(3)} `)
  expect(answer.status).toBe(200)
  const cookie = `${sessionCookie}=${answer.cookies[sessionCookie]}`
  const check = await fetch(`${scene.replicas[0]?.url}/check`, { headers: { cookie } })
  expect(check.headers.get('x-cardea-subject')).toBe(email)
  expect(await scene.rows('select methods from cardea.sessions where user_id = $1', id)).toEqual([
    { methods: ['otp'] },
  ])
  expect(await scene.trail(id)).toEqual(['user.code_requested', 'user.signed_in'])
})

test('of a hundred uses at once on two replicas exactly one succeeds', async () => {
  const { email, id } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      give(challenge, code, { at: n % 2, from: `10.6.${n}.1` }),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(await scene.rows('select from cardea.sessions where user_id = $1', id)).toHaveLength(1)
})

test('a code is of use once, with spaces or without', async () => {
  const { email } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  expect((await give(challenge, code)).status).toBe(200)
  for (const again of [code, ` ${code}`, `${code} `]) {
    expect(outcome(await give(challenge, again))).toEqual(failed)
  }
})

test('three tries are all that there are, however many at once', async () => {
  const { email, id } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      give(challenge, other(code), { at: n % 2, from: `10.5.${n}.1` }),
    ),
  )
  expect(outcome(await give(challenge, code))).toEqual(failed)
  const failures = (await scene.trail(id)).filter((each) => each === 'user.sign_in_failed')
  expect(failures).toHaveLength(3)
})

test('the third try may be the right one', async () => {
  const { email } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  for (let n = 0; n < 2; n++) expect(outcome(await give(challenge, other(code)))).toEqual(failed)
  expect((await give(challenge, code)).status).toBe(200)
})

describe('a code gets nobody in', () => {
  test('with the challenge of another browser', async () => {
    const { email } = await scene.person(acme)
    const mine = await codeFor(email)
    const theirs = await codeFor(email)
    expect(outcome(await give(theirs.challenge, mine.code))).toEqual(failed)
    // Whoever asks for a code for somebody takes none from them.
    expect((await give(mine.challenge, mine.code)).status).toBe(200)
  })
  test('ten minutes later', async () => {
    const { email, id } = await scene.person(acme)
    const { challenge, code } = await codeFor(email)
    const [row] = await scene.rows<{ seconds: number }>(
      'select extract(epoch from expires_at - created_at)::integer as seconds from cardea.one_time_tokens where subject_id = $1',
      id,
    )
    expect(row?.seconds).toBe(600)
    await scene.rows(
      'update cardea.one_time_tokens set expires_at = now() where subject_id = $1',
      id,
    )
    expect(outcome(await give(challenge, code))).toEqual(failed)
  })
  test('while suspended', async () => {
    const { email, id } = await scene.person(acme)
    const { challenge, code } = await codeFor(email)
    await scene.rows('update cardea.users set suspended_at = now() where id = $1', id)
    expect(outcome(await give(challenge, code))).toEqual(failed)
  })
  test('once the organization allows codes no more', async () => {
    const id = scene.ids['other'] ?? ''
    const { email } = await scene.person(id)
    const { body } = await ask(email, 'other')
    await scene.rows(`update cardea.organizations set settings = '{}' where id = $1`, id)
    expect(outcome(await give(body['challenge'], '123456'))).toEqual(failed)
  })
  test.each(['x', `co_${'A'.repeat(65)}`, `cr_${'A'.repeat(65)}`])(
    'with the challenge %s',
    async (challenge) => {
      expect(outcome(await give(challenge, '123456'))).toEqual(failed)
    },
  )
})

test.each([
  ['without an account', undefined],
  ['who is suspended', { suspended: true }],
])(
  'whoever asks for somebody %s gets a challenge that looks the same, and no mail goes out',
  async (_name, fields) => {
    const known = await scene.person(acme)
    const { email } = fields ? await scene.person(acme, fields) : { email: 'no-code@acme.example' }
    const [one, two] = [await ask(known.email), await ask(email)]
    expect(two.status).toBe(one.status)
    expect(Object.keys(two.body)).toEqual(Object.keys(one.body))
    expect(String(two.body['challenge'])).toHaveLength(String(one.body['challenge']).length)
    await scene.mail.untilMail(known.email)
    // As much is computed and written for them: passwords are judged where codes are made, and wait as long.
    for (const each of [known.email, email]) {
      await eventually(async () => (await madeFor(each)).length).toBe(1)
    }
    await eventually(async () => (await mailsTo(email)).map(({ state }) => state)).toEqual([
      'superseded',
    ])
    expect(scene.mail.mailbox.messages.some(({ to }) => to.includes(email))).toBe(false)
    expect(outcome(await give(two.body['challenge'], '123456'))).toEqual(failed)
  },
)

test.each([
  ['an account', true],
  ['an address without one', false],
])(
  'three codes an hour are sent for %s, however many are asked for at once',
  async (_name, exists) => {
    const { email } = exists ? await scene.person(acme) : { email: 'often@acme.example' }
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(email)))
    const codes = answers.map(outcome).map(String)
    expect(codes.filter((code) => code.startsWith('202'))).toHaveLength(3)
    expect(codes.filter((code) => code === '429,too_many_requests')).toHaveLength(7)
  },
)

test('what others ask for takes no code from whoever has a browser that is known, and that one has three an hour too', async () => {
  const { email } = await scene.person(acme)
  const mine = await knownDevice(email)
  const stranger = { from: '198.51.100.7' }
  for (let n = 0; n < 3; n++) expect((await ask(email, 'acme', stranger)).status).toBe(202)
  expect((await ask(email, 'acme', stranger)).status).toBe(429)
  const { challenge, code } = await codeFor(email, 'acme', mine)
  expect((await give(challenge, code, mine)).status).toBe(200)
  for (const status of [202, 202, 429]) {
    expect((await ask(email, 'acme', mine)).status).toBe(status)
  }
  // A cookie that is not theirs is no such browser.
  const { email: another } = await scene.person(acme)
  for (let n = 0; n < 3; n++) await ask(another, 'acme', stranger)
  expect((await ask(another, 'acme', mine)).status).toBe(429)
})

describe('wrong codes are counted as wrong passwords are', () => {
  const locked = [429, 'account_locked']

  test('by the address they come from, over all accounts, and addresses without one', async () => {
    const from = '203.0.113.9'
    const strict = scene.ids['strict'] ?? ''
    for (let n = 0; n < 10; n++) {
      const { email } =
        n % 2 === 0 ? await scene.person(strict) : { email: `guessed-${n}@acme.example` }
      const { body } = await ask(email, 'strict')
      expect(outcome(await give(body['challenge'], '000000', { from }))).toEqual(failed)
    }
    const { email } = await scene.person(strict)
    const { challenge, code } = await codeFor(email, 'strict')
    expect(outcome(await give(challenge, code, { from }))).toEqual(locked)
    expect((await give(challenge, code)).status).toBe(200)
  })

  test('by the account, whose known browser is touched by none of it', async () => {
    const { email, id } = await scene.person(acme)
    const mine = await knownDevice(email)
    for (let n = 0; n < 2; n++) {
      const { body } = await ask(email, 'acme', { from: '198.51.100.7' })
      for (let tries = 0; tries < 3 - n; tries++) {
        expect(outcome(await give(body['challenge'], '000000'))).toEqual(failed)
      }
    }
    const login = { organization: 'acme', email, password }
    expect(outcome(await scene.post('/api/auth/login', login))).toEqual(locked)
    const { challenge, code } = await codeFor(email, 'acme', mine)
    expect(outcome(await give(challenge, code))).toEqual(locked)
    expect((await give(challenge, code, mine)).status).toBe(200)
    expect(await scene.trail(id)).toContain('user.locked_out')
  })

  test.each([
    ['an account', true],
    ['an address without one', false],
  ])(
    'a lock by wrong passwords holds for codes, and what it stops counts for nothing: %s',
    async (_name, exists) => {
      const { email } = exists ? await scene.person(acme) : { email: 'locked@acme.example' }
      const { body } = await ask(email)
      const wrong = { organization: 'acme', email, password: 'nine purple lanterns adrift' }
      for (let n = 0; n < 5; n++) await scene.post('/api/auth/login', wrong)
      for (let n = 0; n < 35; n++) {
        const answer = await give(body['challenge'], '000000', { from: `10.7.${n}.1` })
        expect(outcome(answer)).toEqual(locked)
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(800)
      }
      const subject = `sha256(convert_to('${email}', 'UTF8'))`
      const counters = await scene.rows(
        `select kind, failures from cardea.sign_in_failures where subject = ${subject} order by kind`,
      )
      expect(counters).toEqual([
        { kind: 'account', failures: 5 },
        { kind: 'code', failures: 0 },
      ])
      await anHourLater()
      expect(outcome(await scene.post('/api/auth/login', wrong))).toEqual(failed)
    },
  )

  test.each([
    ['an account', true],
    ['an address without one', false],
  ])(
    'for longer than the lock-out: thirty of them, a few an hour, and %s takes no code for a day',
    async (_name, exists) => {
      const { email } = exists ? await scene.person(acme) : { email: 'patience@acme.example' }
      for (let hour = 0; hour < 10; hour++) {
        const { body } = await ask(email)
        for (let tries = 0; tries < 3; tries++) {
          expect(outcome(await give(body['challenge'], '000000'))).toEqual(failed)
        }
        await anHourLater()
      }
      const { body } = await ask(email)
      const stopped = await give(body['challenge'], '000000')
      expect(outcome(stopped)).toEqual(locked)
      expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(80_000)
      if (!exists) return
      const { challenge, code } = await codeFor(email)
      expect(outcome(await give(challenge, code))).toEqual(locked)
      // Whoever gets in by another way has shown up.
      const login = { organization: 'acme', email, password }
      expect((await scene.post('/api/auth/login', login)).status).toBe(200)
      expect((await give(challenge, code)).status).toBe(200)
    },
  )
})

test('where codes are not allowed none is sent, and an organization that does not exist says the same', async () => {
  const { email } = await scene.person(scene.ids['plain'] ?? '')
  const [one, two] = [await ask(email, 'plain'), await ask(email, 'nowhere')]
  expect(outcome(one)).toEqual([403, 'sign_in_method_not_allowed'])
  expect(outcome(two)).toEqual(outcome(one))
})

test('nothing that is stored gives the code away in a moment', async () => {
  const { email } = await scene.person(acme)
  const { challenge, code } = await codeFor(email)
  const rows = await scene.rows<{ digest: Buffer; id: string; subject_id: string }>(
    'select * from cardea.one_time_tokens',
  )
  const mails = JSON.stringify(await scene.rows('select * from cardea.mails'))
  const logs = JSON.stringify(scene.replicas.flatMap(({ lines }) => lines))
  expect(mails).not.toContain(`"${code}"`)
  expect(logs).not.toContain(String(challenge))
  const keys = ['', String(challenge), ...rows.flatMap((row) => [row.id, row.subject_id])]
  const quick = keys.flatMap((key) => [`${code}${key}`, `${key}${code}`, `${key}:${code}`])
  const digests = new Set(rows.map(({ digest }) => digest.toString('hex')))
  expect(quick.filter((text) => digests.has(hash('sha256', text)))).toEqual([])
})
