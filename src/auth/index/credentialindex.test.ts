import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anIndexedApiKey, aPolicy } from '../../../test/support/build/indexed.ts'
import { digestApiKey } from '../../domain/apikey.ts'
import { CredentialIndex } from './credentialindex.ts'
import { Meters } from './meters.ts'

const digest = (text: string) => digestApiKey(text).toString('latin1')

test('whatever is replaced, in whichever order, the index has the last of each key and no more', () => {
  const change = fc.record({
    key: fc.integer({ min: 0, max: 5 }),
    texts: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const index = new CredentialIndex()
      /** Which key has a text. */
      const model = new Map<number, number>()
      for (const { key, texts } of changes) {
        for (const [text, owner] of model) if (owner === key) model.delete(text)
        // PostgreSQL lets no two live secrets have one digest.
        const free = texts.filter((text) => !model.has(text))
        for (const text of free) model.set(text, key)
        const id = `key-${key}`
        index.replaceApiKeys(
          [id],
          free.map((text) =>
            anIndexedApiKey({ id, text: `text-${text}`, imported: text % 2 === 0 }),
          ),
        )
      }
      expect(index.size).toBe(model.size)
      expect(index.imported).toBe([...model.keys()].filter((text) => text % 2 === 0).length)
      for (let text = 0; text <= 12; text++) {
        const owner = model.get(text)
        const found = index.find(digest(`text-${text}`))
        expect(found?.apiKeyId).toBe(owner === undefined ? undefined : `key-${owner}`)
      }
    }),
  )
})

test('a digest may pass from one key to another in one batch', () => {
  const index = new CredentialIndex()
  index.addApiKeys([anIndexedApiKey({ id: 'former', text: 't' })])
  const gone = index.replaceApiKeys(
    ['present', 'former'],
    [anIndexedApiKey({ id: 'present', text: 't' })],
  )
  expect(index.find(digest('t'))?.apiKeyId).toBe('present')
  expect(gone).toEqual([])
})

test('what has expired is swept away, a part at a time, and nothing else', () => {
  const index = new CredentialIndex()
  for (let number = 0; number < 100; number++) {
    const expiresAt = number % 2 === 0 ? 1000 : null
    index.addApiKeys([anIndexedApiKey({ id: `key-${number}`, text: `${number}`, expiresAt })])
  }
  for (let round = 0; round < 10; round++) index.sweep(999, 20)
  expect(index.size).toBe(100)
  for (let round = 0; round < 10; round++) index.sweep(1000, 20)
  expect(index.size).toBe(50)
  expect(index.find(digest('1'))).toBeDefined()
})

test('of two secrets, the one that expires goes and the other stays', () => {
  const index = new CredentialIndex()
  const meters = new Meters(() => index)
  index.addApiKeys([
    anIndexedApiKey({ text: 'former', expiresAt: 1000 }),
    anIndexedApiKey({ text: 'present' }),
  ])
  const [former, present] = [index.find(digest('former')), index.find(digest('present'))]
  if (!former || !present) throw new Error('both are there')
  expect(meters.of(former)).toBe(meters.of(present))
  index.sweep(1000, 100)
  expect(index.find(digest('former'))).toBeUndefined()
  expect(index.apiKey('key')).toBe(present)
  expect(present.sibling).toBeUndefined()
})

test('a meter outlives a change of its key, and a reload', () => {
  let index = new CredentialIndex()
  const meters = new Meters(() => index)
  const row = anIndexedApiKey({ text: 't' })
  index.addApiKeys([row])
  const found = () => {
    const credential = index.find(digest('t'))
    if (!credential) throw new Error('it is there')
    return credential
  }
  const meter = meters.of(found())
  index.replaceApiKeys(['key'], [{ ...row, policy: aPolicy({ scopes: ['a'] }) }])
  expect(meters.of(found())).toBe(meter)
  const next = new CredentialIndex()
  next.addApiKeys([row], index)
  index = next
  expect(meters.of(found())).toBe(meter)
})

test('a key that is read through before it is here has its meter when it comes', () => {
  const index = new CredentialIndex()
  const meters = new Meters(() => index)
  const row = anIndexedApiKey({ text: 't' })
  const detached = () => {
    const small = new CredentialIndex()
    small.addApiKeys([row])
    const credential = small.find(digest('t'))
    if (!credential) throw new Error('it is there')
    return credential
  }
  const meter = meters.of(detached())
  expect(meters.of(detached())).toBe(meter)
  index.addApiKeys([row])
  expect(meters.of(detached())).toBe(meter)
  expect(index.apiKey('key')?.meter).toBe(meter)
})
