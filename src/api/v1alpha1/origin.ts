import { label } from './name.ts'
import { celString, withRules } from './rule.ts'
import { text } from './text.ts'

const port =
  '([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
const shape = new RegExp(`^https?://(${label}([.]${label})*|\\[[0-9a-f:.]{2,45}\\])(:${port})?$`)
const defaultPort = /^(http:.*:80|https:.*:443)$/

/** A browser's origin (RFC 6454), spelled as browsers spell it: they are compared as strings. */
export function origin(field: string) {
  return withRules(
    text(270).meta({ title: 'origin' }),
    {
      cel: `self.matches(${celString(shape.source)})`,
      message: `${field} must hold origins, scheme://host or scheme://host:port in lower case with http or https and no path and no slash at the end, for example https://ci.acme.example`,
      holds: (value) => shape.test(value),
    },
    {
      cel: `!self.matches(${celString(defaultPort.source)})`,
      message: `${field} must leave out :443 of https and :80 of http, because browsers leave them out of the Origin header`,
      holds: (value) => !defaultPort.test(value),
    },
  )
}
