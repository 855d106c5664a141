import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  KMSClient,
  ListAliasesCommand,
} from '@aws-sdk/client-kms'
import { keepKmsKey, writePrivate } from './keep.ts'
import { ministackRoot, startMinistack } from './ministack.ts'
import { type OpenBao, startOpenBao } from './openbao.ts'
import { place } from './place.ts'
import type { Watcher } from './program.ts'
import type { Progress } from './progress.ts'

export const kmsKinds = ['local', 'vault', 'aws'] as const
export type KmsKind = (typeof kmsKinds)[number]

/** The key management that a local system wraps with. */
export interface Kms {
  /** The variables that lead every program of Cardea to the key. */
  readonly settings: Readonly<Record<string, string>>
  /** What a person needs to look at it with its own tools. */
  readonly extras: Readonly<Record<string, string>>
  /** For people. */
  readonly about: string
}

/**
 * Decides which key management the data of `.cardea/` are wrapped with.
 *
 * @param wanted undefined for what it was, at first a local key.
 * @throws when the data were wrapped with another one.
 */
export function chooseKmsKind(wanted: KmsKind | undefined): KmsKind {
  const kept = existsSync(place.kms) ? readFileSync(place.kms, 'utf8').trim() : undefined
  const before = kmsKinds.find(
    (kind) => kind === (kept ?? (existsSync(place.kmsKey) ? 'local' : '')),
  )
  if (before && wanted && before !== wanted) {
    throw new Error(
      `The data in .cardea/ are wrapped with --kms ${before}. Go on with that, or remove them first: ./hack/down --purge`,
    )
  }
  return before ?? wanted ?? 'local'
}

/**
 * Starts the key management, makes the key where there is none, and remembers which it is.
 *
 * @throws with the end of the log when it does not come up.
 */
export function startKms(
  kind: KmsKind,
  ports: (purpose: string) => number,
  progress: Progress,
  watcher: Watcher,
): Promise<Kms> {
  writePrivate(place.kms, `${kind}\n`)
  switch (kind) {
    case 'local':
      return startLocal()
    case 'vault':
      return startVault(ports('openbao'), progress, watcher)
    case 'aws':
      return startAws(ports('ministack'), progress, watcher)
    default:
      return kind satisfies never
  }
}

async function startLocal(): Promise<Kms> {
  keepKmsKey()
  const settings = { CARDEA_KMS: 'local', CARDEA_KMS_LOCAL_KEY_FILE: place.kmsKey }
  return {
    settings,
    extras: {},
    about: 'a key file (./hack/up --kms vault or aws runs one of those)',
  }
}

const POLICY = `path "transit/encrypt/cardea" { capabilities = ["update"] }
path "transit/decrypt/cardea" { capabilities = ["update"] }
path "transit/keys/cardea"    { capabilities = ["read"] }
`

async function startVault(port: number, progress: Progress, watcher: Watcher): Promise<Kms> {
  const logFile = path.join(place.logs, 'openbao.log')
  const bao = await startOpenBao(place.openbao, progress, {
    durable: true,
    port,
    logFile,
    ...watcher,
  })
  const secretIdFile = path.join(place.openbao, 'secret.id')
  if (!existsSync(secretIdFile)) await prepareVault(bao, secretIdFile)
  symlinkSync(bao.program, path.join(place.bin, 'bao'))
  const { role_id: roleId } = await bao.call('GET', 'auth/approle/role/cardea/role-id')
  return {
    settings: {
      CARDEA_KMS: 'vault:transit/cardea',
      CARDEA_KMS_VAULT_ADDRESS: bao.url,
      CARDEA_KMS_VAULT_LOGIN: 'approle',
      CARDEA_KMS_VAULT_ROLE_ID: String(roleId),
      CARDEA_KMS_VAULT_SECRET_ID_FILE: secretIdFile,
    },
    extras: { BAO_ADDR: bao.url, BAO_TOKEN: bao.rootToken },
    about: `OpenBao, ${bao.url} ("bao" is its command), key transit/cardea`,
  }
}

/** A key, and a role that may use it and nothing else. What a start that was broken off made is made again. */
async function prepareVault(bao: OpenBao, secretIdFile: string): Promise<void> {
  const [mounts, logins] = [await bao.call('GET', 'sys/mounts'), await bao.call('GET', 'sys/auth')]
  if (!('transit/' in mounts)) await bao.call('POST', 'sys/mounts/transit', { type: 'transit' })
  if (!('approle/' in logins)) await bao.call('POST', 'sys/auth/approle', { type: 'approle' })
  await bao.call('POST', 'transit/keys/cardea', { type: 'aes256-gcm96' })
  await bao.call('POST', 'sys/policies/acl/cardea', { policy: POLICY })
  const role = { token_policies: 'cardea', token_ttl: '10m', token_max_ttl: '24h' }
  await bao.call('POST', 'auth/approle/role/cardea', role)
  const { secret_id: secretId } = await bao.call('POST', 'auth/approle/role/cardea/secret-id')
  writePrivate(secretIdFile, String(secretId))
}

const AWS_REGION = 'eu-west-1'
const AWS_ALIAS = 'alias/cardea'

async function startAws(port: number, progress: Progress, watcher: Watcher): Promise<Kms> {
  const logFile = path.join(place.logs, 'ministack.log')
  const options = { durable: true, port, logFile, ...watcher }
  const ministack = await startMinistack(place.ministack, progress, options)
  // It writes its data when it ends: a key that was not written yet would be lost with the next power cut.
  if (await createAwsKey(ministack.url)) await ministack.restart()
  return {
    settings: {
      CARDEA_KMS: `aws:${AWS_REGION}:${AWS_ALIAS}`,
      CARDEA_KMS_AWS_ENDPOINT: ministack.url,
      AWS_ACCESS_KEY_ID: ministackRoot.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ministackRoot.secretAccessKey,
    },
    extras: { AWS_ENDPOINT_URL: ministack.url, AWS_REGION },
    about: `ministack for AWS KMS, ${ministack.url} (AWS_ENDPOINT_URL), key ${AWS_ALIAS}`,
  }
}

/** Makes the key unless there is one. Answers whether it did. */
async function createAwsKey(endpoint: string): Promise<boolean> {
  const client = new KMSClient({ region: AWS_REGION, endpoint, credentials: ministackRoot })
  try {
    const { Aliases = [] } = await client.send(new ListAliasesCommand({}))
    if (Aliases.some(({ AliasName, TargetKeyId }) => AliasName === AWS_ALIAS && TargetKeyId)) {
      return false
    }
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'Cardea' }))
    const TargetKeyId = KeyMetadata?.KeyId
    await client.send(new CreateAliasCommand({ AliasName: AWS_ALIAS, TargetKeyId }))
    return true
  } finally {
    client.destroy()
  }
}
