import type { VaultBackend } from '../auth/vault/open.ts'
import type { KmsConfig } from '../config/kms.ts'
import { type DatabaseLog, openPool } from '../db/pool.ts'
import { openDataKeys } from './datakeys.ts'
import { openKeyring } from './kms.ts'

/** Milliseconds that one query of the vault may take. */
const queryTimeout = 3000

/** Somebody waits for the answer: sooner a refusal that says when to come again. Milliseconds. */
const patience = { deadline: 5000, attempt: 4000, failures: 2 } as const

interface VaultConfig {
  readonly databaseUrl: string
  readonly kms: KmsConfig
  /** Milliseconds. */
  readonly dataKeyLifetime: number
}

/**
 * What the vault works with. Its connections are few and its own: it must not slow the checks.
 * @throws ConfigurationError naming the variable of the key management service that is wrong
 */
export function openVaultBackend(
  { databaseUrl, kms, dataKeyLifetime }: VaultConfig,
  log: DatabaseLog,
): VaultBackend & { close(): Promise<void> } {
  const pool = openPool({
    connectionString: databaseUrl,
    applicationName: 'cardea-auth-vault',
    log,
    max: 4,
    queryTimeout,
  })
  const closing: (() => Promise<void>)[] = [() => pool.end()]
  return {
    pool,
    openDataKeys: (onUnwrap, registry) => {
      const keyring = openKeyring(kms, registry, patience)
      closing.push(() => keyring.close())
      return openDataKeys({ keyring, onUnwrap, bounds: { lifetime: dataKeyLifetime } })
    },
    async close() {
      await Promise.all(closing.map((close) => close()))
    },
  }
}
