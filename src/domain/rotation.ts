/** A secret of an API key as far as its succession is concerned. */
export interface KeySecret {
  readonly id: string
  readonly createdAt: Date
  /** The end of its overlap; null for the current one. */
  readonly expiresAt: Date | null
}

/** Milliseconds. */
export interface RotationRule {
  readonly every: number
  readonly overlap: number
}

export interface SuccessionPlan {
  /** The id of the current secret, when there is one and it stays. */
  readonly current: string | undefined
  /** Whether a new secret is due. */
  readonly mint: boolean
  /** Secrets that go on until then. */
  readonly retire: readonly { readonly id: string; readonly expiresAt: Date }[]
  /** Secrets whose time is over. */
  readonly drop: readonly string[]
}

/**
 * Which secret is current, which retire and which are over.
 * @param input.secrets live ones, the oldest first
 * @param input.requested whether a rotation was asked for and not answered yet
 * @param input.rotation left out: only a request rotates, and the former secret ends at once
 */
export function planSuccession(input: {
  readonly secrets: readonly KeySecret[]
  readonly now: Date
  readonly rotation: RotationRule | undefined
  readonly requested: boolean
}): SuccessionPlan {
  const { secrets, now, rotation, requested } = input
  const drop = secrets.filter((secret) => secret.expiresAt !== null && secret.expiresAt <= now)
  const open = secrets.filter((secret) => secret.expiresAt === null)
  const newest = open.at(-1)
  const due =
    newest !== undefined && rotation !== undefined && now >= nextRotationAt(newest, rotation)
  const mint = newest === undefined || due || requested
  const former = mint ? open : open.slice(0, -1)
  const end = new Date(now.getTime() + (rotation?.overlap ?? 0))
  const over = end <= now
  return {
    current: mint ? undefined : newest?.id,
    mint,
    retire: over ? [] : former.map(({ id }) => ({ id, expiresAt: end })),
    drop: [...drop, ...(over ? former : [])].map(({ id }) => id),
  }
}

/** When the secret after this one is due. */
export function nextRotationAt(secret: KeySecret, rotation: RotationRule): Date {
  return new Date(secret.createdAt.getTime() + rotation.every)
}
