import { matching } from './text.ts'

/** A scope-token (RFC 6749, section 3.3): printable ASCII without space, quotation mark and backslash. */
export function scopeToken(field: string) {
  return matching(
    'scope',
    128,
    /^[!#-[\]-~]+$/,
    `${field} must hold scopes of printable ASCII without spaces, quotation marks and backslashes, for example scans:read`,
  )
}
