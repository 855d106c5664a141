import { randomInt } from 'node:crypto'
import type { Pool } from 'pg'
import { waitingChallenge } from '../../db/emailcode.ts'
import { insertOneTimeToken } from '../../db/onetimetoken.ts'
import { readOrganization, writeInOrganization } from '../../db/transaction.ts'
import { authActor } from '../../domain/actor.ts'
import { writeEmailCode } from '../../domain/emailcode.ts'
import type { CodeMinter, CodeRequest } from '../mail/codeminter.ts'
import type { PasswordHasher } from '../password/hasher.ts'

export interface EmailCodeMinterOptions {
  readonly pool: Pool
  readonly hasher: Pick<PasswordHasher, 'derive'>
}

/**
 * Makes codes when they are sent. Of a code is stored what argon2id makes of it and of its challenge: six digits are guessed from
 * any other digest in a moment. For an address without an account one is made and written all the same, and then thrown away:
 * that work is where the passwords of everybody are judged, and whoever waits there would notice it.
 */
export class EmailCodeMinter implements CodeMinter {
  readonly #options: EmailCodeMinterOptions

  constructor(options: EmailCodeMinterOptions) {
    this.#options = options
  }

  /** @throws Error when too much is going on; the mail is tried again later */
  async mint({ organizationId, subjectId }: CodeRequest): Promise<string | undefined> {
    const { pool, hasher } = this.#options
    const [challenge] = await readOrganization(pool, organizationId, [waitingChallenge(subjectId)])
    if (!challenge) return undefined
    const code = writeEmailCode(randomInt(1_000_000))
    const made = await hasher.derive(code, challenge.digest)
    if ('refused' in made) throw new Error('too many passwords wait to be hashed')
    const { seconds: lifetime, ofAccount } = challenge
    await writeInOrganization(pool, { organizationId, actor: authActor }, (tx) =>
      insertOneTimeToken(tx, {
        organizationId,
        purpose: 'email_code',
        subjectId,
        digest: made.derived,
        lifetime,
      }),
    )
    return ofAccount ? code : undefined
  }
}
