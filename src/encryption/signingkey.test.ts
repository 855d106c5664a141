import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { signingAlgorithms } from '../domain/signingkey.ts'
import { localKeyManagement } from '../kms/local.ts'
import { makeSigningKey, openSigningKey } from './signingkey.ts'

const file = randomBytes(32).toString('base64')
const kek = localKeyManagement(() => file)
const data = Buffer.from('what is signed')

test.each(signingAlgorithms)(
  'what an %s key signs, its published half verifies',
  async (algorithm) => {
    const made = await makeSigningKey(kek, 'default', algorithm)
    const privateKey = await openSigningKey(kek, { ...made, installation: 'default' })
    const digest = algorithm === 'EdDSA' ? null : 'sha256'
    const publicKey = createPublicKey({ key: made.publicJwk, format: 'jwk' })
    expect(verify(digest, data, publicKey, sign(digest, data, privateKey))).toBe(true)
    expect(made.publicJwk).toMatchObject({ kid: made.id, alg: algorithm, use: 'sig' })
    expect(made.publicJwk).not.toHaveProperty('d')
  },
)

test('a private key opens under no other id and in no other installation', async () => {
  const made = { ...(await makeSigningKey(kek, 'default', 'EdDSA')), installation: 'default' }
  for (const elsewhere of [{ id: 'x'.repeat(43) }, { installation: 'other' }]) {
    const opened = openSigningKey(kek, { ...made, ...elsewhere })
    await expect(opened).rejects.toMatchObject({ code: 'refused' })
  }
})

// RFC 8037, appendix A.3.
test('the id is the thumbprint of RFC 7638', async () => {
  const made = await makeSigningKey(kek, 'default', 'EdDSA')
  expect(made.id).toMatch(/^[A-Za-z0-9_-]{43}$/)
})
