import { encryptionKeyKind } from '../../../src/api/v1alpha1/encryptionkey.ts'
import { filled, type KindSpecs } from './spec.ts'

const aws = { keyId: 'alias/acme', region: 'eu-west-1' }

export const encryptionKeySpecs: KindSpecs = {
  kind: encryptionKeyKind,
  valid: { aws },
  accepted: [
    {
      name: 'the example of the design',
      change: { rotation: { every: '90d' } },
    },
    {
      name: 'an ARN',
      change: {
        aws: {
          ...aws,
          keyId: 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
        },
      },
    },
    {
      name: 'a key in Google Cloud KMS',
      change: {
        aws: undefined,
        gcp: {
          name: 'projects/acme.example:p/locations/europe-west1/keyRings/cardea/cryptoKeys/acme_1',
        },
      },
    },
    {
      name: 'a key in Azure Key Vault',
      change: {
        aws: undefined,
        azure: { vaultUrl: 'https://acme.vault.azure.net', name: 'acme-1' },
      },
    },
    {
      name: 'a key of a transit engine below a path',
      change: { aws: undefined, vault: { mount: 'team/transit', name: 'acme.1' } },
    },
    { name: 'the local key', change: { aws: undefined, local: {} } },
    {
      name: 'a moment of compromise',
      change: { rotation: { compromisedBefore: '2027-06-30T00:00:00Z' } },
    },
    {
      name: 'everything at its greatest',
      metadataName: filled(63),
      change: {
        aws: { keyId: filled(2048), region: filled(32) },
        rotation: { every: '3650d', compromisedBefore: '2999-12-31T23:59:59+14:00' },
        suspend: true,
      },
    },
  ],
  refused: [
    {
      name: 'no provider',
      change: { aws: undefined },
      field: 'spec',
      says: 'exactly one of aws, gcp, azure, vault, local',
    },
    {
      name: 'two providers',
      change: { local: {} },
      field: 'spec',
      says: 'exactly one of aws, gcp, azure, vault, local',
    },
    {
      name: 'a pattern for a key',
      change: { aws: { ...aws, keyId: 'alias/*' } },
      field: 'spec.aws.keyId',
      says: 'for example alias/acme',
    },
    {
      name: 'a region with capitals',
      change: { aws: { ...aws, region: 'EU' } },
      field: 'spec.aws.region',
      says: 'for example eu-west-1',
    },
    {
      name: 'a version of a key in Google Cloud KMS',
      change: {
        aws: undefined,
        gcp: {
          name: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1',
        },
      },
      field: 'spec.gcp.name',
      says: 'without a version',
    },
    {
      name: 'a vault with a path',
      change: { aws: undefined, azure: { vaultUrl: 'https://acme.vault.azure.net/', name: 'a' } },
      field: 'spec.azure.vaultUrl',
      says: 'without a path',
    },
    {
      name: 'a vault without TLS',
      change: { aws: undefined, azure: { vaultUrl: 'http://acme.vault.azure.net', name: 'a' } },
      field: 'spec.azure.vaultUrl',
      says: 'https://acme.vault.azure.net',
    },
    {
      name: 'a name of a key in Azure with its version',
      change: {
        aws: undefined,
        azure: { vaultUrl: 'https://acme.vault.azure.net', name: 'acme/0123' },
      },
      field: 'spec.azure.name',
      says: 'letters, digits and hyphens',
    },
    {
      name: 'a mount that climbs out',
      change: { aws: undefined, vault: { mount: '../sys', name: 'acme' } },
      field: 'spec.vault.mount',
      says: 'for example transit',
    },
    {
      name: 'a name of a key with a slash',
      change: { aws: undefined, vault: { mount: 'transit', name: 'a/b' } },
      field: 'spec.vault.name',
      says: 'for example acme',
    },
    {
      name: 'a rotation every minute',
      change: { rotation: { every: '1m' } },
      field: 'spec.rotation.every',
      says: 'from 1h to 3650d',
    },
    {
      name: 'a moment without a time zone',
      change: { rotation: { compromisedBefore: '2027-06-30T00:00:00' } },
      field: 'spec.rotation.compromisedBefore',
      says: 'with a time zone',
    },
    {
      name: 'a credential',
      change: { aws: { ...aws, secretAccessKey: 'canary' } },
      field: '',
      says: 'unknown field "spec.aws.secretAccessKey"',
    },
  ],
  refusedChanges: [],
}
