import { expect, test } from 'vitest'
import type { KubeObject } from './object.ts'
import { type Change, isOlder, ObjectStore } from './store.ts'

const object = (name: string, resourceVersion: string, uid = `uid-${name}`): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'ns', uid, resourceVersion, creationTimestamp: '' },
})

function aStore() {
  const changes: Change<KubeObject>[] = []
  const store = new ObjectStore<KubeObject>(() => expect.unreachable())
  store.subscribe((change) => changes.push(change))
  const told = () =>
    changes.map((c) => {
      const what = c.deleted ? 'deleted' : c.previous ? 'updated' : 'added'
      return `${what} ${c.object.metadata.resourceVersion}${c.own ? ' own' : ''}`
    })
  const list = (resourceVersion: string, items: KubeObject[], since?: string) =>
    store.replace(undefined, { items, resourceVersion }, { initial: false, since })
  return { store, told, list }
}

const event = (type: 'ADDED' | 'MODIFIED' | 'DELETED', it: KubeObject) => ({ type, object: it })

test('what we wrote is there at once, and its echo is no news', () => {
  const { store, told } = aStore()
  store.receive(event('ADDED', object('a', '5')))
  store.observe(object('a', '7'))
  expect(store.get('ns/a')?.metadata.resourceVersion).toBe('7')
  store.receive(event('MODIFIED', object('a', '6')))
  store.receive(event('MODIFIED', object('a', '7')))
  expect(told()).toEqual(['added 5', 'updated 7 own'])
  store.receive(event('MODIFIED', object('a', '10')))
  expect(told().at(-1)).toBe('updated 10')
})

test('what we made is added when it is heard of, as ours', () => {
  const { store, told } = aStore()
  store.observe(object('a', '5'))
  expect(store.get('ns/a')).toBeUndefined()
  store.receive(event('ADDED', object('a', '5')))
  expect(told()).toEqual(['added 5 own'])
})

test('a write whose object was deleted before it returned leaves no ghost', () => {
  const { store, told } = aStore()
  store.receive(event('ADDED', object('a', '5')))
  store.receive(event('DELETED', object('a', '8')))
  store.observe(object('a', '6'))
  expect(store.size).toBe(0)
  expect(told()).toEqual(['added 5', 'deleted 8'])
})

test('a late event of a former object of the name changes nothing', () => {
  const { store, told } = aStore()
  store.receive(event('ADDED', object('a', '9', 'new')))
  store.receive(event('MODIFIED', object('a', '6', 'old')))
  store.receive(event('DELETED', object('a', '7', 'old')))
  store.observe(object('a', '8', 'old'))
  expect(told()).toEqual(['added 9'])
})

test('a list that is older than a write of ours does not undo it', () => {
  const { store, list } = aStore()
  list('5', [object('a', '4')])
  store.observe(object('a', '8'))
  list('6', [object('a', '4')], '5')
  expect(store.get('ns/a')?.metadata.resourceVersion).toBe('8')
})

test('a server that was restored from a backup is right', () => {
  const { list, told, store } = aStore()
  list('500', [object('a', '400'), object('b', '450')])
  list('100', [object('a', '90')], '500')
  expect(told()).toEqual(['added 400', 'added 450', 'deleted 450', 'updated 90'])
  expect(store.size).toBe(1)
})

test('a list of one namespace leaves the others alone', () => {
  const { store } = aStore()
  store.receive(event('ADDED', object('a', '5')))
  const empty = { items: [], resourceVersion: '9' }
  store.replace('other', empty, { initial: false, since: undefined })
  expect(store.size).toBe(1)
  store.replace('ns', empty, { initial: false, since: undefined })
  expect(store.size).toBe(0)
})

test('own writes whose echo never comes do not pile up', () => {
  const { store, told } = aStore()
  for (let i = 0; i < 5000; i += 1) store.observe(object(`n${i}`, '5'))
  store.receive(event('ADDED', object('n0', '5')))
  store.receive(event('ADDED', object('n4999', '5')))
  expect(told()).toEqual(['added 5', 'added 5 own'])
})

test('versions are compared as numbers of any length', () => {
  expect(isOlder('9', '10')).toBe(true)
  expect(isOlder('10', '9')).toBe(false)
  expect(isOlder('9007199254740993', '9007199254740994')).toBe(true)
  expect(isOlder('7', '7')).toBe(false)
})

test('what we are creating is ours also when its event comes before the answer', async () => {
  const { store, told } = aStore()
  await store.creating('ns/a', async () => {
    store.receive(event('ADDED', object('a', '5')))
    store.receive(event('MODIFIED', object('a', '6')))
    return object('a', '5')
  })
  store.observe(object('a', '5'))
  store.receive(event('ADDED', object('b', '7')))
  expect(told()).toEqual(['added 5 own', 'updated 6', 'added 7'])
})
