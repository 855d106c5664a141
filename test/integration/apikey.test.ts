import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey, readApiKey } from '../../src/domain/apikey.ts'
import { open, parseEnvelope } from '../../src/kms/envelope.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import { anAPIKey, anOrganization, aProject } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, kubectl, whenReady } from '../support/kube.ts'
import { startOperator, type TestOperator } from '../support/operator.ts'
import { query } from '../support/postgres.ts'

let operator: TestOperator
let ns: string
beforeAll(async () => {
  ns = await testCluster().namespace()
  operator = await startOperator({ namespaces: [ns] })
  await apply(anOrganization(ns, 'acme'), aProject(ns, 'scanner'))
})
afterAll(() => operator.stop())

interface SecretRow {
  readonly id: string
  readonly digest: Buffer
  readonly expires_at: Date | null
  readonly envelope: object | null
}
const secretRows = (name: string) =>
  query<SecretRow>(
    operator.database.superuserUrl,
    `select s.id, s.digest, s.expires_at, s.envelope from cardea_keys.api_key_secrets s join cardea.api_keys k on k.id = s.api_key_id
     where k.name = '${name}' order by s.created_at`,
  )

/** The key that a Secret holds. */
async function unwrap(secretName: string, id: string): Promise<string> {
  const secret = await get('secret', ns, secretName)
  const envelope = parseEnvelope(Buffer.from(secret?.data?.['envelope'] ?? '', 'base64').toString())
  if (!envelope) throw new Error('no envelope')
  return (await open(operator.kms, envelope, apiKeyContext(ns, secretName, id))).toString()
}

test('a key is minted: its digest is stored, its envelope delivered, and nothing is in the clear', async () => {
  await apply(anAPIKey(ns, 'ci', { projectRef: { name: 'scanner' } }))
  const live = await whenReady('apikey', ns, 'ci')
  const key = await unwrap('ci-secret', live.status.id)
  expect(readApiKey(key)).toBe('cardea')
  const [row, ...others] = await secretRows('ci')
  expect(others).toEqual([])
  expect(row?.digest).toEqual(digestApiKey(key))
  expect(live.status).toMatchObject({
    prefix: 'ck',
    secretName: 'ci-secret',
    keys: [{ id: row?.id, lastFour: key.slice(-4), state: 'Active' }],
  })
  const secret = await get('secret', ns, 'ci-secret')
  expect(secret?.type).toBe('cardea.dev/envelope')
  expect(Object.keys(secret?.data ?? {})).toEqual(['envelope'])
  const rows = JSON.stringify(
    await query(operator.database.superuserUrl, 'select s::text from cardea.api_key_secrets s'),
  )
  expect(rows).not.toContain(key)
})

test('a rotation on request mints anew, and the former key retires for the overlap', async () => {
  await apply(anAPIKey(ns, 'rotated', { rotation: { every: '90d', overlap: '2s' } }))
  const before = await whenReady('apikey', ns, 'rotated')
  const former = await unwrap('rotated-secret', before.status.id)
  await kubectl('annotate', 'apikey', 'rotated', '-n', ns, 'cardea.dev/rotate-requested-at=one')
  const during = await eventually('the rotation', async () => {
    const live = await get('apikey', ns, 'rotated')
    return live?.status.lastHandledRotateAt === 'one' ? live : undefined
  })
  expect(during.status.keys.map((key: { state: string }) => key.state)).toEqual([
    'Active',
    'Retiring',
  ])
  const next = await unwrap('rotated-secret', during.status.id)
  expect(next).not.toBe(former)
  expect((await secretRows('rotated')).map((row) => row.digest)).toEqual([
    digestApiKey(former),
    digestApiKey(next),
  ])
  const after = await eventually('the end of the overlap', async () => {
    const live = await get('apikey', ns, 'rotated')
    return live?.status.keys.length === 1 ? live : undefined
  })
  expect(after.status.keys[0].lastFour).toBe(next.slice(-4))
  expect((await secretRows('rotated')).map((row) => row.digest)).toEqual([digestApiKey(next)])
})

test('a key that was minted elsewhere is taken by its digest', async () => {
  const digest = digestApiKey('sk-live-0123456789abcdef')
  await apply(anAPIKey(ns, 'imported', { digest: { sha256: digest.toString('hex') } }))
  await whenReady('apikey', ns, 'imported')
  expect((await secretRows('imported')).map((row) => row.digest)).toEqual([digest])
  await apply(anAPIKey(ns, 'imported-twice', { digest: { sha256: digest.toString('hex') } }))
  await whenReady('apikey', ns, 'imported-twice', 'False', 'DuplicateDigest')
})

