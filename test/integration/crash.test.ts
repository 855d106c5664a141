import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestApiKey } from '../../src/domain/apikey.ts'
import { SECRETS, type SecretObject, secretText } from '../../src/k8s/secret.ts'
import { open, parseEnvelope } from '../../src/kms/envelope.ts'
import { apiKeyContext } from '../../src/operator/apikey/aad.ts'
import {
  anAPIKey,
  anOrganization,
  aProject,
  aProviderCredential,
} from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { admin, apply, get, type Loose, patch, remove, request } from '../support/kube.ts'
import { Lives, type ReconciledKind } from '../support/life.ts'
import { testKek } from '../support/operator.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
let ns: string
let lives: Lives
let superuser: Pool
beforeAll(async () => {
  database = await testDatabase()
  superuser = new Pool({ connectionString: database.superuserUrl, max: 1 })
  ns = await testCluster().namespace()
  lives = new Lives(ns, database)
  await apply(anOrganization(ns, 'acme'))
  await lives.live('organization', 'acme')
})
afterAll(async () => {
  await lives.stop()
  await superuser.end()
  await database.drop()
})

const sql = async (text: string, ...values: unknown[]): Promise<Loose[]> =>
  (await superuser.query(text, values)).rows
const status = async (name: string) => (await get('apikey', ns, name))?.status

/** Each test plays its scenario some thirty times; ms. */
const timeout = 180_000

interface Scenario {
  readonly kind: ReconciledKind
  /** What is there before, put in force by an operator that lives. */
  readonly given: (name: string) => Promise<void>
  /** What people, or a hand, do then. Answers the ids of the keys whose records were changed by hand. */
  readonly when: (name: string) => Promise<readonly string[] | undefined | void>
  readonly outcome: (name: string) => Promise<void>
}

const aKey = async (name: string, spec: object = {}): Promise<void> => {
  await apply(anAPIKey(ns, name, { ...spec }))
  await lives.live('apikey', name)
}
const rotation = { every: '90d', overlap: '24h' }

/** A key is in force: one record, as many secrets as there should be, one Secret, and all of them agree. */
async function inForce(
  name: string,
  expected: { secrets?: number; secretName?: string } = {},
): Promise<void> {
  const { secrets = 1, secretName = `${name}-secret` } = expected
  const live = await get('apikey', ns, name)
  expect(live?.status.conditions).toEqual([
    expect.objectContaining({ type: 'Ready', status: 'True' }),
  ])
  const keys = await sql('select id, deleted_at from cardea.api_keys where name = $1', name)
  expect(keys).toEqual([{ id: live?.status.id, deleted_at: null }])
  const rows = await sql(
    'select id, digest, expires_at, revoked_at, last_four from cardea.api_key_secrets where api_key_id = $1 order by created_at desc, id desc',
    live?.status.id,
  )
  expect(rows.filter((row) => row.expires_at === null)).toHaveLength(1)
  expect(rows).toHaveLength(secrets)
  expect(live?.status.keys.map((key: { id: string }) => key.id)).toEqual(rows.map((row) => row.id))
  expect(live?.status.prefix).toBe('ck')
  expect(live?.status.secretName).toBe(secretName)
  const owned = await ownedSecrets(name)
  expect(owned.map((secret) => secret.metadata.name)).toEqual([secretName])
  const envelope = parseEnvelope(secretText(owned[0] as SecretObject, 'envelope') ?? '')
  if (!envelope) throw new Error('the Secret holds no envelope')
  const key = await open(testKek, envelope, apiKeyContext(ns, secretName, live?.status.id))
  expect(rows[0]).toMatchObject({
    digest: digestApiKey(key.toString()),
    revoked_at: null,
    last_four: key.toString().slice(-4),
  })
}

async function ownedSecrets(name: string): Promise<readonly SecretObject[]> {
  const { items } = await admin().list<SecretObject>(SECRETS, { namespace: ns })
  return items.filter((secret) =>
    secret.metadata.ownerReferences?.some((owner) => owner.name === name),
  )
}

async function revoked(name: string): Promise<void> {
  expect(await get('apikey', ns, name)).toBeUndefined()
  expect(await ownedSecrets(name)).toEqual([])
  const live = await sql(
    'select 1 from cardea.api_key_secrets s join cardea.api_keys k on k.id = s.api_key_id where k.name = $1',
    name,
  )
  expect(live).toEqual([])
}

