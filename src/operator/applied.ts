import { type CustomResource, conditionOf } from '../k8s/object.ts'

/**
 * Whether the present spec was in force when the operator last looked. If so, a difference that it finds now is drift:
 * somebody changed the record or the Secret, not the spec.
 */
export function isApplied(object: CustomResource): boolean {
  const ready = conditionOf(object, 'Ready')
  return ready?.status === 'True' && ready.observedGeneration === object.metadata.generation
}

/** Whether the spec is another one than when the operator last looked, whatever came of it then. */
export function isChanged(object: CustomResource): boolean {
  return conditionOf(object, 'Ready')?.observedGeneration !== object.metadata.generation
}
