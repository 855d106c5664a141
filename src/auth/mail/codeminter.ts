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
   * Writes down the digest of a new code. What was minted for the same before is of no use then. It takes a while, so that no
   * transaction is to wait for it.
   * @returns six digits; undefined when nobody is to get them
   */
  mint(request: CodeRequest): Promise<string | undefined>
}
