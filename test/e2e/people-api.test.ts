import { afterAll, beforeAll, expect, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { tokenOf } from '../support/mailserver.ts'
import {
  checkEverywhere,
  cookieOf,
  type PeopleSystem,
  startPeopleSystem,
} from '../support/peoplesystem.ts'

const email = 'ada@lovelace.example'
const organization = 'lovelace'
const passwords = ['seven purple lanterns adrift', 'a quiet harbour of brass owls'] as const
const soon = { timeout: 3000, interval: 20 }

let people: PeopleSystem

beforeAll(async () => {
  people = await startPeopleSystem()
}, 180_000)
afterAll(() => people?.stop())

type Headers = Readonly<Record<string, string>>

interface Answer {
  readonly status: number
  readonly body: ReturnType<typeof JSON.parse>
  readonly cookie: string | undefined
}

/** Asks the API, as a program does. @param replica the first, or another one */
async function ask(
  method: string,
  path: string,
  body: object | undefined,
  headers: Headers = {},
  replica = 0,
): Promise<Answer> {
  const answer = await fetch(`${people.urls[replica]}${path}`, {
    method,
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const set = answer.headers.getSetCookie().find((line) => line.startsWith(`${sessionCookie}=`))
  return {
    status: answer.status,
    body: text === '' ? undefined : JSON.parse(text),
    cookie: set?.slice(sessionCookie.length + 1).split(';', 1)[0],
  }
}

const post = (path: string, body?: object, headers?: Headers, replica?: number) =>
  ask('POST', path, body, headers, replica)
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })

/** What browsers say of the requests of our own pages. */
const ofOurs = { 'sec-fetch-site': 'same-origin' }

test('a person registers, verifies, signs in, is known, ends a session elsewhere, resets the password, and everything ended', async () => {
  const registration = { organization, displayName: 'Lovelace', email, name: 'Ada Lovelace' }
  const refused = await post('/api/auth/register', { ...registration, password: organization })
  expect(refused).toMatchObject({ status: 422, body: { code: 'password_not_accepted' } })
  const registered = await post('/api/auth/register', { ...registration, password: passwords[0] })
  expect(registered).toMatchObject({ status: 202, body: { accepted: true } })

  const early = await post('/api/auth/login', { organization, email, password: passwords[0] })
  expect([401, 403]).toContain(early.status)

  const token = tokenOf(await people.mail.untilMail(email))
  // On the other replica: nothing of it is in the memory of the one that was asked.
  const guessed = await post('/api/auth/verify-email', { token, password: passwords[1] })
  expect(guessed).toMatchObject({ status: 403, body: { code: 'password_wrong' } })
  const confirmation = { token, password: passwords[0] }
  const verified = await post('/api/auth/verify-email', confirmation, {}, 1)
  expect(verified).toMatchObject({ status: 200, body: { organization, email } })
  const again = await post('/api/auth/verify-email', confirmation)
  expect(again).toMatchObject({ status: 400, body: { code: 'token_invalid' } })

  const login = { organization, email, password: passwords[0] }
  const browser = await post('/api/auth/login', login)
  expect(browser.status).toBe(200)
  const program = await post('/api/auth/login', { ...login, session: 'token' }, {}, 1)
  expect(program).toMatchObject({ status: 200, body: { token_type: 'Bearer' } })
  const cookie = cookieOf(browser.cookie ?? '')
  const access = bearer(program.body.access_token)

  const known = {
    status: 200,
    headers: {
      'x-cardea-organization': organization,
      'x-cardea-subject': email,
      'x-cardea-subject-kind': 'User',
      'x-cardea-roles': 'owner',
    },
  }
  const question = '?permission=members:invite'
  for (const credential of [cookie, access]) {
    await expect
      .poll(() => checkEverywhere(people.urls, credential, question), soon)
      .toMatchObject(known)
  }

  const { body: listed } = await ask('GET', '/api/auth/sessions', undefined, access)
  expect(listed.sessions).toHaveLength(2)
  expect(listed.sessions).toMatchObject(
    [...listed.sessions].map(({ kind }: { kind: string }) => ({ current: kind === 'token' })),
  )
  const other = listed.sessions.find(({ kind }: { kind: string }) => kind === 'browser')
  expect(await post(`/api/auth/sessions/${other.id}/revoke`, undefined, access)).toMatchObject({
    status: 204,
  })
  await expect.poll(() => checkEverywhere(people.urls, cookie), soon).toMatchObject({ status: 401 })
  expect(await checkEverywhere(people.urls, access)).toMatchObject({ status: 200 })

  const refreshed = await post('/api/auth/refresh', { refresh_token: program.body.refresh_token })
  expect(refreshed.status).toBe(200)
  const renewed = bearer(refreshed.body.access_token)
  expect(await checkEverywhere(people.urls, renewed)).toMatchObject({ status: 200 })

  await post('/api/auth/password-reset/request', { organization, email })
  const reset = tokenOf(await people.mail.untilMail(email, /password/i))
  expect(
    await post('/api/auth/password-reset/confirm', { token: reset, password: passwords[1] }, {}, 1),
  ).toMatchObject({ status: 200, body: { organization, email } })
  for (const credential of [access, renewed]) {
    await expect
      .poll(() => checkEverywhere(people.urls, credential), soon)
      .toMatchObject({ status: 401 })
  }
  const refresh = { refresh_token: refreshed.body.refresh_token }
  expect(await post('/api/auth/refresh', refresh)).toMatchObject({
    status: 400,
    body: { code: 'token_invalid' },
  })

  expect(await post('/api/auth/login', login)).toMatchObject({
    status: 401,
    body: { code: 'sign_in_failed' },
  })
  expect((await post('/api/auth/login', { ...login, password: passwords[1] })).status).toBe(200)
})

test('an owner invites somebody to a role, who accepts, is known by it, and is ended by the owner', async () => {
  const guest = 'babbage@lovelace.example'
  const login = { organization, email, password: passwords[1] }
  const owner = cookieOf((await post('/api/auth/login', login)).cookie ?? '')
  const invitation = { email: guest, role: 'viewer' }

  const foreign = await post('/api/auth/invite', invitation, {
    ...owner,
    'sec-fetch-site': 'cross-site',
  })
  expect(foreign).toMatchObject({ status: 403, body: { code: 'csrf_refused' } })
  const invited = await post('/api/auth/invite', invitation, { ...owner, ...ofOurs })
  expect(invited).toMatchObject({ status: 201, body: { email: guest, role: 'viewer' } })

  const token = tokenOf(await people.mail.untilMail(guest))
  const account = { token, name: 'Charles', password: passwords[0] }
  expect(await post('/api/auth/accept', account, {}, 1)).toMatchObject({ status: 200 })
  const joined = await post('/api/auth/login', {
    organization,
    email: guest,
    password: passwords[0],
  })
  const credential = cookieOf(joined.cookie ?? '')
  await expect
    .poll(() => checkEverywhere(people.urls, credential, '?permission=members:read'), soon)
    .toMatchObject({ status: 200, headers: { 'x-cardea-roles': 'viewer' } })
  expect(
    await checkEverywhere(people.urls, credential, '?permission=members:invite'),
  ).toMatchObject({ status: 403 })

  const { body } = await ask('GET', '/api/members', undefined, owner)
  const member = body.members.find(({ email: address }: { email: string }) => address === guest)
  expect(
    (await post(`/api/members/${member.id}/suspend`, undefined, { ...owner, ...ofOurs })).status,
  ).toBe(200)
  await expect
    .poll(() => checkEverywhere(people.urls, credential), soon)
    .toMatchObject({ status: 401 })
})
