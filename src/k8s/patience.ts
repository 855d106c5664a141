import { type Clock, sleep } from './clock.ts'

/** Aborts a pass that takes too long. */
export class PassTimeoutError extends Error {
  override readonly name = 'PassTimeoutError'
  readonly publicMessage = 'This takes longer than it may; it is tried again.'
}

/** How long a pass that was told to stop is waited for before its status says so. */
const GRACE = 5000

/**
 * Waits for the work of a pass, but after a time-out only for a while: the status must say it hangs.
 * @throws what the work throws, or the reason of the signal.
 */
export async function patiently<R>(
  work: Promise<R>,
  signal: AbortSignal,
  clock: Clock,
): Promise<R> {
  const settled = new AbortController()
  const overdue = new Promise<never>((_, reject) => {
    const onAbort = async (): Promise<void> => {
      await sleep(clock, GRACE, settled.signal)
      reject(signal.reason)
    }
    signal.addEventListener('abort', () => void onAbort(), { once: true, signal: settled.signal })
  })
  try {
    return await Promise.race([work, overdue])
  } catch (error) {
    // What a time-out made it throw is not the cause.
    throw signal.reason instanceof PassTimeoutError ? signal.reason : error
  } finally {
    settled.abort()
  }
}

/** Whether the program stops, or does not lead any more: then a failure is not the object's. */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof PassTimeoutError)
}
