import { customType, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'

/** Everything of Cardea's but its keys lives in one schema of its own. */
export const cardea = pgSchema('cardea')

/** The keys, apart from what they seal: long-lived backups leave this schema out. */
export const cardeaKeys = pgSchema('cardea_keys')

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** Who owns a record: a custom resource, or the HTTP API. The owner of the first sort is the resource, never its UID. */
export const ownership = () => ({
  managedBy: text('managed_by', { enum: ['resource', 'api'] }).notNull(),
  ownerInstallation: text('owner_installation'),
  ownerNamespace: text('owner_namespace'),
  ownerName: text('owner_name'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})
