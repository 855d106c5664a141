import type { Pool } from 'pg'
import { auditing, auditingUnwrap } from '../../db/audit.ts'
import type { DataKeyRow } from '../../db/datakey.ts'
import {
  type ProviderCredentialRow,
  type ProviderCredentialVersionRow,
  resolveReadings,
} from '../../db/providercredential.ts'
import { carryOutFor, readOrganization } from '../../db/transaction.ts'
import {
  chooseCredential,
  chooseSource,
  modeOf,
  type SourceRefusal,
  sealedColumn,
  versionInForce,
} from '../../domain/providercredential.ts'
import type { DataKeys } from '../../encryption/datakeys.ts'
import { KeyManagementError } from '../../kms/keymanagement.ts'
import type { ApiKeyCredential } from '../index/credential.ts'
import { type AuthLog, reasonOf } from '../log.ts'
import { FailedUnwraps } from './failures.ts'
import { UnderWay } from './underway.ts'
import { type PendingUnwraps, unwrapper } from './unwraps.ts'
import type { VaultUsage } from './usage.ts'

/** What a workload asks for. */
export interface ResolveRequest {
  readonly caller: ApiKeyCredential
  readonly provider: string
  /** Undefined: for the organization as a whole. */
  readonly project: { readonly id: string; readonly name: string } | undefined
  /** Whether whoever the workload acts for brought a credential of their own. */
  readonly own: boolean
  readonly requestId: string
}

export type VaultRefusal =
  | SourceRefusal
  | 'project_not_allowed'
  | 'insufficient_scope'
  | 'provider_credential_not_found'
  | 'provider_credential_unreadable'
  | 'key_management_unavailable'
  | 'vault_unavailable'

interface VaultCredential {
  readonly id: string
  readonly provider: string
  readonly version: number
  readonly fingerprint: string
  readonly value: string
}

export type Resolution =
  | { readonly use: 'own' }
  | { readonly use: 'vault'; readonly credential: VaultCredential }
  | { readonly use?: undefined; readonly code: VaultRefusal }

export interface VaultOptions {
  /** Of its own: who waits for a credential must not keep those waiting who look an API key up. */
  readonly pool: Pool
  readonly dataKeys: DataKeys
  readonly usage: VaultUsage
  /** What `dataKeys` tells of its unwraps. */
  readonly unwraps: PendingUnwraps
  readonly log: AuthLog
}

/** The record that an answer is about. */
type Target = Pick<ProviderCredentialRow, 'id' | 'name'>

interface Decision {
  readonly resolution: Resolution
  readonly target?: Target | undefined
}

/**
 * Gives out the credentials of third parties. Each answer is in the audit trail before it is given: what cannot be written
 * down is refused.
 */
export class Vault {
  readonly #options: VaultOptions
  readonly #outcomes = new Map<string, number>()
  /** Beyond it whoever asks is told to come again. */
  readonly #underWay = new UnderWay()
  readonly #failures = new FailedUnwraps(() => performance.now())

  constructor(options: VaultOptions) {
    this.#options = options
  }

