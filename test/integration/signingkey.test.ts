import { randomBytes } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeLeadership } from '../../src/db/leadership.ts'
import { type SigningKeyRow, signingKeysOf } from '../../src/db/signingkey.ts'
import { FencedError } from '../../src/db/transaction.ts'
import { openSigningKey } from '../../src/encryption/signingkey.ts'
import { localKeyManagement } from '../../src/kms/local.ts'
import { maintainSigningKeys } from '../../src/operator/signingkeys.ts'
import { startAuth } from '../support/authservice.ts'
import { keyringOf } from '../support/keyring.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

const day = 86_400_000
const policy = { every: 30 * day, ahead: day, overlap: day }
let file = randomBytes(32).toString('base64')
const keyring = keyringOf(localKeyManagement(() => file))
let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = new Pool({ connectionString: database.operatorUrl, max: 4 })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** An installation of its own, with its leadership. */
async function anInstallation(installation: string) {
  let now = new Date()
  const fence = await takeLeadership(pool, installation, 'test')
  return {
    maintain: (rules = {}) =>
      maintainSigningKeys({
        pool,
        keyring,
        installation,
        fence: () => fence,
        policy: { ...policy, ...rules },
        now: () => now,
      }),
    pass: (ms: number) => {
      now = new Date(now.getTime() + ms)
    },
    keys: () => signingKeysOf(pool, installation),
    end: async () => {
      await query(
        database.superuserUrl,
        `delete from cardea_keys.signing_keys where installation = '${installation}'`,
      )
    },
  }
}

test('the keys are made once, and a second look changes nothing', async () => {
  const { maintain, keys, end } = await anInstallation('once')
  expect(await maintain()).toMatchObject({ made: 2, removed: 0, resealed: 0 })
  const made = await keys()
  expect(await maintain()).toMatchObject({ made: 0, removed: 0, resealed: 0 })
  expect(await keys()).toEqual(made)
  await end()
})

test('no column has a private key in the clear', async () => {
  const { maintain, keys, end } = await anInstallation('clear')
  await maintain()
  for (const key of await keys()) {
    const opened = await openSigningKey(keyring.of(null), key)
    const { d = '' } = opened.export({ format: 'jwk' })
    expect(d).not.toBe('')
    expect(JSON.stringify(key)).not.toContain(d)
    expect(key.publicJwk).not.toHaveProperty('d')
  }
  await end()
})

test('a new version of the default key seals them anew, and they open still', async () => {
  const { maintain, keys, end } = await anInstallation('rotated')
  await maintain()
  file = `${file}\n${randomBytes(32).toString('base64')}`
  expect(await maintain()).toMatchObject({ made: 0, resealed: 2 })
  const sealed = await keys()
  expect(sealed.map(({ privateKey }) => (privateKey as { kek: object }).kek)).toEqual(
    sealed.map(() => expect.objectContaining({ version: '2' })),
  )
  for (const key of sealed) await openSigningKey(keyring.of(null), key)
  await end()
})

test('a successor is published before it signs, and what it follows goes after the overlap', async () => {
  const { maintain, keys, pass, end } = await anInstallation('successor')
  await maintain()
  pass(29.5 * day)
  expect(await maintain()).toMatchObject({ made: 2, removed: 0 })
  expect(await keys()).toHaveLength(4)
  pass(2 * day)
  expect(await maintain()).toMatchObject({ made: 0, removed: 2 })
  await end()
})

test('compromised keys go at once', async () => {
  const { maintain, keys, pass, end } = await anInstallation('compromised')
  await maintain()
  const before = (await keys()).map(({ id }) => id)
  pass(1000)
  const compromisedBefore = new Date(Date.now() + 500)
  pass(1000)
  expect(await maintain({ compromisedBefore })).toMatchObject({ made: 2, removed: 2 })
  expect((await keys()).map(({ id }) => id)).not.toEqual(expect.arrayContaining(before))
  await end()
})

test('a row that somebody else wrote is removed, and takes nobody’s place', async () => {
  const { maintain, keys, end } = await anInstallation('planted')
  await maintain()
  const ours = (await keys()).map(({ id }) => id)
  await query(
    database.superuserUrl,
    `insert into cardea_keys.signing_keys
     select repeat('x', 43), installation, algorithm, public_jwk, private_key, created_at, '9999-01-01'
     from cardea_keys.signing_keys where installation = 'planted' and algorithm = 'EdDSA'`,
  )
  expect(await maintain()).toMatchObject({ made: 0, removed: 1, bogus: ['x'.repeat(43)] })
  expect((await keys()).map(({ id }) => id)).toEqual(ours)
  await end()
})

test('with the key manager away what is compromised goes all the same', async () => {
  const { maintain, keys, pass, end } = await anInstallation('away')
  await maintain()
  pass(1000)
  const former = file
  file = `${file}\nstate: disabled`
  await expect(maintain({ compromisedBefore: new Date(Date.now() + 500) })).rejects.toMatchObject({
    code: 'disabled',
  })
  expect(await keys()).toEqual([])
  file = former
  await end()
})

test('who does not lead any more changes nothing', async () => {
  const { maintain, keys } = await anInstallation('fenced')
  await takeLeadership(pool, 'fenced', 'another')
  await expect(maintain()).rejects.toBeInstanceOf(FencedError)
  expect(await keys()).toEqual([])
})

test('the key set is published without its private halves, and cached by its tag', async () => {
  const { maintain, keys, end } = await anInstallation('published')
  await maintain()
  const auth = await startAuth(database.authUrl, { CARDEA_INSTALLATION: 'published' })
  const url = `${auth.url}/.well-known/jwks.json`
  try {
    await expect.poll(async () => (await fetch(url)).status).toBe(200)
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toMatch(/^application\/jwk-set\+json/)
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const set = (await response.json()) as { keys: SigningKeyRow['publicJwk'][] }
    expect(set.keys).toEqual(
      (await keys()).map(({ publicJwk }) => expect.objectContaining(publicJwk)),
    )
    for (const key of set.keys) {
      expect(
        Object.keys(key).every((name) =>
          ['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use'].includes(name),
        ),
      ).toBe(true)
    }
    const etag = response.headers.get('etag') ?? ''
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
  } finally {
    await auth.stop()
    await end()
  }
})
