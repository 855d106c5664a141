import type { DataKeyRow } from '../../src/db/datakey.ts'
import { newId } from '../../src/db/identity.ts'
import { fingerprintOf, sealedColumn } from '../../src/domain/providercredential.ts'
import { makeDataKey } from '../../src/encryption/datakey.ts'
import { DataKeys } from '../../src/encryption/datakeys.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { keyringOf } from './keyring.ts'
import type { Records } from './records.ts'

export interface CredentialFields {
  readonly name?: string
  readonly provider?: string
  readonly project?: string
  readonly value?: string
}

export interface CredentialRecord {
  readonly id: string
  readonly versionId: string
  readonly name: string
  readonly value: string
  readonly fingerprint: string
}

/** Writes credentials as the operator would: sealed with data keys that a KEK wrapped. */
export class VaultRecords {
  readonly #records: Records
  readonly #kek: KeyManagement
  readonly #dataKeys: DataKeys
  readonly #keys = new Map<string, DataKeyRow>()
  #count = 0

  constructor(records: Records, kek: KeyManagement) {
    this.#records = records
    this.#kek = kek
    this.#dataKeys = new DataKeys({ keyring: keyringOf(kek), now: () => performance.now() })
  }

  async credential(
    organization: string,
    { name, provider = 'openai', project, value = `sk-${newId()}-canary` }: CredentialFields = {},
  ): Promise<CredentialRecord> {
    const { client } = this.#records
    const credentialName = name ?? `credential-${++this.#count}`
    const { rows } = await client.query<{ id: string }>(
      `insert into cardea.provider_credentials (organization_id, name, project_id, provider, managed_by)
       values ($1, $2, $3, $4, 'api') returning id`,
      [organization, credentialName, project ?? null, provider],
    )
    const id = rows[0]?.id as string
    const versionId = newId()
    const key = await this.#key(organization)
    const place = { organizationId: organization, providerCredentialId: id, id: versionId }
    const text = Buffer.from(value)
    const sealed = await this.#dataKeys.of(null).seal(key, sealedColumn(place), text)
    const fingerprint = await this.#dataKeys
      .of(null)
      .derive(key, (bytes) => fingerprintOf(bytes, organization, text))
    await client.query(
      `insert into cardea.provider_credential_versions
       (organization_id, id, provider_credential_id, version, data_key_version, sealed, fingerprint)
       values ($1, $2, $3, 1, $4, $5, $6)`,
      [organization, versionId, id, key.version, sealed, fingerprint],
    )
    return { id, versionId, name: credentialName, value, fingerprint }
  }

  async #key(organization: string): Promise<DataKeyRow> {
    const known = this.#keys.get(organization)
    if (known) return known
    const made = await makeDataKey(this.#kek, this.#kek, organization, 1)
    await this.#records.client.query(
      'insert into cardea_keys.data_keys (organization_id, version, kek, wrapped) values ($1, $2, $3, $4)',
      [organization, made.version, made.kek, made.wrapped],
    )
    const row = { ...made, createdAt: new Date(), retiredAt: null, rotationRequest: null }
    this.#keys.set(organization, row)
    return row
  }
}
