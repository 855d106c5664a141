import type { z } from 'zod'
import type { KubeObject, ResourceKind } from '../../k8s/object.ts'
import type { Reason, ReasonFacts } from './conditions.ts'
import { type apiVersion, group, version } from './group.ts'
import type { Transition } from './rule.ts'

/** A custom resource of Cardea as the API server gives it. */
export interface Resource<Kind extends string, Spec, Status> extends KubeObject {
  readonly apiVersion: typeof apiVersion
  readonly kind: Kind
  readonly spec: Spec
  readonly status?: Status | undefined
}

/** A column of `kubectl get`. Those of priority 1 come with `-o wide`. */
interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description: string
  readonly priority?: 1
}

/** A rule over the whole object, for what `spec` alone cannot tell: the name. */
export interface NameRule extends Transition {
  readonly holds: (name: string) => boolean
}

/** Everything that the CustomResourceDefinition and the reference page of a kind are made of. */
export interface KindDefinition<Kind extends string = string> extends ResourceKind {
  readonly group: typeof group
  readonly version: typeof version
  readonly kind: Kind
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly [string, ...string[]]
  readonly namespaced: true
  /** What `kubectl explain` opens with. */
  readonly description: string
  readonly spec: z.ZodType
  readonly status: z.ZodType
  readonly nameRules: readonly NameRule[]
  readonly columns: readonly PrinterColumn[]
  /** The reasons that its conditions may have. */
  readonly reasons: readonly Reason[]
  /** What a reason means here, where that is not what it means elsewhere. */
  readonly reasonFacts?: Partial<Readonly<Record<Reason, ReasonFacts>>>
}

/** Completes the definition of a kind with what all kinds share. */
export function defineKind<const Kind extends string>({
  hasRecord = true,
  ...definition
}: Omit<KindDefinition<Kind>, 'group' | 'version' | 'singular' | 'namespaced' | 'nameRules'> & {
  readonly nameRules?: readonly NameRule[]
  /** Whether there is a record in the database, which has an identity and may belong to another. */
  readonly hasRecord?: boolean
}): KindDefinition<Kind> {
  return {
    group,
    version,
    namespaced: true,
    singular: definition.kind.toLowerCase(),
    nameRules: [],
    ...definition,
    columns: [
      ...definition.columns,
      ...commonColumns.filter(({ jsonPath }) => hasRecord || jsonPath !== '.status.id'),
    ],
    reasons: [...commonReasons, ...(hasRecord ? recordReasons : []), ...definition.reasons],
  }
}

const commonReasons: readonly Reason[] = ['Succeeded', 'ProgressingWithRetry', 'ReconcileError']

const recordReasons: readonly Reason[] = ['Conflict']

const commonColumns: readonly PrinterColumn[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: 'Whether what the spec says is in force.',
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: 'Why it is, or is not.',
  },
  {
    name: 'Suspended',
    type: 'boolean',
    jsonPath: '.spec.suspend',
    description: 'Whether the operator leaves it as it is.',
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
    description: 'What to do.',
    priority: 1,
  },
  {
    name: 'ID',
    type: 'string',
    jsonPath: '.status.id',
    description: 'The stable identity of the record.',
    priority: 1,
  },
  {
    name: 'Age',
    type: 'date',
    jsonPath: '.metadata.creationTimestamp',
    description: 'The time since the resource was created.',
  },
]
