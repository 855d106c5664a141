import { expect, test } from 'vitest'
import { type Resource, readiness } from './quickstart.ts'

const resource = (status: Resource['status'], generation = 2): Resource => ({
  apiVersion: 'cardea.dev/v1alpha1',
  kind: 'APIKey',
  metadata: { name: 'ci', generation },
  ...(status && { status }),
})
const ready = (status: string) => [
  { type: 'Ready', status, reason: 'KeyMinted', message: 'The key is there.' },
]

test.each([
  ['no status', resource(undefined), /not seen it/],
  [
    'a status of the generation before',
    resource({ observedGeneration: 1, conditions: ready('True') }),
    /not seen it/,
  ],
  ['no Ready condition', resource({ observedGeneration: 2, conditions: [] }), /no Ready condition/],
  [
    'Ready=False',
    resource({ observedGeneration: 2, conditions: ready('False') }),
    /KeyMinted: The key/,
  ],
])('%s is not ready, and says why', (_, given, expected) => {
  expect(readiness(given)).toMatch(expected)
})

test('Ready=True of this generation is ready', () => {
  expect(readiness(resource({ observedGeneration: 2, conditions: ready('True') }))).toBeUndefined()
})
