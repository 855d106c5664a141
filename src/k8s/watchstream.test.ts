import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiError, TransportError } from './errors.ts'
import type { KubeObject } from './object.ts'
import { readEvents } from './watchstream.ts'

async function* chunks(...parts: readonly (string | Uint8Array)[]) {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
}

const read = async (body: AsyncIterable<Uint8Array>) => {
  const events = []
  const decode = (object: unknown) => object as KubeObject
  for await (const event of readEvents(body, decode, 'watch things')) events.push(event)
  return events
}

const added = (name: string) => ({
  type: 'ADDED' as const,
  object: { metadata: { name, resourceVersion: '7' } },
})

test('events are read wherever the chunks are cut, in the middle of a character too', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 8 }),
      async (names, cuts) => {
        const bytes = Buffer.from(names.map((name) => `${JSON.stringify(added(name))}\n`).join(''))
        const ends = [...cuts, bytes.length].sort((a, b) => a - b)
        const parts = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
        expect(await read(chunks(...parts))).toEqual(names.map(added))
      },
    ),
  )
})

test('a bookmark is its version', async () => {
  const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } }
  expect(await read(chunks(`${JSON.stringify(bookmark)}\n`))).toEqual([
    { type: 'BOOKMARK', resourceVersion: '9' },
  ])
})

describe('nothing is swallowed', () => {
  test.each<[string, string, string]>([
    ['half a line at the end', JSON.stringify(added('a')), 'EBADMSG'],
    ['a line that is not JSON', 'oops\n', 'EBADMSG'],
    ['an event of no known type', '{"type":"WHAT","object":{}}\n', 'EBADMSG'],
    ['an event without a version', '{"type":"ADDED","object":{"metadata":{}}}\n', 'EBADMSG'],
    ['a line without an end', 'x'.repeat(17 * 1024 * 1024), 'EMSGSIZE'],
  ])('%s is an error', async (_, text, code) => {
    const reading = read(chunks(text))
    await expect(reading).rejects.toThrow(TransportError)
    await expect(reading).rejects.toMatchObject({ code })
  })

  test('an ERROR is an error, with its code', async () => {
    const gone = { type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } }
    const reading = read(chunks(`${JSON.stringify(gone)}\n`))
    await expect(reading).rejects.toThrow(ApiError)
    await expect(reading).rejects.toMatchObject({ status: 410, reason: 'Expired' })
  })
})
