import { Counter, Gauge, type Registry } from 'prom-client'
import { systemClock } from '../k8s/clock.ts'
import type { Logger } from '../k8s/reconciler.ts'
import { Loop } from '../operator/loop.ts'
import type { SigningKeysReport } from '../operator/signingkeys.ts'

export interface SigningKeysKeeperOptions {
  readonly maintain: () => Promise<SigningKeysReport>
  readonly leads: () => boolean
  /** Told when another leads: the program must end. */
  readonly onFenced: () => void
  readonly registry: Registry
  readonly logger: Logger
}

/** Milliseconds. */
const intervals = { every: 600_000, again: { base: 30_000, max: 600_000 } } as const

/** Has the signing keys looked after for as long as this process leads. Stop it before the database is closed. */
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
  const look = async (): Promise<undefined> => {
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
    } catch (error) {
      failures.inc()
      throw error
    }
  }
  const what = 'a look at the signing keys'
  const time = { clock: systemClock, random: Math.random }
  const loop = new Loop({ ...time, what, run: look, leads, onFenced, logger, intervals })
  loop.start()
  return loop
}
