import { sql } from 'drizzle-orm'
import { bigint, integer, jsonb, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea, cardea, cardeaKeys, ownership } from './schema.ts'

export const apiKeys = cardea.table(
  'api_keys',
  {
    organizationId: uuid('organization_id').notNull(),
    id: uuid().notNull().default(sql`uuidv7()`),
    name: text().notNull(),
    projectId: uuid('project_id'),
    description: text(),
    scopes: text().array().notNull().default([]),
    allowedCidrs: text('allowed_cidrs').array().notNull().default([]),
    allowedOrigins: text('allowed_origins').array().notNull().default([]),
    rateLimitRequests: integer('rate_limit_requests'),
    /** Milliseconds. */
    rateLimitWindow: bigint('rate_limit_window', { mode: 'number' }),
    rateLimitBurst: integer('rate_limit_burst'),
    expiresAt: timestamp('expires_at', { withTimezone: true }),
    /** The last value of the annotation that asks for a rotation which was answered. */
    rotationHandled: text('rotation_handled'),
    ...ownership(),
    /** Set when the key was revoked for good and its deletion policy retained the record. */
    deletedAt: timestamp('deleted_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.id] })],
)

const secretColumns = () => ({
  organizationId: uuid('organization_id').notNull(),
  id: uuid().notNull().default(sql`uuidv7()`),
  apiKeyId: uuid('api_key_id').notNull(),
  /** SHA-256 of the key, 32 bytes. */
  digest: bytea().notNull(),
  source: text({ enum: ['minted', 'imported'] }).notNull(),
  lastFour: text('last_four'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  /** The end of the overlap, once a newer secret took over. */
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  revokedAt: timestamp('revoked_at', { withTimezone: true }),
})

export const apiKeySecrets = cardea.table('api_key_secrets', secretColumns(), (table) => [
  primaryKey({ columns: [table.organizationId, table.id] }),
])

/** What was delivered to the Secret: ciphertext, kept to repair a Secret that somebody edited. */
export const apiKeyEnvelopes = cardeaKeys.table(
  'api_key_envelopes',
  {
    organizationId: uuid('organization_id').notNull(),
    secretId: uuid('secret_id').notNull(),
    apiKeyId: uuid('api_key_id').notNull(),
    envelope: jsonb().$type<unknown>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.secretId] })],
)

/** The view of both. */
export const apiKeySecretsWithEnvelopes = cardeaKeys.table('api_key_secrets', {
  ...secretColumns(),
  envelope: jsonb().$type<unknown>(),
})

export const apiKeyUsage = cardea.table(
  'api_key_usage',
  {
    organizationId: uuid('organization_id').notNull(),
    apiKeyId: uuid('api_key_id').notNull(),
    lastUsedAt: timestamp('last_used_at', { withTimezone: true }).notNull(),
    uses: bigint({ mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.apiKeyId] })],
)
