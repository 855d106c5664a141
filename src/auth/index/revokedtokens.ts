/** Access tokens that were revoked before their end. There are few, and they end soon. */
export class RevokedTokens {
  readonly #tokens = new Set<string>()

  has(organizationId: string, jti: string): boolean {
    return this.#tokens.size > 0 && this.#tokens.has(keyOf(organizationId, jti))
  }

  set(organizationId: string, jti: string, isRevoked: boolean): void {
    const key = keyOf(organizationId, jti)
    if (isRevoked) this.#tokens.add(key)
    else this.#tokens.delete(key)
  }
}

/** One organization's revocation is no other's. */
function keyOf(organizationId: string, jti: string): string {
  return `${organizationId}/${jti}`
}