  /** Answers so far, by `own`, `vault` or the code of the refusal. */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes
  }

  /** Decides on a request, opens the value, and writes down who got what. */
  async resolve(request: ResolveRequest): Promise<Resolution> {
    return this.#bounded(request, () => this.#decide(request))
  }

  /** Writes down that a request was refused before the vault was looked into. */
  async refuse(request: ResolveRequest, code: VaultRefusal): Promise<Resolution> {
    return this.#bounded(request, async () => ({ resolution: { code } }))
  }

  async #bounded(request: ResolveRequest, decide: () => Promise<Decision>): Promise<Resolution> {
    const resolution = await this.#answer(request, decide)
    const outcome = resolution.use ?? resolution.code
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
    return resolution
  }

  async #answer(request: ResolveRequest, decide: () => Promise<Decision>): Promise<Resolution> {
    const organizationId = request.caller.tenant.id
    if (!this.#underWay.enter(organizationId)) return { code: 'vault_unavailable' }
    try {
      const { resolution, target } = await decide()
      await this.#audit(request, resolution, target)
      if (resolution.use === 'vault') {
        this.#options.usage.count(organizationId, resolution.credential.id)
      }
      return resolution
    } catch (error) {
      const { requestId } = request
      this.#options.log.warn({ requestId, error: reasonOf(error) }, 'the vault did not answer')
      return { code: 'vault_unavailable' }
    } finally {
      this.#underWay.leave(organizationId)
    }
  }

  async #decide({ caller, provider, project, own, requestId }: ResolveRequest): Promise<Decision> {
    const organizationId = caller.tenant.id
    const readings = resolveReadings(provider, project?.id)
    const [organization, projectRow, candidates, versions, dataKeys] = await readOrganization(
      this.#options.pool,
      organizationId,
      readings,
    )
    // Deleted since the key was judged.
    if (!organization || (project && !projectRow)) return refusal('project_not_allowed')
    const source = chooseSource(modeOf(organization.settings, projectRow?.settings), own)
    if (source === 'own') return { resolution: { use: 'own' } }
    if (source !== 'vault') return refusal(source)
    const chosen = chooseCredential(candidates, project?.id)
    const version =
      chosen && versionInForce(versions.filter((row) => row.providerCredentialId === chosen.id))
    if (!chosen || !version) return refusal('provider_credential_not_found')
    const dataKey = dataKeys.find((row) => row.version === version.dataKeyVersion)
    const { ownerNamespace } = organization
    const opened = await this.#open(ownerNamespace, version, dataKey, requestId)
    if (typeof opened === 'string') return refusal(opened, chosen)
    const { id } = chosen
    const { version: number, fingerprint } = version
    const value = opened.toString()
    opened.fill(0)
    const credential = { id, provider, version: number, fingerprint, value }
    return { resolution: { use: 'vault', credential }, target: chosen }
  }

  /** The value, or why it cannot be had. */
  async #open(
    namespace: string | null,
    version: ProviderCredentialVersionRow,
    dataKey: DataKeyRow | undefined,
    requestId: string,
  ): Promise<Buffer | 'provider_credential_unreadable' | 'key_management_unavailable'> {
    const { dataKeys, log } = this.#options
    const { id, providerCredentialId: credentialId } = version
    try {
      if (!dataKey) throw new KeyManagementError('refused', 'its data key is not there')
      const known = this.#failures.of(nameOf(namespace, dataKey))
      if (known) throw known
      return await dataKeys.of(namespace).open(dataKey, sealedColumn(version), version.sealed)
    } catch (error) {
      if (!(error instanceof KeyManagementError)) throw error
      if (dataKey) this.#failures.add(nameOf(namespace, dataKey), error)
      const detail = { requestId, credentialId, versionId: id, code: error.code }
      if (error.code === 'refused') {
        log.error(detail, 'a sealed value did not open: it was altered or moved')
        return 'provider_credential_unreadable'
      }
      log.warn({ ...detail, error: error.message }, 'the key management service is not available')
      return 'key_management_unavailable'
    }
  }

  async #audit(request: ResolveRequest, resolution: Resolution, target?: Target): Promise<void> {
    const { caller, provider, project, own, requestId } = request
    const { id: organizationId, name } = caller.tenant
    const event = auditing({
      organizationId,
      actorKind: 'apikey',
      actor: caller.apiKeyId,
      action: resolution.use ? 'provider_credential.resolved' : 'provider_credential.refused',
      targetKind: target ? 'provider_credential' : 'organization',
      targetId: target?.id ?? organizationId,
      targetName: target?.name ?? name ?? '',
      requestId,
      detail: {
        apiKey: caller.name,
        secretId: caller.id,
        provider,
        ...(project && { project: project.name }),
        own,
        ...(resolution.use ? { use: resolution.use } : { code: resolution.code }),
        ...(resolution.use === 'vault' && {
          version: resolution.credential.version,
          fingerprint: resolution.credential.fingerprint,
        }),
      },
    })
    const { pool, unwraps } = this.#options
    const done = unwraps.take(organizationId)
    const statements = [...done.map((one) => auditingUnwrap(one, unwrapper, requestId)), event]
    try {
      await carryOutFor(pool, [{ organizationId, statements }])
    } catch (error) {
      unwraps.giveBack(done)
      throw error
    }
  }
}

/** The wrapping is part of it: what is wrapped anew may open at once. */
function nameOf(
  namespace: string | null,
  { organizationId, version, wrapped }: DataKeyRow,
): string {
  return [namespace ?? '', organizationId, version, wrapped.toString('base64')].join('/')
}

function refusal(code: VaultRefusal, target?: Target): Decision {
  return { resolution: { code }, target }
}
