import { randomBytes } from 'node:crypto'
import { afterAll, expect, inject, test } from 'vitest'
import { findCredentials } from '../../src/db/credentialindex.ts'
import { openPool } from '../../src/db/pool.ts'
import { digestApiKey, mintApiKey } from '../../src/domain/apikey.ts'
import { startAuthForTest } from '../support/authservice.ts'
import { query, testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'
import { urlsOf } from '../support/template.ts'

const database = await testDatabase()
const { superuserUrl } = inject('postgres')
const copy = `test_${randomBytes(6).toString('hex')}`
afterAll(async () => {
  await query(superuserUrl, `drop database if exists ${copy} with (force)`)
  await database.drop()
})

test('a key that was revoked is not admitted on the word of a copy from before', async () => {
  const former = await Records.open(database.superuserUrl)
  const organization = await former.organization()
  const key = await former.apiKey(organization)
  await former.close()
  await query(superuserUrl, `create database ${copy} template ${database.name}`)
  const auth = await startAuthForTest(urlsOf(superuserUrl, copy).authUrl, {
    CARDEA_CHANGES_DATABASE_URL: database.authUrl,
  })
  const statusOf = async (text: string) =>
    (await fetch(`${auth.url}/check`, { headers: { 'x-api-key': text } })).status
  expect(await statusOf(key.text)).toBe(200)
  const records = await Records.open(database.superuserUrl)
  await records.revoke(key)
  await expect.poll(() => statusOf(key.text)).not.toBe(200)
  for (let round = 0; round < 50; round++) expect(await statusOf(key.text)).toBe(503)
  expect(await auth.metric('cardea_read_through_total', { outcome: 'found' })).toBe(0)
  expect(auth.lines.map((line) => line['error'])).toContain(
    'another database answers than the feed follows',
  )
  await records.close()
})

test('a look-up answers with all of the key’s organization, and reads no other', async () => {
  const records = await Records.open(database.superuserUrl)
  const organization = await records.organization('acme')
  const project = await records.project(organization, 'scanner')
  const role = await records.role(organization, 'runner', ['scans:run'])
  const key = await records.apiKey(organization, { project, name: 'ci', scopes: ['scans:read'] })
  const { secretId, text } = await records.secret(organization, key.id)
  const binding = await records.binding(organization, 'runner', ['ci'], project)
  const other = await records.organization('other')
  await records.role(other, 'runner', ['*:*'])
  await records.apiKey(other)

  const log = { info: () => {}, warn: () => {} }
  const pool = openPool({ connectionString: database.authUrl, applicationName: 'test', log })
  const found = await findCredentials(pool, [digestApiKey(key.text), digestApiKey(text)], [])
  expect(found).toMatchObject({
    position: {
      server: expect.stringMatching(/^\d+\/\d+\/[0-9A-F]{8}$/),
      snapshot: expect.stringMatching(/^\d+:\d+:[\d,]*$/),
    },
    organizations: [{ id: organization, name: 'acme' }],
    projects: [{ organizationId: organization, id: project, name: 'scanner' }],
    roles: [{ organizationId: organization, id: role, name: 'runner', permissions: ['scans:run'] }],
    roleBindings: [{ id: binding, projectId: project, subjects: [{ kind: 'APIKey', name: 'ci' }] }],
  })
  const keys = found.apiKeys.map((row) => [row.id, row.secretId, row.digest])
  expect(keys).toHaveLength(2)
  expect(keys).toContainEqual([key.id, key.secretId, digestApiKey(key.text)])
  expect(keys).toContainEqual([key.id, secretId, digestApiKey(text)])

  const nothing = await findCredentials(pool, [digestApiKey(mintApiKey('ck', randomBytes(32)))], [])
  const { position, ...rest } = nothing
  expect(position.server).toBe(found.position.server)
  expect(Object.values(rest)).toEqual([[], [], [], [], [], [], []])
  await pool.end()
  await records.close()
})
