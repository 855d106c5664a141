import type { IndexedSession } from '../../db/credentialindex.ts'
import { KeyTable } from './keytable.ts'
import { SessionCredential, type SessionKind } from './session.ts'
import type { User } from './user.ts'
import { uuidBytes, uuidText } from './uuidtext.ts'

/** Of a digest, 128 bits are kept: as many as nobody guesses, and half the room. */
const digestBytes = 16
const firstSlots = 32
/** Seconds that an idle session stays: another replica may have seen somebody with it, and it is written down late. */
const idleGrace = 300

/** The part of a digest by which a session is found. @param digest SHA-256, as 32 latin1 characters */
export function sessionKey(digest: string): string {
  return digest.slice(0, digestBytes)
}

/** What a record has, each a number of 32 bits: one session is one place in memory, and a check waits for it once. */
const field = {
  /** Whose it is: where `#people` has them, from 1 on; 0: the slot is empty. */
  user: 0,
  /** Seconds and microseconds, as PostgreSQL knows them: two sign-ins within a second can be before and after a word that ends sessions. */
  authenticatedAt: 1,
  microseconds: 2,
  /** Seconds, as the rest. */
  expiresAt: 3,
  lastSeenAt: 4,
  /** Twice, and one more for a session of tokens. */
  idleTimeout: 5,
} as const
const fields = 6

/** Sessions in typed arrays: a million of them are some 75 MB, and nothing for the garbage collector to walk. */
export class SessionTable {
  readonly #keys = new KeyTable(digestBytes)
  readonly #ids = new KeyTable(16)
  readonly #idBytes = new Uint8Array(16)
  readonly #people = new People()
  readonly #free: number[] = []
  #slots = 0
  #records = new Uint32Array(firstSlots * fields)

  get size(): number {
    return this.#keys.size
  }

  /** One more than the highest slot that may be taken. */
  get slots(): number {
    return this.#slots
  }

  /** As `KeyTable` has it. */
  reserve(slots: number, sessions: number): void {
    this.#keys.reserve(slots, sessions)
    this.#ids.reserve(slots, sessions)
    this.#makeSlots(slots)
  }

  /** @param key of `sessionKey` */
  has(key: string): boolean {
    return this.#keys.find(key) >= 0
  }

  /** @param key of `sessionKey` */
  find(key: string): SessionCredential | undefined {
    const slot = this.#keys.find(key)
    return slot < 0 ? undefined : this.at(slot)
  }

  at(slot: number): SessionCredential | undefined {
    const user = this.#user(slot)
    if (user === undefined) return undefined
    this.#ids.read(slot, this.#idBytes)
    const idleTimeout = this.#get(slot, field.idleTimeout)
    const kind: SessionKind = idleTimeout % 2 === 1 ? 'token' : 'browser'
    const state = {
      id: uuidText(this.#idBytes),
      kind,
      user,
      authenticatedAt: this.#authenticatedAt(slot),
      lastSeenAt: this.#get(slot, field.lastSeenAt) * 1000,
      idleTimeout: Math.floor(idleTimeout / 2) * 1000,
      expiresAt: this.#get(slot, field.expiresAt) * 1000,
    }
    return new SessionCredential(state, slot)
  }

  /** When a session was last seen here, in seconds since the epoch; 0 when it is not here. */
  lastSeen(id: string): number {
    const slot = this.#ids.find(uuidBytes(id))
    return slot < 0 ? 0 : this.#get(slot, field.lastSeenAt)
  }

  /** Puts a session in, in the place of what has its id or its digest. @param seen when it was last seen here, in seconds */
  set(row: IndexedSession, user: User, seen = 0): void {
    const key = sessionKey(row.digest.toString('latin1'))
    const id = uuidBytes(row.id)
    for (const former of [this.#keys.find(key), this.#ids.find(id)]) this.delete(former)
    const slot = this.#free.pop() ?? this.#slots++
    const slots = this.#records.length / fields
    if (slot >= slots) this.#makeSlots(slots * 2)
    this.#keys.add(key, slot)
    this.#ids.add(id, slot)
    const { authenticatedAt } = row
    const record = [
      this.#people.enter(user),
      authenticatedAt / 1000,
      Math.round((authenticatedAt % 1000) * 1000),
      row.expiresAt / 1000,
      Math.max(row.lastSeenAt / 1000, seen),
      row.idleTimeout * 2 + (row.kind === 'token' ? 1 : 0),
    ]
    this.#records.set(record, slot * fields)
  }

  /** Takes a session out. @returns its key, or undefined when it is not here */
  deleteById(id: string): string | undefined {
    const slot = this.#ids.find(uuidBytes(id))
    if (slot < 0) return undefined
    const key = this.#keys.key(slot)
    this.delete(slot)
    return key
  }

  /** Takes out what is in a slot, if anything is. */
  delete(slot: number): void {
    const user = this.#user(slot)
    if (user === undefined) return
    this.#put(slot, field.user, 0)
    this.#keys.delete(slot)
    this.#ids.delete(slot)
    this.#free.push(slot)
    this.#people.leave(user)
  }

  /** Takes out what is in a slot, if it is over for good. */
  sweep(slot: number, now: number): void {
    const seconds = now / 1000
    const idleTimeout = Math.floor(this.#get(slot, field.idleTimeout) / 2)
    const idleAt = this.#get(slot, field.lastSeenAt) + idleTimeout
    if (this.#get(slot, field.expiresAt) > seconds && idleAt + idleGrace > seconds) return
    this.delete(slot)
  }

  /**
   * Notes that a session was seen, if it still is where it was found.
   * @param seconds since the epoch
   */
  touch({ slot, user, authenticatedAt }: SessionCredential, seconds: number): void {
    if (this.#user(slot) !== user || this.#authenticatedAt(slot) !== authenticatedAt) return
    if (seconds > this.#get(slot, field.lastSeenAt)) this.#put(slot, field.lastSeenAt, seconds)
  }

  #authenticatedAt(slot: number): number {
    return (
      this.#get(slot, field.authenticatedAt) * 1000 + this.#get(slot, field.microseconds) / 1000
    )
  }

  #user(slot: number): User | undefined {
    return this.#people.at(this.#get(slot, field.user))
  }

  #get(slot: number, at: number): number {
    return this.#records[slot * fields + at] as number
  }

  #put(slot: number, at: number, value: number): void {
    this.#records[slot * fields + at] = value
  }

  #makeSlots(count: number): void {
    if (count * fields <= this.#records.length) return
    const larger = new Uint32Array(count * fields)
    larger.set(this.#records)
    this.#records = larger
  }
}

/** Those who have sessions here, by a number that takes less room than a reference. */
class People {
  readonly #users: (User | undefined)[] = [undefined]
  readonly #free: number[] = []

  at(number: number): User | undefined {
    return this.#users[number]
  }

  /** Counts one more session of somebody. @returns their number */
  enter(user: User): number {
    if (user.sessions++ === 0) {
      user.number = this.#free.pop() ?? this.#users.length
      this.#users[user.number] = user
    }
    return user.number
  }

  leave(user: User): void {
    if (--user.sessions > 0) return
    this.#users[user.number] = undefined
    this.#free.push(user.number)
    user.tenant.forgetUser(user)
  }
}
