import { sql } from 'drizzle-orm'
import { bigint, integer, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea, cardea, ownership } from './schema.ts'

export const providerCredentials = cardea.table(
  'provider_credentials',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    name: text().notNull(),
    projectId: uuid('project_id'),
    provider: text().notNull(),
    ...ownership(),
    /** Set when the credential was revoked for good and its deletion policy retained the record. */
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)

export const providerCredentialVersions = cardea.table(
  'provider_credential_versions',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    providerCredentialId: uuid('provider_credential_id').notNull(),
    version: integer().notNull(),
    dataKeyVersion: integer('data_key_version').notNull(),
    /** The value under the data key; empty once it is revoked. */
    sealed: bytea().notNull(),
    fingerprint: text().notNull(),
    lastFour: text('last_four'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    revokedAt: timestamp('revoked_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)

export const providerCredentialUsage = cardea.table(
  'provider_credential_usage',
  {
    organizationId: uuid('organization_id').notNull(),
    providerCredentialId: uuid('provider_credential_id').notNull(),
    lastUsedAt: timestamp('last_used_at', { withTimezone: true }).notNull(),
    uses: bigint({ mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.providerCredentialId] })],
)
