import { z } from 'zod'
import type { CelRule } from '../../src/api/v1alpha1/rule.ts'
import { assertMirrored } from './mirror.ts'

/** The part of a structural schema that the kinds use. https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema */
export interface StructuralSchema {
  /** What the value is, for the reference page. It does not go into the CRD. */
  readonly title?: string
  readonly description?: string
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly format?: string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly items?: StructuralSchema
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly default?: unknown
  readonly 'x-kubernetes-list-type'?: 'set' | 'map' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-validations'?: readonly CelRule[]
}

type Json = Readonly<Record<string, unknown>>

const int32 = 2 ** 31 - 1

/** What a structural schema cannot say, or must not, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  anyOf: 'a union becomes optional fields and a rule that exactly one is set',
  oneOf: 'a union becomes optional fields and a rule that exactly one is set',
  allOf: 'an intersection becomes one object',
  not: 'a negation becomes a rule',
  $ref: 'a schema may not refer to itself',
  pattern: "a pattern's error shows a regular expression and no remedy: use matching()",
  default: 'a default would show as a difference in Argo CD: apply it in the program',
  nullable: 'a field is left out, not null',
  exclusiveMinimum: 'use min()',
  exclusiveMaximum: 'use max()',
  multipleOf: 'use a rule',
}

const kept = [
  'title',
  'description',
  'type',
  'format',
  'enum',
  'minLength',
  'maxLength',
  'maxItems',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
]

/**
 * Turns a zod schema into a structural schema.
 * @param path where the schema stands, for errors: `APIKey.spec`
 * @throws where the schema says something that the API server cannot hold a resource to, or would hold it to without
 *   a bound: the cost budget of CEL needs every string and list to have one
 */
export function structuralSchema(schema: z.ZodType, path: string): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Json
  assertMirrored(schema, path)
  return convert(json, path)
}

function convert(json: Json, path: string): StructuralSchema {
  for (const [keyword, remedy] of Object.entries(refused)) {
    if (keyword in json) throw new Error(`${path}: ${keyword} is not supported: ${remedy}`)
  }
  const common = Object.fromEntries(
    kept.filter((keyword) => keyword in json).map((keyword) => [keyword, json[keyword]]),
  )
  switch (json['type']) {
    case 'object':
      return { ...common, ...objectOf(json, path), type: 'object' }
    case 'array':
      return { ...common, ...arrayOf(json, path), type: 'array' }
    case 'string':
      if (json['maxLength'] === undefined && json['enum'] === undefined) {
        throw new Error(`${path}: a string needs a maxLength: use text()`)
      }
      return { ...common, type: 'string' }
    case 'integer':
      return { ...common, ...integerOf(json), type: 'integer' }
    case 'boolean':
      return { ...common, type: 'boolean' }
    default:
      throw new Error(`${path}: the type ${String(json['type'])} is not supported`)
  }
}

function objectOf(json: Json, path: string) {
  if (json['properties'] === undefined) {
    throw new Error(`${path}: an object needs properties: use z.strictObject()`)
  }
  const properties = Object.entries(json['properties'] as Readonly<Record<string, Json>>)
  for (const [name, property] of properties) {
    if (property['description'] === undefined) {
      throw new Error(`${path}.${name}: a field needs a description: use describe()`)
    }
  }
  return {
    ...(json['required'] !== undefined && { required: json['required'] as readonly string[] }),
    properties: Object.fromEntries(
      properties.map(([name, property]) => [name, convert(property, `${path}.${name}`)]),
    ),
  }
}

function arrayOf(json: Json, path: string) {
  if (json['maxItems'] === undefined || json['x-kubernetes-list-type'] === undefined) {
    throw new Error(
      `${path}: a list needs a maxItems and an x-kubernetes-list-type: use setOf() or mapOf()`,
    )
  }
  return {
    ...(json['minItems'] !== 0 && { minItems: json['minItems'] as number }),
    items: convert(json['items'] as Json, `${path}[]`),
  }
}

function integerOf(json: Json) {
  // zod bounds every integer by what a double holds; that says nothing about the field.
  const bounds = (['minimum', 'maximum'] as const)
    .map((keyword) => [keyword, json[keyword] as number] as const)
    .filter(([, bound]) => Math.abs(bound) < Number.MAX_SAFE_INTEGER)
  const small = bounds.length === 2 && bounds.every(([, bound]) => Math.abs(bound) <= int32)
  return { format: small ? 'int32' : 'int64', ...Object.fromEntries(bounds) }
}
