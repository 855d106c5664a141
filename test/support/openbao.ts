import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  type OpenBaoOptions,
  type OpenBao as Server,
  startOpenBao as start,
} from '../../hack/local/openbao.ts'
import { ROOT } from '../../hack/local/place.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import type { VaultSettings } from '../../src/kms/reference.ts'
import { type LossyProxy, openLossyProxy } from './lossyproxy.ts'
import { temporaryDirectory } from './servers.ts'

/** An OpenBao of the test's own, with a transit engine and a role that logs in by AppRole. */
export interface OpenBao {
  readonly server: Server
  readonly directory: string
  /** Leads to the server, and loses answers. */
  readonly wire: LossyProxy
  /** What logs in as the role, by way of the wire. */
  readonly settings: VaultSettings
  createKey(options?: object): Promise<string>
  /** Gives the role the rights of the guide's policy on these keys, and no others. */
  allow(names: readonly string[]): Promise<void>
  /** How many logins there were so far. */
  logins(): number
  /** How many renewals of a token were asked for so far. */
  renewals(): number
  stop(): Promise<void>
}

export async function startOpenBao(
  options: Pick<OpenBaoOptions, 'certificate'> & { readonly tokenSeconds?: number } = {},
): Promise<OpenBao> {
  const directory = temporaryDirectory('openbao')
  const server = await start(directory, terminalProgress(), options)
  let [logins, renewals] = [0, 0]
  const wire = await openLossyProxy(server.url, {
    counts: ({ url = '' }) => {
      if (url.endsWith('/login')) logins += 1
      if (url.endsWith('/renew-self')) renewals += 1
      return /\/(encrypt|decrypt)\//.test(url)
    },
    throttled: {
      status: 429,
      headers: { 'content-type': 'application/json' },
      body: '{"errors":["request path \\"transit/encrypt\\": rate limit quota exceeded"]}',
    },
  })
  const { call } = server
  await call('POST', 'sys/mounts/transit', { type: 'transit' })
  await call('POST', 'sys/auth/approle', { type: 'approle' })
  const { tokenSeconds = 600 } = options
  await call('POST', 'auth/approle/role/cardea', {
    token_policies: 'cardea',
    token_ttl: `${tokenSeconds}s`,
    token_max_ttl: `${tokenSeconds * 4}s`,
  })
  const { role_id } = await call('GET', 'auth/approle/role/cardea/role-id')
  const { secret_id } = await call('POST', 'auth/approle/role/cardea/secret-id')
  const secretIdFile = path.join(directory, 'secret-id')
  writeFileSync(secretIdFile, `${String(secret_id)}\n`, { mode: 0o600 })
  return {
    server,
    directory,
    wire,
    settings: {
      address: wire.url,
      login: { method: 'approle', mount: 'approle', roleId: String(role_id), secretIdFile },
    },
    async createKey(keyOptions = {}) {
      const name = `cardea-${randomBytes(4).toString('hex')}`
      await call('POST', `transit/keys/${name}`, keyOptions)
      return name
    },
    async allow(names) {
      const nothing = 'path "*" { capabilities = ["deny"] }'
      await call('POST', 'sys/policies/acl/cardea', { policy: guidePolicy(names) || nothing })
    },
    logins: () => logins,
    renewals: () => renewals,
    async stop() {
      await wire.close()
      await server.stop()
    },
  }
}

/** The policy that the guide gives, on these keys. */
function guidePolicy(names: readonly string[]): string {
  const guide = readFileSync(path.join(ROOT, 'docs', 'guides', 'kms-vault.md'), 'utf8')
  const [, policy] = /```hcl\n(path "transit\/encrypt\/[^`]*)```/.exec(guide) ?? []
  if (policy === undefined) throw new Error('the guide to Vault has no policy')
  return names.map((name) => policy.replaceAll('/cardea"', `/${name}"`)).join('\n')
}