test('a Secret that was edited, emptied, stripped of its label or deleted is put right, and the key stays the same', async () => {
  await apply(anAPIKey(ns, 'edited'))
  const live = await whenReady('apikey', ns, 'edited')
  const key = await unwrap('edited-secret', live.status.id)
  const whole = await get('secret', ns, 'edited-secret')
  const edits: (readonly string[])[] = [
    [
      'patch',
      'secret',
      'edited-secret',
      '-n',
      ns,
      '--type=merge',
      '-p',
      '{"data":{"envelope":"AAAA"}}',
    ],
    ['patch', 'secret', 'edited-secret', '-n', ns, '--type=merge', '-p', '{"data":null}'],
    [
      'patch',
      'secret',
      'edited-secret',
      '-n',
      ns,
      '--type=merge',
      '-p',
      '{"data":{"more":"AAAA"}}',
    ],
    ['label', 'secret', 'edited-secret', '-n', ns, 'cardea.dev/installation-'],
    ['delete', 'secret', 'edited-secret', '-n', ns],
  ]
  for (const edit of edits) {
    await kubectl(...edit)
    await eventually(
      `the repair after ${edit.join(' ')}`,
      async () => {
        const secret = await get('secret', ns, 'edited-secret')
        const same = JSON.stringify(secret?.data) === JSON.stringify(whole?.data)
        return same && secret?.metadata.labels?.['cardea.dev/installation'] ? true : undefined
      },
      10_000,
    )
  }
  expect(await unwrap('edited-secret', live.status.id)).toBe(key)
  const metrics = await operator.registry.metrics()
  expect(metrics).toMatch(/cardea_drift_repairs_total\{kind="APIKey",where="secret"\} [1-9]/)
})

test('a row that was changed with psql is put right', async () => {
  await apply(anAPIKey(ns, 'row'))
  const live = await whenReady('apikey', ns, 'row')
  const digest = (await secretRows('row'))[0]?.digest
  const edits = [
    `update cardea.api_keys set scopes = '{admin}' where name = 'row'`,
    `update cardea.api_keys set deleted_at = now() where name = 'row'`,
    `update cardea.api_keys set name = 'other' where name = 'row'`,
    `update cardea.api_key_secrets set digest = sha256('mine') where api_key_id = '${live.status.id}'`,
    `update cardea.api_key_secrets set revoked_at = now() where api_key_id = '${live.status.id}'`,
    `insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source) select organization_id, id, sha256('added'), 'minted' from cardea.api_keys where name = 'row'`,
    `delete from cardea.api_key_secrets where api_key_id = '${live.status.id}'`,
    `delete from cardea.api_keys where name = 'row'`,
  ]
  for (const edit of edits) {
    await query(operator.database.superuserUrl, edit)
    await eventually(
      `the repair after ${edit}`,
      async () => {
        const rows = await query<{
          id: string
          scopes: string[]
          deleted_at: Date | null
          digests: string
          revoked: string
        }>(
          operator.database.superuserUrl,
          `select k.id, k.scopes, k.deleted_at, string_agg(encode(s.digest, 'hex'), ',') as digests, count(s.revoked_at)::text as revoked
         from cardea.api_keys k left join cardea.api_key_secrets s on s.api_key_id = k.id where k.name = 'row' group by k.organization_id, k.id`,
        )
        const [row] = rows
        const right =
          row?.id === live.status.id &&
          row?.scopes.join() === 'scans:read' &&
          row.deleted_at === null &&
          row.digests === digest?.toString('hex') &&
          row.revoked === '0'
        return right ? true : undefined
      },
      10_000,
    )
  }
  const events = await kubectl(
    'get',
    'events.events.k8s.io',
    '-n',
    ns,
    '-o',
    'jsonpath={.items[*].reason}',
  )
  expect(events).toContain('DriftRepaired')
})

test('a deleted key is gone from the table of secrets, and its Secret with it', async () => {
  await apply(anAPIKey(ns, 'gone'))
  await whenReady('apikey', ns, 'gone')
  await kubectl('delete', 'apikey', 'gone', '-n', ns, '--timeout=20s')
  expect(await secretRows('gone')).toEqual([])
  expect(await get('secret', ns, 'gone-secret')).toBeUndefined()
  const kept = await query(
    operator.database.superuserUrl,
    `select 1 from cardea.api_keys where name = 'gone' and deleted_at is not null`,
  )
  expect(kept.length).toBe(1)
})
