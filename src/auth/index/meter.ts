/** How one API key is used: for its rate limit and for its last use. Both secrets of an overlap share it. */
export interface Meter {
  readonly apiKeyId: string
  readonly organizationId: string
  /** Monotonic milliseconds: when the bucket is full again (GCRA's theoretical arrival time). */
  fullAt: number
  /** Uses that are not written down yet. */
  uses: number
  /** Seconds since the epoch: a small integer, which takes no room of its own. */
  lastUsedAt: number
}
