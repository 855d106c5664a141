interface Schema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly allOf?: readonly { readonly $ref?: string }[]
  readonly definitions?: Readonly<Record<string, Schema>>
}

/**
 * The values table of a chart's README: the descriptions of values.schema.json beside the defaults of values.yaml.
 * @throws when a value has no description, or no default
 */
export function valuesTable(schema: Schema, values: object): string {
  const rows = leaves(schema, values, [], schema.definitions ?? {})
  return `| value | default | what |\n|---|---|---|\n${rows.join('\n')}\n`
}

/** Puts a table between a document's `<!-- values -->` marks. */
export function withValuesTable(document: string, table: string): string {
  return document.replace(
    /(<!-- values -->\n)[^]*?(<!-- \/values -->)/,
    (_, start: string, end: string) => start + table + end,
  )
}

function leaves(
  schema: Schema,
  value: unknown,
  path: readonly string[],
  definitions: Readonly<Record<string, Schema>>,
): readonly string[] {
  const name = path.join('.')
  if (name === 'global') return []
  const referred = definitions[schema.allOf?.[0]?.$ref?.replace('#/definitions/', '') ?? '']
  const properties = schema.properties ?? referred?.properties
  // Requests and limits are the reader's to lay out; they are one value here.
  if (properties && path.at(-1) !== 'resources') {
    return Object.entries(properties).flatMap(([key, property]) =>
      leaves(property, (value as Record<string, unknown>)[key], [...path, key], definitions),
    )
  }
  if (value === undefined) throw new Error(`${name} has no default`)
  if (!schema.description) throw new Error(`${name} has no description`)
  return [`| \`${name}\` | \`${JSON.stringify(value)}\` | ${schema.description} |`]
}
