import { permits } from '../../domain/role.ts'

const maxShared = 10_000
const maxAnswers = 256

/** Roles, and what they permit together. */
export class RoleSet {
  readonly roles: readonly string[]
  /** A list as RFC 9110, section 5.6.1, writes it. */
  readonly header: string
  readonly json: string
  readonly #permissions: readonly string[]
  /** What was asked before: the same few permissions are asked all the time. */
  readonly #answers = new Map<string, boolean>()

  constructor(roles: readonly string[], permissions: readonly string[]) {
    this.roles = roles
    this.header = roles.join(',')
    this.json = JSON.stringify(roles)
    this.#permissions = permissions
  }

  /** Whether they permit what is asked, `resource:verb`. */
  permits(asked: string): boolean {
    let answer = this.#answers.get(asked)
    if (answer === undefined) {
      answer = permits(this.#permissions, asked)
      if (this.#answers.size >= maxAnswers) this.#answers.clear()
      this.#answers.set(asked, answer)
    }
    return answer
  }
}

const shared = new Map<string, RoleSet>()

/**
 * The set of these roles: the same object for all who have the same, in whichever organization.
 * @param roles what each permits, by name
 */
export function roleSet(roles: ReadonlyMap<string, readonly string[]>): RoleSet {
  const names = [...roles.keys()].sort()
  const permissions = [...new Set(names.flatMap((name) => roles.get(name) ?? []))]
  const key = JSON.stringify([names, permissions])
  let found = shared.get(key)
  if (found === undefined) {
    found = new RoleSet(names, permissions)
    // What was shared stays right; only later ones are not shared with it.
    if (shared.size >= maxShared) shared.clear()
    shared.set(key, found)
  }
  return found
}
