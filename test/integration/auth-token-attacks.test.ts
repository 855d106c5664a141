import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audienceOf } from '../../src/domain/accesstoken.ts'
import { ask } from '../support/ask.ts'
import { eventually, type RunningAuth, startAuth } from '../support/authservice.ts'
import {
  aSession,
  aSigningKey,
  aTokenSession,
  aUser,
  claimsOf,
  encode,
  makeSigningKey,
  type TestSigningKey,
  type TokenSessionRecord,
} from '../support/peoplerecords.ts'
import { query, testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const issuer = 'https://id.example.com'
const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
let auth: RunningAuth
let signing: TestSigningKey
let es256: TestSigningKey
let session: TokenSessionRecord
let other: TokenSessionRecord

beforeAll(async () => {
  signing = await aSigningKey(records)
  es256 = await aSigningKey(records, 'ES256')
  await aSigningKey(records, 'EdDSA', 'another-installation')
  const [mine, theirs] = [await records.organization('acme'), await records.organization('bolt')]
  session = await aTokenSession(records, await aUser(records, mine))
  other = await aTokenSession(records, await aUser(records, theirs))
  auth = await startAuth(database.authUrl, { CARDEA_PUBLIC_URL: issuer })
  expect(await statusOf(signing.token(claims()))).toBe(200)
})
afterAll(async () => {
  await auth.stop()
  await records.close()
  await database.drop()
})

const claims = (over = {}) => claimsOf(issuer, session, over)
const body = (over = {}) => encode(JSON.stringify(claims(over)))
const second = Math.floor(Date.now() / 1000)

async function statusOf(token: string): Promise<number> {
  const headers = [['authorization', `Bearer ${token}`]] as const
  const answer = await ask(`${auth.url}/check`, { headers })
  if (answer.status === 401) expect(answer.json['code']).toBe('credential_invalid')
  return answer.status
}

/** A token of any header, signed by any function. */
function forged(header: object | string, sign: (input: string) => string, payload = body()) {
  const head = encode(typeof header === 'string' ? header : JSON.stringify(header))
  return `${head}.${payload}.${sign(`${head}.${payload}`)}`
}

const honest = (input: string) => signing.sign(input).toString('base64url')
const header = (over: object = {}) => ({
  alg: 'EdDSA',
  typ: 'at+jwt',
  kid: signing.id,
  ...over,
})

/** As the attacks of this sort do: the public key, in each form that somebody may have it in, is the secret. */
function publicForms(): Buffer[] {
  const { publicJwk } = { publicJwk: JSON.parse(published)['keys'] as Record<string, string>[] }
  const jwk = publicJwk.find(({ kid }) => kid === signing.id) ?? {}
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return [
    Buffer.from(jwk['x'] ?? '', 'base64url'),
    Buffer.from(JSON.stringify(jwk)),
    Buffer.from(key.export({ type: 'spki', format: 'pem' })),
    Buffer.from(key.export({ type: 'spki', format: 'der' })),
  ]
}
let published = ''
beforeAll(async () => {
  published = (await ask(`${auth.url}/.well-known/jwks.json`)).body
})

test.each(['none', 'None', 'NONE', '', 'HS256', 'ES256', 'ES384', 'RS256', 'Ed448', 'eddsa'])(
  'alg %j is not believed, whatever signature there is',
  async (alg) => {
    for (const signature of ['', 'AAAA', Buffer.alloc(64).toString('base64url')]) {
      expect(await statusOf(forged(header({ alg }), () => signature))).toBe(401)
    }
    expect(await statusOf(forged(header({ alg }), honest))).toBe(401)
  },
)

test('a secret made of the public key signs nothing', async () => {
  for (const secret of publicForms()) {
    for (const alg of ['HS256', 'EdDSA']) {
      const mac = (input: string) => createHmac('sha256', secret).update(input).digest('base64url')
      const padded = (input: string) =>
        createHmac('sha512', secret).update(input).digest('base64url')
      expect(await statusOf(forged(header({ alg }), mac))).toBe(401)
      expect(await statusOf(forged(header({ alg }), padded))).toBe(401)
    }
  }
})

test.each<[string, () => object]>([
  ['jwk', () => ({ jwk: makeSigningKey().publicJwk })],
  ['jku', () => ({ jku: 'https://evil.example/jwks.json' })],
  ['x5u', () => ({ x5u: 'https://evil.example/cert.pem' })],
  ['x5c', () => ({ x5c: ['MIIB'] })],
  ['crit', () => ({ crit: ['exp'] })],
  ['an empty crit', () => ({ crit: [] })],
  ['b64', () => ({ b64: true })],
  ['zip', () => ({ zip: 'DEF' })],
  ['cty', () => ({ cty: 'JWT' })],
  ['another member', () => ({ note: 'x' })],
])('a header with %s is refused, though its signature is right', async (_, over) => {
  expect(await statusOf(forged(header(over()), honest))).toBe(401)
})

test('a key that the token brings along signs nothing', async () => {
  const own = makeSigningKey()
  const sign = (input: string) => own.sign(input).toString('base64url')
  for (const over of [{ kid: own.id }, { kid: signing.id, jwk: own.publicJwk }]) {
    expect(await statusOf(forged(header(over), sign))).toBe(401)
  }
})

test.each<[string, unknown]>([
  ['a path', '../../../dev/null'],
  ['a statement', "x' union select 'AAAA"],
  ['a prototype', '__proto__'],
  ['a number', 0],
  ['nothing', null],
  ['a list', ['x']],
  ['much', 'k'.repeat(2000)],
])('a kid that is %s finds no key', async (_, kid) => {
  expect(await statusOf(forged(header({ kid }), honest))).toBe(401)
})

test('a header without a kid, an alg or a typ is refused', async () => {
  for (const name of ['kid', 'alg', 'typ']) {
    expect(await statusOf(forged(header({ [name]: undefined }), honest))).toBe(401)
  }
})

test('a key of another installation signs nothing here', async () => {
  const foreign = await aSigningKey(records, 'EdDSA', 'another-installation')
  expect(await statusOf(foreign.token(claims()))).toBe(401)
})

test('the key of one algorithm does not verify another', async () => {
  expect(await statusOf(es256.token(claims()))).toBe(200)
  const sign = (input: string) => es256.sign(input).toString('base64url')
  expect(await statusOf(forged(header({ kid: es256.id }), sign))).toBe(401)
  expect(await statusOf(forged(header({ alg: 'ES256' }), honest))).toBe(401)
})

test.each(['JWT', 'jwt', 'AT+JWT', 'application/at+jwt', 'id_token+jwt', ''])(
  'a token of type %j is no access token',
  async (typ) => {
    expect(await statusOf(forged(header({ typ }), honest))).toBe(401)
  },
)

test.each<[string, object]>([
  ['another issuer', { iss: 'https://evil.example' }],
  ['our issuer by another spelling', { iss: 'HTTPS://ID.EXAMPLE.COM' }],
  ['no audience', { aud: undefined }],
  ['another audience', { aud: 'https://api.example' }],
  ['an end that is past', { exp: second - 1 }],
  ['no end', { exp: undefined }],
  ['an end that is a text', { exp: '9999999999' }],
  ['an end in the far future', { exp: second + 10 * 365 * 86_400 }],
  ['a beginning to come', { nbf: second + 3600 }],
  ['an issue to come', { iat: second + 3600 }],
  ['no session', { sid: undefined }],
  ['a session that is a path', { sid: '../x' }],
  ['no jti', { jti: undefined }],
  ['another person', { sub: '01a1ffb0-6a72-7803-a1f2-38205ea507f7' }],
])('a token of ours with %s is refused', async (_, over) => {
  expect(await statusOf(signing.token(claims(over)))).toBe(401)
})

test('no token crosses from one organization to another', async () => {
  const theirs = claimsOf(issuer, other)
  expect(await statusOf(signing.token(theirs))).toBe(200)
  const audience = audienceOf(issuer, session.user.organization)
  for (const over of [
    { aud: audience },
    { org_id: session.user.organization },
    { aud: audience, org_id: session.user.organization },
    { aud: [theirs.aud, audience] },
    { sid: session.id },
    { sub: session.user.id },
  ]) {
    expect(await statusOf(signing.token({ ...theirs, ...over }))).toBe(401)
  }
})

test('a token does not stand for a session of a browser', async () => {
  const { id } = await aSession(records, session.user)
  expect(await statusOf(signing.token(claims({ sid: id })))).toBe(401)
})

test('a token that is cut short, anywhere, is refused', async () => {
  const token = signing.token(claims())
  for (let end = 0; end < token.length; end += 7) {
    expect(await statusOf(token.slice(0, end))).toBe(401)
  }
  expect(await statusOf(token.slice(0, -1))).toBe(401)
})

test('a token with one bit changed, anywhere, is refused', async () => {
  const token = signing.token(claims())
  const asked: Promise<number>[] = []
  for (let at = 0; at < token.length; at += 3) {
    const code = token.charCodeAt(at) ^ 1
    asked.push(statusOf(`${token.slice(0, at)}${String.fromCharCode(code)}${token.slice(at + 1)}`))
  }
  expect(new Set(await Promise.all(asked))).toEqual(new Set([401]))
})

test('another spelling of a good token is another token', async () => {
  const token = signing.token(claims())
  expect(await statusOf(token)).toBe(200)
  for (const spelling of [`${token}=`, `${token}==`, `${token}.`, `.${token}`, `"${token}"`]) {
    expect(await statusOf(spelling)).toBe(401)
  }
  const [head = '', payload = '', signature = ''] = token.split('.')
  for (const spelling of [
    `${head}=.${payload}.${signature}`,
    `${head}.${payload}%3D.${signature}`,
    `${head}.${payload}.${signature}.${signature}`,
    JSON.stringify({ protected: head, payload, signature }),
  ]) {
    expect(await statusOf(spelling)).toBe(401)
  }
})

test('JSON in another spelling is refused, though it is signed', async () => {
  const text = JSON.stringify(claims())
  for (const spelling of [
    ` ${text}`,
    text.replace('"iss"', '"\\u0069ss"'),
    text.replace(/"exp":(\d+)/, '"exp":1,"exp":$1'),
    text.replace(/"exp":(\d+)/, '"exp":$1.0'),
  ]) {
    expect(await statusOf(forged(header(), honest, encode(spelling)))).toBe(401)
  }
  const twice = `{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${signing.id}"}`
  expect(await statusOf(forged(twice, honest))).toBe(401)
})

test('a token nested in another is refused', async () => {
  expect(await statusOf(forged(header(), honest, encode(signing.token(claims()))))).toBe(401)
})

test('keys of other kinds that somebody puts into the table verify nothing', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }
  const kid = 'K'.repeat(43)
  await query(
    database.superuserUrl,
    `insert into cardea_keys.signing_keys (id, installation, algorithm, public_jwk, private_key, created_at, active_at)
      values ($1, 'default', 'ES256', $2, '{}', now(), now())`,
    [kid, jwk],
  )
  expect(privateKey.asymmetricKeyType).toBe('ec')
  await eventually(() => statusOf(es256.token(claims(), { kid }))).toBe(401)
})

test('after all of that an honest token is good', async () => {
  expect(await statusOf(signing.token(claims()))).toBe(200)
})
