import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sessionCookie } from '../../src/domain/session.ts'
import { check, type Shown } from '../support/ask.ts'
import { eventually } from '../support/kube.ts'
import {
  aSession,
  aSigningKey,
  aTokenSession,
  aUser,
  claimsOf,
  type SessionRecord,
  type TestSigningKey,
  type UserRecord,
} from '../support/peoplerecords.ts'
import { Records } from '../support/records.ts'
import { cutListeners, measureRefusals, tellTimes } from '../support/revocation.ts'
import { type System, startSystem } from '../support/system.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { Witness } from '../support/witness.ts'

/** Milliseconds after which nobody may be let in any more, whatever is cut. */
const promise = 3000
const replicas = 4
const many = 40
const publicUrl = 'https://id.example.com'

let system: System
let records: Records
let organization: string
let signing: TestSigningKey
let wire: Wire
let witnesses: readonly Witness[] = []

beforeAll(async () => {
  const authSettings = { CARDEA_PUBLIC_URL: publicUrl }
  system = await startSystem({ namespaces: [], operators: 0, auths: replicas, authSettings })
  records = await Records.open(system.database.superuserUrl)
  organization = await records.organization('acme')
  signing = await aSigningKey(records)
  wire = await openWire(Number(new URL(system.database.authUrl).port))
  // One more, the feed of which can be silenced.
  await system.startAuth({ CARDEA_CHANGES_DATABASE_URL: wire.through(system.database.authUrl) })
  const user = await aUser(records, organization)
  const valid = [
    cookieOf(await aSession(records, user)),
    tokenOf(await aTokenSession(records, user)),
  ]
  witnesses = system.auths.map(({ url }) => new Witness(url, valid))
  for (const { url } of witnesses) for (const shown of valid) await known(url, shown)
  for (const witness of witnesses) witness.start()
})
afterEach(() => {
  for (const { faults } of witnesses) expect(faults).toEqual([])
})
afterAll(async () => {
  await Promise.all(witnesses.map((witness) => witness.stop()))
  await records?.close()
  await system?.stop()
  await wire?.close()
})

const known = (url: string, shown: Shown) =>
  eventually('it is known', async () => ((await check(url, shown)) === 200 ? true : undefined))

const cookieOf = ({ text }: SessionRecord): Shown => ({
  headers: [['cookie', `${sessionCookie}=${text}`]],
})
const tokenOf = (of: Parameters<typeof claimsOf>[1], over = {}): Shown => ({
  headers: [['authorization', `Bearer ${signing.token(claimsOf(publicUrl, of, over))}`]],
})

/** Answers when it was committed. */
async function commit(text: string, ...values: unknown[]): Promise<number> {
  await records.client.query(text, values)
  return performance.now()
}
const endSession = (id: string, why: string) =>
  commit('update cardea.sessions set revoked_at = now(), revoked_for = $2 where id = $1', id, why)

interface Revocation {
  readonly shown: Shown
  readonly act: () => Promise<number>
}

/** What somebody has, and how it is taken from them. */
const revocations: Record<string, (user: UserRecord) => Promise<Revocation>> = {
  'a cookie whose session ends': async (user) => {
    const session = await aSession(records, user)
    return { shown: cookieOf(session), act: () => endSession(session.id, 'signed_out') }
  },
  'a token whose family ends': async (user) => {
    const session = await aTokenSession(records, user)
    return { shown: tokenOf(session), act: () => endSession(session.id, 'refresh_token_reused') }
  },
  'a token that is revoked by itself': async (user) => {
    const session = await aTokenSession(records, user)
    const { jti } = claimsOf(publicUrl, session)
    const statement = `insert into cardea.revoked_access_tokens (organization_id, jti, expires_at) values ($1, $2, now() + interval '1 hour')`
    return { shown: tokenOf(session, { jti }), act: () => commit(statement, organization, jti) }
  },
  'a cookie of a person who is suspended': async (user) => {
    const shown = cookieOf(await aSession(records, user))
    return { shown, act: () => suspend(user) }
  },
  'a token of a person who is suspended': async (user) => {
    const shown = tokenOf(await aTokenSession(records, user))
    return { shown, act: () => suspend(user) }
  },
  'a cookie of a person who signs out everywhere': async (user) => {
    const shown = cookieOf(await aSession(records, user))
    const statement =
      'update cardea.users set sessions_revoked_before = clock_timestamp() where id = $1'
    return { shown, act: () => commit(statement, user.id) }
  },
  'a permission whose binding is removed': async (user) => {
    const { rows } = await records.client.query<{ id: string }>(
      `insert into cardea.role_bindings (organization_id, name, role, subjects, managed_by)
        values ($1, gen_random_uuid()::text, 'viewer', $2, 'api') returning id`,
      [organization, JSON.stringify([{ kind: 'User', name: user.email }])],
    )
    const { headers } = cookieOf(await aSession(records, user)) as Exclude<Shown, string>
    const act = () => commit('delete from cardea.role_bindings where id = $1', rows[0]?.id)
    return { shown: { headers, query: '?permission=members:read' }, act }
  },
}

