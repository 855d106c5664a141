import { z } from 'zod'
import { cidr } from './cidr.ts'
import { keyReasons } from './conditions.ts'
import { celSeconds, duration, secondsOf } from './duration.ts'
import { deletionPolicy, lifecycle } from './lifecycle.ts'
import { mapOf, setOf } from './list.ts'
import { objectName } from './name.ts'
import { origin } from './origin.ts'
import { organizationRef, projectRef } from './reference.ts'
import { defineKind, type Resource } from './resource.ts'
import { withRules, withTransitions } from './rule.ts'
import { scopeToken } from './scope.ts'
import { commonStatus } from './status.ts'
import { matching, paragraph, text } from './text.ts'
import { observedTime, timestamp } from './timestamp.ts'

const secretFormats = ['Envelope', 'Plain'] as const
const keyStates = ['Active', 'Retiring'] as const

const rateLimit = z.strictObject({
  requests: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('How many requests are allowed in each span of time, 1 to 1000000. Example: 600.'),
  per: duration('rateLimit.per', ['1s', '24h'], '1m').describe(
    'The span of time, 1s to 24h. A duration. Example: 1m.',
  ),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe(
      'How many requests may come at once after a pause, 1 to 1000000: the size of the token bucket. Example: 100. Default: the same as requests.',
    )
    .optional(),
})

const rotation = withRules(
  z.strictObject({
    every: duration('rotation.every', ['1m', '3650d'], '90d').describe(
      'How long a secret is the current one before the next is minted. A duration of at least 1m. Example: 90d.',
    ),
    overlap: duration('rotation.overlap', ['0s', '3650d'], '24h').describe(
      'For how long the former secret still works after a rotation, so that every user of it can pick up the new one. A duration shorter than every. Example: 24h.',
    ),
  }),
  {
    cel: `${celSeconds('self.overlap')} < ${celSeconds('self.every')}`,
    message:
      'rotation.overlap must be shorter than rotation.every: shorten overlap or lengthen every, otherwise three secrets would be valid at once',
    field: 'overlap',
    holds: ({ every, overlap }) => (secondsOf(overlap) ?? 0) < (secondsOf(every) ?? 1),
  },
)

const secretRef = z.strictObject({
  name: objectName('secretRef.name', 'ci-key').describe(
    'The name of the Secret in this namespace. The operator creates it and owns it. Example: ci-key.',
  ),
  format: z
    .enum(secretFormats)
    .describe(
      'Envelope: the secret is wrapped by the key management service, and cardea unwrap opens it. Plain: the secret is in the clear under the key "key", which the administrator of the operator must allow. Default: Envelope.',
    )
    .optional(),
})

const digest = z.strictObject({
  sha256: matching(
    'digest',
    64,
    /^[0-9a-f]{64}$/,
    'digest.sha256 must have 64 lower-case hexadecimal digits: the output of printf %s "$KEY" | sha256sum',
  ).describe(
    'The SHA-256 of the key, as 64 lower-case hexadecimal digits: printf %s "$KEY" | sha256sum. The key itself must have at least 128 random bits.',
  ),
})

const apiKeySpec = withTransitions(
  withRules(
    z.strictObject({
      organizationRef: organizationRef(),
      projectRef: projectRef()
        .describe(
          'The Project in this namespace that the key is confined to. It cannot be added, changed or removed. Example: {name: scanner}. Default: none, the key is for the whole organization.',
        )
        .optional(),
      description: paragraph('description', 500)
        .describe(
          'What the key is for, at most 500 characters. Example: Uploads scans from CI. Default: none.',
        )
        .optional(),
      scopes: setOf(scopeToken('scopes'), { max: 100 }).describe(
        'What the key may be used for, as scopes (RFC 6749), at most 100. An empty list allows nothing that asks for a scope. Example: [scans:read, scans:write].',
      ),
      expiresAt: timestamp('expiresAt')
        .describe(
          'When the key ends, to the second, RFC 3339. Rotation does not move it. Example: "2027-06-30T00:00:00Z". Default: never.',
        )
        .optional(),
      allowedCIDRs: setOf(cidr('allowedCIDRs'), { min: 1, max: 64 })
        .describe(
          'The networks that requests may come from, IPv4 and IPv6, at most 64. Example: [10.0.0.0/8, 2001:db8::/32]. Default: any.',
        )
        .optional(),
      allowedOrigins: setOf(origin('allowedOrigins'), { min: 1, max: 32 })
        .describe(
          'The web origins that browsers may use the key from, at most 32. A request without an Origin header is not from a browser and is allowed. Example: [https://ci.acme.example]. Default: any.',
        )
        .optional(),
      rateLimit: rateLimit
        .describe(
          'How often the key may be used. Beyond it, requests get 429 until the bucket fills again. Default: no limit.',
        )
        .optional(),
      rotation: rotation
        .describe(
          'Replaces the secret on a schedule; during the overlap the former one works too. Only with secretRef. Default: never.',
        )
        .optional(),
      secretRef: secretRef
        .describe(
          'Where the operator puts the secret that it mints. Exactly one of secretRef and digest is set. Example: {name: ci-key}. Default: none.',
        )
        .optional(),
      digest: digest
        .describe(
          'The digest of a key that was minted elsewhere; Cardea never sees the key. Exactly one of secretRef and digest is set. Default: none.',
        )
        .optional(),
      ...lifecycle,
      ...deletionPolicy('the record stays for the audit trail and the key is refused'),
    }),
    {
      cel: 'has(self.secretRef) != has(self.digest)',
      message:
        'exactly one of secretRef and digest must be set: secretRef to have a key minted, digest to import one',
      holds: (spec) => (spec.secretRef === undefined) !== (spec.digest === undefined),
    },
    {
      cel: '!has(self.rotation) || !has(self.digest)',
      message:
        'rotation cannot go with digest, because only a key that Cardea mints can be rotated: remove rotation, or use secretRef',
      field: 'rotation',
      holds: (spec) => spec.rotation === undefined || spec.digest === undefined,
    },
  ),
  {
    cel: 'has(self.projectRef) == has(oldSelf.projectRef) && (!has(self.projectRef) || self.projectRef == oldSelf.projectRef)',
    message:
      'projectRef cannot be added, changed or removed: delete this APIKey and create it anew for the other project',
    field: 'projectRef',
  },
)
type APIKeySpec = z.infer<typeof apiKeySpec>

