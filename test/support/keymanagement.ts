import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { KeyManagement, WrappedKey } from '../../src/kms/keymanagement.ts'

/** What every provider must do. `another` has a different key-encryption key. */
export function keyManagementContract(
  make: () => Promise<{ kms: KeyManagement; another: KeyManagement }>,
): void {
  const context = { namespace: 'acme', name: 'ci-key' }
  const dataKey = randomBytes(32)

  const refuses = async (change: (wrapped: WrappedKey) => WrappedKey, as = context) => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await expect(kms.unwrap(change(wrapped), as)).rejects.toMatchObject({
      name: 'KeyManagementError',
      code: 'refused',
    })
  }

  test('what was wrapped opens', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    expect(wrapped.provider).toBe(kms.provider)
    expect(wrapped.ciphertext.includes(dataKey)).toBe(false)
    expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
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

  test('a missing context is refused', () => refuses((wrapped) => wrapped, {} as typeof context))

  test('every flipped bit is refused', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    for (let at = 0; at < wrapped.ciphertext.length; at++) {
      const ciphertext = Buffer.from(wrapped.ciphertext)
      ciphertext[at] = (ciphertext[at] as number) ^ 1
      await expect(
        kms.unwrap({ ...wrapped, ciphertext }, context),
        `byte ${at}`,
      ).rejects.toMatchObject({
        code: 'refused',
      })
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

  test('an unknown version says so', async () => {
    const { kms } = await make()
    const wrapped = await kms.wrap(dataKey, context)
    await expect(kms.unwrap({ ...wrapped, version: '999' }, context)).rejects.toMatchObject({
      code: 'not_found',
    })
  })
}
