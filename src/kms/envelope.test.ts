import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { type Envelope, formatEnvelope, open, parseEnvelope, seal } from './envelope.ts'
import { localKeyManagement } from './local.ts'

const key = randomBytes(32).toString('base64')
const kms = localKeyManagement(() => key)
const aad = {
  group: 'cardea.dev',
  kind: 'APIKey',
  namespace: 'acme',
  name: 'ci-key',
  id: '0199',
  field: 'apiKey',
}
const plaintext = Buffer.from('ck_canary')

test('an envelope opens where it was made, and survives being written down', async () => {
  const text = formatEnvelope(await seal(kms, plaintext, aad))
  expect(text).not.toContain('ck_canary')
  expect(await open(kms, parseEnvelope(text) as Envelope, aad)).toEqual(plaintext)
})

test.each(Object.keys(aad))(
  'an envelope that was moved to another %s does not open',
  async (name) => {
    const envelope = await seal(kms, plaintext, aad)
    const elsewhere = { ...aad, [name]: 'elsewhere' }
    await expect(open(kms, envelope, elsewhere)).rejects.toMatchObject({ code: 'refused' })
    await expect(open(kms, { ...envelope, aad: elsewhere }, elsewhere)).rejects.toMatchObject({
      code: 'refused',
    })
  },
)

test.each(['wrappedKey', 'iv', 'ciphertext', 'tag'] as const)(
  'every flipped bit of %s is refused',
  async (field) => {
    const envelope = await seal(kms, plaintext, aad)
    const whole = Buffer.from(envelope[field], 'base64')
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Buffer.from(whole)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      await expect(
        open(kms, { ...envelope, [field]: changed.toString('base64') }, aad),
      ).rejects.toMatchObject({
        code: 'refused',
      })
    }
  },
)

test('a tag that was cut short is refused', async () => {
  const envelope = await seal(kms, plaintext, aad)
  const tag = Buffer.from(envelope.tag, 'base64').subarray(0, 4).toString('base64')
  await expect(open(kms, { ...envelope, tag }, aad)).rejects.toMatchObject({ code: 'refused' })
})

test('base64 has one spelling', async () => {
  const envelope = await seal(kms, plaintext, aad)
  await expect(open(kms, { ...envelope, iv: `${envelope.iv} ` }, aad)).rejects.toMatchObject({
    code: 'refused',
  })
})

test.each([
  ['not JSON', 'nonsense'],
  ['an array', '[]'],
  ['another version', '{"version":2}'],
  ['too large', 'x'.repeat(70_000)],
])('%s is no envelope', (_, text) => {
  expect(parseEnvelope(text)).toBeUndefined()
})

test('a second spelling of an envelope is no envelope', async () => {
  const text = formatEnvelope(await seal(kms, plaintext, aad))
  expect(parseEnvelope(` ${text}`)).toBeUndefined()
  expect(parseEnvelope(text.replace('{"version":1', '{"version":1,"version":1'))).toBeUndefined()
})
