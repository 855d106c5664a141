import { afterAll, beforeAll, expect, test } from 'vitest'
import { anOrganization } from '../support/build/resource.ts'
import { apply, eventually, patch, remove, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

const [ann, bob] = ['ann@acme.example', 'bob@acme.example']
let scene: Scene
let ns: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
})
afterAll(() => scene.stop())

async function named(name: string, owners: readonly string[]): Promise<string> {
  await apply(anOrganization(ns, name, { owners }))
  return (await whenReady('organization', ns, name)).status.id
}

const invitationsOf = (id: string) =>
  scene.sql(
    'select * from cardea.invitations where organization_id = $1 order by created_at, email',
    id,
  )
const mailsOf = (id: string) =>
  scene.sql(
    'select * from cardea.mails where organization_id = $1 order by created_at, recipient',
    id,
  )
const auditOf = (id: string) =>
  scene.sql(
    `select action, actor_kind, target_name, detail from cardea.audit_events
     where organization_id = $1 and target_kind = 'invitation' order by at`,
    id,
  )
const wake = (name: string) =>
  patch('organization', ns, name, {
    metadata: { annotations: { 'cardea.dev/reconcile-requested-at': String(Math.random()) } },
  })

async function passes(name: string): Promise<void> {
  const before = (await whenReady('organization', ns, name)).status.lastHandledReconcileAt
  await wake(name)
  await eventually('another pass', async () => {
    const { status } = await whenReady('organization', ns, name)
    return status.lastHandledReconcileAt === before ? undefined : true
  })
}

test('each owner whom the resource names is invited, once, with a mail that has no token', async () => {
  const id = await named('fresh', [ann, bob])
  const invitations = await invitationsOf(id)
  expect(invitations).toMatchObject(
    [ann, bob].map((email) => ({
      email,
      role: 'owner',
      project_id: null,
      invited_by: null,
      accepted_at: null,
      revoked_at: null,
    })),
  )
  const [first] = invitations
  expect(first?.expires_at.getTime() - first?.created_at.getTime()).toBe(7 * 86_400_000)
  expect(await mailsOf(id)).toMatchObject(
    invitations.map(({ id: subject, email }) => ({
      template: 'invitation',
      recipient: email,
      subject_id: subject,
      arguments: {},
      state: 'queued',
    })),
  )
  expect(await auditOf(id)).toMatchObject(
    [ann, bob].map((email) => ({
      action: 'invitation.created',
      actor_kind: 'operator',
      target_name: email,
    })),
  )
  await passes('fresh')
  await patch('organization', ns, 'fresh', { spec: { displayName: 'Renamed' } })
  await eventually('it is renamed', async () => {
    const [row] = await scene.sql('select display_name from cardea.organizations where id = $1', id)
    return row?.['display_name'] === 'Renamed' ? true : undefined
  })
  expect(await invitationsOf(id)).toEqual(invitations)
  expect(await mailsOf(id)).toHaveLength(2)
})

test('an owner with an account is not invited, suspended or not', async () => {
  const id = await named('known', [])
  for (const [email, suspended] of [
    [ann, null],
    [bob, new Date()],
  ] as const) {
    await scene.sql(
      `insert into cardea.users (organization_id, email, suspended_at) values ('${id}', '${email}', $1::timestamptz)`,
      suspended?.toISOString() ?? null,
    )
  }
  await named('known', [ann, bob])
  await passes('known')
  expect(await invitationsOf(id)).toEqual([])
})

test('an address with which nobody can sign in is not invited', async () => {
  const id = await named('local', ['root@localhost', 'a..b@acme.example'])
  expect(await invitationsOf(id)).toEqual([])
})

test('an invitation that expired begins anew, with another mail', async () => {
  const id = await named('expired', [ann])
  const [before] = await invitationsOf(id)
  await scene.sql(
    `update cardea.invitations set expires_at = now() - interval '1 second' where organization_id = $1`,
    id,
  )
  await passes('expired')
  const invitations = await invitationsOf(id)
  expect(invitations).toHaveLength(1)
  expect(invitations[0]?.id).toBe(before?.id)
  expect(invitations[0]?.expires_at.getTime()).toBeGreaterThan(Date.now() + 6 * 86_400_000)
  expect(await mailsOf(id)).toHaveLength(2)
  expect((await auditOf(id)).map(({ action }) => action)).toEqual([
    'invitation.created',
    'invitation.renewed',
  ])
})

