import type { Transaction } from '../../db/transaction.ts'

/** Whom a sign-in code is for. */
export interface CodeRequest {
  readonly organizationId: string
  /** What the mail in the queue names as its subject, as whoever asked for the code put it there. */
  readonly subjectId: string
  readonly recipient: string
}

/** Makes sign-in codes at the moment in which they are sent: until then there is none, and afterwards only its digest. */
export interface CodeMinter {
  /**
   * Writes the digest of a new code in the transaction of its delivery. What was minted for the same before is of no use then.
   * @returns six digits; undefined when nobody waits for them any more
   */
  mint(tx: Transaction, request: CodeRequest): Promise<string | undefined>
}
