import { hash } from 'node:crypto'
import { labelPattern } from './label.ts'
import { networkOfClient } from './lockout.ts'

/** Seconds in which registrations are counted, and how many there may be: each sends a mail to whatever address was given. */
const window = 3600
const most = { byEmail: 3, byNetwork: 20 } as const
/** As many times as much where a proxy does not say who asks: all of its clients share one limit. */
const crowd = 10

/** Where people and programs look for something else than an organization. */
const reserved = new Set([
  'account',
  'admin',
  'api',
  'app',
  'auth',
  'cardea',
  'check',
  'docs',
  'help',
  'id',
  'localhost',
  'login',
  'mail',
  'oauth',
  'oauth2',
  'root',
  'scim',
  'sso',
  'static',
  'status',
  'support',
  'system',
  'v1',
  'well-known',
  'www',
])
const shortestName = 2

const sentences = {
  name: 'The short name must be 2 to 63 lower-case letters, digits and inner hyphens.',
  reserved: 'This short name is kept for the service itself.',
  displayName: 'The name of the organization must be one line of 1 to 120 characters.',
} as const

/** Why an organization cannot be called so: sentences for people; none when it can. */
export function objectionsToOrganization(name: string, displayName: string): readonly string[] {
  const line = displayName.trim()
  const isLine = line.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line)
  return [
    ...(labelPattern.test(name) && name.length >= shortestName ? [] : [sentences.name]),
    ...(reserved.has(name) || name.startsWith('xn--') ? [sentences.reserved] : []),
    ...(isLine && line !== '' && line.length <= 120 ? [] : [sentences.displayName]),
  ]
}

/**
 * What registrations from a client are counted by: SHA-256, 32 bytes, and how many there may be.
 * @param address canonical; undefined when it cannot be told
 */
export function limitsOfRegistration(address: string | undefined) {
  const network = hash('sha256', address === undefined ? '' : networkOfClient(address), 'buffer')
  const byNetwork = address === undefined ? most.byNetwork * crowd : most.byNetwork
  return { network, limits: { byEmail: most.byEmail, byNetwork, window } }
}
