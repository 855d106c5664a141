import { afterAll, expect, test } from 'vitest'
import { kubeRequest } from '../../hack/local/kuberequest.ts'
import { startControlPlane, testCluster } from '../support/controlplane.ts'
import { query, startPostgres, testDatabase } from '../support/postgres.ts'

const databases = await Promise.all([testDatabase(), testDatabase()])
afterAll(() => Promise.all(databases.map((database) => database.drop())))

test('two databases of the template share nothing', async () => {
  const [one, other] = databases
  await query(one.superuserUrl, 'create table only_here ()')
  const look = "select from pg_tables where tablename = 'only_here'"
  expect(await query(one.superuserUrl, look)).toHaveLength(1)
  expect(await query(other.superuserUrl, look)).toHaveLength(0)
})

test('every role can log in and none of them is more than it should be', async () => {
  const [database] = databases
  for (const url of [database.migrateUrl, database.operatorUrl, database.authUrl]) {
    const rows = await query(
      url,
      'select rolsuper, rolbypassrls from pg_roles where rolname = current_user',
    )
    expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false }])
  }
})

test('a server that crashes comes back with what was committed', async () => {
  const server = await startPostgres()
  const url = server.superuserUrl('postgres')
  await query(url, 'create table kept as select 42 as answer')
  await server.crashAndRestart()
  expect(await query(url, 'select answer from kept')).toEqual([{ answer: 42 }])
  await server.stop()
})

test('the operator is known by its service account and may not do what its RBAC does not say', async () => {
  const cluster = testCluster()
  const namespace = await cluster.namespace()
  const asOperator = { kubeconfig: cluster.operatorKubeconfig }
  const whoAmI = ['auth', 'whoami', '--output=jsonpath={.status.userInfo.username}']
  expect(await cluster.kubectl(whoAmI, asOperator)).toBe(
    'system:serviceaccount:cardea-system:cardea-operator',
  )
  await expect(cluster.kubectl(['delete', 'namespace', namespace], asOperator)).rejects.toThrow(
    /Forbidden/,
  )
})

test('an API server can be paused and restarted, and forgets nothing', async () => {
  const plane = await startControlPlane()
  const target = { server: plane.server, ca: plane.ca, token: plane.adminToken }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kept' } }
  await kubeRequest(target, 'POST', '/api/v1/namespaces', namespace)
  const resume = plane.pauseApiServer()
  await expect(kubeRequest(target, 'GET', '/readyz', undefined, 500)).rejects.toThrow(
    /did not answer/,
  )
  resume()
  await plane.restartApiServer()
  expect((await kubeRequest(target, 'GET', '/api/v1/namespaces/kept')).status).toBe(200)
  await plane.stop()
})
