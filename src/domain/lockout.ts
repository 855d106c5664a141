import { hash } from 'node:crypto'

/** What failed sign-ins are counted by. */
export interface AttemptCounter {
  readonly kind: 'account' | 'code' | 'device' | 'address'
  /** SHA-256, 32 bytes. */
  readonly subject: Buffer
  /** So many failures lock it. */
  readonly limit: number
  /** Seconds for which it is locked, and after which it begins anew when nothing failed meanwhile. */
  readonly duration: number
}

/** Whoever tries to sign in. */
export interface Attempt {
  /** Canonical, whether or not there is such an account. */
  readonly email: string
  /** The id of a device from which this account's owner signed in before; undefined for any other. */
  readonly deviceId: string | undefined
  /** Canonical; undefined when it cannot be told. */
  readonly address: string | undefined
  /** Whether it is a code that is to be judged, and not a password. */
  readonly byCode?: boolean
}

/** An office has one address and many people. */
const perAddress = 10
/** A code is short: whoever has the patience for a few guesses an hour is stopped by this. The duration in seconds. */
const wrongCodes = { limit: 30, duration: 86_400 }

/**
 * The counters that an attempt raises, in the order in which they are to be raised: the first that is locked ends it. A device
 * that is known has one of its own instead of them all: however often others fail, its owner signs in there. A code raises
 * one more than a password does, which outlives the lock-out.
 * @param lockout its duration in milliseconds
 */
export function countersOf(
  { email, deviceId, address, byCode = false }: Attempt,
  lockout: { readonly attempts: number; readonly duration: number },
): readonly AttemptCounter[] {
  const limit = lockout.attempts
  const duration = Math.max(1, Math.ceil(lockout.duration / 1000))
  if (deviceId !== undefined)
    return [{ kind: 'device', subject: digest(deviceId), limit, duration }]
  const counters: AttemptCounter[] = []
  if (address !== undefined) {
    const subject = digest(networkOfClient(address))
    counters.push({ kind: 'address', subject, limit: limit * perAddress, duration })
  }
  const subject = digest(email)
  counters.push({ kind: 'account', subject, limit, duration })
  if (byCode) {
    const longer = Math.max(duration, wrongCodes.duration)
    counters.push({ kind: 'code', subject, limit: wrongCodes.limit, duration: longer })
  }
  return counters
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
