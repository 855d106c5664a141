import { expect, test } from 'vitest'
import { anEncryptionKey } from '../../../test/support/build/resource.ts'
import { transitKey } from '../../../test/support/transitkey.ts'
import type { EncryptionKey } from '../../api/v1alpha1/encryptionkey.ts'
import type { ReconcileContext } from '../../k8s/reconciler.ts'
import { type KeyManagement, KeyManagementError } from '../../kms/keymanagement.ts'
import { Keyring } from '../../kms/keyring.ts'
import { ProbeHistory, type ProbeObserver } from './history.ts'

const key = anEncryptionKey('acme', 'primary') as unknown as EncryptionKey
const reference = { provider: 'local' } as const
const start = Date.parse('2026-01-01T00:00:00Z')

/** Probes a key that fails as it is told to, one hour after the other. */
function probes() {
  const manager = transitKey('acme')
  const state: { trouble?: KeyManagementError } = {}
  const kms: KeyManagement = {
    ...manager,
    provider: 'local',
    describe: async () => {
      if (state.trouble) throw state.trouble
      return { ...(await manager.describe()), keyId: 'local' }
    },
  }
  const observed: (string | undefined)[] = []
  const observer: ProbeObserver = {
    probed: (...[, , , reason]) => void observed.push(reason),
    forgotten: () => {},
  }
  const keyring = new Keyring({ defaultKey: reference, open: () => kms, allowed: [] })
  const history = new ProbeHistory(keyring, observer, () => 0.5)
  let now = start
  const context = { now: () => new Date(now), signal: new AbortController().signal }
  /** @returns seconds to the next probe */
  const waitAfter = async (trouble: KeyManagementError): Promise<number> => {
    state.trouble = trouble
    now += 3_600_000
    const found = await history.probe(key, reference, context as ReconcileContext)
    expect(found).toMatchObject({ reason: 'KeyManagementUnavailable', passes: true })
    return (history.nextAt(key, context.now()).getTime() - now) / 1000
  }
  return { waitAfter, observed }
}

const away = new KeyManagementError('unreachable', 'it is away')
const leftAlone = new KeyManagementError('unreachable', 'it is left alone', { again: 4000 })

test('a key that cannot be reached is probed ever more seldom', async () => {
  const { waitAfter } = probes()
  expect(await waitAfter(away)).toBe(11.25)
  expect(await waitAfter(away)).toBe(22.5)
  expect(await waitAfter(away)).toBe(45)
})

test('a probe that never reached the key counts for nothing', async () => {
  const { waitAfter, observed } = probes()
  expect(await waitAfter(away)).toBe(11.25)
  expect(await waitAfter(leftAlone)).toBe(11.25)
  expect(await waitAfter(leftAlone)).toBe(11.25)
  expect(await waitAfter(away)).toBe(22.5)
  expect(observed).toEqual(['KeyManagementUnavailable', 'KeyManagementUnavailable'])
})
