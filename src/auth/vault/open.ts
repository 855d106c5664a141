import type { Pool } from 'pg'
import type { Registry } from 'prom-client'
import type { DataKeys, DataKeysOptions } from '../../encryption/datakeys.ts'
import type { AuthLog } from '../log.ts'
import { observeVault } from '../metrics.ts'
import { PendingUnwraps } from './unwraps.ts'
import { VaultUsage } from './usage.ts'
import { Vault } from './vault.ts'

/** What the vault works with. */
export interface VaultBackend {
  readonly pool: Pool
  /** @param registry where the operations of the key management service are counted */
  readonly openDataKeys: (
    onUnwrap: NonNullable<DataKeysOptions['onUnwrap']>,
    registry: Registry,
  ) => DataKeys
}

/** Milliseconds. */
const usageInterval = 10_000

/** The vault, put together from its parts. */
export function openVault({ pool, openDataKeys }: VaultBackend, registry: Registry, log: AuthLog) {
  const unwraps = new PendingUnwraps(log)
  const usage = new VaultUsage({ pool, unwraps, log, interval: usageInterval })
  const dataKeys = openDataKeys((unwrap) => unwraps.add(unwrap), registry)
  const vault = new Vault({ pool, dataKeys, usage, unwraps, log })
  observeVault(registry, vault)
  return {
    vault,
    start: () => usage.start(),
    /** Writes down what was counted, and forgets all keys. */
    async stop(): Promise<void> {
      await usage.stop()
      dataKeys.clear()
    },
  }
}
