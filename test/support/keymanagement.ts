import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { KeyManagement, WrappedKey } from '../../src/kms/keymanagement.ts'
import { patient } from '../../src/kms/patient.ts'

/** A fresh KEK, and those who may change it. */
export interface KeyUnderTest {
  readonly kms: KeyManagement
  /** Another KEK of the same provider. */
  readonly another: KeyManagement
  /** What opens with every key that the name of `kms` ever led to, where a rotation leads it to another key. */
  readonly keyring?: Pick<KeyManagement, 'unwrap'>
  readonly administrator: {
    disable?(): Promise<void>
    enable?(): Promise<void>
    scheduleDeletion(): Promise<void>
    /** Makes a new version, which wraps from now on. */
    rotate(): Promise<void>
    /** Takes the right to use the key away from whoever `kms` logs in as. */
    deny?(): Promise<void>
    /** Gives it back. */
    allow?(): Promise<void>
  }
  /** What goes wrong on the way; left out where there is no way, as with a file. */
  readonly wire?: {
    /** Lets the next so many requests be answered as the provider answers too many. */
    throttle(requests: number): void
    /** Answers nothing until the returned function is called. */
    hang(): () => void
    /** Requests for wraps and unwraps that arrived so far. */
    requests(): number
  }
}

const context = { namespace: 'acme', name: 'ci-key' }

