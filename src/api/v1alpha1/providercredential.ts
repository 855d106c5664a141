import { z } from 'zod'
import { keyReasons } from './conditions.ts'
import { deletionPolicy, lifecycle } from './lifecycle.ts'
import { mapOf } from './list.ts'
import { dnsLabel, objectName } from './name.ts'
import { organizationRef, projectRef } from './reference.ts'
import { defineKind, type Resource } from './resource.ts'
import { withTransitions } from './rule.ts'
import { commonStatus } from './status.ts'
import { matching, text } from './text.ts'
import { observedTime } from './timestamp.ts'

const secretRef = z.strictObject({
  name: objectName('secretRef.name', 'openai-key').describe(
    'The name of the Secret in this namespace. It stays yours: the operator only reads it. Example: openai-key.',
  ),
  key: matching(
    'name of an entry',
    253,
    /^[-._a-zA-Z0-9]+$/,
    'valueFrom.secretRef.key must be the name of an entry of the Secret: letters, digits, hyphens, dots and underscores, for example token',
  ).describe('The entry of the Secret that holds the value. Example: token.'),
})

const providerCredentialSpec = withTransitions(
  z.strictObject({
    organizationRef: organizationRef(),
    projectRef: projectRef()
      .describe(
        'The Project in this namespace that the credential is for. There it comes before the one of the organization. It cannot be added, changed or removed. Example: {name: scanner}. Default: none, the credential is for the whole organization.',
      )
      .optional(),
    provider: dnsLabel('provider', 'openai').describe(
      'Whose credential it is, by the name that workloads ask for. An organization, and each project, has one credential a provider. Example: openai.',
    ),
    valueFrom: z
      .strictObject({
        secretRef: secretRef.describe(
          'The entry of a Secret in this namespace. A new value in it becomes a new version of the credential. Example: {name: openai-key, key: token}.',
        ),
      })
      .describe(
        'Where the value comes from: text of 1 to 65536 bytes. It is kept sealed, and works on when the Secret is gone.',
      ),
    ...lifecycle,
    ...deletionPolicy('the record stays, its values are wiped, and workloads are refused'),
  }),
  {
    cel: 'has(self.projectRef) == has(oldSelf.projectRef) && (!has(self.projectRef) || self.projectRef == oldSelf.projectRef)',
    message:
      'projectRef cannot be added, changed or removed: delete this ProviderCredential and create it anew for the other project',
    field: 'projectRef',
  },
)
type ProviderCredentialSpec = z.infer<typeof providerCredentialSpec>

const fingerprint = () =>
  text(64).describe(
    'By which people recognise a value: the start of a keyed hash that nobody can try values against.',
  )
const version = () => z.int().min(1).meta({ format: 'int32' })

const versionStatus = z.object({
  version: version().describe('Counts the values that the credential has had.'),
  fingerprint: fingerprint(),
  createdAt: observedTime().describe('When the operator took the value in.'),
  revokedAt: observedTime()
    .describe('When it was revoked, and wiped. Absent: it is the one that workloads get.')
    .optional(),
})

const providerCredentialStatus = z.object({
  ...commonStatus,
  fingerprint: fingerprint().optional(),
  lastFour: text(4)
    .describe(
      'The last four characters of the value, where it has at least 16 and they are printable.',
    )
    .optional(),
  version: version().describe('The version that workloads get.').optional(),
  dataKeyVersion: version()
    .describe('The version of the data key of the organization that the value is sealed with.')
    .optional(),
  versions: mapOf(versionStatus, ['version'], { max: 8 })
    .describe('The version that workloads get, and the two before it, the newest first.')
    .optional(),
})
export type ProviderCredentialStatus = z.infer<typeof providerCredentialStatus>
export type ProviderCredential = Resource<
  'ProviderCredential',
  ProviderCredentialSpec,
  ProviderCredentialStatus
>

export const providerCredentialKind = defineKind({
  kind: 'ProviderCredential',
  plural: 'providercredentials',
  shortNames: ['pc'],
  description:
    'A ProviderCredential is the credential of a third party, such as an API key of a model provider, that Cardea keeps sealed for an Organization or a Project and gives to the workloads that may have it.',
  spec: providerCredentialSpec,
  status: providerCredentialStatus,
  reasons: [
    'OrganizationNotFound',
    'OrganizationNotReady',
    'ProjectNotFound',
    'ProjectNotReady',
    'SecretNotFound',
    'SecretKeyNotFound',
    'InvalidValue',
    'ValueLost',
    'DuplicateProvider',
    ...keyReasons,
  ],
  reasonFacts: {
    SecretNotFound: {
      outcome: 'wait',
      actor: 'author',
      means:
        'valueFrom names a Secret that is not in this namespace. Create it, or correct the name. Until then the last value that was good goes on working, if there was one.',
    },
  },
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
      description: 'The project that it is for.',
    },
    {
      name: 'Provider',
      type: 'string',
      jsonPath: '.spec.provider',
      description: 'Whose credential it is.',
    },
    {
      name: 'Version',
      type: 'integer',
      jsonPath: '.status.version',
      description: 'The version that workloads get.',
    },
    {
      name: 'Fingerprint',
      type: 'string',
      jsonPath: '.status.fingerprint',
      description: 'By which people recognise the value.',
      priority: 1,
    },
  ],
})
