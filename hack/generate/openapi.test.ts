import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { setOf } from '../../src/api/v1alpha1/list.ts'
import { withRules, withTransitions } from '../../src/api/v1alpha1/rule.ts'
import { text } from '../../src/api/v1alpha1/text.ts'
import { structuralSchema } from './openapi.ts'

const name = text(10).describe('A name.')
const even = {
  cel: 'self.size() % 2 == 0',
  message: 'name must be of even length: add a character',
  holds: (value: string) => value.length % 2 === 0,
}

describe('a structural schema', () => {
  test('keeps descriptions, bounds and rules, and drops what the API server does not know', () => {
    const schema = z.strictObject({
      name: withRules(name, even),
      count: z.int().min(1).max(5).describe('A count.').optional(),
      total: z.int().describe('A total.').optional(),
      kinds: setOf(z.enum(['A', 'B']), { max: 2 })
        .describe('Kinds.')
        .optional(),
    })
    expect(structuralSchema(schema, 'Thing.spec')).toEqual({
      type: 'object',
      required: ['name'],
      properties: {
        name: {
          description: 'A name.',
          type: 'string',
          minLength: 1,
          maxLength: 10,
          'x-kubernetes-validations': [{ rule: even.cel, message: even.message }],
        },
        count: {
          description: 'A count.',
          type: 'integer',
          format: 'int32',
          minimum: 1,
          maximum: 5,
        },
        total: { description: 'A total.', type: 'integer', format: 'int64' },
        kinds: {
          description: 'Kinds.',
          type: 'array',
          maxItems: 2,
          items: { type: 'string', enum: ['A', 'B'] },
          'x-kubernetes-list-type': 'set',
        },
      },
    })
  })

  test('keeps the rules of a value and those of its changes', () => {
    const ruled = withTransitions(withRules(name, even), {
      cel: 'self == oldSelf',
      message: 'stays',
      field: 'x',
    })
    expect(structuralSchema(ruled, 'x')['x-kubernetes-validations']).toEqual([
      { rule: even.cel, message: even.message },
      { rule: 'self == oldSelf', message: 'stays', fieldPath: '.x' },
    ])
  })
})

const refused: readonly {
  readonly name: string
  readonly schema: z.ZodType
  readonly says: string
}[] = [
  { name: 'a string without a bound', schema: z.string(), says: 'x: a string needs a maxLength' },
  {
    name: 'a string bounded by a pattern only',
    schema: z.string().regex(/^a{3}$/),
    says: 'pattern is not supported',
  },
  { name: 'a list without a bound', schema: z.array(name), says: 'x: a list needs a maxItems' },
  {
    name: 'a bounded list without a type',
    schema: z.array(name).max(3),
    says: 'use setOf() or mapOf()',
  },
  {
    name: 'a field without a description',
    schema: z.strictObject({ a: text(3) }),
    says: 'x.a: a field needs a description',
  },
  {
    name: 'a union',
    schema: z.union([name, z.boolean()]),
    says: 'anyOf is not supported: a union becomes optional fields',
  },
  {
    name: 'a default',
    schema: z.strictObject({ a: z.boolean().describe('A.').default(true) }),
    says: 'would show as a difference in Argo CD',
  },
  { name: 'a null', schema: name.nullable(), says: 'nullable is not supported' },
  {
    name: 'an open object',
    schema: z.record(z.string(), name),
    says: 'an object needs properties',
  },
  {
    name: 'a number that is no integer',
    schema: z.number(),
    says: 'the type number is not supported',
  },
  { name: 'anything', schema: z.any(), says: 'is not supported' },
  {
    name: 'a refinement',
    schema: name.refine(even.holds),
    says: 'x: a refinement without its CEL',
  },
  {
    name: 'a refinement of an element',
    schema: setOf(name.refine(even.holds), { max: 3 }),
    says: 'x[]: a refinement without its CEL',
  },
  {
    name: 'a refinement deep inside',
    schema: z.strictObject({
      a: z
        .strictObject({ b: name.refine(even.holds) })
        .describe('A.')
        .optional(),
    }),
    says: 'x.a.b: a refinement without its CEL',
  },
  {
    name: 'a rule whose CEL somebody lost',
    schema: withRules(name, even).meta({ 'x-kubernetes-validations': [] }),
    says: 'without its CEL',
  },
]

test.each(refused)('the generator refuses $name', ({ schema, says }) => {
  expect(() => structuralSchema(schema, 'x')).toThrow(says)
})
