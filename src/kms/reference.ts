import type { Provider } from './keymanagement.ts'

/** A KEK as a person names it: the members of `EncryptionKey.spec`, and what the default key is set by. */
export type KeyReference =
  /** A key id, an ARN, or an alias: `alias/acme`. */
  | { readonly provider: 'aws'; readonly region: string; readonly keyId: string }
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K`. */
  | { readonly provider: 'gcp'; readonly name: string }
  /** The vault as `https://acme.vault.azure.net`, without a path. */
  | { readonly provider: 'azure'; readonly vaultUrl: string; readonly name: string }
  /** A key of a transit engine; the server's address is the installation's. */
  | { readonly provider: 'vault'; readonly mount: string; readonly name: string }
  | { readonly provider: 'local' }

const forms: readonly ((line: string) => KeyReference | undefined)[] = [
  (line) => (line === 'local' ? { provider: 'local' } : undefined),
  (line) => {
    const [, region, keyId] = /^aws:([a-z0-9-]{1,32}):([A-Za-z0-9:/_-]{1,2048})$/.exec(line) ?? []
    return region && keyId ? { provider: 'aws', region, keyId } : undefined
  },
  (line) => {
    const path = /^gcp:(projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+)$/
    const [, name] = path.exec(line) ?? []
    return name ? { provider: 'gcp', name } : undefined
  },
  (line) => {
    const [, vaultUrl, name] =
      /^azure:(https:\/\/[a-z0-9.:-]+)\/keys\/([A-Za-z0-9-]{1,127})$/.exec(line) ?? []
    return vaultUrl && name ? { provider: 'azure', vaultUrl, name } : undefined
  },
  (line) => {
    const [, mount, name] =
      /^vault:([A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*)\/([A-Za-z0-9_.-]+)$/.exec(line) ?? []
    return mount && name ? { provider: 'vault', mount, name } : undefined
  },
]

/** Reads what `describeReference` writes; undefined when it is nothing of the sort. */
export function parseReference(line: string): KeyReference | undefined {
  for (const form of forms) {
    const reference = form(line)
    if (reference) return reference
  }
  return undefined
}

/** A reference as one line, by which keys are compared, allowed and talked of. */
export function describeReference(reference: KeyReference): string {
  switch (reference.provider) {
    case 'aws':
      return `aws:${reference.region}:${reference.keyId}`
    case 'gcp':
      return `gcp:${reference.name}`
    case 'azure':
      return `azure:${reference.vaultUrl}/keys/${reference.name}`
    case 'vault':
      return `vault:${reference.mount}/${reference.name}`
    case 'local':
      return 'local'
    default:
      return reference satisfies never
  }
}

/**
 * The reference of a wrapped key's KEK, by the one name that its provider has for it: AWS's ARN, Google's resource name,
 * Azure's URL, Vault's mount and name. Undefined when it is no such name.
 */
export function referenceOf(provider: Provider, keyId: string): KeyReference | undefined {
  if (provider === 'local') return { provider }
  if (provider !== 'aws') return parseReference(`${provider}:${keyId}`)
  const [arn, , service, region = ''] = keyId.split(':')
  return arn === 'arn' && service === 'kms' ? parseReference(`aws:${region}:${keyId}`) : undefined
}

/** Where the providers are, and how a process proves who it is. What is left out is the platform's own way. */
export interface KeyManagementSettings {
  readonly local?: { readonly keyFile: string } | undefined
  /** An endpoint is another address than the provider's own: a private one, or an emulator's. */
  readonly aws?: { readonly endpoint?: string | undefined } | undefined
  readonly gcp?: { readonly endpoint?: string | undefined } | undefined
  readonly vault?: VaultSettings | undefined
}

export interface VaultSettings {
  readonly address: string
  /** A PEM file of the authorities that its certificate may come from. */
  readonly caFile?: string | undefined
  /** Kubernetes' service account, an AppRole, or a token in a file that somebody renews. Files are read at each login. */
  readonly login:
    | {
        readonly method: 'kubernetes'
        readonly mount: string
        readonly role: string
        readonly tokenFile: string
      }
    | {
        readonly method: 'approle'
        readonly mount: string
        readonly roleId: string
        readonly secretIdFile: string
      }
    | { readonly method: 'token'; readonly tokenFile: string }
}
