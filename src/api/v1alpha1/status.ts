import { z } from 'zod'
import { mapOf } from './list.ts'
import { text } from './text.ts'
import { observedTime } from './timestamp.ts'

const generation = () => z.int().meta({ format: 'int64' })

const conditionStatuses = ['True', 'False', 'Unknown'] as const

/** A condition as the Kubernetes API conventions have it (metav1.Condition). */
const condition = z.object({
  type: text(316).describe('What the condition is about, for example Ready.'),
  status: z.enum(conditionStatuses).describe('Whether it holds.'),
  observedGeneration: generation()
    .describe('The metadata.generation that the condition was found for.')
    .optional(),
  lastTransitionTime: observedTime().describe('When the status last changed.'),
  reason: text(128).describe('Why, in one word that programs may rely on.'),
  message: text(4096, 0).describe('Why, in a sentence that says what to do.'),
})

/** What every status has. */
export const observedStatus = {
  observedGeneration: generation()
    .describe('The metadata.generation that the operator last dealt with. -1: none yet.')
    .optional(),
  lastHandledReconcileAt: text(253, 0)
    .describe(
      'The last value of the annotation cardea.dev/reconcile-requested-at that the operator answered.',
    )
    .optional(),
  conditions: mapOf(condition, ['type'], { max: 16 })
    .describe(
      'What is the case, by type. Ready is always present; Reconciling and Stalled exclude each other.',
    )
    .optional(),
}

/** What the status of a kind with a record in the database has. */
export const commonStatus = {
  id: text(64)
    .describe(
      'The stable identity of the record in Cardea. It survives a rename of the cluster and a restore from a backup.',
    )
    .optional(),
  ...observedStatus,
}
