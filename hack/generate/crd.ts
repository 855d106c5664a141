import { category } from '../../src/api/v1alpha1/group.ts'
import type { KindDefinition } from '../../src/api/v1alpha1/resource.ts'
import { type StructuralSchema, structuralSchema } from './openapi.ts'

/** The CustomResourceDefinition of a kind. */
export function customResourceDefinition(kind: KindDefinition): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        categories: [category],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          additionalPrinterColumns: kind.columns,
          subresources: { status: {} },
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  }
}

/** The schemas of spec and status, with the titles that the reference page shows. */
export function schemasOf(kind: KindDefinition): {
  readonly spec: StructuralSchema
  readonly status: StructuralSchema
} {
  return {
    spec: structuralSchema(kind.spec, `${kind.kind}.spec`),
    status: structuralSchema(kind.status, `${kind.kind}.status`),
  }
}

function rootSchema(kind: KindDefinition): object {
  const { spec, status } = schemasOf(kind)
  const rules = kind.nameRules.map(({ cel, message }) => ({
    rule: cel,
    message,
    fieldPath: '.metadata.name',
  }))
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: {
        description: `The group and version of this schema: ${kind.group}/${kind.version}.`,
        type: 'string',
      },
      kind: { description: `The kind of this resource: ${kind.kind}.`, type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 253 } } },
      spec: {
        ...withoutTitles(spec),
        description: `What the ${kind.kind} should be; the operator makes it so. A field that is left out has the default that its description names.`,
      },
      status: {
        ...withoutTitles(status),
        description: 'What is the case, as the operator found it.',
        // Without it a resource that no operator has seen yet would count as Current (kstatus), and Argo CD would go on.
        default: { observedGeneration: -1 },
      },
    },
    ...(rules.length > 0 && { 'x-kubernetes-validations': rules }),
  }
}

function withoutTitles(schema: StructuralSchema): StructuralSchema {
  const { items, properties, ...rest } = schema
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([keyword]) => keyword !== 'title')),
    type: schema.type,
    ...(items && { items: withoutTitles(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, withoutTitles(property)]),
      ),
    }),
  }
}
