import { matching } from './text.ts'

/** A DNS label, as a part of patterns. */
export const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'

/** A DNS label (RFC 1123): what an Organization, a Project or an RBACRole may be called. */
export const labelPattern = new RegExp(`^${label}$`)
const subdomainPattern = new RegExp(`^${label}([.]${label})*$`)
const domainPattern = new RegExp(`^(${label}[.])+${label}$`)
/** RFC 5321's limits and HTML's characters, in lower case: an address has one spelling here. */
const emailPattern = new RegExp(`^[a-z0-9.!#$%&'*+/=?^_\`{|}~-]{1,64}@${label}([.]${label})*$`)

export const emailMaxLength = 254

/** A name of 63 characters at most, without dots. */
export function dnsLabel(field: string, example: string) {
  return matching(
    'name',
    63,
    labelPattern,
    `${field} must be a lower-case name of letters, digits and inner hyphens, at most 63 characters, for example ${example}`,
  )
}

/** The name of an object of Kubernetes. */
export function objectName(field: string, example: string) {
  return matching(
    'name',
    253,
    subdomainPattern,
    `${field} must be the name of an object in this namespace: lower-case letters, digits, hyphens and dots, for example ${example}`,
  )
}

/** A domain of the Internet, with at least one dot. */
export function domainName(field: string) {
  return matching(
    'domain name',
    253,
    domainPattern,
    `${field} must hold domain names in lower case with at least one dot and none at the end, for example acme.example`,
  )
}

/** An email address in lower case. */
export function email(field: string) {
  return matching(
    'email address',
    emailMaxLength,
    emailPattern,
    `${field} must hold email addresses in lower case, for example owner@acme.example`,
  )
}

export const isEmail = (value: string): boolean => emailPattern.test(value)
export const isObjectName = (value: string): boolean =>
  value.length <= 253 && subdomainPattern.test(value)
export const emailSource = emailPattern.source
export const objectNameSource = subdomainPattern.source
