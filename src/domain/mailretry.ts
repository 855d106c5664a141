/** Seconds: the first wait, which the next ones double, and the longest. */
const first = 15
const longest = 3600
/** How often a server may put a mail off. */
const most = 25

/**
 * When to try again with a mail that the server put off.
 * @param attempts how often it did so, this time included
 * @param random from 0 to 1: those that were put off together do not come again together
 * @returns seconds; undefined when it was tried often enough
 */
export function retryDelay(attempts: number, random: number): number | undefined {
  if (attempts >= most) return undefined
  const whole = Math.min(longest, first * 2 ** Math.min(attempts - 1, 20))
  return whole * (0.75 + 0.5 * random)
}

/**
 * For how long nothing is sent after the server was not reached.
 * @param failures how often in a row
 * @param random from 0 to 1
 * @returns milliseconds
 */
export function outagePause(failures: number, random: number): number {
  return Math.min(10_000, 500 * 2 ** Math.min(failures, 10)) * (0.75 + 0.5 * random)
}
