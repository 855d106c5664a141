import { hashSync } from '@node-rs/argon2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { median, signedRank, telling } from '../support/ranktest.ts'
import { type Answer, password, type SignInScene, startSignIn } from '../support/signin.ts'

/** Each address is tried once or twice: what is learnt of one that was tried often is that it is locked, account or not. */
const rounds = 60
/** Milliseconds before which no request for a mail is answered; less by what a timer may be early. */
const least = 149

let scene: SignInScene
let hash: string

beforeAll(async () => {
  hash = hashSync(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  const signIn = { methods: ['Password', 'EmailCode'] }
  // The strict one locks at the first failure.
  const lockout = { attempts: 1, duration: '15m' }
  scene = await startSignIn({
    organizations: { acme: { settings: { signIn } }, strict: { settings: { lockout } } },
  })
  for (let n = 0; n < 20; n++) await fail(await known())
})
afterAll(() => scene.stop())

let count = 0
const stranger = () => `stranger-${++count}@acme.example`

interface Fields {
  readonly verified?: boolean
  readonly suspended?: boolean
  readonly bare?: boolean
}

async function known(fields: Fields = {}, organization = 'acme') {
  const organizationId = scene.ids[organization] ?? ''
  const { id, email } = await scene.person(organizationId, { ...fields, password: undefined })
  if (fields.bare) return email
  await scene.rows(
    'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
    organizationId,
    id,
    hash,
  )
  return email
}

async function locked(email: string) {
  await fail(email, 'strict')
  return email
}

const fail = (email: string, organization = 'acme', secret = 'nine purple lanterns adrift') =>
  scene.post('/api/auth/login', { organization, email, password: secret })

interface Kind {
  readonly ask: () => Promise<() => Promise<Answer>>
}
const attempt = (email: string, organization = 'acme', secret?: string) => {
  return () => fail(email, organization, secret)
}
const kinds: Readonly<Record<string, Kind>> = {
  'a known address': { ask: async () => attempt(await known()) },
  'another known one': { ask: async () => attempt(await known()) },
  'an unknown address': { ask: async () => attempt(stranger()) },
  'an unverified one': { ask: async () => attempt(await known({ verified: false })) },
  'a suspended one': { ask: async () => attempt(await known({ suspended: true })) },
  'one without a password': { ask: async () => attempt(await known({ bare: true })) },
  'the right password of a suspended one': {
    ask: async () => attempt(await known({ suspended: true }), 'acme', password),
  },
  'an organization that does not exist': { ask: async () => attempt(stranger(), 'nowhere') },
}

/** Takes one sample of each kind after the other, in another order each time. */
async function sample(of: Readonly<Record<string, Kind>>, times = rounds) {
  const samples: Record<string, number[]> = {}
  const answers: Record<string, Answer> = {}
  for (let round = 0; round < times; round++) {
    const prepared = []
    for (const [name, { ask }] of Object.entries(of)) prepared.push({ name, go: await ask() })
    const first = round % prepared.length
    for (const { name, go } of [...prepared.slice(first), ...prepared.slice(0, first)]) {
      const started = performance.now()
      answers[name] = await go()
      samples[name] = [...(samples[name] ?? []), performance.now() - started]
    }
  }
  return { samples, answers }
}

/** All that is answered, but for what names the request and the moment. */
function visible({ status, text, headers }: Answer): string {
  const told = [...headers]
    .filter(([name]) => !['date', 'x-request-id', 'retry-after', 'ratelimit'].includes(name))
    .map(([name, value]) => `${name}: ${value}`)
  return [status, ...told.toSorted(), text.replace(/"requestId":"[^"]+"/, '')].join('\n')
}

function expectAlike(answers: Readonly<Record<string, Answer>>) {
  const all = Object.entries(answers).map(([name, answer]) => [name, visible(answer)])
  const [, one] = all[0] ?? []
  expect(Object.fromEntries(all)).toEqual(Object.fromEntries(all.map(([name]) => [name, one])))
}

function expectOneKind(samples: Readonly<Record<string, readonly number[]>>) {
  const [[first, reference] = ['', []], ...rest] = Object.entries(samples)
  for (const [name, others] of rest) {
    const z = signedRank(others, reference)
    const shown = `${name}: ${median(others).toFixed(2)} ms, ${first}: ${median(reference).toFixed(2)} ms`
    expect(Math.abs(z), shown).toBeLessThan(telling)
  }
}

test('who fails to sign in cannot tell by the answer or its time whether there is such an account', async () => {
  const { samples, answers } = await sample(kinds)
  expectAlike(answers)
  expectOneKind(samples)
}, 120_000)

test('while locked, it is the same whether there is such an account', async () => {
  const ask = (email: string, secret?: string) => attempt(email, 'strict', secret)
  const { samples, answers } = await sample({
    'a known address': { ask: async () => ask(await locked(await known({}, 'strict'))) },
    'an unknown address': { ask: async () => ask(await locked(stranger())) },
    'the right password': {
      ask: async () => ask(await locked(await known({}, 'strict')), password),
    },
  })
  expect(Object.values(answers).map(({ body }) => body['code'])).toEqual(
    Array.from({ length: 3 }, () => 'account_locked'),
  )
  expectAlike(answers)
  expectOneKind(samples)
}, 120_000)

test('the test sees what is missing: an answer without the work of a hash is told at once', async () => {
  const { samples } = await sample({
    'a known address': { ask: async () => attempt(await known()) },
    'no work': { ask: async () => attempt(stranger(), 'acme', 'x'.repeat(1025)) },
  })
  const { 'a known address': known_ = [], 'no work': none = [] } = samples
  expect(Math.abs(signedRank(none, known_))).toBeGreaterThan(telling)
})

test.each(['/api/auth/password-reset/request', '/api/auth/otp/request'])(
  'whoever asks for a mail by %s cannot tell whether one is sent: nobody is answered before it would be',
  async (path) => {
    const asking = (email: string) => () => scene.post(path, { organization: 'acme', email })
    const { samples, answers } = await sample(
      {
        'a known address': { ask: async () => asking(await known()) },
        'an unknown address': { ask: async () => asking(stranger()) },
      },
      5,
    )
    const alike = Object.entries(answers).map(([name, answer]) => {
      const text = answer.text.replace(/"co_[^"]+"/, '"co_"')
      return [name, { ...answer, text }] as const
    })
    expectAlike(Object.fromEntries(alike))
    expect(Math.min(...Object.values(samples).flat())).toBeGreaterThan(least)
  },
)
