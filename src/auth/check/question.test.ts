import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Questions } from './question.ts'

const questions = new Questions()

test.each([
  ['', { scopes: [], permission: undefined, project: undefined }],
  ['scope=a', { scopes: ['a'], permission: undefined, project: undefined }],
  ['scope=a%20b+c', { scopes: ['a', 'b', 'c'], permission: undefined, project: undefined }],
  ['project=p&permission=x%2Fy:z', { scopes: [], permission: 'x/y:z', project: 'p' }],
])('%j asks %j', (query, question) => {
  expect(questions.read(query)).toEqual(question)
  expect(questions.read(query)).toEqual(question)
})

test('whatever is asked is understood whole or not at all', () => {
  const name = fc.constantFrom('scope', 'permission', 'project', 'scopes', '__proto__')
  const value = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('a', 'a b', 'x:y', 'p'))
  const pairs = fc.array(fc.tuple(name, value), { maxLength: 4 })
  const query = fc.oneof(
    fc.string({ maxLength: 40 }),
    pairs.map((list) => new URLSearchParams(list.map(([key, text]) => [key, text])).toString()),
  )
  fc.assert(
    fc.property(query, (text) => {
      const question = questions.read(text)
      if (question === undefined) return
      const names = [...new URLSearchParams(text).keys()]
      expect(new Set(names).size).toBe(names.length)
      expect(['scope', 'permission', 'project']).toEqual(expect.arrayContaining(names))
      for (const scope of question.scopes) expect(scope).toMatch(/^[!#-[\]-~]+$/)
    }),
    { numRuns: 500 },
  )
})

test('ever new questions do not fill the memory, nor change an answer', () => {
  for (let number = 0; number < 5000; number++) questions.read(`scope=s${number}`)
  expect(questions.read('scope=s0')?.scopes).toEqual(['s0'])
})
