import { wordsAround } from '../../domain/password.ts'
import type { SignInRules } from '../../domain/signinrules.ts'
import type { Refused } from '../people.ts'
import type { PasswordHasher } from './hasher.ts'

/** Who a password is to be of. */
export interface PasswordOwner {
  /** Canonical. */
  readonly email: string
  readonly organization: {
    readonly name: string
    readonly displayName: string
    /** Of email addresses. */
    readonly domains: readonly string[]
  }
  readonly rules: SignInRules['password']
  /** Hashes of passwords that may not come again, the latest first; as many as the rules tell. */
  readonly former?: readonly string[]
}

/** Looks a password up among those that were breached elsewhere. */
export interface BreachedPasswords {
  /** False when nobody could be asked, too. */
  has(password: string): Promise<boolean>
}

export interface NewPasswordsOptions {
  readonly hasher: PasswordHasher
  /** Where people reach us: an origin, whose name is no password either. */
  readonly publicUrl: string
  readonly breached?: BreachedPasswords | undefined
}

const sentences = {
  former: 'It is one of your former passwords.',
  breached: 'It is in a collection of breached passwords.',
} as const

/** Accepts new passwords by the rules of an organization. */
export class NewPasswords {
  readonly #options: NewPasswordsOptions

  constructor(options: NewPasswordsOptions) {
    this.#options = options
  }

  /** @returns what is stored of the password; the details of a refusal are sentences for people */
  async make(
    password: string,
    owner: PasswordOwner,
  ): Promise<{ readonly hash: string } | Refused<'password_not_accepted' | 'busy'>> {
    const { hasher, publicUrl, breached } = this.#options
    const { email, organization, rules } = owner
    const { hostname } = new URL(publicUrl)
    const words = wordsAround({ email, ...namesOf(organization), service: ['cardea', hostname] })
    const judged = await hasher.judge(password, rules, words)
    if ('refused' in judged) return judged
    if (judged.objections.length > 0) return notAccepted(judged.objections)
    for (const hash of owner.former ?? []) {
      const same = await hasher.verify(hash, password)
      if ('refused' in same) return same
      if (same.matches) return notAccepted([sentences.former])
    }
    if (await breached?.has(password)) return notAccepted([sentences.breached])
    return hasher.hash(password)
  }
}

function namesOf({ name, displayName, domains }: PasswordOwner['organization']) {
  return { organization: name, displayName, domains }
}

function notAccepted(details: readonly string[]): Refused<'password_not_accepted'> {
  return { refused: 'password_not_accepted', details }
}
