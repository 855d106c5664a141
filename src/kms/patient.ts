import { setTimeout as wait } from 'node:timers/promises'
import { type KeyManagement, KeyManagementError } from './keymanagement.ts'

export interface Patience {
  /** Milliseconds for one operation, repetitions included. */
  readonly deadline: number
  /** Milliseconds that one attempt may take. */
  readonly attempt: number
  /** Milliseconds: the first wait is at most `first`, each next at most twice the one before, up to `most`. */
  readonly backOff: { readonly first: number; readonly most: number }
  /** After so many failed operations in a row nothing is sent for `coolDown` milliseconds. */
  readonly failures: number
  readonly coolDown: number
  /** From 0 up to 1. */
  readonly random: () => number
}

const usual: Patience = {
  deadline: 8000,
  attempt: 3000,
  backOff: { first: 100, most: 2000 },
  failures: 5,
  coolDown: 5000,
  random: Math.random,
}

/**
 * A key manager that is asked again while its trouble passes: with full jitter, so that a thousand passes do not come back
 * at once, and within a deadline. One that does not answer at all is left alone for a while, and whoever asks meanwhile
 * hears so at once.
 */
export function patient(kms: KeyManagement, patience: Partial<Patience> = {}): KeyManagement {
  const { deadline, attempt, backOff, failures, coolDown, random } = { ...usual, ...patience }
  let failed = 0
  let closedUntil = Number.NEGATIVE_INFINITY

  const endure = async <T>(
    operation: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    if (performance.now() < closedUntil) throw leftAlone(kms)
    const over = performance.now() + deadline
    const given = signal ? [signal] : []
    for (let most = backOff.first; ; most = Math.min(most * 2, backOff.most)) {
      const left = over - performance.now()
      try {
        const result = await operation(
          AbortSignal.any([
            ...given,
            AbortSignal.timeout(Math.ceil(Math.max(1, Math.min(attempt, left)))),
          ]),
        )
        failed = 0
        return result
      } catch (error) {
        if (!(error instanceof KeyManagementError) || !error.passes) throw error
        if (signal?.aborted) throw error
        const pause = random() * most
        if (performance.now() + pause >= over) {
          failed += 1
          if (failed >= failures) closedUntil = performance.now() + coolDown
          throw error
        }
        await wait(pause, undefined, { ...(signal && { signal }) }).catch(() => {
          throw error
        })
      }
    }
  }

  return {
    provider: kms.provider,
    wrap: (dataKey, context, signal) =>
      endure((limit) => kms.wrap(dataKey, context, limit), signal),
    unwrap: (wrapped, context, signal) =>
      endure((limit) => kms.unwrap(wrapped, context, limit), signal),
    describe: (signal) => endure((limit) => kms.describe(limit), signal),
    ...(kms.close && { close: () => kms.close?.() ?? Promise.resolve() }),
  }
}

function leftAlone({ provider }: KeyManagement): KeyManagementError {
  return new KeyManagementError(
    'unreachable',
    `the ${provider} key manager did not answer and is left alone for a few seconds`,
  )
}
