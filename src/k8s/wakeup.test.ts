import { expect, test } from 'vitest'
import type { ObjectMeta } from './object.ts'
import { ReferenceIndex } from './references.ts'
import { wakesItself, wakesReferrers } from './wakeup.ts'

interface Look {
  readonly metadata?: Partial<ObjectMeta>
  readonly ready?: 'True' | 'False'
  readonly observed?: number
}

const look = ({ metadata = {}, ready = 'True', observed = 1 }: Look) => ({
  apiVersion: 'runtime.test/v1',
  kind: 'Widget',
  metadata: {
    name: 'a',
    namespace: 'ns',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '',
    generation: 1,
    ...metadata,
  },
  status: {
    observedGeneration: observed,
    conditions: [
      { type: 'Ready', status: ready, reason: 'R', message: '', lastTransitionTime: '' },
    ],
  },
})

const change = (from: Look | undefined, to: Look, how = {}) => ({
  object: look(to),
  previous: from && look(from),
  deleted: false,
  initial: false,
  own: false,
  ...how,
})

const request = (value: string) => ({
  metadata: { annotations: { 'runtime.test/reconcile-requested-at': value } },
})

test.each<[string, Look | undefined, Look, string | undefined]>([
  ['it appears', undefined, {}, 'added'],
  ['its spec changes', {}, { metadata: { generation: 2 } }, 'spec changed'],
  ['it is deleted', {}, { metadata: { deletionTimestamp: 'now' } }, 'deleted'],
  ['somebody asks for a pass', {}, request('1'), 'requested'],
  ['somebody asks again', request('1'), request('2'), 'requested'],
  [
    'its finalizer is taken away',
    { metadata: { finalizers: ['runtime.test/widget'] } },
    {},
    'finalizer removed',
  ],
  ['its status changes', {}, { ready: 'False' }, undefined],
  ['its labels change', {}, { metadata: { labels: { a: 'b' } } }, undefined],
  ['an annotation of others changes', {}, { metadata: { annotations: { x: 'y' } } }, undefined],
  ['its finalizer is added', {}, { metadata: { finalizers: ['runtime.test/widget'] } }, undefined],
])('when %s, an object is woken or not', (_, from, to, reason) => {
  expect(wakesItself(change(from, to), 'runtime.test')).toBe(reason)
})

test('an object that is gone is not woken', () => {
  expect(wakesItself(change({}, {}, { deleted: true }), 'runtime.test')).toBeUndefined()
})

const secret = { metadata: { generation: undefined } }

test.each<[string, Look | undefined, Look, object, boolean]>([
  ['appears', undefined, {}, {}, true],
  ['goes', {}, {}, { deleted: true }, true],
  ['is being deleted', {}, { metadata: { deletionTimestamp: 'now' } }, {}, true],
  ['becomes Ready', { ready: 'False' }, {}, { own: true }, true],
  ['ceases to be Ready', {}, { ready: 'False' }, { own: true }, true],
  ['was reconciled for a new spec', {}, { observed: 2 }, { own: true }, true],
  ['has a new spec that nobody has looked at', {}, { metadata: { generation: 2 } }, {}, false],
  ['changes in nothing that counts', {}, { metadata: { labels: { a: 'b' } } }, {}, false],
  ['is a Secret that somebody changed', secret, secret, {}, true],
  ['is a Secret that we changed', secret, secret, { own: true }, false],
  ['is a Secret that we made', undefined, secret, { own: true }, false],
])('what refers to an object that %s is woken or not', (_, from, to, how, woken) => {
  expect(wakesReferrers(change(from, to, how))).toBe(woken)
})

test('references are found from both ends, and forgotten from both', () => {
  const index = new ReferenceIndex()
  expect(index.set('key/1', ['org/a', 'project/b'])).toEqual([])
  index.set('key/2', ['org/a'])
  expect([...index.referrers('org/a')]).toEqual(['key/1', 'key/2'])
  expect(index.set('key/1', ['project/b'])).toEqual(['org/a'])
  expect([...index.referrers('org/a')]).toEqual(['key/2'])
  expect(index.set('key/1', [])).toEqual(['project/b'])
  index.set('key/2', [])
  expect([...index.referrers('org/a'), ...index.referrers('project/b')]).toEqual([])
})
