import { z } from 'zod'
import { duration } from './duration.ts'
import { mapOf } from './list.ts'
import { defineKind, type Resource } from './resource.ts'
import { type Rule, withRules } from './rule.ts'
import { observedStatus } from './status.ts'
import { matching, text } from './text.ts'
import { observedTime, timestamp } from './timestamp.ts'

const keyProviders = ['aws', 'gcp', 'azure', 'vault', 'local'] as const

const aws = z.strictObject({
  keyId: matching(
    'key',
    2048,
    /^[A-Za-z0-9:/_-]+$/,
    'aws.keyId must be a key id, an ARN or an alias of AWS KMS, for example alias/acme',
  ).describe('The key: an id, an ARN or an alias. Example: alias/acme.'),
  region: matching(
    'region',
    32,
    /^[a-z0-9-]+$/,
    'aws.region must be the name of a region of AWS, for example eu-west-1',
  ).describe('The region that the key is in. Example: eu-west-1.'),
})

const gcp = z.strictObject({
  name: matching(
    'key',
    1024,
    /^projects\/[A-Za-z0-9.:_-]+\/locations\/[a-z0-9-]+\/keyRings\/[A-Za-z0-9_-]+\/cryptoKeys\/[A-Za-z0-9_-]+$/,
    'gcp.name must be the resource name of a key, without a version: projects/P/locations/L/keyRings/R/cryptoKeys/K',
  ).describe(
    'The resource name of the key, without a version. Example: projects/acme/locations/europe-west1/keyRings/cardea/cryptoKeys/acme.',
  ),
})

const azure = z.strictObject({
  vaultUrl: matching(
    'URL',
    256,
    /^https:\/\/[a-z0-9.:-]+$/,
    'azure.vaultUrl must be the URL of a vault or managed HSM without a path, for example https://acme.vault.azure.net',
  ).describe('The vault, or the managed HSM. Example: https://acme.vault.azure.net.'),
  name: matching(
    'key',
    127,
    /^[A-Za-z0-9-]+$/,
    'azure.name must be the name of a key: letters, digits and hyphens, for example acme',
  ).describe('The name of the key, without a version. Example: acme.'),
})

const vault = z.strictObject({
  mount: matching(
    'path',
    256,
    /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/,
    'vault.mount must be the path of a transit engine without slashes at its ends, for example transit',
  ).describe('Where the transit engine is mounted. Example: transit.'),
  name: matching(
    'key',
    128,
    /^[A-Za-z0-9_.-]+$/,
    'vault.name must be the name of a key of the transit engine, for example acme',
  ).describe('The name of the key. Example: acme.'),
})

const rotation = z.strictObject({
  every: duration('rotation.every', ['1h', '3650d'], '90d')
    .describe(
      'How long a data key of an organization is the active one. When it is over, a new one is made, and what the former one sealed is sealed anew. How often the key itself gets a new version is set at its provider; what an older version wrapped is wrapped anew by itself. A duration of at least 1h. Example: 90d. Default: never.',
    )
    .optional(),
  compromisedBefore: timestamp('rotation.compromisedBefore')
    .describe(
      'What was made before this moment counts as compromised: every API key of these organizations whose current secret is older gets a new one, and the former one works for the rotation.overlap of the APIKey, or for 24h where it has none. A moment to come takes effect when it has come. Example: "2027-06-30T00:00:00Z". Default: nothing is compromised.',
    )
    .optional(),
})

type Choice = Partial<Record<(typeof keyProviders)[number], unknown>>

const oneKey: Rule<Choice> = {
  cel: `[${keyProviders.map((provider) => `has(self.${provider})`).join(', ')}].filter(x, x).size() == 1`,
  message: `exactly one of ${keyProviders.join(', ')} must be set: the provider that has the key`,
  holds: (spec) => keyProviders.filter((provider) => spec[provider] !== undefined).length === 1,
}

