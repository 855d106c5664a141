import { jsonb, text, timestamp } from 'drizzle-orm/pg-core'
import { cardeaKeys } from './schema.ts'

export const signingKeys = cardeaKeys.table('signing_keys', {
  /** The key's thumbprint (RFC 7638), which is its `kid`. */
  id: text().primaryKey(),
  installation: text().notNull(),
  algorithm: text({ enum: ['EdDSA', 'ES256'] }).notNull(),
  publicJwk: jsonb('public_jwk').$type<Record<string, string>>().notNull(),
  /** An envelope. */
  privateKey: jsonb('private_key').$type<unknown>().notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
  activeAt: timestamp('active_at', { withTimezone: true }).notNull(),
})
