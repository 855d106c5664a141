import { expect, test } from 'vitest'
import type { Client, People, Person } from '../people.ts'
import { sharing } from './shares.ts'

const client = (address: string | undefined): Client => ({
  address,
  userAgent: undefined,
  device: undefined,
  requestId: 'test',
})
const person = (userId: string) => ({ userId }) as Person

/** Services of which each call lasts until it is ended. */
function slow() {
  const ends: (() => void)[] = []
  const last = async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    ends.push(resolve)
    await promise
    return { accepted: true } as never
  }
  const people = sharing({
    signIn: { withPassword: last, withCode: last },
    registration: { allowed: true, register: last, verifyEmail: last },
    passwords: { reset: last, change: last },
    invitations: { accept: last },
  } as unknown as People)
  return { people, ends, underWay: () => ends.length }
}

const busy = { refused: 'busy', retryAfter: 2 }

test('of somebody who is signed in four changes of the password are under way, and others go on', async () => {
  const { people, ends, underWay } = slow()
  const change = (of: string, from: string) =>
    people.passwords.change(person(of), 'x', 'y', client(from))
  const first = [1, 2, 3, 4].map((n) => change('ada', `192.0.2.${n}`))
  expect(await change('ada', '192.0.2.5')).toEqual(busy)
  const other = change('grace', '192.0.2.1')
  expect(underWay()).toBe(5)
  ends[0]?.()
  await first[0]
  const next = change('ada', '192.0.2.1')
  expect(underWay()).toBe(6)
  for (const end of ends) end()
  await Promise.all([...first, other, next])
})

test('of one network twenty things that need a hash are under way, of whatever kind', async () => {
  const { people, ends, underWay } = slow()
  const kinds = [
    (from: Client) => people.signIn.withPassword({ client: from } as never),
    (from: Client) => people.signIn.withCode({ client: from } as never),
    (from: Client) => people.registration.register({ client: from } as never),
    (from: Client) => people.registration.verifyEmail('co_x', 'x', from),
    (from: Client) => people.passwords.reset('co_x', 'x', from),
    (from: Client) => people.invitations.accept('co_x', { name: 'x', password: 'x' }, from),
  ]
  const network = (n: number) => client(`2001:db8:0:1::${n + 1}`)
  const all: Promise<unknown>[] = []
  for (let n = 0; all.length < 20; n++) {
    for (const kind of kinds.slice(0, 20 - all.length)) all.push(kind(network(n)))
  }
  for (const kind of kinds) expect(await kind(network(30))).toEqual(busy)
  all.push(people.passwords.reset('co_x', 'x', client('2001:db8:0:2::1')))
  expect(underWay()).toBe(21)
  for (const end of ends) end()
  await Promise.all(all)
})

test('what fails gives its part back', async () => {
  const people = sharing({
    signIn: {},
    registration: {},
    invitations: {},
    passwords: {
      change: async () => {
        throw new Error('the database is away')
      },
    },
  } as unknown as People)
  for (let n = 0; n < 10; n++) {
    await expect(
      people.passwords.change(person('ada'), 'x', 'y', client(undefined)),
    ).rejects.toThrow('the database is away')
  }
})

test('where nobody says who asks there are no parts, as all would share one', async () => {
  const { people, ends, underWay } = slow()
  const all = Array.from({ length: 50 }, () =>
    people.signIn.withPassword({ client: client(undefined) } as never),
  )
  expect(underWay()).toBe(50)
  for (const end of ends) end()
  await Promise.all(all)
})
