import type { PasswordRules } from '../../domain/password.ts'
import type { Refused } from '../people.ts'

/** Hashes passwords, somewhere where it does not hold up anything else. */
export interface PasswordHasher {
  /** Whether one more would be refused now; to be asked before anything else is done for it. */
  readonly full: boolean
  /**
   * @returns argon2id in the PHC string format
   * @throws RangeError when the password is longer than one may be, which whoever asks has seen to
   */
  hash(password: string): Promise<{ readonly hash: string } | Refused<'busy'>>
  /**
   * @param hash as it is stored; undefined: there is none, and the same work is done for nothing
   */
  verify(hash: string | undefined, password: string): Promise<Verification | Refused<'busy'>>
  /**
   * Why a new password is not accepted.
   * @param words that stand to reason for this person, in lower case
   * @returns sentences for people; none: it is accepted
   */
  judge(
    password: string,
    rules: PasswordRules,
    words: readonly string[],
  ): Promise<{ readonly objections: readonly string[] } | Refused<'busy'>>
  /**
   * Makes something guessable expensive to guess from what is stored of it: a code of six digits.
   * @param salt 32 bytes
   * @returns 32 bytes, the same for the same
   */
  derive(text: string, salt: Uint8Array): Promise<{ readonly derived: Buffer } | Refused<'busy'>>
}

export interface Verification {
  readonly matches: boolean
  /** Whether the hash is weaker than those that are made now. */
  readonly outdated: boolean
}
