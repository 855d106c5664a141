import { expect, test } from 'vitest'
import type { CustomResource } from '../k8s/object.ts'
import type { ReconcileContext } from '../k8s/reconciler.ts'
import { blockedBy } from './children.ts'

const object = { kind: 'Organization', metadata: { name: 'acme' } } as CustomResource
const referredBy = (...keys: string[]) =>
  blockedBy(object, { referrers: () => keys } as unknown as ReconcileContext)

test('what nobody refers to may go', () => {
  expect(referredBy()).toBeUndefined()
})

test('what others refer to waits, and names them by kind and name', () => {
  const message =
    'Organization "acme" is still referred to by APIKey ci, Project scanner: delete them, and this deletion goes on by itself.'
  expect(referredBy('APIKey/acme/ci', 'Project/acme/scanner')).toEqual({
    outcome: 'waiting',
    reason: 'DeletionBlocked',
    message,
    conditions: [{ type: 'DeletionBlocked', status: 'True', reason: 'HasChildren', message }],
  })
})

test('of very many children ten are named and the rest is counted', () => {
  const keys = Array.from({ length: 1000 }, (_, at) => `APIKey/acme/key-${at}`)
  const message = referredBy(...keys)?.message ?? ''
  expect(message).toContain('APIKey key-9 and 990 more: delete them')
  expect(message).not.toContain('key-10')
})
