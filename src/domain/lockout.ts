import { hash } from 'node:crypto'

/** What failed sign-ins are counted by. */
export interface AttemptCounter {
  readonly kind: 'account' | 'device' | 'address'
  /** SHA-256, 32 bytes. */
  readonly subject: Buffer
  /** So many failures lock it. */
  readonly limit: number
}

/** Whoever tries to sign in. */
export interface Attempt {
  /** Canonical, whether or not there is such an account. */
  readonly email: string
  /** The id of a device from which this account's owner signed in before; undefined for any other. */
  readonly deviceId: string | undefined
  /** Canonical; undefined when it cannot be told. */
  readonly address: string | undefined
}

/** An office has one address and many people. */
const perAddress = 10

/**
 * The counters that an attempt raises, in the order in which they are to be raised: the first that is locked ends it. A device
 * that is known has one of its own instead of them all: however often others fail, its owner signs in there.
 */
export function countersOf(
  { email, deviceId, address }: Attempt,
  { attempts }: { readonly attempts: number },
): readonly AttemptCounter[] {
  if (deviceId !== undefined)
    return [{ kind: 'device', subject: digest(deviceId), limit: attempts }]
  const account = { kind: 'account', subject: digest(email), limit: attempts } as const
  if (address === undefined) return [account]
  const limit = attempts * perAddress
  return [{ kind: 'address', subject: digest(networkOfClient(address)), limit }, account]
}

/** A counter as it is after it was raised, or as it was when it is locked. */
export interface CountedAttempt {
  readonly counter: AttemptCounter
  readonly failures: number
  /** Seconds for which it was locked before; undefined: it was not. */
  readonly lockedFor: number | undefined
}

/** Whether this attempt, when it fails, is the one that locks the counter: exactly one of any number is. */
export function locks({ counter, failures, lockedFor }: CountedAttempt): boolean {
  return lockedFor === undefined && failures === counter.limit
}

/**
 * What stands for a client: its IPv4 address, or the /64 of its IPv6 address, within which a client gives itself any address it
 * likes (RFC 8981).
 * @param address canonical
 */
export function networkOfClient(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = (part: string): readonly string[] => (part === '' ? [] : part.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  // An IPv4 address at the end stands for two groups.
  const length = before.length + after.length + (address.includes('.') ? 1 : 0)
  const zeros = Array.from({ length: Math.max(0, 8 - length) }, () => '0')
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
