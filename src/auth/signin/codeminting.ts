import { randomInt } from 'node:crypto'
import { waitingChallenge } from '../../db/emailcode.ts'
import { insertOneTimeToken } from '../../db/onetimetoken.ts'
import type { Transaction } from '../../db/transaction.ts'
import { writeEmailCode } from '../../domain/emailcode.ts'
import type { CodeMinter, CodeRequest } from '../mail/codeminter.ts'
import type { PasswordHasher } from '../password/hasher.ts'

/**
 * Makes codes when they are sent. Of a code is stored what argon2id makes of it and of its challenge: six digits are guessed from
 * any other digest in a moment.
 */
export class EmailCodeMinter implements CodeMinter {
  readonly #hasher: Pick<PasswordHasher, 'derive'>

  constructor(hasher: Pick<PasswordHasher, 'derive'>) {
    this.#hasher = hasher
  }

  /** @throws Error when too much is going on; the mail is tried again later */
  async mint(
    tx: Transaction,
    { organizationId, subjectId }: CodeRequest,
  ): Promise<string | undefined> {
    const challenge = await waitingChallenge(tx, subjectId)
    if (!challenge) return undefined
    const code = writeEmailCode(randomInt(1_000_000))
    const made = await this.#hasher.derive(code, challenge.digest)
    if ('refused' in made) throw new Error('too many passwords wait to be hashed')
    await insertOneTimeToken(tx, {
      organizationId,
      purpose: 'email_code',
      subjectId,
      digest: made.derived,
      lifetime: challenge.seconds,
    })
    return code
  }
}
