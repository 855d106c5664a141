import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import type { SigningKeyRow } from '../db/signingkey.ts'
import type { SigningAlgorithm } from '../domain/signingkey.ts'
import { type Envelope, open, seal } from '../kms/envelope.ts'
import type { Context, KeyManagement } from '../kms/keymanagement.ts'

type Jwk = Readonly<Record<string, string>>

/** A new key pair, whose private half is sealed at once. */
export async function makeSigningKey(
  kek: Pick<KeyManagement, 'wrap'>,
  installation: string,
  algorithm: SigningAlgorithm,
): Promise<Pick<SigningKeyRow, 'id' | 'algorithm' | 'publicJwk' | 'privateKey'>> {
  const privateKey = generate(algorithm)
  const { id, publicJwk } = publishedHalf(privateKey, algorithm)
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  try {
    const sealed = await seal(kek, pkcs8, signingKeyContext(installation, id))
    return { id, algorithm, publicJwk, privateKey: sealed }
  } finally {
    pkcs8.fill(0)
  }
}

/**
 * The private half of a signing key.
 * @throws KeyManagementError `refused` when the envelope is another key's or another installation's
 */
export async function openSigningKey(
  keyring: Pick<KeyManagement, 'unwrap'>,
  { id, installation, privateKey }: Pick<SigningKeyRow, 'id' | 'installation' | 'privateKey'>,
): Promise<KeyObject> {
  const pkcs8 = await open(keyring, privateKey as Envelope, signingKeyContext(installation, id))
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  } finally {
    pkcs8.fill(0)
  }
}

export function signingKeyContext(installation: string, id: string): Context {
  return { purpose: 'signing-key', installation, id }
}

/** What is published of a key (RFC 7517, section 4; RFC 8037, section 2), and its id. */
export function publishedHalf(privateKey: KeyObject, algorithm: SigningAlgorithm) {
  const members = createPublicKey(privateKey).export({ format: 'jwk' }) as Jwk
  const id = thumbprint(members)
  return { id, publicJwk: { ...members, kid: id, alg: algorithm, use: 'sig' } }
}

function generate(algorithm: SigningAlgorithm): KeyObject {
  const { privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey
}

/** RFC 7638, section 3: SHA-256 over the required members in the order of their names. */
function thumbprint({ crv, kty, x, y }: Jwk): string {
  const required = y === undefined ? { crv, kty, x } : { crv, kty, x, y }
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url')
}
