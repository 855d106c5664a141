import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeClient } from '../../src/k8s/client.ts'
import { OwnedSecrets, SECRETS, type SecretObject, secretText } from '../../src/k8s/secret.ts'
import type { ObjectStore } from '../../src/k8s/store.ts'
import { testCluster } from '../support/controlplane.ts'
import { eventually, testManager, widgetClient } from '../support/runtime.ts'
import { aWidget, WIDGETS, type Widget } from '../support/widget.ts'

const cluster = testCluster()
const label = { name: 'runtime.test/managed-by', value: 'test-operator' }
let client: KubeClient
let namespace: string
let owner: Widget
let store: ObjectStore<SecretObject>
let secrets: OwnedSecrets
let stop: () => Promise<void>

beforeAll(async () => {
  namespace = await cluster.namespace()
  client = await widgetClient(cluster.kubeconfig)
  const { manager } = testManager(await widgetClient(cluster.kubeconfig), {
    namespaces: [namespace],
  })
  store = manager.watch<SecretObject>(SECRETS, `${label.name}=${label.value}`)
  await manager.start(() => {})
  secrets = new OwnedSecrets({ client, store, label, fieldManager: 'test-operator' })
  stop = () => manager.stop(0)
})

afterAll(() => stop())

let count = 0
let name: string

beforeEach(async () => {
  count += 1
  name = `secret-${count}`
  const made = aWidget(namespace, `owner-${count}`)
  owner = await client.create<Widget>(WIDGETS, made, { fieldManager: 'test' })
})

const content = () => ({
  name,
  type: 'runtime.test/sealed',
  labels: { 'runtime.test/version': '1' },
  data: { envelope: '{"v":1,"ü":"é"}' },
})

const read = async (): Promise<SecretObject> => {
  const secret = await client.get<SecretObject>(SECRETS, namespace, name)
  if (!secret) throw new Error('there is no Secret')
  return secret
}

const byHand = (patch: object) =>
  client.patch<SecretObject>(SECRETS, namespace, name, patch, { fieldManager: 'kubectl' })

const untilCached = (secret: SecretObject) =>
  eventually(
    () =>
      store.get(`${namespace}/${name}`)?.metadata.resourceVersion ===
      secret.metadata.resourceVersion,
    'the cache has heard',
  )

test('a Secret is made with its owner, type, labels and data, and a second delivery writes nothing', async () => {
  const made = await secrets.deliver(owner, content())
  expect(made.result).toBe('created')
  const secret = await read()
  expect(secret).toMatchObject({
    type: 'runtime.test/sealed',
    metadata: {
      labels: { [label.name]: label.value, 'runtime.test/version': '1' },
      ownerReferences: [{ kind: 'Widget', uid: owner.metadata.uid, controller: true }],
    },
  })
  expect(secretText(secret, 'envelope')).toBe(content().data.envelope)
  await untilCached(secret)
  const writes = client.writeCount
  expect((await secrets.deliver(owner, content())).result).toBe('unchanged')
  expect(client.writeCount).toBe(writes)
})

test('a second delivery before the cache has heard of the first makes no second Secret', async () => {
  const blind = new OwnedSecrets({
    client,
    store: {
      get: () => undefined,
      creating: <C>(_key: string, create: () => Promise<C>) => create(),
      observe: () => {},
      values: () => new Map().values(),
    },
    label,
    fieldManager: 'test-operator',
  })
  expect((await blind.deliver(owner, content())).result).toBe('created')
  expect((await blind.deliver(owner, content())).result).toBe('unchanged')
  expect(await blind.read(namespace, name)).toEqual(await read())
})

test.each([
  ['data', { data: { envelope: btoa('forged') } }],
  ['data', { data: { more: btoa('smuggled') } }],
  ['data', { data: null }],
  ['labels', { metadata: { labels: { 'runtime.test/version': '0' } } }],
  ['labels', { metadata: { labels: { [label.name]: null } } }],
  ['owner', { metadata: { ownerReferences: null } }],
])('what somebody changed by hand in its %s is put right: %j', async (difference, edit) => {
  await secrets.deliver(owner, content())
  const before = await read()
  const edited = await byHand(edit)
  const unlabelled = edited.metadata.labels?.[label.name] === undefined
  if (unlabelled) await eventually(() => !store.get(`${namespace}/${name}`), 'it left the cache')
  else await untilCached(edited)
  const repaired = await secrets.deliver(owner, content())
  expect(repaired).toMatchObject({ result: 'repaired', differences: [difference] })
  const after = await read()
  expect(after.data).toEqual(before.data)
  expect(after.metadata.labels).toEqual(before.metadata.labels)
  expect(after.metadata.ownerReferences).toEqual(before.metadata.ownerReferences)
  expect(after.metadata.uid).toBe(before.metadata.uid)
})

