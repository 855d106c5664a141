import { afterAll, beforeAll, expect, test } from 'vitest'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, get, kubectl, whenReady } from '../support/kube.ts'
import { startOperator, type TestOperator } from '../support/operator.ts'
import { query } from '../support/postgres.ts'

let operator: TestOperator
let ns: string
beforeAll(async () => {
  ns = await testCluster().namespace()
  operator = await startOperator({ namespaces: [ns] })
  await apply(anOrganization(ns, 'acme'))
})
afterAll(() => operator.stop())

/** As a backup of the namespace holds them: the resource with its status, and its Secret. */
async function restore(name: string, backup: { status: object; secret: object }): Promise<void> {
  await apply(anAPIKey(ns, name, { suspend: true }))
  const patch = JSON.stringify({ status: backup.status })
  await kubectl(
    'patch',
    'apikey',
    name,
    '-n',
    ns,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  )
  const { uid } = (await get('apikey', ns, name))?.metadata ?? {}
  const secret = structuredClone(backup.secret) as {
    metadata: Record<string, unknown> & { ownerReferences: object[] }
  }
  for (const field of ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields'])
    delete secret.metadata[field]
  secret.metadata.ownerReferences = secret.metadata.ownerReferences.map((owner) => ({
    ...owner,
    uid,
  }))
  await testCluster().kubectl(['create', '-f', '-'], { input: JSON.stringify(secret) })
  await apply(anAPIKey(ns, name))
}

test.each(['Retain', 'Delete'])(
  'a key that was deleted (%s) does not come back with a backup of its status and its Secret',
  async (policy) => {
    const name = `revived-${policy.toLowerCase()}`
    await apply(anAPIKey(ns, name, { deletionPolicy: policy }))
    const live = await whenReady('apikey', ns, name)
    const [before] = await query<{ digest: Buffer }>(
      operator.database.superuserUrl,
      `select digest from cardea.api_key_secrets where api_key_id = '${live.status.id}'`,
    )
    const secret = JSON.parse(
      await kubectl('get', 'secret', `${name}-secret`, '-n', ns, '-o', 'json'),
    )
    await kubectl('delete', 'apikey', name, '-n', ns, '--timeout=20s')
    await restore(name, { status: live.status, secret })
    await whenReady('apikey', ns, name, 'False')
    const after = await query<{ digest: Buffer }>(
      operator.database.superuserUrl,
      'select digest from cardea.live_api_keys',
    )
    expect(after.some(({ digest }) => digest.equals(before?.digest ?? Buffer.alloc(0)))).toBe(false)
    await kubectl('annotate', 'apikey', name, '-n', ns, 'cardea.dev/rotate-requested-at=restored')
    await whenReady('apikey', ns, name)
  },
)
