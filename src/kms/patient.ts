import { setTimeout as wait } from 'node:timers/promises'
import { Circuit } from './circuit.ts'
import { type KeyManagement, KeyManagementError } from './keymanagement.ts'

export interface Patience {
  /** Milliseconds for one operation, repetitions included. */
  readonly deadline: number
  /** Milliseconds that one attempt may take. */
  readonly attempt: number
  /** Milliseconds: the first wait is at most `first`, each next at most twice the one before, up to `most`. */
  readonly backOff: { readonly first: number; readonly most: number }
  /** After so many failed operations in a row nothing is sent for `coolDown` milliseconds, and then one at a time. */
  readonly failures: number
  readonly coolDown: number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
}

const usual: Patience = {
  deadline: 8000,
  attempt: 3000,
  backOff: { first: 100, most: 2000 },
  failures: 5,
  coolDown: 5000,
  random: Math.random,
  now: () => performance.now(),
}

/** Milliseconds: so far apart come back those who were turned away, so that ten thousand resources are no storm. */
const apart = 10
const mostSpread = 30_000

/**
 * A key manager that is asked again while its trouble passes: with full jitter, so that a thousand passes do not come back
 * at once, and within a deadline. One that does not answer at all is left alone for a while: whoever asks meanwhile hears
 * so at once, and when to come back.
 */
export function patient(kms: KeyManagement, patience: Partial<Patience> = {}): KeyManagement {
  const { deadline, attempt, backOff, failures, coolDown, random, now } = { ...usual, ...patience }
  const circuit = new Circuit({ failures, coolDown, trial: deadline, now })
  let turnedAway = 0

  const repeat = async <T>(operation: Operation<T>, signal?: AbortSignal): Promise<T> => {
    const over = now() + deadline
    const given = signal ? [signal] : []
    for (let most = backOff.first; ; most = Math.min(most * 2, backOff.most)) {
      const limit = Math.ceil(Math.max(1, Math.min(attempt, over - now())))
      try {
        return await operation(AbortSignal.any([...given, AbortSignal.timeout(limit)]))
      } catch (error) {
        if (!isPassing(error) || signal?.aborted) throw error
        const pause = random() * most
        if (now() + pause >= over) throw error
        await wait(pause, undefined, { ...(signal && { signal }) }).catch(() => {
          throw error
        })
      }
    }
  }

  const endure = async <T>(operation: Operation<T>, signal?: AbortSignal): Promise<T> => {
    const permit = circuit.enter()
    if (typeof permit === 'number') {
      turnedAway += 1
      const spread = Math.min(mostSpread, Math.max(coolDown, turnedAway * apart))
      // A trial may last longer than a rest, and mostly does not: nobody waits for the whole of it.
      throw leftAlone(kms, Math.min(permit, coolDown) + random() * spread)
    }
    try {
      const result = await repeat(operation, signal)
      permit.answered()
      turnedAway = 0
      return result
    } catch (error) {
      // A refusal may be a provider's own, before it sent anything.
      if (!isPassing(error) || signal?.aborted) permit.undecided()
      else permit.failed()
      throw error
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

type Operation<T> = (signal: AbortSignal) => Promise<T>

function isPassing(error: unknown): boolean {
  return error instanceof KeyManagementError && error.passes
}

function leftAlone({ provider }: KeyManagement, again: number): KeyManagementError {
  return new KeyManagementError(
    'unreachable',
    `the ${provider} key manager did not answer and is left alone for a few seconds`,
    { again },
  )
}
