import { type Html, html } from './html.ts'

const steps = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' })
const minute = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})

/** How long ago something was: `3 hours ago`. Nobody has to know a time zone for it. @param now milliseconds since 1970 */
export function ago(then: Date, now: number): string {
  const seconds = Math.max(0, (now - then.getTime()) / 1000)
  for (const [unit, length] of steps) {
    if (seconds >= length) return relative.format(-Math.floor(seconds / length), unit)
  }
  return 'just now'
}

/** A day, by UTC. */
export function onDay(date: Date): string {
  return day.format(date)
}

/** A time as `text`, with the exact one for programs and for whoever points at it. */
export function time(date: Date, text: string): Html {
  return html`<time datetime="${date.toISOString()}" title="${minute.format(date)} UTC">${text}</time>`
}
