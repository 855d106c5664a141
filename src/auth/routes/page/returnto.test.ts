import { describe, expect, it } from 'vitest'
import { isListed, readDestination } from './returnto.ts'

const own = 'https://id.example.com'

describe('a return_to', () => {
  it.each([
    ['/account', '/account'],
    ['/account/sessions?x=1#end', '/account/sessions?x=1#end'],
    ['https://id.example.com/account', '/account'],
    ['https://ID.example.com:443/a', '/a'],
    ['/a/../account', '/account'],
  ])('that is %s leads to the path %s', (text, path) => {
    expect(readDestination(text, own)).toEqual({ kind: 'path', path })
  })

  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['a host without a scheme', '//evil.example/'],
    ['a backslash for a slash', '/\\evil.example/'],
    ['two backslashes', '\\\\evil.example/'],
    ['dots before a host', '/.//evil.example/'],
    ['dots that go up to a host', '/a/..//evil.example/'],
    ['a tab', '/\t/evil.example/'],
    ['a line end', '/\n/evil.example/'],
    ['a script', 'javascript:alert(1)'],
    ['a document', 'data:text/html,x'],
    ['a name before the host', 'https://id.example.com@evil.example/'],
    ['a password', 'https://a:b@app.example/'],
    ['a word', 'account'],
    ['a very long path', `/${'a'.repeat(2048)}`],
  ])('that is %s leads nowhere', (_what, text) => {
    expect(readDestination(text, own)).toBeUndefined()
  })

  it.each([
    ['https://app.example/start', true],
    ['https://app.example:443/start', true],
    ['http://app.example/start', false],
    ['https://app.example.evil.example/', false],
    ['https://evil.example/?https://app.example', false],
    ['https://app.example:8443/', false],
  ])('to %s is for the origins of the organization to allow: %s', (text, allowed) => {
    const destination = readDestination(text, own)
    expect(destination?.kind).toBe('elsewhere')
    const url = destination?.kind === 'elsewhere' ? destination.url : new URL(own)
    expect(isListed(url, ['https://app.example'])).toBe(allowed)
  })
})
