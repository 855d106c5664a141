import { networkOfClient } from '../../domain/lockout.ts'
import type { Client, People, Refused } from '../people.ts'

/** What needs a hash and may be under way at once, of somebody who is signed in and of a client's network: an office is one. */
const most = { person: 4, network: 20 } as const
const busy: Refused<'busy'> = { refused: 'busy', retryAfter: 2 }

/** Counts what is under way, by whose it is. */
class Shares {
  readonly #underWay = new Map<string, number>()

  async take<T>(
    whose: string,
    limit: number,
    work: () => Promise<T>,
  ): Promise<T | Refused<'busy'>> {
    const before = this.#underWay.get(whose) ?? 0
    if (before >= limit) return busy
    this.#underWay.set(whose, before + 1)
    try {
      return await work()
    } finally {
      const left = (this.#underWay.get(whose) ?? 1) - 1
      if (left > 0) this.#underWay.set(whose, left)
      else this.#underWay.delete(whose)
    }
  }
}

/**
 * The services of people, such that nobody takes more than a part of the queue for hashing, which all share: each of these has one
 * task at a time in it, and goes on when whoever asked has gone. What is more than a part is answered `busy`, before anything is
 * done or counted for it. Where it cannot be told who asks, all would share one part: then the queue alone is the bound.
 */
export function sharing(people: People): People {
  const { signIn, registration, passwords, invitations } = people
  const shares = new Shares()
  const from = <T>({ address }: Client, work: () => Promise<T>): Promise<T | Refused<'busy'>> =>
    address === undefined
      ? work()
      : shares.take(`network ${networkOfClient(address)}`, most.network, work)
  return {
    ...people,
    signIn: {
      methods: (hint, email) => signIn.methods(hint, email),
      withPassword: (request) => from(request.client, () => signIn.withPassword(request)),
      requestCode: (request) => signIn.requestCode(request),
      withCode: (request) => from(request.client, () => signIn.withCode(request)),
    },
    registration: {
      allowed: registration.allowed,
      register: (request) => from(request.client, () => registration.register(request)),
      verifyEmail: (token, password, client) =>
        from(client, () => registration.verifyEmail(token, password, client)),
    },
    passwords: {
      rules: (organizationId) => passwords.rules(organizationId),
      requestReset: (request) => passwords.requestReset(request),
      look: (token) => passwords.look(token),
      reset: (token, password, client) =>
        from(client, () => passwords.reset(token, password, client)),
      change: (person, current, next, client) =>
        shares.take(`user ${person.userId}`, most.person, () =>
          passwords.change(person, current, next, client),
        ),
    },
    invitations: {
      list: (person) => invitations.list(person),
      invite: (person, invitation, client) => invitations.invite(person, invitation, client),
      revoke: (person, id, client) => invitations.revoke(person, id, client),
      look: (token) => invitations.look(token),
      accept: (token, account, client) =>
        from(client, () => invitations.accept(token, account, client)),
    },
  }
}
