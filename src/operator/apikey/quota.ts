import { countRecords, serializeOrganization } from '../../db/organization.ts'
import type { Transaction } from '../../db/transaction.ts'
import { quotaOf } from '../../domain/quota.ts'
import type { Seen } from './look.ts'

/** Why one more key would be too many; undefined when it is not. Makes the callers of one organization queue. */
export async function overQuota(
  tx: Transaction,
  { organization, project }: Seen,
): Promise<string | undefined> {
  const overall = quotaOf(organization.settings, 'apiKeys')
  const ofProject = quotaOf(project?.settings, 'apiKeys')
  if (overall === undefined && ofProject === undefined) return undefined
  await serializeOrganization(tx, organization.id)
  const counted = await countRecords(tx, project?.id)
  if (overall !== undefined && counted.apiKeys >= overall) {
    return `Organization "${organization.name}" may have ${overall} API keys and has them: raise spec.quotas.apiKeys there, or delete a key.`
  }
  if (ofProject !== undefined && counted.projectApiKeys >= ofProject) {
    return `Project "${project?.name}" may have ${ofProject} API keys and has them: raise spec.overrides.quotas.apiKeys there, or delete a key.`
  }
  return undefined
}
