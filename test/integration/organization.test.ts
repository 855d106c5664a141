import { afterAll, beforeAll, expect, test } from 'vitest'
import { signInRules } from '../../src/domain/signinrules.ts'
import { anOrganization } from '../support/build/resource.ts'
import { apply, eventually, patch, whenReady } from '../support/kube.ts'
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
  query<{ sessions_revoked_before: string | null }>(
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
      revokedBefore: undefined,
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
  const revokedBefore = '2026-06-30T00:00:00Z'
  await patch('organization', ns, 'acme', { spec: { sessions: { revokedBefore } } })
  await eventually('the moment arrives', async () => {
    const [known] = await indexed(id)
    return known?.sessions_revoked_before === revokedBefore ? true : undefined
  })
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
      revokedBefore: undefined,
    },
    maxUsers: undefined,
  })
})
