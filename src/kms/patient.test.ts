import { expect, test } from 'vitest'
import { type KeyManagement, KeyManagementError } from './keymanagement.ts'
import { patient } from './patient.ts'

/** A key manager that answers `describe` as it is told to; and how often it was asked. */
function keyManager() {
  const state = { asked: 0, trouble: undefined as KeyManagementError | undefined }
  const unused = () => Promise.reject(new Error('not asked here'))
  const kms: KeyManagement = {
    provider: 'vault',
    wrap: unused,
    unwrap: unused,
    describe: async () => {
      state.asked += 1
      if (state.trouble) throw state.trouble
      return { keyId: 'transit/kek', version: '1' }
    },
  }
  return { state, kms }
}

const away = new KeyManagementError('unreachable', 'it is away')
const settings = { deadline: 0, failures: 2, coolDown: 50, random: () => 0.5 }

test('one that is away is left alone, and whoever asks hears when to come back', async () => {
  const { state, kms } = keyManager()
  const enduring = patient(kms, settings)
  state.trouble = away
  await expect(enduring.describe()).rejects.toBe(away)
  await expect(enduring.describe()).rejects.toBe(away)
  const refusal = await enduring.describe().catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'unreachable', passes: true })
  const { again = 0 } = refusal as KeyManagementError
  expect(again).toBeGreaterThan(25)
  expect(again).toBeLessThanOrEqual(75)
  expect(state.asked).toBe(2)

  state.trouble = undefined
  await new Promise((resolve) => {
    setTimeout(resolve, again)
  })
  expect(await enduring.describe()).toMatchObject({ version: '1' })
})

test('a refusal is an answer: it neither opens the circuit nor leaves it open', async () => {
  const { state, kms } = keyManager()
  const enduring = patient(kms, settings)
  for (const trouble of [away, new KeyManagementError('denied', 'no'), away]) {
    state.trouble = trouble
    await expect(enduring.describe()).rejects.toBe(trouble)
  }
  state.trouble = undefined
  expect(await enduring.describe()).toMatchObject({ version: '1' })
})
