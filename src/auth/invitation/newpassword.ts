import type { PeoplesOrganization } from '../../db/member.ts'
import type { Refused } from '../people.ts'

/** What becomes of a password that somebody chooses. */
export interface NewPasswords {
  /**
   * Judges a password by the organization's rules, and hashes it.
   * @param whose `email` is canonical
   */
  make(
    password: string,
    whose: { readonly organization: PeoplesOrganization; readonly email: string },
  ): Promise<{ readonly hash: string } | Refused<'password_not_accepted' | 'busy'>>
}