const secretOf = (name: string) => ({ secretRef: { name: `${name}-value`, key: 'token' } })
const setValue = (name: string, value: string) =>
  admin().apply(
    SECRETS,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-value`, namespace: ns },
      data: { token: Buffer.from(value).toString('base64') },
    },
    { fieldManager: 'author' },
  )
const declareCredential = async (name: string): Promise<void> => {
  await setValue(name, `first ${name}`)
  await apply(aProviderCredential(ns, name, { provider: name, valueFrom: secretOf(name) }))
}
const aCredential = async (name: string): Promise<void> => {
  await declareCredential(name)
  await lives.live('providercredential', name)
}
/** The newest version alone holds a value. */
async function credentialInForce(name: string, versions: number): Promise<void> {
  const { status: shown } = (await get('providercredential', ns, name)) ?? {}
  const rows = await sql(
    `select version, octet_length(sealed) > 0 as sealed, revoked_at is null as live
     from cardea.provider_credential_versions where provider_credential_id = $1 order by version`,
    shown.id,
  )
  const numbers = Array.from({ length: versions }, (_, at) => at + 1)
  expect(rows).toEqual(
    numbers.map((version) => {
      const newest = version === versions
      return { version, sealed: newest, live: newest }
    }),
  )
  expect(shown.version).toBe(versions)
}

const byHand = (edit: (id: string) => string) => async (name: string) => {
  const { id } = await status(name)
  await sql(edit(id))
  return [id]
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'a key is made': {
    kind: 'apikey',
    given: async () => {},
    when: (name) => apply(anAPIKey(ns, name)),
    outcome: (name) => inForce(name),
  },
  'a key is rotated with an overlap': {
    kind: 'apikey',
    given: (name) => aKey(name, { rotation }),
    when: (name) => request('apikey', ns, name, 'rotate-requested-at', 'one'),
    outcome: async (name) => {
      await inForce(name, { secrets: 2 })
      expect((await status(name)).lastHandledRotateAt).toBe('one')
    },
  },
  'a key is rotated at once': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: (name) => request('apikey', ns, name, 'rotate-requested-at', 'one'),
    outcome: async (name) => {
      await inForce(name)
      expect((await status(name)).lastHandledRotateAt).toBe('one')
    },
  },
  'its Secret gets another name': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: (name) => apply(anAPIKey(ns, name, { secretRef: { name: `${name}-moved` } })),
    outcome: (name) => inForce(name, { secretName: `${name}-moved` }),
  },
  'a key turns from an imported digest to a minted secret': {
    kind: 'apikey',
    given: (name) => aKey(name, { digest: { sha256: digestApiKey(name).toString('hex') } }),
    when: (name) => apply(anAPIKey(ns, name)),
    outcome: (name) => inForce(name),
  },
  'a key is deleted and retained': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: (name) => remove('apikey', ns, name),
    outcome: async (name) => {
      await revoked(name)
      const rows = await sql('select deleted_at from cardea.api_keys where name = $1', name)
      expect(rows).toEqual([{ deleted_at: expect.any(Date) }])
    },
  },
  'a key is deleted for good': {
    kind: 'apikey',
    given: (name) => aKey(name, { deletionPolicy: 'Delete' }),
    when: (name) => remove('apikey', ns, name),
    outcome: async (name) => {
      await revoked(name)
      expect(await sql('select 1 from cardea.api_keys where name = $1', name)).toEqual([])
    },
  },
  'a retained key comes back': {
    kind: 'apikey',
    given: async (name) => {
      await aKey(name)
      await remove('apikey', ns, name)
      await lives.live('apikey', name)
    },
    when: (name) => apply(anAPIKey(ns, name)),
    outcome: (name) => inForce(name),
  },
  'the row of a key is repaired': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: byHand(
      (id) =>
        `update cardea.api_keys set scopes = '{admin}', deleted_at = now() where id = '${id}'`,
    ),
    outcome: (name) => inForce(name),
  },
  'the lost row of a key is brought back': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: byHand((id) => `delete from cardea.api_keys where id = '${id}'`),
    outcome: (name) => inForce(name),
  },
  'an altered digest is repaired': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: byHand(
      (id) =>
        `update cardea.api_key_secrets set digest = sha256('${id}') where api_key_id = '${id}'`,
    ),
    outcome: (name) => inForce(name),
  },
  'an edited Secret is repaired': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: (name) => patch('secret', ns, `${name}-secret`, { data: { envelope: 'AAAA' } }),
    outcome: (name) => inForce(name),
  },
  'a lost Secret is repaired': {
    kind: 'apikey',
    given: (name) => aKey(name),
    when: (name) => remove('secret', ns, `${name}-secret`),
    outcome: (name) => inForce(name),
  },
  'an Organization is made': {
    kind: 'organization',
    given: async () => {},
    when: (name) => apply(anOrganization(ns, name)),
    outcome: async (name) => {
      const live = await get('organization', ns, name)
      expect(live?.status.conditions).toEqual([
        expect.objectContaining({ type: 'Ready', status: 'True' }),
      ])
      expect(await sql('select id from cardea.organizations where name = $1', name)).toEqual([
        { id: live?.status.id },
      ])
    },
  },
  'an Organization is deleted for good': {
    kind: 'organization',
    given: async (name) => {
      await apply(anOrganization(ns, name, { deletionPolicy: 'Delete' }))
      await lives.live('organization', name)
    },
    when: (name) => remove('organization', ns, name),
    outcome: async (name) => {
      expect(await get('organization', ns, name)).toBeUndefined()
      expect(await sql('select 1 from cardea.organizations where name = $1', name)).toEqual([])
    },
  },
  'a Project is made': {
    kind: 'project',
    given: async () => {},
    when: (name) => apply(aProject(ns, name)),
    outcome: async (name) => {
      const live = await get('project', ns, name)
      expect(live?.status.conditions).toEqual([
        expect.objectContaining({ type: 'Ready', status: 'True' }),
      ])
      expect(await sql('select id from cardea.projects where name = $1', name)).toEqual([
        { id: live?.status.id },
      ])
    },
  },
  'a credential is taken in': {
    kind: 'providercredential',
    // The data key of the organization is made once.
    given: () => aCredential('before'),
    when: (name) => declareCredential(name),
    outcome: (name) => credentialInForce(name, 1),
  },
  'a credential gets another value': {
    kind: 'providercredential',
    given: (name) => aCredential(name),
    when: async (name) => {
      await setValue(name, `second ${name}`)
    },
    outcome: (name) => credentialInForce(name, 2),
  },
  'a credential is deleted and retained': {
    kind: 'providercredential',
    given: (name) => aCredential(name),
    when: (name) => remove('providercredential', ns, name),
    outcome: async (name) => {
      expect(await get('providercredential', ns, name)).toBeUndefined()
      const rows = await sql(
        `select c.deleted_at, v.revoked_at, octet_length(v.sealed) as length from cardea.provider_credentials c
         join cardea.provider_credential_versions v on v.provider_credential_id = c.id where c.name = $1`,
        name,
      )
      const moment = expect.any(Date)
      expect(rows).toEqual([{ deleted_at: moment, revoked_at: moment, length: 0 }])
    },
  },
  'a Project is deleted and retained': {
    kind: 'project',
    given: async (name) => {
      await apply(aProject(ns, name))
      await lives.live('project', name)
    },
    when: (name) => remove('project', ns, name),
    outcome: async (name) => {
      expect(await get('project', ns, name)).toBeUndefined()
      expect(await sql('select deleted_at from cardea.projects where name = $1', name)).toEqual([
        { deleted_at: expect.any(Date) },
      ])
    },
  },
}

/** What happened to what is called so, in order: a crash adds nothing to it and takes nothing away. */
const trail = async (name: string) =>
  (
    await sql('select action from cardea.audit_events where target_name = $1 order by at, id', name)
  ).map((event) => event.action)

let series = 0
test.each(Object.entries(scenarios))(
  'kill -9 at every call while %s: the next operator ends what was begun',
  async (_, scenario) => {
    series += 1
    const { kind } = scenario
    /** Plays it once under a name of its own; answers the calls of the operator and the trail. */
    const play = async (name: string, lifetime?: number) => {
      await scenario.given(name)
      const changedByHand = (await scenario.when(name)) ?? []
      const process = await lives.live(kind, name, {
        changedByHand,
        ...(lifetime !== undefined && { lifetime }),
      })
      if (lifetime !== undefined) {
        expect(process.dead).toBe(true)
        // What the dead one had in its memory is lost.
        await lives.live(kind, name)
      }
      await scenario.outcome(name)
      const writes = lives.client.writeCount
      await lives.live(kind, name)
      expect(lives.client.writeCount).toBe(writes)
      return { calls: process.calls, trail: await trail(name) }
    }
    const undisturbed = await play(`s${series}`)
    // What is there before a call is made is what was there after the call before it.
    for (let made = 0; made <= undisturbed.calls.length; made += 1) {
      const last = undisturbed.calls[made - 1] ?? 'nothing'
      try {
        const disturbed = await play(`s${series}-${made}`, made)
        expect(disturbed.trail).toEqual(undisturbed.trail)
      } catch (error) {
        const message = `killed after call ${made}, ${last}: ${(error as Error).message}`
        throw new Error(message, { cause: error })
      }
    }
  },
  timeout,
)

test(
  'killed at every call of a move of its Secret, and moved on or back before the next operator: none is left behind',
  async () => {
    const move = (name: string, to: string) =>
      apply(anAPIKey(ns, name, { secretRef: { name: `${name}-${to}` } }))
    const calls = async (name: string, goal: string, lifetime?: number) => {
      await aKey(name)
      await move(name, 'moved')
      const process = await lives.live('apikey', name, {
        ...(lifetime !== undefined && { lifetime }),
      })
      await move(name, goal)
      await lives.live('apikey', name)
      await inForce(name, { secretName: `${name}-${goal}` })
      return process.calls.length
    }
    for (const goal of ['secret', 'further']) {
      const all = await calls(`moved-${goal}`, goal)
      for (let made = 0; made <= all; made += 1) await calls(`moved-${goal}-${made}`, goal, made)
    }
  },
  timeout,
)
