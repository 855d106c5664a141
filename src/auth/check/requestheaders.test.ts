import { expect, test } from 'vitest'
import { presentedCredential, readRequestHeaders } from './requestheaders.ts'

const presented = (...raw: string[]) => presentedCredential(readRequestHeaders(raw))?.text

test.each<[string, string[], string | undefined]>([
  ['nothing', [], undefined],
  ['X-API-Key', ['X-API-Key', 'k'], 'k'],
  ['x-api-key', ['x-api-key', 'k'], 'k'],
  ['a bearer token', ['Authorization', 'Bearer t'], 't'],
  ['the scheme in another case', ['authorization', 'bEaReR t'], 't'],
  ['both alike', ['X-API-Key', 'k', 'Authorization', 'Bearer k'], 'k'],
  ['both, and they differ', ['X-API-Key', 'k', 'Authorization', 'Bearer t'], ''],
  ['X-API-Key twice', ['X-API-Key', 'k', 'x-api-key', 'k'], ''],
  ['Authorization twice', ['Authorization', 'Basic x', 'Authorization', 'Bearer t'], ''],
  ['another scheme', ['Authorization', 'Basic x'], undefined],
  ['another scheme beside a key', ['Authorization', 'Digest x', 'X-API-Key', 'k'], 'k'],
  ['a scheme that begins alike', ['Authorization', 'BearerX t'], undefined],
  ['the scheme alone', ['Authorization', 'Bearer'], ''],
  ['an empty key', ['X-API-Key', ''], ''],
  ['an underscore twin', ['X_API_Key', 'k'], undefined],
  ['a name of the same length', ['X-Api-Kez', 'k'], undefined],
])('%s', (_, raw, credential) => {
  expect(presented(...raw)).toBe(credential)
})

const text = 'session_abc'
const cookie = `__Host-cardea_session=${text}`

test.each<[string, string[], string | undefined]>([
  ['alone', ['Cookie', cookie], text],
  ['among others', ['Cookie', `a=1; ${cookie}; b=2`], text],
  ['without a blank before it', ['Cookie', `a=1;${cookie}`], text],
  ['in the second of two headers', ['Cookie', 'a=1', 'cookie', cookie], text],
  ['empty', ['Cookie', '__Host-cardea_session='], ''],
  ['twice', ['Cookie', `${cookie}; ${cookie}`], ''],
  ['twice, once empty', ['Cookie', `${cookie}; __Host-cardea_session=`], ''],
  ['in each of two headers', ['Cookie', cookie, 'Cookie', cookie], ''],
  ['in another case', ['Cookie', cookie.toLowerCase()], undefined],
  ['at the end of another name', ['Cookie', `x${cookie}`], undefined],
  ['within another value', ['Cookie', `a=${cookie}`], undefined],
  ['with a blank in its name', ['Cookie', `__Host-cardea_session =${text}`], undefined],
  ['with a name that is longer', ['Cookie', `__Host-cardea_session2=${text}`], undefined],
  ['beside a key', ['Cookie', cookie, 'X-API-Key', 'k'], 'k'],
  ['beside a bearer token', ['Cookie', cookie, 'Authorization', 'Bearer t'], 't'],
  ['beside an empty bearer token', ['Cookie', cookie, 'Authorization', 'Bearer'], ''],
  ['beside another scheme', ['Cookie', cookie, 'Authorization', 'Basic x'], text],
  ['twice beside a key', ['Cookie', `${cookie}; ${cookie}`, 'X-API-Key', 'k'], ''],
])('a session cookie %s', (_, raw, credential) => {
  expect(presented(...raw)).toBe(credential)
})

test('each credential says how it came', () => {
  const carrier = (...raw: string[]) => presentedCredential(readRequestHeaders(raw))?.carrier
  expect(carrier('Cookie', cookie)).toBe('cookie')
  expect(carrier('X-API-Key', 'k')).toBe('x-api-key')
  expect(carrier('Authorization', 'Bearer t')).toBe('bearer')
})

test.each<[string[], boolean | undefined]>([
  [[], undefined],
  [['Sec-Fetch-Site', 'same-origin'], true],
  [['Sec-Fetch-Site', 'same-site'], false],
  [['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'same-origin'], false],
])('with %j a page of the same origin asks: %s', (raw, sameOrigin) => {
  expect(readRequestHeaders(raw).sameOrigin).toBe(sameOrigin)
})

test('several origins are none that is listed', () => {
  expect(readRequestHeaders([]).origin).toBeUndefined()
  expect(readRequestHeaders(['Origin', 'https://a']).origin).toBe('https://a')
  expect(readRequestHeaders(['Origin', 'https://a', 'origin', 'https://a']).origin).toBe('')
})

test('lines of X-Forwarded-For are one list, in their order', () => {
  const raw = [
    'X-Forwarded-For',
    '192.0.2.1',
    'Accept-Encoding',
    'br',
    'x-forwarded-for',
    '10.0.0.1',
  ]
  expect(readRequestHeaders(raw).forwardedFor).toBe('192.0.2.1,10.0.0.1')
})

test.each<[string[], boolean]>([
  [[], false],
  [['Content-Length', '0'], false],
  [['Content-Length', '1'], true],
  [['Transfer-Encoding', 'chunked'], true],
])('with %j there is a body: %s', (raw, hasBody) => {
  expect(readRequestHeaders(raw).hasBody).toBe(hasBody)
})
