import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { encode, makeSigningKey } from '../../../test/support/peoplerecords.ts'
import { signingAlgorithms } from '../../domain/signingkey.ts'
import { isSignedWith, readJws, verificationKey } from './verifyjws.ts'

interface Vectors {
  readonly testGroups: readonly {
    readonly public?: Readonly<Record<string, unknown>>
    readonly private?: Readonly<Record<string, unknown>>
    readonly tests: readonly {
      readonly tcId: number
      readonly comment: string
      readonly jws: string | object
      readonly result: 'valid' | 'invalid' | 'acceptable'
    }[]
  }[]
}

/** Project Wycheproof's vectors for JWS (github.com/C2SP/wycheproof), which stand beside the checkout and not in it: where CI runs, they must be there. */
const vectors = path.resolve(
  import.meta.dirname,
  '../../../../shared/vectors/json_web_signature_test.json',
)

async function verifies(jws: unknown, jwk: Readonly<Record<string, unknown>>): Promise<boolean> {
  const read = typeof jws === 'string' ? readJws(jws) : undefined
  const keys = signingAlgorithms.map((algorithm) => verificationKey(algorithm, jwk))
  const answers = keys.map(async (key) => key && read && isSignedWith(read, key))
  return (await Promise.all(answers)).includes(true)
}

test.skipIf(!existsSync(vectors) && !process.env['CI'])(
  'of Wycheproof’s tokens no invalid one verifies, and the valid ones of our algorithms do',
  async () => {
    const { testGroups } = JSON.parse(readFileSync(vectors, 'utf8')) as Vectors
    const [admitted, refused]: [number[], number[]] = [[], []]
    let invalid = 0
    for (const { public: half, private: whole = {}, tests } of testGroups) {
      for (const { tcId, jws, result } of tests) {
        const verified = await verifies(jws, half ?? whole)
        if (result === 'invalid') {
          invalid++
          expect(verified, `case ${tcId}`).toBe(false)
        }
        ;(verified ? admitted : refused).push(tcId)
      }
    }
    expect(invalid).toBe(355)
    const ours = testGroups
      .filter(({ public: half }) => half?.['alg'] === 'ES256' && half['use'] === 'sig')
      .flatMap(({ tests }) => tests.filter(({ result }) => result === 'valid'))
    expect(ours.length).toBeGreaterThan(0)
    expect(admitted).toEqual(ours.map(({ tcId }) => tcId))
    expect(refused.length).toBeGreaterThan(invalid)
  },
)

const signing = makeSigningKey()
const token = signing.token({ sub: 'ann' })
const [head = '', body = '', signature = ''] = token.split('.')

test('what is signed is read, and known by its key alone', async () => {
  expect(await verifies(token, signing.publicJwk)).toBe(true)
  expect(await verifies(token, makeSigningKey().publicJwk)).toBe(false)
  const other = makeSigningKey('ES256')
  expect(await verifies(other.token({}), other.publicJwk)).toBe(true)
})

test.each<[string, string]>([
  ['padding', `${head}.${body}.${signature}==`],
  ['a stray bit in the signature', `${head}.${body}.${strayBit(signature)}`],
  ['the alphabet of base64', `${head}.${body}.${'+'.repeat(86)}`],
  ['a blank', `${head}.${body}.${signature} `],
  ['a line break inside', `${head}.${body.slice(0, 4)}\n${body.slice(4)}.${signature}`],
  ['a part too many', `${token}.`],
  ['a part too few', `${head}.${body}`],
  ['an empty signature', `${head}.${body}.`],
  ['a signature cut short', `${head}.${body}.${signature.slice(0, -4)}`],
  ['a signature with more behind it', `${head}.${body}.${signature}AAAA`],
  ['too much of everything', `${head}.${'A'.repeat(8192)}.${signature}`],
])('a token with %s is not read', (_, text) => {
  expect(readJws(text)).toBeUndefined()
})

test.each<[string, string]>([
  ['a member twice', `{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${signing.id}"}`],
  ['blanks', `{"alg": "EdDSA","typ":"at+jwt","kid":"${signing.id}"}`],
  ['an escape', `{"\\u0061lg":"EdDSA","typ":"at+jwt","kid":"${signing.id}"}`],
  ['a list', '["EdDSA"]'],
  ['nothing', 'null'],
  ['a byte order mark', `\uFEFF{"alg":"EdDSA"}`],
  ['half of it', '{"alg":"EdDSA"'],
])('a header whose JSON has %s is not read, though it is signed', (_, header) => {
  const input = `${encode(header)}.${body}`
  expect(readJws(`${input}.${signing.sign(input).toString('base64url')}`)).toBeUndefined()
})

/** The same bytes, as a careless reader decodes them. */
function strayBit(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(text.at(-1) ?? '')
  const other = `${text.slice(0, -1)}${alphabet[last ^ 1]}`
  expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(text, 'base64url'))
  return other
}
