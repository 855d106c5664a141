import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds: longer than writing a mail into the queue takes. */
const least = 150

/** Answers no sooner than after a while, so that the time does not tell whether there was more to do than to look. */
export async function evenly<T>(work: () => Promise<T>): Promise<T> {
  const [result] = await Promise.all([work(), sleep(least)])
  return result
}
