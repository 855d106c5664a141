import type { CredentialIndex } from './credentialindex.ts'
import type { SessionCredential } from './session.ts'

/** More sessions than this wait for nobody: while the database is away for long, some are written down as seen earlier. */
const maxPending = 100_000
/** Seconds: a session that somebody uses all the time is written down as often. */
const grain = 60
/** Milliseconds: when it was so near to its end, other replicas must hear at once that it was seen. */
const urgency = 30_000

/** When sessions were seen, and which of that is not written down yet. */
export class Activity {
  readonly #index: () => CredentialIndex
  #pending = new Map<string, number>()
  /** Told when what is pending should be written down at once. */
  onUrgent: () => void = () => {}

  /** @param index the index as it is when it is asked for */
  constructor(index: () => CredentialIndex) {
    this.#index = index
  }

  /** Notes that somebody was let through. @param now milliseconds since the epoch */
  saw(session: SessionCredential, now: number): void {
    const seconds = Math.floor(now / 1000)
    const last = Math.floor(session.lastSeenAt / 1000)
    if (seconds <= last) return
    this.#index().touch(session, seconds)
    const part = Math.max(1, Math.min(grain, Math.floor(session.idleTimeout / 20_000)))
    if (Math.floor(seconds / part) === Math.floor(last / part)) return
    this.#add(session.id, seconds)
    if (now - session.lastSeenAt > session.idleTimeout - urgency) this.onUrgent()
  }

  /** What nobody took yet: sessions, and when they were seen in seconds since the epoch. */
  take(): ReadonlyMap<string, number> {
    const pending = this.#pending
    this.#pending = new Map()
    return pending
  }

  /** Gives back what could not be written down. */
  giveBack(entries: Iterable<readonly [id: string, seconds: number]>): void {
    for (const [id, seconds] of entries)
      this.#add(id, Math.max(seconds, this.#pending.get(id) ?? 0))
  }

  #add(id: string, seconds: number): void {
    if (this.#pending.size < maxPending || this.#pending.has(id)) this.#pending.set(id, seconds)
  }
}
