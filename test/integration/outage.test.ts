import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization, aProject } from '../support/build/resource.ts'
import { apply, eventually, get, messageOf, request, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'
import { unreliableKms } from '../support/unreliablekms.ts'

const kms = unreliableKms()
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ kms })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => scene.stop())

const secretRows = (name: string) =>
  scene.sql(
    `select s.id, s.digest from cardea.api_key_secrets s join cardea.api_keys k on k.id = s.api_key_id where k.name = $1 order by s.id`,
    name,
  )
const answered = (name: string, value: string) =>
  eventually(`the answer to ${value}`, async () => {
    const live = await get('apikey', ns, name)
    return live?.status.lastHandledReconcileAt === value ? live : undefined
  })

test('without the KMS no key is made, what is in force stays in force, and then all goes on', async () => {
  await apply(anAPIKey(ns, 'before'))
  const before = await whenReady('apikey', ns, 'before')
  const [rows, secret] = [await secretRows('before'), await get('secret', ns, 'before-secret')]
  kms.away = true
  await apply(anAPIKey(ns, 'during'))
  const during = await whenReady('apikey', ns, 'during', 'False', 'KeyManagementUnavailable')
  expect(messageOf(during)).toContain('The key alias/acme does not answer')
  expect(await secretRows('during')).toEqual([])
  expect(await get('secret', ns, 'during-secret')).toBeUndefined()
  // A pass over a key that is well asks the KMS nothing.
  await request('apikey', ns, 'before', 'reconcile-requested-at', 'quiet')
  expect((await answered('before', 'quiet')).status.conditions[0].status).toBe('True')
  // A rotation needs it, and until then nothing changes.
  await request('apikey', ns, 'before', 'rotate-requested-at', 'during')
  await whenReady('apikey', ns, 'before', 'False', 'KeyManagementUnavailable')
  expect(await secretRows('before')).toEqual(rows)
  expect((await get('secret', ns, 'before-secret'))?.data).toEqual(secret?.data)
  kms.away = false
  for (const name of ['before', 'during']) {
    await request('apikey', ns, name, 'reconcile-requested-at', 'recovered')
    await answered(name, 'recovered')
    await whenReady('apikey', ns, name)
  }
  const after = await get('apikey', ns, 'before')
  expect(after?.status.lastHandledRotateAt).toBe('during')
  expect(after?.status.keys).toHaveLength(1)
  expect(after?.status.keys[0].id).not.toBe(before.status.keys[0].id)
})

test('without PostgreSQL every kind says so, and is Ready when it is back', async () => {
  const { name } = scene.operator.database
  await scene.sql(`alter database ${name} connection limit 0`)
  await scene.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = 'cardea_operator'`,
    name,
  )
  await apply(anOrganization(ns, 'late'), aProject(ns, 'late'))
  for (const kind of ['organization', 'project']) {
    const live = await whenReady(kind, ns, 'late', 'False', 'ReconcileError')
    expect(messageOf(live)).toBe(
      'PostgreSQL did not answer. What is in force stays in force, and the operator tries again.',
    )
  }
  await scene.sql(`alter database ${name} connection limit -1`)
  await whenReady('organization', ns, 'late')
  await whenReady('project', ns, 'late')
})

test('a fault that nobody foresaw is told without its inside, tried again, and harms no other object', async () => {
  await scene.sql(
    `create function cardea.poison() returns trigger language plpgsql as $$ begin
       if new.name = 'poison' then raise exception 'canary-of-the-inside'; end if; return new;
     end $$`,
  )
  await scene.sql(
    'create trigger poison before insert on cardea.projects for each row execute function cardea.poison()',
  )
  await apply(aProject(ns, 'poison'), aProject(ns, 'neighbour'))
  await whenReady('project', ns, 'neighbour')
  const live = await whenReady('project', ns, 'poison', 'False', 'ReconcileError')
  expect(JSON.stringify(live)).not.toContain('canary')
  expect(live.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Reconciling', reason: 'ProgressingWithRetry' }),
  )
  await scene.sql('drop trigger poison on cardea.projects')
  await whenReady('project', ns, 'poison')
})
