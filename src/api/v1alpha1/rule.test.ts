import { expect, test } from 'vitest'
import { z } from 'zod'
import { celRules, celString, withRules, withTransitions } from './rule.ts'

const pair = z.strictObject({ low: z.int(), high: z.int() }).describe('A range.')
const ordered = {
  cel: 'self.low <= self.high',
  message: 'low must not be above high: lower low or raise high',
  field: 'low',
  holds: ({ low, high }: z.infer<typeof pair>) => low <= high,
}

test('a rule is checked by the program, at the field that it names', () => {
  const ruled = withRules(pair, ordered)
  expect(ruled.safeParse({ low: 1, high: 2 }).success).toBe(true)
  const issues = ruled.safeParse({ low: 3, high: 2 }).error?.issues
  expect(issues).toMatchObject([{ path: ['low'], message: ordered.message }])
})

test('a rule is carried to the API server, beside the description and the rules before it', () => {
  const ruled = withTransitions(withRules(pair, ordered), {
    cel: 'self == oldSelf',
    message: 'stays',
  })
  expect(ruled.meta()?.description).toBe('A range.')
  expect(celRules(ruled)).toEqual([
    { rule: ordered.cel, message: ordered.message, fieldPath: '.low' },
    { rule: 'self == oldSelf', message: 'stays' },
  ])
})

test('adding a rule leaves the schema as it was', () => {
  withRules(pair, ordered)
  expect(celRules(pair)).toEqual([])
  expect(pair.safeParse({ low: 3, high: 2 }).success).toBe(true)
})

test('a string becomes a CEL literal that cannot be escaped from', () => {
  expect(celString('a"b\\c\n')).toBe('"a\\"b\\\\c\\n"')
})
