import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/authservice.ts'
import {
  type Answer,
  type PersonRecord,
  password,
  type SignInScene,
  startSignIn,
} from '../support/signin.ts'

let scene: SignInScene
const people: PersonRecord[] = []
let key: string

beforeAll(async () => {
  scene = await startSignIn({
    organizations: { acme: {} },
    settings: { CARDEA_PASSWORD_QUEUE: '3' },
  })
  const acme = scene.ids['acme'] ?? ''
  for (let n = 0; n < 40; n++) people.push(await scene.person(acme))
  key = (await scene.records.apiKey(acme)).text
})
afterAll(() => scene.stop())

const signIn = ({ email }: PersonRecord, secret = password) =>
  scene.post('/api/auth/login', { organization: 'acme', email, password: secret })
const check = async () => {
  const started = performance.now()
  const headers = { 'x-api-key': key, 'x-forwarded-for': '192.0.2.1' }
  const { status } = await fetch(`${scene.replicas[0]?.url}/check`, { headers })
  return { status, took: performance.now() - started }
}
const codesOf = (answers: readonly Answer[]) =>
  answers.map(({ body, status }) => body['code'] ?? status)

test('what does not fit into the queue is answered 503 and told when to come again, and checks go on', async () => {
  await eventually(async () => (await check()).status).toBe(200)
  const storm = Promise.all(people.map((person) => signIn(person)))
  const checks = []
  const waiting: (number | undefined)[] = []
  for (let n = 0; n < 50; n++) {
    checks.push(await check())
    waiting.push(await scene.replicas[0]?.metric('cardea_password_queue'))
  }
  const answers = await storm
  expect(new Set(codesOf(answers))).toEqual(new Set([200, 'busy']))
  const busy = answers.filter(({ status }) => status === 503)
  expect(busy.length).toBeGreaterThan(0)
  expect(busy.map(({ headers }) => headers.get('retry-after'))).toEqual(busy.map(() => '2'))
  expect(checks.map(({ status }) => status)).toEqual(checks.map(() => 200))
  expect(Math.max(...waiting.map(Number))).toBeOneOf([1, 2, 3])
})

test('what was not judged was no failure', async () => {
  for (let round = 0; round < 6; round++) {
    await Promise.all(people.map((person) => signIn(person)))
  }
  const counted = await scene.rows(
    `select from cardea.sign_in_failures where failures > 0 or locked_until is not null`,
  )
  expect(counted).toEqual([])
  const [person] = people
  expect(person && (await signIn(person)).status).toBe(200)
})

test('nothing of what waits is lost to whoever resets a password meanwhile', async () => {
  const [person] = people
  if (!person) throw new Error('there is nobody')
  await scene.post('/api/auth/password-reset/request', {
    organization: 'acme',
    email: person.email,
  })
  const token = await scene.mailedToken(person.email)
  const next = 'four amber kettles ashore'
  const set = () => scene.post('/api/auth/password-reset/confirm', { token, password: next })
  const storm = Promise.all(people.slice(1).map((other) => signIn(other)))
  const first = await set()
  await storm
  // Busy or not, the token is of use until the password is set.
  if (first.status === 503) expect((await set()).status).toBe(200)
  expect((await signIn(person, next)).status).toBe(200)
})
