import { KeyManagementError } from './keymanagement.ts'

/**
 * Waits for an answer, but no longer than the caller does: what an SDK cannot stop is left behind.
 * @param from names who has to answer
 * @throws KeyManagementError `unreachable` when the signal is aborted first
 */
export async function untilGivenUp<T>(
  answer: Promise<T>,
  from: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return answer
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  const giveUp = (): void => reject(silent(from))
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([answer, givenUp])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

function silent(from: string): KeyManagementError {
  return new KeyManagementError('unreachable', `${from} did not answer in time`)
}