test('an owner who lets four invitations expire is sent no more, until the resource changes', async () => {
  const id = await named('silent', [ann])
  const expire = () =>
    scene.sql(
      `update cardea.invitations set expires_at = now() - interval '40 days' where organization_id = $1`,
      id,
    )
  for (let n = 0; n < 5; n++) {
    await expire()
    await passes('silent')
  }
  expect(await mailsOf(id)).toHaveLength(4)
  await expire()
  // What is forgotten could not be counted.
  await scene.sql(`select cardea.prune_people(interval '30 days', 1000)`)
  await passes('silent')
  expect(await mailsOf(id)).toHaveLength(4)
  await patch('organization', ns, 'silent', { spec: { displayName: 'Renamed' } })
  await eventually('there is another mail', async () =>
    (await mailsOf(id)).length === 5 ? true : undefined,
  )
})

test('the end of an invitation is not slept through', async () => {
  const id = await named('punctual', [ann])
  await scene.sql(
    `update cardea.invitations set expires_at = now() + interval '3 seconds' where organization_id = $1`,
    id,
  )
  await passes('punctual')
  await eventually('it began anew by itself', async () =>
    (await mailsOf(id)).length === 2 ? true : undefined,
  )
})

test('an owner who is taken out of the list cannot accept any more', async () => {
  const id = await named('former', [ann, bob])
  await named('former', [bob])
  const [first, second] = await eventually('it is revoked', async () => {
    const rows = await invitationsOf(id)
    return rows.some((row) => row['revoked_at']) ? rows : undefined
  })
  expect(first).toMatchObject({ email: ann, revoked_at: expect.any(Date) })
  expect(second).toMatchObject({ email: bob, revoked_at: null })
  expect((await auditOf(id)).at(-1)).toMatchObject({
    action: 'invitation.revoked',
    target_name: ann,
  })
  await named('former', [ann, bob])
  const again = await eventually('it is made again', async () => {
    const rows = await invitationsOf(id)
    return rows.length === 3 ? rows : undefined
  })
  expect(again[2]).toMatchObject({ email: ann, revoked_at: null })
})

test('a purged organization takes its people and all that is theirs along', async () => {
  await apply(anOrganization(ns, 'purged', { owners: [ann], deletionPolicy: 'Delete' }))
  const { id } = (await whenReady('organization', ns, 'purged')).status
  await scene.sql(
    `with person as (insert into cardea.users (organization_id, email) values ($1, '${bob}') returning organization_id, id),
       password as (insert into cardea.passwords (organization_id, user_id, hash) select organization_id, id, '$argon2id$x' from person),
       device as (insert into cardea.devices (organization_id, user_id, digest) select organization_id, id, sha256('d') from person),
       session as (insert into cardea.sessions (organization_id, user_id, kind, digest, methods, idle_timeout, expires_at)
         select organization_id, id, 'token', sha256('s'), '{pwd}', 60, now() + interval '1 day' from person returning organization_id, id)
     insert into cardea.refresh_tokens (organization_id, session_id, digest, expires_at)
       select organization_id, id, sha256('r'), now() + interval '1 day' from session`,
    id,
  )
  await scene.sql(
    `insert into cardea.one_time_tokens (organization_id, purpose, subject_id, digest, expires_at) values ($1, 'password_reset', uuidv7(), sha256('t'), now())`,
    id,
  )
  await scene.sql(
    `insert into cardea.sign_in_failures (organization_id, kind, subject) values ($1, 'account', sha256('f'))`,
    id,
  )
  await scene.sql(
    `insert into cardea.revoked_access_tokens (organization_id, jti, expires_at) values ($1, uuidv7(), now())`,
    id,
  )
  await remove('organization', ns, 'purged')
  await whenGone('organization', ns, 'purged')
  const tables = await scene.sql<{ name: string }>(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
     where c.relnamespace = 'cardea'::regnamespace and c.relkind = 'r'
       and c.relname not in ('audit_events', 'changes')`,
  )
  expect(tables.length).toBeGreaterThan(15)
  for (const { name } of tables) {
    const rows = await scene.sql(`select from cardea.${name} where organization_id = $1`, id)
    expect(rows, name).toEqual([])
  }
})
