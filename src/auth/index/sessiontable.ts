import type { IndexedSession } from '../../db/credentialindex.ts'
import { KeyTable, moreSlots } from './keytable.ts'
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

/** Sessions in columns of typed arrays: a million of them are some 80 MB, and nothing for the garbage collector to walk. */
export class SessionTable {
  readonly #keys = new KeyTable(digestBytes)
  readonly #ids = new KeyTable(16)
  readonly #idBytes = new Uint8Array(16)
  readonly #people = new People()
  readonly #free: number[] = []
  #slots = 0
  /** Whose it is: where `#people` has them, from 1 on; 0: the slot is empty. */
  #users = new Uint32Array(firstSlots)
  /** Milliseconds: two sign-ins within a second can be before and after a word that ends sessions. */
  #authenticatedAt = new Float64Array(firstSlots)
  /** Seconds, as all that follow. */
  #expiresAt = new Uint32Array(firstSlots)
  #lastSeenAt = new Uint32Array(firstSlots)
  #idleTimeout = new Uint32Array(firstSlots)
  #isToken = new Uint8Array(firstSlots)

  get size(): number {
    return this.#keys.size
  }

  /** One more than the highest slot that may be taken. */
  get slots(): number {
    return this.#slots
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
    const kind: SessionKind = this.#isToken[slot] === 1 ? 'token' : 'browser'
    this.#ids.read(slot, this.#idBytes)
    const state = {
      id: uuidText(this.#idBytes),
      kind,
      user,
      authenticatedAt: this.#authenticatedAt[slot] as number,
      lastSeenAt: (this.#lastSeenAt[slot] as number) * 1000,
      idleTimeout: (this.#idleTimeout[slot] as number) * 1000,
      expiresAt: (this.#expiresAt[slot] as number) * 1000,
    }
    return new SessionCredential(state, slot)
  }

  /** When a session was last seen here, in seconds since the epoch; 0 when it is not here. */
  lastSeen(id: string): number {
    const slot = this.#ids.find(uuidBytes(id))
    return slot < 0 ? 0 : (this.#lastSeenAt[slot] as number)
  }

  /** Puts a session in, in the place of what has its id or its digest. @param seen when it was last seen here, in seconds */
  set(row: IndexedSession, user: User, seen = 0): void {
    const key = sessionKey(row.digest.toString('latin1'))
    const id = uuidBytes(row.id)
    for (const former of [this.#keys.find(key), this.#ids.find(id)]) this.delete(former)
    const slot = this.#free.pop() ?? this.#slots++
    if (slot >= this.#expiresAt.length) this.#grow()
    this.#keys.add(key, slot)
    this.#ids.add(id, slot)
    this.#users[slot] = this.#people.enter(user)
    this.#authenticatedAt[slot] = row.authenticatedAt
    this.#expiresAt[slot] = row.expiresAt / 1000
    this.#lastSeenAt[slot] = Math.max(row.lastSeenAt / 1000, seen)
    this.#idleTimeout[slot] = row.idleTimeout
    this.#isToken[slot] = row.kind === 'token' ? 1 : 0
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
    this.#users[slot] = 0
    this.#keys.delete(slot)
    this.#ids.delete(slot)
    this.#free.push(slot)
    this.#people.leave(user)
  }

  /** Takes out what is in a slot, if it is over for good. */
  sweep(slot: number, now: number): void {
    const seconds = now / 1000
    const idleAt = (this.#lastSeenAt[slot] as number) + (this.#idleTimeout[slot] as number)
    if ((this.#expiresAt[slot] as number) > seconds && idleAt + idleGrace > seconds) return
    this.delete(slot)
  }

  /**
   * Notes that a session was seen, if it still is where it was found.
   * @param seconds since the epoch
   */
  touch({ slot, user, authenticatedAt }: SessionCredential, seconds: number): void {
    if (this.#user(slot) !== user || this.#authenticatedAt[slot] !== authenticatedAt) return
    if (seconds > (this.#lastSeenAt[slot] as number)) this.#lastSeenAt[slot] = seconds
  }

  #user(slot: number): User | undefined {
    return this.#people.at(this.#users[slot] as number)
  }

  #grow(): void {
    const larger = <Column extends Float64Array | Uint32Array | Uint8Array>(
      column: Column,
      make: (length: number) => Column,
    ): Column => {
      const grown = make(moreSlots(column.length))
      grown.set(column)
      return grown
    }
    this.#users = larger(this.#users, (length) => new Uint32Array(length))
    this.#authenticatedAt = larger(this.#authenticatedAt, (length) => new Float64Array(length))
    this.#expiresAt = larger(this.#expiresAt, (length) => new Uint32Array(length))
    this.#lastSeenAt = larger(this.#lastSeenAt, (length) => new Uint32Array(length))
    this.#idleTimeout = larger(this.#idleTimeout, (length) => new Uint32Array(length))
    this.#isToken = larger(this.#isToken, (length) => new Uint8Array(length))
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