const keyStatus = z.object({
  id: text(64).describe('The stable identity of the secret.'),
  lastFour: text(4)
    .describe(
      'The last four characters of the key, by which people recognise it. Absent for an imported key.',
    )
    .optional(),
  createdAt: observedTime().describe('When it was minted or imported.'),
  expiresAt: observedTime()
    .describe('When it stops working: the end of the overlap, or spec.expiresAt. Absent: never.')
    .optional(),
  state: z
    .enum(keyStates)
    .describe('Active: the current secret. Retiring: the former one, which works until expiresAt.'),
})

const apiKeyStatus = z.object({
  ...commonStatus,
  prefix: text(10).describe('What the current key begins with, before the underscore.').optional(),
  keys: mapOf(keyStatus, ['id'], { max: 8 })
    .describe('The secrets that work now: the current one and, during an overlap, the former one.')
    .optional(),
  expiresAt: observedTime().describe('When the key ends. Absent: never.').optional(),
  nextRotationAt: observedTime()
    .describe('When the next secret is minted. Absent: there is no rotation.')
    .optional(),
  secretName: text(253).describe('The Secret that holds the current key.').optional(),
  lastHandledRotateAt: text(253, 0)
    .describe(
      'The last value of the annotation cardea.dev/rotate-requested-at that the operator answered.',
    )
    .optional(),
})
export type APIKeyStatus = z.infer<typeof apiKeyStatus>
export type APIKey = Resource<'APIKey', APIKeySpec, APIKeyStatus>

export const apiKeyKind = defineKind({
  kind: 'APIKey',
  plural: 'apikeys',
  shortNames: ['key'],
  description:
    'An APIKey is a credential for a machine: what it may be used for, from where, how often and until when. The operator mints it and delivers it in a Secret, or takes the digest of one minted elsewhere.',
  spec: apiKeySpec,
  status: apiKeyStatus,
  reasons: [
    'OrganizationNotFound',
    'OrganizationNotReady',
    'ProjectNotFound',
    'ProjectNotReady',
    'ScopeNotFound',
    'SecretConflict',
    'SecretNotFound',
    'PlainSecretNotAllowed',
    'QuotaExceeded',
    'LifetimeTooLong',
    'DuplicateDigest',
    'Expired',
    ...keyReasons,
  ],
  columns: [
    {
      name: 'Organization',
      type: 'string',
      jsonPath: '.spec.organizationRef.name',
      description: 'The organization that it belongs to.',
      priority: 1,
    },
    {
      name: 'Project',
      type: 'string',
      jsonPath: '.spec.projectRef.name',
      description: 'The project that it is confined to.',
    },
    {
      name: 'Secret',
      type: 'string',
      jsonPath: '.status.secretName',
      description: 'The Secret that holds the current key.',
    },
    {
      name: 'Expires',
      type: 'string',
      jsonPath: '.status.expiresAt',
      description: 'When the key ends.',
    },
    {
      name: 'Next Rotation',
      type: 'string',
      jsonPath: '.status.nextRotationAt',
      description: 'When the next secret is minted.',
      priority: 1,
    },
  ],
})