const suspend = ({ id }: UserRecord) =>
  commit('update cardea.users set suspended_at = now() where id = $1', id)

/** Several of a sort, which every replica knows. */
async function prepare(what: string, count: number): Promise<readonly Revocation[]> {
  const made: Revocation[] = []
  for (let at = 0; at < count; at++) {
    const make = revocations[what]
    if (make) made.push(await make(await aUser(records, organization)))
  }
  for (const { url } of witnesses) {
    for (const { shown } of made) {
      await eventually('the replica has it by itself', async () =>
        (await check(url, shown)) === 200 ? true : undefined,
      )
    }
  }
  // What was read through once is not in the index for sure: the feed takes half a second at most.
  await sleep(600)
  return made
}

async function prepareAll(): Promise<readonly Revocation[]> {
  const made: Revocation[] = []
  for (const what of Object.keys(revocations)) made.push(...(await prepare(what, 2)))
  return made
}

/** Waits for every replica. @returns for how long, those under load first */
const refusals = ({ shown, act }: Revocation) => measureRefusals(shown, act, witnesses)

async function expectRefused(made: readonly Revocation[]): Promise<void> {
  for (const { url } of witnesses) {
    const answers = await Promise.all(made.map(({ shown }) => check(url, shown)))
    expect(answers).not.toContain(200)
  }
}

test.each(Object.keys(revocations))('%s is refused by four replicas under load', async (what) => {
  const made = await prepare(what, many)
  const last: number[] = []
  for (const each of made) {
    const times = await refusals(each)
    expect(Math.max(...times)).toBeLessThan(promise)
    last.push(Math.max(...times.slice(0, replicas)))
  }
  tellTimes(`${what}: commit to the last replica’s refusal (G8: p99 ≤ 50 ms)`, last)
  await expectRefused(made)
})

test('with their listeners cut again and again replicas refuse all of it within three seconds', async () => {
  const made = await prepareAll()
  const scissors = new Client({ connectionString: system.database.superuserUrl })
  await scissors.connect()
  const cutting = cutListeners(scissors)
  await sleep(500)
  const waiting: Promise<readonly number[]>[] = []
  for (const each of made) {
    waiting.push(refusals(each))
    await sleep(100)
  }
  const times = (await Promise.all(waiting)).flat()
  await cutting
  await scissors.end()
  tellTimes('commit to refusal with the listener cut', times)
  expect(Math.max(...times)).toBeLessThan(promise)
  await expectRefused(made)
})

test('with its listener silent a replica refuses all of it within three seconds', async () => {
  const made = await prepareAll()
  wire.silence()
  const waiting: Promise<readonly number[]>[] = []
  for (const each of made) {
    waiting.push(refusals(each).then((times) => times.slice(replicas)))
    await sleep(100)
  }
  const times = (await Promise.all(waiting)).flat()
  tellTimes('commit to refusal with the listener silent', times)
  expect(Math.max(...times)).toBeLessThan(promise)
  await expectRefused(made)
  wire.speak()
})
