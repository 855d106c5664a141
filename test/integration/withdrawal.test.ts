import { afterAll, beforeAll, expect, test } from 'vitest'
import { anOrganization, anRBACBinding, anRBACRole, aProject } from '../support/build/resource.ts'
import { apply, remove, whenGone, whenReady } from '../support/kube.ts'
import { openScene, type Scene } from '../support/scene.ts'

let scene: Scene
let ns: string
let acme: string
beforeAll(async () => {
  scene = await openScene({ resyncInterval: 3_600_000 })
  ;({ ns } = scene)
  await apply(anOrganization(ns, 'acme'))
  acme = (await whenReady('organization', ns, 'acme')).status.id
})
afterAll(() => scene.stop())

/** What the HTTP API would have written for somebody. */
async function given(who: string, role: string, project: string | null): Promise<void> {
  const subjects = JSON.stringify([{ kind: 'User', name: `${who}@acme.example` }])
  await scene.sql(
    `insert into cardea.role_bindings (organization_id, name, role, project_id, subjects, managed_by) values ($1, $2, $3, $4, $5, 'api')`,
    acme,
    `member-${who}-${role}`,
    role,
    project,
    subjects,
  )
  await scene.sql(
    `insert into cardea.invitations (organization_id, email, role, project_id, expires_at, accepted_at, invited_by) values
       ($1, $2, $4, $5, now() + interval '1 day', null, uuidv7()), ($1, $3, $4, $5, now() + interval '1 day', now(), uuidv7())`,
    acme,
    `${who}-invited-${role}@acme.example`,
    `${who}-accepted-${role}@acme.example`,
    role,
    project,
  )
}

const namesOf = async (text: string) => (await scene.sql(text)).map(({ name }) => name)
const bindings = () => namesOf('select name from cardea.role_bindings order by name')
const pending = () =>
  namesOf(
    'select email as name from cardea.invitations where accepted_at is null and revoked_at is null order by email',
  )
const audited = (deleted: string) =>
  scene.sql(
    `select action, actor_kind, actor, target_name from cardea.audit_events where detail ->> 'deleted' = $1 order by action, target_name`,
    deleted,
  )

test('a project that is purged takes along what people were given on it at run time', async () => {
  await apply(aProject(ns, 'scanner', { deletionPolicy: 'Delete' }), aProject(ns, 'other'))
  const { id } = (await whenReady('project', ns, 'scanner')).status
  const other = (await whenReady('project', ns, 'other')).status.id
  await given('ann', 'viewer', id)
  await given('bob', 'viewer', other)
  await remove('project', ns, 'scanner')
  await whenGone('project', ns, 'scanner')
  expect(await bindings()).toEqual(['member-bob-viewer'])
  expect(await pending()).toEqual(['bob-invited-viewer@acme.example'])
  expect(await scene.sql('select from cardea.invitations where project_id = $1', id)).toEqual([])
  expect(await audited('project')).toEqual([
    {
      action: 'invitation.revoked',
      actor_kind: 'operator',
      actor: 'cardea-operator',
      target_name: 'ann-invited-viewer@acme.example',
    },
    {
      action: 'role_binding.deleted',
      actor_kind: 'operator',
      actor: 'cardea-operator',
      target_name: 'member-ann-viewer',
    },
  ])
})

test('a project that is retained keeps them', async () => {
  await apply(aProject(ns, 'kept'))
  const { id } = (await whenReady('project', ns, 'kept')).status
  await given('kim', 'viewer', id)
  await remove('project', ns, 'kept')
  await whenGone('project', ns, 'kept')
  expect(await bindings()).toContain('member-kim-viewer')
  expect(await pending()).toContain('kim-invited-viewer@acme.example')
})

test('a role that is deleted is taken from everybody, and the next of that name is nobody’s', async () => {
  const permissions = ['scans:read']
  await apply(anRBACRole(ns, 'reader', { permissions }), anRBACRole(ns, 'writer', { permissions }))
  await whenReady('rbacrole', ns, 'reader')
  await given('eve', 'reader', null)
  await given('eve', 'writer', null)
  await remove('rbacrole', ns, 'reader')
  await whenGone('rbacrole', ns, 'reader')
  expect(await bindings()).not.toContain('member-eve-reader')
  expect(await bindings()).toContain('member-eve-writer')
  expect(await pending()).not.toContain('eve-invited-reader@acme.example')
  expect(await pending()).toContain('eve-invited-writer@acme.example')
  expect((await audited('role')).map(({ target_name: name }) => name)).toEqual([
    'eve-invited-reader@acme.example',
    'member-eve-reader',
  ])
})

test('a binding may name people who have no account', async () => {
  const subjects = [{ kind: 'User', name: 'stranger@acme.example' }]
  await apply(anRBACBinding(ns, 'strangers', { role: 'viewer', subjects }))
  await whenReady('rbacbinding', ns, 'strangers')
})
