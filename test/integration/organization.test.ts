import { afterAll, beforeAll, expect, test } from 'vitest'
import { signInRules } from '../../src/domain/signinrules.ts'
import { anOrganization } from '../support/build/resource.ts'
import { apply, messageOf, patch, whenReady } from '../support/kube.ts'
import { query } from '../support/postgres.ts'
import { openScene, type Scene } from '../support/scene.ts'

const minute = 60_000
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
})
afterAll(() => scene.stop())

/** What the auth service is given for its index. */
const indexed = (id: string) =>
  query<{ sessions_revoked_before: Date | null }>(
    scene.operator.database.authUrl,
    'select domains, owners, origins, sessions_revoked_before from cardea.index_organizations(array[$1::uuid])',
    [id],
  )

test('what an Organization says of its people is what the auth service obeys', async () => {
  await apply(
    anOrganization(ns, 'acme', {
      domains: ['acme.example'],
      owners: ['owner@acme.example'],
      origins: ['https://app.acme.example'],
      signIn: { methods: ['Password', 'EmailCode'] },
      password: { minLength: 12, complexity: 'Complex', history: 5 },
      lockout: { attempts: 3, duration: '30m' },
      sessions: { idle: '1h', lifetime: '1d', accessToken: '5m', refreshToken: '7d' },
      quotas: { users: 20 },
    }),
  )
  const { id } = (await whenReady('organization', ns, 'acme')).status
  const [row] = await scene.sql('select settings from cardea.organizations where id = $1', id)
  expect(signInRules(row?.['settings'])).toEqual({
    methods: ['Password', 'EmailCode'],
    password: { minLength: 12, complexity: 'Complex', history: 5 },
    lockout: { attempts: 3, duration: 30 * minute },
    sessions: {
      idle: 60 * minute,
      lifetime: 24 * 60 * minute,
      accessToken: 5 * minute,
      refreshToken: 7 * 24 * 60 * minute,
    },
    maxUsers: 20,
  })
  expect(await indexed(id)).toEqual([
    {
      domains: ['acme.example'],
      owners: ['owner@acme.example'],
      origins: ['https://app.acme.example'],
      sessions_revoked_before: null,
    },
  ])
})

test('what was revoked stays revoked, whatever a manifest that is put back says', async () => {
  await apply(anOrganization(ns, 'revoked'))
  const { id } = (await whenReady('organization', ns, 'revoked')).status
  const say = async (revokedBefore: string | null) => {
    await patch('organization', ns, 'revoked', { spec: { sessions: { revokedBefore } } })
    await whenReady('organization', ns, 'revoked')
  }
  const inForce = async () => (await indexed(id))[0]?.sessions_revoked_before?.toISOString()
  await say('2026-06-30T00:00:00Z')
  expect(await inForce()).toBe('2026-06-30T00:00:00.000Z')
  await say('2026-01-01T00:00:00Z')
  expect(await inForce()).toBe('2026-06-30T00:00:00.000Z')
  await say(null)
  expect(await inForce()).toBe('2026-06-30T00:00:00.000Z')
  await say('2026-07-01T00:00:00Z')
  expect(await inForce()).toBe('2026-07-01T00:00:00.000Z')
  await scene.sql(
    'update cardea.organizations set sessions_revoked_before = null where id = $1',
    id,
  )
  expect(await inForce()).toBe('2026-07-01T00:00:00.000Z')
  const events = await scene.sql(
    `select action, detail from cardea.audit_events where organization_id = $1 and detail ? 'sessionsRevokedBefore' order by at, id`,
    id,
  )
  expect(events).toEqual(
    ['2026-06-30T00:00:00.000Z', '2026-07-01T00:00:00.000Z'].map((sessionsRevokedBefore) => ({
      action: 'organization.updated',
      detail: { fields: ['sessionsRevokedBefore'], sessionsRevokedBefore },
    })),
  )
})

test('a moment that is ahead is not put in force, nor is anything beside it', async () => {
  await apply(anOrganization(ns, 'ahead'))
  const { id } = (await whenReady('organization', ns, 'ahead')).status
  const revokedBefore = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`
  const spec = { displayName: 'Another', sessions: { revokedBefore } }
  await patch('organization', ns, 'ahead', { spec })
  const live = await whenReady('organization', ns, 'ahead', 'False', 'RevocationAhead')
  expect(messageOf(live)).toContain('a moment that has passed')
  expect((await indexed(id))[0]?.sessions_revoked_before).toBeNull()
  const [row] = await scene.sql('select display_name from cardea.organizations where id = $1', id)
  expect(row?.['display_name']).not.toBe('Another')
})

test('the database holds a moment back that is ahead of its own clock', async () => {
  await apply(anOrganization(ns, 'clock'))
  const { id } = (await whenReady('organization', ns, 'clock')).status
  const [row] = await scene.sql(
    `update cardea.organizations set sessions_revoked_before = now() + interval '1 hour' where id = $1
     returning sessions_revoked_before between now() and clock_timestamp() as "isNow"`,
    id,
  )
  expect(row?.['isNow']).toBe(true)
})

test('an Organization that says nothing of its people has the defaults that its fields describe', async () => {
  await apply(anOrganization(ns, 'plain'))
  const { id } = (await whenReady('organization', ns, 'plain')).status
  const [row] = await scene.sql('select settings from cardea.organizations where id = $1', id)
  expect(signInRules(row?.['settings'])).toEqual({
    methods: ['Password', 'Passkey', 'SSO'],
    password: { minLength: 15, complexity: 'None', history: 0 },
    lockout: { attempts: 5, duration: 15 * minute },
    sessions: {
      idle: 8 * 60 * minute,
      lifetime: 7 * 24 * 60 * minute,
      accessToken: 15 * minute,
      refreshToken: 30 * 24 * 60 * minute,
    },
    maxUsers: undefined,
  })
})
