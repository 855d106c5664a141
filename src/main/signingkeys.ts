import { Counter, Gauge, type Registry } from 'prom-client'
import { FencedError } from '../db/transaction.ts'
import type { SigningKeysReport } from '../operator/signingkeys.ts'

interface Log {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}

export interface SigningKeysKeeperOptions {
  readonly maintain: () => Promise<SigningKeysReport>
  readonly leads: () => boolean
  /** Told when another leads: the program must end. */
  readonly onFenced: () => void
  readonly registry: Registry
  readonly logger: Log
}

/** Milliseconds. A failure is tried again sooner, and a standby looks often whether it leads. */
const pause = { done: 600_000, failed: 30_000, standby: 1000 } as const

/** Has the signing keys looked after for as long as this process leads. */
export function keepSigningKeys({
  maintain,
  leads,
  onFenced,
  registry,
  logger,
}: SigningKeysKeeperOptions) {
  const failures = new Counter({
    name: 'cardea_signing_key_failures_total',
    help: 'Looks at the signing keys that failed, so that none was made or removed.',
    registers: [registry],
  })
  const foreign = new Counter({
    name: 'cardea_signing_keys_removed_as_foreign_total',
    help: 'Rows of signing keys that somebody else wrote, and that were removed.',
    registers: [registry],
  })
  const active = new Gauge({
    name: 'cardea_signing_key_active_timestamp_seconds',
    help: 'When the newest signing key of an algorithm begins to sign.',
    labelNames: ['algorithm'],
    registers: [registry],
  })
  const look = async (): Promise<number> => {
    if (!leads()) return pause.standby
    try {
      const { keys, bogus, ...counts } = await maintain()
      if (bogus.length > 0) {
        foreign.inc(bogus.length)
        logger.error(
          { bogus },
          'signing keys that are not ours were in the database, and were removed',
        )
      }
      if (counts.made + counts.removed + counts.resealed > 0) {
        logger.info(counts, 'the signing keys were brought up to date')
      }
      for (const { algorithm, activeAt } of keys) {
        active.set({ algorithm }, activeAt.getTime() / 1000)
      }
      return pause.done
    } catch (error) {
      if (error instanceof FencedError) onFenced()
      failures.inc()
      logger.warn({ err: error }, 'the signing keys could not be looked after; again in a while')
      return pause.failed
    }
  }
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let under = Promise.resolve()
  const go = (): void => {
    under = look().then((delay) => {
      if (!stopped) timer = setTimeout(go, delay)
    })
  }
  go()
  return {
    /** Waits for a look that is under way. */
    async stop(): Promise<void> {
      stopped = true
      clearTimeout(timer)
      await under
    },
  }
}
