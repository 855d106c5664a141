import { celString, withRules } from './rule.ts'
import { text } from './text.ts'

const grammar = /^([0-9]{1,9}[dhms])+$/
const seconds = { d: 86_400, h: 3_600, m: 60, s: 1 } as const

/** A duration's seconds, or undefined where the text is none. */
export function secondsOf(value: string): number | undefined {
  if (!grammar.test(value)) return undefined
  let total = 0
  for (const [, amount, unit] of value.matchAll(/([0-9]+)([dhms])/g)) {
    total += Number(amount) * seconds[unit as keyof typeof seconds]
  }
  return total
}

/** CEL for the seconds of a duration; CEL's own duration() knows no days. It is 0 where the text is no duration. */
export function celSeconds(value: string): string {
  const amount = 'int(p.substring(0, p.size() - 1))'
  const unit = "(p.endsWith('d') ? 86400 : p.endsWith('h') ? 3600 : p.endsWith('m') ? 60 : 1)"
  return `${value}.findAll('[0-9]+[dhms]').map(p, ${amount} * ${unit}).sum()`
}

/** A duration such as `90d`, `24h` or `1h30m`, within bounds. */
export function duration(field: string, [min, max]: readonly [string, string], example: string) {
  const [least, most] = [secondsOf(min) ?? 0, secondsOf(max) ?? 0]
  return withRules(text(32).meta({ title: `duration, ${min} to ${max}` }), {
    cel: `self.matches(${celString(grammar.source)}) && ${celSeconds('self')} >= ${least} && ${celSeconds('self')} <= ${most}`,
    message: `${field} must be a duration from ${min} to ${max}: whole numbers with the units d, h, m and s, for example ${example}`,
    holds: (value) => {
      const length = secondsOf(value)
      return length !== undefined && length >= least && length <= most
    },
  })
}
