import { z } from 'zod'
import { celString, withKeyword, withRules } from './rule.ts'

/**
 * A string of `min` to `max` characters. The API server counts code points and JavaScript UTF-16 units, so the
 * built-in `.max()` would refuse what the API server admits.
 */
export function text(max: number, min = 1) {
  return withKeyword(
    z.string(),
    {
      keyword: 'maxLength',
      message: `must have ${min} to ${max} characters`,
      holds: (value) => {
        const { length } = Array.from(value)
        return length >= min && length <= max
      },
    },
    { maxLength: max, ...(min > 0 && { minLength: min }) },
  )
}

/**
 * A string that matches a pattern. The title is what the reference page calls its type. The pattern becomes CEL and not OpenAPI's `pattern`, whose error shows the author a regular
 * expression and no remedy. Keep to the syntax that RE2 and JavaScript share, Unicode classes included.
 */
export function matching(title: string, max: number, pattern: RegExp, message: string) {
  return withRules(text(max).meta({ title }), {
    cel: `self.matches(${celString(pattern.source)})`,
    message,
    holds: (value) => pattern.test(value),
  })
}

/** Text for people, of one line: a name that is shown in lists, pages and logs. */
export function line(field: string, max: number) {
  return matching(
    'line of text',
    max,
    /^\P{Cc}*[^\p{Cc}\p{Zs}]\P{Cc}*$/u,
    `${field} must be one line with something to read on it: leave out line breaks and control characters`,
  )
}

/** Text for people, of several lines. PostgreSQL keeps every character but NUL, and no reader wants the other controls. */
export function paragraph(field: string, max: number) {
  return matching(
    `text, 1 to ${max} characters`,
    max,
    /^(\P{Cc}|[\n\r\t])*$/u,
    `${field} must have no control characters but line breaks and tabs: leave them out`,
  )
}
