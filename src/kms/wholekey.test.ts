import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { localKeyManagement } from './local.ts'
import { withWholeKeys } from './wholekey.ts'

const file = randomBytes(32).toString('base64')
const local = localKeyManagement(() => file)
const whole = withWholeKeys(local)
const context = { purpose: 'data-key' }

test('a data key of 32 bytes is wrapped and opens', async () => {
  const dataKey = randomBytes(32)
  expect(await whole.unwrap(await whole.wrap(dataKey, context), context)).toEqual(dataKey)
})

test.each([0, 16, 31, 33, 64])(
  'a data key of %i bytes is neither wrapped nor opened',
  async (length) => {
    const cut = randomBytes(length)
    const refusal = { name: 'KeyManagementError', code: 'refused' }
    await expect(whole.wrap(cut, context)).rejects.toMatchObject(refusal)
    const wrapped = await local.wrap(cut, context)
    await expect(whole.unwrap(wrapped, context)).rejects.toMatchObject(refusal)
  },
)
