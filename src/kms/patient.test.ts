import { expect, test } from 'vitest'
import { type KeyManagement, KeyManagementError } from './keymanagement.ts'
import { patient } from './patient.ts'

/** A key manager that answers `describe` as it is told to; and how often it was asked. */
function keyManager(onAsked: () => void) {
  const state = {
    asked: 0,
    trouble: undefined as KeyManagementError | undefined,
    pending: undefined as Promise<never> | undefined,
  }
  const unused = () => Promise.reject(new Error('not asked here'))
  const kms: KeyManagement = {
    provider: 'vault',
    wrap: unused,
    unwrap: unused,
    describe: async () => {
      state.asked += 1
      await state.pending
      onAsked()
      if (state.trouble) throw state.trouble
      return { keyId: 'transit/kek', version: '1' }
    },
  }
  return { state, kms }
}

const away = new KeyManagementError('unreachable', 'it is away')

/** It opens for a second after two failures, at a time that is the test's. */
function enduring({ deadline = 0, takes = 0 } = {}) {
  const time = { now: 0 }
  const { state, kms } = keyManager(() => {
    time.now += takes
  })
  const options = {
    deadline,
    failures: 2,
    coolDown: 1000,
    random: () => 0.5,
    now: () => time.now,
  }
  return { state, time, kms: patient(kms, options) }
}

async function opened(pace = {}) {
  const made = enduring(pace)
  made.state.trouble = away
  for (const _ of [1, 2]) await expect(made.kms.describe()).rejects.toBe(away)
  return made
}

const refusalOf = async (kms: KeyManagement): Promise<KeyManagementError> => {
  const refusal = await kms.describe().catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'unreachable', passes: true })
  return refusal as KeyManagementError
}

test('one that is away is left alone, and whoever asks hears when to come back', async () => {
  const { state, time, kms } = await opened()
  expect((await refusalOf(kms)).again).toBe(1500)
  expect(state.asked).toBe(2)
  state.trouble = undefined
  time.now = 1500
  expect(await kms.describe()).toMatchObject({ version: '1' })
})

test('whoever comes during a trial does not wait for the whole of it', async () => {
  const { state, time, kms } = await opened({ deadline: 8000, takes: 8000 })
  time.now += 1000
  const trial = new Promise<never>(() => {})
  state.pending = trial
  void kms.describe()
  expect((await refusalOf(kms)).again).toBe(1500)
})

test('the more are turned away, the further apart they come back', async () => {
  const { kms } = await opened()
  for (let n = 1; n < 1000; n += 1) await refusalOf(kms)
  expect((await refusalOf(kms)).again).toBe(6000)
  for (let n = 1000; n < 5000; n += 1) await refusalOf(kms)
  expect((await refusalOf(kms)).again).toBe(16_000)
})

test('a refusal, which may be made before anything is sent, neither opens the circuit nor closes it', async () => {
  const refused = new KeyManagementError('refused', 'it was altered')
  const { state, time, kms } = enduring()
  for (const trouble of [away, refused, away]) {
    state.trouble = trouble
    await expect(kms.describe()).rejects.toBe(trouble)
  }
  expect((await refusalOf(kms)).again).toBe(1500)
  time.now = 1000
  state.trouble = refused
  await expect(kms.describe()).rejects.toBe(refused)
  state.trouble = away
  await expect(kms.describe()).rejects.toBe(away)
  expect((await refusalOf(kms)).again).toBe(1500)
})

test('whoever goes away says nothing of the key manager', async () => {
  const { state, kms } = enduring()
  state.trouble = away
  const gone = AbortSignal.abort()
  for (const _ of [1, 2, 3]) await expect(kms.describe(gone)).rejects.toBe(away)
  state.trouble = undefined
  expect(await kms.describe()).toMatchObject({ version: '1' })
})
