import { readFileSync } from 'node:fs'
import { untilGivenUp } from './giveup.ts'
import { type KeyManagementCode, KeyManagementError } from './keymanagement.ts'
import type { VaultSettings } from './reference.ts'
import type { VaultAnswer, VaultConnection } from './vaulthttp.ts'

type Login = VaultSettings['login']

interface Session {
  readonly token: string
  /** Milliseconds; endless for one that does not run out, or that somebody else renews. */
  readonly lifetime: number
  readonly renewable: boolean
  /** On the monotonic clock, in milliseconds. */
  readonly endsAt: number
  renewAt: number
}

/** Milliseconds for a login or a renewal, whoever waits for it. */
const deadline = 5000
/** Milliseconds before a refusal leads to another login: a right that is missing is not found by logging in. */
const betweenRefusals = 30_000

/**
 * A token of Vault that is always good. It is renewed before it runs out, while it still serves, and replaced by a new
 * login when that is not possible. However many wait for one, there is one login.
 */
export class VaultLogin {
  readonly #connection: VaultConnection
  readonly #login: Login
  #session: Session | undefined
  #coming: Promise<Session> | undefined
  #refusedUntil = Number.NEGATIVE_INFINITY

  constructor(connection: VaultConnection, login: Login) {
    this.#connection = connection
    this.#login = login
  }

  /** @throws KeyManagementError */
  async token(signal?: AbortSignal): Promise<string> {
    const session = this.#session
    const now = performance.now()
    if (session && now < session.renewAt) return session.token
    const coming = this.#replace()
    if (session && now < session.endsAt) {
      coming.catch(() => {})
      return session.token
    }
    return (await untilGivenUp(coming, 'Vault', signal)).token
  }

  /**
   * Another token for one that was refused; undefined when there is none, or none so soon again.
   * @throws KeyManagementError
   */
  async another(refused: string, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#session && this.#session.token !== refused) return this.#session.token
    if (!this.#coming) {
      const now = performance.now()
      if (now < this.#refusedUntil) return undefined
      // A file costs nothing to read again.
      if (this.#login.method !== 'token') this.#refusedUntil = now + betweenRefusals
      this.#session = undefined
    }
    const { token } = await untilGivenUp(this.#replace(), 'Vault', signal)
    return token === refused ? undefined : token
  }

  #replace(): Promise<Session> {
    this.#coming ??= this.#renewOrLogIn().finally(() => {
      this.#coming = undefined
    })
    return this.#coming
  }

  async #renewOrLogIn(): Promise<Session> {
    const old = this.#session
    try {
      this.#session = (old && (await this.#renew(old))) ?? (await this.#logIn())
      return this.#session
    } catch (error) {
      // While the old one serves, not every use of it shall try again.
      if (old) old.renewAt = performance.now() + (old.endsAt - performance.now()) / 4
      throw error
    }
  }

  /** Undefined when it can be prolonged no further. */
  async #renew(old: Session): Promise<Session | undefined> {
    if (!old.renewable || performance.now() >= old.endsAt) return undefined
    const path = 'auth/token/renew-self'
    const call = { method: 'POST', path, token: old.token, body: {} } as const
    const { status, body } = await this.#connection.call(call, AbortSignal.timeout(deadline))
    if (status !== 200) return undefined
    const renewed = sessionOf(body)
    // Near its longest life Vault gives less than was asked for.
    return renewed && renewed.lifetime >= old.lifetime / 2 ? renewed : undefined
  }

  async #logIn(): Promise<Session> {
    const login = this.#login
    if (login.method === 'token') {
      const token = read(login.tokenFile)
      const endless = Number.POSITIVE_INFINITY
      return { token, lifetime: endless, renewable: false, endsAt: endless, renewAt: endless }
    }
    const call = {
      method: 'POST',
      path: `${mountPath(login.mount)}/login`,
      body: credentials(login),
    } as const
    const answer = await this.#connection.call(call, AbortSignal.timeout(deadline))
    const session = answer.status === 200 ? sessionOf(answer.body) : undefined
    if (!session) throw failure(login, answer)
    return session
  }
}

function credentials(login: Exclude<Login, { method: 'token' }>): object {
  return login.method === 'kubernetes'
    ? { role: login.role, jwt: read(login.tokenFile) }
    : { role_id: login.roleId, secret_id: read(login.secretIdFile) }
}

/** A mount below a namespace says so itself: `team-a/auth/kubernetes`. */
function mountPath(mount: string): string {
  return mount.includes('auth/') ? mount : `auth/${mount}`
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    const message = `this program cannot log in to Vault: ${file} cannot be read. Mount it`
    throw new KeyManagementError('denied', message)
  }
}

function sessionOf({ auth }: VaultAnswer['body']): Session | undefined {
  const { client_token, lease_duration, renewable } = (auth ?? {}) as Record<string, unknown>
  if (typeof client_token !== 'string' || typeof lease_duration !== 'number') return undefined
  const lifetime = lease_duration > 0 ? lease_duration * 1000 : Number.POSITIVE_INFINITY
  const now = performance.now()
  return {
    token: client_token,
    lifetime,
    renewable: renewable === true,
    endsAt: now + lifetime,
    renewAt: now + (lifetime * 2) / 3,
  }
}

function failure({ method }: Login, { status }: VaultAnswer): KeyManagementError {
  const code = codeOf(status)
  const remedy = {
    denied: `refused the login by ${method}: check CARDEA_KMS_VAULT_* and what the role there is bound to`,
    throttled: 'is asked too often to log in: raise its quota if this goes on',
    unreachable: 'cannot be used just now: it did not answer the login',
  }[code]
  return new KeyManagementError(code, `Vault ${remedy}`)
}

function codeOf(
  status: number,
): Extract<KeyManagementCode, 'denied' | 'throttled' | 'unreachable'> {
  if (status === 429) return 'throttled'
  return status >= 400 && status < 500 && status !== 412 ? 'denied' : 'unreachable'
}
