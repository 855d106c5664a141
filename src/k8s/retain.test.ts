import { expect, test } from 'vitest'
import { WIDGETS } from '../../test/support/widget.ts'
import type { ObjectMeta } from './object.ts'
import { pageSizeOf, retained } from './retain.ts'
import { SECRET_METADATA, SECRETS, type SecretObject } from './secret.ts'

const metadata = {
  name: 'a',
  namespace: 'ns',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
}
const widget = (extra: Partial<ObjectMeta>) => ({
  apiVersion: 'runtime.test/v1',
  kind: 'Widget',
  metadata: { ...metadata, ...extra },
  spec: { size: 1 },
})
const secret = (extra: Partial<SecretObject>, meta: object = {}): SecretObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { ...metadata, ...meta },
  type: 'cardea.dev/envelope',
  ...extra,
})
const controller = { apiVersion: 'x/v1', kind: 'APIKey', name: 'a', uid: 'u', controller: true }
const other = { ...controller, controller: false }
/** As many entries, each of them empty. */
const entries = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i}`, '']))
const fat = 'A'.repeat(100_000)

test('of a custom resource only what the operator reads is kept', () => {
  const object = widget({
    finalizers: ['runtime.test/widget', 'others.example/theirs'],
    labels: { team: fat },
    ownerReferences: [controller],
    annotations: { 'somebody.else/note': fat, 'runtime.test/reconcile-requested-at': 'now' },
  })
  expect(retained(object, WIDGETS)).toEqual(
    widget({
      finalizers: ['runtime.test/widget', 'others.example/theirs'],
      annotations: { 'runtime.test/reconcile-requested-at': 'now' },
    }),
  )
})

test('annotations of our own group are bounded in number and in length', () => {
  const many = Array.from({ length: 1000 }, (_, i) => [`runtime.test/${i}`, fat])
  const kept = retained(widget({ annotations: Object.fromEntries(many) }), WIDGETS)
  const annotations = Object.entries(kept.metadata.annotations ?? {})
  expect(annotations).toHaveLength(16)
  for (const [, value] of annotations) expect(value).toBe(fat.slice(0, 253))
})

test('a Secret of ours is kept whole, but for annotations and finalizers', () => {
  const labels = { 'cardea.dev/installation': 'default' }
  const ours = { labels, ownerReferences: [controller] }
  // An envelope of 64 KiB in base64.
  const content = { data: { envelope: 'A'.repeat(87_384) }, immutable: true }
  const more = { ...ours, annotations: { note: fat }, finalizers: ['others.example/theirs'] }
  expect(retained(secret(content, more), SECRETS)).toEqual(secret(content, ours))
  expect(retained(secret({}), SECRETS)).toEqual(secret({}))
})

test.each<[string, SecretObject]>([
  ['one entry', secret({ data: { envelope: fat } })],
  ['another entry', secret({ data: { envelope: 'AAAA', more: fat } })],
  ['entries', secret({ data: entries(2000) })],
  ['its type', secret({ type: fat })],
  ['labels', secret({}, { labels: entries(2000) })],
  ['owners', secret({}, { ownerReferences: [{ ...other, name: fat }] })],
])('of a Secret that is stuffed with %s a small mark is left', (_, stuffed) => {
  const { labels: _labels, ownerReferences: owners = [], ...rest } = stuffed.metadata
  const ownerReferences = [...owners, controller]
  const kept = retained({ ...stuffed, metadata: { ...stuffed.metadata, ownerReferences } }, SECRETS)
  const mark = { ...rest, ownerReferences: [controller] }
  expect(kept).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata: mark, oversized: true })
  // What was cut once stays cut.
  expect(retained(kept, SECRETS)).toEqual(kept)
})

test('a page of fat objects fits into memory', () => {
  expect(pageSizeOf(SECRETS)).toBe(25)
  expect(pageSizeOf(WIDGETS)).toBe(100)
})

test('of what is watched by its metadata alone no more than its identity and version stays', () => {
  const whole = secret(
    { data: { token: 'c2VjcmV0' } },
    { labels: { a: 'b' }, annotations: { c: 'd' } },
  )
  expect(retained(whole, SECRET_METADATA)).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata })
})
