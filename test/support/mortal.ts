import type { Pool, PoolClient } from 'pg'
import type { KubeClient } from '../../src/k8s/client.ts'
import type { ResourceKind } from '../../src/k8s/object.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'

/** What a dead process gets to hear of everything. */
class KilledError extends Error {
  override readonly name = 'KilledError'
}

/**
 * A process that is killed as by `kill -9`: from then on nothing that it does has an effect, and PostgreSQL sees its
 * connections close. Without a death it counts the calls at which it could have been killed.
 */
export class Mortal {
  /** The calls that were made, in order. */
  readonly calls: string[] = []
  readonly #lifetime: number
  readonly #connections = new Set<PoolClient>()
  #dead = false

  /** @param lifetime how many calls to the outside take effect; the answer to the last is not heard any more */
  constructor(lifetime = Number.POSITIVE_INFINITY) {
    this.#lifetime = lifetime
  }

  get dead(): boolean {
    return this.#dead
  }

  /** The pool as this process has it. */
  pool(pool: Pool): Pool {
    return this.#replace(pool, {
      connect: async () => {
        const client = await this.#call('connect to PostgreSQL', async () => {
          const connected = await pool.connect()
          this.#connections.add(connected)
          return connected
        })
        return this.#connection(client)
      },
      query: (text: string, values: unknown[]) =>
        this.#call(`query ${text.slice(0, 60)}`, () => pool.query(text, values)),
    })
  }

  /** The client as this process has it. */
  client(client: KubeClient): KubeClient {
    const names = ['get', 'create', 'replace', 'apply', 'patch', 'delete'] as const
    const entries = names.map((name) => {
      const method = client[name].bind(client) as (...given: unknown[]) => Promise<unknown>
      return [
        name,
        (kind: ResourceKind, ...given: unknown[]) =>
          this.#call(`${name} ${kind.plural}`, () => method(kind, ...given)),
      ]
    })
    return this.#replace(client, Object.fromEntries(entries))
  }

  kms(kms: KeyManagement): KeyManagement {
    return {
      provider: kms.provider,
      wrap: (...given) => this.#call('wrap', () => kms.wrap(...given)),
      unwrap: (...given) => this.#call('unwrap', () => kms.unwrap(...given)),
      describe: (...given) => this.#call('describe', () => kms.describe(...given)),
    }
  }

  #connection(client: PoolClient): PoolClient {
    return this.#replace(client, {
      query: (query: string | { text: string }, ...values: unknown[]) =>
        this.#call(`query ${typeof query === 'string' ? query : query.text}`.slice(0, 60), () =>
          (client.query as (...given: unknown[]) => Promise<unknown>)(query, ...values),
        ),
      release: (broken?: Error) => {
        if (this.#connections.delete(client)) client.release(broken)
      },
    })
  }

  async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    if (this.#lifetime === 0) this.#die()
    if (this.#dead) throw new KilledError(name)
    this.calls.push(name)
    const answer = call()
    if (this.calls.length < this.#lifetime) return answer
    await answer.catch(() => {})
    this.#die()
    throw new KilledError(name)
  }

  #die(): void {
    this.#dead = true
    for (const client of this.#connections) {
      // The kernel closes the sockets of a killed process; PostgreSQL rolls back what was open.
      const { connection } = client as unknown as { connection: { stream: { destroy(): void } } }
      connection.stream.destroy()
      client.release(true)
    }
    this.#connections.clear()
  }

  #replace<T extends object>(target: T, members: Readonly<Record<string, unknown>>): T {
    return new Proxy(target, {
      get: (object, name) => {
        if (typeof name === 'string' && Object.hasOwn(members, name)) return members[name]
        const value = Reflect.get(object, name, object)
        return typeof value === 'function' ? value.bind(object) : value
      },
    })
  }
}
