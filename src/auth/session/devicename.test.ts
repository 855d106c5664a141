import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deviceNameOf, keptUserAgent } from './devicename.ts'

const mozilla = (rest: string) => `Mozilla/5.0 ${rest}`

test.each([
  [
    mozilla('(Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0'),
    'Firefox on Windows',
  ],
  [
    mozilla(
      '(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    ),
    'Chrome on Linux',
  ],
  [
    mozilla(
      '(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0',
    ),
    'Edge on Windows',
  ],
  [
    mozilla(
      '(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
    ),
    'Safari on macOS',
  ],
  [
    mozilla(
      '(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
    ),
    'Safari on iOS',
  ],
  [
    mozilla(
      '(Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
    ),
    'Chrome on Android',
  ],
  ['curl/8.5.0', 'curl'],
  ['python-requests/2.32.3', 'python-requests'],
  ['Go-http-client/2.0', 'Go-http-client'],
  ['node', 'node'],
  ['Mozilla/5.0', 'Unknown device'],
  ['<script>alert(1)</script>', 'Unknown device'],
  ['', 'Unknown device'],
  [undefined, 'Unknown device'],
])('%s is called %s', (header, name) => {
  expect(deviceNameOf(keptUserAgent(header))).toBe(name)
})

test('whatever a client calls itself, the name is short and has nothing but plain characters', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, browser) => {
      const text = Buffer.from(bytes).toString('latin1')
      const kept = keptUserAgent(browser ? mozilla(text) : text)
      expect(kept ?? '').toMatch(/^[\x20-\x7e]{0,512}$/)
      expect(deviceNameOf(kept)).toMatch(/^[A-Za-z0-9 ._-]{1,120}$/)
    }),
  )
})
