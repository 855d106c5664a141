import { z } from 'zod'
import { celString, withRules } from './rule.ts'
import { text } from './text.ts'

const shape =
  /^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/
const calendar = z.iso.datetime({ offset: true })

/** A moment that an author writes, to the second, RFC 3339. */
export function timestamp(field: string, example = '2027-06-30T00:00:00Z') {
  return withRules(text(25).meta({ title: 'time' }), {
    // The shape alone would admit 30 February; timestamp() fails on it, and a failing rule refuses.
    cel: `self.matches(${celString(shape.source)}) && timestamp(self).getFullYear() > 0`,
    message: `${field} must be a date and time to the second with a time zone, for example "${example}"`,
    holds: (value) => shape.test(value) && calendar.safeParse(value).success,
  })
}

/** A moment that the operator writes into a status. */
export function observedTime() {
  return text(64, 0).meta({ title: 'time', format: 'date-time' })
}