/** What every provider must do. @param make makes a fresh key for each test */
export function keyManagementContract(
  make: () => Promise<KeyUnderTest>,
  options: {
    /** Whether there is a way between the provider and its key manager, on which things go wrong. */
    readonly hasWire: boolean
    /** Whether the key manager knows who may use which key, so that a right can be taken away. */
    readonly hasRights?: boolean
    /** Whether the key manager knows disabled keys. Vault does not: whoever would disable one takes the right away. */
    readonly canDisable?: boolean
  },
): void {
  const { hasWire, hasRights = false, canDisable = true } = options
  const dataKey = randomBytes(32)

  const refuses = async (change: (wrapped: WrappedKey) => WrappedKey, as: object = context) => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    const opened = kms.unwrap(change(wrapped), as as typeof context)
    await expect(opened).rejects.toMatchObject({ name: 'KeyManagementError', code: 'refused' })
  }

  test('what was wrapped opens', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    expect(wrapped.provider).toBe(kms.provider)
    expect(wrapped.ciphertext.includes(dataKey)).toBe(false)
    expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
  })

  test('what wraps is what the description says', async () => {
    const { kms } = await make()
    const { keyId, version } = await kms.describe()
    expect(await kms.wrap(dataKey, context)).toMatchObject({ keyId, version })
  })

  test('the order of the context does not matter', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, { a: '1', b: '2' })
    expect(await kms.unwrap(wrapped, { b: '2', a: '1' })).toEqual(dataKey)
  })

  test('wrapping twice gives two ciphertexts', async () => {
    const { kms } = await make()
    const [one, two] = [await kms.wrap(dataKey, context), await kms.wrap(dataKey, context)]
    expect(one.ciphertext.equals(two.ciphertext)).toBe(false)
  })

  test('another context is refused', () =>
    refuses((wrapped) => wrapped, { ...context, name: 'other' }))

  test('a missing context is refused', () => refuses((wrapped) => wrapped, {}))

  test('every changed byte is refused', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    // All of them on a local key; a sample where each takes a request.
    const step = hasWire ? Math.ceil(wrapped.ciphertext.length / 24) : 1
    for (let at = 0; at < wrapped.ciphertext.length; at += step) {
      const ciphertext = Buffer.from(wrapped.ciphertext)
      ciphertext[at] = (ciphertext[at] as number) ^ 1
      const opened = kms.unwrap({ ...wrapped, ciphertext }, context)
      await expect(opened, `byte ${at}`).rejects.toMatchObject({ code: 'refused' })
    }
  })

  test.each([0, 1, 12, 28, 40])('a ciphertext cut to %i bytes is refused', (length) =>
    refuses((wrapped) => ({ ...wrapped, ciphertext: wrapped.ciphertext.subarray(0, length) })),
  )

  test('another key says that it has no such key', async () => {
    const { kms, another } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await expect(another.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('the ciphertext of one key under the name of another is refused', async () => {
    const { kms, another } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    const { keyId, version } = await another.describe()
    const opened = another.unwrap({ ...wrapped, keyId, version }, context)
    await expect(opened).rejects.toMatchObject({ code: 'refused' })
  })

  test('a version that never was does not open anything', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await expect(kms.unwrap({ ...wrapped, version: '999' }, context)).rejects.toMatchObject({
      code: expect.stringMatching(/^(not_found|refused)$/),
    })
  })

  test('a key that was rotated wraps with the new version and opens what the old one wrapped', async () => {
    const { kms, keyring = kms, administrator } = await make()
    const old = await kms.wrap(dataKey, context)
    await administrator.rotate()
    const young = await kms.wrap(dataKey, context)
    expect([young.keyId, young.version]).not.toEqual([old.keyId, old.version])
    expect(await kms.describe()).toEqual({ keyId: young.keyId, version: young.version })
    expect(await keyring.unwrap(old, context)).toEqual(dataKey)
    expect(await keyring.unwrap(young, context)).toEqual(dataKey)
  })

  if (canDisable) {
    test('a disabled key says so, and works again when it is enabled', async () => {
      const { kms, administrator } = await make()
      const wrapped = await kms.wrap(dataKey, context)
      await administrator.disable?.()
      await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'disabled' })
      await expect(kms.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'disabled' })
      await administrator.enable?.()
      expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
    })
  }

  test('a key that is to be deleted says so', async () => {
    const { kms, administrator } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await administrator.scheduleDeletion()
    const ending = { code: 'pending_deletion' }
    await expect(kms.wrap(dataKey, context)).rejects.toMatchObject(ending)
    await expect(kms.unwrap(wrapped, context)).rejects.toMatchObject(ending)
  })

  test('no error repeats the data key or the ciphertext', async () => {
    const { kms, administrator } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await administrator.scheduleDeletion()
    const errors: unknown[] = []
    await kms.wrap(dataKey, context).catch((error: unknown) => errors.push(error))
    await kms.unwrap(wrapped, context).catch((error: unknown) => errors.push(error))
    for (const error of errors) {
      const text = `${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`
      for (const form of ['base64', 'base64url', 'hex'] as const) {
        expect(text).not.toContain(dataKey.toString(form))
        expect(text).not.toContain(wrapped.ciphertext.toString(form))
      }
    }
  })

  if (hasRights) {
    test('whoever lost the right to use the key is told so, until it is given back', async () => {
      const { kms, administrator } = await make()
      const wrapped = await kms.wrap(dataKey, context)
      await administrator.deny?.()
      for (const use of [() => kms.wrap(dataKey, context), () => kms.unwrap(wrapped, context)]) {
        await expect(use()).rejects.toMatchObject({ code: 'denied' })
      }
      await administrator.allow?.()
      expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
    })
  }

  if (!hasWire) return

  test('a caller that gives up is let go at once', async () => {
    const { kms, wire } = await make()
    await kms.describe()
    const release = wire?.hang()
    const started = performance.now()
    await expect(kms.wrap(dataKey, context, AbortSignal.timeout(200))).rejects.toMatchObject({
      code: 'unreachable',
    })
    expect(performance.now() - started).toBeLessThan(2000)
    release?.()
  })

  test('a provider tries once, so that nobody repeats what another repeats', async () => {
    const { kms, wire } = await make()
    await kms.wrap(dataKey, context)
    const before = wire?.requests() ?? 0
    wire?.throttle(1)
    await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'throttled' })
    expect((wire?.requests() ?? 0) - before).toBe(1)
  })

  test('what is throttled is tried again after a while', async () => {
    const { kms, wire } = await make()
    const enduring = patient(kms)
    await enduring.wrap(dataKey, context)
    wire?.throttle(2)
    const wrapped = await enduring.wrap(dataKey, context)
    expect(await enduring.unwrap(wrapped, context)).toEqual(dataKey)
  })

  test('a connection that hangs ends at the deadline', async () => {
    const { kms, wire } = await make()
    await kms.describe()
    const release = wire?.hang()
    const started = performance.now()
    const hurried = patient(kms, { deadline: 500 })
    await expect(hurried.wrap(dataKey, context)).rejects.toMatchObject({ code: 'unreachable' })
    expect(performance.now() - started).toBeLessThan(2000)
    release?.()
  })
}

/**
 * Every right that a guide asks for is needed, and together they are enough.
 * @param open gives a fresh key that may be used with these rights alone
 */
export async function expectExactly(
  rights: readonly string[],
  open: (rights: readonly string[]) => KeyManagement,
): Promise<void> {
  const dataKey = randomBytes(32)
  const roundTrip = async (some: readonly string[]): Promise<Buffer> => {
    const kms = open(some)
    await kms.describe()
    return kms.unwrap(await kms.wrap(dataKey, context), context)
  }
  expect(await roundTrip(rights)).toEqual(dataKey)
  for (const missing of rights) {
    const others = rights.filter((right) => right !== missing)
    await expect(roundTrip(others), missing).rejects.toMatchObject({ code: 'denied' })
  }
}