const encryptionKeySpec = withRules(
  z.strictObject({
    aws: aws.describe('A key in AWS KMS. Default: none.').optional(),
    gcp: gcp.describe('A key in Google Cloud KMS. Default: none.').optional(),
    azure: azure.describe('A key in Azure Key Vault or a managed HSM. Default: none.').optional(),
    vault: vault
      .describe(
        'A key of the transit engine of HashiCorp Vault or OpenBao, at the server that the installation is set up for. Default: none.',
      )
      .optional(),
    local: z
      .strictObject({})
      .describe(
        'The key file of the installation, for development: whoever reads it reads everything. Example: {}. Default: none.',
      )
      .optional(),
    rotation: rotation.describe('When data keys are replaced, and what is compromised.').optional(),
    suspend: z
      .boolean()
      .describe(
        'While true, the operator leaves this resource as it is and does not probe the key. What is in force stays in force, and what is stale is wrapped anew. Default: false.',
      )
      .optional(),
  }),
  oneKey,
)
type EncryptionKeySpec = z.infer<typeof encryptionKeySpec>

const count = () => z.int().min(0).meta({ format: 'int64' })

const versionStatus = z.object({
  version: text(256).describe('The version of the key.'),
  count: count().describe('How many wrapped data keys there are under it.'),
})

const encryptionKeyStatus = z.object({
  ...observedStatus,
  provider: z.enum(keyProviders).describe('Who has the key.').optional(),
  keyId: text(2048).describe('The name that its provider has for it.').optional(),
  version: text(256).describe('The version that wraps from now on.').optional(),
  envelopes: mapOf(versionStatus, ['version'], { max: 32 })
    .describe(
      'What this key wraps now for the organizations of the namespace, by version: Secrets of API keys and data keys. At 0 for every version, nothing needs the key any more. The 32 versions with the most.',
    )
    .optional(),
  total: count()
    .describe('How many wrapped data keys the organizations that chose this key have.')
    .optional(),
  stale: count()
    .describe(
      'How many of them are not under its current version yet: under an older one, or under another key. They are wrapped anew by themselves; 0 says that it is complete.',
    )
    .optional(),
  compromised: count()
    .describe(
      'How many current secrets of API keys are older than rotation.compromisedBefore and are still to be replaced. Absent: nothing is compromised.',
    )
    .optional(),
  lastProbeTime: observedTime()
    .describe(
      'When a wrap and an unwrap succeeded, as of the last change of this status. The metric cardea_encryption_key_last_probe_timestamp_seconds has the last of all.',
    )
    .optional(),
  lastHandledRotateDataKeyAt: text(253, 0)
    .describe(
      'The last value of the annotation cardea.dev/rotate-data-key-requested-at that the operator answered.',
    )
    .optional(),
})
export type EncryptionKeyStatus = z.infer<typeof encryptionKeyStatus>
export type EncryptionKey = Resource<'EncryptionKey', EncryptionKeySpec, EncryptionKeyStatus>

export const encryptionKeyKind = defineKind({
  kind: 'EncryptionKey',
  plural: 'encryptionkeys',
  shortNames: ['kek'],
  description:
    'An EncryptionKey is a key in a key management service that wraps the data keys of the organizations that choose it by spec.encryptionKeyRef. It is probed by a wrap and an unwrap, and its status shows what is wrapped by which version. The key itself is made, rotated and disabled at its provider; no credential of a provider is ever in a resource.',
  spec: encryptionKeySpec,
  status: encryptionKeyStatus,
  hasRecord: false,
  reasons: [
    'KeyNotAllowed',
    'KeyDisabled',
    'KeyPendingDeletion',
    'PermissionDenied',
    'KeyNotFound',
    'KeyUnsuitable',
    'KeyManagementUnavailable',
    'DeletionBlocked',
    'HasChildren',
  ],
  columns: [
    {
      name: 'Provider',
      type: 'string',
      jsonPath: '.status.provider',
      description: 'Who has the key.',
    },
    {
      name: 'Version',
      type: 'string',
      jsonPath: '.status.version',
      description: 'The version that wraps from now on.',
    },
    {
      name: 'Stale',
      type: 'integer',
      jsonPath: '.status.stale',
      description: 'How many wrapped data keys are not under that version yet.',
    },
    {
      name: 'Key',
      type: 'string',
      jsonPath: '.status.keyId',
      description: 'The name that its provider has for it.',
      priority: 1,
    },
  ],
})
