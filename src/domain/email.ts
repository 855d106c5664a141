/** RFC 5321, sections 4.5.3.1.1 to 4.5.3.1.3, in characters. */
const longest = { address: 254, local: 64 } as const
const local = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const domain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * The one spelling of an email address: trimmed and in lower case, the whole of it, because no provider that people use tells
 * two mailboxes apart by case, and because other spellings must dodge neither a lock-out nor an allow-list.
 * @returns undefined when it is not an address (RFC 5321's dot-string at a domain name; no quotes, no comments, ASCII alone)
 */
export function canonicalEmail(text: string): string | undefined {
  const address = text.trim().toLowerCase()
  if (address.length > longest.address) return undefined
  const at = address.lastIndexOf('@')
  const [name, host] = [address.slice(0, Math.max(at, 0)), address.slice(at + 1)]
  if (name.length > longest.local || !local.test(name) || !domain.test(host)) return undefined
  return address
}

/** What stands behind the @ of a canonical address. */
export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1)
}

/** Whether an organization takes people with this address. @param domains its email domains; none: any address */
export function isOfDomains(email: string, domains: readonly string[]): boolean {
  return domains.length === 0 || domains.includes(domainOf(email))
}