test('one that somebody stuffed until it is too fat for the cache is put right', async () => {
  await secrets.deliver(owner, content())
  const before = await read()
  const stuffed = await byHand({ data: { more: btoa('x'.repeat(900_000)) } })
  await untilCached(stuffed)
  expect(store.get(`${namespace}/${name}`)?.data).toBeUndefined()
  expect((await secrets.read(namespace, name))?.data).toEqual(stuffed.data)
  const repaired = await secrets.deliver(owner, content())
  expect(repaired).toMatchObject({ result: 'repaired', differences: ['data'] })
  await untilCached(await read())
  expect((await read()).data).toEqual(before.data)
  expect((await secrets.deliver(owner, content())).result).toBe('unchanged')
  expect(secrets.namesOf(owner)).toEqual([name])
})

test('fat Secrets with our label take next to no memory, whether they are listed or watched', async () => {
  const fat = { more: Buffer.alloc(700_000, 'x').toString('base64') }
  const labels = { [label.name]: label.value }
  const annotations = { note: 'x'.repeat(200_000) }
  const make = (i: number) =>
    client.create<SecretObject>(
      SECRETS,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name: `fat-${i}`, labels, annotations },
        data: fat,
      },
      { fieldManager: 'kubectl' },
    )
  for (let i = 0; i < 30; i += 1) await make(i)
  const { manager } = testManager(await widgetClient(cluster.kubeconfig), {
    namespaces: [namespace],
  })
  const listed = manager.watch<SecretObject>(SECRETS, `${label.name}=${label.value}`)
  await manager.start(() => {})
  await manager.stop(0)
  for (const cache of [listed, store]) {
    await eventually(() => cache.get(`${namespace}/fat-29`), 'the last is cached')
    const cached = [...cache.values()].filter((one) => one.metadata.name.startsWith('fat-'))
    expect(cached).toHaveLength(30)
    expect(JSON.stringify(cached).length).toBeLessThan(30_000)
  }
})

test('labels and annotations of others stay', async () => {
  await secrets.deliver(owner, content())
  await byHand({
    metadata: { labels: { team: 'a' }, annotations: { note: 'b' } },
    data: { envelope: btoa('forged') },
  })
  await untilCached(await read())
  await secrets.deliver(owner, content())
  expect((await read()).metadata).toMatchObject({
    labels: { team: 'a' },
    annotations: { note: 'b' },
  })
})

test('one that was sealed with `immutable`, or made with another type, is made anew', async () => {
  await secrets.deliver(owner, content())
  const before = await read()
  await byHand({ data: { envelope: btoa('forged') }, immutable: true })
  await untilCached(await read())
  expect(await secrets.deliver(owner, content())).toMatchObject({ result: 'repaired' })
  const after = await read()
  expect(after.data).toEqual(before.data)
  expect(after.immutable).toBeUndefined()

  await untilCached(after)
  const opaque = { ...content(), type: 'Opaque' }
  expect(await secrets.deliver(owner, opaque)).toMatchObject({ differences: ['type'] })
  expect((await read()).type).toBe('Opaque')
})

const CONFIG_MAPS = { ...SECRETS, kind: 'ConfigMap', plural: 'configmaps' }

test.each(['nobody', 'a ConfigMap', 'another Widget'])(
  'a Secret of %s is neither changed nor deleted',
  async (whose) => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name } }
    const as = { fieldManager: 'kubectl' }
    const theirOwner =
      whose === 'a ConfigMap'
        ? await client.create(CONFIG_MAPS, config, as)
        : await client.create(WIDGETS, aWidget(namespace, `other-${count}`), as)
    const { apiVersion, kind, metadata } = theirOwner
    const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true }
    const ownerReferences = whose === 'nobody' ? [] : [reference]
    const manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name, ownerReferences },
      data: { password: btoa('theirs') },
    }
    const theirs = await client.create<SecretObject>(SECRETS, manifest, as)
    expect((await secrets.deliver(owner, content())).result).toBe('foreign')
    expect(await secrets.withdraw(owner, name)).toBe('foreign')
    expect(await read()).toEqual(theirs)
  },
)

test('a Secret is withdrawn once', async () => {
  await secrets.deliver(owner, content())
  expect(await secrets.withdraw(owner, name)).toBe('deleted')
  await eventually(() => !store.get(`${namespace}/${name}`), 'it left the cache')
  expect(await secrets.withdraw(owner, name)).toBe('absent')
})
