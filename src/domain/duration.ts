const unit = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const
const grammar = /^(?:[0-9]{1,9}[dhms])+$/

/**
 * Reads a duration such as `90d`, `24h` or `1h30m`.
 * @returns milliseconds, or undefined when the text is not a duration
 */
export function readDuration(text: string): number | undefined {
  if (!grammar.test(text)) return undefined
  let total = 0
  for (const [, amount, letter] of text.matchAll(/([0-9]+)([dhms])/g)) {
    total += Number(amount) * unit[letter as keyof typeof unit]
  }
  return total
}
