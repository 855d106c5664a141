import { ConfigurationError, type Environment, readEnvironment } from './environment.ts'
import { listOf, oneOf, otherwise, pattern, secureUrl, word } from './setting.ts'

const url = secureUrl(
  'must be a URL that begins with https://, for example https://vault.example:8200; http:// only to this machine, as http://127.0.0.1:8200',
)
const file = word(4096)
const keyForm =
  'must be local, aws:REGION:KEY, gcp:projects/…/cryptoKeys/KEY, azure:https://VAULT/keys/KEY or vault:MOUNT/KEY'
const key = pattern(/^(local|(aws|gcp|azure|vault):[!-~]{1,2048})$/, keyForm)
const keysForm =
  'must be a list of namespace=key, for example acme=aws:eu-west-1:alias/acme,*=vault:transit/shared-*'

/** The variables that choose and reach the key management services. */
export const kmsSettings = {
  CARDEA_KMS: key,
  CARDEA_KMS_KEYS: listOf(pattern(/^(\*|[a-z0-9-]{1,63})=[!-~]+$/, keysForm), keysForm).optional(),
  CARDEA_KMS_LOCAL_KEY_FILE: file.optional(),
  CARDEA_KMS_AWS_ENDPOINT: url.optional(),
  CARDEA_KMS_GCP_ENDPOINT: pattern(/^[!-~]+:[0-9]+$/, 'must be host:port').optional(),
  CARDEA_KMS_VAULT_ADDRESS: url.optional(),
  CARDEA_KMS_VAULT_CA_FILE: file.optional(),
  CARDEA_KMS_VAULT_LOGIN: otherwise('kubernetes', oneOf(['kubernetes', 'approle', 'token'])),
  CARDEA_KMS_VAULT_LOGIN_MOUNT: word(256).optional(),
  CARDEA_KMS_VAULT_ROLE: word(256).optional(),
  CARDEA_KMS_VAULT_ROLE_ID: word(256).optional(),
  CARDEA_KMS_VAULT_SECRET_ID_FILE: file.optional(),
  CARDEA_KMS_VAULT_TOKEN_FILE: file.optional(),
}

/** How the key management services are chosen and reached. Keys are lines, as `describeReference` writes them. */
export type KmsConfig = ReturnType<typeof readKmsConfig>

/** @throws ConfigurationError naming every variable that is missing or wrong */
export function readKmsConfig(environment: Environment) {
  const settings = readEnvironment(environment, kmsSettings)
  if (environment['GOOGLE_SDK_NODE_LOGGING']) {
    throw missing('GOOGLE_SDK_NODE_LOGGING', 'must not be set: Google’s client would log data keys')
  }
  if (settings.CARDEA_KMS === 'local' && settings.CARDEA_KMS_LOCAL_KEY_FILE === undefined) {
    throw missing(
      'CARDEA_KMS_LOCAL_KEY_FILE',
      'is not set: it must name the key file, for CARDEA_KMS is local',
    )
  }
  if (settings.CARDEA_KMS.startsWith('vault:') && settings.CARDEA_KMS_VAULT_ADDRESS === undefined) {
    throw missing(
      'CARDEA_KMS_VAULT_ADDRESS',
      'is not set: it must name the server, for CARDEA_KMS is a key of Vault',
    )
  }
  return Object.freeze({
    defaultKey: settings.CARDEA_KMS,
    /** Which namespaces may choose which keys. */
    allowedKeys: (settings.CARDEA_KMS_KEYS ?? []).map((rule) => {
      const at = rule.indexOf('=')
      return { namespace: rule.slice(0, at), key: rule.slice(at + 1) }
    }),
    localKeyFile: settings.CARDEA_KMS_LOCAL_KEY_FILE,
    awsEndpoint: settings.CARDEA_KMS_AWS_ENDPOINT,
    gcpEndpoint: settings.CARDEA_KMS_GCP_ENDPOINT,
    vault: settings.CARDEA_KMS_VAULT_ADDRESS
      ? {
          address: settings.CARDEA_KMS_VAULT_ADDRESS,
          caFile: settings.CARDEA_KMS_VAULT_CA_FILE,
          login: vaultLogin(settings),
        }
      : undefined,
  })
}

/** Where Kubernetes mounts a pod's own token. */
const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

function vaultLogin(settings: {
  readonly CARDEA_KMS_VAULT_LOGIN: 'kubernetes' | 'approle' | 'token'
  readonly CARDEA_KMS_VAULT_LOGIN_MOUNT: string | undefined
  readonly CARDEA_KMS_VAULT_ROLE: string | undefined
  readonly CARDEA_KMS_VAULT_ROLE_ID: string | undefined
  readonly CARDEA_KMS_VAULT_SECRET_ID_FILE: string | undefined
  readonly CARDEA_KMS_VAULT_TOKEN_FILE: string | undefined
}) {
  const method = settings.CARDEA_KMS_VAULT_LOGIN
  const need = (variable: keyof typeof settings): string => {
    const value = settings[variable]
    if (value === undefined) {
      throw missing(
        variable,
        `is not set: it must be given, for CARDEA_KMS_VAULT_LOGIN is ${method}`,
      )
    }
    return value
  }
  const mount = settings.CARDEA_KMS_VAULT_LOGIN_MOUNT ?? method
  switch (method) {
    case 'kubernetes': {
      const tokenFile = settings.CARDEA_KMS_VAULT_TOKEN_FILE ?? serviceAccountToken
      return { method, mount, role: need('CARDEA_KMS_VAULT_ROLE'), tokenFile }
    }
    case 'approle': {
      const secretIdFile = need('CARDEA_KMS_VAULT_SECRET_ID_FILE')
      return { method, mount, roleId: need('CARDEA_KMS_VAULT_ROLE_ID'), secretIdFile }
    }
    case 'token':
      return { method, tokenFile: need('CARDEA_KMS_VAULT_TOKEN_FILE') }
    default:
      return method satisfies never
  }
}

function missing(variable: string, problem: string): ConfigurationError {
  return new ConfigurationError([{ variable, problem }])
}
