import { expect, test } from 'vitest'
import { quotaOf } from './quota.ts'

test.each<[unknown, number | undefined]>([
  [{ quotas: { apiKeys: 3 } }, 3],
  [{ quotas: { apiKeys: 0 } }, 0],
  [{ quotas: { projects: 3 } }, undefined],
  [{ quotas: {} }, undefined],
  [{ quotas: null }, undefined],
  [{ quotas: { apiKeys: '3' } }, undefined],
  [{}, undefined],
  [undefined, undefined],
])('the settings %j allow %s API keys', (settings, quota) => {
  expect(quotaOf(settings as Record<string, unknown> | undefined, 'apiKeys')).toBe(quota)
})
