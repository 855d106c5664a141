import type { StructuralSchema } from './openapi.ts'

/** A field as the reference page shows it. */
export interface Field extends Description {
  /** From the spec or the status on: `rateLimit.per`, `subjects[].kind`. */
  readonly path: string
  readonly type: string
  readonly required: boolean
}

interface Description {
  readonly meaning: string
  readonly example?: string
  readonly default?: string
}

/** A rule as the reference page shows it. */
export interface FieldRule {
  readonly path: string
  readonly message: string
}

/** Every field below an object, depth first, in the order of the schema. */
export function fieldsOf(schema: StructuralSchema, prefix = ''): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = `${prefix}${name}`
    const required = schema.required?.includes(name) ?? false
    const field = { path, type: typeOf(property), required, ...readDescription(property) }
    const below = property.items ? fieldsOf(property.items, `${path}[].`) : []
    return [field].concat(fieldsOf(property, `${path}.`), below)
  })
}

/** The messages of every rule at and below a schema. */
export function rulesOf(schema: StructuralSchema, path: string): readonly FieldRule[] {
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ message, fieldPath }) => ({
      path: `${path}${fieldPath ?? ''}`,
      message,
    })),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
      rulesOf(property, `${path}.${name}`),
    ),
    ...(schema.items ? rulesOf(schema.items, `${path}[]`) : []),
  ]
}

/**
 * Holds a spec to the form of its descriptions: a field that may be left out says what happens then.
 * @throws naming the first field whose description lacks its default
 */
export function assertDefaultsTold(schema: StructuralSchema, path: string): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const optional = !schema.required?.includes(name)
    const section = property.properties !== undefined && property.required === undefined
    if (optional && !section && readDescription(property).default === undefined) {
      throw new Error(`${path}.${name}: the description of an optional field ends in "Default: …."`)
    }
    assertDefaultsTold(property, `${path}.${name}`)
    if (property.items) assertDefaultsTold(property.items, `${path}.${name}[]`)
  }
}

/** A description is `What it is. Example: this. Default: that.`, so that kubectl explain and the page say the same. */
function readDescription({ description: text = '' }: StructuralSchema): Description {
  const [, meaning = text, example, fallback] =
    /^(.*?)(?: Example: (.+?)\.)?(?: Default: (.+?)\.)?$/s.exec(text) ?? []
  return {
    meaning,
    ...(example !== undefined && { example }),
    ...(fallback !== undefined && { default: fallback }),
  }
}

function typeOf(schema: StructuralSchema): string {
  if (schema.items) return `list of ${elements(schema.items)}${range(schema, 'Items')}`
  if (schema.enum) return values(schema.enum)
  if (schema.type === 'integer' && schema.maximum !== undefined) {
    return `integer, ${schema.minimum} to ${schema.maximum}`
  }
  if (schema.title === undefined && schema.type === 'string')
    return `string${range(schema, 'Length')}`
  return schema.title ?? schema.type
}

function elements(item: StructuralSchema): string {
  if (item.enum) return values(item.enum)
  const name = item.title ?? item.type
  return name.endsWith('s') ? `${name}es` : `${name}s`
}

function values(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(' or ')
}

function range(schema: StructuralSchema, of: 'Items' | 'Length'): string {
  const [min = 0, max] = [schema[`min${of}`], schema[`max${of}`]]
  const unit = of === 'Length' ? ' characters' : ''
  return `, ${min === 0 ? 'at most' : `${min} to`} ${max}${unit}`
}
